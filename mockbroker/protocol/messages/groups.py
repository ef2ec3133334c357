"""Classic groups: membership by joining and syncing, and what admins do to groups from outside.

The metadata and assignments inside are the clients' own formats, opaque to the protocol.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import INT32_MIN, Bytes, Int16, Int32, nullable, since, until


@struct
class JoinGroupProtocol:
    """A protocol (for consumers an assignor) that the member can use, and what it says with it."""

    name: str = ""
    metadata: Bytes = b""


@message(api=11, versions="0-9", flexible="6+")
class JoinGroupRequest:
    """Join a group, or join it again in a rebalance.

    v1 rebalance timeout - v4 a first join gets its member id and an error - v5 static membership - v6
    flexible - v8 reason
    """

    group_id: str = ""
    session_timeout_ms: Int32 = 0
    rebalance_timeout_ms: Annotated[Int32, since(1)] = -1
    member_id: str = ""
    group_instance_id: Annotated[str | None, since(5)] = None
    protocol_type: str = ""
    protocols: list[JoinGroupProtocol] = []
    reason: Annotated[str | None, since(8)] = None


@struct
class JoinGroupMember:
    """One member as the leader sees it.  v5 static membership."""

    member_id: str = ""
    group_instance_id: Annotated[str | None, since(5)] = None
    metadata: Bytes = b""


@message(api=11, versions="0-9", flexible="6+")
class JoinGroupResponse:
    """Answers JoinGroupRequest when all have joined; only the leader gets the members.

    v2 throttle time - v5 static membership - v6 flexible - v7 protocol type, and the name may be null - v9
    skip_assignment
    """

    throttle_time_ms: Annotated[Int32, since(2)] = 0
    error_code: Int16 = 0
    generation_id: Int32 = -1
    protocol_type: Annotated[str | None, since(7)] = None
    protocol_name: Annotated[str | None, nullable(since=7)] = ""
    leader: str = ""
    skip_assignment: Annotated[bool, since(9)] = False
    member_id: str = ""
    members: list[JoinGroupMember] = []


@message(api=12, versions="0-4", flexible="4+")
class HeartbeatRequest:
    """Stay in the group.

    v3 static membership - v4 flexible
    """

    group_id: str = ""
    generation_id: Int32 = 0
    member_id: str = ""
    group_instance_id: Annotated[str | None, since(3)] = None


@message(api=12, versions="0-4", flexible="4+")
class HeartbeatResponse:
    """Answers HeartbeatRequest.

    v1 throttle time - v4 flexible
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    error_code: Int16 = 0


@struct
class LeaveGroupMember:
    """One member that leaves.  v5 reason."""

    member_id: str = ""
    group_instance_id: str | None = None
    reason: Annotated[str | None, since(5)] = None


@message(api=13, versions="0-5", flexible="4+")
class LeaveGroupRequest:
    """Leave the group.

    v3 several members, static ones too - v4 flexible - v5 reason
    """

    group_id: str = ""
    member_id: Annotated[str, until(2)] = ""
    members: Annotated[list[LeaveGroupMember], since(3)] = []


@struct
class LeftMember:
    """Whether one member has left."""

    member_id: str = ""
    group_instance_id: str | None = ""
    error_code: Int16 = 0


@message(api=13, versions="0-5", flexible="4+")
class LeaveGroupResponse:
    """Answers LeaveGroupRequest.

    v1 throttle time - v3 several members - v4 flexible
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    error_code: Int16 = 0
    members: Annotated[list[LeftMember], since(3)] = []


@struct
class SyncGroupAssignment:
    """The leader's assignment for one member."""

    member_id: str = ""
    assignment: Bytes = b""


@message(api=14, versions="0-5", flexible="4+")
class SyncGroupRequest:
    """Bring (as the leader) or await the assignments of this generation.

    v3 static membership - v4 flexible - v5 protocol type and name
    """

    group_id: str = ""
    generation_id: Int32 = 0
    member_id: str = ""
    group_instance_id: Annotated[str | None, since(3)] = None
    protocol_type: Annotated[str | None, since(5)] = None
    protocol_name: Annotated[str | None, since(5)] = None
    assignments: list[SyncGroupAssignment] = []


