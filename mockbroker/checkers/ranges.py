"""Ranges of offsets, put together: which records were served, whatever the pieces.

Knows numbers only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockbroker.ledger.entries import Place, Served


class Ranges:
    """Offsets of one partition, as disjoint ranges in order."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, pieces: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(pieces):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def covers(self, start: int, end: int) -> bool:
        """Whether every offset from `start` up to `end` is in it."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and end <= self._ends[at]


NOTHING = Ranges(())


def served_ranges(served: Iterable[Served]) -> dict[Place, Ranges]:
    """What was served of each partition."""
    pieces: dict[Place, list[tuple[int, int]]] = defaultdict(list)
    for one in served:
        pieces[one.place].append((one.start, one.end))
    return {place: Ranges(found) for place, found in pieces.items()}
