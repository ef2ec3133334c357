"""Heartbeat: a member is alive, and hears whether it should join again.

A coordinator that is still loading cannot know the member, and says that all is well: a member that was told
otherwise would start over for nothing.

v3 static members (KIP-345)
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.attendance import hear
from mockbroker.core.groups.coordination import check_group_id
from mockbroker.core.node import Node
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import HeartbeatRequest, HeartbeatResponse


def refuse(call: Call[HeartbeatRequest], error: KafkaError) -> HeartbeatResponse:  # noqa: ARG001 - all are alike
    """The heartbeat did not count."""
    return HeartbeatResponse(error_code=error.code)


@answers(HeartbeatRequest, versions="0-4", refuse=refuse)
def heartbeat(call: Call[HeartbeatRequest], node: Node) -> HeartbeatResponse:
    """Ask the coordinator, forgiving it that it is loading."""
    check_group_id(call.body.group_id)
    hear(call, node, call.body.group_id, call.body.member_id)
    try:
        shard = node.group_shard(call.body.group_id)
    except KafkaError as refused:
        if refused.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            return HeartbeatResponse()
        raise
    return shard.heartbeat(call.body)
