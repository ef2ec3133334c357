"""What of a log is too old or too much: the offset that it should begin at.

As Kafka does it, by whole segments from the oldest on, and never beyond the high watermark.  Segments exist
only here: a log is one list of batches, and where Kafka would have begun a new file follows from it.
Compaction is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica
    from mockbroker.core.topic_configs import TopicConfig
    from mockbroker.records.batch import Batch

NO_LIMIT = -1

# With nothing to delete by time there is no instant to wait for.
NEVER_MS = 2**62


@dataclass(slots=True)
class Segment:
    """Some batches that Kafka would keep in one file."""

    first_ms: int
    newest_ms: int
    size: int
    end: int


def segments(batches: list[Batch], config: TopicConfig) -> Iterator[Segment]:
    """The segments of a log, the active one last."""
    current: Segment | None = None
    for batch in batches:
        if current is not None and not _fits(current, batch, config):
            yield current
            current = None
        if current is None:
            current = Segment(batch.max_timestamp, batch.max_timestamp, batch.size, batch.last_offset + 1)
        else:
            current.newest_ms = max(current.newest_ms, batch.max_timestamp)
            current.size += batch.size
            current.end = batch.last_offset + 1
    if current is not None:
        yield current


def _fits(segment: Segment, batch: Batch, config: TopicConfig) -> bool:
    young = batch.max_timestamp - segment.first_ms <= config.segment_ms
    return young and segment.size + batch.size <= config.segment_bytes


def start_by_retention(replica: Replica, now_ms: int) -> int:
    """The offset that the log should begin at now; its present start when nothing has to go."""
    config, log = replica.config, replica.log
    start = log.start
    if not config.deleted:
        return start
    left = sum(batch.size for batch in log.batches)
    for segment in segments(log.batches, config):
        too_old = config.retention_ms != NO_LIMIT and segment.newest_ms < now_ms - config.retention_ms
        too_much = config.retention_bytes != NO_LIMIT and left - segment.size >= config.retention_bytes
        if not (too_old or too_much) or segment.end > replica.high_watermark:
            break
        start = segment.end
        left -= segment.size
    return start


def next_look_ms(replica: Replica) -> int:
    """The instant before which nothing of this log can become too old; 0 where size counts, too."""
    config = replica.config
    if not config.deleted or not replica.log.batches:
        return NEVER_MS
    if config.retention_bytes != NO_LIMIT:
        return 0
    if config.retention_ms == NO_LIMIT:
        return NEVER_MS
    return min(segment.newest_ms for segment in segments(replica.log.batches, config)) + config.retention_ms
