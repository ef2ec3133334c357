"""How a follower keeps up with its leader: fetch, append, truncate where histories differ (KIP-101, KIP-279).

One fetch is on its way at any time, unless a test has frozen the copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.messages import FollowerFetch, FollowerFetchResponse

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica


# replica.fetch.backoff.ms: how long a follower waits after a fetch that came to nothing.
FETCH_BACKOFF_MS = 1_000


class Following:
    """One term of following one leader."""

    __slots__ = ("_asked", "_leader", "_replica")

    def __init__(self, replica: Replica, leader: int) -> None:
        self._replica = replica
        self._leader = leader
        # The fetch that is on its way.  It may get lost, and then a later one takes its place.
        self._asked: FollowerFetch | None = None

    def fetch(self) -> None:
        """Ask the leader for what comes after the end of the own log."""
        replica = self._replica
        if replica.frozen:
            return
        self._asked = FollowerFetch(
            replica.broker.id, self._leader, replica.topic, replica.index, replica.topic_id,
            offset=replica.log.end, leader_epoch=replica.leader_epoch, last_epoch=replica.log.epochs.latest,
            high_watermark=replica.high_watermark, log_start=replica.log.start, lag_records=replica.lag_records,
        )  # fmt: skip
        replica.broker.links.send(self._asked)

    def receive(self, response: FollowerFetchResponse) -> None:
        """Take what the leader sent.

        Not what it sent to an earlier term, or to a fetch that was repeated: what that says of this log is
        no longer so, and cutting the log back by it could lose records that the leader counts on.
        """
        if response.asked is not self._asked or self._replica.frozen:
            return
        if response.diverging is not None:
            self._truncate(*response.diverging)
        elif response.out_of_range:
            self._fit(*response.leader_range)
        else:
            self._append(response)
        self.fetch()

    def lost(self, asked: FollowerFetch) -> None:
        """A fetch, or what the leader sent for it, did not arrive: fetch again after a while."""
        if asked is self._asked:
            self._replica.broker.call_in(FETCH_BACKOFF_MS, lambda: self._fetch_again(asked))

    def _fetch_again(self, asked: FollowerFetch) -> None:
        if asked is self._asked and self._replica.following is self:
            self.fetch()

    def _append(self, response: FollowerFetchResponse) -> None:
        replica = self._replica
        own_start = replica.log.start
        if response.batches and response.batches[0].base_offset < replica.log.end:
            # The leader's log starts inside of a batch, and so did this one just now: it takes the whole batch.
            assert not replica.log.batches, "a leader sent a batch that this log has"
            replica.restart_at(response.batches[0].base_offset)
        replica.copy(response.batches)
        # It never begins earlier again, not even when a leader did not live to pass a deletion on to the next.
        start = max(min(response.leader_range[0], replica.log.end), own_start)
        before = (replica.high_watermark, replica.log.start)
        replica.high_watermark = max(start, min(response.high_watermark, replica.log.end))
        replica.log.advance_start(start)
        if (replica.high_watermark, replica.log.start) != before:
            replica.moved()

    def _truncate(self, epoch: int, end: int) -> None:
        """Cut back to where both histories agree as far as is known; the next fetch may tell of more."""
        replica = self._replica
        own_epoch, own_end = replica.log.end_of_epoch(epoch)
        agreed = min(end, own_end) if own_epoch >= 0 else end
        assert agreed < replica.log.end or epoch < replica.log.epochs.latest, (
            "a divergence that changes nothing"
        )
        replica.truncate(min(agreed, replica.log.end))
        # Epochs that the leader never had must go, even where they hold no records.
        replica.log.epochs.truncate_above(epoch)

    def _fit(self, leader_start: int, leader_end: int) -> None:
        replica = self._replica
        if replica.log.end > leader_end:
            replica.truncate(leader_end)
        else:
            replica.restart_at(leader_start)
