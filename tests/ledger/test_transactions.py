"""What the ledger notes of transactions, and what is said of them: real worlds, no libraries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mockbroker.checkers.case import gather
from mockbroker.checkers.transactions import lost_transaction, torn_transaction
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC
from mockbroker.core.messages import WriteTxnMarkers
from mockbroker.core.transactions.records import TransactionRecord
from mockbroker.core.transactions.states import TxnState
from mockbroker.ledger.book import Ledger
from mockbroker.ledger.transactions import TransactionNotes
from mockbroker.records.builder import ControlType, build_control_batch
from tests.core.simulation import LEADER, TOPIC
from tests.core.transactions.payer import FIRST, SECOND, Payer, code, coordinated
from tests.core.transactions.trouble import Meddler
from tests.ledger.test_notes import Noted

HERE, THERE = (TOPIC, 0), ("two", 0)
P, V, N = Outcome.PROVED, Outcome.VIOLATED, Outcome.NOT_EXERCISED


@pytest.fixture
def sim() -> Noted:
    """Two partitions, led by brokers 1 and 2, and coordinators."""
    sim = Noted()
    sim.topic("two", [(2, 3, 1)])
    coordinated(sim)
    return sim


@pytest.fixture(params=[FIRST, SECOND], ids=["first protocol", "second protocol"])
def payer(sim: Noted, request: pytest.FixtureRequest) -> Payer:
    return begun(sim, request.param)


def begun(sim: Noted, versions: dict[str, int]) -> Payer:
    payer = Payer(sim, versions=versions)
    assert code(payer.begin()) == "NONE"
    return payer


def write(payer: Payer, *places: tuple[str, int]) -> None:
    for place in places or (HERE, THERE):
        if payer.versions is FIRST:
            assert code(payer.add(place)) == "NONE"
        assert code(payer.send(b"paid", place=place)) == "NONE"


def notes(sim: Noted) -> TransactionNotes:
    return sim.ledger.transactions


def torn(sim: Noted) -> Verdict:
    return torn_transaction(gather(sim.world, sim.ledger))


def lost(sim: Noted) -> Verdict:
    return lost_transaction(gather(sim.world, sim.ledger))


@pytest.mark.parametrize("commit", [True, False])
def test_an_end_is_noted_from_the_request_to_the_markers(sim: Noted, payer: Payer, *, commit: bool) -> None:
    write(payer)
    epoch = payer.epoch
    assert code(payer.end(commit=commit)) == "NONE"

    (ended,), (decided,) = notes(sim).ended, notes(sim).decided
    assert (ended.transactional_id, ended.producer_id, ended.epoch) == (payer.name, payer.id, epoch)
    assert (ended.commit, ended.error, ended.lost) == (commit, "", False)
    assert (decided.commit, decided.complete, decided.producer_id) == (commit, True, payer.id)
    markers = [one for one in notes(sim).written if one.commit is not None]
    assert {(one.place, one.commit) for one in markers} == {(HERE, commit), (THERE, commit)}
    assert sim.ledger.sent[-1].order < ended.asked < decided.order < min(one.order for one in markers)
    assert (torn(sim).outcome, lost(sim).outcome) == (P, P if commit else N)


def test_an_end_of_which_nobody_was_told(sim: Noted, payer: Payer) -> None:
    write(payer)
    with sim.faults.after("EndTxn").disconnect():
        payer.end()
    (ended,) = notes(sim).ended
    assert (ended.lost, bool(ended.error)) == (True, True)
    assert (torn(sim).outcome, lost(sim).outcome) == (P, N)


def test_a_connection_that_ends_before_the_answer_has_left(sim: Noted, payer: Payer) -> None:
    write(payer)
    payer.end()
    (ended,) = notes(sim).ended
    assert lost(sim).outcome is P
    sim.ledger.closed(sim.peer(ended.client_id))
    assert ended.lost
    assert lost(sim).outcome is N


def test_a_refused_end(sim: Noted, payer: Payer) -> None:
    write(payer)
    payer.end(epoch=payer.epoch + 5)
    assert [one.error for one in notes(sim).ended] == ["PRODUCER_FENCED"]


def test_offsets_of_a_group_are_a_part(sim: Noted, payer: Payer) -> None:
    write(payer, HERE)
    payer.add_offsets()
    assert code(payer.keep(5)) == "NONE"
    payer.end()
    offsets = [one for one in notes(sim).written if one.place == payer.group_place()]
    assert [one.commit for one in offsets] == [None, True]
    assert torn(sim).outcome is P


def test_a_marker_on_its_way_tears_nothing(sim: Noted, payer: Payer) -> None:
    write(payer)
    held = Meddler(
        sim, WriteTxnMarkers, when=lambda said: isinstance(said, WriteTxnMarkers) and said.topic == "two"
    )
    assert code(payer.end()) == "NONE"
    assert (torn(sim).outcome, lost(sim).outcome) == (N, P)
    assert "of 1 more not all markers have arrived yet" in torn(sim).evidence
    held.stop()
    held.let_go()
    assert torn(sim).outcome is P


def test_a_decision_that_a_new_coordinator_carries_out_is_noted_once(sim: Noted, payer: Payer) -> None:
    write(payer)
    held = Meddler(sim, WriteTxnMarkers)
    assert code(payer.end()) == "NONE"
    held.stop()
    old = payer.coordinator.id
    heir = next(id for id in sim.partition(TRANSACTIONS_TOPIC, payer.index).replicas if id != old)
    sim.world.controller.move_leader(TRANSACTIONS_TOPIC, payer.index, heir, unclean=False)
    sim.world.settle()
    assert payer.state == "CompleteCommit"
    (decided,) = notes(sim).decided
    assert decided.complete
    assert torn(sim).outcome is P


def test_what_is_decided_is_said_again_by_whoever_takes_over_and_once_more_in_the_next_transaction() -> None:
    kept = TransactionNotes(10)
    prepared = TransactionRecord("payer", 7, 0, state=TxnState.PREPARE_COMMIT)
    for state in (prepared, prepared, replace(prepared, state=TxnState.COMPLETE_COMMIT), prepared):
        kept.moved(state, 0)
    assert [one.complete for one in kept.decided] == [True, False]


def end_by_hand(sim: Noted, payer: Payer, place: tuple[str, int], *, commit: bool) -> None:
    """An admin ends a producer's transaction in one partition, as `kafka-transactions.sh abort` does."""
    kind = ControlType.COMMIT if commit else ControlType.ABORT
    sim.leader(*place).append(
        build_control_batch(
            kind, producer_id=payer.id, producer_epoch=payer.epoch, coordinator_epoch=0, timestamp=0
        )
    )
    sim.world.settle()