@message(api=14, versions="0-5", flexible="4+")
class SyncGroupResponse:
    """Answers SyncGroupRequest with the member's own assignment.

    v1 throttle time - v4 flexible - v5 protocol type and name
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    error_code: Int16 = 0
    protocol_type: Annotated[str | None, since(5)] = None
    protocol_name: Annotated[str | None, since(5)] = None
    assignment: Bytes = b""


@message(api=15, versions="0-6", flexible="5+")
class DescribeGroupsRequest:
    """Describe classic groups.

    v3 authorized operations - v5 flexible
    """

    groups: list[str] = []
    include_authorized_operations: Annotated[bool, since(3)] = False


@struct
class DescribedGroupMember:
    """One member.  v4 static membership."""

    member_id: str = ""
    group_instance_id: Annotated[str | None, since(4)] = None
    client_id: str = ""
    client_host: str = ""
    member_metadata: Bytes = b""
    member_assignment: Bytes = b""


@struct
class DescribedGroup:
    """One group.  v3 authorized operations - v6 error message."""

    error_code: Int16 = 0
    error_message: Annotated[str | None, since(6)] = None
    group_id: str = ""
    group_state: str = ""
    protocol_type: str = ""
    protocol_data: str = ""
    members: list[DescribedGroupMember] = []
    authorized_operations: Annotated[Int32, since(3)] = INT32_MIN


@message(api=15, versions="0-6", flexible="5+")
class DescribeGroupsResponse:
    """Answers DescribeGroupsRequest.

    v1 throttle time - v4 static membership - v5 flexible - v6 unknown groups get GROUP_ID_NOT_FOUND
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    groups: list[DescribedGroup] = []


@message(api=16, versions="0-5", flexible="3+")
class ListGroupsRequest:
    """List the groups that this broker coordinates.

    v3 flexible - v4 only in these states - v5 only of these types
    """

    states_filter: Annotated[list[str], since(4)] = []
    types_filter: Annotated[list[str], since(5)] = []


@struct
class ListedGroup:
    """One group.  v4 state - v5 type."""

    group_id: str = ""
    protocol_type: str = ""
    group_state: Annotated[str, since(4)] = ""
    group_type: Annotated[str, since(5)] = ""


@message(api=16, versions="0-5", flexible="3+")
class ListGroupsResponse:
    """Answers ListGroupsRequest.

    v1 throttle time - v3 flexible
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    error_code: Int16 = 0
    groups: list[ListedGroup] = []


@message(api=42, versions="0-3", flexible="2+")
class DeleteGroupsRequest:
    """Delete groups.

    v2 flexible
    """

    groups_names: list[str] = []


@struct
class DeletedGroup:
    """Whether one group was deleted.  v3 error message."""

    group_id: str = ""
    error_code: Int16 = 0
    error_message: Annotated[str | None, since(3)] = None


@message(api=42, versions="0-3", flexible="2+")
class DeleteGroupsResponse:
    """Answers DeleteGroupsRequest.

    v2 flexible - v3 error messages
    """

    throttle_time_ms: Int32 = 0
    results: list[DeletedGroup] = []


@struct
class OffsetDeletePartition:
    """One partition."""

    partition_index: Int32 = 0


@struct
class OffsetDeleteTopic:
    """The partitions of one topic."""

    name: str = ""
    partitions: list[OffsetDeletePartition] = []


@message(api=47, versions="0", flexible=None)
class OffsetDeleteRequest:
    """Forget offsets that a group keeps.  Never became flexible."""

    group_id: str = ""
    topics: list[OffsetDeleteTopic] = []


@struct
class DeletedOffsetsPartition:
    """Whether one partition's offset was forgotten."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


@struct
class DeletedOffsetsTopic:
    """Whether one topic's offsets were forgotten."""

    name: str = ""
    partitions: list[DeletedOffsetsPartition] = []


@message(api=47, versions="0", flexible=None)
class OffsetDeleteResponse:
    """Answers OffsetDeleteRequest."""

    error_code: Int16 = 0
    throttle_time_ms: Int32 = 0
    topics: list[DeletedOffsetsTopic] = []
