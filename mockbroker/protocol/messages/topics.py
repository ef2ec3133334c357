"""Making topics, deleting them, adding partitions to them and cutting off the beginnings of their logs.

Each answers per topic, so one request can succeed for one topic and fail for another.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import ZERO_UUID, Int8, Int16, Int32, Int64, Uuid, nullable, since, tag, until


@struct
class CreatableReplicaAssignment:
    """The brokers of one partition, the preferred leader first."""

    partition_index: Int32 = 0
    broker_ids: list[Int32] = []


@struct
class CreatableTopicConfig:
    """One setting of the new topic."""

    name: str = ""
    value: str | None = ""


@struct
class CreatableTopic:
    """One topic to make: either counts (-1 is the broker's default) or assignments."""

    name: str = ""
    num_partitions: Int32 = 0
    replication_factor: Int16 = 0
    assignments: list[CreatableReplicaAssignment] = []
    configs: list[CreatableTopicConfig] = []


@message(api=19, versions="0-7", flexible="5+")
class CreateTopicsRequest:
    """Make topics.

    v1 validate_only - v4 -1 for the broker's defaults - v5 flexible
    """

    topics: list[CreatableTopic] = []
    timeout_ms: Int32 = 60000
    validate_only: Annotated[bool, since(1)] = False


@struct
class CreatedTopicConfig:
    """One setting that the topic has now."""

    name: str = ""
    value: str | None = ""
    read_only: bool = False
    config_source: Int8 = -1
    is_sensitive: bool = False


@struct
class CreatedTopic:
    """Whether one topic was made.

    v1 error message - v5 what it was made with (KIP-525) - v7 topic id
    """

    name: str = ""
    topic_id: Annotated[Uuid, since(7)] = ZERO_UUID
    error_code: Int16 = 0
    error_message: Annotated[str | None, since(1)] = ""
    topic_config_error_code: Annotated[Int16, tag(0, since=5)] = 0
    num_partitions: Annotated[Int32, since(5)] = -1
    replication_factor: Annotated[Int16, since(5)] = -1
    configs: Annotated[list[CreatedTopicConfig] | None, since(5)] = []


@message(api=19, versions="0-7", flexible="5+")
class CreateTopicsResponse:
    """Answers CreateTopicsRequest.

    v2 throttle time - v5 flexible - v7 topic ids
    """

    throttle_time_ms: Annotated[Int32, since(2)] = 0
    topics: list[CreatedTopic] = []


@struct
class DeleteTopicState:
    """One topic, by name or by id."""

    name: str | None = None
    topic_id: Uuid = ZERO_UUID


@message(api=20, versions="0-6", flexible="4+")
class DeleteTopicsRequest:
    """Delete topics.

    v0-5 by name - v4 flexible - v6 by name or id
    """

    topics: Annotated[list[DeleteTopicState], since(6)] = []
    topic_names: Annotated[list[str], until(5)] = []
    timeout_ms: Int32 = 0


@struct
class DeletedTopic:
    """Whether one topic was deleted.  v5 error message - v6 topic id."""

    name: Annotated[str | None, nullable(since=6)] = ""
    topic_id: Annotated[Uuid, since(6)] = ZERO_UUID
    error_code: Int16 = 0
    error_message: Annotated[str | None, since(5)] = None


@message(api=20, versions="0-6", flexible="4+")
class DeleteTopicsResponse:
    """Answers DeleteTopicsRequest.

    v1 throttle time - v4 flexible - v6 topic ids
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    responses: list[DeletedTopic] = []


@struct
class CreatePartitionsAssignment:
    """The brokers of one new partition."""

    broker_ids: list[Int32] = []


@struct
class CreatePartitionsTopic:
    """How many partitions one topic is to have in all; assignments null leaves the choice to the broker."""

    name: str = ""
    count: Int32 = 0
    assignments: list[CreatePartitionsAssignment] | None = []


@message(api=37, versions="0-3", flexible="2+")
class CreatePartitionsRequest:
    """Add partitions to topics.

    v2 flexible
    """

    topics: list[CreatePartitionsTopic] = []
    timeout_ms: Int32 = 0
    validate_only: bool = False


@struct
class CreatePartitionsResult:
    """Whether one topic has its partitions."""

    name: str = ""
    error_code: Int16 = 0
    error_message: str | None = None


@message(api=37, versions="0-3", flexible="2+")
class CreatePartitionsResponse:
    """Answers CreatePartitionsRequest.

    v2 flexible
    """

    throttle_time_ms: Int32 = 0
    results: list[CreatePartitionsResult] = []


@struct
class DeleteRecordsPartition:
    """Up to which offset, exclusive, one partition's records go; -1 is the high watermark."""

    partition_index: Int32 = 0
    offset: Int64 = 0


@struct
class DeleteRecordsTopic:
    """The partitions of one topic."""

    name: str = ""
    partitions: list[DeleteRecordsPartition] = []


@message(api=21, versions="0-2", flexible="2+")
class DeleteRecordsRequest:
    """Move the start of logs forward.

    v2 flexible
    """

    topics: list[DeleteRecordsTopic] = []
    timeout_ms: Int32 = 0


@struct
class DeleteRecordsPartitionResult:
    """Where one partition's log starts now."""

    partition_index: Int32 = 0
    low_watermark: Int64 = 0
    error_code: Int16 = 0


@struct
class DeleteRecordsTopicResult:
    """What became of one topic's partitions."""

    name: str = ""
    partitions: list[DeleteRecordsPartitionResult] = []


@message(api=21, versions="0-2", flexible="2+")
class DeleteRecordsResponse:
    """Answers DeleteRecordsRequest.

    v2 flexible
    """

    throttle_time_ms: Int32 = 0
    topics: list[DeleteRecordsTopicResult] = []
