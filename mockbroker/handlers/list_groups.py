"""ListGroups: the groups that this broker coordinates.

Filters by state and type are case-insensitive; a word that names nothing matches nothing.  While a
partition is loading the list would be short, so there is none.

v4 states (KIP-518) - v5 types (KIP-848)
Not here: KIP-848, share and streams groups.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.node import Node
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import ListedGroup, ListGroupsRequest, ListGroupsResponse

CLASSIC = "classic"


def refuse(call: Call[ListGroupsRequest], error: KafkaError) -> ListGroupsResponse:  # noqa: ARG001 - all are alike
    """No list."""
    return ListGroupsResponse(error_code=error.code)


@answers(ListGroupsRequest, versions="0-5", refuse=refuse)
def list_groups(call: Call[ListGroupsRequest], node: Node) -> ListGroupsResponse:
    """All groups of all partitions that this broker leads."""
    if any(shard.loading for shard in node.shards.values()):
        raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    states = {state.lower() for state in call.body.states_filter}
    types = {kind.lower() for kind in call.body.types_filter}
    if types and CLASSIC not in types:
        return ListGroupsResponse()
    return ListGroupsResponse(
        groups=[
            ListedGroup(
                group_id=group.id,
                protocol_type=group.protocol_type or "",
                group_state=group.state.value,
                group_type=CLASSIC,
            )
            for _, shard in sorted(node.shards.items())
            for group in shard.groups.values()
            if shard.seen(group.id) is not None
            if not states or group.state.value.lower() in states
        ]
    )
