"""After a while the preferred replica leads again, unless it is told not to."""

from tests.core.simulation import Simulation

INTERVAL_MS = 300_000


def test_the_preferred_replica_leads_again_at_the_next_look() -> None:
    sim = Simulation()
    sim.topic()
    sim.world.crash(1)
    sim.world.restart(1)
    assert sim.partition().leader == 2

    sim.advance(INTERVAL_MS - 1)
    assert sim.partition().leader == 2
    sim.advance(1)

    assert sim.partition().leader == 1
    assert sim.partition().leader_epoch == 2


def test_one_that_is_out_of_sync_is_asked_again_later() -> None:
    sim = Simulation()
    sim.topic()
    sim.world.crash(1)
    sim.advance(INTERVAL_MS)
    assert sim.partition().leader == 2

    sim.world.restart(1)
    sim.advance(INTERVAL_MS)

    assert sim.partition().leader == 1


def test_it_can_be_switched_off() -> None:
    sim = Simulation(config={"auto.leader.rebalance.enable": "false"})
    sim.topic()
    sim.world.crash(1)
    sim.world.restart(1)

    sim.advance(10 * INTERVAL_MS)

    assert sim.partition().leader == 2


def test_the_interval_can_be_chosen() -> None:
    sim = Simulation(config={"leader.imbalance.check.interval.seconds": 5})
    sim.topic()
    sim.world.crash(1)
    sim.world.restart(1)

    sim.advance(5_000)

    assert sim.partition().leader == 1
