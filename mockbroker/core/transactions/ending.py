"""EndTxn: which end a transaction may come to, for both protocols (KIP-98, KIP-890).

With transaction.version 2 each end brings the next epoch, so that nothing of the transaction that was on its
way can get into the next one; a client whose answer was lost comes with the epoch before.  Decides; writes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockbroker.core.transactions.records import NO_EPOCH, NO_PRODUCER_ID
from mockbroker.core.transactions.states import PREPARED, TxnState, outcome_of
from mockbroker.core.transactions.transaction import BUMPS_EPOCHS, EPOCH_LAST, following, is_exhausted
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.transactions.transaction import Transaction, Transition


@dataclass(frozen=True, slots=True)
class Ending:
    """How somebody wants a transaction to end.  `version` 2: every end brings a new epoch."""

    producer_id: int
    epoch: int
    commit: bool
    version: int = 0

    @property
    def bumps(self) -> bool:
        """Whether the next transaction has another epoch."""
        return self.version >= BUMPS_EPOCHS

    @property
    def prepared(self) -> TxnState:
        """The state in which markers are written."""
        return TxnState.PREPARE_COMMIT if self.commit else TxnState.PREPARE_ABORT


def decide(
    transaction: Transaction, ending: Ending, now_ms: int, new_producer_id: Callable[[], int]
) -> Transition | None:
    """The transition to PrepareCommit or PrepareAbort; None when it has ended that way already.

    Raises what is wrong with the request.
    """
    transaction.check_idle()
    repeated = ending.bumps and _is_repeated(transaction, ending)
    if not repeated:
        transaction.check_producer(ending.producer_id)
        transaction.check_epoch(ending.epoch)
    if not _is_due(transaction.record.state, ending, repeated=repeated):
        return None
    return prepare(transaction, ending, now_ms, new_producer_id)


def _is_repeated(transaction: Transaction, ending: Ending) -> bool:
    """Whether this request was carried out before, so that the id has the epoch after it by now."""
    record = transaction.record
    if ending.producer_id == record.producer_id:
        return ending.epoch == record.epoch - 1
    overflowed = (record.previous_producer_id, EPOCH_LAST, 0)
    return (ending.producer_id, ending.epoch, record.epoch) == overflowed


def _is_due(state: TxnState, ending: Ending, *, repeated: bool) -> bool:
    """Whether something is to be done; False when it was done before.  Raises what may not be asked now."""
    if state is TxnState.ONGOING:
        if repeated:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        return True
    if state in PREPARED:
        if ending.bumps and not repeated:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        same = state is ending.prepared
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS if same else ErrorCode.INVALID_TXN_STATE)
    if state is TxnState.EMPTY and repeated:
        raise KafkaError(ErrorCode.PRODUCER_FENCED)
    ended_so = state is not TxnState.EMPTY and state is outcome_of(ending.prepared)
    if ended_so and (repeated or not ending.bumps):
        return False
    if ending.bumps and not repeated and not ending.commit:
        return True  # an abort of nothing: whoever does not know whether anything was begun may ask for it
    raise KafkaError(ErrorCode.INVALID_TXN_STATE)


def prepare(
    transaction: Transaction, ending: Ending, now_ms: int, new_producer_id: Callable[[], int]
) -> Transition:
    """The transition to the state in which markers are written, under the epoch that they carry."""
    record = transaction.record
    changes: dict[str, Any] = {"updated_ms": now_ms, "client_version": ending.version}
    last_epoch = transaction.last_epoch
    if ending.bumps:
        last_epoch = record.epoch
        changes["epoch"] = following(record.epoch)
        if is_exhausted(record.epoch):
            changes["next_producer_id"] = new_producer_id()
    if record.state is not TxnState.ONGOING:
        changes |= {"partitions": (), "started_ms": now_ms}
    return transaction.to(ending.prepared, last_epoch=last_epoch, **changes)


def fence(
    transaction: Transaction, version: int, now_ms: int, new_producer_id: Callable[[], int]
) -> Transition:
    """The transition that aborts an open transaction under an epoch that nobody was given.

    With transaction.version 2 its producer may ask what has become of it, and with less it is shut out for good.
    """
    record = transaction.record
    changes: dict[str, Any] = {"last_epoch": NO_EPOCH}
    if version >= BUMPS_EPOCHS:
        changes["last_epoch"] = record.epoch
        if is_exhausted(record.epoch):
            changes["next_producer_id"] = new_producer_id()
    return transaction.to(
        TxnState.PREPARE_ABORT,
        epoch=following(record.epoch),
        updated_ms=now_ms,
        client_version=version,
        **changes,
    )


def complete(transaction: Transaction, now_ms: int) -> Transition:
    """The transition that ends it: every partition has its marker."""
    record = transaction.record
    changes: dict[str, Any] = {"partitions": (), "updated_ms": now_ms}
    if record.next_producer_id != NO_PRODUCER_ID:
        changes |= {
            "producer_id": record.next_producer_id,
            "next_producer_id": NO_PRODUCER_ID,
            "epoch": 0,
        }
    return transaction.to(outcome_of(record.state), **changes)


def next_identity(transition: Transition) -> tuple[int, int]:
    """Producer id and epoch for the client's next transaction, once this one is prepared."""
    record = transition.record
    if record.next_producer_id != NO_PRODUCER_ID:
        return record.next_producer_id, 0
    return record.producer_id, record.epoch
