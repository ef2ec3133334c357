"""One broker: its roles, its timers, its memory and what it forgets."""

from __future__ import annotations

import pytest

from mockbroker.core.links import CONTROLLER, Message
from mockbroker.core.messages import MetadataUpdate
from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode, KafkaError
from tests.core.simulation import LEADER, TOPIC, Simulation


def code_of(sim: Simulation, topic: str, index: int, broker: int = 1) -> ErrorCode:
    with pytest.raises(KafkaError) as refused:
        sim.world.nodes[broker].leader_of(topic, index)
    return ErrorCode(refused.value.code)


# -- roles -------------------------------------------------------------------------------------------


def test_a_broker_knows_what_it_leads_and_what_there_is(sim: Simulation) -> None:
    sim.topic("other", [[2]])
    assert sim.world.nodes[1].leader_of(TOPIC, 0).leading
    assert code_of(sim, TOPIC, 0, broker=2) == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert code_of(sim, "other", 0) == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert code_of(sim, "nothing", 0) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert code_of(sim, TOPIC, 1) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_metadata_that_is_older_than_what_is_known_changes_nothing(sim: Simulation) -> None:
    held: list[Message] = []

    def hold(message: Message) -> bool:
        if isinstance(message, MetadataUpdate) and message.target == 1 and not held:
            held.append(message)
            return False
        return True

    sim.world.links.between = hold
    for leader in (2, 3):
        sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
        sim.world.settle()
    sim.world.links.redeliver(held[0])
    sim.world.settle()
    assert (sim.replica(1).leader, sim.replica(1).leader_epoch) == (3, 2)


def test_an_update_that_was_missed_is_made_up_for_by_the_next(sim: Simulation) -> None:
    sim.topic("other", [[1, 2]])
    sim.world.links.between = lambda message: (
        not (isinstance(message, MetadataUpdate) and message.target == 1)
    )
    sim.delete("other")
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    sim.world.links.between = None
    sim.topic("new", [[1]])
    assert list(sim.world.nodes[1].replicas) == [(TOPIC, 0), ("new", 0)]
    assert not sim.replica(1).leading


def test_a_follower_that_hears_of_a_leader_before_the_leader_does_is_served_in_the_end(
    sim: Simulation,
) -> None:
    sim.world.links.slow(2, CONTROLLER, 100)
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    assert sim.replica(3).leader == 2
    assert not sim.replica(2).leading
    sim.advance(100)
    sim.produce(b"v")
    assert sim.log(3) == [b"v"]


def test_a_topic_that_was_deleted_while_a_broker_was_down_is_gone_when_it_is_back(sim: Simulation) -> None:
    sim.topic("other", [[1, 2], [1, 2]])
    sim.world.crash(2)
    sim.delete("other")
    sim.world.restart(2)
    assert list(sim.world.nodes[2].replicas) == [(TOPIC, 0)]


def test_nothing_is_left_of_a_topic_that_was_made_anew_while_a_broker_was_down(sim: Simulation) -> None:
    sim.topic("other", [[2], [2]])
    sim.produce(b"old", topic="other")
    sim.world.crash(2)
    sim.delete("other")
    sim.topic("other", [[2]])
    sim.world.restart(2)
    assert sim.log(2, "other") == []
    assert code_of(sim, "other", 1, broker=2) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


# -- time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", ["clock", "patience"])
def test_what_a_broker_planned_dies_with_it(sim: Simulation, clock: str) -> None:
    node, done = sim.world.nodes[2], []
    plan = node.call_in if clock == "clock" else node.patient_in
    plan(10, lambda: done.append("before"))
    sim.world.crash(2)
    sim.world.restart(2)
    plan(10, lambda: done.append("after"))
    getattr(sim.world, clock).advance(10)
    assert done == ["after"]


def test_a_paused_broker_does_what_is_due_when_it_goes_on(sim: Simulation) -> None:
    node, done = sim.world.nodes[2], []
    node.call_in(10, lambda: done.append("due"))
    cancelled = node.call_in(10, lambda: done.append("cancelled"))
    moved = node.call_in(10, lambda: done.append("moved"))
    sim.world.pause(2)
    sim.advance(10)
    cancelled.cancel()
    moved.move(sim.world.clock.now + 10)
    assert done == []
    sim.world.resume(2)
    assert done == ["due"]
    sim.advance(10)
    assert done == ["due", "moved"]


def test_a_crash_ends_a_pause_and_what_was_put_off(sim: Simulation) -> None:
    node, done = sim.world.nodes[2], []
    node.call_in(10, lambda: done.append("due"))
    sim.world.pause(2)
    sim.advance(10)
    sim.world.crash(2)
    sim.world.restart(2)
    assert (node.paused, done) == (False, [])
    sim.produce(b"v")
    assert sim.log(2) == [b"v"]


# -- memory ------------------------------------------------------------------------------------------


def test_the_doors_are_told_of_a_crash_a_restart_and_the_end_of_a_pause(sim: Simulation) -> None:
    node, told = sim.world.nodes[2], []
    node.on_crash.append(lambda: told.append("crash"))
    node.on_restart.append(lambda: told.append("restart"))
    node.on_resume.append(lambda: told.append("resume"))
    sim.world.crash(2)
    sim.world.restart(2)
    sim.world.pause(2)
    sim.world.resume(2)
    assert told == ["crash", "restart", "resume"]


def test_who_waited_for_a_broker_that_crashed_is_not_answered(sim: Simulation) -> None:
    sim.freeze(2, 3)
    produced, fetched = sim.produce(b"v"), sim.fetch(0, max_wait_ms=1000)
    sim.world.crash(1)
    sim.wait(60_000)
    assert not produced.answered
    assert not fetched.answered


def test_producers_are_known_again_from_the_log_after_a_crash(sim: Simulation) -> None:
    sim.topic("single", [[1]])
    sim.produce(b"v", topic="single", producer=(5, 0, 0))
    sim.world.crash(1)
    sim.world.restart(1)
    assert sim.produce(b"v", topic="single", producer=(5, 0, 0)).only.base_offset == 0
    assert sim.log(1, "single") == [b"v"]


def test_out_of_the_controllers_reach_a_broker_keeps_a_request_until_its_time_is_over(
    sim: Simulation,
) -> None:
    node = sim.world.nodes[2]
    assert node.forward(lambda controller: controller.image.controller_id, timeout_ms=500) == 1
    sim.world.isolate(2)
    reply = node.forward(lambda controller: controller.image.controller_id, timeout_ms=500)
    assert isinstance(reply, Ticket)
    sim.wait(499)
    assert not reply.done
    sim.wait(1)
    assert isinstance(reply.result, KafkaError)
    assert reply.result.code == ErrorCode.REQUEST_TIMED_OUT


def test_a_dead_broker_hears_nothing(sim: Simulation) -> None:
    sim.world.crash(3)
    version = sim.world.nodes[3].image.version
    sim.topic("new", [[1, 3]])
    sim.produce(b"v", topic="new", acks=LEADER)
    assert sim.world.nodes[3].image.version == version
