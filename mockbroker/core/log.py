"""A partition's log: immutable batches in offset order, and which leader epoch each stretch belongs to.

Knows offsets, epochs and bytes.  Does not know who leads, who reads, or what time it is.  Batches never
change, so the logs of several brokers hold the same objects.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from mockbroker.core.segments import Segments

if TYPE_CHECKING:
    from mockbroker.records.batch import Batch

UNDEFINED_EPOCH = -1
UNDEFINED_OFFSET = -1


class EpochTable:
    """Where each leader epoch began (KIP-101): the memory that decides who has diverged, and where."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[int, int]] = []

    @property
    def latest(self) -> int:
        """The newest epoch with an entry, or -1."""
        return self.entries[-1][0] if self.entries else UNDEFINED_EPOCH

    def begin(self, epoch: int, start: int) -> None:
        """`epoch` begins at offset `start`, unless it has begun before.

        Entries that this contradicts were never real.
        """
        if epoch == self.latest:
            # A leader that started again leads on in its epoch, which began where it began.
            return
        while self.entries and (self.entries[-1][0] >= epoch or self.entries[-1][1] >= start):
            self.entries.pop()
        self.entries.append((epoch, start))

    def end_of(self, epoch: int, log_end: int) -> tuple[int, int]:
        """The largest known epoch not above `epoch`, and the offset where it ended; (-1, -1) when unknown."""
        if epoch == UNDEFINED_EPOCH or not self.entries or epoch > self.latest:
            return UNDEFINED_EPOCH, UNDEFINED_OFFSET
        if epoch == self.latest:
            return epoch, log_end
        after = bisect_right(self.entries, epoch, key=lambda entry: entry[0])
        next_start = self.entries[after][1]
        return (self.entries[after - 1][0] if after else epoch), next_start

    def at(self, offset: int) -> int:
        """The epoch that the record at `offset` belongs to, or -1."""
        after = bisect_right(self.entries, offset, key=lambda entry: entry[1])
        return self.entries[after - 1][0] if after else UNDEFINED_EPOCH

    def truncate(self, end: int) -> None:
        """Forget epochs that began at or after `end`."""
        while self.entries and self.entries[-1][1] >= end:
            self.entries.pop()

    def truncate_above(self, epoch: int) -> None:
        """Forget epochs newer than `epoch`."""
        while self.entries and self.entries[-1][0] > epoch:
            self.entries.pop()

    def advance_start(self, start: int) -> None:
        """Forget epochs that ended before `start`; the one that holds it now begins there."""
        kept = bisect_right(self.entries, start, key=lambda entry: entry[1]) - 1
        if kept >= 0:
            self.entries[: kept + 1] = [(self.entries[kept][0], start)]


class Log:
    """The batches of one replica, from `start` up to but not including `end`."""

    __slots__ = ("_lasts", "_positions", "batches", "end", "epochs", "segments", "size", "start")

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.end = start
        self.batches: list[Batch] = []
        self.epochs = EpochTable()
        self.segments = Segments()
        # Running figures beside the batches: the last offset of each, and the bytes that lie before it.
        self._lasts: list[int] = []
        self._positions: list[int] = []
        # Bytes ever appended and not truncated; positions count from the first batch that ever was.
        self.size = 0

    def append(self, batch: Batch) -> None:
        """Add a batch that already bears its offset and leader epoch."""
        assert batch.base_offset >= self.end, (
            f"offset {batch.base_offset} is already taken: the log ends at {self.end}"
        )
        if batch.leader_epoch > self.epochs.latest:
            self.epochs.begin(batch.leader_epoch, batch.base_offset)
        self.batches.append(batch)
        self._lasts.append(batch.last_offset)
        self._positions.append(self.size)
        self.size += batch.size
        self.end = batch.last_offset + 1
        self.segments.wrote(batch.max_timestamp)

    def begin_segment(self, now_ms: int) -> None:
        """Let the next batch be the first of a new segment."""
        self.segments.begin(self.end, self.size, now_ms)

    def segment_end(self, offset: int) -> int:
        """The offset that ends the segment which holds `offset`."""
        following = self.segments.next_base(offset)
        return self.end if following is None else following

    def read(self, offset: int, below: int, max_bytes: int, *, at_least_one: bool) -> list[Batch]:
        """Whole batches from the one that holds `offset`, while they begin below `below` and fit `max_bytes`.

        With `at_least_one` the first batch is given whatever its size (KIP-74), so that a reader never
        starves behind a large one.
        """
        first = last = bisect_left(self._lasts, offset)
        budget = max_bytes
        batches = self.batches
        count = len(batches)
        while last < count and batches[last].base_offset < below:
            budget -= batches[last].size
            if budget < 0 and not (at_least_one and last == first):
                break
            last += 1
        return batches[first:last]

    def size_between(self, start: int, below: int) -> int:
        """Bytes of the batches that hold the offsets from `start` up to `below`."""
        return max(0, self._position(below) - self._position(start))

    def _position(self, offset: int) -> int:
        at = bisect_left(self._lasts, offset)
        return self._positions[at] if at < len(self._positions) else self.size

    def truncate(self, end: int) -> None:
        """Forget everything from offset `end` on, and of a batch that it falls into all."""
        if end >= self.end:
            return
        kept = bisect_left(self._lasts, end)
        if kept < len(self.batches):
            # Deletion lets an epoch seem to begin inside of a batch; so batches may part inside of one, too.
            end = min(end, self.batches[kept].base_offset)
            self.size = self._positions[kept]
            del self.batches[kept:], self._lasts[kept:], self._positions[kept:]
        self.end = end
        # Records that were deleted may turn out never to have been committed, if a leader was chosen uncleanly.
        self.start = min(self.start, end)
        self.epochs.truncate(end)
        self.segments.truncate(end)

    def advance_start(self, start: int) -> None:
        """Let the log begin at `start`; a batch that straddles it stays, as Kafka's does."""
        assert start <= self.end, f"cannot start at {start}: the log ends at {self.end}"
        if start <= self.start:
            return
        self.start = start
        gone = bisect_left(self._lasts, start)
        del self.batches[:gone], self._lasts[:gone], self._positions[:gone]
        self.epochs.advance_start(start)
        self.segments.advance_start(start)

    def restart_at(self, offset: int) -> None:
        """Begin anew, empty, at `offset`: what a follower does whose leader has nothing that old any more."""
        self.batches.clear()
        self._lasts.clear()
        self._positions.clear()
        self.epochs.entries.clear()
        self.segments.clear()
        self.size = 0
        self.start = self.end = offset

    def end_of_epoch(self, epoch: int) -> tuple[int, int]:
        """See `EpochTable.end_of`: (epoch, end offset), as OffsetForLeaderEpoch answers it."""
        return self.epochs.end_of(epoch, self.end)
