"""Steps, sessions and the ways in which a broker gets lost and comes back."""

from __future__ import annotations

from random import Random

import pytest

from mockbroker.core import world as world_module
from mockbroker.core.image import NO_LEADER
from mockbroker.core.world import PRODUCER_ID_BLOCK, World
from tests.core.simulation import LEADER, TOPIC, Simulation

SESSION_MS = 9_000


@pytest.fixture
def patient() -> Simulation:
    """A cluster that notices a death as late as Kafka does."""
    simulation = Simulation(friendly=False)
    simulation.topic(min_insync_replicas="2")
    return simulation


def believed_alive(sim: Simulation) -> list[int]:
    return [broker.id for broker in sim.world.controller.image.live_brokers()]


# -- steps -------------------------------------------------------------------------------------------


def test_what_is_put_off_happens_within_the_step_and_the_last_things_last(sim: Simulation) -> None:
    story: list[str] = []
    sim.world.when_settled(lambda: story.append("at last"))

    def soon() -> None:
        story.append("soon")
        sim.world.soon(lambda: story.append("and after it"))

    sim.world.soon(soon)
    sim.world.settle()
    assert story == ["soon", "and after it", "at last"]


def test_settling_within_a_step_leaves_the_work_to_the_step(sim: Simulation) -> None:
    story: list[str] = []

    def inner() -> None:
        sim.world.soon(lambda: story.append("later"))
        sim.world.settle()
        story.append("inner is done")

    sim.world.soon(inner)
    sim.world.settle()
    assert story == ["inner is done", "later"]


def test_a_step_without_end_is_a_bug_and_not_a_hang(sim: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "SETTLE_ROUNDS_MAX", 50)

    def again() -> None:
        sim.world.soon(again)

    again()
    with pytest.raises(AssertionError, match="no end after 50 rounds"):
        sim.world.settle()


def test_those_who_look_out_look_after_every_step(sim: Simulation) -> None:
    seen: list[int] = []
    sim.world.lookouts.append(lambda: seen.append(sim.leader().high_watermark))
    sim.produce(b"a")
    sim.produce(b"b")
    assert seen == [1, 2]


def test_one_seed_is_one_world() -> None:
    worlds = [World(brokers=[1, 2], random=Random(seed)) for seed in (7, 7, 8)]
    ids = [(world.controller.image.cluster_id, world.new_id()) for world in worlds]
    assert ids[0] == ids[1] != ids[2]


def test_blocks_of_producer_ids_do_not_overlap(sim: Simulation) -> None:
    first, second = sim.world.producer_id_block(), sim.world.producer_id_block()
    assert (first.start, first.stop, second.start) == (0, PRODUCER_ID_BLOCK, PRODUCER_ID_BLOCK)


# -- being missed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["crash", "pause", "isolate"])
def test_a_broker_is_missed_when_its_session_is_over(patient: Simulation, how: str) -> None:
    getattr(patient.world, how)(1)
    patient.advance(SESSION_MS - 1)
    assert believed_alive(patient) == [1, 2, 3]
    patient.advance(1)
    assert believed_alive(patient) == [2, 3]
    assert patient.partition().leader == 2


@pytest.mark.parametrize(("how", "back"), [("crash", "restart"), ("pause", "resume"), ("isolate", "heal")])
def test_a_broker_that_is_back_in_time_is_not_missed(patient: Simulation, how: str, back: str) -> None:
    getattr(patient.world, how)(2)
    patient.advance(5_000)
    getattr(patient.world, back)(2)
    # Gone again: a session begins anew, and the old one must not end it early.
    getattr(patient.world, how)(2)
    patient.advance(5_000)
    assert believed_alive(patient) == [1, 2, 3]
    patient.advance(4_000)
    assert believed_alive(patient) == [1, 3]


def test_what_keeps_a_broker_silent_first_counts(patient: Simulation) -> None:
    patient.world.isolate(2)
    patient.advance(5_000)
    patient.world.pause(2)
    patient.advance(4_000)
    assert believed_alive(patient) == [1, 3]


def test_a_broker_that_is_healed_and_still_paused_stays_silent(patient: Simulation) -> None:
    patient.world.isolate(2)
    patient.world.pause(2)
    patient.world.heal(2)
    patient.advance(SESSION_MS)
    assert believed_alive(patient) == [1, 3]
    patient.world.resume(2)
    assert believed_alive(patient) == [1, 2, 3]


def test_a_friendly_cluster_misses_the_dead_at_once_and_the_paused_as_late_as_kafka(sim: Simulation) -> None:
    sim.world.crash(3)
    assert believed_alive(sim) == [1, 2]
    sim.world.pause(2)
    assert believed_alive(sim) == [1, 2]
    sim.advance(SESSION_MS)
    assert believed_alive(sim) == [1]


