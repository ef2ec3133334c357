"""What a leader knows of its followers, and what follows from it.

The high watermark is the smallest end among those who must have a record; who must is the ISR, and the
ISR changes only with the controller's word.  Nothing here outlives the leadership.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.messages import (
    AlterPartition,
    AlterPartitionResponse,
    FollowerFetch,
    FollowerFetchResponse,
)

if TYPE_CHECKING:
    from mockbroker.core.clock import Timer
    from mockbroker.core.image import PartitionImage
    from mockbroker.core.replica import Replica
    from mockbroker.records.batch import Batch

# replica.fetch.response.max.bytes: what one answer to a follower carries at most.
FOLLOWER_FETCH_BYTES = 10 * 1024 * 1024

# After so long a leader asks the controller again, if it was not heard (as Kafka's AlterPartitionManager does).
ALTER_PARTITION_BACKOFF_MS = 50

UNKNOWN_END = -1


class Follower:
    """How far one follower is, as its fetches tell."""

    __slots__ = ("caught_up_ms", "end", "fetched_ms", "id", "leader_end_then", "log_start", "parked")

    def __init__(self, id: int, caught_up_ms: int) -> None:
        self.id = id
        self.end = UNKNOWN_END
        self.log_start = UNKNOWN_END
        self.caught_up_ms = caught_up_ms
        # Leader's end and time of its previous fetch: a follower that reaches that end was caught up then.
        self.leader_end_then = 0
        self.fetched_ms = 0
        # A fetch that found nothing new waits here.
        self.parked: FollowerFetch | None = None


class Leadership:
    """One term of leading one partition."""

    __slots__ = (
        "_closed", "_followers", "_lag_timer", "_partition_epoch", "_pending", "_replica", "epoch_start", "isr",
    )  # fmt: skip

    def __init__(self, replica: Replica, partition: PartitionImage) -> None:
        now_ms = replica.broker.clock.now
        self._replica = replica
        self.isr = partition.isr
        self._partition_epoch = partition.partition_epoch
        # Members asked for and not yet confirmed.  They already hold back the high watermark.
        self._pending: tuple[int, ...] | None = None
        self.epoch_start = replica.log.end
        self._followers = {
            id: Follower(id, now_ms if id in partition.isr else 0)
            for id in partition.replicas
            if id != replica.broker.id
        }
        self._lag_timer: Timer | None = None
        self._closed = False
        self._watch_lag()

    def close(self) -> None:
        """The term is over."""
        self._closed = True
        if self._lag_timer is not None:
            self._lag_timer.cancel()

    # -- what followers say -----------------------------------------------------------------------

    def receive(self, fetch: FollowerFetch) -> None:
        """Take note of how far a follower is, and give it what comes next, at once or when there is something."""
        replica, log = self._replica, self._replica.log
        follower = self._followers.get(fetch.source)
        if follower is None or fetch.leader_epoch < replica.leader_epoch:
            # It has yet to hear of a newer epoch; the metadata on its way will tell it.
            return
        if diverging := self._divergence(fetch):
            self._answer(fetch, diverging=diverging)
            return
        if not log.start <= fetch.offset <= log.end:
            self._answer(fetch, out_of_range=True)
            return
        self._note(follower, fetch.offset)
        self._maybe_expand(follower)
        self.count()
        if follower.log_start != fetch.log_start:
            follower.log_start = fetch.log_start
            replica.moved()
        follower.parked = fetch
        self._serve(follower)

    def _divergence(self, fetch: FollowerFetch) -> tuple[int, int] | None:
        if fetch.last_epoch < 0:
            return None
        epoch, end = self._replica.log.end_of_epoch(fetch.last_epoch)
        if epoch >= 0 and (epoch < fetch.last_epoch or end < fetch.offset):
            return epoch, end
        return None

    def _note(self, follower: Follower, offset: int) -> None:
        now_ms, leader_end = self._replica.broker.clock.now, self._replica.log.end
        if offset >= leader_end:
            follower.caught_up_ms = now_ms
        elif offset >= follower.leader_end_then and follower.fetched_ms:
            follower.caught_up_ms = max(follower.caught_up_ms, follower.fetched_ms)
        follower.end = offset
        follower.leader_end_then = leader_end
        follower.fetched_ms = now_ms

    def _serve(self, follower: Follower) -> None:
        """Answer a parked fetch if there is anything to say."""
        fetch, replica, log = follower.parked, self._replica, self._replica.log
        if fetch is None:
            return
        below = log.end - fetch.lag_records
        if fetch.offset < below:
            batches = log.read(fetch.offset, below, FOLLOWER_FETCH_BYTES, at_least_one=True)
            if fetch.lag_records:
                batches = [batch for batch in batches if batch.last_offset < below]
            if batches:
                follower.parked = None
                self._answer(fetch, batches=batches)
                return
        # A follower says which high watermark it has (Fetch v18), so that news of it needs no new records.  A new
        # leader's may be the lower one: then the follower goes back to it, as with its next poll in Kafka.
        start = max(min(log.start, fetch.offset), fetch.log_start)
        high_watermark = max(min(replica.high_watermark, fetch.offset), start)
        if (high_watermark, start) != (fetch.high_watermark, fetch.log_start):
            follower.parked = None
            self._answer(fetch)

    def _answer(
        self, fetch: FollowerFetch, *, batches: list[Batch] | None = None,
        diverging: tuple[int, int] | None = None, out_of_range: bool = False,
    ) -> None:  # fmt: skip
        replica = self._replica
        replica.broker.links.send(
            FollowerFetchResponse(
                fetch,
                high_watermark=replica.high_watermark,
                leader_range=(replica.log.start, replica.log.end),
                batches=batches or [],
                diverging=diverging,
                out_of_range=out_of_range,
            )
        )

    @property
    def low_watermark(self) -> int:
        """The lowest log start among the live replicas: below it every record is gone everywhere."""
        replica = self._replica
        alive = [f.log_start for f in self._followers.values() if replica.broker.sees_alive(f.id)]
        return min([replica.log.start, *alive])

    def in_sync_ends(self) -> list[tuple[int, int]]:
        """(broker, end of its log) for each follower in the ISR."""
        return [(f.id, f.end) for f in self._followers.values() if f.id in self.isr]

    # -- what the leader does ---------------------------------------------------------------------

    def appended(self, previous_end: int) -> None:
        """The log has grown from `previous_end`: feed those who wait for it, and look who is behind."""
        now_ms = self._replica.broker.clock.now
        for follower in self._followers.values():
            if follower.end == previous_end and follower.parked is not None:
                # It has been asking all the time, so it was caught up until this very moment.
                follower.caught_up_ms = now_ms
            self._serve(follower)
        self.count()
        if self._lag_timer is None:
            self._watch_lag()

    def tell_followers(self) -> None:
        """Something other than records changed: let every waiting follower know."""
        for follower in self._followers.values():
            self._serve(follower)

    def count(self) -> None:
        """Move the high watermark as far as everybody who must have the records has them."""
        replica = self._replica
        if len(self.isr) < replica.min_in_sync:
            # Since 3.7 nothing becomes visible while too few are in sync (KAFKA-15583).
            return
        reached = replica.log.end
        must = self.isr if self._pending is None else (*self.isr, *self._pending)
        for follower in self._followers.values():
            if follower.end < reached and (follower.id in must or self._about_to_join(follower)):
                reached = follower.end
        if reached > replica.high_watermark:
            replica.high_watermark = reached
            if replica.broker.witness is not None:
                replica.broker.witness.high_watermark_moved(replica)
            replica.moved()
            self.tell_followers()

    def _about_to_join(self, follower: Follower) -> bool:
        """One that keeps up but is not in the ISR yet is waited for, or it could never join."""
        if follower.end == UNKNOWN_END or not self._replica.broker.sees_alive(follower.id):
            return False
        return follower.end == self._replica.log.end or self._in_time(follower)

    def _in_time(self, follower: Follower) -> bool:
        broker = self._replica.broker
        return broker.clock.now - follower.caught_up_ms < broker.replica_lag_time_max_ms

    # -- who is in sync ---------------------------------------------------------------------------

    def _maybe_expand(self, follower: Follower) -> None:
        replica = self._replica
        if (
            self._pending is None
            and follower.id not in self.isr
            and follower.end >= max(replica.high_watermark, self.epoch_start)
            and replica.broker.sees_alive(follower.id)
        ):
            self._ask((*self.isr, follower.id))

    def _expand(self) -> None:
        for follower in self._followers.values():
            if follower.parked is not None:
                self._maybe_expand(follower)

    def _watch_lag(self) -> None:
        """Set the timer for the first follower that holds back others and will have been behind for too long."""
        end = self._replica.log.end
        broker = self._replica.broker
        behind = [
            f.caught_up_ms
            for f in self._followers.values()
            if f.end != end and (f.id in self.isr or self._about_to_join(f))
        ]
        if self._lag_timer is not None:
            self._lag_timer.cancel()
            self._lag_timer = None
        if behind and not self._closed:
            due_ms = min(behind) + broker.replica_lag_time_max_ms
            self._lag_timer = broker.call_in(max(due_ms - broker.clock.now, 1), self._look_for_laggards)

    def _look_for_laggards(self) -> None:
        if self._closed:
            return
        end = self._replica.log.end
        late = [
            f.id
            for f in self._followers.values()
            if f.id in self.isr and f.end != end and not self._in_time(f)
        ]
        if late and self._pending is None:
            self._ask(tuple(id for id in self.isr if id not in late))
        elif not late:
            self._watch_lag()
            # One who was about to join, and waited for, may have lost that privilege by now.
            self.count()

    def _ask(self, isr: tuple[int, ...]) -> None:
        replica = self._replica
        self._pending = isr
        replica.broker.links.send(
            AlterPartition(
                replica.broker.id,
                replica.topic,
                replica.index,
                replica.topic_id,
                leader_epoch=replica.leader_epoch,
                partition_epoch=self._partition_epoch,
                isr=isr,
            )
        )

    def lost(self, asked: AlterPartition) -> None:
        """What was asked, or the answer to it, did not arrive: ask again after a while."""

        def ask_again() -> None:
            if not self._closed and self._pending is asked.isr:
                self._ask(asked.isr)

        if self._pending is asked.isr:
            self._replica.broker.call_in(ALTER_PARTITION_BACKOFF_MS, ask_again)

    def receive_verdict(self, response: AlterPartitionResponse) -> None:
        """The controller has decided about the change asked for."""
        asked, replica = response.asked, self._replica
        if (asked.leader_epoch, asked.partition_epoch) != (replica.leader_epoch, self._partition_epoch):
            # Metadata was faster.  What is pending now is another change, whose members still count.
            return
        if response.partition is None:
            # Asking again at once would be refused again: what this leader does not know yet is on its way.
            self._pending = None
            self._watch_lag()
        else:
            replica.partition_epoch = response.partition.partition_epoch
            self.confirm(response.partition)

    def confirm(self, partition: PartitionImage) -> None:
        """The controller's word on who is in sync, in the epoch that this leader already leads."""
        self.isr = partition.isr
        self._partition_epoch = partition.partition_epoch
        self._pending = None
        self._watch_lag()
        self.count()
        # One change is asked for at a time, so another follower may have been ready and passed over.
        self._expand()
        self._replica.moved()

    def reconsider(self) -> None:
        """Brokers came or went, or the road to the controller is open again: ask anew, look anew."""
        if self._pending is not None:
            self._ask(self._pending)
        self._expand()
        self.count()
        # Whoever waits for all live replicas may wait for fewer now.
        self._replica.moved()
