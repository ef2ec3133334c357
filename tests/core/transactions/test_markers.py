"""Markers: every partition gets one, whatever is lost, silent, late, dead or deleted."""

from __future__ import annotations

import pytest

from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC
from mockbroker.core.links import Message
from mockbroker.core.messages import (
    WriteTxnMarkers,
    WriteTxnMarkersResponse,
)
from mockbroker.protocol.apis import Api
from mockbroker.protocol.messages.transactions import WritableTxnMarker, WritableTxnMarkerTopic
from tests.core.simulation import TOPIC, Simulation
from tests.core.transactions.payer import FIRST, Payer, code, coordinated
from tests.core.transactions.trouble import PATIENCE_MS, Meddler, is_hanging, opened


@pytest.mark.parametrize("lost", [WriteTxnMarkers, WriteTxnMarkersResponse])
def test_a_lost_marker_is_asked_for_again_soon(sim: Simulation, payer: Payer, lost: type[Message]) -> None:
    opened(payer)
    meddler = Meddler(sim, lost)
    payer.end()
    meddler.stop()
    meddler.lose()
    assert payer.state == "PrepareCommit"
    sim.advance(100)
    assert payer.state == "CompleteCommit"
    assert sim.read(isolation=1) == [b"paid"]


def test_a_silent_leader_is_asked_again_while_another_one_refuses(sim: Simulation, payer: Payer) -> None:
    opened(payer, place=(TOPIC, 0))
    opened(payer, place=(TOPIC, 1))
    silent = Meddler(sim, WriteTxnMarkers, when=lambda message: message.topic == TOPIC and message.index == 0)  # type: ignore[attr-defined]  # only these are looked at
    leader = sim.partition(TOPIC, 1).leader
    sim.configure(min_insync_replicas="3")
    sim.world.crash(next(id for id in sim.world.nodes if id not in (leader, payer.coordinator.id)), 0)
    assert not sim.leader(TOPIC, 1).enough_in_sync()
    payer.end()
    before = len(silent.kept)
    sim.advance(PATIENCE_MS + 1_000)
    assert len(silent.kept) == before + 1


def test_a_late_word_of_a_leader_does_not_count_for_the_next_transaction(sim: Simulation) -> None:
    """With the first protocol both have the same id and epoch."""
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    opened(payer)
    meddler = Meddler(sim, WriteTxnMarkersResponse)
    payer.end()
    sim.advance(PATIENCE_MS)  # it is asked for again, and answered again
    assert len(meddler.kept) == 2
    meddler.let_go(1)
    assert payer.state == "CompleteCommit"

    opened(payer, b"next")
    payer.end()
    meddler.let_go(1)
    assert payer.state == "PrepareCommit"
    meddler.let_go()
    assert payer.state == "CompleteCommit"


def test_a_leader_that_dies_with_a_marker_is_asked_again_when_it_is_back(
    sim: Simulation, payer: Payer
) -> None:
    opened(payer)
    leader = next(id for id in sim.world.nodes if id != payer.coordinator.id)
    sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
    sim.world.settle()
    Meddler(sim, WriteTxnMarkers)
    payer.end()
    sim.world.links.between = None
    sim.world.crash(leader, 60_000)  # nobody notices
    assert payer.state == "PrepareCommit"
    sim.world.restart(leader)
    sim.advance(1_000)
    assert payer.state == "CompleteCommit"


def test_deleted_partitions_need_no_marker(sim: Simulation, payer: Payer) -> None:
    sim.topic("refunds", assignments=[(1, 2, 3), (1, 2, 3)])
    opened(payer, place=("refunds", 1))
    opened(payer)
    Meddler(sim, WriteTxnMarkers, when=lambda message: message.topic == "refunds")  # type: ignore[attr-defined]  # see above
    payer.end()
    assert payer.state == "PrepareCommit"
    sim.cut_off_controller()
    sim.delete("refunds")
    sim.topic("refunds")  # it has one partition now
    sim.bring_back_controller()
    assert payer.state == "CompleteCommit"


def test_a_coordinator_gives_up_where_a_partition_knows_a_newer_epoch(sim: Simulation) -> None:
    """As Kafka's does (case 178a): an admin's marker has got ahead of it, and the id stays busy."""
    payer = Payer(sim)
    payer.begin()
    opened(payer)
    opened(payer, place=(TOPIC, 1))
    marker = WritableTxnMarker(
        producer_id=payer.id,
        producer_epoch=payer.epoch + 5,
        topics=[WritableTxnMarkerTopic(name=TOPIC, partition_indexes=[0])],
    )
    sim.ask(Api.WRITE_TXN_MARKERS.request(markers=[marker]), to=sim.leader_id(TOPIC, 0))
    assert code(payer.end()) == "NONE"
    sim.advance(PATIENCE_MS)
    assert payer.state == "PrepareCommit"
    assert payer.shard.markers.outstanding(payer.name) == [(TOPIC, 0)]
    assert code(payer.begin()) == "CONCURRENT_TRANSACTIONS"


def test_a_marker_on_a_road_that_breaks_is_asked_for_again(sim: Simulation, payer: Payer) -> None:
    leader = next(id for id in sim.world.nodes if id != payer.coordinator.id)
    if sim.leader_id() != leader:
        sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
        sim.world.settle()
    opened(payer)
    meddler = Meddler(sim, WriteTxnMarkers)
    payer.end()
    meddler.stop()
    sim.world.links.cut(payer.coordinator.id, leader)
    sim.world.links.mend(payer.coordinator.id, leader)
    sim.world.nodes[leader].reconnected([payer.coordinator.id])
    sim.world.settle()
    sim.advance(100)
    assert payer.state == "CompleteCommit"


def test_a_leader_that_is_gone_unnoticed_gets_its_marker_when_it_is_back() -> None:
    sim = Simulation(brokers=4)
    coordinated(sim)
    payer = Payer(sim)
    payer.begin()
    (leader,) = set(sim.world.nodes) - set(sim.partition(TRANSACTIONS_TOPIC, payer.index).replicas)
    sim.topic(assignments=[(leader,)])
    opened(payer)
    sim.world.crash(leader, 60_000)
    assert code(payer.end()) == "NONE"
    assert payer.state == "PrepareCommit"
    sim.world.restart(leader)
    assert payer.state == "CompleteCommit"
    assert not is_hanging(sim)


def test_a_marker_is_not_written_while_too_few_are_in_sync(sim: Simulation, payer: Payer) -> None:
    opened(payer)
    sim.configure(min_insync_replicas="3")
    gone = next(id for id in sim.world.nodes if id not in (sim.leader_id(), payer.coordinator.id))
    sim.world.crash(gone, 0)
    assert not sim.leader().enough_in_sync()
    payer.end()
    assert payer.state == "PrepareCommit"
    assert len(sim.leader().log.batches) == 1
    sim.world.restart(gone)
    sim.advance(1_000)
    assert payer.state == "CompleteCommit"
