"""Produce: record batches on their way to the leaders of partitions; and who has been producing there.

Declares the layout only; what a broker checks in a batch is not known here.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.messages.shared import LeaderIdAndEpoch, NodeEndpoint
from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import ZERO_UUID, Int16, Int32, Int64, Records, Uuid, since, tag, until


@struct
class ProducePartition:
    """The batches for one partition."""

    index: Int32 = 0
    records: Records | None = None


@struct
class ProduceTopic:
    """The partitions of one topic.  v13 topic id instead of name."""

    name: Annotated[str, until(12)] = ""
    topic_id: Annotated[Uuid, since(13)] = ZERO_UUID
    partition_data: list[ProducePartition] = []


@message(api=0, versions="0-13", flexible="9+")
class ProduceRequest:
    """Append record batches to partitions.

    v3 transactional id, and only magic 2 batches - v7 zstd allowed - v9 flexible - v12 joins the
    transaction by itself (KIP-890) - v13 topic ids (KIP-516)
    """

    transactional_id: Annotated[str | None, since(3)] = None
    acks: Int16 = 0
    timeout_ms: Int32 = 0
    topic_data: list[ProduceTopic] = []


@struct
class RecordError:
    """One record of a refused batch, and what is wrong with it (KIP-467)."""

    batch_index: Int32 = 0
    batch_index_error_message: str | None = None


@struct
class ProducedPartition:
    """What became of the batches for one partition.

    v2 append time - v5 log start offset - v8 error messages - v10 the current leader (KIP-951)
    """

    index: Int32 = 0
    error_code: Int16 = 0
    base_offset: Int64 = 0
    log_append_time_ms: Annotated[Int64, since(2)] = -1
    log_start_offset: Annotated[Int64, since(5)] = -1
    record_errors: Annotated[list[RecordError], since(8)] = []
    error_message: Annotated[str | None, since(8)] = None
    current_leader: Annotated[LeaderIdAndEpoch, tag(0, since=10)] = LeaderIdAndEpoch()


@struct
class ProducedTopic:
    """What became of one topic's partitions."""

    name: Annotated[str, until(12)] = ""
    topic_id: Annotated[Uuid, since(13)] = ZERO_UUID
    partition_responses: list[ProducedPartition] = []


@message(api=0, versions="0-13", flexible="9+")
class ProduceResponse:
    """Answers ProduceRequest, except with acks=0, which has no answer.

    v1 throttle time - v9 flexible - v10 endpoints of new leaders (KIP-951) - v13 topic ids
    """

    responses: list[ProducedTopic] = []
    throttle_time_ms: Annotated[Int32, since(1)] = 0
    node_endpoints: Annotated[list[NodeEndpoint], tag(0, since=10)] = []


@struct
class DescribeProducersTopic:
    """The partitions of one topic."""

    name: str = ""
    partition_indexes: list[Int32] = []


@message(api=61, versions="0", flexible="0+")
class DescribeProducersRequest:
    """Ask which producers write to partitions (KIP-664)."""

    topics: list[DescribeProducersTopic] = []


@struct
class ProducerState:
    """One producer as the partition's leader knows it."""

    producer_id: Int64 = 0
    producer_epoch: Int32 = 0
    last_sequence: Int32 = -1
    last_timestamp: Int64 = -1
    coordinator_epoch: Int32 = 0
    current_txn_start_offset: Int64 = -1


@struct
class DescribedProducersPartition:
    """The producers of one partition."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    active_producers: list[ProducerState] = []


@struct
class DescribedProducersTopic:
    """The producers of one topic."""

    name: str = ""
    partitions: list[DescribedProducersPartition] = []


@message(api=61, versions="0", flexible="0+")
class DescribeProducersResponse:
    """Answers DescribeProducersRequest."""

    throttle_time_ms: Int32 = 0
    topics: list[DescribedProducersTopic] = []
