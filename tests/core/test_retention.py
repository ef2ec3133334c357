"""Old and superfluous records go: by segments, at checks of broker time, on every replica."""

from tests.core.simulation import Simulation

CHECK_MS = 300_000
DAY_MS = 86_400_000


def produced(sim: Simulation, *values: bytes) -> None:
    for value in values:
        sim.produce(value, timestamp=sim.world.clock.now)


def test_records_older_than_retention_ms_go_at_the_next_check_on_every_replica() -> None:
    sim = Simulation()
    sim.topic(retention_ms="60000")
    produced(sim, b"old")
    sim.advance(60_001)
    assert sim.log(1) == [b"old"], "nothing goes between checks"

    sim.advance(CHECK_MS)

    assert [sim.log(broker) for broker in (1, 2, 3)] == [[], [], []]
    assert [sim.replica(broker).log.start for broker in (1, 2, 3)] == [1, 1, 1]
    assert sim.fetch(0).only.error_code == 1
    assert sim.list_offset(-2).offset == 1


def test_a_segment_goes_when_its_newest_record_is_too_old() -> None:
    sim = Simulation()
    sim.topic(retention_ms="600000")
    produced(sim, b"first")
    sim.advance(400_000)
    produced(sim, b"second")
    sim.advance(CHECK_MS)
    assert sim.log(1) == [b"first", b"second"], "both are in one segment, and the second keeps it"

    sim.advance(2 * CHECK_MS)

    assert sim.log(1) == []


def test_a_new_segment_begins_after_segment_ms() -> None:
    sim = Simulation()
    sim.topic(retention_ms="600000", segment_ms="1000")
    produced(sim, b"first")
    sim.advance(400_000)
    produced(sim, b"second")

    sim.advance(2 * CHECK_MS)

    assert sim.log(1) == [b"second"]


def test_the_default_keeps_records_for_seven_days() -> None:
    sim = Simulation()
    sim.topic()
    produced(sim, b"kept")
    sim.advance(7 * DAY_MS)
    assert sim.log(1) == [b"kept"]

    sim.advance(CHECK_MS)

    assert sim.log(1) == []


def test_minus_one_keeps_them_for_ever() -> None:
    sim = Simulation()
    sim.topic(retention_ms="-1")
    produced(sim, b"kept")

    sim.advance(1_000 * DAY_MS)

    assert sim.log(1) == [b"kept"]


def test_whole_segments_beyond_retention_bytes_go() -> None:
    sim = Simulation()
    segment = 1024 * 1024
    sim.topic(retention_bytes=str(segment), segment_bytes=str(segment))
    large = segment * 3 // 4
    produced(sim, b"a" * large, b"b" * large, b"c" * large)

    sim.advance(CHECK_MS)

    kept = [value[:1] for value in sim.log(1) if value]
    assert kept == [b"b", b"c"], "without the second segment less than retention.bytes would be left"


def test_what_is_not_replicated_does_not_go() -> None:
    sim = Simulation()
    sim.topic(retention_ms="1000", min_insync_replicas="2")
    sim.freeze(2, 3)
    sim.produce(b"alone", acks=1, timestamp=sim.world.clock.now)
    sim.world.clock.freeze()

    sim.advance(10)
    sim.replica(1).broker.log_grew()
    sim.advance(CHECK_MS)

    assert sim.log(1) == [b"alone"]


def test_a_compacted_topic_keeps_old_records() -> None:
    sim = Simulation()
    sim.topic(retention_ms="1000", cleanup_policy="compact")
    produced(sim, b"kept")

    sim.advance(10 * CHECK_MS)

    assert sim.log(1) == [b"kept"]


def test_a_shorter_retention_counts_from_when_it_is_set() -> None:
    sim = Simulation()
    sim.topic()
    produced(sim, b"old")
    sim.advance(CHECK_MS + 1)

    sim.configure(retention_ms="1000")
    sim.advance(CHECK_MS)

    assert sim.log(1) == []


def test_a_producer_is_still_known_when_its_records_are_gone() -> None:
    sim = Simulation()
    sim.topic(retention_ms="1000")
    sim.produce(b"first", producer=(7, 0, 0), timestamp=sim.world.clock.now)
    sim.advance(2 * CHECK_MS)
    assert sim.log(1) == []

    gap = sim.produce(b"third", producer=(7, 0, 2))

    assert gap.only.error_code == 45
