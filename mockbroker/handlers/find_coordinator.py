"""FindCoordinator: which broker looks after a group.

Any broker answers from its own metadata; the coordinator is the leader of one partition of
`__consumer_offsets`.  The first question of a cluster's life has the topic made.  Kafka then answers
COORDINATOR_NOT_AVAILABLE and lets the client ask again; with test-friendly defaults the answer waits for
the end of the step, when the topic is there.

v1 kinds of key and messages - v4 many keys at once - v6 share groups
Not here: transaction and share coordinators; asking for one is refused, with a message from v1 on.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition
from mockbroker.core.groups.offsets_topic import ensure_offsets_topic
from mockbroker.core.image import BrokerImage
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply, Ticket, then
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.metadata import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse

GROUP, TRANSACTION, SHARE = 0, 1, 2


def refuse(call: Call[FindCoordinatorRequest], error: KafkaError) -> FindCoordinatorResponse:
    """Every key, refused with one error."""
    return _respond(call, [_not_found(key, error) for key in _keys(call)])


def _keys(call: Call[FindCoordinatorRequest]) -> list[str]:
    return list(call.body.coordinator_keys) if call.version >= 4 else [call.body.key]


@answers(
    FindCoordinatorRequest,
    versions="0-6",
    refuse=refuse,
    simplified="transactional ids and share groups are refused (UNSUPPORTED_VERSION)",
)
def find_coordinator(call: Call[FindCoordinatorRequest], node: Node) -> Reply[FindCoordinatorResponse]:
    """Look the coordinators up, having their topic made first where it is missing."""
    _check_kind(call)
    if OFFSETS_TOPIC in node.image.topics:
        return _look_up(call, node)
    made = ensure_offsets_topic(node)
    if not node.world.friendly:
        return refuse(call, KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE))
    return then(made, lambda _: _once_settled(call, node))


def _check_kind(call: Call[FindCoordinatorRequest]) -> None:
    """Refuse what is not a group, in Kafka's order."""
    kind = call.body.key_type
    if kind == GROUP:
        return
    if kind == TRANSACTION:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "mockbroker has no transaction coordinator yet.")
    if kind != SHARE or call.version < 6:
        raise KafkaError(ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST.text)
    raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "mockbroker has no share coordinator yet.")


def _once_settled(call: Call[FindCoordinatorRequest], node: Node) -> Ticket[FindCoordinatorResponse]:
    """Answer at the end of this step, by when every broker within reach has heard of the new topic."""
    ticket: Ticket[FindCoordinatorResponse] = Ticket(
        f"FindCoordinator: waiting for broker {node.id} to hear of {OFFSETS_TOPIC}"
    )
    node.world.when_settled(lambda: ticket.resolve(_look_up(call, node)))
    return ticket


def _look_up(call: Call[FindCoordinatorRequest], node: Node) -> FindCoordinatorResponse:
    return _respond(call, [_find(node, key) for key in _keys(call)])


def _find(node: Node, group_id: str) -> Coordinator:
    try:
        broker = _coordinator_of(node, group_id)
    except KafkaError as nobody:
        return _not_found(group_id, nobody)
    return Coordinator(key=group_id, node_id=broker.id, host=broker.host, port=broker.port, error_message="")


def _coordinator_of(node: Node, group_id: str) -> BrokerImage:
    topic = node.image.topics.get(OFFSETS_TOPIC)
    if topic is None:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    leader = topic.partitions[coordinator_partition(group_id, len(topic.partitions))].leader
    if not node.image.alive(leader):
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return node.image.brokers[leader]


def _not_found(key: str, error: KafkaError) -> Coordinator:
    return Coordinator(
        key=key, node_id=-1, host="", port=-1, error_code=error.code, error_message=error.message or ""
    )


def _respond(call: Call[FindCoordinatorRequest], found: list[Coordinator]) -> FindCoordinatorResponse:
    if call.version >= 4:
        return FindCoordinatorResponse(coordinators=found)
    only = found[0]
    # The single-key layouts always say something, if only the code's own text.
    text = (
        "NONE" if only.error_code == ErrorCode.NONE else only.error_message or ErrorCode(only.error_code).text
    )
    return FindCoordinatorResponse(
        error_code=only.error_code, error_message=text, node_id=only.node_id, host=only.host, port=only.port
    )
