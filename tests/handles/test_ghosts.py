from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import trio

from mockbroker import Cluster, KafkaError, UsageError, open_cluster
from mockbroker.handles.records import TopicPartition
from mockbroker.waiting import WaitTimeout
from tests.handles.members import RawMember, members


@pytest.fixture
def orders(mockbroker: Cluster) -> Cluster:
    mockbroker.topic("orders").create(partitions=4)
    return mockbroker


# -- members --------------------------------------------------------------------------------------


def test_a_ghost_shares_with_another(orders: Cluster) -> None:
    group = orders.group("billing")
    one = group.join_ghost(topics=["orders"])
    assert (one.state, one.generation, one.assignment) == ("a member", 1, orders.topic("orders").partitions)
    other = group.join_ghost(topics=["orders"])
    found = group.wait_stable(members=2)
    assert found.assignment[other] == other.assignment == found.assignment[other.id]
    assert sorted(one.assignment + other.assignment) == orders.topic("orders").partitions
    assert [member.client_id for member in found.members] == ["ghost-1", "ghost-2"]
    other.leave()
    assert group.wait_stable(members=1).assignment[one] == orders.topic("orders").partitions
    assert (other.state, other.assignment) == ("gone", [])


def test_a_ghost_wants_what_the_members_want_unless_it_is_told_what(orders: Cluster) -> None:
    orders.topic("bills").create(partitions=2)
    group = orders.group("billing")
    group.join_ghost(topics=["orders", "bills"])
    assert group.join_ghost(topics=["bills"]).assignment == [TopicPartition("bills", 1)]
    group.join_ghost()
    assert group.members[-1].subscription == ("bills", "orders")


def test_the_history_tells_of_ghosts_and_of_what_the_test_did(orders: Cluster) -> None:
    ghost = orders.group("billing").join_ghost(topics=["orders"])
    ghost.silence()
    assert [event.api for event in orders.history.events(client_id="ghost-1") if event.api] == [
        "FindCoordinator",
        "JoinGroup",
        "JoinGroup",
        "Metadata",
        "SyncGroup",
    ]
    acts = [event.text for event in orders.history.events() if event.kind == "act"]
    assert acts[-2:] == ["ghost-1 joins group billing", "ghost-1 falls silent"]


def test_a_wait_right_after_a_change_is_not_fulfilled_by_the_generation_before(orders: Cluster) -> None:
    """Each change has begun a rebalance when it returns, so that the old generation is over."""
    group = orders.group("billing")
    with members(orders, "a", "b") as (a, b):  # they do nothing unless they are told to
        assert group.wait_stable(members=2, timeout=0).generation == 2
        ghost = group.join_ghost(topics=["orders"])
        assert group.state == "PreparingRebalance"
        ghost.leave()
        for member in (a, b):
            member.send_join()
        for member in (a, b):
            member.joined()
        b.send(b.sync_request(), 1)
        a.lead([0], {b.id: [1]})
        b.answer(b.sync_request(), 1)
        assert group.wait_stable(members=2, timeout=0).generation == 3
        group.expire("b")
        assert group.state == "PreparingRebalance"


def test_a_live_ghost_that_is_expired_comes_back_in_a_new_generation(orders: Cluster) -> None:
    group = orders.group("billing")
    group.join_ghost(topics=["orders"])
    ghost = group.join_ghost(topics=["orders"])
    before, old_id = group.wait_stable(members=2), ghost.id
    group.expire(ghost)
    after = group.wait_stable(members=2, timeout=0)
    assert after.generation > before.generation
    assert ghost.id != old_id


