"""One transactional id as its coordinator holds it, and the next thing that may become of it.

What is written changes only when its successor is committed; until then the id is busy, and everybody who asks
is told to try again.  Knows no requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mockbroker.core.transactions.records import NO_EPOCH, TransactionRecord
from mockbroker.core.transactions.states import MAY_FOLLOW, TxnState
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockbroker.core.transactions.records import Place

# From this epoch on there is none left for another bump: the producer needs a new id.
EPOCH_LAST = 2**15 - 2

# One more there is, for the markers that shut out the owner of the last one; nobody is given it.
EPOCH_MAX = EPOCH_LAST + 1

# The protocol in which every end of a transaction brings a new epoch (transaction.version 2, KIP-890).
BUMPS_EPOCHS = 2


def is_exhausted(epoch: int) -> bool:
    """Whether an epoch cannot be followed by another one of the same producer id."""
    return epoch >= EPOCH_LAST


def following(epoch: int) -> int:
    """The next epoch.  Behind the very last one Kafka trips over itself: UNKNOWN_SERVER_ERROR."""
    if epoch >= EPOCH_MAX:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"there is no epoch behind {epoch}")
    return epoch + 1


@dataclass(frozen=True, slots=True)
class Transition:
    """What is to be written next.  `last_epoch` is not: a successor does not know who was the client before."""

    record: TransactionRecord
    last_epoch: int


class Transaction:
    """A transactional id."""

    __slots__ = ("_next_last_epoch", "inherited", "last_epoch", "pending", "record")

    def __init__(self, record: TransactionRecord) -> None:
        self.record = record
        # The epoch before the current one, where its owner may still ask what became of its request.
        self.last_epoch = NO_EPOCH
        self._next_last_epoch = NO_EPOCH
        # The state that is about to be entered.
        self.pending: TxnState | None = None
        # How many records of earlier coordinators may not be committed: whether they are so is open.
        self.inherited = 0

    @property
    def busy(self) -> bool:
        """Whether a change is under way: its record is not committed, or its markers are not all written."""
        return self.pending is not None or self.inherited > 0

    def expect(self, transition: Transition) -> None:
        """The transition is written; the id is busy until it is committed, however long that takes."""
        self.pending = transition.record.state
        self._next_last_epoch = transition.last_epoch

    def enter(self, record: TransactionRecord) -> None:
        """What is written is committed now."""
        self.record = record
        self.last_epoch, self._next_last_epoch = self._next_last_epoch, NO_EPOCH
        self.pending = None

    def check_idle(self) -> None:
        """Raise CONCURRENT_TRANSACTIONS while a change is under way."""
        if self.busy:
            raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)

    def check_producer(self, producer_id: int) -> None:
        """Raise INVALID_PRODUCER_ID_MAPPING for anybody's producer id but the current one."""
        if producer_id != self.record.producer_id:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)

    def check_epoch(self, epoch: int) -> None:
        """Raise PRODUCER_FENCED for any epoch but the current one."""
        if epoch != self.record.epoch:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)

    def to(self, state: TxnState, *, last_epoch: int | None = None, **changes: Any) -> Transition:
        """The transition to a state; raises AssertionError where that may not follow."""
        now = self.record.state
        assert now in MAY_FOLLOW[state], f"{self.record.transactional_id}: {now.title} -> {state.title}"
        # Kafka notes it with every change, also where it stays the same.
        changes.setdefault("previous_producer_id", self.record.producer_id)
        return Transition(
            replace(self.record, state=state, **changes),
            self.last_epoch if last_epoch is None else last_epoch,
        )

    def adding(self, places: Iterable[Place], now_ms: int, client_version: int) -> Transition:
        """More partitions; the first ones begin a transaction."""
        ongoing = self.record.state is TxnState.ONGOING
        known = self.record.partitions if ongoing else ()
        return self.to(
            TxnState.ONGOING,
            partitions=(*known, *(place for place in dict.fromkeys(places) if place not in known)),
            started_ms=self.record.started_ms if ongoing else now_ms,
            updated_ms=now_ms,
            client_version=client_version,
        )

    def __repr__(self) -> str:
        going = f" -> {self.pending.title}" if self.pending is not None else ""
        record = self.record
        return f"<{record.transactional_id} {record.state.title}{going}, producer {record.producer_id}:{record.epoch}>"
