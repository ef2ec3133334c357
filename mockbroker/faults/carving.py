"""Refusing a part of a request: what is left for the handler, and one answer out of two.

Three ways, by API.  Most requests are divided, and their answers put together in the request's order.  What
only reads, and answers more than it was asked by name (a fetch in a session, all topics, all offsets), is
answered in full, and the error is written over what it is about.  Everything else is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockbroker.core.image import NO_LEADER
from mockbroker.core.ticket import Disconnect
from mockbroker.faults.subjects import GROUP_LISTS, LAYOUTS, Target, targets, topic_name, topics_of
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import FetchedPartition, FetchedTopic
from mockbroker.protocol.schema import replace
from mockbroker.protocol.types import ZERO_UUID

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.outcomes import Part, Refusal
    from mockbroker.faults.matching import Seen
    from mockbroker.faults.rule import Rule
    from mockbroker.protocol.errors import KafkaError

# By partition, and by whole topics; the answers are lists of the same kind.
_DIVIDED = frozenset(
    {
        Api.PRODUCE,
        Api.LIST_OFFSETS,
        Api.OFFSET_COMMIT,
        Api.TXN_OFFSET_COMMIT,
        Api.OFFSET_FOR_LEADER_EPOCH,
        Api.DELETE_RECORDS,
    }
)
_DIVIDED_BY_TOPIC = frozenset({Api.METADATA, Api.CREATE_TOPICS, Api.DELETE_TOPICS, Api.CREATE_PARTITIONS})


# What Kafka answers to a fetch as a whole; every other error belongs to partitions.
_OF_WHOLE_FETCH = frozenset(
    {
        ErrorCode.UNKNOWN_SERVER_ERROR,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    }
)


def carve(call: Call[Any], node: Node, seen: Seen, rule: Rule) -> Part | None:
    """The part of a call that a rule is about; None where all of it is to be refused."""
    api, where = call.api, rule.where
    of_partitions = "topic" in where or "partition" in where
    if api is Api.FETCH and (of_partitions or rule.action.error not in _OF_WHOLE_FETCH):
        every = targets(call, node) if seen.chosen is None else seen.chosen
        return Overwritten(call, node, _write_fetch, _rest_of_fetch(call), dict.fromkeys(every))
    if seen.chosen is None:
        return None
    meant = dict.fromkeys(seen.chosen)
    if api is Api.OFFSET_FETCH and of_partitions:
        return Overwritten(call, node, _write_offset_fetch, call, meant)
    if api is Api.METADATA and ("partition" in where or topics_of(call) is None or call.version == 0):
        write = _write_metadata_partitions if "partition" in where else _write_metadata_topics
        return Overwritten(call, node, write, call, meant)
    if seen.whole and api is not Api.METADATA:
        return None
    if api in _DIVIDED:
        return _by_partition(call, node, meant)
    if api in _DIVIDED_BY_TOPIC:
        names = {target.topic for target in meant}
        return _by_key(call, _topic_keys(call), lambda topic: topic_name(api, topic, node) in names)
    keys = _KEYS.get(api)
    if keys is None or call.version < keys.since:
        return None
    groups = {target.group for target in meant}
    return _by_key(call, keys, lambda group: not groups.isdisjoint(keys.of(group)))


# -- divided by partition -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Divided:
    """A request in two: `rest` for the handler, `taken` refused."""

    call: Call[Any]
    rest: Call[Any]
    taken: Call[Any]
    merge: Callable[[Call[Any], Any, Any], Any]

    def finish(self, response: Any, error: KafkaError, refuse: Refusal) -> Any:  # noqa: ARG002 - it is in what `refuse` makes
        """Put both answers together."""
        if isinstance(response, Disconnect):
            return response
        if response is None:
            # Kafka has no other way to say that a produce with acks=0 failed, were it in one partition only.
            return Disconnect("acks=0, and a fault failed a part of it")
        return self.merge(self.call, response, refuse(self.taken))


def _by_partition(call: Call[Any], node: Node, meant: Iterable[Target]) -> Divided:
    layout = LAYOUTS[call.api]
    places = {(target.topic, target.partition) for target in meant}
    rest, taken = [], []
    for topic in getattr(call.body, layout.topics):
        name = topic_name(call.api, topic, node)
        parts = getattr(topic, layout.parts)
        mine = [part for part in parts if (name, getattr(part, layout.index)) in places]
        others = [part for part in parts if (name, getattr(part, layout.index)) not in places]
        if mine:
            taken.append(replace(topic, **{layout.parts: mine}))
        if others or not mine:
            rest.append(replace(topic, **{layout.parts: others}))
    return Divided(
        call,
        call.with_body(replace(call.body, **{layout.topics: rest})),
        call.with_body(replace(call.body, **{layout.topics: taken})),
        _merge_partitions,
    )


def _merge_partitions(call: Call[Any], response: Any, refusal: Any) -> Any:
    """Each topic that was asked for, with its partitions in the request's order; then what else there is."""
    layout = LAYOUTS[call.api]
    found: dict[tuple[str, bytes], dict[int, Any]] = {}
    shells: dict[tuple[str, bytes], Any] = {}
    for answer in (response, refusal):
        for topic in getattr(answer, layout.answered):
            key = _topic_key(call.api, topic)
            shells.setdefault(key, topic)
            entries = found.setdefault(key, {})
            entries.update(
                {getattr(p, layout.answered_index): p for p in getattr(topic, layout.answered_parts)}
            )
    merged: dict[tuple[str, bytes], dict[int, Any]] = {}
    for topic in getattr(call.body, layout.topics):
        key = _topic_key(call.api, topic)
        entries = merged.setdefault(key, {})
        for part in getattr(topic, layout.parts):
            index = getattr(part, layout.index)
            if (entry := found.get(key, {}).pop(index, None)) is not None:
                entries[index] = entry
    for key, entries in found.items():
        merged.setdefault(key, {}).update(entries)
    topics = [
        replace(shells[key], **{layout.answered_parts: list(entries.values())})
        for key, entries in merged.items()
        if key in shells
    ]
    return replace(response, **{layout.answered: topics})


