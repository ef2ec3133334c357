"""What of a log is too old or too much: the offset that it should begin at, and when a broker looks.

As Kafka does it, by whole segments from the oldest on, and never beyond the high watermark.
Compaction is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from mockbroker.core import settings

if TYPE_CHECKING:
    from mockbroker.core.clock import Timer
    from mockbroker.core.log import Log
    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica

NO_LIMIT = -1

# With nothing to delete by time there is no instant to wait for.
NEVER_MS = 2**62


@dataclass(slots=True)
class Stretch:
    """What is left of one segment."""

    newest_ms: int
    size: int
    end: int


def stretches(log: Log) -> Iterator[Stretch]:
    """The segments of a log that anything is in, the active one last."""
    for _, group in groupby(log.batches, lambda batch: log.segments.of(batch.base_offset)):
        batches = list(group)
        yield Stretch(
            newest_ms=max(batch.max_timestamp for batch in batches),
            size=sum(batch.size for batch in batches),
            end=batches[-1].last_offset + 1,
        )


def start_by_retention(replica: Replica, now_ms: int) -> int:
    """The offset that the log should begin at now; its present start when nothing has to go."""
    config, log = replica.config, replica.log
    start = log.start
    if not config.deleted:
        return start
    left = sum(batch.size for batch in log.batches)
    for segment in stretches(log):
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
    return min(segment.newest_ms for segment in stretches(replica.log)) + config.retention_ms


class RetentionChecks:
    """When a broker looks at its logs: log.retention.check.interval.ms apart, while anything can become too old."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._next: Timer | None = None

    def log_grew(self) -> None:
        """Look at the next check, unless one is planned."""
        if self._next is None:
            self._plan(0)

    def reconsider(self) -> None:
        """A limit or the broker's clock is another one: look at the next check, whatever was planned."""
        if self._next is not None:
            self._next.cancel()
        self._plan(0)

    def forget(self) -> None:
        """The broker has died, and its timers with it."""
        self._next = None

    def _plan(self, earliest_ms: int) -> None:
        """Look again at the first check that is not before `earliest_ms`."""
        interval_ms = self._node.config[settings.LOG_RETENTION_CHECK_INTERVAL_MS]
        wait_ms = max(earliest_ms - self._node.wall_ms, 1)
        self._next = self._node.call_in(-(-wait_ms // interval_ms) * interval_ms, self._look)

    def _look(self) -> None:
        self._next = None
        replicas = self._node.replicas.values()
        for replica in replicas:
            start = start_by_retention(replica, self._node.wall_ms)
            if start > replica.log.start:
                replica.advance_start(start)
        earliest_ms = min(map(next_look_ms, replicas), default=NEVER_MS)
        if earliest_ms < NEVER_MS:
            self._plan(earliest_ms)
