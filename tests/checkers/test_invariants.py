"""Each invariant of the brokers, broken by hand; and none of them in worlds that are only in trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockbroker import Cluster
from mockbroker.checkers.case import Case, gather
from mockbroker.checkers.invariants import breaches
from mockbroker.handles.verdicts import MockbrokerBroken
from mockbroker.ledger.book import Ledger
from mockbroker.ledger.entries import Ack, Election, Sent, Served
from mockbroker.ledger.fates import LOST, STORED
from mockbroker.records.batch import Batch
from tests.core.simulation import ALL, LEADER, TOPIC, Simulation, batch_of

PLACE = (TOPIC, 0)


@pytest.fixture
def sim() -> Simulation:
    sim = Simulation()
    sim.world.witness = Ledger(sim.world)
    sim.topic()
    for value in (b"a", b"b"):
        sim.produce(value)
    return sim


def case(sim: Simulation) -> Case:
    assert isinstance(sim.world.witness, Ledger)
    return gather(sim.world, sim.world.witness)


def found(sim: Simulation) -> list[str]:
    return breaches(sim.world, case(sim))


def test_all_is_well(sim: Simulation) -> None:
    assert found(sim) == []


def test_a_high_watermark_beyond_the_log(sim: Simulation) -> None:
    sim.replica(2).high_watermark = 9
    assert [line for line in found(sim) if "high watermark 9 is outside of 0 to 2" in line]


def test_offsets_that_come_twice(sim: Simulation) -> None:
    log = sim.replica(2).log
    log.batches.append(log.batches[0])
    assert [line for line in found(sim) if "offset 0 comes after 1" in line]


def test_epochs_that_go_back(sim: Simulation) -> None:
    log = sim.replica(2).log
    log.batches[0].leader_epoch = 5
    assert [line for line in found(sim) if "I10: epoch 0 comes after 5" in line]


def test_in_sync_copies_that_differ(sim: Simulation) -> None:
    log = sim.replica(2).log
    log.batches[:] = [log.batches[0].place(0, 3), *log.batches[1:]]
    assert [line for line in found(sim) if "differ below offset 2" in line]


def test_a_copy_that_lags_behind_breaks_nothing(sim: Simulation) -> None:
    sim.freeze(2, 3)
    sim.produce(b"c", acks=LEADER)
    assert found(sim) == []


@pytest.mark.parametrize(
    ("acks", "unclean", "broken"), [(ALL, False, True), (ALL, True, False), (LEADER, False, False)]
)
def test_what_all_had_is_gone(sim: Simulation, acks: int, *, unclean: bool, broken: bool) -> None:
    sent = Sent(0, "app", 1, 1, PLACE, b"", acks, 1, ack=Ack.ACKED, base_offset=0)
    given = Case([sent], [LOST], elections={(PLACE, b""): [Election(0, 2, 1, unclean=unclean)]})
    assert [line for line in breaches(sim.world, given) if line.startswith("I2")] == (
        [
            "I2: orders-0@0 from app at t+0.0 ms was acknowledged with acks=all, and is gone after clean elections only"
        ]
        if broken
        else []
    )


def test_a_sequence_that_is_stored_twice(sim: Simulation) -> None:
    log = sim.leader().log
    for offset in (2, 3):
        log.append(batch_of(b"x", producer=(7, 0, 0)).place(offset, 0))
    assert [line for line in found(sim) if "I3: " in line and "sequence 0 of producer 7 at 2 and 3" in line]


def test_a_sequence_that_a_test_stores_twice_is_its_own_affair(sim: Simulation) -> None:
    for _ in range(2):
        sim.leader().append(batch_of(b"x", producer=(7, 0, 0)))
    assert found(sim) == []


def test_a_producer_that_was_forgotten_may_begin_anew(sim: Simulation) -> None:
    for offset in (2, 3):
        sim.leader().log.append(batch_of(b"x", producer=(7, 0, 0)).place(offset, 0))
    sim.advance(sim.world.nodes[1].producer_id_expiration_ms)
    assert not [line for line in found(sim) if line.startswith("I3")]


@pytest.mark.parametrize(("stable", "broken"), [(1, True), (2, False)])
def test_records_that_were_not_stable(sim: Simulation, stable: int, *, broken: bool) -> None:
    given = case(sim)
    topic_id = given.sent[0].topic_id
    served = Served(0, "c1", 1, 1, PLACE, 0, 2, committed_only=True, last_stable=stable, topic_id=topic_id)
    lines = breaches(sim.world, replace(given, served=[served]))
    assert [line for line in lines if line.startswith("I4: orders-0@1")] == (lines if broken else [])
    uncommitted = replace(given, served=[replace(served, committed_only=False)])
    assert breaches(sim.world, uncommitted) == []


def test_a_bug_of_mockbroker_is_not_blamed_on_the_test() -> None:
    with Cluster(brokers=3, topics={TOPIC: 1}) as cluster:
        cluster.topic(TOPIC).append("o-1", b"paid")
        node = cluster.world.nodes[cluster.leader_of(TOPIC).id]

        def break_it() -> None:
            node.replicas[PLACE].log.batches.append(Batch.parse(batch_of(b"x").data))

        cluster.do(break_it)
        with pytest.raises(
            MockbrokerBroken, match="mockbroker has a bug, and your test has not; please report it"
        ):
            cluster.check(raises=False)


def test_states_are_those_of_the_batches(sim: Simulation) -> None:
    assert list(case(sim).states) == [STORED, STORED]
