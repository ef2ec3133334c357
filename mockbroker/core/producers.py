"""What a log remembers of its idempotent and transactional producers.

All of it follows from the batches in the log, so each replica has its own, and a follower that becomes
leader knows exactly what its log knows: failover decides what counts as a duplicate (KIP-98, KIP-360).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.builder import ControlType, read_marker

if TYPE_CHECKING:
    from mockbroker.records.batch import Batch

# A producer may have five batches in flight, so five are remembered to recognise a resent one.
REMEMBERED_BATCHES = 5

# Kafka looks for producers to forget every ten minutes (producer.id.expiration.check.interval.ms).
EXPIRY_SCAN_MS = 600_000

SEQUENCE_MAX = 2**31 - 1
NO_SEQUENCE = -1

# From this transaction version on, a marker carries the epoch after that of its transaction (KIP-1228).
MARKERS_BUMP = 2


@dataclass(slots=True)
class SentBatch:
    """One batch that a producer has in the log."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int
    timestamp: int


@dataclass(slots=True)
class Producer:
    """One producer id as one log knows it."""

    epoch: int
    seen_ms: int
    sent: deque[SentBatch] = field(default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES))
    last_timestamp: int = -1
    coordinator_epoch: int = -1
    transaction_start: int | None = None

    def has_open(self, epoch: int) -> bool:
        """Whether a transaction of this epoch is open."""
        return self.transaction_start is not None and self.epoch == epoch

    @property
    def next_sequence(self) -> int:
        """The sequence that the next batch of this epoch must begin with."""
        if not self.sent:
            return 0
        last = self.sent[-1].last_sequence
        return 0 if last == SEQUENCE_MAX else last + 1


@dataclass(slots=True, eq=False)
class Verification:
    """A question to a coordinator, whether a producer's transaction may begin here; each is only equal to itself.

    An answer is worth nothing once anything of the producer's transactions has been written: by then it is about
    another one than the next.
    """

    epoch: int
    # The lowest sequence that was refused or waits meanwhile; none behind it may begin the transaction.
    lowest_sequence: int


@dataclass(slots=True, frozen=True)
class AbortedTransaction:
    """A stretch of the log whose records of one producer nobody reading committed may see."""

    producer_id: int
    first_offset: int
    last_offset: int


