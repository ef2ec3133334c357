"""Where a log on disk would begin a new file: retention removes whole segments, and a fetch reads only one.

A log is one list of batches here, and these are marks in it.  Knows offsets, bytes and times, and no batches.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(slots=True)
class Segment:
    """One that begins at offset `base`, with `position` bytes of the log before it.

    `first_ms` is the time of its first batch, None before there is one; `begun_ms` is by the broker's clock.
    """

    base: int
    position: int
    begun_ms: int
    first_ms: int | None = None

    def age_ms(self, newest_ms: int, now_ms: int) -> int:
        """How much later a batch with this newest time is; records without times go by the clock."""
        if self.first_ms is None or self.first_ms < 0:
            return now_ms - self.begun_ms
        return newest_ms - self.first_ms


class Segments:
    """Those of one log, oldest first; none before anything was written."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: list[Segment] = []

    @property
    def active(self) -> Segment | None:
        """The one that is written to."""
        return self._begun[-1] if self._begun else None

    def begin(self, base: int, position: int, now_ms: int) -> None:
        """Let what is written from now on be in a new one."""
        self._begun.append(Segment(base, position, now_ms))

    def wrote(self, newest_ms: int) -> None:
        """A batch with this newest time was written."""
        if self._begun and self._begun[-1].first_ms is None:
            self._begun[-1].first_ms = newest_ms

    def of(self, offset: int) -> int:
        """Which one holds an offset, counted from the oldest: as good as its name."""
        return bisect_right(self._begun, offset, key=lambda segment: segment.base) - 1

    def next_base(self, offset: int) -> int | None:
        """Where the one behind that of an offset begins; None where there is none."""
        behind = self.of(offset) + 1
        return self._begun[behind].base if 0 < behind < len(self._begun) else None

    def truncate(self, end: int) -> None:
        """Nothing from offset `end` on exists any more; one that begins just there stays, and is empty."""
        del self._begun[bisect_right(self._begun, end, key=lambda segment: segment.base) :]
        if self._begun and self._begun[-1].base == end:
            self._begun[-1].first_ms = None

    def advance_start(self, start: int) -> None:
        """Forget those that end before `start`."""
        del self._begun[: max(0, self.of(start))]

    def clear(self) -> None:
        """Forget all."""
        self._begun.clear()
