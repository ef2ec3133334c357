"""How far groups have come: committed offsets as written, and as safe.

What is written counts for the coordinator at once; what readers are told has passed the high watermark.
Knows records and log positions; does not know states, members or clocks.  Offsets of open
transactions will be kept beside these, by producer id, and move in here when their marker comes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core.groups.records import NO_EXPIRY, OffsetCommitted, OffsetRemoved
from mockbroker.protocol.types import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The retention time of a request that leaves it to the broker.
BROKERS_RETENTION = -1

Place = tuple[str, int]


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

    __slots__ = ("_safe", "_unsafe", "_written")

    def __init__(self) -> None:
        self._written: dict[str, dict[Place, OffsetCommitted]] = {}
        self._safe: dict[str, dict[Place, OffsetCommitted]] = {}
        # Written and perhaps not yet replicated: (offset of the record, record).
        self._unsafe: deque[tuple[int, OffsetCommitted | OffsetRemoved]] = deque()

    def replay(self, record: OffsetCommitted | OffsetRemoved, log_offset: int) -> None:
        """Fold one record in.  Readers see it when `settle` passes its place in the log."""
        _fold(self._written, record)
        self._unsafe.append((log_offset, record))

    def settle(self, end_offset: int) -> bool:
        """Records below `end_offset` are replicated; True when readers see something new."""
        moved = False
        while self._unsafe and self._unsafe[0][0] < end_offset:
            _fold(self._safe, self._unsafe.popleft()[1])
            moved = True
        return moved

    def written(self, group_id: str) -> Mapping[Place, OffsetCommitted]:
        """The group's offsets as the coordinator counts them."""
        return self._written.get(group_id, {})

    def safe(self, group_id: str) -> Mapping[Place, OffsetCommitted]:
        """The group's offsets as readers may know them."""
        return self._safe.get(group_id, {})

    def holders_of(self, topic: str) -> Iterator[OffsetRemoved]:
        """The removals that would make every group forget this topic."""
        for group_id, offsets in self._written.items():
            for name, index in offsets:
                if name == topic:
                    yield OffsetRemoved(group_id, name, index)


def _fold(groups: dict[str, dict[Place, OffsetCommitted]], record: OffsetCommitted | OffsetRemoved) -> None:
    place = (record.topic, record.index)
    if isinstance(record, OffsetCommitted):
        groups.setdefault(record.group_id, {})[place] = record
        return
    offsets = groups.get(record.group_id, {})
    offsets.pop(place, None)
    if not offsets:
        groups.pop(record.group_id, None)


def is_expired(record: OffsetCommitted, counts_from_ms: int, now_ms: int, retention_ms: int) -> bool:
    """Whether an offset has outlived its retention; one that came with a time of its own goes by that."""
    if record.expire_timestamp_ms != NO_EXPIRY:
        return now_ms >= record.expire_timestamp_ms
    return now_ms - counts_from_ms >= retention_ms
