"""One broker's copy of one partition: its log, its high watermark, and the role it plays.

A replica leads, follows or rests.  It appends what it is given and tells its watchers when readers may see
more.  How a leader counts its followers is in `leadership`, how a follower keeps up in `following`.  It
does not know requests, sessions or groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mockbroker.core.following import Following
from mockbroker.core.leadership import Leadership
from mockbroker.core.log import Log
from mockbroker.core.producers import Producers

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.clock import Clock, Timer
    from mockbroker.core.image import PartitionImage
    from mockbroker.core.links import Links
    from mockbroker.core.producers import Verification
    from mockbroker.core.topic_configs import TopicConfig
    from mockbroker.core.witness import Witness
    from mockbroker.records.batch import Batch

READ_UNCOMMITTED = 0
READ_COMMITTED = 1


class Watcher(Protocol):
    """Someone who waits for a replica to move."""

    def progress(self, replica: Replica) -> None:
        """The high watermark, the last stable offset, the log start or the role changed."""


class Surroundings(Protocol):
    """What a replica needs of the broker that it lives on."""

    id: int
    clock: Clock
    links: Links

    def call_in(self, delay_ms: int, action: Callable[[], None]) -> Timer:
        """A timer that dies with this incarnation of the broker."""

    def log_grew(self) -> None:
        """Some log of this broker has more records: there may be something to delete, one day."""

    def sees_alive(self, broker: int) -> bool:
        """Whether the metadata that this broker holds shows `broker` alive."""

    @property
    def witness(self) -> Witness | None:
        """Someone who sees what becomes of records, if anybody does."""

    @property
    def replica_lag_time_max_ms(self) -> int:
        """How long a follower may be behind and still count as in sync."""

    @property
    def producer_id_expiration_ms(self) -> int:
        """How long an idle producer is remembered."""

    @property
    def verifies_transactions(self) -> bool:
        """Whether a transaction begins only where its coordinator has said so."""


@dataclass(slots=True)
class Appended:
    """Where a batch is in the log; `duplicate` when it had been there before it was sent again."""

    base_offset: int
    last_offset: int
    log_append_time: int = -1
    duplicate: bool = False


class Replica:
    """A partition's copy on one broker."""

    __slots__ = (
        "_watchers", "broker", "config", "following", "frozen", "high_watermark", "index", "lag_records",
        "leader", "leader_epoch", "leadership", "log", "partition_epoch", "producers", "replicas", "topic", "topic_id",
    )  # fmt: skip

    def __init__(
        self, broker: Surroundings, topic: str, index: int, topic_id: bytes, config: TopicConfig
    ) -> None:
        self.broker = broker
        self.topic = topic
        self.index = index
        self.topic_id = topic_id
        self.config = config
        self.log = Log()
        self.producers = Producers()
        self.high_watermark = 0
        self.leader = -1
        self.leader_epoch = -1
        self.partition_epoch = -1
        self.replicas: tuple[int, ...] = ()
        self.leadership: Leadership | None = None
        self.following: Following | None = None
        # A test may stop this copy from copying, or keep it some records behind.
        self.frozen = False
        self.lag_records = 0
        self._watchers: list[Watcher] = []

    # -- roles ------------------------------------------------------------------------------------

    @property
    def leading(self) -> bool:
        """Whether this copy is the leader, as far as its broker knows."""
        return self.leadership is not None

    @property
    def isr(self) -> tuple[int, ...]:
        """The in-sync replicas that this leader counts on; empty on others."""
        return self.leadership.isr if self.leadership is not None else ()

    def take_role(self, partition: PartitionImage) -> None:
        """Do as the metadata says: lead, follow or rest.  Metadata older than what is known changes nothing."""
        if partition.partition_epoch <= self.partition_epoch:
            return
        new_epoch = partition.leader_epoch > self.leader_epoch
        self.replicas = partition.replicas
        self.leader = partition.leader
        self.leader_epoch = partition.leader_epoch
        self.partition_epoch = partition.partition_epoch
        if partition.leader == self.broker.id:
            if new_epoch or self.leadership is None:
                self._lead(partition)
            else:
                self.leadership.confirm(partition)
        elif new_epoch or self.leadership is not None:
            self._follow(partition)

    def _lead(self, partition: PartitionImage) -> None:
        self.following = None
        if self.leadership is not None:
            self.leadership.close()
        # The epoch is in the table before any append: who asks is told where the old epoch ended.
        self.log.epochs.begin(partition.leader_epoch, self.log.end)
        self.leadership = Leadership(self, partition)
        if (witness := self.broker.witness) is not None:
            witness.leads(self)
        self.leadership.count()
        self.moved()

    def _follow(self, partition: PartitionImage) -> None:
        if self.leadership is not None:
            self.leadership.close()
            self.leadership = None
        self.following = None
        if partition.leader >= 0:
            self.following = Following(self, partition.leader)
            self.following.fetch()
        self.moved()

    def rest(self) -> None:
        """Play no role: the broker stopped, or the partition is not its own any more."""
        if self.leadership is not None:
            self.leadership.close()
        self.leadership = self.following = None
        self.leader_epoch = self.partition_epoch = -1
        self.moved()

    def recover(self) -> None:
        """Begin again from what is in the log, as a broker does that starts: nothing else survived."""
        self._watchers.clear()
        self.leadership = self.following = None
        self.leader_epoch = self.partition_epoch = -1
        self._rebuild_producers()

    # -- the log ----------------------------------------------------------------------------------

    def append_from_client(self, batch: Batch, verified: Verification | None) -> Appended:
        """Add a batch of a client's, unless it is there already.

        `verified`: by which verification it may begin a transaction.  Raises KafkaError when its producer's
        sequence, epoch or transaction is not right.
        """
        if batch.producer_id < 0:
            return self.append(batch)
        expiration_ms = self.broker.producer_id_expiration_ms
        earlier = self.producers.find_duplicate(batch, self.broker.clock.now, expiration_ms)
        if earlier is not None:
            place = Appended(earlier.base_offset, earlier.last_offset, earlier.timestamp, duplicate=True)
            if self.broker.witness is not None:
                self.broker.witness.appended(self, batch, place)
            return place
        if batch.is_transactional and self.broker.verifies_transactions:
            self.producers.check_verified(batch.producer_id, batch.producer_epoch, verified)
        self.producers.check(batch)
        return self.append(batch)

    def append(self, batch: Batch) -> Appended:
        """Add a batch as the leader."""
        assert self.leadership is not None, f"{self!r} does not lead"
        now_ms = self.broker.clock.now
        placed = batch.place(self.log.end, self.leader_epoch)
        previous_end = self.log.end
        self._add(placed, now_ms)
        self.producers.note(placed, now_ms)
        append_time = placed.max_timestamp if placed.log_append_time else -1
        place = Appended(placed.base_offset, placed.last_offset, append_time)
        if self.broker.witness is not None:
            self.broker.witness.appended(self, placed, place)
        self.leadership.appended(previous_end)
        self.broker.log_grew()
        return place

    def copy(self, batches: list[Batch]) -> None:
        """Add what the leader sent, as a follower."""
        now_ms = self.broker.clock.now
        for batch in batches:
            self._add(batch, now_ms)
            self.producers.note(batch, now_ms)
        if batches and self.broker.witness is not None:
            self.broker.witness.copied(self, batches)
        self.broker.log_grew()

    def _add(self, batch: Batch, now_ms: int) -> None:
        """Put a batch into the log, behind a new segment where the active one has no room for it."""
        active = self.log.segments.active
        if active is None:
            self.log.begin_segment(now_ms)
        elif (size := self.log.size - active.position) > 0:
            too_large = size + batch.size > self.config.segment_bytes
            if too_large or active.age_ms(batch.max_timestamp, now_ms) > self.config.segment_ms:
                self.log.begin_segment(now_ms)
        self.log.append(batch)

    def truncate(self, end: int) -> None:
        """Forget everything from `end` on: the leader's history is another."""
        if end >= self.log.end:
            return
        self.log.truncate(end)
        self.high_watermark = min(self.high_watermark, self.log.end)
        self._rebuild_producers()
        if self.broker.witness is not None:
            self.broker.witness.truncated(self)

    def restart_at(self, offset: int) -> None:
        """Begin anew at the leader's log start."""
        self.log.restart_at(offset)
        self.high_watermark = offset
        self._rebuild_producers()

    def advance_start(self, start: int) -> None:
        """Let readers begin at `start`: records were deleted, or are old enough to go."""
        self.log.advance_start(start)
        self.high_watermark = max(self.high_watermark, start)
        if self.leadership is not None:
            self.leadership.tell_followers()
        self.moved()

    def _rebuild_producers(self) -> None:
        self.producers = Producers()
        for batch in self.log.batches:
            self.producers.note(batch, self.broker.clock.now)

    # -- what readers may see ---------------------------------------------------------------------

    @property
    def last_stable_offset(self) -> int:
        """Up to here every transaction is decided, and the decision is committed."""
        unstable = self.producers.first_unstable(self.high_watermark)
        if unstable is None:
            return self.high_watermark
        return min(self.high_watermark, max(unstable, self.log.start))

    def visible_end(self, isolation: int) -> int:
        """The offset below which a consumer of this isolation level may read."""
        return self.last_stable_offset if isolation == READ_COMMITTED else self.high_watermark

    @property
    def min_in_sync(self) -> int:
        """How many replicas acks=all needs: never more than there are."""
        return min(self.config.min_insync_replicas, len(self.replicas))

    def enough_in_sync(self) -> bool:
        """Whether acks=all may append now."""
        return len(self.isr) >= self.min_in_sync

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` whenever this replica moves."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell it no more."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def moved(self) -> None:
        """Tell those who wait."""
        if self._watchers:
            for watcher in list(self._watchers):
                watcher.progress(self)

    def __repr__(self) -> str:
        role = "leader" if self.leading else "follower"
        return f"<{self.topic}-{self.index} on broker {self.broker.id}, {role} in epoch {self.leader_epoch}>"
