"""Telling the partitions of a transaction how it ended: WriteTxnMarkers, again and again until each one has it.

The coordinator's side.  A leader that cannot be reached, or is none any more, is asked again when the metadata
changes, a road opens or some time has passed; a partition that was deleted needs no marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mockbroker.core.messages import WriteTxnMarkers
from mockbroker.core.transactions.states import TxnState
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.clock import Timer
    from mockbroker.core.messages import WriteTxnMarkersResponse
    from mockbroker.core.transactions.records import Place, TransactionRecord
    from mockbroker.core.transactions.shard import TransactionShard

# What a leader may say that ends the matter although no marker was written: it knows of a newer producer or a newer
# coordinator, and the transaction is theirs.  This coordinator asks nobody any more, and leaves the id as it is.
_GIVEN_UP = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)


class Asked(NamedTuple):
    """A leader that was asked for a marker, and when its silence has lasted too long."""

    leader: int
    patient_until_ms: int


class Round:
    """The markers of one transaction that are still to be written."""

    __slots__ = ("asked", "finish", "given_up", "left", "number", "record")

    def __init__(self, record: TransactionRecord, number: int, finish: Callable[[], bool]) -> None:
        self.record = record
        self.number = number
        self.left = set(record.partitions)
        self.asked: dict[Place, Asked] = {}
        self.given_up = False
        self.finish = finish


class Markers:
    """All markers that one coordinator has still to see written."""

    # How long until an answer that said "not now", or a lost one, is asked for again.
    RETRY_MS = 100
    # How long until an answer that did not come is asked for again: request.timeout.ms.
    PATIENCE_MS = 30_000

    __slots__ = ("_alarm", "_begun", "_rounds", "_shard")

    def __init__(self, shard: TransactionShard) -> None:
        self._shard = shard
        self._rounds: dict[str, Round] = {}
        self._begun = 0
        self._alarm: Timer | None = None

    def outstanding(self, transactional_id: str) -> list[Place]:
        """The partitions that have not been heard of."""
        known = self._rounds.get(transactional_id)
        return [] if known is None else sorted(known.left)

    def write(self, record: TransactionRecord, finish: Callable[[], bool]) -> None:
        """Have the markers of a transaction written.

        `finish` is called when all are, and again after a while if it says that it could not.
        """
        self._begun += 1
        self._rounds[record.transactional_id] = Round(record, self._begun, finish)
        self._see_to(record.transactional_id)

    def close(self) -> None:
        """Another coordinator sees to it."""
        self._rounds.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    # -- asking -----------------------------------------------------------------------------------

    def look(self) -> None:
        """Something is new, metadata, a road or the time: see to everything that is left."""
        for name in list(self._rounds):
            self._see_to(name)

    def _see_to(self, name: str) -> None:
        """Ask the leader of each partition that is not being asked, and finish when nothing is left."""
        round_ = self._rounds[name]
        if not round_.given_up:
            for place in sorted(round_.left):
                self._ask(round_, place)
            self._finish(name)

    def _ask(self, round_: Round, place: Place) -> None:
        node = self._shard.node
        partition = node.image.partition(*place)
        if partition is None:
            round_.left.discard(place)  # it was deleted, and nobody reads it
            return
        asked, leader = round_.asked.get(place), partition.leader
        if asked is not None and asked.leader == leader and node.clock.now < asked.patient_until_ms:
            return
        round_.asked.pop(place, None)
        if leader >= 0 and node.reaches(leader):
            round_.asked[place] = Asked(leader, node.clock.now + self.PATIENCE_MS)
            self._look_in(self.PATIENCE_MS)
            node.links.send(self._message(round_, leader, place))

    def _message(self, round_: Round, leader: int, place: Place) -> WriteTxnMarkers:
        record = round_.record
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
            round=round_.number,
            version=record.client_version,
        )

    def _finish(self, name: str) -> None:
        round_ = self._rounds[name]
        if round_.left:
            return
        if round_.finish():
            del self._rounds[name]
        else:
            self._look_in(self.RETRY_MS)

    # -- what comes of it -------------------------------------------------------------------------

    def receive(self, response: WriteTxnMarkersResponse) -> None:
        """A leader has answered."""
        round_ = self._round_of(response.asked)
        if round_ is None:
            return
        if response.verdict in _GIVEN_UP:
            round_.given_up = True
        elif response.verdict is ErrorCode.NONE:
            round_.left.discard((response.asked.topic, response.asked.index))
            if not round_.given_up:
                self._finish(response.asked.transactional_id)
        else:
            self.lost(response.asked)

    def lost(self, asked: WriteTxnMarkers) -> None:
        """There will be no marker by this message: ask again soon."""
        round_, place = self._round_of(asked), (asked.topic, asked.index)
        if round_ is None:
            return
        known = round_.asked.get(place)
        if known is not None and known.leader == asked.target:
            del round_.asked[place]
            self._look_in(self.RETRY_MS)

    def disconnected(self, broker: int) -> None:
        """A broker is gone: what it was asked for it will not write, and is to be asked for anew."""
        for round_ in self._rounds.values():
            for place in [place for place, asked in round_.asked.items() if asked.leader == broker]:
                del round_.asked[place]
                self._look_in(self.RETRY_MS)

    def _round_of(self, asked: WriteTxnMarkers) -> Round | None:
        """The markers that a message was about; none when its transaction is over and this is a late word."""
        round_ = self._rounds.get(asked.transactional_id)
        return round_ if round_ is not None and round_.number == asked.round else None

    # -- time -------------------------------------------------------------------------------------

    def _look_in(self, delay_ms: int) -> None:
        """Look again after so much broker time at the latest."""
        node = self._shard.node
        due_ms = node.clock.now + delay_ms
        if self._alarm is not None and self._alarm.armed:
            if self._alarm.due_ms > due_ms:
                self._alarm.move(due_ms)
            return
        self._alarm = node.call_in(delay_ms, self._wake)

    def _wake(self) -> None:
        """See to what is due, and to the rest when that is."""
        if not self._shard.open or not self._rounds:
            return
        self.look()
        waits = [
            asked.patient_until_ms for round_ in self._rounds.values() for asked in round_.asked.values()
        ]
        if waits:
            self._look_in(max(min(waits) - self._shard.node.clock.now, 1))
