"""What the ledger notes of a simulation: exact places, who copied what, who was told, who got what."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.checkers.case import gather
from mockbroker.core.call import Call, Peer
from mockbroker.core.groups.committing import Committer
from mockbroker.core.groups.offsets import OffsetToCommit
from mockbroker.ledger.book import Ledger
from mockbroker.ledger.entries import Ack, Committed, Sent
from mockbroker.ledger.fates import Teller
from mockbroker.protocol.apis import Api
from mockbroker.protocol.messages.offsets import (
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
)
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from tests.core.simulation import ALL, LEADER, NONE, TOPIC, batch_of
from tests.faults.meddling import Meddled

GONE = "the connection ended before the answer was there"


class Noted(Meddled):
    """A simulation with a ledger, and faults to meddle with it."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.ledger = Ledger(self.world)
        self.world.witness = self.ledger
        self.topic()

    @property
    def only(self) -> Sent:
        (sent,) = self.ledger.attempts()
        return sent

    @property
    def committed(self) -> Committed:
        (commit,) = self.ledger.committed
        return commit

    def peer(self, client: str = "app") -> Peer:
        return next(talk.peer for (name, _), talk in self._conversations.items() if name == client)

    def commit(self, offset: int, *, member: str = "", generation: int = -1, to: int | None = None) -> Any:
        part = OffsetCommitPartition(partition_index=0, committed_offset=offset)
        body = OffsetCommitRequest(
            group_id="g",
            generation_id_or_member_epoch=generation,
            member_id=member,
            topics=[OffsetCommitTopic(name=TOPIC, partitions=[part])],
        )
        return self.ask(body, to=self.coordinator("g") if to is None else to, version=8)

    def story(self) -> list[str]:
        return [what for _, what in Teller(self.world, self.ledger).fates(TOPIC)[0].story]


@pytest.fixture
def sim() -> Noted:
    return Noted()


# -- producing ------------------------------------------------------------------------------------


def test_a_batch_is_appended_copied_committed_and_acknowledged(sim: Noted) -> None:
    sim.produce(b"a", b"b", acks=ALL)
    sent = sim.only
    assert (sent.base_offset, sent.end_offset, sent.leader, sent.leader_epoch) == (0, 2, 1, 0)
    assert sent.copies[::2] == (2, 3)
    assert sent.committed_us
    assert sent.acked
    assert [line.split(" on ")[0] for line in sim.story()] == [
        "sent by app",
        "appended by broker 1 in epoch 0",
        "copied by broker 2",
        "copied by broker 3",
        "committed: every in-sync replica has it",
        "acknowledged",
    ]


def test_a_batch_that_waits_is_not_answered_yet(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=ALL)
    assert (sim.only.ack, sim.only.stored, sim.only.committed_us) == (Ack.PENDING, True, 0)


def test_a_batch_that_a_fault_holds_is_on_its_way(sim: Noted) -> None:
    gate = sim.faults.on("Produce").hold()
    sim.produce(b"a", acks=LEADER)
    assert (sim.only.ack, sim.only.stored, sim.only.count) == (Ack.PENDING, False, 1)
    assert len(sim.ledger.sent) == 0
    gate.release()
    assert (sim.only.ack, sim.only.base_offset) == (Ack.ACKED, 0)


def test_what_was_asked_by_who_hung_up_happens_all_the_same(sim: Noted) -> None:
    gate = sim.faults.on("Produce").hold()
    sim.produce(b"a", acks=LEADER)
    sim.ledger.closed(sim.peer())
    assert (sim.only.ack, sim.only.why) == (Ack.REFUSED, GONE)
    gate.release()
    assert (sim.only.ack, sim.only.base_offset) == (Ack.LOST, 0)


def test_an_answer_that_comes_after_the_client_has_gone_is_lost(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=ALL)
    sim.ledger.closed(sim.peer())
    assert (sim.only.ack, sim.only.why) == (Ack.LOST, GONE)
    sim.catch_up(2, 3)
    assert sim.only.ack is Ack.LOST
    assert sim.only.committed_us


def test_an_answer_that_had_not_left_is_lost_with_its_connection(sim: Noted) -> None:
    sim.produce(b"a", acks=ALL)
    sim.ledger.closed(sim.peer())
    assert (sim.only.ack, sim.only.why) == (Ack.LOST, "the connection ended before the answer had left")


