"""Producer ids and transactions: from InitProducerId to EndTxn, and what admins may see of them.

WriteTxnMarkers is what a coordinator tells the leaders of partitions when a transaction ends.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import ZERO_UUID, Int8, Int16, Int32, Int64, Uuid, since, until


@message(api=22, versions="0-6", flexible="2+")
class InitProducerIdRequest:
    """Ask for a producer id; with a transactional id also fence whoever used it before.

    v2 flexible - v3 the producer's current id and epoch (KIP-360) - v6 two-phase commit (KIP-939), not
    stable yet
    """

    transactional_id: str | None = ""
    transaction_timeout_ms: Int32 = 0
    producer_id: Annotated[Int64, since(3)] = -1
    producer_epoch: Annotated[Int16, since(3)] = -1
    enable2_pc: Annotated[bool, since(6)] = False
    keep_prepared_txn: Annotated[bool, since(6)] = False


@message(api=22, versions="0-6", flexible="2+")
class InitProducerIdResponse:
    """Answers InitProducerIdRequest.

    v2 flexible - v6 the transaction that is still open
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Int64 = -1
    producer_epoch: Int16 = 0
    ongoing_txn_producer_id: Annotated[Int64, since(6)] = -1
    ongoing_txn_producer_epoch: Annotated[Int16, since(6)] = -1


@struct
class AddPartitionsToTxnTopic:
    """The partitions of one topic."""

    name: str = ""
    partitions: list[Int32] = []


@struct
class AddPartitionsToTxnTransaction:
    """One transaction, and the partitions to add to it or only to verify."""

    transactional_id: str = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    verify_only: bool = False
    topics: list[AddPartitionsToTxnTopic] = []


@message(api=24, versions="0-5", flexible="3+")
class AddPartitionsToTxnRequest:
    """Make partitions part of a transaction.

    v0-3 one transaction, from clients - v3 flexible - v4 several, between brokers
    """

    transactions: Annotated[list[AddPartitionsToTxnTransaction], since(4)] = []
    v3_and_below_transactional_id: Annotated[str, until(3)] = ""
    v3_and_below_producer_id: Annotated[Int64, until(3)] = 0
    v3_and_below_producer_epoch: Annotated[Int16, until(3)] = 0
    v3_and_below_topics: Annotated[list[AddPartitionsToTxnTopic], until(3)] = []


@struct
class AddPartitionsToTxnPartitionResult:
    """Whether one partition is part of the transaction."""

    partition_index: Int32 = 0
    partition_error_code: Int16 = 0


@struct
class AddPartitionsToTxnTopicResult:
    """The same for one topic."""

    name: str = ""
    results_by_partition: list[AddPartitionsToTxnPartitionResult] = []


@struct
class AddPartitionsToTxnResult:
    """The same for one transaction."""

    transactional_id: str = ""
    topic_results: list[AddPartitionsToTxnTopicResult] = []


@message(api=24, versions="0-5", flexible="3+")
class AddPartitionsToTxnResponse:
    """Answers AddPartitionsToTxnRequest.

    v3 flexible - v4 several transactions, and an error for the whole
    """

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(4)] = 0
    results_by_transaction: Annotated[list[AddPartitionsToTxnResult], since(4)] = []
    results_by_topic_v3_and_below: Annotated[list[AddPartitionsToTxnTopicResult], until(3)] = []


@message(api=25, versions="0-4", flexible="3+")
class AddOffsetsToTxnRequest:
    """Make a group's offsets part of a transaction.

    v3 flexible
    """

    transactional_id: str = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    group_id: str = ""


@message(api=25, versions="0-4", flexible="3+")
class AddOffsetsToTxnResponse:
    """Answers AddOffsetsToTxnRequest.

    v3 flexible
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0


@message(api=26, versions="0-5", flexible="3+")
class EndTxnRequest:
    """Commit or abort a transaction.

    v3 flexible - v5 every transaction ends with a new epoch (KIP-890)
    """

    transactional_id: str = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    committed: bool = False


@message(api=26, versions="0-5", flexible="3+")
class EndTxnResponse:
    """Answers EndTxnRequest.

    v3 flexible - v5 the producer id and epoch for the next transaction
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Annotated[Int64, since(5)] = -1
    producer_epoch: Annotated[Int16, since(5)] = -1


@struct
class WritableTxnMarkerTopic:
    """The partitions of one topic."""

    name: str = ""
    partition_indexes: list[Int32] = []


@struct
class WritableTxnMarker:
    """The end of one transaction.  v2 the version of transactions that it ends under."""

    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    transaction_result: bool = False
    topics: list[WritableTxnMarkerTopic] = []
    coordinator_epoch: Int32 = 0
    transaction_version: Annotated[Int8, since(2)] = 0


