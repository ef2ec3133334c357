"""Records as a test sees them, and how much of a log each isolation level shows.

Reads a replica's batches and keeps nothing; decompresses what it must.  Does not know which replica leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mockbroker.core.usage import UsageError
from mockbroker.ledger.contents import is_aborted
from mockbroker.records.batch import Batch, iter_records
from mockbroker.records.builder import ControlType, read_marker

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica

ISOLATIONS = ("committed", "uncommitted", "all")

_KINDS = {ControlType.COMMIT: "commit", ControlType.ABORT: "abort"}


class TopicPartition(NamedTuple):
    """One partition by name and number."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a log.

    `kind` is "data", or "commit" or "abort" for the markers that end transactions (`isolation="all"` shows
    them).  `timestamp` is in milliseconds; `producer_id` is -1 for producers that are not idempotent.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int
    offset: int
    partition: int
    kind: str
    producer_id: int


def to_bytes(text: str | bytes | None) -> bytes | None:
    """Keys and values may be given as text, which is UTF-8."""
    return text.encode() if isinstance(text, str) else text


def records_of(replica: Replica, isolation: str) -> list[Record]:
    """What is in a replica's log: for committed readers, for all readers, or everything there is."""
    if isolation not in ISOLATIONS:
        raise UsageError(f"isolation={isolation!r}: expected one of {', '.join(map(repr, ISOLATIONS))}")
    end = {
        "all": replica.log.end,
        "uncommitted": replica.high_watermark,
        "committed": replica.last_stable_offset,
    }[isolation]
    found: list[Record] = []
    for batch in replica.log.batches:
        if batch.base_offset >= end:
            break
        if batch.is_control and isolation != "all":
            continue
        if isolation == "committed" and is_aborted(replica, batch):
            continue
        found += [one for one in records_in(batch, replica.index) if one.offset >= replica.log.start]
    return found


def records_in(batch: Batch, partition: int) -> list[Record]:
    """The records of one batch of a partition."""
    kind = "data"
    if batch.is_control:
        marker = read_marker(batch)
        kind = _KINDS[marker.type] if marker is not None else "control"
    return [
        Record(
            key=None if record.key is None else bytes(record.key),
            value=None if record.value is None else bytes(record.value),
            headers=tuple((name, None if value is None else bytes(value)) for name, value in record.headers),
            timestamp=record.timestamp,
            offset=record.offset,
            partition=partition,
            kind=kind,
            producer_id=batch.producer_id,
        )
        for record in iter_records(batch)
    ]
