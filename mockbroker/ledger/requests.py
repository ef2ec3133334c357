"""What belongs to a request until its answer has left: then it is known what its sender was told.

A request is known by its connection and correlation id, because a fault may have the handler answer another call
in its place.  Knows the bodies of the few APIs that move records and offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect
from mockbroker.ledger.facts import Commit, Sending, Served
from mockbroker.protocol.apis import Api

if TYPE_CHECKING:
    from mockbroker.core.call import Call

# Those that are followed from their arrival on: what they want is known before anything has come of it.
FOLLOWED = frozenset({Api.PRODUCE, Api.OFFSET_COMMIT, Api.TXN_OFFSET_COMMIT})

PRODUCE_BY_ID, COMMIT_BY_ID, TXN_COMMIT_BY_ID = 13, 10, 6

NameOf = Callable[[bytes], str]


class Pending:
    """One request on its way, and the facts that it has made."""

    __slots__ = ("at_us", "broker", "call", "commits", "number", "sendings", "served")

    def __init__(self, number: int, at_us: int, broker: int, call: Call[Any]) -> None:
        self.number = number
        self.at_us = at_us
        self.broker = broker
        self.call = call
        self.sendings: list[Sending] = []
        self.served: list[Served] = []
        self.commits: list[Commit] = []

    def unheard(self, why: str) -> None:
        """Nobody has heard the answer."""
        for fact in (*self.sendings, *self.served, *self.commits):
            fact.unheard = fact.unheard or why


def outcome(response: Any) -> tuple[Any, str]:
    """The message that was to be told, if there is one; and why it was not heard, if it was not."""
    if isinstance(response, Disconnect):
        return None, response.reason
    if isinstance(response, Altered):
        return response.response, "" if response.damage is None else "the answer was damaged on its way"
    return response, ""


def produced(call: Call[Any], name_of: NameOf) -> Iterator[tuple[str, int, Any]]:
    """The batches that a Produce request has: topic, partition, records."""
    for topic in call.body.topic_data:
        name = name_of(topic.topic_id) if call.version >= PRODUCE_BY_ID else topic.name
        for part in topic.partition_data:
            yield name, part.index, part.records


def produce_codes(call: Call[Any], response: Any, name_of: NameOf) -> dict[tuple[str, int], int]:
    """What each partition of a Produce request was told."""
    codes: dict[tuple[str, int], int] = {}
    for topic in response.responses:
        name = name_of(topic.topic_id) if call.version >= PRODUCE_BY_ID else topic.name
        for part in topic.partition_responses:
            codes[name, part.index] = part.error_code
    return codes


def to_commit(call: Call[Any], name_of: NameOf) -> Iterator[tuple[str, int, int]]:
    """The offsets that a request wants to be kept: topic, partition, offset."""
    by_id = TXN_COMMIT_BY_ID if call.api is Api.TXN_OFFSET_COMMIT else COMMIT_BY_ID
    for topic in call.body.topics:
        name = name_of(topic.topic_id) if call.version >= by_id else topic.name
        for part in topic.partitions:
            yield name, part.partition_index, part.committed_offset


def commit_codes(call: Call[Any], response: Any, name_of: NameOf) -> dict[tuple[str, int], int]:
    """What each partition of such a request was told."""
    by_id = TXN_COMMIT_BY_ID if call.api is Api.TXN_OFFSET_COMMIT else COMMIT_BY_ID
    codes: dict[tuple[str, int], int] = {}
    for topic in response.topics:
        name = name_of(topic.topic_id) if call.version >= by_id else topic.name
        for part in topic.partitions:
            codes[name, part.partition_index] = part.error_code
    return codes


def listed(call: Call[Any], response: Any) -> Iterator[tuple[str, int, int, int]]:
    """What ListOffsets told: topic, partition, the timestamp asked for, the offset."""
    asked = {
        (topic.name, part.partition_index): part.timestamp
        for topic in call.body.topics
        for part in topic.partitions
    }
    for topic in response.topics:
        for part in topic.partitions:
            if not part.error_code:
                offset = part.offset if call.version else next(iter(part.old_style_offsets), -1)
                yield (
                    topic.name,
                    part.partition_index,
                    asked.get((topic.name, part.partition_index), 0),
                    offset,
                )


def kept(call: Call[Any], response: Any, name_of: NameOf) -> Iterator[tuple[str, str, int, int]]:
    """What OffsetFetch told: group, topic, partition, and the offset or -1."""
    groups = [(call.body.group_id, response.topics)] if call.version < 8 else [
        (group.group_id, group.topics) for group in response.groups
    ]  # fmt: skip
    for group_id, topics in groups:
        for topic in topics:
            name = name_of(topic.topic_id) if call.version >= COMMIT_BY_ID else topic.name
            for part in topic.partitions:
                if not part.error_code:
                    yield group_id, name, part.partition_index, part.committed_offset
