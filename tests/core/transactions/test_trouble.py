"""Transactions whose messages are late or lost, and whose coordinators are slow or die: no end is forgotten.

Each story is one that went wrong once, or that goes wrong in Kafka's first protocol.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC
from mockbroker.core.links import Message
from mockbroker.core.messages import (
    AddPartitionsToTxn,
    AddPartitionsToTxnResponse,
    WriteTxnMarkers,
    WriteTxnMarkersResponse,
)
from mockbroker.protocol.errors import ErrorCode
from mockbroker.records.batch import iter_records
from tests.core.simulation import TOPIC, Simulation
from tests.core.transactions.payer import FIRST, Payer, code
from tests.core.transactions.trouble import PATIENCE_MS, Meddler, hold_back, is_hanging, let_on, opened

# The last epoch that a producer may have, and the one behind it that only markers carry.
LAST, BEHIND_LAST = 32_766, 32_767


# -- verdicts that come too late -------------------------------------------------------------------------


def test_a_verdict_that_comes_after_the_end_opens_no_transaction(sim: Simulation, payer: Payer) -> None:
    if payer.versions is FIRST:
        payer.add((TOPIC, 0))
    meddler = Meddler(sim, AddPartitionsToTxnResponse)
    late = payer.send(b"late")
    assert meddler.kept
    assert code(payer.end(commit=False)) == "NONE"
    assert payer.state == "CompleteAbort"
    meddler.let_go()

    assert code(late) == "INVALID_TXN_STATE"
    assert not is_hanging(sim)
    assert sim.log(1) == []


def test_a_late_verdict_is_not_one_for_the_next_batch(sim: Simulation) -> None:
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    payer.add((TOPIC, 0))
    meddler = Meddler(sim, AddPartitionsToTxnResponse)
    late = payer.send(b"late")
    payer.end(commit=False)
    payer.add((TOPIC, 0))
    asked_again = payer.send(b"next", sequence=0)
    meddler.let_go(1)
    assert (code(late), asked_again.answered) == ("INVALID_TXN_STATE", False)
    meddler.let_go()
    assert code(asked_again) == "NONE"


def test_a_late_verdict_opens_no_transaction_for_offsets(sim: Simulation, payer: Payer) -> None:
    if payer.versions is FIRST:
        assert code(payer.add_offsets()) == "NONE"
    meddler = Meddler(sim, AddPartitionsToTxnResponse)
    late = payer.keep(5)
    payer.end(commit=False)
    meddler.let_go()

    assert code(late) == "INVALID_TXN_STATE"
    assert not is_hanging(sim, payer.group_place())


def test_offsets_of_an_open_transaction_are_not_asked_about_again(sim: Simulation, payer: Payer) -> None:
    payer.add_offsets()
    assert code(payer.keep(5)) == "NONE"
    meddler = Meddler(sim, AddPartitionsToTxn)
    assert code(payer.keep(6)) == "NONE"
    assert meddler.kept == []


def test_a_duplicate_is_one_also_where_its_verdict_is_late(sim: Simulation) -> None:
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    payer.add((TOPIC, 0))
    meddler = Meddler(sim, AddPartitionsToTxnResponse)
    resent = [payer.send(b"once", sequence=0) for _ in range(2)]
    meddler.let_go(1)
    payer.end()
    meddler.let_go()
    assert [code(asked) for asked in resent] == ["NONE", "NONE"]
    assert sim.log(1) == [b"once"]


def test_a_partition_of_the_transaction_before_is_not_part_of_the_next(sim: Simulation) -> None:
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    opened(payer)
    payer.end()
    assert payer.shard.transactions[payer.name].record.partitions == ()
    assert code(payer.send(b"not added", sequence=1)) == "INVALID_TXN_STATE"


def test_a_partition_that_was_not_led_here_is_not_written_to_when_it_is(sim: Simulation) -> None:
    """It was not asked about; and the client is told to look for its leader, not that something is broken."""
    payer = Payer(sim)
    payer.begin()
    meddler = Meddler(sim, AddPartitionsToTxnResponse)
    both = payer.send_everywhere((TOPIC, 0), (TOPIC, 1), to=1)
    sim.world.controller.move_leader(TOPIC, 1, 1, unclean=False)
    sim.world.settle()
    meddler.let_go()
    parts = both.response.responses[0].partition_responses
    assert [part.error_code for part in parts] == [ErrorCode.NONE, ErrorCode.NOT_LEADER_OR_FOLLOWER]


# -- writes that are slow --------------------------------------------------------------------------------


def test_an_end_that_is_written_late_is_carried_out(sim: Simulation, payer: Payer) -> None:
    opened(payer)
    hold_back(sim, payer)
    ended = payer.end()
    sim.wait(PATIENCE_MS)
    assert code(ended) == "COORDINATOR_NOT_AVAILABLE"
    assert code(payer.end()) == code(payer.begin()) == "CONCURRENT_TRANSACTIONS"
    assert is_hanging(sim)

    let_on(sim, payer)

    assert payer.state == "CompleteCommit"
    assert sim.read(isolation=1) == [b"paid"]
    assert code(payer.end()) == "NONE"  # it was so, the producer hears, and who it is now


def test_a_beginning_that_is_written_late_is_one(sim: Simulation, payer: Payer) -> None:
    hold_back(sim, payer)
    begun = payer.begin()
    sim.wait(PATIENCE_MS)
    assert code(begun) == "COORDINATOR_NOT_AVAILABLE"
    let_on(sim, payer)
    assert code(payer.begin()) == "NONE"
    assert payer.epoch == 2


def test_what_cannot_be_written_changes_nothing(sim: Simulation, payer: Payer) -> None:
    opened(payer)
    too_few(sim, payer)
    assert code(payer.end()) == "COORDINATOR_NOT_AVAILABLE"
    enough(sim)
    assert payer.state == "Ongoing"
    assert code(payer.end()) == "NONE"


def too_few(sim: Simulation, payer: Payer) -> None:
    for id in sim.world.nodes:
        if id != payer.coordinator.id:
            sim.world.crash(id, 0)


def enough(sim: Simulation) -> None:
    for id, node in sim.world.nodes.items():
        if not node.up:
            sim.world.restart(id)
    sim.advance(1_000)


def test_a_completion_that_cannot_be_written_is_written_as_soon_as_it_can(sim: Simulation) -> None:
    """By the news that enough are in sync again, which come also while time stands still."""
    payer = Payer(sim)
    payer.begin()
    opened(payer)
    meddler = Meddler(sim, WriteTxnMarkersResponse)
    payer.end()
    place = (TRANSACTIONS_TOPIC, payer.index)
    sim.configure(TRANSACTIONS_TOPIC, min_insync_replicas="4")
    replica = sim.leader(*place)
    assert replica.min_in_sync == 3
    gone = next(id for id in sim.world.nodes if id not in (replica.broker.id, sim.partition().leader))
    sim.world.crash(gone, 0)
    meddler.let_go()
    assert payer.state == "PrepareCommit"

    sim.world.restart(gone)
    assert payer.state == "CompleteCommit"


# -- coordinators that come anew -------------------------------------------------------------------------


def test_a_new_coordinator_does_not_act_on_what_its_followers_may_not_have(sim: Simulation) -> None:
    payer = Payer(sim)
    payer.begin()
    opened(payer)
    old = payer.coordinator.id
    heir, other = (id for id in sim.partition(TRANSACTIONS_TOPIC, payer.index).replicas if id != old)
    sim.freeze(other, topic=TRANSACTIONS_TOPIC, index=payer.index)
    payer.end()
    sim.world.controller.move_leader(TRANSACTIONS_TOPIC, payer.index, heir, unclean=False)
    sim.world.links.cut(old, heir)
    sim.world.settle()
    assert payer.coordinator.id == heir
    assert payer.state == "Ongoing"
    assert code(payer.begin()) == "CONCURRENT_TRANSACTIONS"
    assert code(payer.add((TOPIC, 1))) == "CONCURRENT_TRANSACTIONS"
    assert is_hanging(sim)

    # The one that is left does not have it, so that it never happened.
    sim.world.crash(old, 0)
    sim.world.crash(heir, 0)
    sim.catch_up(other, topic=TRANSACTIONS_TOPIC, index=payer.index)
    assert payer.state == "Ongoing"
    enough(sim)
    assert code(payer.end(commit=False)) == "NONE"
    assert (payer.state, is_hanging(sim)) == ("CompleteAbort", False)


def test_a_partition_is_not_refused_for_good_while_a_new_coordinator_waits_for_its_followers(
    sim: Simulation,
) -> None:
    """It was added, and whether that is committed will be seen."""
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    payer.add((TOPIC, 0))
    old = payer.coordinator.id
    heir, other = (id for id in sim.partition(TRANSACTIONS_TOPIC, payer.index).replicas if id != old)
    sim.freeze(other, topic=TRANSACTIONS_TOPIC, index=payer.index)
    payer.add((TOPIC, 1))
    sim.world.controller.move_leader(TRANSACTIONS_TOPIC, payer.index, heir, unclean=False)
    sim.world.settle()
    assert code(payer.send(b"paid", place=(TOPIC, 1), sequence=0)) == "NOT_ENOUGH_REPLICAS"
    sim.catch_up(other, topic=TRANSACTIONS_TOPIC, index=payer.index)
    assert code(payer.send(b"paid", place=(TOPIC, 1), sequence=0)) == "NONE"


def test_what_a_new_coordinator_learns_late_times_out_all_the_same(sim: Simulation) -> None:
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    old = payer.coordinator.id
    heir, other = (id for id in sim.partition(TRANSACTIONS_TOPIC, payer.index).replicas if id != old)
    sim.freeze(other, topic=TRANSACTIONS_TOPIC, index=payer.index)
    payer.add((TOPIC, 0))
    sim.world.controller.move_leader(TRANSACTIONS_TOPIC, payer.index, heir, unclean=False)
    sim.world.settle()
    assert payer.state == "Empty"
    sim.catch_up(other, topic=TRANSACTIONS_TOPIC, index=payer.index)
    assert payer.state == "Ongoing"
    sim.advance(71_000)
    assert payer.state == "CompleteAbort"


@pytest.mark.parametrize("state", ["Empty", "Ongoing", "PrepareCommit", "CompleteCommit"])
def test_a_new_coordinator_goes_on_when_its_followers_have_what_it_has(sim: Simulation, state: str) -> None:
    payer = Payer(sim, versions=FIRST)
    payer.begin()
    if state != "Empty":
        opened(payer)
    meddler = Meddler(sim, WriteTxnMarkers) if state == "PrepareCommit" else None
    if state not in ("Empty", "Ongoing"):
        payer.end()
    assert payer.state == state
    sim.world.crash(payer.coordinator.id, 0)
    assert payer.state == state
    if meddler is None:
        assert code(payer.begin()) == ("CONCURRENT_TRANSACTIONS" if state == "Ongoing" else "NONE")
        return
    assert code(payer.begin()) == "CONCURRENT_TRANSACTIONS"
    meddler.stop()
    meddler.let_go()
    assert payer.state == "CompleteCommit"


# -- enrolment -------------------------------------------------------------------------------------------


def test_a_coordinator_does_not_enrol_a_partition_that_it_does_not_know(sim: Simulation) -> None:
    payer = Payer(sim)
    payer.begin()
    sim.world.links.slow(payer.coordinator.id, -1, 500)
    leader = next(id for id in sim.world.nodes if id != payer.coordinator.id)
    sim.topic("refunds", assignments=[(leader,)])
    assert code(payer.send(b"1", place=("refunds", 0))) == "UNKNOWN_TOPIC_OR_PARTITION"
    assert payer.state == "Empty"
    sim.advance(500)
    assert code(payer.send(b"1", place=("refunds", 0), sequence=0)) == "NONE"


@pytest.mark.parametrize("lost", [AddPartitionsToTxn, AddPartitionsToTxnResponse])
def test_a_lost_question_is_answered_at_once(sim: Simulation, payer: Payer, lost: type[Message]) -> None:
    if payer.versions is FIRST:
        payer.add((TOPIC, 0))
        payer.add_offsets()
    meddler = Meddler(sim, lost)
    asked, kept = payer.send(b"paid"), payer.keep(5)
    meddler.lose()
    assert code(asked) == "NOT_ENOUGH_REPLICAS"
    assert code(kept) == "COORDINATOR_LOAD_IN_PROGRESS"


@pytest.mark.parametrize("how", ["crash", "isolate"])
def test_a_coordinator_that_dies_with_a_question_is_not_waited_for(sim: Simulation, how: str) -> None:
    payer = Payer(sim)
    payer.begin()
    leader = next(id for id in sim.world.nodes if id != payer.coordinator.id)
    sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
    sim.world.settle()
    hold_back(sim, payer)
    asked = payer.send(b"paid")
    assert not asked.answered
    getattr(sim.world, how)(payer.coordinator.id)
    assert code(asked) == "NOT_ENOUGH_REPLICAS"


def test_who_has_died_with_a_question_is_not_answered(sim: Simulation) -> None:
    payer = Payer(sim)
    payer.begin()
    leader = sim.leader_id()
    meddler = Meddler(sim, AddPartitionsToTxn)
    asked = payer.send(b"paid")
    sim.world.crash(leader, 60_000)
    meddler.lose()
    sim.world.restart(leader)
    assert not asked.answered
    assert sim.log(leader) == []


def test_a_leader_that_stands_still_hears_later_that_its_coordinator_died(sim: Simulation) -> None:
    payer = Payer(sim)
    payer.begin()
    leader = next(id for id in sim.world.nodes if id != payer.coordinator.id)
    sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
    sim.world.settle()
    Meddler(sim, AddPartitionsToTxn)
    asked = payer.send(b"paid")
    sim.world.pause(leader, 60_000)
    sim.world.crash(payer.coordinator.id, 0)
    assert not asked.answered
    sim.world.resume(leader)
    assert code(asked) == "NOT_ENOUGH_REPLICAS"


# -- epochs, layouts -------------------------------------------------------------------------------------


def at_epoch(payer: Payer, epoch: int) -> None:
    """Have the coordinator hold an id whose epochs are nearly used up."""
    transaction = payer.shard.transactions[payer.name]
    transaction.record = replace(transaction.record, epoch=epoch)
    payer.epoch = epoch


def at_level(sim: Simulation, level: int) -> Payer:
    """A producer of a cluster with this transaction.version."""
    sim.world.controller.update_features({"transaction.version": level})
    sim.world.settle()
    payer = Payer(sim, versions=FIRST)
    assert code(payer.begin()) == "NONE"
    return payer


def test_whoever_is_shut_out_at_the_last_epoch_is_given_another_id(sim: Simulation) -> None:
    payer = at_level(sim, 2)
    at_epoch(payer, LAST)
    opened(payer)
    payer.shard.abort(payer.name)
    sim.world.settle()
    first = payer.id
    assert code(payer.begin(known=True)) == "NONE"
    assert (payer.id > first, payer.epoch) == (True, 0)


@pytest.mark.parametrize("level", [0, 1])
def test_the_last_epoch_is_not_followed_by_one_that_is_given_out(sim: Simulation, level: int) -> None:
    payer = at_level(sim, level)
    at_epoch(payer, LAST)
    opened(payer)
    payer.shard.abort(payer.name)
    sim.world.settle()
    record = payer.shard.transactions[payer.name].record
    assert (record.state.title, record.epoch) == ("CompleteAbort", BEHIND_LAST)
    assert code(payer.begin(known=True)) == "UNKNOWN_SERVER_ERROR"
    first = payer.id
    assert code(payer.begin()) == "NONE"
    assert (payer.id > first, payer.epoch) == (True, 0)


@pytest.mark.parametrize(("level", "layout"), [(0, 0), (1, 1), (2, 1)])
def test_the_layout_of_records_follows_the_feature(sim: Simulation, level: int, layout: int) -> None:
    payer = at_level(sim, level)
    (batch,) = payer.shard.replica.log.batches
    (record,) = iter_records(batch)
    assert record.value is not None
    assert int.from_bytes(bytes(record.value[:2]), "big") == layout
    sim.world.crash(payer.coordinator.id, 0)
    assert payer.state == "Empty"
