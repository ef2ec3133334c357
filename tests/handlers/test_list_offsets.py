"""ListOffsets as a real broker answers it, special timestamps and all."""

from __future__ import annotations

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.offsets import (
    ListedPartition,
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.core.simulation import LEADER, TOPIC, Simulation, batch_of

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING = -1, -2, -3, -4, -5, -6
NOTHING = (-1, -1, -1)


@pytest.fixture
def sim() -> Simulation:
    simulation = Simulation()
    simulation.topic()
    return simulation


def found(part: ListedPartition) -> tuple[int, int, int]:
    assert part.error_code == ErrorCode.NONE
    return part.offset, part.timestamp, part.leader_epoch


def refused(part: ListedPartition) -> int:
    assert (part.offset, part.timestamp, part.leader_epoch) == NOTHING
    return part.error_code


def test_an_empty_log_begins_and_ends_at_0_and_has_no_records(sim: Simulation) -> None:
    for timestamp in (LATEST, EARLIEST, EARLIEST_LOCAL):
        assert found(sim.list_offset(timestamp)) == (0, -1, 0)
    for timestamp in (MAX_TIMESTAMP, LATEST_TIERED, EARLIEST_PENDING, 1000):
        assert found(sim.list_offset(timestamp)) == NOTHING


def test_times_lead_to_the_first_record_that_is_not_older(sim: Simulation) -> None:
    for timestamp in (100, 300, 200, 300):
        sim.produce(b"v", timestamp=timestamp)
    assert found(sim.list_offset(0)) == (0, 100, 0)
    assert found(sim.list_offset(101)) == (1, 300, 0)
    assert found(sim.list_offset(301)) == NOTHING
    assert found(sim.list_offset(MAX_TIMESTAMP)) == (1, 300, 0)


def test_a_time_is_found_inside_of_a_batch(sim: Simulation) -> None:
    sim.produce(b"a", timestamp=100)
    sim.leader().append(batch_of(b"b", b"c", timestamp=200))
    sim.world.settle()
    sim.leader().advance_start(2)
    assert found(sim.list_offset(150)) == (2, 200, 0)


def test_what_is_not_committed_is_not_found(sim: Simulation) -> None:
    sim.produce(b"v", timestamp=100)
    sim.freeze(2, 3)
    sim.produce(b"w", acks=LEADER, timestamp=200)
    assert found(sim.list_offset(LATEST))[0] == 1
    for timestamp in (150, MAX_TIMESTAMP):
        assert found(sim.list_offset(timestamp)) == NOTHING


def test_read_committed_ends_where_the_first_open_transaction_begins(sim: Simulation) -> None:
    sim.produce(b"v")
    sim.leader().append(batch_of(b"t", producer=(5, 0, 0), transactional=True))
    sim.world.settle()
    sim.produce(b"w")
    assert found(sim.list_offset(LATEST, isolation=1))[0] == 1
    assert found(sim.list_offset(LATEST))[0] == 3


@pytest.mark.parametrize(
    ("timestamp", "version"),
    [(MAX_TIMESTAMP, 6), (EARLIEST_LOCAL, 7), (LATEST_TIERED, 8), (EARLIEST_PENDING, 10), (-7, 11)],
)
def test_a_special_time_that_the_version_does_not_know_is_unsupported(
    sim: Simulation, timestamp: int, version: int
) -> None:
    assert refused(sim.list_offset(timestamp, version=version)) == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    ("timestamp", "version"),
    [(MAX_TIMESTAMP, 7), (EARLIEST_LOCAL, 8), (LATEST_TIERED, 9), (EARLIEST_PENDING, 11)],
)
def test_from_its_version_on_it_is_answered(sim: Simulation, timestamp: int, version: int) -> None:
    assert sim.list_offset(timestamp, version=version).error_code == ErrorCode.NONE


def test_a_partition_asked_for_twice_is_answered_once_with_an_error(sim: Simulation) -> None:
    sim.topic("other")
    part = ListOffsetsPartition(partition_index=0, timestamp=LATEST)
    topics = [ListOffsetsTopic(name=name, partitions=[part]) for name in (TOPIC, "other", TOPIC)]
    response = sim.ask(ListOffsetsRequest(replica_id=-1, topics=topics), to=1, version=7).response
    answered = [(t.name, p.error_code) for t in response.topics for p in t.partitions]
    assert sorted(answered) == [(TOPIC, ErrorCode.INVALID_REQUEST), ("other", ErrorCode.NONE)]


def test_only_leaders_answer_unless_a_debugger_asks(sim: Simulation) -> None:
    sim.freeze(2)
    sim.produce(b"v", acks=LEADER)
    assert refused(sim.list_offset(to=2)) == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert found(sim.list_offset(to=2, replica_id=-2))[0] == 0
    assert found(sim.list_offset(to=3, replica_id=-2))[0] == 1


def test_epochs_are_checked(sim: Simulation) -> None:
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    for broker in (1, 2):
        assert refused(sim.list_offset(to=broker, leader_epoch=0)) == ErrorCode.FENCED_LEADER_EPOCH
        assert refused(sim.list_offset(to=broker, leader_epoch=2)) == ErrorCode.UNKNOWN_LEADER_EPOCH
    assert found(sim.list_offset(leader_epoch=1))[0] == 0


@pytest.mark.parametrize(("topic", "index"), [("nothing", 0), (TOPIC, 5)])
def test_an_unknown_place_is_told_so(sim: Simulation, topic: str, index: int) -> None:
    assert refused(sim.list_offset(topic=topic, index=index, to=1)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize(
    ("version", "code"), [(5, ErrorCode.OFFSET_NOT_AVAILABLE), (4, ErrorCode.LEADER_NOT_AVAILABLE)]
)
def test_a_new_leader_that_does_not_know_what_is_committed_says_so(
    sim: Simulation, version: int, code: ErrorCode
) -> None:
    sim.freeze(3)
    sim.produce(b"v", acks=LEADER)
    # Broker 2 has the record and leads, but not the word of broker 3, which stays in sync until it is late.
    sim.world.crash(1)
    assert (sim.leader().log.end, sim.leader().high_watermark) == (1, 0)
    for timestamp in (LATEST, 0):
        assert refused(sim.list_offset(timestamp, version=version)) == code
    assert found(sim.list_offset(EARLIEST, version=version)) == (0, -1, 0)
    sim.catch_up(3)
    assert found(sim.list_offset(version=version))[0] == 1
