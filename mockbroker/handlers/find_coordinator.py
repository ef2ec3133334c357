"""FindCoordinator: which broker looks after a group, or a transactional id.

Any broker answers from its own metadata; the coordinator is the leader of one partition of
`__consumer_offsets` or `__transaction_state`.  The first question of a cluster's life has the topic made.  Kafka
then answers COORDINATOR_NOT_AVAILABLE and lets the client ask again; with test-friendly defaults the answer
waits for the end of the step, when the topic is there.

v1 kinds of key and messages - v4 many keys at once - v6 share groups
Not here: share coordinators; asking for one is refused, with a message from v1 on.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.coordination import coordinator_partition
from mockbroker.core.image import BrokerImage
from mockbroker.core.internal_topics import OFFSETS, TRANSACTIONS, InternalTopic, ensure_topic
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
    simplified="share groups are refused (UNSUPPORTED_VERSION)",
)
def find_coordinator(call: Call[FindCoordinatorRequest], node: Node) -> Reply[FindCoordinatorResponse]:
    """Look the coordinators up, having their topic made first where it is missing."""
    topic = _topic_of(call)
    if topic.name in node.image.topics:
        return _look_up(call, node, topic)
    made = ensure_topic(node, topic)
    if not node.world.friendly:
        return refuse(call, KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE))
    return then(made, lambda _: _once_settled(call, node, topic))


def _topic_of(call: Call[FindCoordinatorRequest]) -> InternalTopic:
    """The topic whose leaders coordinate what is asked for; raises what Kafka says of other kinds."""
    kind = call.body.key_type
    if kind == GROUP:
        return OFFSETS
    if kind == TRANSACTION:
        return TRANSACTIONS
    if kind != SHARE or call.version < 6:
        raise KafkaError(ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST.text)
    raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "mockbroker has no share coordinator yet.")


def _once_settled(
    call: Call[FindCoordinatorRequest], node: Node, topic: InternalTopic
) -> Ticket[FindCoordinatorResponse]:
    """Answer at the end of this step, by when every broker within reach has heard of the new topic."""
    ticket: Ticket[FindCoordinatorResponse] = Ticket(
        f"FindCoordinator: waiting for broker {node.id} to hear of {topic.name}"
    )
    node.world.when_settled(lambda: ticket.resolve(_look_up(call, node, topic)))
    return ticket


def _look_up(call: Call[FindCoordinatorRequest], node: Node, topic: InternalTopic) -> FindCoordinatorResponse:
    return _respond(call, [_find(node, topic, key) for key in _keys(call)])


def _find(node: Node, topic: InternalTopic, key: str) -> Coordinator:
    try:
        broker = _coordinator_of(node, topic, key)
    except KafkaError as nobody:
        return _not_found(key, nobody)
    return Coordinator(key=key, node_id=broker.id, host=broker.host, port=broker.port, error_message="")


def _coordinator_of(node: Node, topic: InternalTopic, key: str) -> BrokerImage:
    found = node.image.topics.get(topic.name)
    if found is None:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    leader = found.partitions[coordinator_partition(key, len(found.partitions))].leader
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
