"""SyncGroup: the leader brings the assignment of its generation, everybody fetches its share.

Followers wait for the leader; how, is told in `core.groups.syncing`.

v3 static members (KIP-345) - v5 protocol type and name, which must be given and right (KIP-559)
Not here: members of KIP-848 groups that speak the classic protocol.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.attendance import hear
from mockbroker.core.groups.coordination import check_group_id
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import SyncGroupRequest, SyncGroupResponse


def refuse(call: Call[SyncGroupRequest], error: KafkaError) -> SyncGroupResponse:  # noqa: ARG001 - all are alike
    """No assignment."""
    return SyncGroupResponse(error_code=error.code)


@answers(SyncGroupRequest, versions="0-5", refuse=refuse)
def sync_group(call: Call[SyncGroupRequest], node: Node) -> Reply[SyncGroupResponse]:
    """Check what needs no coordinator, then ask the coordinator."""
    body = call.body
    if call.version >= 5 and (body.protocol_type is None or body.protocol_name is None):
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    check_group_id(body.group_id)
    hear(call, node, body.group_id, body.member_id)
    return node.group_shard(body.group_id).sync_group(body)