def test_an_answer_that_has_left_is_not_lost_with_its_connection(sim: Noted) -> None:
    sim.produce(b"a", acks=ALL)
    sim.ledger.sent_off(Call(Api.PRODUCE, 9, 1, "app", None, sim.peer()))
    sim.ledger.closed(sim.peer())
    assert sim.only.ack is Ack.ACKED


@pytest.mark.parametrize("how", ["disconnect", "corrupt"])
def test_a_fault_takes_the_answer_away(sim: Noted, how: str) -> None:
    getattr(sim.faults.after("Produce"), how)()
    sim.produce(b"a", acks=ALL)
    assert (sim.only.ack, sim.only.stored) == (Ack.LOST, True)
    assert sim.only.why


def test_a_fault_says_that_it_failed_and_it_has_not(sim: Noted) -> None:
    sim.faults.after("Produce").fail("REQUEST_TIMED_OUT")
    sim.produce(b"a", acks=ALL)
    assert (sim.only.ack, sim.only.why, sim.only.stored) == (Ack.REFUSED, "REQUEST_TIMED_OUT", True)


def test_part_of_a_request_is_refused_by_a_fault() -> None:
    sim = Noted()
    sim.topic("two", [[1], [1]])
    sim.faults.on("Produce", topic="two", partition=1).fail("NOT_ENOUGH_REPLICAS")
    data = bytes(batch_of(b"a").data)
    parts = [ProducePartition(index=index, records=data) for index in (0, 1)]
    body = ProduceRequest(
        acks=ALL, timeout_ms=1_000, topic_data=[ProduceTopic(name="two", partition_data=parts)]
    )
    sim.ask(body, to=1, version=9)
    kept, refused = sim.ledger.attempts()
    assert (kept.place, kept.ack, kept.base_offset) == (("two", 0), Ack.ACKED, 0)
    assert (refused.place, refused.ack, refused.why) == (("two", 1), Ack.REFUSED, "NOT_ENOUGH_REPLICAS")
    assert not refused.stored


def test_a_topic_that_does_not_exist(sim: Noted) -> None:
    sim.produce(b"a", topic="nowhere", to=1)
    assert (sim.only.place, sim.only.why) == (("nowhere", 0), "UNKNOWN_TOPIC_OR_PARTITION")


def test_topic_ids_are_names_in_the_ledger(sim: Noted) -> None:
    sim.produce(b"a", version=13)
    assert (sim.only.place, sim.only.ack) == ((TOPIC, 0), Ack.ACKED)


def test_nobody_waits_for_an_answer_without_acks(sim: Noted) -> None:
    sim.produce(b"a", acks=NONE)
    assert (sim.only.ack, sim.only.stored) == (Ack.NONE, True)


def test_a_batch_that_comes_again_is_known(sim: Noted) -> None:
    for _ in range(2):
        sim.produce(b"a", producer=(7, 0, 0))
    first, again = sim.ledger.attempts()
    assert (first.duplicate, again.duplicate) == (False, True)
    assert (again.base_offset, again.leader_epoch, again.ack) == (0, 0, Ack.ACKED)
    assert Teller(sim.world, sim.ledger).fates(TOPIC)[1].story[1][1].startswith("known to broker 1 already")


def test_a_batch_that_comes_again_to_the_next_leader_is_where_it_was(sim: Noted) -> None:
    sim.produce(b"a", producer=(7, 0, 0))
    sim.world.crash(1)
    sim.produce(b"a", producer=(7, 0, 0))
    again = sim.ledger.attempts()[1]
    assert (again.duplicate, again.leader, again.leader_epoch) == (True, 2, 0)
    assert Teller(sim.world, sim.ledger).state(again) == "stored"


# -- elections ------------------------------------------------------------------------------------


def test_a_leader_that_has_copied_nothing_loses_what_was_acknowledged(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=LEADER)
    sim.world.crash(1)
    loss = sim.only.loss
    assert loss is not None
    assert (loss.leader, loss.epoch, loss.unclean) == (2, 1, False)  # in the ISR, though behind
    assert sim.story()[-1] == "broker 2 was chosen cleanly to lead in epoch 1, and does not have it"


def test_an_election_of_who_was_not_in_sync_is_unclean() -> None:
    sim = Noted(config={"min.insync.replicas": 1})
    sim.world.crash(2)
    sim.world.crash(3)
    sim.produce(b"a", acks=ALL)
    sim.world.crash(1)
    sim.world.restart(2)
    sim.world.controller.elect_unclean(TOPIC, 0)
    sim.world.settle()
    loss = sim.only.loss
    assert loss is not None
    assert (loss.leader, loss.unclean) == (2, True)


