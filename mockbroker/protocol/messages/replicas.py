"""Where replicas are and where they should be: log directories, elections and reassignments.

Asked by admins; the moves themselves happen between brokers.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Int8, Int16, Int32, Int64, since


@struct
class AlterReplicaLogDirTopic:
    """The partitions of one topic."""

    name: str = ""
    partitions: list[Int32] = []


@struct
class AlterReplicaLogDir:
    """What is to live in one log directory."""

    path: str = ""
    topics: list[AlterReplicaLogDirTopic] = []


@message(api=34, versions="0-2", flexible="2+")
class AlterReplicaLogDirsRequest:
    """Move replicas between the log directories of one broker.

    v2 flexible
    """

    dirs: list[AlterReplicaLogDir] = []


@struct
class AlterReplicaLogDirPartitionResult:
    """Whether one partition moves."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


@struct
class AlterReplicaLogDirTopicResult:
    """Whether one topic's partitions move."""

    topic_name: str = ""
    partitions: list[AlterReplicaLogDirPartitionResult] = []


@message(api=34, versions="0-2", flexible="2+")
class AlterReplicaLogDirsResponse:
    """Answers AlterReplicaLogDirsRequest.

    v2 flexible
    """

    throttle_time_ms: Int32 = 0
    results: list[AlterReplicaLogDirTopicResult] = []


@struct
class DescribableLogDirTopic:
    """The partitions of one topic."""

    topic: str = ""
    partitions: list[Int32] = []


@message(api=35, versions="0-5", flexible="2+")
class DescribeLogDirsRequest:
    """Describe log directories; topics null means all.

    v2 flexible
    """

    topics: list[DescribableLogDirTopic] | None = []


@struct
class DescribeLogDirsPartition:
    """One replica: its size, and how far behind it is."""

    partition_index: Int32 = 0
    partition_size: Int64 = 0
    offset_lag: Int64 = 0
    is_future_key: bool = False


@struct
class DescribeLogDirsTopic:
    """The replicas of one topic."""

    name: str = ""
    partitions: list[DescribeLogDirsPartition] = []


@struct
class DescribeLogDirsResult:
    """One log directory.  v4 space in all and space left - v5 whether it is cordoned."""

    error_code: Int16 = 0
    log_dir: str = ""
    topics: list[DescribeLogDirsTopic] = []
    total_bytes: Annotated[Int64, since(4)] = -1
    usable_bytes: Annotated[Int64, since(4)] = -1
    is_cordoned: Annotated[bool, since(5)] = False


@message(api=35, versions="0-5", flexible="2+")
class DescribeLogDirsResponse:
    """Answers DescribeLogDirsRequest.

    v2 flexible - v3 error for the whole - v4 sizes - v5 cordoned directories (KIP-1066)
    """

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(3)] = 0
    results: list[DescribeLogDirsResult] = []


@struct
class TopicPartitions:
    """Partitions of one topic."""

    topic: str = ""
    partitions: list[Int32] = []


@message(api=43, versions="0-2", flexible="2+")
class ElectLeadersRequest:
    """Elect leaders; partitions null means all (KIP-183, KIP-460).

    v1 preferred 0 or unclean 1 - v2 flexible
    """

    election_type: Annotated[Int8, since(1)] = 0
    topic_partitions: list[TopicPartitions] | None = []
    timeout_ms: Int32 = 60000


@struct
class PartitionResult:
    """Whether one partition has a new leader."""

    partition_id: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""


@struct
class ReplicaElectionResult:
    """What became of one topic's partitions."""

    topic: str = ""
    partition_result: list[PartitionResult] = []


@message(api=43, versions="0-2", flexible="2+")
class ElectLeadersResponse:
    """Answers ElectLeadersRequest.

    v1 error for the whole - v2 flexible
    """

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(1)] = 0
    replica_election_results: list[ReplicaElectionResult] = []


@struct
class ReassignablePartition:
    """Where one partition's replicas are to be; null cancels a move."""

    partition_index: Int32 = 0
    replicas: list[Int32] | None = None


@struct
class ReassignableTopic:
    """The partitions of one topic."""

    name: str = ""
    partitions: list[ReassignablePartition] = []


@message(api=45, versions="0-1", flexible="0+")
class AlterPartitionReassignmentsRequest:
    """Move partitions to other brokers (KIP-455).

    v1 whether the number of replicas may change (KIP-860)
    """

    timeout_ms: Int32 = 60000
    allow_replication_factor_change: Annotated[bool, since(1)] = True
    topics: list[ReassignableTopic] = []


@struct
class ReassignablePartitionResponse:
    """Whether one partition moves."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""


@struct
class ReassignableTopicResponse:
    """Whether one topic's partitions move."""

    name: str = ""
    partitions: list[ReassignablePartitionResponse] = []


@message(api=45, versions="0-1", flexible="0+")
class AlterPartitionReassignmentsResponse:
    """Answers AlterPartitionReassignmentsRequest."""

    throttle_time_ms: Int32 = 0
    allow_replication_factor_change: Annotated[bool, since(1)] = True
    error_code: Int16 = 0
    error_message: str | None = ""
    responses: list[ReassignableTopicResponse] = []


@struct
class ListPartitionReassignmentsTopics:
    """The partitions of one topic."""

    name: str = ""
    partition_indexes: list[Int32] = []


@message(api=46, versions="0", flexible="0+")
class ListPartitionReassignmentsRequest:
    """List moves that have not ended; topics null means all (KIP-455)."""

    timeout_ms: Int32 = 60000
    topics: list[ListPartitionReassignmentsTopics] | None = None


@struct
class OngoingPartitionReassignment:
    """One move: the replicas now, those on their way in, those on their way out."""

    partition_index: Int32 = 0
    replicas: list[Int32] = []
    adding_replicas: list[Int32] = []
    removing_replicas: list[Int32] = []


@struct
class OngoingTopicReassignment:
    """The moves of one topic."""

    name: str = ""
    partitions: list[OngoingPartitionReassignment] = []


@message(api=46, versions="0", flexible="0+")
class ListPartitionReassignmentsResponse:
    """Answers ListPartitionReassignmentsRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""
    topics: list[OngoingTopicReassignment] = []