def test_a_part_that_somebody_else_has_ended(sim: Noted) -> None:
    payer = begun(sim, FIRST)
    write(payer)
    end_by_hand(sim, payer, THERE, commit=False)
    assert code(payer.end()) == "NONE"
    found = torn(sim)
    assert (found.outcome, found.alarming) == (V, True)
    assert "two-0@0 was aborted" in found.evidence[0]
    assert lost(sim).outcome is P


def lose(sim: Noted) -> None:
    """An unclean election of a broker that has copied nothing of "two" since it was frozen."""
    sim.world.controller.move_leader("two", 0, 3, unclean=True)
    sim.world.settle()


def shrunk(sim: Noted) -> None:
    """Only the leader of "two" is in sync, and what it writes is nobody else's."""
    sim.freeze(3, 1, topic="two")
    sim.produce(b"first", topic="two", acks=LEADER)
    sim.advance(31_000)
    assert sim.partition("two").isr == (2,)


def test_a_committed_part_that_an_unclean_election_has_lost(sim: Noted, payer: Payer) -> None:
    shrunk(sim)
    write(payer)
    assert code(payer.end()) == "NONE"
    lose(sim)
    found = torn(sim)
    assert (found.outcome, found.evidence[0].split(": ")[-1]) == (V, "two-0@1 is gone")
    assert lost(sim).outcome is P


def test_a_marker_that_an_unclean_election_has_lost(sim: Noted, payer: Payer) -> None:
    write(payer)
    shrunk(sim)
    assert code(payer.end()) == "NONE"
    assert torn(sim).outcome is P
    lose(sim)
    assert "two-0@0 has lost its marker" in torn(sim).evidence[0]


def test_all_of_a_committed_transaction_is_lost(sim: Noted, payer: Payer) -> None:
    shrunk(sim)
    write(payer, THERE)
    assert code(payer.end()) == "NONE"
    lose(sim)
    found = lost(sim)
    assert (found.outcome, found.alarming) == (V, True)
    assert "two-0@1 is gone" in found.evidence[0]