def _topic_key(api: Api, topic: Any) -> tuple[str, bytes]:
    layout = LAYOUTS[api]
    return getattr(topic, layout.name) or "", getattr(topic, layout.id, ZERO_UUID) if layout.id else ZERO_UUID


# -- divided by group, topic or key ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keys:
    """A request that is a list of things with names, and an answer that is a list of the same.

    `names` are the fields that say which one it is.  An answer by id may have the name beside it that the
    question had not, so one of them is enough.
    """

    asked: str
    answered: str
    names: tuple[str, ...]
    since: int = 0

    def of(self, thing: Any) -> list[object]:
        """What it goes by."""
        if isinstance(thing, str):
            return [thing]
        return [
            value for name in self.names if (value := getattr(thing, name, None)) not in (None, "", ZERO_UUID)
        ]


_KEYS = {
    Api.FIND_COORDINATOR: Keys("coordinator_keys", "coordinators", ("key",), since=4),
    Api.DESCRIBE_GROUPS: Keys(GROUP_LISTS[Api.DESCRIBE_GROUPS], "groups", ("group_id",)),
    Api.DELETE_GROUPS: Keys(GROUP_LISTS[Api.DELETE_GROUPS], "results", ("group_id",)),
    Api.OFFSET_FETCH: Keys("groups", "groups", ("group_id",), since=8),
}


def _topic_keys(call: Call[Any]) -> Keys:
    layout = LAYOUTS[call.api]
    by_name = call.api is Api.DELETE_TOPICS and call.version < 6
    return Keys("topic_names" if by_name else layout.topics, layout.answered, ("name", "topic_id"))


