"""What a call is about: which groups, topics and partitions it names, and who asks for whom.

This is knowledge of the protocol's layouts, in tables; nothing here knows what any API does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockbroker.protocol.apis import Api
from mockbroker.protocol.types import ZERO_UUID

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node

GROUP, TRANSACTION = 0, 1

# From this version on AddPartitionsToTxn speaks for several transactions.
ADDED_BY_BROKERS_SINCE = 4


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a request names; None for what it leaves open."""

    group: str | None = None
    topic: str | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a request names topics, and its response answers for them.

    `name` and `id` identify a topic on both sides, `parts` and `index` a partition; an empty `parts` is an API
    that knows whole topics only, an empty `index` a list of numbers.
    """

    topics: str = "topics"
    name: str = "name"
    id: str = ""
    parts: str = "partitions"
    index: str = "partition_index"
    answered: str = "topics"
    answered_parts: str = "partitions"
    answered_index: str = "partition_index"


LAYOUTS = {
    Api.PRODUCE: Layout(
        "topic_data",
        "name",
        "topic_id",
        "partition_data",
        "index",
        "responses",
        "partition_responses",
        "index",
    ),
    Api.FETCH: Layout("topics", "topic", "topic_id", index="partition", answered="responses"),
    Api.LIST_OFFSETS: Layout(),
    Api.OFFSET_COMMIT: Layout(id="topic_id"),
    Api.TXN_OFFSET_COMMIT: Layout(),
    Api.ADD_PARTITIONS_TO_TXN: Layout(index=""),
    Api.OFFSET_FETCH: Layout(parts="partition_indexes", index=""),
    Api.OFFSET_FOR_LEADER_EPOCH: Layout(name="topic", index="partition", answered_index="partition"),
    Api.DELETE_RECORDS: Layout(),
    Api.OFFSET_DELETE: Layout(),
    Api.METADATA: Layout(id="topic_id", parts=""),
    Api.DESCRIBE_PRODUCERS: Layout(parts="partition_indexes", index=""),
    Api.DESCRIBE_TOPIC_PARTITIONS: Layout(parts=""),
    Api.CREATE_TOPICS: Layout(parts=""),
    Api.DELETE_TOPICS: Layout(id="topic_id", parts="", answered="responses"),
    Api.CREATE_PARTITIONS: Layout(parts="", answered="results"),
}

# Each topic's partitions are in the answer of these, though nobody asks for single ones.
_ANSWERS_PARTITIONS = frozenset({Api.METADATA, Api.DESCRIBE_TOPIC_PARTITIONS})

# Where requests name groups and transactions other than by a field of their own.
TRANSACTION_NAMES = {
    Api.ADD_PARTITIONS_TO_TXN: "transactions",
    Api.DESCRIBE_TRANSACTIONS: "transactional_ids",
    Api.FIND_COORDINATOR: "coordinator_keys",
}
GROUP_LISTS = {Api.DESCRIBE_GROUPS: "groups", Api.DELETE_GROUPS: "groups_names"}


def names(api: Api, matcher: str) -> bool:
    """Whether requests of this API have what a matcher asks for."""
    if not api.declared:
        return False
    layout, declared = LAYOUTS.get(api), api.request.declared
    if matcher == "topic":
        return layout is not None
    if matcher == "partition":
        return layout is not None and (bool(layout.parts) or api in _ANSWERS_PARTITIONS)
    if matcher == "group":
        return "group_id" in declared or api in GROUP_LISTS or api is Api.FIND_COORDINATOR
    if matcher == "transactional_id":
        return "transactional_id" in declared or api in TRANSACTION_NAMES
    if matcher == "member_id":
        return "member_id" in declared
    return True


def values_of(matcher: str, call: Call[Any], node: Node) -> list[object]:
    """What a call has for a matcher that is not about groups, topics or partitions."""
    if matcher == "broker":
        return [node.id]
    if matcher in ("client_id", "version"):
        return [getattr(call, matcher)]
    if matcher == "member_id":
        return list(member_ids(call))
    return list(transactional_ids(call))


def transactional_ids(call: Call[Any]) -> list[str | None]:
    """The transactions that a call is about."""
    body, api = call.body, call.api
    if api is Api.FIND_COORDINATOR:
        return list(_keys(call)) if body.key_type == TRANSACTION else []
    if api is Api.DESCRIBE_TRANSACTIONS:
        return list(body.transactional_ids)
    if api is not Api.ADD_PARTITIONS_TO_TXN:
        return [getattr(body, "transactional_id", None)]
    if call.version < ADDED_BY_BROKERS_SINCE:
        return [body.v3_and_below_transactional_id]
    return [transaction.transactional_id for transaction in body.transactions]


def member_ids(call: Call[Any]) -> list[str]:
    """The members that a call speaks for; a LeaveGroup may do so for several."""
    given = [getattr(call.body, "member_id", "")]
    if call.api is Api.LEAVE_GROUP and call.version >= 3:
        given = [member.member_id for member in call.body.members]
    return [id for id in given if id]


def unanswered(call: Call[Any]) -> bool:
    """Whether a client expects no answer to this: a produce with acks=0."""
    return call.api is Api.PRODUCE and call.body.acks == 0


def targets(call: Call[Any], node: Node) -> list[Target]:
    """Every group, topic and partition that a call names, in its order."""
    body, api = call.body, call.api
    if api is Api.OFFSET_FETCH:
        return list(_of_offset_fetch(call, node))
    if api is Api.FETCH:
        return [Target(None, topic, index) for topic, index in _of_fetch(call, node)]
    if api is Api.FIND_COORDINATOR:
        return [Target(key) for key in _keys(call)] if body.key_type == GROUP else []
    if api in GROUP_LISTS:
        return [Target(group) for group in getattr(body, GROUP_LISTS[api])]
    group = getattr(body, "group_id", None)
    if api not in LAYOUTS:
        return [Target(group)]
    found = [Target(group, topic, index) for topic, index in _of_topics(call, node)]
    return found or [Target(group)]


def _keys(call: Call[Any]) -> list[str]:
    return list(call.body.coordinator_keys) if call.version >= 4 else [call.body.key]


def _of_topics(call: Call[Any], node: Node) -> Iterator[tuple[str | None, int | None]]:
    layout = LAYOUTS[call.api]
    asked = topics_of(call)
    if asked is None:
        named: Iterable[str | None] = node.image.topics
    elif layout.parts:
        for topic in asked:
            for part in getattr(topic, layout.parts):
                yield (
                    topic_name(call.api, topic, node),
                    part if not layout.index else getattr(part, layout.index),
                )
        return
    else:
        named = [topic_name(call.api, topic, node) for topic in asked]
    for name in named:
        known = node.image.topics.get(name) if name is not None else None
        if known is None or call.api not in _ANSWERS_PARTITIONS:
            yield name, None
        else:
            yield from ((name, partition.index) for partition in known.partitions)


def topics_of(call: Call[Any]) -> list[Any] | None:
    """The topics that a request lists; None where it asks for all of them."""
    body = call.body
    if call.api is Api.DELETE_TOPICS and call.version < 6:
        return list(body.topic_names)
    if call.api is Api.ADD_PARTITIONS_TO_TXN:
        if call.version < ADDED_BY_BROKERS_SINCE:
            return list(body.v3_and_below_topics)
        return [topic for transaction in body.transactions for topic in transaction.topics]
    listed = getattr(body, LAYOUTS[call.api].topics)
    if listed is None or (call.api is Api.METADATA and call.version == 0 and not listed):
        return None
    return list(listed)


def topic_name(api: Api, topic: Any, node: Node) -> str | None:
    """A topic's name as the test knows it, whether it was asked for by name or by id."""
    if isinstance(topic, str):
        return topic
    layout = LAYOUTS[api]
    topic_id: bytes = getattr(topic, layout.id, ZERO_UUID) if layout.id else ZERO_UUID
    name: str | None = getattr(topic, layout.name, None)
    return node.image.topic_names.get(topic_id) if topic_id != ZERO_UUID else name


