"""Telling the partitions of a transaction how it ended: WriteTxnMarkers, again and again until each one has it.

The coordinator's side.  A leader that cannot be reached, or is none any more, is asked again when the metadata
changes or some time has passed; a partition that was deleted needs no marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.messages import WriteTxnMarkers
from mockbroker.core.transactions.states import TxnState
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.clock import Timer
    from mockbroker.core.messages import WriteTxnMarkersResponse
    from mockbroker.core.transactions.records import Place, TransactionRecord
    from mockbroker.core.transactions.shard import TransactionShard

# What a leader may say that ends the matter although no marker was written: it knows of a newer producer or
# a newer coordinator, and the transaction is theirs.
_GIVEN_UP = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)


class Round:
    """The markers of one transaction that are still to be written."""

    __slots__ = ("asked", "done", "left", "record")

    def __init__(self, record: TransactionRecord, done: Callable[[], None]) -> None:
        self.record = record
        self.left = set(record.partitions)
        # The leader that each partition's marker is on its way to.
        self.asked: dict[Place, int] = {}
        self.done = done


class Markers:
    """All markers that one coordinator has still to see written."""

    # How long until an answer that said "not now" is asked for again.
    RETRY_MS = 100
    # How long until an answer that did not come is asked for again: request.timeout.ms.
    PATIENCE_MS = 30_000

    __slots__ = ("_retry", "_rounds", "_shard")

    def __init__(self, shard: TransactionShard) -> None:
        self._shard = shard
        self._rounds: dict[str, Round] = {}
        self._retry: Timer | None = None

    def outstanding(self, transactional_id: str) -> list[Place]:
        """The partitions that have not been heard of."""
        known = self._rounds.get(transactional_id)
        return [] if known is None else sorted(known.left)

    def write(self, record: TransactionRecord, done: Callable[[], None]) -> None:
        """Have the markers of a transaction written; `done` is called when all are."""
        self._rounds[record.transactional_id] = Round(record, done)
        self._ask(record.transactional_id)

    def close(self) -> None:
        """Another coordinator sees to it."""
        self._rounds.clear()
        if self._retry is not None:
            self._retry.cancel()

    def ask_again(self, *, everybody: bool = False) -> None:
        """The metadata changed, or roads are open again: `everybody` is asked, or only where the leader is new."""
        for name, round_ in list(self._rounds.items()):
            if everybody:
                round_.asked.clear()
            self._ask(name)

    def _ask(self, name: str) -> None:
        """Ask the leader of each partition that has not been asked."""
        round_ = self._rounds[name]
        image, node = self._shard.node.image, self._shard.node
        asked = False
        for place in sorted(round_.left):
            if place[0] not in image.topics:
                round_.left.discard(place)  # it was deleted, and nobody reads it
                continue
            partition = image.partition(*place)
            leader = -1 if partition is None else partition.leader
            if leader >= 0 and round_.asked.get(place) != leader:
                round_.asked[place] = leader
                asked = True
                node.links.send(self._message(round_.record, leader, place))
        if asked:
            self._retry_in(self.PATIENCE_MS, everybody=True)
        self._finish(name)

    def _message(self, record: TransactionRecord, leader: int, place: Place) -> WriteTxnMarkers:
        return WriteTxnMarkers(
            self._shard.node.id,
            leader,
            record.transactional_id,
            producer=(record.producer_id, record.epoch),
            commit=record.state is TxnState.PREPARE_COMMIT,
            topic=place[0],
            index=place[1],
            coordinator_index=self._shard.replica.index,
            coordinator_epoch=self._shard.leader_epoch,
            version=record.client_version,
        )

    def receive(self, response: WriteTxnMarkersResponse) -> None:
        """A leader has answered."""
        asked, place = response.asked, (response.asked.topic, response.asked.index)
        round_ = self._rounds.get(asked.transactional_id)
        if round_ is None or (round_.record.producer_id, round_.record.epoch) != asked.producer:
            return
        if response.verdict is ErrorCode.NONE or response.verdict in _GIVEN_UP:
            round_.left.discard(place)
        elif round_.asked.get(place) == asked.target:
            del round_.asked[place]
            self._retry_in(self.RETRY_MS)
        self._finish(asked.transactional_id)

    def _finish(self, name: str) -> None:
        round_ = self._rounds.get(name)
        if round_ is not None and not round_.left:
            del self._rounds[name]
            round_.done()

    def _retry_in(self, delay_ms: int, *, everybody: bool = False) -> None:
        """Look after the missing ones again, after so much broker time at the latest."""
        node = self._shard.node
        due_ms = node.clock.now + delay_ms
        if self._retry is not None and self._retry.armed and self._retry.due_ms <= due_ms:
            return
        if self._retry is not None:
            self._retry.cancel()
        self._retry = node.call_in(delay_ms, lambda: self._look_again(everybody=everybody))

    def _look_again(self, *, everybody: bool) -> None:
        self._retry = None
        if not self._shard.open or not self._rounds:
            return
        self.ask_again(everybody=everybody)
        if self._rounds and self._retry is None:
            self._retry_in(self.PATIENCE_MS, everybody=True)