def test_a_silent_ghost_expires_and_a_live_one_does_not(orders: Cluster) -> None:
    group = orders.group("billing")
    orders.clock.freeze()
    live, silent = group.join_ghost(topics=["orders"]), group.join_ghost(topics=["orders"])
    silent.silence()
    orders.clock.advance("45s")
    found = group.wait_stable(members=1)
    assert found.assignment[live] == orders.topic("orders").partitions
    with pytest.raises(KafkaError, match="UNKNOWN_MEMBER_ID"):
        silent.commit({("orders", 0): 1})
    with pytest.raises(KafkaError, match="ILLEGAL_GENERATION"):
        silent.commit({("orders", 0): 1}, member_id=live.id)
    silent.speak()
    assert len(group.wait_stable(members=2).assignment[silent]) == 2


def test_an_evicted_ghost_is_not_waited_for(orders: Cluster) -> None:
    group = orders.group("billing")
    silent, live = group.join_ghost(topics=["orders"]), group.join_ghost(topics=["orders"])
    silent.silence()
    third = group.join_ghost(topics=["orders"])
    assert (group.state, third.state) == ("PreparingRebalance", "joining")
    group.evict(silent)
    assert sorted(group.wait_stable(members=2).assignment) == sorted([live.id, third.id])


def test_a_ghost_with_a_short_session_has_it(orders: Cluster) -> None:
    group = orders.group("billing")
    orders.clock.freeze()
    group.join_ghost(topics=["orders"], session_timeout="6s").silence()
    orders.clock.advance("5999ms")
    assert group.state == "Stable"
    orders.clock.advance("1ms")
    assert group.state == "Empty"


def test_a_ghost_reads_and_commits_when_it_is_told_to(orders: Cluster) -> None:
    topic, group = orders.topic("orders"), orders.group("billing")
    for value in ("1", "2", "3"):
        topic.append("k", value, partition=1)
    ghost = group.join_ghost(topics=["orders"])
    assert [record.value for record in ghost.poll(max_records=2)] == [b"1", b"2"]
    assert dict(group.committed) == {}
    (third,) = ghost.poll(auto_commit=True)
    assert (third.key, third.value, third.offset, third.partition) == (b"k", b"3", 2, 1)
    assert {place: offset for place, offset in group.committed.items() if offset} == {("orders", 1): 3}
    assert ghost.poll() == []
    ghost.leave()
    topic.append("k", "4", partition=1)
    successor = group.join_ghost(topics=["orders"])
    assert [record.value for record in successor.poll(auto_offset_reset="latest")] == [b"4"]
    group.set_offset("orders", 1, 1)
    successor.leave()
    again = group.join_ghost(topics=["orders"])
    assert [record.value for record in again.poll()] == [b"2", b"3", b"4"]


def test_a_ghost_that_starts_at_latest_misses_what_was_there(orders: Cluster) -> None:
    orders.topic("orders").append("k", "old", partition=0)
    ghost = orders.group("billing").join_ghost(topics=["orders"])
    assert ghost.poll(auto_offset_reset="latest") == []
    orders.topic("orders").append("k", "new", partition=0)
    assert [record.value for record in ghost.poll()] == [b"new"]


def test_nobody_waits_for_a_ghost_to_find_its_place(orders: Cluster) -> None:
    group = orders.group("billing")
    ghost = group.join_ghost(topics=["orders"])
    assert group.wait_positioned(timeout=0).assignment[ghost] == orders.topic("orders").partitions


def test_a_ghost_that_had_to_give_up_fails_the_wait_for_its_group(orders: Cluster) -> None:
    group = orders.group("billing")
    ghost = group.join_ghost(topics=["orders"], assignor="range")
    orders.do(lambda: ghost._ghost._fail("it was made the leader of something odd"))  # noqa: SLF001 - a rare end
    with pytest.raises(
        UsageError, match="ghost-1 cannot be in group 'billing': it was made the leader of some"
    ):
        group.wait_stable(timeout=0)


def test_a_reset_wipes_ghosts_too(orders: Cluster) -> None:
    ghost = orders.group("billing").join_ghost(topics=["orders"])
    orders.reset()
    orders.clock.advance("1h")
    assert ghost.state == "gone"
    assert orders.group("billing").state == "Dead"
    orders.topic("orders").create()
    assert orders.group("billing").join_ghost(topics=["orders"]).assignment == [TopicPartition("orders", 0)]


