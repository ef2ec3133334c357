"""DeleteRecords: where a partition begins afterwards, and who has to agree."""

from __future__ import annotations

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.topics import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from tests.core.simulation import LEADER, TOPIC, Asked, Simulation

UP_TO_THE_HIGH_WATERMARK = -1


@pytest.fixture
def sim() -> Simulation:
    simulation = Simulation()
    simulation.topic()
    for value in (b"a", b"b", b"c"):
        simulation.produce(value)
    return simulation


def delete(sim: Simulation, offset: int, *, topic: str = TOPIC, index: int = 0, to: int = 1) -> Asked:
    parts = [DeleteRecordsPartition(partition_index=index, offset=offset)]
    topics = [DeleteRecordsTopic(name=topic, partitions=parts)]
    return sim.ask(DeleteRecordsRequest(topics=topics, timeout_ms=1000), to=to)


def answer(asked: Asked) -> tuple[int, int]:
    return asked.only.error_code, asked.only.low_watermark


def test_every_replica_begins_where_it_was_asked_to(sim: Simulation) -> None:
    assert answer(delete(sim, 2)) == (ErrorCode.NONE, 2)
    assert [sim.replica(broker).log.start for broker in (1, 2, 3)] == [2, 2, 2]
    assert sim.log(3) == [b"c"]
    assert sim.fetch(1).only.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert sim.list_offset(-2).offset == 2


def test_minus_1_is_the_high_watermark(sim: Simulation) -> None:
    sim.freeze(2, 3)
    sim.produce(b"not committed", acks=LEADER)
    sim.catch_up(2)
    sim.catch_up(3)
    sim.freeze(2, 3)
    sim.produce(b"not committed", acks=LEADER)
    asked = delete(sim, UP_TO_THE_HIGH_WATERMARK)
    sim.catch_up(2, 3)
    assert answer(asked) == (ErrorCode.NONE, 4)


def test_what_is_deleted_already_stays_deleted(sim: Simulation) -> None:
    delete(sim, 2)
    assert answer(delete(sim, 1)) == (ErrorCode.NONE, 2)
    assert answer(delete(sim, 0)) == (ErrorCode.NONE, 2)


@pytest.mark.parametrize("offset", [4, -2])
def test_what_is_not_there_cannot_be_deleted(sim: Simulation, offset: int) -> None:
    assert answer(delete(sim, offset)) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)


def test_places_are_checked(sim: Simulation) -> None:
    sim.topic("__consumer_offsets", [[1]])
    sim.topic("compacted", cleanup_policy="compact")
    assert answer(delete(sim, 0, to=2)) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)
    assert answer(delete(sim, 0, index=5)) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
    assert answer(delete(sim, 0, topic="__consumer_offsets")) == (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)
    assert answer(delete(sim, 0, topic="compacted")) == (ErrorCode.POLICY_VIOLATION, -1)


def test_a_follower_that_does_not_follow_is_waited_for(sim: Simulation) -> None:
    sim.freeze(3)
    asked = delete(sim, 2)
    assert not asked.answered
    sim.catch_up(3)
    assert answer(asked) == (ErrorCode.NONE, 2)


def test_patience_ends_the_wait_and_not_the_deletion(sim: Simulation) -> None:
    sim.freeze(3)
    asked = delete(sim, 2)
    sim.wait(1000)
    assert answer(asked) == (ErrorCode.REQUEST_TIMED_OUT, -1)
    assert sim.leader().log.start == 2


@pytest.mark.parametrize("in_sync", [True, False])
def test_the_dead_are_not_waited_for(sim: Simulation, *, in_sync: bool) -> None:
    sim.freeze(3)
    if not in_sync:
        sim.produce(b"d", acks=LEADER)
        sim.advance(30_001)
    asked = delete(sim, 2)
    assert not asked.answered
    sim.world.crash(3)
    assert answer(asked) == (ErrorCode.NONE, 2)


def test_a_deposed_leader_does_not_know_what_became_of_it(sim: Simulation) -> None:
    sim.freeze(3)
    asked = delete(sim, 2)
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    assert answer(asked) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)


def test_a_patience_that_ended_during_a_pause_does_not_answer_twice(sim: Simulation) -> None:
    sim.freeze(3)
    asked = delete(sim, 2)
    sim.world.pause(1)
    sim.wait(1000)
    sim.world.crash(3)
    assert not asked.answered
    # The first thing it hears is that broker 3 need not be waited for.
    sim.world.resume(1)
    assert answer(asked) == (ErrorCode.NONE, 2)
