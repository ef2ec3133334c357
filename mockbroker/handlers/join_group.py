"""JoinGroup: become a member, or come back for the next generation.

The answer waits until the whole group has joined; how that goes is told in `core.groups.joining` and
`core.groups.rebalancing`.

v1 rebalance timeout of its own - v4 MEMBER_ID_REQUIRED (KIP-394) - v5 static members (KIP-345)
v7 protocol type - v8 reason (KIP-800) - v9 a returning leader may skip assigning (KIP-814)
Not here: joining a KIP-848 group by the classic protocol.
"""

from __future__ import annotations

from mockbroker.core import settings
from mockbroker.core.call import Call
from mockbroker.core.groups.attendance import hear
from mockbroker.core.groups.coordination import check_group_id
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import JoinGroupRequest, JoinGroupResponse


def refuse(call: Call[JoinGroupRequest], error: KafkaError) -> JoinGroupResponse:
    """Not this time; the member id is echoed."""
    return JoinGroupResponse(error_code=error.code, member_id=call.body.member_id, protocol_name=None)


@answers(JoinGroupRequest, versions="0-9", refuse=refuse)
def join_group(call: Call[JoinGroupRequest], node: Node) -> Reply[JoinGroupResponse]:
    """Check what needs no coordinator, then ask the coordinator."""
    check_group_id(call.body.group_id)
    shortest = node.config[settings.GROUP_MIN_SESSION_TIMEOUT_MS]
    longest = node.config[settings.GROUP_MAX_SESSION_TIMEOUT_MS]
    if not shortest <= call.body.session_timeout_ms <= longest:
        raise KafkaError(ErrorCode.INVALID_SESSION_TIMEOUT)
    hear(call, node, call.body.group_id, call.body.member_id)
    return node.group_shard(call.body.group_id).join_group(call)