def _by_key(call: Call[Any], keys: Keys, meant: Callable[[Any], bool]) -> Divided:
    asked = getattr(call.body, keys.asked)
    rest, taken = ([one for one in asked if meant(one) is mine] for mine in (False, True))
    order = {key: at for at, one in enumerate(asked) for key in keys.of(one)}

    def merge(_call: Call[Any], response: Any, refusal: Any) -> Any:
        merged: dict[int, Any] = {}
        for answer in (response, refusal):
            for one in getattr(answer, keys.answered):
                places = [order[key] for key in keys.of(one) if key in order]
                # What nobody asked for comes last, as it is.
                merged[min(places, default=len(order) + len(merged))] = one
        return replace(response, **{keys.answered: [merged[at] for at in sorted(merged)]})

    return Divided(
        call,
        call.with_body(replace(call.body, **{keys.asked: rest})),
        call.with_body(replace(call.body, **{keys.asked: taken})),
        merge,
    )


# -- written over ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A request that is answered in full, with an error written over a part of the answer."""

    call: Call[Any]
    node: Node
    write: Callable[[Overwritten, Any, ErrorCode], None]
    rest: Call[Any]
    meant: Mapping[Target, None]

    def finish(self, response: Any, error: KafkaError, refuse: Refusal) -> Any:  # noqa: ARG002 - it is not asked
        """Write over what the rule is about."""
        if not isinstance(response, Disconnect):
            self.write(self, response, error.code)
        return response

    def means(self, topic: str | None, index: int | None, group: str | None = None) -> bool:
        """Whether the rule is about this partition."""
        return Target(group, topic, index) in self.meant


def _rest_of_fetch(call: Call[Any]) -> Call[Any]:
    """The same fetch, that does not wait: an error is told at once."""
    return call.with_body(replace(call.body, max_wait_ms=0))


def _write_fetch(part: Overwritten, response: Any, code: ErrorCode) -> None:
    if response.error_code != ErrorCode.NONE:
        return  # the session is wrong, and nothing is said of partitions
    by_id, topics = part.call.version >= 13, part.node.image.topics
    places: dict[tuple[str | bytes, int], str] = {}
    for target in part.meant:
        name = target.topic or ""
        if name in topics and target.partition is not None:
            places[topics[name].id if by_id else name, target.partition] = name
    told: set[tuple[str | bytes, int]] = set()
    for topic in response.responses:
        key = topic.topic_id if by_id else topic.topic
        told.update((key, p.partition_index) for p in topic.partitions)
        topic.partitions = [
            _unread(p.partition_index, code) if (key, p.partition_index) in places else p
            for p in topic.partitions
        ]
    for (key, index), name in places.items():
        if (key, index) not in told:  # a session has had nothing new to say of it
            shell = FetchedTopic(topic=name, topic_id=topics[name].id)
            shell.partitions = [_unread(index, code)]
            response.responses.append(shell)
    part.node.fetch_sessions.told_otherwise(response.session_id, places)


def _unread(index: int, code: ErrorCode) -> FetchedPartition:
    return FetchedPartition(
        partition_index=index,
        error_code=code,
        high_watermark=-1,
        last_stable_offset=-1,
        log_start_offset=-1,
        aborted_transactions=None,
        records=b"",
    )


def _write_offset_fetch(part: Overwritten, response: Any, code: ErrorCode) -> None:
    names = part.node.image.topic_names
    old = part.call.version < 8
    for group in [response] if old else response.groups:
        group_id = part.call.body.group_id if old else group.group_id
        for topic in group.topics:
            name = topic.name or names.get(getattr(topic, "topic_id", ZERO_UUID))
            for answer in topic.partitions:
                if part.means(name, answer.partition_index, group_id):
                    answer.error_code = code
                    answer.committed_offset = answer.committed_leader_epoch = -1
                    answer.metadata = ""


def _write_metadata_topics(part: Overwritten, response: Any, code: ErrorCode) -> None:
    named = {target.topic for target in part.meant}
    for topic in response.topics:
        if topic.name in named:
            topic.error_code = code
            topic.partitions = []


def _write_metadata_partitions(part: Overwritten, response: Any, code: ErrorCode) -> None:
    for topic in response.topics:
        for answer in topic.partitions:
            if part.means(topic.name, answer.partition_index):
                answer.error_code = code
                answer.leader_id = NO_LEADER