def _of_fetch(call: Call[Any], node: Node) -> Iterator[tuple[str | None, int]]:
    """A fetch is about all that its session has by the time it is answered."""
    body = call.body
    seen = set()
    forgotten = {
        (topic_name(call.api, topic, node), index)
        for topic in body.forgotten_topics_data
        for index in topic.partitions
    }
    for want in node.fetch_sessions.standing(body.session_id, body.session_epoch):
        place: tuple[str | None, int] = (want.topic or node.image.topic_names.get(want.topic_id), want.index)
        if place not in forgotten:
            seen.add(place)
            yield place
    for topic in body.topics:
        for part in topic.partitions:
            if (place := (topic_name(call.api, topic, node), part.partition)) not in seen:
                yield place


def _of_offset_fetch(call: Call[Any], node: Node) -> Iterator[Target]:
    if call.version >= 8:
        asked = [(group.group_id, group.topics) for group in call.body.groups]
    else:
        asked = [(call.body.group_id, call.body.topics)]
    for group_id, topics in asked:
        if topics is None:
            # All that the group has committed, wherever that is.
            yield from (
                Target(group_id, name, p.index) for name, t in node.image.topics.items() for p in t.partitions
            )
            continue
        for topic in topics:
            topic_id = getattr(topic, "topic_id", ZERO_UUID)
            name = node.image.topic_names.get(topic_id) if topic_id != ZERO_UUID else topic.name
            yield from (Target(group_id, name, index) for index in topic.partition_indexes)
        if not topics:
            yield Target(group_id)
