"""How far groups have come: committed offsets as written, and as safe.

What is written counts for the coordinator at once; what readers are told has passed the high watermark.
Knows records and log positions; does not know states, members or clocks.  Offsets of open
transactions are kept beside these, by producer id, and move in here when their marker comes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core.groups.records import NO_EXPIRY, OffsetCommitted, OffsetRemoved
from mockbroker.protocol.types import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The retention time of a request that leaves it to the broker.
BROKERS_RETENTION = -1

Place = tuple[str, int]
OffsetRecord = OffsetCommitted | OffsetRemoved


@dataclass(frozen=True, slots=True)
class OffsetToCommit:
    """One partition of an OffsetCommit, its topic known to exist."""

    topic: str
    index: int
    offset: int
    leader_epoch: int = -1
    metadata: str | None = ""
    topic_id: bytes = ZERO_UUID

    @property
    def metadata_size(self) -> int:
        """The length that offset.metadata.max.bytes bounds: UTF-16 units, whatever its name says."""
        return len((self.metadata or "").encode("utf-16-le", "surrogatepass")) // 2

    def record(self, group_id: str, now_ms: int, retention_ms: int) -> OffsetCommitted:
        """What is to be written; a null metadata is stored as an empty one."""
        return OffsetCommitted(
            group_id=group_id,
            topic=self.topic,
            index=self.index,
            offset=self.offset,
            leader_epoch=self.leader_epoch,
            metadata=self.metadata or "",
            commit_timestamp_ms=now_ms,
            expire_timestamp_ms=NO_EXPIRY if retention_ms == BROKERS_RETENTION else now_ms + retention_ms,
            topic_id=self.topic_id,
        )


class OffsetBook:
    """The offsets of all groups of one shard."""

    __slots__ = ("_open", "_safe", "_unsafe", "_unstable", "_written")

    def __init__(self) -> None:
        self._written: dict[str, dict[Place, OffsetCommitted]] = {}
        self._safe: dict[str, dict[Place, OffsetCommitted]] = {}
        # Written and perhaps not yet replicated: (offset of the record, what it does to what readers see).
        self._unsafe: deque[tuple[int, Callable[[], list[OffsetRecord]]]] = deque()
        # Offsets of transactions that are open, by producer id.
        self._open: dict[int, list[OffsetCommitted]] = {}
        # The same as readers may know it: those of whose end they have not heard.
        self._unstable: dict[int, list[OffsetCommitted]] = {}

    def replay(self, record: OffsetRecord, log_offset: int) -> None:
        """Fold one record in.  Readers see it when `settle` passes its place in the log.

        What is removed does not come back with the end of a transaction that had moved it before.
        """
        _fold(self._written, record)
        if isinstance(record, OffsetRemoved):
            _withdraw(self._open, record)

        def tell_readers() -> list[OffsetRecord]:
            _fold(self._safe, record)
            if isinstance(record, OffsetRemoved):
                _withdraw(self._unstable, record)
            return [record]

        self._unsafe.append((log_offset, tell_readers))

    def replay_in_transaction(self, producer_id: int, record: OffsetCommitted, log_offset: int) -> None:
        """Fold in an offset that counts from when its producer's transaction is committed."""
        self._open.setdefault(producer_id, []).append(record)

        def tell_readers() -> list[OffsetRecord]:
            self._unstable.setdefault(producer_id, []).append(record)
            return []

        self._unsafe.append((log_offset, tell_readers))

    def replay_marker(self, producer_id: int, log_offset: int, *, commit: bool) -> list[OffsetCommitted]:
        """A producer's transaction has ended; gives the offsets that it had, whatever became of them."""
        ended = self._open.pop(producer_id, [])
        if commit:
            for record in ended:
                _fold(self._written, record)

        def tell_readers() -> list[OffsetRecord]:
            records = self._unstable.pop(producer_id, [])
            for record in records if commit else ():
                _fold(self._safe, record)
            return [*records] if commit else []

        if ended:
            self._unsafe.append((log_offset, tell_readers))
        return ended

    def settle(self, end_offset: int) -> list[OffsetRecord]:
        """Records below `end_offset` are replicated; gives what readers see of that."""
        moved: list[OffsetRecord] = []
        while self._unsafe and self._unsafe[0][0] < end_offset:
            moved += self._unsafe.popleft()[1]()
        return moved

    def written(self, group_id: str) -> Mapping[Place, OffsetCommitted]:
        """The group's offsets as the coordinator counts them."""
        return self._written.get(group_id, {})

    def safe(self, group_id: str) -> Mapping[Place, OffsetCommitted]:
        """The group's offsets as readers may know them."""
        return self._safe.get(group_id, {})

    def is_unstable(self, group_id: str, place: Place) -> bool:
        """Whether an open transaction may yet move this offset, as far as readers know."""
        return any(
            (record.group_id, record.topic, record.index) == (group_id, *place)
            for records in self._unstable.values()
            for record in records
        )

    def open_places(self, group_id: str) -> list[Place]:
        """The partitions whose offsets in this group an open transaction may yet move."""
        return [
            (record.topic, record.index)
            for records in self._open.values()
            for record in records
            if record.group_id == group_id
        ]

    def places(self, group_id: str) -> list[Place]:
        """The partitions in which the group has come anywhere, or may have with the end of a transaction."""
        return list(dict.fromkeys([*self.written(group_id), *self.open_places(group_id)]))

    def open_by(self, producer_id: int) -> list[OffsetCommitted]:
        """The offsets of a producer's open transaction."""
        return list(self._open.get(producer_id, ()))

    def holders_of(self, topic: str) -> Iterator[OffsetRemoved]:
        """The removals that would make every group forget this topic."""
        moving = [record.group_id for records in self._open.values() for record in records]
        for group_id in dict.fromkeys([*self._written, *moving]):
            for name, index in self.places(group_id):
                if name == topic:
                    yield OffsetRemoved(group_id, name, index)


def _fold(groups: dict[str, dict[Place, OffsetCommitted]], record: OffsetRecord) -> None:
    place = (record.topic, record.index)
    if isinstance(record, OffsetCommitted):
        groups.setdefault(record.group_id, {})[place] = record
        return
    offsets = groups.get(record.group_id, {})
    offsets.pop(place, None)
    if not offsets:
        groups.pop(record.group_id, None)


def _withdraw(moving: dict[int, list[OffsetCommitted]], removed: OffsetRemoved) -> None:
    """Let no transaction move this offset."""
    gone = (removed.group_id, removed.topic, removed.index)
    for producer_id, records in list(moving.items()):
        left = [record for record in records if (record.group_id, record.topic, record.index) != gone]
        if left:
            moving[producer_id] = left
        else:
            del moving[producer_id]


def is_expired(record: OffsetCommitted, counts_from_ms: int, now_ms: int, retention_ms: int) -> bool:
    """Whether an offset has outlived its retention; one that came with a time of its own goes by that."""
    if record.expire_timestamp_ms != NO_EXPIRY:
        return now_ms >= record.expire_timestamp_ms
    return now_ms - counts_from_ms >= retention_ms