def test_a_test_may_say_when_a_death_is_noticed(sim: Simulation) -> None:
    sim.world.crash(3, noticed_ms=100)
    sim.advance(99)
    assert believed_alive(sim) == [1, 2, 3]
    sim.advance(1)
    assert believed_alive(sim) == [1, 2]


# -- coming back -------------------------------------------------------------------------------------


def test_a_broker_comes_back_with_what_was_on_disk(sim: Simulation) -> None:
    sim.produce(b"before")
    sim.world.crash(3)
    sim.produce(b"meanwhile")
    assert sim.log(3) == [b"before"]
    sim.world.restart(3)
    assert sim.log(3) == [b"before", b"meanwhile"]
    assert set(sim.partition().isr) == {1, 2, 3}


def test_a_broker_that_starts_out_of_reach_registers_when_it_is_healed(sim: Simulation) -> None:
    epoch = sim.world.controller.image.brokers[2].epoch
    sim.world.isolate(2)
    sim.world.crash(2)
    sim.world.restart(2)
    sim.produce(b"v", acks=LEADER)
    assert sim.log(2) == []
    sim.world.heal(2)
    assert sim.world.controller.image.brokers[2].epoch > epoch
    assert sim.log(2) == [b"v"]


def test_a_broker_healed_while_it_stood_still_asks_for_what_it_missed_when_it_goes_on(
    patient: Simulation,
) -> None:
    patient.world.isolate(3)
    patient.produce(b"v", acks=LEADER)
    patient.world.pause(3)
    patient.world.heal(3)
    patient.world.resume(3)
    assert patient.log(3) == [b"v"]
    assert patient.leader().high_watermark == 1


def test_followers_find_a_leader_again_that_was_away_unnoticed(patient: Simulation) -> None:
    patient.world.isolate(1)
    patient.produce(b"v", acks=LEADER)
    assert patient.log(2) == []
    patient.world.heal(1)
    assert patient.log(2) == patient.log(3) == [b"v"]


def test_two_who_are_cut_off_do_not_find_each_other_until_both_are_healed(patient: Simulation) -> None:
    for broker in (1, 3):
        patient.world.isolate(broker)
    patient.produce(b"v", acks=LEADER)
    patient.world.heal(1)
    assert (patient.log(2), patient.log(3)) == ([b"v"], [])
    patient.world.heal(3)
    assert patient.log(3) == [b"v"]


def test_a_paused_leader_does_nothing_and_then_all_of_it(patient: Simulation) -> None:
    patient.world.pause(1)
    asked = patient.produce(b"v", patience_ms=500)
    patient.wait(1000)
    assert not asked.answered
    assert patient.log(1) == []
    patient.world.resume(1)
    assert asked.only.base_offset == 0
    assert patient.log(3) == [b"v"]


def test_a_paused_leader_that_was_replaced_says_so_when_it_goes_on(patient: Simulation) -> None:
    patient.freeze(2, 3)
    waiting = patient.produce(b"lost")
    patient.world.pause(1)
    patient.advance(SESSION_MS)
    patient.catch_up(2, 3)
    patient.produce(b"kept")
    assert not waiting.answered
    patient.world.resume(1)
    assert (waiting.only.error_code, waiting.only.current_leader.leader_id) == (6, 2)
    assert patient.log(1) == [b"kept"]
    assert set(patient.partition().isr) == {1, 2, 3}


def test_an_isolated_leader_takes_what_it_must_lose(sim: Simulation) -> None:
    sim.world.isolate(1)
    assert sim.partition().leader == 2
    assert sim.produce(b"lost", acks=LEADER, to=1).only.error_code == 0
    waiting = sim.produce(b"lost too", to=1)
    assert not waiting.answered
    sim.world.heal(1)
    assert waiting.only.error_code == 6
    assert sim.log(1) == []


def test_when_all_are_dead_whoever_is_safe_and_comes_first_leads(sim: Simulation) -> None:
    sim.produce(b"v")
    for broker in (3, 1, 2):
        sim.world.crash(broker)
    assert sim.partition().leader == NO_LEADER
    sim.world.restart(3)
    assert sim.partition().leader == NO_LEADER
    sim.world.restart(1)
    # Killed, it is no longer trusted; but 2 was safe, too, and is the last hope now.
    assert (sim.partition().leader, sim.partition().elr) == (NO_LEADER, (2,))
    sim.world.restart(2)
    assert sim.partition().leader == 2
    assert sim.read() == [b"v"]


def test_addresses_are_what_clients_are_told(sim: Simulation) -> None:
    sim.world.set_address(2, "elsewhere", 1234)
    for node in sim.world.nodes.values():
        assert (node.image.brokers[2].host, node.image.brokers[2].port) == ("elsewhere", 1234)
    assert sim.produce(b"v", topic=TOPIC).only.base_offset == 0
