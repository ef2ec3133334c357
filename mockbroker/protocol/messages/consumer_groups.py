"""Consumer groups of KIP-848: one heartbeat that carries everything, and the description of such a group.

There is no assignment made by clients here: the coordinator computes it.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import INT32_MIN, ZERO_UUID, Int8, Int16, Int32, Uuid, since


@struct
class TopicPartitions:
    """Partitions of one topic."""

    topic_id: Uuid = ZERO_UUID
    partitions: list[Int32] = []


@message(api=68, versions="0-1", flexible="0+")
class ConsumerGroupHeartbeatRequest:
    """Join, stay in or leave a consumer group; what has not changed is left null.

    Epoch 0 joins, -1 leaves, -2 leaves as a static member that will be back. v1 subscription by regular
    expression, and the client makes the member id
    """

    group_id: str = ""
    member_id: str = ""
    member_epoch: Int32 = 0
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: Int32 = -1
    subscribed_topic_names: list[str] | None = None
    subscribed_topic_regex: Annotated[str | None, since(1)] = None
    server_assignor: str | None = None
    topic_partitions: list[TopicPartitions] | None = None


@struct
class Assignment:
    """What the member is to own now."""

    topic_partitions: list[TopicPartitions] = []


@message(api=68, versions="0-1", flexible="0+")
class ConsumerGroupHeartbeatResponse:
    """Answers ConsumerGroupHeartbeatRequest; assignment null means that nothing has changed."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    member_id: str | None = None
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    assignment: Assignment | None = None


@message(api=69, versions="0-1", flexible="0+")
class ConsumerGroupDescribeRequest:
    """Describe consumer groups."""

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
    """What a member owns, or is to own."""

    topic_partitions: list[DescribedTopicPartitions] = []


@struct
class Member:
    """One member.  v1 whether it speaks the classic protocol."""

    member_id: str = ""
    instance_id: str | None = None
    rack_id: str | None = None
    member_epoch: Int32 = 0
    client_id: str = ""
    client_host: str = ""
    subscribed_topic_names: list[str] = []
    subscribed_topic_regex: str | None = None
    assignment: DescribedAssignment = DescribedAssignment()
    target_assignment: DescribedAssignment = DescribedAssignment()
    member_type: Annotated[Int8, since(1)] = -1


@struct
class DescribedGroup:
    """One consumer group."""

    error_code: Int16 = 0
    error_message: str | None = None
    group_id: str = ""
    group_state: str = ""
    group_epoch: Int32 = 0
    assignment_epoch: Int32 = 0
    assignor_name: str = ""
    members: list[Member] = []
    authorized_operations: Int32 = INT32_MIN


@message(api=69, versions="0-1", flexible="0+")
class ConsumerGroupDescribeResponse:
    """Answers ConsumerGroupDescribeRequest.

    v1 member types
    """

    throttle_time_ms: Int32 = 0
    groups: list[DescribedGroup] = []
