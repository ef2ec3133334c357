"""Share groups of KIP-932: several consumers on one partition, each record acknowledged by itself.

Version 0 of these was early access in Kafka 4.0 and is not spoken by any release since.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.messages.shared import NodeEndpoint
from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import (
    INT32_MAX,
    INT32_MIN,
    ZERO_UUID,
    Batches,
    Int8,
    Int16,
    Int32,
    Int64,
    Uuid,
    since,
)


@message(api=76, versions="1", flexible="0+")
class ShareGroupHeartbeatRequest:
    """Join, stay in or leave a share group; what has not changed is left null."""

    group_id: str = ""
    member_id: str = ""
    member_epoch: Int32 = 0
    rack_id: str | None = None
    subscribed_topic_names: list[str] | None = None


@struct
class TopicPartitions:
    """Partitions of one topic."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = []


@struct
class Assignment:
    """What the member is to read from now."""

    topic_partitions: list[TopicPartitions] = []


@message(api=76, versions="1", flexible="0+")
class ShareGroupHeartbeatResponse:
    """Answers ShareGroupHeartbeatRequest; assignment null means that nothing has changed."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    member_id: str | None = None
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    assignment: Assignment | None = None


@message(api=77, versions="1", flexible="0+")
class ShareGroupDescribeRequest:
    """Describe share groups."""

    group_ids: list[str] = []
    include_authorized_operations: bool = False


@struct
class DescribedTopicPartitions:
    """Partitions of one topic, by id and name."""

    topic_id: Uuid = ZERO_UUID
    topic_name: str = ""
    partitions: list[Int32] = []


@struct
class DescribedAssignment:
    """What a member reads from."""

    topic_partitions: list[DescribedTopicPartitions] = []


@struct
class Member:
    """One member."""

    member_id: str = ""
    rack_id: str | None = None
    member_epoch: Int32 = 0
    client_id: str = ""
    client_host: str = ""
    subscribed_topic_names: list[str] = []
    assignment: DescribedAssignment = DescribedAssignment()


@struct
class DescribedGroup:
    """One share group."""

    error_code: Int16 = 0
    error_message: str | None = None
    group_id: str = ""
    group_state: str = ""
    group_epoch: Int32 = 0
    assignment_epoch: Int32 = 0
    assignor_name: str = ""
    members: list[Member] = []
    authorized_operations: Int32 = INT32_MIN


@message(api=77, versions="1", flexible="0+")
class ShareGroupDescribeResponse:
    """Answers ShareGroupDescribeRequest."""

    throttle_time_ms: Int32 = 0
    groups: list[DescribedGroup] = []


@struct
class AcknowledgementBatch:
    """What becomes of a run of records: one type for all of them, or one each."""

    first_offset: Int64 = 0
    last_offset: Int64 = 0
    acknowledge_types: list[Int8] = []


@struct
class ShareFetchPartition:
    """One partition to read from, with acknowledgements of what was read before."""

    partition_index: Int32 = 0
    acknowledgement_batches: list[AcknowledgementBatch] = []


@struct
class ShareFetchTopic:
    """The partitions of one topic."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[ShareFetchPartition] = []


@struct
class ForgottenShareTopic:
    """Partitions that leave the share session."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = []


@message(api=78, versions="1-2", flexible="0+")
class ShareFetchRequest:
    """Acquire records, and acknowledge earlier ones on the way.

    v2 how records are acquired, and acknowledgements that only renew the lock
    """

    group_id: str | None = None
    member_id: str | None = ""
    share_session_epoch: Int32 = 0
    max_wait_ms: Int32 = 0
    min_bytes: Int32 = 0
    max_bytes: Int32 = INT32_MAX
    max_records: Int32 = 0
    batch_size: Int32 = 0
    share_acquire_mode: Annotated[Int8, since(2)] = 0
    is_renew_ack: Annotated[bool, since(2)] = False
    topics: list[ShareFetchTopic] = []
    forgotten_topics_data: list[ForgottenShareTopic] = []


@struct
class LeaderIdAndEpoch:
    """Who leads the partition, when this broker does not."""

    leader_id: Int32 = 0
    leader_epoch: Int32 = 0


@struct
class AcquiredRecords:
    """A run of records that the member holds now, and how often they were delivered."""

    first_offset: Int64 = 0
    last_offset: Int64 = 0
    delivery_count: Int16 = 0


@struct
class ShareFetchedPartition:
    """What was read from one partition, and what became of its acknowledgements."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    acknowledge_error_code: Int16 = 0
    acknowledge_error_message: str | None = None
    current_leader: LeaderIdAndEpoch = LeaderIdAndEpoch()
    records: Batches = b""
    acquired_records: list[AcquiredRecords] = []


@struct
class ShareFetchedTopic:
    """What was read from one topic."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[ShareFetchedPartition] = []


@message(api=78, versions="1-2", flexible="0+")
class ShareFetchResponse:
    """Answers ShareFetchRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    acquisition_lock_timeout_ms: Int32 = 0
    responses: list[ShareFetchedTopic] = []
    node_endpoints: list[NodeEndpoint] = []


@struct
class AcknowledgePartition:
    """Acknowledgements for one partition."""

    partition_index: Int32 = 0
    acknowledgement_batches: list[AcknowledgementBatch] = []


@struct
class AcknowledgeTopic:
    """Acknowledgements for one topic."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[AcknowledgePartition] = []


@message(api=79, versions="1-2", flexible="0+")
class ShareAcknowledgeRequest:
    """Acknowledge records without reading more.

    v2 acknowledgements that only renew the lock
    """

    group_id: str | None = None
    member_id: str | None = ""
    share_session_epoch: Int32 = 0
    is_renew_ack: Annotated[bool, since(2)] = False
    topics: list[AcknowledgeTopic] = []


@struct
class AcknowledgedPartition:
    """What became of one partition's acknowledgements."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    current_leader: LeaderIdAndEpoch = LeaderIdAndEpoch()


@struct
class AcknowledgedTopic:
    """What became of one topic's acknowledgements."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[AcknowledgedPartition] = []


@message(api=79, versions="1-2", flexible="0+")
class ShareAcknowledgeResponse:
    """Answers ShareAcknowledgeRequest.

    v2 how long records stay acquired
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    acquisition_lock_timeout_ms: Annotated[Int32, since(2)] = 0
    responses: list[AcknowledgedTopic] = []
    node_endpoints: list[NodeEndpoint] = []
