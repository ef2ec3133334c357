"""LeaveGroup: members go, and the rest share what they had.

v3 several members at once, each with its own verdict, and static ones by instance id alone (KIP-345)
v5 reasons (KIP-800)
Not here: members of KIP-848 groups that speak the classic protocol.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.coordination import check_group_id
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply, then
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import KafkaError
from mockbroker.protocol.messages.groups import LeaveGroupMember, LeaveGroupRequest, LeaveGroupResponse


def refuse(call: Call[LeaveGroupRequest], error: KafkaError) -> LeaveGroupResponse:  # noqa: ARG001 - all are alike
    """Nobody left."""
    return LeaveGroupResponse(error_code=error.code)


@answers(LeaveGroupRequest, versions="0-5", refuse=refuse)
def leave_group(call: Call[LeaveGroupRequest], node: Node) -> Reply[LeaveGroupResponse]:
    """Let one member go, or many."""
    body = call.body
    check_group_id(body.group_id)
    shard = node.group_shard(body.group_id)
    if call.version >= 3:
        return shard.leave_group(body.group_id, body.members)
    return then(shard.leave_group(body.group_id, [LeaveGroupMember(member_id=body.member_id)]), _of_one)


def _of_one(response: LeaveGroupResponse) -> LeaveGroupResponse:
    """Where there is room for one verdict only, it is that of the one member."""
    verdicts = [member.error_code for member in response.members]
    return LeaveGroupResponse(error_code=response.error_code or (verdicts[0] if verdicts else 0))