def test_a_held_ghost_is_waited_for_and_the_wait_says_so(orders: Cluster) -> None:
    group = orders.group("billing")
    with orders.faults.on("SyncGroup", group="billing").hold() as gate:
        ghost = group.join_ghost(topics=["orders"])
        gate.wait_arrived()
        assert ghost.state == "waiting for its assignment"
        with pytest.raises(WaitTimeout, match="group billing is CompletingRebalance"):
            group.wait_stable(timeout=0)
        gate.release()
    assert group.wait_stable(members=1).assignment[ghost] == orders.topic("orders").partitions


def test_ghosts_live_in_trio_clusters_too() -> None:
    async def story() -> None:
        async with open_cluster(topics={"orders": 2}) as cluster:
            group = cluster.group("billing")
            ghost = group.join_ghost(topics=["orders"])
            found = await group.wait_stable(members=1)
            assert len(found.assignment[ghost]) == 2

    trio.run(story)


def test_a_ghost_takes_part_beside_a_member_that_is_slow(orders: Cluster) -> None:
    group = orders.group("billing")
    ghost = group.join_ghost(topics=["orders"])
    with RawMember(orders, "a") as slow:
        slow.send_join()
        # The ghost has joined again and assigned at once: nobody had to wait for its heartbeat.
        assert slow.joined().leader == ghost.id
        assert slow.ask(slow.sync_request(), 1).error_code == 0
        assert len(group.wait_stable(members=2, timeout=0).assignment["a"]) == 2


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda g: g.join_ghost(topics="orders"), "topics='orders': expected a list with the names of one"),
        (
            lambda g: g.join_ghost(),
            "has no members whose topics a ghost could want: join_ghost(topics=[...])",
        ),
        (lambda g: g.join_ghost(topics=[]), "topics=[]: expected a list"),
        (
            lambda g: g.join_ghost(["orders"], assignor="odd"),
            "ghost-1 cannot be in group 'billing': assignor='odd': in a",
        ),
        (
            lambda g: g.join_ghost(["orders"], session_timeout="1ms"),
            "JoinGroup was refused: INVALID_SESSION_TIMEOUT",
        ),
        (
            lambda g: g.join_ghost(["orders"]).poll(auto_offset_reset="none"),
            "auto_offset_reset='none': expected one of",
        ),
        (lambda g: g.set_offset("orders", 9, 1), "there is no partition orders-9: nothing can be committed"),
        (lambda g: g.set_offset("orders", 0, -1), "set_offset(..., -1): offsets count from 0 up"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    orders: Cluster, mistake: Callable[[object], object], said: str
) -> None:
    orders.coordinator_of("billing")
    with pytest.raises(UsageError, match=re.escape(said)):
        mistake(orders.group("billing"))


def test_a_ghost_does_not_join_what_is_no_group_of_consumers(orders: Cluster) -> None:
    with RawMember(orders, "worker") as worker:
        request = worker.join_request()
        request.protocol_type = "connect"
        worker.send(request, 3)
        worker.answer(request, 3)
        with pytest.raises(UsageError, match="is one of 'connect' members, and a ghost is a consumer"):
            orders.group("billing").join_ghost(topics=["orders"])


def test_a_ghost_offers_any_assignor_that_all_others_speak(orders: Cluster) -> None:
    with RawMember(orders, "real") as real:
        request = real.join_request()
        request.protocols[0].name = "odd"
        real.send(request, 3)
        first = real.answer(request, 3)
        real.id, real.generation = first.member_id, first.generation_id
        real.lead([0, 1, 2, 3])
        ghost = orders.group("billing").join_ghost(topics=["orders"])
        request.member_id = real.id
        real.send(request, 3)
        second = real.answer(request, 3)
        assert second.protocol_name == "odd"
        real.generation = second.generation_id
        real.lead([0], {ghost.id: [1, 2, 3]})
        assert ghost.assignment == [TopicPartition("orders", n) for n in (1, 2, 3)]
        # When it must lead it cannot, and says so to whoever waits for the group.
        real.leave()
        with pytest.raises(
            UsageError, match="it was made the leader and cannot compute the assignor 'odd', only"
        ):
            orders.group("billing").wait_stable(timeout=0)
        assert orders.group("billing").state == "Empty"


