"""Where a log begins a new segment, and what cutting it does to them."""

from __future__ import annotations

from mockbroker.core.log import Log
from tests.core.simulation import TOPIC, Simulation, batch_of

# The default of segment.ms.
WEEK_MS = 604_800_000


def segments_of(sim: Simulation) -> list[int]:
    """Which segment each batch of the leader is in."""
    log = sim.leader().log
    return [log.segments.of(batch.base_offset) for batch in log.batches]


def rolled(*begins: bool) -> Log:
    """A log of batches of one record, some of which begin a segment."""
    log = Log()
    for begin in begins:
        if begin:
            log.begin_segment(0)
        log.append(batch_of(b"v").place(log.end, 0))
    return log


def one_replica(**configs: str) -> Simulation:
    sim = Simulation(brokers=1)
    sim.topic(TOPIC, [[1]])
    if configs:
        sim.configure(**configs)
    return sim


def test_a_segment_ends_where_its_first_batch_is_too_old_for_the_next() -> None:
    sim = one_replica()
    for timestamp in (0, WEEK_MS, WEEK_MS + 1, WEEK_MS + 2):
        sim.produce(b"v", timestamp=timestamp)
    assert segments_of(sim) == [0, 0, 1, 1]


def test_an_older_batch_begins_no_segment() -> None:
    sim = one_replica()
    for timestamp in (2 * WEEK_MS, 0, 2 * WEEK_MS + 1):
        sim.produce(b"v", timestamp=timestamp)
    assert segments_of(sim) == [0, 0, 0]


def test_batches_without_times_go_by_the_clock_of_the_broker() -> None:
    sim = one_replica(segment_ms="1000")
    sim.produce(b"v", timestamp=-1)
    sim.produce(b"v", timestamp=WEEK_MS)
    sim.world.clock.advance(1_001)
    sim.produce(b"v", timestamp=WEEK_MS)
    assert segments_of(sim) == [0, 0, 1]


def test_a_segment_ends_where_the_next_batch_does_not_fit() -> None:
    size = batch_of(b"v" * 600_000).size
    sim = one_replica(segment_bytes=str(2 * size))
    for _ in range(3):
        sim.produce(b"v" * 600_000)
    assert segments_of(sim) == [0, 0, 1]


def test_followers_have_the_segments_of_their_leader() -> None:
    sim = Simulation(brokers=2)
    sim.topic(TOPIC, [[1, 2]])
    for timestamp in (0, WEEK_MS + 1):
        sim.produce(b"v", timestamp=timestamp)
    assert [sim.replica(broker).log.segment_end(0) for broker in (1, 2)] == [1, 1]


def test_what_is_cut_off_is_in_no_segment() -> None:
    log = rolled(True, False, True, False, True)
    log.truncate(3)
    assert [log.segment_end(offset) for offset in (0, 2)] == [2, 3]
    log.truncate(2)
    assert log.segments.active is not None
    assert (log.segments.active.base, log.segments.active.first_ms) == (2, None)
    log.truncate(1)
    assert log.segments.active.base == 0


def test_deleted_records_take_whole_segments_along() -> None:
    log = rolled(True, False, True, False)
    log.advance_start(1)
    assert log.segment_end(1) == 2
    log.advance_start(3)
    assert (log.segment_end(3), log.segments.of(3)) == (4, 0)
    log.restart_at(9)
    assert log.segments.active is None


def test_a_log_without_marks_is_one_segment() -> None:
    assert rolled(False, False).segment_end(0) == 2
