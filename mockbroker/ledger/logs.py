"""One partition's batches in the order of sending: who copied them, what was committed, what elections cost.

Told what happens to replicas; looks into the log of a new leader, and nowhere else.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mockbroker.ledger.entries import Election, Sent, Written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockbroker.core.log import Log
    from mockbroker.core.replica import Replica
    from mockbroker.records.batch import Batch


class PartitionNotes:
    """What happened to the stored batches of one partition."""

    __slots__ = ("_by_place", "_epoch", "_stored", "_uncommitted", "elections")

    def __init__(self) -> None:
        # By epoch; a partition has one leader in each.
        self.elections: dict[int, Election] = {}
        # The newest term that has begun.
        self._epoch = -1
        self._stored: deque[Sent] = deque()
        # By epoch and first offset: in one epoch there is one leader, and it gives each offset once.
        self._by_place: dict[tuple[int, int], Sent] = {}
        self._uncommitted: deque[Sent] = deque()

    def add(self, sent: Sent) -> None:
        """A leader has appended this batch."""
        self._stored.append(sent)
        self._by_place[sent.leader_epoch, sent.base_offset] = sent
        self._uncommitted.append(sent)
        if sent.leader_epoch < self._epoch:
            # By a leader that has not heard of its successor: nobody will ever follow it in this.
            sent.loss = self.elections.get(self._epoch)

    def first_of(self, again: Sent) -> Sent | None:
        """The batch that a duplicate is one of: the newest with its sequence, if it is still known."""
        for sent in reversed(self._stored):
            if (sent.producer, sent.base_offset) == (again.producer, again.base_offset):
                return sent
        return None

    def forget(self, oldest: Sent) -> None:
        """There is no room for the oldest any more."""
        if self._stored and self._stored[0] is oldest:
            self._stored.popleft()
            self._by_place.pop((oldest.leader_epoch, oldest.base_offset), None)
            if self._uncommitted and self._uncommitted[0] is oldest:
                self._uncommitted.popleft()

    def copied(self, broker: int, batches: Iterable[Batch], now_us: int) -> None:
        """A follower has these batches now."""
        for batch in batches:
            sent = self._by_place.get((batch.leader_epoch, batch.base_offset))
            if sent is not None:
                sent.copies = (*sent.copies, broker, now_us)

    def committed(self, epoch: int, high_watermark: int, now_us: int) -> None:
        """Readers see everything below the high watermark of this term's leader."""
        waiting = self._uncommitted
        while waiting and epoch >= self._epoch:
            first = waiting[0]
            if first.loss is None:
                if first.base_offset + first.count > high_watermark:
                    return
                first.committed_us = now_us
            waiting.popleft()

    def truncated(self, broker: int, log: Log, now_us: int) -> None:
        """A copy has forgotten what is no longer in its log."""
        for sent in reversed(self._stored):
            if holds(log, sent):
                return
            if broker == sent.leader or broker in sent.copies[::2]:
                sent.cuts = (*sent.cuts, broker, now_us)

    def led_by(self, replica: Replica, now_us: int) -> None:
        """A term begins: what its leader does not have is lost, and what had been lost may be there again.

        Histories that agree on one batch agree on all before it, so the search ends at the first that this leader
        has and the one before had as well.
        """
        epoch = replica.leader_epoch
        if epoch < self._epoch:
            return  # it learned late of a term that is over
        self._epoch = epoch
        election = self.elections.get(epoch) or Election(now_us, replica.broker.id, epoch, unclean=False)
        for sent in reversed(self._stored):
            if not holds(replica.log, sent):
                sent.loss = sent.loss or election
            elif sent.loss is None:
                return
            else:
                sent.loss = None


def holds(log: Log, sent: Sent | Written) -> bool:
    """Whether this very batch is in a log, or was and is deleted there."""
    last = sent.end_offset - 1
    if last < log.start:
        return True
    found = log.read(last, last + 1, 0, at_least_one=True)
    return bool(found) and (found[0].base_offset, found[0].leader_epoch) == (
        sent.base_offset,
        sent.leader_epoch,
    )