# -- producers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("idempotent", "copies"), [(False, 2), (True, 1)])
def test_a_batch_that_is_sent_again_is_there_once_if_the_producer_is_idempotent(
    orders: Cluster, idempotent: bool, copies: int
) -> None:
    producer = orders.ghost_producer(idempotent=idempotent)
    assert (producer.producer_id >= 0) is idempotent
    with orders.faults.after("Produce", topic="orders", nth=1).disconnect():
        answer = producer.send("orders", b"paid", partition=2)
    assert (answer.lost, answer.error) == (True, None)
    assert producer.resend().error is None
    assert orders.topic("orders").values(partition=2) == [b"paid"] * copies


def test_sequences_go_on_in_each_partition(orders: Cluster) -> None:
    producer = orders.ghost_producer(idempotent=True)
    for n in range(3):
        producer.send("orders", f"v{n}", partition=0)
        producer.send("orders", f"w{n}", partition=1)
    assert orders.topic("orders").values(partition=0) == [b"v0", b"v1", b"v2"]
    assert {record.producer_id for record in orders.topic("orders").records()} == {producer.producer_id}


def test_a_ghost_producer_chooses_partitions_as_clients_do(orders: Cluster) -> None:
    producer = orders.ghost_producer(client_id="shop")
    producer.send("orders", "1", key="o-1")
    offset = orders.topic("orders").append("o-1", "2")
    assert offset == 1  # the same partition
    producer.send("orders", "3", headers=[("h", b"x")])
    assert orders.topic("orders").records(partition=0)[-1].headers == (("h", b"x"),)
    assert {event.client_id for event in orders.history.events("Produce")} == {"shop"}


def test_acks_are_as_they_were_asked_for(orders: Cluster) -> None:
    producer = orders.ghost_producer()
    answers = [producer.send("orders", "v", acks=acks) for acks in (0, 1, "all")]
    assert [answer.response is None for answer in answers] == [True, False, False]
    assert [event.request.acks for event in orders.history.events("Produce")] == [0, 1, -1]
    partition = orders.topic("orders").partition(0)
    partition.freeze_followers()
    waiting = producer.send("orders", "v", acks="all")
    before = waiting.done
    assert repr(waiting).startswith("<ghost-producer-1's batch for orders-0: ")
    for broker in partition.replicas:
        if broker != partition.leader:
            partition.replica(broker).catch_up()
    assert (before, waiting.done, waiting.error) == (False, True, None)


def test_a_refusal_is_raised(orders: Cluster) -> None:
    orders.topic("orders").alter_config(max_message_bytes=100)
    with pytest.raises(
        KafkaError, match="ghost-producer-1's batch for orders-0 was refused: MESSAGE_TOO_LARGE"
    ):
        orders.ghost_producer().send("orders", "x" * 200)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda p: p.resend(), "ghost-producer-1 has nothing to send again: send() something first"),
        (lambda p: p.send("orders", "v", acks=2), "acks=2: expected 0, 1 or 'all'"),
        (
            lambda p: p.send("orders", "v", partition=9),
            "topic 'orders' has no partition 9: it has 4, from 0 up",
        ),
        (lambda p: p.send("x", "v"), "cannot use topic 'x': UNKNOWN_TOPIC_OR_PARTITION; create() it first"),
    ],
)
def test_a_producers_mistake_is_told_in_a_sentence(
    orders: Cluster, mistake: Callable[[object], object], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        mistake(orders.ghost_producer())
