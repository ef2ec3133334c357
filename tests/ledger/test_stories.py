"""What is told of a record: the right ones are found, and where each of them is."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker import Cluster
from mockbroker.core.ticket import Disconnect
from mockbroker.ledger.book import Ledger
from mockbroker.ledger.contents import contents, is_replaced, records_in
from mockbroker.ledger.entries import Ack, Sent
from mockbroker.ledger.fates import Teller
from mockbroker.protocol.errors import KafkaError
from mockbroker.records.batch import HEADER_BYTES
from mockbroker.records.builder import ControlType, build_batch, build_control_batch
from tests.core.simulation import ALL, LEADER, TOPIC, batch_of
from tests.ledger.test_notes import Noted


@pytest.fixture
def sim() -> Noted:
    return Noted()


def teller(sim: Noted) -> Teller:
    return Teller(sim.world, sim.ledger)


# -- which records ----------------------------------------------------------------------------------


def test_a_record_is_found_by_whatever_is_known_of_it(sim: Noted) -> None:
    sim.topic("two", [[1], [1]])
    for index in (0, 1):
        for value in (b"a", b"b"):
            sim.produce(value, topic="two", index=index, key=b"k-" + value)
    sim.produce(b"a", key=b"k-a")

    def places(**what: Any) -> list[tuple[int, int]]:
        return [(fate.partition, fate.offset) for fate in teller(sim).fates("two", **what)]

    assert places() == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert places(partition=1) == [(1, 0), (1, 1)]
    assert places(key=b"k-b") == places(value=b"b") == [(0, 1), (1, 1)]
    assert places(key=b"k-b", value=b"a") == []
    assert places(partition=0, offset=1) == [(0, 1)]
    assert places(partition=0, offset=2) == []


def test_each_record_of_a_batch_has_its_own_place(sim: Noted) -> None:
    sim.produce(b"a", b"b")
    assert [(fate.value, fate.offset) for fate in teller(sim).fates(TOPIC)] == [(b"a", 0), (b"b", 1)]
    assert [fate.value for fate in teller(sim).fates(TOPIC, partition=0, offset=1)] == [b"b"]


def test_only_what_is_stored_and_was_not_told_is_unacknowledged(sim: Noted) -> None:
    sim.produce(b"told", acks=ALL)
    with sim.faults.on("Produce").fail("NOT_ENOUGH_REPLICAS"):
        sim.produce(b"refused", acks=ALL)
    with sim.faults.after("Produce").disconnect():
        sim.produce(b"untold", acks=ALL)
    assert [fate.value for fate in teller(sim).unacked(TOPIC)] == [b"untold"]
    assert teller(sim).unacked("other") == []


# -- where it is ------------------------------------------------------------------------------------


def test_a_record_that_is_not_replicated_is_seen_by_nobody(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=LEADER)
    (fate,) = teller(sim).fates(TOPIC)
    assert (fate.state, fate.replicas, fate.lost) == ("not replicated", (1,), False)


def test_what_a_broker_that_is_down_has_is_out_of_reach_and_not_lost(sim: Noted) -> None:
    sim.produce(b"a")
    for broker in (1, 2, 3):
        sim.world.crash(broker)
    assert sim.partition().leader == -1
    assert teller(sim).fates(TOPIC)[0].state == "stored"


def test_what_was_deleted_before_all_brokers_died_is_deleted(sim: Noted) -> None:
    sim.produce(b"a")
    sim.leader().advance_start(1)
    sim.world.settle()
    for broker in (1, 2, 3):
        sim.world.crash(broker)
    assert teller(sim).fates(TOPIC)[0].state == "deleted"


def test_a_batch_that_was_deleted_in_part_is_there(sim: Noted) -> None:
    sim.produce(b"a", b"b")
    sim.leader().advance_start(1)
    sim.world.settle()
    assert {fate.state for fate in teller(sim).fates(TOPIC)} == {"stored"}


def test_a_follower_that_has_more_than_its_leader_cuts_it_off(sim: Noted) -> None:
    sim.freeze(2)
    sim.produce(b"a", acks=LEADER)
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    assert sim.only.copies[::2] == (3,)
    assert sorted(sim.only.cuts[::2]) == [1, 3]


def test_who_never_had_a_batch_cuts_nothing_off(sim: Noted) -> None:
    sim.freeze(2, 3)
    sim.produce(b"a", acks=LEADER)
    sim.world.crash(1)
    sim.catch_up(3)
    sim.world.restart(1)
    assert sim.only.cuts[::2] == (1,)


def test_a_batch_that_comes_again_shares_the_fate_of_the_first(sim: Noted) -> None:
    sim.freeze(2, 3)
    for sequence in (0, 1, 1):
        sim.produce(b"%d" % sequence, producer=(7, 0, sequence), acks=LEADER)
    _, first, again = sim.ledger.attempts()
    assert again.original is first
    sim.world.crash(1)
    assert again.lost_by is first.loss is not None


def test_a_leader_that_has_deleted_a_batch_still_knows_its_sequence(sim: Noted) -> None:
    sim.produce(b"a", producer=(7, 0, 0))
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    sim.leader().advance_start(1)
    sim.produce(b"a", producer=(7, 0, 0))
    again = sim.ledger.attempts()[1]
    assert (again.duplicate, again.leader_epoch) == (True, 0)
    assert teller(sim).state(again) == "deleted"


def test_readers_and_commits_of_another_time_are_not_in_the_story(sim: Noted) -> None:
    sim.produce(b"a")
    sim.fetch(0)
    sim.commit(1)
    (fate,) = teller(sim).fates(TOPIC)
    assert [line.split()[0] for line in (*fate.served, *fate.committed_by)] == ["app", "g"]
    assert [what for _, what in fate.story][-1] == "covered by a commit of g by (app)"

    sim.delete()
    sim.topic()
    sim.advance(5)
    sim.produce(b"a")
    _, anew = teller(sim).fates(TOPIC)
    assert (anew.served, anew.committed_by) == ((), ())


def test_what_is_served_of_a_topic_made_anew_is_not_the_old_record(sim: Noted) -> None:
    sim.produce(b"a")
    sim.delete()
    sim.topic()
    sim.produce(b"b")
    sim.fetch(0)
    assert [len(fate.served) for fate in teller(sim).fates(TOPIC)] == [0, 1]


def test_a_commit_of_another_place_or_not_beyond_covers_nothing(sim: Noted) -> None:
    sim.topic("two", [[1], [1]])
    sim.produce(b"a", b"b")
    sim.commit(1)
    sim.ledger.moved_by_hand("g", "two", 0, 9)
    assert [len(fate.committed_by) for fate in teller(sim).fates(TOPIC)] == [1, 0]


def test_an_answer_that_went_astray_is_told_with_who_should_have_had_it(sim: Noted) -> None:
    sim.produce(b"a")
    with sim.faults.after("Fetch").disconnect():
        sim.fetch(0)
    (fate,) = teller(sim).fates(TOPIC)
    assert fate.served[0].startswith("app, and the answer did not arrive")
    (reading,) = teller(sim).served(TOPIC)
    assert (reading.heard, reading.isolation, reading.group) == (False, "uncommitted", None)


def test_isolation_is_part_of_the_story(sim: Noted) -> None:
    sim.produce(b"a")
    sim.fetch(0, isolation=1)
    assert [one.isolation for one in teller(sim).served(TOPIC)] == ["committed"]


# -- what is noted beside records -------------------------------------------------------------------


def test_lookups_are_noted_if_the_client_was_told(sim: Noted) -> None:
    sim.produce(b"a")
    sim.list_offset(-1)
    sim.list_offset(-2)
    assert [(one.offset, one.latest) for one in sim.ledger.resolved] == [(1, True), (0, False)]
    sim.list_offset(-1, to=2)  # which does not lead
    with (
        sim.faults.after("ListOffsets").disconnect(),
        pytest.raises(AssertionError, match="Disconnect"),
    ):
        sim.list_offset(-1)
    assert len(sim.ledger.resolved) == 2


def test_members_are_noted_once_they_have_an_id(sim: Noted) -> None:
    sim.join(client="c1")
    assert [(one.group, one.client_id) for one in sim.ledger.joined] == [("g", "c1")]
    member = sim.ledger.joined[0].member
    sim.join(client="c1", member="nobody")
    with sim.faults.after("JoinGroup").disconnect():
        sim.join(client="c2")
    assert [one.member for one in sim.ledger.joined] == [member]


def test_what_ghosts_do_is_done_by_the_test() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        ghost = cluster.group("billing").join_ghost(topics=["orders"])
        ghost.commit({("orders", 0): 5})
        with pytest.raises(KafkaError, match="ILLEGAL_GENERATION"):
            ghost.commit({("orders", 0): 6}, generation=0)
        assert [(one.offset, one.by_test) for one in cluster.notes.committed] == [(5, True), (6, True)]
        assert [bool(one.error) for one in cluster.notes.committed] == [False, True]


def test_what_clients_do_is_not(sim: Noted) -> None:
    sim.commit(1)
    sim.commit(2, member="nobody", generation=1)
    assert [one.by_test for one in sim.ledger.committed] == [False, False]


def test_a_fetch_by_topic_id_that_a_fault_has_spoilt_was_not_served(sim: Noted) -> None:
    sim.produce(b"a")
    with sim.faults.after("Fetch", topic=TOPIC).fail("NOT_LEADER_OR_FOLLOWER"):
        sim.fetch(0, version=13)
    with sim.faults.after("Fetch", topic=TOPIC).delay("1s"):
        sim.fetch(0, version=13)
        sim.wait(1_000)
    assert [(one.place, one.lost) for one in sim.ledger.served] == [((TOPIC, 0), False)]


def test_markers_and_the_brokers_own_topics_are_nobodys_records(sim: Noted) -> None:
    sim.commit(1)
    marker = build_control_batch(
        ControlType.COMMIT, producer_id=7, producer_epoch=0, coordinator_epoch=0, timestamp=0
    )
    sim.leader().append(marker)
    assert sim.ledger.attempts() == []


def test_small_limits_are_kept_exactly() -> None:
    sim = Noted()
    size = batch_of(b"a").size
    sim.ledger = sim.world.witness = Ledger(sim.world, entries_max=3, bytes_max=2 * size)
    for _ in range(3):
        sim.produce(b"a")
    assert [sent.data is None for sent in sim.ledger.sent] == [True, False, False]
    sim.produce(b"a")
    assert (len(sim.ledger.sent), sim.ledger.dropped) == (3, 1)


def test_a_refused_batch_that_is_forgotten_takes_no_stored_one_with_it() -> None:
    sim = Noted()
    sim.ledger = sim.world.witness = Ledger(sim.world, entries_max=2)
    with sim.faults.on("Produce").fail("NOT_ENOUGH_REPLICAS"):
        sim.produce(b"refused", acks=LEADER)
    sim.freeze(2, 3)
    for value in (b"a", b"b"):
        sim.produce(value, acks=LEADER)
    sim.world.crash(1)
    assert [sent.loss is not None for sent in sim.ledger.sent] == [True, True]


# -- contents ---------------------------------------------------------------------------------------


def sent(data: bytes | None, at_us: int = 0, client: str = "app") -> Sent:
    return Sent(at_us, client, 1, 1, (TOPIC, 0), b"", ALL, 1, ack=Ack.ACKED, data=data)


def batch(*values: bytes, **more: Any) -> bytes:
    return bytes(build_batch([(b"k", value, (), 0) for value in values], now_ms=0, **more).data)


@pytest.mark.parametrize("data", [None, b"", bytes(HEADER_BYTES - 1), bytes(HEADER_BYTES)])
def test_what_is_no_batch_has_no_records(data: bytes | None) -> None:
    assert records_in(sent(data)) == []
    assert contents(sent(data)) == frozenset()
    assert not is_replaced(sent(data), [sent(data, 5)])


def test_all_of_a_batch_must_come_again() -> None:
    first = sent(batch(b"a", b"b"))
    assert not is_replaced(first, [first, sent(batch(b"a"), 5)])
    assert is_replaced(first, [sent(batch(b"b"), 7), sent(batch(b"c", b"a"), 5)])
    assert not is_replaced(first, [sent(batch(b"a", b"b"), 5, client="another")])
    assert not is_replaced(first, [sent(batch(b"a", b"b"), 0)])


def test_what_the_broker_stamps_is_no_part_of_a_record() -> None:
    earlier, later = (
        sent(bytes(build_batch([(b"k", b"a", (), 0)], now_ms=0).data)),
        sent(bytes(build_batch([(b"k", b"a", (), 9)], now_ms=0).data)),
    )
    assert contents(earlier) != contents(later)


def test_a_disconnect_without_a_ledger_is_no_concern_of_anybody(sim: Noted) -> None:
    sim.world.witness = None
    with sim.faults.on("Produce").disconnect():
        assert isinstance(sim.produce(b"a").outcome, Disconnect)