class Producers:
    """All producers of one log, and the transactions they have open in it."""

    __slots__ = ("_asked", "_by_id", "_unreplicated", "aborted")

    def __init__(self) -> None:
        self._by_id: dict[int, Producer] = {}
        # Producers whose transactions have been asked about and have not begun.
        self._asked: dict[int, Verification] = {}
        self.aborted: list[AbortedTransaction] = []
        # Ended transactions whose marker is not yet committed: they still hold back the last stable offset.
        self._unreplicated: list[tuple[int, int]] = []

    def get(self, producer_id: int) -> Producer | None:
        """What is known of a producer."""
        return self._by_id.get(producer_id)

    def active(self) -> list[tuple[int, Producer]]:
        """All that is known, in the order in which producers appeared."""
        return list(self._by_id.items())

    def verification(
        self, producer_id: int, epoch: int, sequence: int = NO_SEQUENCE, *, from_zero: bool = False
    ) -> Verification | None:
        """What a coordinator must be asked before a transaction begins here (KIP-890); None where one is open.

        `from_zero`: each epoch is one transaction, so that it begins with sequence 0 also where the producer is not
        known.  Raises INVALID_PRODUCER_EPOCH for a producer that this log knows to be fenced.
        """
        self.check_epoch(producer_id, epoch)
        known = self._by_id.get(producer_id)
        if known is not None and known.has_open(epoch):
            return None
        asked = self._asked.get(producer_id)
        if asked is None:
            asked = self._asked[producer_id] = Verification(epoch, sequence)
        elif epoch > asked.epoch:
            asked.epoch, asked.lowest_sequence = epoch, sequence
        elif epoch == asked.epoch:
            asked.lowest_sequence = min(asked.lowest_sequence, sequence)
        if from_zero and known is None:
            asked.lowest_sequence = 0
        return asked

    def check_verified(self, producer_id: int, epoch: int, verified: Verification | None) -> None:
        """Let a transaction begin only by the verification that was asked for last.

        Raises INVALID_TXN_STATE where it is another one: what the coordinator has said is of a transaction that has
        ended since.
        """
        known = self._by_id.get(producer_id)
        if known is not None and known.has_open(epoch):
            return
        if verified is None or self._asked.get(producer_id) is not verified:
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE, f"Producer {producer_id} has no verified transaction here"
            )

    def check_epoch(self, producer_id: int, epoch: int) -> None:
        """Raise INVALID_PRODUCER_EPOCH for a producer that this log knows to be fenced."""
        known = self._by_id.get(producer_id)
        if known is not None and epoch < known.epoch:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Producer {producer_id} has epoch {epoch}, and {known.epoch} was seen",
            )

    def check_marker(self, producer_id: int, epoch: int, coordinator_epoch: int, version: int) -> None:
        """Judge a marker.  Raises INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED.

        From transaction version 2 on it must be newer than the transaction that it ends: with the same epoch it is
        a late one, of the transaction before.
        """
        known = self._by_id.get(producer_id)
        if known is None:
            return
        open_here = known.transaction_start is not None
        if epoch < known.epoch or (version >= MARKERS_BUMP and open_here and epoch == known.epoch):
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"The marker of producer {producer_id} has epoch {epoch}, and {known.epoch} was seen",
            )
        if coordinator_epoch < known.coordinator_epoch:
            raise KafkaError(ErrorCode.TRANSACTION_COORDINATOR_FENCED)

    def find_duplicate(self, batch: Batch, now_ms: int, expiration_ms: int) -> SentBatch | None:
        """The earlier batch of which this one is an exact resend."""
        known = self._by_id.get(batch.producer_id)
        if known is not None and self._expired(known, now_ms, expiration_ms):
            del self._by_id[batch.producer_id]
            return None
        if known is None or batch.producer_epoch != known.epoch:
            return None
        sequences = (batch.base_sequence, batch.last_sequence)
        same = (sent for sent in known.sent if (sent.first_sequence, sent.last_sequence) == sequences)
        return next(same, None)

    def check(self, batch: Batch) -> None:
        """Judge a new batch that a client wants appended.

        Raises INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER or INVALID_TXN_STATE.
        """
        self.check_epoch(batch.producer_id, batch.producer_epoch)
        known = self._by_id.get(batch.producer_id)
        self._check_refused(batch, known)
        # Where there is nothing to compare with, any sequence is a beginning (Kafka 2.5, KIP-360).
        if known is not None:
            self._check_order(batch, known)

    def _check_refused(self, batch: Batch, known: Producer | None) -> None:
        """Nothing is written behind a batch that was refused while the coordinator was asked about its transaction."""
        asked = self._asked.get(batch.producer_id)
        if asked is None:
            return
        if known is not None and known.has_open(batch.producer_epoch):
            return
        if batch.base_sequence > asked.lowest_sequence:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Producer {batch.producer_id} sent sequence {batch.base_sequence}, after "
                f"{asked.lowest_sequence} was refused",
            )

    @staticmethod
    def _check_order(batch: Batch, known: Producer) -> None:
        expected = known.next_sequence if batch.producer_epoch == known.epoch else 0
        if batch.base_sequence != expected and known.epoch >= 0:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Producer {batch.producer_id} sent sequence {batch.base_sequence}, expected {expected}",
            )
        if known.transaction_start is not None and not batch.is_transactional:
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE,
                f"Producer {batch.producer_id} has a transaction open here and sent a batch outside of it",
            )

    @staticmethod
    def _expired(known: Producer, now_ms: int, expiration_ms: int) -> bool:
        last_scan_ms = now_ms - now_ms % EXPIRY_SCAN_MS
        return (
            known.transaction_start is None
            and last_scan_ms > known.seen_ms
            and last_scan_ms - known.last_timestamp >= expiration_ms
        )

    def note(self, batch: Batch, now_ms: int) -> None:
        """Fold in a batch that is now in the log."""
        if batch.producer_id < 0:
            return
        known = self._by_id.get(batch.producer_id)
        if known is None:
            known = self._by_id[batch.producer_id] = Producer(batch.producer_epoch, now_ms)
        elif batch.producer_epoch != known.epoch:
            # A lower one gets here where the leader had forgotten the producer: what is in the log is so.
            known.epoch = batch.producer_epoch
            known.sent.clear()
        if batch.is_transactional:
            self._asked.pop(batch.producer_id, None)
        known.seen_ms = now_ms
        known.last_timestamp = batch.max_timestamp
        if batch.is_control:
            self._end_transaction(batch, known)
            return
        known.sent.append(
            SentBatch(
                batch.base_sequence,
                batch.last_sequence,
                batch.base_offset,
                batch.last_offset,
                batch.max_timestamp,
            )
        )
        if batch.is_transactional and known.transaction_start is None:
            known.transaction_start = batch.base_offset

    def _end_transaction(self, batch: Batch, known: Producer) -> None:
        marker = read_marker(batch)
        if marker is None:
            return
        known.coordinator_epoch = marker.coordinator_epoch
        start, known.transaction_start = known.transaction_start, None
        if start is None:
            return
        self._unreplicated.append((start, batch.last_offset))
        if marker.type == ControlType.ABORT:
            self.aborted.append(AbortedTransaction(batch.producer_id, start, batch.last_offset))

    def first_unstable(self, high_watermark: int) -> int | None:
        """The first offset of a transaction that is open, or whose marker is not below the high watermark."""
        if self._unreplicated:
            self._unreplicated = [(start, end) for start, end in self._unreplicated if end >= high_watermark]
        starts = [start for start, _ in self._unreplicated]
        starts += [p.transaction_start for p in self._by_id.values() if p.transaction_start is not None]
        return min(starts, default=None)

    def aborted_between(self, start: int, below: int) -> list[AbortedTransaction]:
        """Aborted transactions that overlap [start, below)."""
        return [a for a in self.aborted if a.last_offset >= start and a.first_offset < below]
