"""What a log remembers of its producers; the rules that Produce answers by are in tests/handlers/test_produce.py."""

from __future__ import annotations

import pytest

from mockbroker.core.producers import EXPIRY_SCAN_MS, Producers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import Batch
from mockbroker.records.builder import ControlType, build_control_batch
from tests.core.simulation import batch_of

DAY_MS = 86_400_000
NOW = 1_700_000_000_000


class Log:
    """Producers, and the offsets that their batches get."""

    def __init__(self) -> None:
        self.producers = Producers()
        self.end = 0
        self.now_ms = NOW

    def add(self, batch: Batch) -> None:
        self.producers.note(batch.place(self.end, 0), self.now_ms)
        self.end += batch.last_offset_delta + 1

    def check(self, batch: Batch) -> int | None:
        """The offset of the batch that this one repeats, if it does."""
        sent = self.producers.find_duplicate(batch, self.now_ms, DAY_MS)
        if sent is not None:
            return sent.base_offset
        self.producers.check(batch)
        return None

    def end_transaction(self, producer_id: int, how: ControlType, epoch: int = 0) -> None:
        marker = build_control_batch(
            how, producer_id=producer_id, producer_epoch=epoch, coordinator_epoch=3, timestamp=0
        )
        self.add(marker)


def sent(sequence: int, *, epoch: int = 0, producer_id: int = 5, transactional: bool = False) -> Batch:
    return batch_of(b"v", producer=(producer_id, epoch, sequence), transactional=transactional, timestamp=NOW)


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_lower_epoch_in_the_log_is_believed(log: Log) -> None:
    """Its leader had forgotten the producer; whoever copies the batch knows what the leader knows."""
    log.add(sent(0, epoch=3))
    log.add(sent(77, epoch=2))
    assert log.check(sent(77, epoch=2)) == 1
    assert log.check(sent(78, epoch=2)) is None


def test_after_a_marker_alone_a_producer_begins_at_0(log: Log) -> None:
    log.end_transaction(5, ControlType.ABORT, epoch=1)
    assert log.check(sent(0, epoch=1)) is None
    with pytest.raises(KafkaError) as refused:
        log.check(sent(3, epoch=1))
    assert refused.value.code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_inside_of_a_transaction_nothing_is_written_outside_of_it(log: Log) -> None:
    log.add(sent(0, transactional=True))
    with pytest.raises(KafkaError) as refused:
        log.check(sent(1))
    assert refused.value.code == ErrorCode.INVALID_TXN_STATE
    assert log.check(sent(1, transactional=True)) is None


def test_an_idle_producer_is_forgotten_at_the_next_scan_and_one_in_a_transaction_never(log: Log) -> None:
    log.add(sent(0))
    log.add(sent(0, producer_id=6, transactional=True))
    log.now_ms += DAY_MS + EXPIRY_SCAN_MS
    assert log.check(sent(77)) is None
    assert log.producers.get(5) is None
    with pytest.raises(KafkaError):
        log.check(sent(77, producer_id=6, transactional=True))


def test_a_producer_that_was_just_seen_is_not_forgotten_for_the_age_of_its_records(log: Log) -> None:
    log.now_ms = NOW + 10 * DAY_MS
    log.add(sent(0))
    assert log.check(sent(0)) == 0


def test_transactions_hold_back_readers_until_their_markers_are_committed(log: Log) -> None:
    log.add(sent(0, producer_id=5))
    log.add(sent(0, producer_id=6, transactional=True))
    log.add(sent(0, producer_id=7, transactional=True))
    assert log.producers.first_unstable(3) == 1
    log.end_transaction(6, ControlType.COMMIT)
    assert log.producers.first_unstable(3) == 1
    assert log.producers.first_unstable(4) == 2
    log.end_transaction(7, ControlType.ABORT)
    assert log.producers.first_unstable(5) is None


def test_only_aborted_transactions_with_records_are_listed(log: Log) -> None:
    log.add(sent(0, producer_id=6, transactional=True))
    log.end_transaction(6, ControlType.COMMIT)
    log.end_transaction(7, ControlType.ABORT)
    log.add(sent(0, producer_id=8, transactional=True))
    log.end_transaction(8, ControlType.ABORT)
    (aborted,) = log.producers.aborted
    assert (aborted.producer_id, aborted.first_offset, aborted.last_offset) == (8, 3, 4)
    assert log.producers.aborted_between(4, 5) == [aborted]
    assert log.producers.aborted_between(5, 9) == log.producers.aborted_between(0, 3) == []


def test_producers_are_listed_in_the_order_in_which_they_came(log: Log) -> None:
    for producer_id in (9, 4, 6):
        log.add(sent(0, producer_id=producer_id))
    assert [producer_id for producer_id, _ in log.producers.active()] == [9, 4, 6]


@pytest.mark.parametrize(
    ("epoch", "coordinator_epoch", "version", "told"),
    [
        (2, 9, 0, ErrorCode.INVALID_PRODUCER_EPOCH),
        (3, 2, 0, ErrorCode.TRANSACTION_COORDINATOR_FENCED),
        (3, 3, 0, None),
        (4, 3, 0, None),
        # With transaction.version 2 it carries the epoch behind that of the transaction which it ends.
        (3, 3, 2, ErrorCode.INVALID_PRODUCER_EPOCH),
        (4, 3, 2, None),
    ],
)
def test_a_marker_of_an_old_producer_or_coordinator_is_refused(
    log: Log, epoch: int, coordinator_epoch: int, version: int, told: ErrorCode | None
) -> None:
    log.end_transaction(5, ControlType.ABORT, epoch=3)  # by coordinator epoch 3
    log.add(sent(0, epoch=3, transactional=True))
    if told is None:
        log.producers.check_marker(5, epoch, coordinator_epoch, version)
        return
    with pytest.raises(KafkaError) as refused:
        log.producers.check_marker(5, epoch, coordinator_epoch, version)
    assert refused.value.code == told
