"""DescribeGroups: what classic groups are and who is in them.

Only of a stable group are protocol and members' metadata told; assignments always, even while a rebalance
makes them history.  A group that is not there is "Dead", which older versions do not call an error.

v3 authorized operations - v4 static members - v6 a missing group is an error, with a message (KIP-1043)
Not here: KIP-848, share and streams groups, which are described by APIs of their own.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.member import Member
from mockbroker.core.node import Node
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

# READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: without an authorizer everybody may do all of them.
ALL_GROUP_OPERATIONS = sum(1 << operation for operation in (3, 6, 8, 10, 11))


def refuse(call: Call[DescribeGroupsRequest], error: KafkaError) -> DescribeGroupsResponse:
    """Every group, refused with one error."""
    return DescribeGroupsResponse(
        groups=[
            DescribedGroup(group_id=group_id, error_code=error.code, error_message=error.message)
            for group_id in call.body.groups
        ]
    )


@answers(DescribeGroupsRequest, versions="0-6", refuse=refuse)
def describe_groups(call: Call[DescribeGroupsRequest], node: Node) -> DescribeGroupsResponse:
    """Each group on its own."""
    described = [_describe(call, node, group_id) for group_id in call.body.groups]
    if call.body.include_authorized_operations:
        for group in described:
            if group.error_code == ErrorCode.NONE:
                group.authorized_operations = ALL_GROUP_OPERATIONS
    return DescribeGroupsResponse(groups=described)


def _describe(call: Call[DescribeGroupsRequest], node: Node, group_id: str) -> DescribedGroup:
    try:
        group = node.group_shard(group_id).seen(group_id)
    except KafkaError as refused:
        return DescribedGroup(group_id=group_id, error_code=refused.code, error_message=refused.message)
    if group is not None:
        return _described(group)
    missing = DescribedGroup(group_id=group_id, group_state=State.DEAD.value)
    if call.version >= 6:
        missing.error_code = ErrorCode.GROUP_ID_NOT_FOUND
        missing.error_message = f"Group {group_id} not found."
    return missing


def _described(group: ClassicGroup) -> DescribedGroup:
    protocol = (group.protocol or "") if group.state is State.STABLE else ""
    return DescribedGroup(
        group_id=group.id,
        group_state=group.state.value,
        protocol_type=group.protocol_type or "",
        protocol_data=protocol,
        members=[_described_member(member, protocol) for member in group.members.values()],
    )


def _described_member(member: Member, protocol: str) -> DescribedGroupMember:
    return DescribedGroupMember(
        member_id=member.id,
        group_instance_id=member.instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        member_metadata=member.metadata(protocol) if protocol else b"",
        member_assignment=member.assignment,
    )
