"""The user data of the sticky assignor: what a member had, and in which generation (KIP-54, KIP-341).

Written by every client that knows the assignor, and read by whichever leads.  Whatever a client sends, reading
it raises nothing but ValueError.
"""

# No `from __future__ import annotations`: declarations need their annotations at run time.
from collections.abc import Sequence
from typing import Annotated

from mockbroker.core.groups.consumer_protocol import TopicPartitions
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.schema import message
from mockbroker.protocol.types import Int32, since

_NO_API = -1


@message(api=_NO_API, versions="0-1", flexible=None)
class StickyData:
    """What a member had.  v1 up to which generation.  The bytes do not name their version."""

    previous_assignment: list[TopicPartitions] = []  # noqa: RUF012 - a declaration: every message gets its own
    generation: Annotated[Int32, since(1)] = -1


def write_sticky_data(places: Sequence[tuple[str, int]], generation: int) -> bytes:
    """The bytes for what a member had."""
    by_topic: dict[str, list[int]] = {}
    for topic, index in places:
        by_topic.setdefault(topic, []).append(index)
    parts = [TopicPartitions(topic=topic, partitions=indexes) for topic, indexes in by_topic.items()]
    data = StickyData(previous_assignment=parts, generation=generation)
    return b"".join(bytes(part) for part in encode(data, 1))


def read_sticky_data(data: bytes) -> tuple[list[tuple[str, int]], int]:
    """What a member says that it had, and in which generation; nothing at all from one that had nothing."""
    if not data:
        return [], -1
    try:
        read = decode(StickyData, 1, data)
    except MalformedMessage:
        read = decode(StickyData, 0, data)  # from before generations were told
    return [(part.topic, i) for part in read.previous_assignment for i in part.partitions], read.generation
