"""What belongs to a request until its answer has left: then it is known what its sender was told.

A fault may have the handler answer a part of a request; the entries belong to the whole.  Knows the bodies of the
few APIs that move records and offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect
from mockbroker.ledger.entries import Committed, Ended, Sent, Served
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from mockbroker.core.call import Call

# The first versions that have topic ids in the place of names.
_BY_ID = {Api.PRODUCE: 13, Api.OFFSET_COMMIT: 10, Api.TXN_OFFSET_COMMIT: 6}

LATEST = -1

NameOf = Callable[[bytes], str]
Codes = dict[tuple[str, int], int]


class Pending:
    """One request on its way, and the entries that it has made."""

    __slots__ = ("at_us", "broker", "call", "committed", "ended", "order", "sent", "served")

    def __init__(self, at_us: int, broker: int, call: Call[Any], order: int = 0) -> None:
        self.at_us = at_us
        self.broker = broker
        self.call = call
        # A request makes entries of one kind, and most make one.
        self.sent: Sequence[Sent] = ()
        self.served: Sequence[Served] = ()
        self.committed: Sequence[Committed] = ()
        self.ended: Sequence[Ended] = ()
        # Its number among what concerns transactions.
        self.order = order

    def unheard(self, why: str) -> None:
        """Nobody has heard the answer."""
        for entries in (self.sent, self.served, self.committed, self.ended):
            for entry in entries:
                entry.unheard(why)


def outcome(response: Any) -> tuple[Any, str]:
    """The message that was to be told, if there is one; and why it was not heard, if it was not."""
    if isinstance(response, Disconnect):
        return None, response.reason
    if isinstance(response, Altered):
        return response.response, "" if response.damage is None else response.ends or "the answer was damaged"
    return response, ""


def _named(call: Call[Any], topic: Any, name_of: NameOf) -> str:
    return name_of(topic.topic_id) if call.version >= _BY_ID[call.api] else topic.name


def produced(call: Call[Any], name_of: NameOf) -> Iterator[tuple[str, int, Any]]:
    """The batches that a Produce request has: topic, partition, records."""
    for topic in call.body.topic_data:
        name = _named(call, topic, name_of)
        for part in topic.partition_data:
            yield name, part.index, part.records


def produce_codes(call: Call[Any], response: Any, name_of: NameOf) -> Codes:
    """What each partition of a Produce request was told."""
    codes: Codes = {}
    for topic in response.responses:
        name = _named(call, topic, name_of)
        for part in topic.partition_responses:
            codes[name, part.index] = part.error_code
    return codes


def to_commit(call: Call[Any], name_of: NameOf) -> Iterator[tuple[str, int, int]]:
    """The offsets that a request wants to be kept: topic, partition, offset."""
    for topic in call.body.topics:
        name = _named(call, topic, name_of)
        for part in topic.partitions:
            yield name, part.partition_index, part.committed_offset


def commit_codes(call: Call[Any], response: Any, name_of: NameOf) -> Codes:
    """What each partition of such a request was told."""
    codes: Codes = {}
    for topic in response.topics:
        name = _named(call, topic, name_of)
        for part in topic.partitions:
            codes[name, part.partition_index] = part.error_code
    return codes


def listed(call: Call[Any], response: Any) -> Iterator[tuple[str, int, int, int]]:
    """What ListOffsets told: topic, partition, the timestamp that was asked for, and the offset."""
    asked = {
        (topic.name, part.partition_index): part.timestamp
        for topic in call.body.topics
        for part in topic.partitions
    }
    for topic in response.topics:
        for part in topic.partitions:
            if part.error_code == ErrorCode.NONE:
                offset = part.offset if call.version else next(iter(part.old_style_offsets), -1)
                yield (
                    topic.name,
                    part.partition_index,
                    asked.get((topic.name, part.partition_index), 0),
                    offset,
                )
