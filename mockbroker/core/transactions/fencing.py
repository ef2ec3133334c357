"""InitProducerId with a transactional id: give out an epoch, and shut out whoever had one before (KIP-98, KIP-360).

Decides; writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mockbroker.core.transactions.records import NO_EPOCH, NO_PRODUCER_ID, NO_TIMESTAMP
from mockbroker.core.transactions.states import PREPARED, TxnState
from mockbroker.core.transactions.transaction import is_exhausted
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.transactions.transaction import Transaction, Transition


class Claim(NamedTuple):
    """What a client wants: a timeout for its transactions, and who it thinks it is (KIP-360)."""

    timeout_ms: int
    producer_id: int = NO_PRODUCER_ID
    epoch: int = NO_EPOCH

    @property
    def expects(self) -> bool:
        """Whether it has an id and epoch already, and only wants the next epoch."""
        return self.producer_id != NO_PRODUCER_ID


def grant(
    transaction: Transaction, claim: Claim, now_ms: int, new_producer_id: Callable[[], int]
) -> Transition | None:
    """The transition that gives the client its epoch.

    None: a transaction is open, and has to be aborted first.  Raises PRODUCER_FENCED or CONCURRENT_TRANSACTIONS.
    """
    transaction.check_idle()
    _check_claim(transaction, claim)
    record = transaction.record
    if record.state in PREPARED:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    if record.state is TxnState.ONGOING:
        return None
    if is_exhausted(record.epoch) and (not claim.expects or claim.epoch == record.epoch):
        return _rotated(transaction, claim, now_ms, new_producer_id())
    return _bumped(transaction, claim, now_ms)


def _check_claim(transaction: Transaction, claim: Claim) -> None:
    """Whoever says who it is must be, or have been a moment ago, the owner of the id."""
    record = transaction.record
    if not claim.expects or record.epoch == NO_EPOCH or claim.producer_id == record.producer_id:
        return
    # Its last request may have given it a new producer id, and the answer been lost.
    if claim.producer_id == record.previous_producer_id and is_exhausted(claim.epoch):
        return
    raise KafkaError(ErrorCode.PRODUCER_FENCED)


def _bumped(transaction: Transaction, claim: Claim, now_ms: int) -> Transition:
    """The next epoch; the same one again for a client whose answer was lost."""
    record = transaction.record
    if is_exhausted(record.epoch):
        # Its owner speaks of another epoch.  Kafka does not expect that here, and says so.
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"there is no epoch behind {record.epoch}")
    if not claim.expects:
        epoch, last_epoch = record.epoch + 1, NO_EPOCH
    elif record.epoch in (NO_EPOCH, claim.epoch):
        epoch, last_epoch = record.epoch + 1, record.epoch
    elif claim.epoch == transaction.last_epoch:
        epoch, last_epoch = record.epoch, transaction.last_epoch
    else:
        raise KafkaError(ErrorCode.PRODUCER_FENCED)
    return transaction.to(
        TxnState.EMPTY, last_epoch=last_epoch, epoch=epoch, **_fresh(claim.timeout_ms, now_ms)
    )


def _rotated(transaction: Transaction, claim: Claim, now_ms: int, producer_id: int) -> Transition:
    """A new producer id, because the old one has had all its epochs."""
    record = transaction.record
    return transaction.to(
        TxnState.EMPTY,
        last_epoch=record.epoch if claim.expects else NO_EPOCH,
        producer_id=producer_id,
        epoch=0,
        **_fresh(claim.timeout_ms, now_ms),
    )


def _fresh(timeout_ms: int, now_ms: int) -> dict[str, object]:
    return {
        "timeout_ms": timeout_ms,
        "partitions": (),
        "started_ms": NO_TIMESTAMP,
        "updated_ms": now_ms,
        "next_producer_id": NO_PRODUCER_ID,
    }
