"""Partitions in messages, and lists of things in the words of a row.

Every API nests partitions in topics, and each calls them a little differently; here they are all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from mockbroker.timeline.reading import Names, clean, error_name

# So many things are named in a row; of more, how many more there are.
NAMED_MAX = 3

_TOPICS = ("topics", "topic_data", "responses", "topic_partitions", "replica_election_results")
_PARTITIONS = (
    "partitions",
    "partition_data",
    "partition_responses",
    "partition_indexes",
    "partition_result",
)
_INDEX = ("index", "partition_index", "partition", "partition_id")


class Place(NamedTuple):
    """One partition in a message, and what the message says of it: a part of it, or nothing but the number."""

    topic: str
    partition: int
    part: Any

    @property
    def key(self) -> tuple[str, int]:
        """Topic and number."""
        return self.topic, self.partition

    def __str__(self) -> str:
        return f"{clean(self.topic)}-{self.partition}"


def places(message: Any, names: Names) -> Iterator[Place]:
    """The partitions of a message, or of a part of one that has topics."""
    for field in _TOPICS:
        for topic in getattr(message, field, None) or ():
            yield from _of_topic(topic, names)


def _of_topic(topic: Any, names: Names) -> Iterator[Place]:
    for field in _PARTITIONS:
        for part in getattr(topic, field, None) or ():
            if isinstance(part, int):
                index = part
            else:
                index = next((getattr(part, name) for name in _INDEX if hasattr(part, name)), -1)
            yield Place(names.of(topic) or "?", index, part)


def listed(items: Iterable[str], separator: str = ", ") -> str:
    """The first few, and how many more there are."""
    every = list(items)
    more = len(every) - NAMED_MAX
    return separator.join(every[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """A number and its noun: "1 record", "3 records"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def answers(message: Any, names: Names, tell: Callable[[Place], str]) -> str:
    """What each partition was told: errors by name, and what `tell` says of the others.

    Named only where there are several, for the question has named the one.
    """
    found = list(places(message, names))
    told = [
        error_name(place.part.error_code) if getattr(place.part, "error_code", 0) else tell(place)
        for place in found
    ]
    if len(found) == 1:
        return told[0]
    if len(set(told)) == 1:
        return told[0]
    return listed(f"{place} {text}" for place, text in zip(found, told, strict=True))
