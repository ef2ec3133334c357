"""Produce with acks=all: who is waited for, for how long, and what is said when it was in vain."""

from __future__ import annotations

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from tests.core.simulation import ALL, LEADER, TOPIC, Simulation, batch_of
from tests.handlers.produced import AT_THE_LOG, offsets, orders_from_1, refusal


@pytest.fixture
def sim() -> Simulation:
    return orders_from_1()


def shrink(sim: Simulation, *brokers: int) -> None:
    """Take brokers out of the ISR."""
    for broker in brokers:
        sim.world.crash(broker)


@pytest.mark.parametrize("producer", [(-1, -1, -1), (5, 0, 0)])
def test_with_too_few_in_sync_nothing_is_written(sim: Simulation, producer: tuple[int, int, int]) -> None:
    shrink(sim, 2, 3)
    assert refusal(sim.produce(b"v", producer=producer)) == (ErrorCode.NOT_ENOUGH_REPLICAS, AT_THE_LOG)
    assert sim.leader().log.end == 1


def test_a_single_replica_is_enough_where_there_is_only_one(sim: Simulation) -> None:
    sim.topic("single", [[1]], min_insync_replicas="2")
    assert sim.produce(b"v", topic="single").only.error_code == ErrorCode.NONE


def test_patience_ends_and_the_record_stays(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v", patience_ms=1500)
    sim.wait(1499)
    assert not asked.answered
    sim.wait(1)
    assert refusal(asked) == (ErrorCode.REQUEST_TIMED_OUT, (1, -1, 1))
    sim.catch_up(2, 3)
    assert sim.read(1) == [b"v"]


def test_one_who_waits_while_too_many_leave_runs_out_of_patience(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v", patience_ms=1500)
    sim.advance(30_001)
    assert sim.partition().isr == (1,)
    assert not asked.answered
    assert sim.leader().high_watermark == 1
    sim.wait(1500)
    assert refusal(asked) == (ErrorCode.REQUEST_TIMED_OUT, (1, -1, 1))
    assert sim.log(1) == [b"v"]


def test_with_too_few_in_sync_acks_1_writes_what_nobody_sees_yet(sim: Simulation) -> None:
    shrink(sim, 2, 3)
    assert sim.produce(b"v", acks=LEADER).only.base_offset == 1
    assert sim.leader().high_watermark == 1
    assert sim.read(1) == []
    sim.world.restart(2)
    assert sim.read(1) == [b"v"]


def test_a_slow_follower_is_waited_for_until_it_leaves_the_isr(sim: Simulation) -> None:
    sim.freeze(3)
    asked = sim.produce(b"v")
    sim.advance(29_999)
    assert not asked.answered
    sim.advance(1)
    assert sim.partition().isr == (1, 2)
    assert offsets(asked.only) == (1, -1, 1)


def test_one_who_waits_is_told_at_once_that_leadership_moved(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v")
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    assert refusal(asked) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, (1, -1, 1))
    leader = asked.only.current_leader
    assert (leader.leader_id, leader.leader_epoch) == (2, 1)
    assert [endpoint.node_id for endpoint in asked.response.node_endpoints] == [2]


def test_each_partition_of_a_request_is_waited_for(sim: Simulation) -> None:
    sim.topic("two", [[1, 2], [1, 3]])
    sim.freeze(2, topic="two")
    sim.freeze(3, topic="two", index=1)
    parts = [ProducePartition(index=index, records=batch_of(b"v").data) for index in (0, 1)]
    body = ProduceRequest(
        acks=ALL, timeout_ms=1000, topic_data=[ProduceTopic(name="two", partition_data=parts)]
    )
    asked = sim.ask(body, to=1, version=9)
    sim.catch_up(2, topic="two")
    assert not asked.answered
    sim.wait(1000)
    codes = [part.error_code for part in asked.response.responses[0].partition_responses]
    assert codes == [ErrorCode.NONE, ErrorCode.REQUEST_TIMED_OUT]


def test_a_topic_that_is_deleted_under_a_waiting_produce_ends_the_wait(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v")
    sim.delete()
    assert asked.only.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
