"""What the ledger notes of transactions: who asked for which end, what was decided, which markers came.

Everything has a number, and so have the batches that are sent: clocks may stand still, and the order is what
counts.  Bounded like the rest; `since` is the number up to which something was forgotten.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.core.transactions.states import PREPARED, TxnState
from mockbroker.ledger.entries import Decided, Ended, Written
from mockbroker.protocol.errors import ErrorCode
from mockbroker.records.builder import ControlType, read_marker

if TYPE_CHECKING:
    from mockbroker.core.replica import Appended, Replica
    from mockbroker.core.transactions.records import TransactionRecord
    from mockbroker.ledger.requests import Pending
    from mockbroker.records.batch import Batch

Noted = TypeVar("Noted", Ended, Decided, Written)

# The first version of EndTxn that brings a new epoch.
_BUMPS_SINCE = 5

_COMPLETE = (TxnState.COMPLETE_COMMIT, TxnState.COMPLETE_ABORT)


class TransactionNotes:
    """The ends of transactions, as far back as there is room."""

    __slots__ = ("_entries_max", "_going", "_order", "decided", "ended", "since", "written")

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self.ended: deque[Ended] = deque()
        self.decided: deque[Decided] = deque()
        self.written: deque[Written] = deque()
        # The number of the newest entry that was forgotten; 0: nothing was.
        self.since = 0
        self._order = 0
        # What was decided and is not complete, by transactional id: a new coordinator may say it once more.
        self._going: dict[str, tuple[TransactionRecord, Decided]] = {}

    def number(self) -> int:
        """The next number."""
        self._order += 1
        return self._order

    def forgotten(self, order: int) -> None:
        """Something with this number was forgotten."""
        self.since = max(self.since, order)

    def _keep(self, entries: deque[Noted], entry: Noted) -> None:
        entries.append(entry)
        if len(entries) > self._entries_max:
            self.forgotten(entries.popleft().order)

    def answered(self, pending: Pending, message: Any, lost: str, now_us: int) -> Ended:
        """An EndTxn has its answer."""
        call, body = pending.call, pending.call.body
        error = lost if message is None else ErrorCode(message.error_code).name if message.error_code else ""
        ended = Ended(
            pending.order, self.number(), now_us, pending.broker, call.client_id, call.peer.ordinal,
            call.correlation_id, body.transactional_id, body.producer_id, body.producer_epoch, body.committed,
            bumps=call.version >= _BUMPS_SINCE, error=error, lost=bool(lost),
        )  # fmt: skip
        self._keep(self.ended, ended)
        return ended

    def moved(self, record: TransactionRecord, now_us: int) -> None:
        """A transactional id is in another state."""
        name = record.transactional_id
        going = self._going.get(name)
        if record.state in _COMPLETE:
            if going is not None:
                going[1].complete = True
                del self._going[name]
        elif record.state in PREPARED and (going is None or going[0] != record):
            commit = record.state is TxnState.PREPARE_COMMIT
            decided = Decided(self.number(), now_us, name, record.producer_id, record.epoch, commit)
            self._going[name] = (record, decided)
            if len(self._going) > self._entries_max:
                del self._going[next(iter(self._going))]
            self._keep(self.decided, decided)

    def appended(self, replica: Replica, batch: Batch, place: Appended, now_us: int) -> None:
        """A leader has a marker in its log, or offsets that wait for one."""
        commit = None
        if batch.is_control:
            kind = read_marker(batch)
            if kind is None:
                return
            commit = kind.type is ControlType.COMMIT
        elif not batch.is_transactional:
            return
        written = Written(
            self.number(), now_us, (replica.topic, replica.index), replica.topic_id, batch.producer_id,
            batch.producer_epoch, place.base_offset, place.last_offset + 1,
            replica.log.epochs.at(place.base_offset), commit,
        )  # fmt: skip
        self._keep(self.written, written)