def test_an_election_stays_what_it_was_when_the_isr_changes(sim: Noted) -> None:
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=True)
    sim.world.crash(3)
    sim.world.crash(1)
    sim.world.crash(2)
    sim.world.restart(1)
    sim.world.controller.elect_unclean(TOPIC, 0)
    sim.world.settle()
    before = [(one.leader, one.unclean) for one in sim.ledger.elections(sim.topic_id(), 0)]
    assert before == [(1, False), (2, False), (1, True)]
    sim.world.restart(2)
    sim.advance(1)
    assert 2 in sim.partition().isr
    assert [(one.leader, one.unclean) for one in sim.ledger.elections(sim.topic_id(), 0)] == before


def test_who_comes_back_cuts_off_what_its_successor_does_not_have(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=LEADER)
    sim.world.crash(1)
    sim.world.restart(1)
    assert sim.only.cuts[::2] == (1,)
    assert sim.story()[-1] == "cut off by broker 1, whose leader does not have it"


def test_what_was_lost_is_there_again_when_its_leader_is(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=LEADER)
    sim.world.isolate(1)
    assert sim.only.loss is not None
    for broker in (2, 3):
        sim.world.crash(broker)
    sim.world.heal(1)
    sim.world.controller.move_leader(TOPIC, 0, 1, unclean=True)
    sim.world.settle()
    assert sim.log(1) == [b"a"]
    assert sim.only.loss is None


def test_what_a_deposed_leader_appends_is_lost_from_the_beginning(sim: Noted) -> None:
    sim.world.isolate(1)
    sim.produce(b"a", acks=LEADER, to=1)
    assert sim.only.acked
    loss = sim.only.loss
    assert loss is not None
    assert (loss.leader, loss.epoch) == (2, 1)


def test_copies_and_elections_without_records_are_of_no_account(sim: Noted) -> None:
    sim.world.crash(1)
    assert sim.ledger.attempts() == []
    assert [election.leader for election in sim.ledger.elections(sim.topic_id(), 0)] == [1, 2]


# -- reading --------------------------------------------------------------------------------------


def test_a_read_is_noted_from_where_the_client_wanted_it(sim: Noted) -> None:
    sim.produce(b"a", b"b", b"c")
    sim.fetch(1)
    (served,) = sim.ledger.served
    assert (served.start, served.end, served.client_id, served.broker, served.lost) == (1, 3, "app", 1, False)


def test_a_read_within_a_session_is_noted_as_well(sim: Noted) -> None:
    opened = sim.fetch(0, session=(0, 0)).response
    sim.produce(b"a", b"b")
    sim.fetch(1, session=(opened.session_id, 1))
    (served,) = sim.ledger.served
    assert (served.start, served.end) == (1, 2)


def test_a_read_that_waits_is_noted_when_there_is_something(sim: Noted) -> None:
    sim.fetch(0, max_wait_ms=1_000)
    assert not sim.ledger.served
    sim.produce(b"a")
    assert [(one.start, one.end) for one in sim.ledger.served] == [(0, 1)]


def test_records_that_a_fault_has_taken_out_were_not_served(sim: Noted) -> None:
    sim.produce(b"a")
    with sim.faults.after("Fetch").fail("NOT_LEADER_OR_FOLLOWER"):
        sim.fetch(0)
    assert not sim.ledger.served
    with sim.faults.after("Fetch").disconnect():
        sim.fetch(0)
    assert [one.lost for one in sim.ledger.served] == [True]


# -- committing -----------------------------------------------------------------------------------


def test_a_commit_that_is_kept_and_one_that_is_refused(sim: Noted) -> None:
    sim.commit(3)
    assert (sim.committed.offset, sim.committed.error, sim.committed.lost) == (3, "", False)
    sim.commit(4, member="nobody", generation=1)
    assert [one.error for one in sim.ledger.committed] == ["", "UNKNOWN_MEMBER_ID"]


def test_a_commit_whose_answer_is_lost_has_moved_the_group(sim: Noted) -> None:
    sim.faults.after("OffsetCommit").disconnect()
    sim.commit(3)
    assert (sim.committed.error, sim.committed.lost) == ("", True)


def test_a_commit_that_did_not_arrive_has_not(sim: Noted) -> None:
    sim.faults.on("OffsetCommit", nth=1).disconnect()
    sim.commit(3)
    assert sim.committed.error
    assert sim.committed.lost


