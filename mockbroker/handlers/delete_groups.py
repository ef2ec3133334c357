"""DeleteGroups: remove groups that have no members, with everything that they committed.

A group that is named twice is deleted, and answered, once.

v3 messages
Not here: KIP-848, share and streams groups.
"""

from __future__ import annotations

from collections.abc import Sequence

from mockbroker.core.call import Call
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply, then
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import KafkaError
from mockbroker.protocol.messages.groups import DeletedGroup, DeleteGroupsRequest, DeleteGroupsResponse


def refuse(call: Call[DeleteGroupsRequest], error: KafkaError) -> DeleteGroupsResponse:
    """Every group, refused with one error."""
    return DeleteGroupsResponse(
        results=[_deleted(group_id, error) for group_id in dict.fromkeys(call.body.groups_names)]
    )


@answers(DeleteGroupsRequest, versions="0-3", refuse=refuse)
def delete_groups(call: Call[DeleteGroupsRequest], node: Node) -> Reply[DeleteGroupsResponse]:
    """Each group on its own; the answer waits for all."""
    return _all_of([_delete(node, group_id) for group_id in dict.fromkeys(call.body.groups_names)])


def _delete(node: Node, group_id: str) -> Reply[DeletedGroup]:
    try:
        reply = node.group_shard(group_id).delete_group(group_id)
    except KafkaError as refused:
        return _deleted(group_id, refused)
    return then(reply, lambda code: DeletedGroup(group_id=group_id, error_code=code))


def _deleted(group_id: str, error: KafkaError) -> DeletedGroup:
    return DeletedGroup(group_id=group_id, error_code=error.code, error_message=error.message)


def _all_of(
    replies: Sequence[Reply[DeletedGroup]], results: tuple[DeletedGroup, ...] = ()
) -> Reply[DeleteGroupsResponse]:
    """Wait for one after the other."""
    if len(results) == len(replies):
        return DeleteGroupsResponse(results=list(results))
    return then(replies[len(results)], lambda result: _all_of(replies, (*results, result)))
