"""One partition's batches in the order of sending: who copied them, what was committed, what elections cost.

Told what happens to replicas; looks into the log of a new leader, and nowhere else.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mockbroker.ledger.facts import Election, Loss, Place, Sending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockbroker.core.log import Log
    from mockbroker.core.replica import Replica
    from mockbroker.records.batch import Batch


class PartitionBook:
    """What happened to the batches of one partition."""

    __slots__ = (
        "_by_place",
        "_uncommitted",
        "deleted_us",
        "elections",
        "epoch",
        "forgotten",
        "place",
        "sendings",
    )

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sendings: deque[Sending] = deque()
        self.forgotten = 0
        self.elections: dict[int, Election] = {}
        # The newest term that has begun, and when the topic was deleted.
        self.epoch = -1
        self.deleted_us: int | None = None
        # By epoch and first offset: in one epoch there is one leader, and it gives each offset once.
        self._by_place: dict[tuple[int, int], Sending] = {}
        self._uncommitted: deque[Sending] = deque()

    def add(self, sending: Sending) -> None:
        """Someone sent a batch; it may be in the log or not."""
        self.sendings.append(sending)
        if not sending.stored:
            return
        self._by_place[sending.leader_epoch, sending.base_offset] = sending
        self._uncommitted.append(sending)
        if sending.leader_epoch < self.epoch and (newer := self.elections.get(self.epoch)) is not None:
            # A leader that has not heard of its successor: nobody will ever follow it in this.
            sending.loss = Loss(newer.leader, newer.epoch, newer.unclean, sending.at_us)

    def forget_oldest(self) -> None:
        """There is no room for the oldest any more."""
        gone = self.sendings.popleft()
        self.forgotten += 1
        if gone.stored:
            self._by_place.pop((gone.leader_epoch, gone.base_offset), None)
            if self._uncommitted and self._uncommitted[0] is gone:
                self._uncommitted.popleft()

    def copied(self, broker: int, batches: Iterable[Batch], now_us: int) -> None:
        """A follower has these batches now."""
        for batch in batches:
            sending = self._by_place.get((batch.leader_epoch, batch.base_offset))
            if sending is not None:
                sending.copies = (*sending.copies, (broker, now_us))

    def committed(self, epoch: int, high_watermark: int, now_us: int) -> None:
        """Readers see everything below the high watermark of this term's leader."""
        waiting = self._uncommitted
        while waiting and epoch >= self.epoch:
            if waiting[0].loss is None:
                if waiting[0].last_offset >= high_watermark:
                    return
                waiting[0].committed_us = now_us
            waiting.popleft()

    def truncated(self, broker: int, end: int, log: Log, now_us: int) -> None:
        """A copy has forgotten what it had from `end` on, which is what is not in its log."""
        for sending in reversed(self.sendings):
            if not sending.stored:
                continue
            if sending.last_offset < end and _holds(log, sending):
                return
            if sending.last_offset >= end and _had(broker, sending):
                sending.cuts = (*sending.cuts, (broker, now_us))

    def led_by(self, replica: Replica, now_us: int) -> None:
        """A term begins: what its leader does not have is lost, and what had been lost may be there again.

        Histories that agree on one batch agree on all before it, so the search ends at the first that this leader
        has and the one before had as well.
        """
        self.epoch = max(self.epoch, replica.leader_epoch)
        election = self.elections.get(replica.leader_epoch)
        unclean = election is not None and election.unclean
        loss = Loss(replica.broker.id, replica.leader_epoch, unclean, now_us)
        for sending in reversed(self.sendings):
            if not sending.stored:
                continue
            if not _holds(replica.log, sending):
                if sending.loss is None:
                    sending.loss = loss
            elif sending.loss is None:
                return
            else:
                sending.loss = None


def _holds(log: Log, sending: Sending) -> bool:
    """Whether this very batch is in a log, or was and is deleted there."""
    if sending.last_offset < log.start:
        return True
    found = log.read(sending.last_offset, sending.last_offset + 1, 0, at_least_one=True)
    return bool(found) and (found[0].base_offset, found[0].leader_epoch) == (
        sending.base_offset,
        sending.leader_epoch,
    )


def _had(broker: int, sending: Sending) -> bool:
    """Whether a broker has had a batch: by leading, or by copying it."""
    return broker == sending.broker or any(copy[0] == broker for copy in sending.copies)