@message(api=27, versions="0-2", flexible="1+")
class WriteTxnMarkersRequest:
    """Write the markers that end transactions; said by coordinators to leaders.

    v1 flexible - v2 transaction version (KIP-1228)
    """

    markers: list[WritableTxnMarker] = []


@struct
class WritableTxnMarkerPartitionResult:
    """Whether one partition has its marker."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


@struct
class WritableTxnMarkerTopicResult:
    """Whether one topic's partitions have theirs."""

    name: str = ""
    partitions: list[WritableTxnMarkerPartitionResult] = []


@struct
class WritableTxnMarkerResult:
    """Whether the marker of one producer was written."""

    producer_id: Int64 = 0
    topics: list[WritableTxnMarkerTopicResult] = []


@message(api=27, versions="0-2", flexible="1+")
class WriteTxnMarkersResponse:
    """Answers WriteTxnMarkersRequest.

    v1 flexible
    """

    markers: list[WritableTxnMarkerResult] = []


@struct
class TxnOffsetCommitPartition:
    """The offset to keep for one partition.  v2 leader epoch."""

    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, since(2)] = -1
    committed_metadata: str | None = ""


@struct
class TxnOffsetCommitTopic:
    """The partitions of one topic.  v6 topic id instead of name."""

    name: Annotated[str, until(5)] = ""
    topic_id: Annotated[Uuid, since(6)] = ZERO_UUID
    partitions: list[TxnOffsetCommitPartition] = []


@message(api=28, versions="0-6", flexible="3+")
class TxnOffsetCommitRequest:
    """Keep offsets for a group when the transaction commits.

    v2 leader epochs - v3 flexible, and the member's generation (KIP-447) - v5 joins the transaction by
    itself (KIP-890) - v6 topic ids (KIP-1319)
    """

    transactional_id: str = ""
    group_id: str = ""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    generation_id_or_member_epoch: Annotated[Int32, since(3)] = -1
    member_id: Annotated[str, since(3)] = ""
    group_instance_id: Annotated[str | None, since(3)] = None
    topics: list[TxnOffsetCommitTopic] = []


@struct
class TxnCommittedPartition:
    """Whether one partition's offset was taken."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


@struct
class TxnCommittedTopic:
    """Whether one topic's offsets were taken.  v6 topic id instead of name."""

    name: Annotated[str, until(5)] = ""
    topic_id: Annotated[Uuid, since(6)] = ZERO_UUID
    partitions: list[TxnCommittedPartition] = []


@message(api=28, versions="0-6", flexible="3+")
class TxnOffsetCommitResponse:
    """Answers TxnOffsetCommitRequest.

    v3 flexible - v6 topic ids
    """

    throttle_time_ms: Int32 = 0
    topics: list[TxnCommittedTopic] = []


@message(api=65, versions="0", flexible="0+")
class DescribeTransactionsRequest:
    """Describe transactions by their transactional ids (KIP-664)."""

    transactional_ids: list[str] = []


@struct
class DescribedTransactionTopic:
    """The partitions of one topic."""

    topic: str = ""
    partitions: list[Int32] = []


@struct
class DescribedTransaction:
    """One transaction; a start time of -1 means that none is open."""

    error_code: Int16 = 0
    transactional_id: str = ""
    transaction_state: str = ""
    transaction_timeout_ms: Int32 = 0
    transaction_start_time_ms: Int64 = 0
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    topics: list[DescribedTransactionTopic] = []


@message(api=65, versions="0", flexible="0+")
class DescribeTransactionsResponse:
    """Answers DescribeTransactionsRequest."""

    throttle_time_ms: Int32 = 0
    transaction_states: list[DescribedTransaction] = []


@message(api=66, versions="0-2", flexible="0+")
class ListTransactionsRequest:
    """List the transactions that this broker coordinates.

    v1 only those open for at least so long - v2 only those whose id matches a pattern
    """

    state_filters: list[str] = []
    producer_id_filters: list[Int64] = []
    duration_filter: Annotated[Int64, since(1)] = -1
    transactional_id_pattern: Annotated[str | None, since(2)] = None


@struct
class ListedTransaction:
    """One transaction."""

    transactional_id: str = ""
    producer_id: Int64 = 0
    transaction_state: str = ""


@message(api=66, versions="0-2", flexible="0+")
class ListTransactionsResponse:
    """Answers ListTransactionsRequest; states that were asked for and do not exist are named."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    unknown_state_filters: list[str] = []
    transaction_states: list[ListedTransaction] = []