# -- Kafka's flaw: an end that comes late ends the next transaction (Jepsen, 2024) ---------------------


def late_end(sim: Noted, payer: Payer, *, commit: bool) -> Callable[[], int]:
    """A transaction whose end the client has asked for twice; the first request is still on its way."""
    write(payer, HERE)
    gate = sim.faults.on("EndTxn", nth=1).hold()
    late = payer.end(commit=commit)
    assert not late.answered
    assert code(payer.end(commit=commit)) == "NONE"
    return gate.release


@pytest.mark.parametrize("commit", [True, False])
def test_a_late_end_tears_the_next_transaction(sim: Noted, *, commit: bool) -> None:
    payer = begun(sim, FIRST)
    let_go = late_end(sim, payer, commit=not commit)
    write(payer, HERE)
    let_go()
    sim.world.settle()
    write(payer, THERE)
    assert code(payer.end(commit=commit)) == "NONE"

    (evidence,) = torn(sim).evidence
    assert torn(sim).outcome is V
    ways = ("committed", "aborted") if commit else ("aborted", "committed")
    assert f"its transaction is {ways[0]}, and {TOPIC}-0@2 had been {ways[1]}" in evidence


def test_a_late_abort_leaves_nothing_of_the_next_transaction(sim: Noted) -> None:
    payer = begun(sim, FIRST)
    let_go = late_end(sim, payer, commit=False)
    write(payer, HERE)
    let_go()
    sim.world.settle()
    assert code(payer.add(THERE)) == "NONE"
    assert code(payer.end()) == "NONE"
    assert lost(sim).outcome is V
    assert f"{TOPIC}-0@2 was aborted" in lost(sim).evidence[0]


@pytest.mark.parametrize("commit", [True, False])
def test_the_second_protocol_has_no_such_flaw(sim: Noted, *, commit: bool) -> None:
    payer = begun(sim, SECOND)
    let_go = late_end(sim, payer, commit=not commit)
    write(payer, HERE)
    let_go()
    sim.world.settle()
    write(payer, THERE)
    assert code(payer.end(commit=commit)) == "NONE"
    assert (torn(sim).outcome, lost(sim).outcome) == (P, P)


# -- what is forgotten ----------------------------------------------------------------------------------


def test_the_oldest_ends_are_forgotten_and_nothing_is_said_of_them(sim: Noted) -> None:
    sim.ledger = sim.world.witness = Ledger(sim.world, entries_max=4)
    payer = begun(sim, FIRST)
    for _ in range(5):
        write(payer)
        assert code(payer.end()) == "NONE"
    kept = notes(sim)
    assert [len(entries) for entries in (kept.ended, kept.decided, kept.written)] == [4, 4, 4]
    assert kept.since > 0
    assert (torn(sim).outcome, lost(sim).outcome) == (P, P)
    assert "1 transactions" in torn(sim).evidence[0]
    for found in (torn(sim), lost(sim)):
        assert found.evidence[1] == "the oldest transactions are forgotten, and not judged"


def test_a_forgotten_batch_makes_its_transaction_a_forgotten_one(sim: Noted, payer: Payer) -> None:
    sim.ledger = sim.world.witness = Ledger(sim.world, entries_max=3)
    write(payer)
    for _ in range(2):
        sim.produce(b"other", acks=LEADER)
    payer.end()
    assert [len(notes(sim).ended), sim.ledger.dropped] == [1, 1]
    assert (torn(sim).outcome, lost(sim).outcome) == (N, N)


def test_all_is_forgotten_at_a_reset(sim: Noted, payer: Payer) -> None:
    write(payer)
    payer.end()
    sim.ledger.forget()
    kept = notes(sim)
    assert [len(entries) for entries in (kept.ended, kept.decided, kept.written)] == [0, 0, 0]
    assert kept.since == 0
    assert (torn(sim).outcome, lost(sim).outcome) == (N, N)


def test_a_transaction_of_which_a_part_is_forgotten_is_not_judged(sim: Noted) -> None:
    sim.ledger = sim.world.witness = Ledger(sim.world, entries_max=1)
    payer = begun(sim, FIRST)
    write(payer)
    payer.end()
    assert (torn(sim).outcome, lost(sim).outcome) == (N, N)