def test_a_commit_that_is_replicated_too_late_for_its_committer_has_moved_the_group(sim: Noted) -> None:
    sim.coordinator("g")
    held = sim.faults.between("FollowerFetch").hold()
    asked = sim.commit(3)
    sim.wait(5_000)  # offsets.commit.timeout.ms
    assert asked.response.topics[0].partitions[0].error_code
    assert (sim.committed.error, sim.committed.lost) == ("COORDINATOR_NOT_AVAILABLE", False)

    held.release()
    sim.world.settle()

    assert (sim.committed.error, sim.committed.lost) == ("", True)


def test_a_late_commit_of_which_its_committer_hears_nothing_has_moved_the_group_too(sim: Noted) -> None:
    sim.coordinator("g")
    held = sim.faults.between("FollowerFetch").hold()
    sim.faults.after("OffsetCommit").drop()
    sim.commit(3)
    sim.wait(5_000)  # offsets.commit.timeout.ms
    held.release()
    sim.world.settle()
    assert (sim.committed.error, sim.committed.lost) == ("", True)

    sim.ledger.closed(sim.peer())

    assert (sim.committed.error, sim.committed.lost) == ("", True)


def test_a_commit_that_a_dead_coordinator_answered_nobody_is_kept_by_the_next(sim: Noted) -> None:
    first = sim.coordinator("g")
    sim.faults.between("FollowerFetch").delay("200ms")  # followers have it, and their leader does not know
    sim.commit(3)
    assert not sim.ledger.committed

    sim.world.crash(first)
    sim.ledger.closed(sim.peer())
    assert (sim.committed.error, sim.committed.lost) == (GONE, True)
    sim.advance(10_000)

    assert sim.coordinator("g") != first
    assert (sim.committed.error, sim.committed.lost) == ("", True)


def test_the_next_coordinator_may_know_of_a_commit_before_its_connection_has_ended(sim: Noted) -> None:
    first = sim.coordinator("g")
    sim.faults.between("FollowerFetch").delay("200ms")
    sim.commit(3)
    sim.world.crash(first)
    sim.advance(10_000)
    assert (sim.committed.error, sim.committed.lost) == ("", True)
    sim.ledger.closed(sim.peer())
    assert (sim.committed.error, sim.committed.lost) == ("", True)


def test_offsets_of_a_transaction_count_when_it_is_committed(sim: Noted) -> None:
    who, offsets = Committer("g", "m1", generation=4), [OffsetToCommit(TOPIC, 0, 3)]
    for producer_id, committed in ((7, False), (8, True)):
        sim.ledger.commits_in_transaction(who, offsets, producer_id)
        assert not sim.ledger.committed
        sim.ledger.transaction_ended(["g"], producer_id, committed=committed)
    assert (sim.committed.member, sim.committed.generation, sim.committed.offset) == ("m1", 4, 3)


def test_the_test_may_move_a_group(sim: Noted) -> None:
    sim.ledger.moved_by_hand("g", TOPIC, 0, 3)
    assert (sim.committed.by_test, sim.committed.by_member) == (True, False)


# -- as a whole -----------------------------------------------------------------------------------


def test_a_case_does_not_change_any_more(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=ALL)
    case = gather(sim.world, sim.ledger)
    sim.catch_up(2, 3)
    assert [sent.ack for sent in case.sent] == [Ack.PENDING]
    assert sim.only.ack is Ack.ACKED


def test_forgetting_goes_through_all_of_it(sim: Noted) -> None:
    sim.produce(b"a")
    sim.fetch(0)
    sim.commit(1)
    sim.ledger.forget()
    case = gather(sim.world, sim.ledger)
    assert (case.sent, case.served, case.committed) == ([], [], [])


def test_the_oldest_batches_make_room_and_their_copies_are_forgotten_too() -> None:
    sim = Noted()
    sim.ledger = sim.world.witness = Ledger(sim.world, entries_max=2)
    for value in (b"a", b"b", b"c"):
        sim.produce(value, acks=LEADER)
    assert [sent.base_offset for sent in sim.ledger.attempts()] == [1, 2]
    assert sim.ledger.dropped == 1
    sim.world.crash(1)
    assert [sent.loss for sent in sim.ledger.attempts()] == [None, None]


def test_requests_that_are_never_answered_do_not_fill_the_memory(
    sim: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockbroker.ledger.book.OPEN_MAX", 2)
    sim.faults.on("Produce").drop()
    for value in (b"a", b"b", b"c"):
        sim.produce(value, acks=LEADER)
    assert len(sim.ledger.attempts()) == 2
