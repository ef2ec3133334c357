from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mockbroker import Cluster, UsageError
from mockbroker.core.groups.views import MemberView
from mockbroker.handles.group_snapshot import Assignment
from mockbroker.handles.records import TopicPartition
from mockbroker.protocol.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from mockbroker.waiting import WaitTimeout
from tests.handles.members import RawClient, RawMember, members


@pytest.fixture
def orders(mockbroker: Cluster) -> Cluster:
    """A cluster with a topic of two partitions."""
    mockbroker.topic("orders").create(partitions=2)
    return mockbroker


def test_a_group_that_nobody_has_joined_is_dead_and_empty(mockbroker: Cluster) -> None:
    group = mockbroker.group("billing")
    assert group.state == "Dead"
    assert group.generation == 0
    assert group.members == ()
    assert dict(group.assignment) == {}
    assert group.committed == group.lag == {}
    assert group.history() == []
    assert repr(group) == "<Group billing>"


def test_a_stable_group_tells_who_owns_what(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a", "b") as (a, b):
        assert (group.state, group.generation) == ("Stable", 2)
        assert [member.client_id for member in group.members] == ["a", "b"]
        assert group.members[0].subscription == ("orders",)
        assert group.assignment["a"] == group.assignment[a.id] == [TopicPartition("orders", 0)]
        assert group.assignment.owners == {("orders", 0): [a.id], ("orders", 1): [b.id]}
        assert list(group.assignment) == [a.id, b.id]
        assert len(group.assignment) == 2


def test_an_assignment_is_not_found_by_a_name_that_fits_nobody_or_two() -> None:
    def member(id: str, client_id: str) -> MemberView:
        return MemberView(id, None, client_id, "", None, {"orders": [0]})

    assignment = Assignment((member("m-1", "app"), member("m-2", "app")))
    with pytest.raises(KeyError, match=r"'app' is more than one member: there are \['m-1', 'm-2'\]"):
        assignment["app"]
    with pytest.raises(KeyError, match="'x' is no member"):
        assignment["x"]
    assert assignment.owners == {("orders", 0): ["m-1", "m-2"]}


def test_commits_are_told_by_partition_with_what_is_left_to_read(orders: Cluster) -> None:
    group = orders.group("billing")
    for value in "123":
        orders.topic("orders").append(None, value, partition=0)
    with members(orders, "a") as (a,):
        a.commit("orders", {0: 2, 1: 0})
        assert group.committed == {("orders", 0): 2, ("orders", 1): 0}
        assert group.lag == {("orders", 0): 1, ("orders", 1): 0}
        assert group.wait_committed("orders", {0: 1}) == group.committed


def test_an_expired_member_has_lost_its_place(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a") as (a,):
        group.expire("a")
        assert group.state == "Empty"
        assert a.heartbeat() == 25  # UNKNOWN_MEMBER_ID
        assert "a" in group.history()[-1].reason


def test_an_evicted_member_is_out_of_the_rebalance_that_waits_for_it(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a") as (a,), RawMember(orders, "b") as b:
        b.send_join()
        while a.heartbeat() == 0:
            pass
        assert group.state == "PreparingRebalance"
        group.evict(a.id)
        assert b.joined().members[0].member_id == b.id
        assert [member.client_id for member in group.members] == ["b"]


def test_the_history_tells_each_generation_and_why_it_began(orders: Cluster) -> None:
    with members(orders, "a", "b") as (a, b):
        b.leave()
    (last,) = orders.group("billing").history()
    assert (last.generation, last.coordinator) == (2, orders.coordinator_of("billing").id)
    assert last.members == {a.id: {"orders": [0]}, b.id: {"orders": [1]}}
    assert last.reason


def test_a_wait_for_stability_is_over_when_it_is_so_already(orders: Cluster) -> None:
    with members(orders, "a", "b"):
        found = orders.group("billing").wait_stable(members=2)
        assert found.generation == 2
        with pytest.raises(WaitTimeout, match="to be stable with 2 members in a generation after 2;"):
            orders.group("billing").wait_stable(members=2, newer_than=2, timeout=0)
        with pytest.raises(WaitTimeout, match="to be stable with 3 members;"):
            orders.group("billing").wait_stable(members=3, timeout=0)


def test_a_group_is_not_stable_before_every_member_has_its_assignment(orders: Cluster) -> None:
    with RawMember(orders, "a") as a:
        a.join()
        with pytest.raises(
            WaitTimeout, match=r"instead: group billing is CompletingRebalance in generation 1,"
        ):
            orders.group("billing").wait_stable(timeout=0)
        a.lead([0, 1])
        orders.group("billing").wait_stable(timeout=0)


def fetch(cluster: Cluster, name: str, *partitions: int) -> None:
    """Fetch as a client of this name, from whoever leads each partition."""
    for partition in partitions:
        with RawClient(cluster, cluster.leader_of("orders", partition).id, name) as client:
            client.fetch("orders", partition, 0)


def list_latest(cluster: Cluster, name: str, partition: int) -> None:
    """Ask where a partition ends, as a client does that starts at `latest`."""
    wanted = ListOffsetsPartition(partition_index=partition, timestamp=-1)
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name="orders", partitions=[wanted])])
    with RawClient(cluster, cluster.leader_of("orders", partition).id, name) as client:
        client.ask(request, 4)


def test_a_group_is_positioned_when_its_members_have_asked_where_to_begin_and_then_fetched(
    orders: Cluster,
) -> None:
    group = orders.group("billing")
    orders.clock.freeze()  # what counts is the order of things and not their time
    with RawMember(orders, "a") as a:
        a.join()
        a.lead([0, 1])
        a.commit("orders", {0: 0, 1: 0})
        fetch(orders, "a", 0, 1)  # perhaps still one of the time before the rebalance
        a.look_up("orders", 0, 1)
        fetch(orders, "a", 0)
        fetch(orders, "somebody else", 1)
        not_yet = r"members: a \(a-[-0-9a-f]+\); not fetched yet: orders-1 by a\n"
        with pytest.raises(WaitTimeout, match=not_yet):
            group.wait_positioned(timeout=0)
        fetch(orders, "a", 1)
        assert group.wait_positioned(timeout=0).assignment.owners.keys() == {("orders", 0), ("orders", 1)}


def test_a_commit_that_is_found_decides_where_to_begin_and_an_offset_in_its_stead_does(
    orders: Cluster,
) -> None:
    group = orders.group("billing")
    with RawMember(orders, "a") as a:
        a.join()
        a.lead([0, 1])
        a.commit("orders", {0: 0})
        a.look_up("orders", 0, 1)
        fetch(orders, "a", 0, 1)
        # Partition 1 has no commit: that fetch was sent before its answer, or chose a place without asking.
        with pytest.raises(WaitTimeout, match=r"; not fetched yet: orders-1 by a\n"):
            group.wait_positioned(timeout=0)
        list_latest(orders, "a", 1)
        with pytest.raises(WaitTimeout, match=r"; not fetched yet: orders-1 by a\n"):
            group.wait_positioned(timeout=0)
        fetch(orders, "a", 1)
        group.wait_positioned(timeout=0)


def test_a_client_that_never_asks_where_to_begin_is_positioned_by_its_second_fetch(orders: Cluster) -> None:
    with RawMember(orders, "a") as a:
        a.join()
        a.lead([0, 1])
        fetch(orders, "a", 0, 1)
        with pytest.raises(WaitTimeout, match="not fetched yet: orders-0 by a, orders-1 by a\n"):
            orders.group("billing").wait_positioned(timeout=0)
        fetch(orders, "a", 0, 1)
        orders.group("billing").wait_positioned(timeout=0)


def test_a_group_in_which_somebody_owns_nothing_of_its_topics_is_not_positioned(orders: Cluster) -> None:
    with RawMember(orders, "a") as a:
        a.join()
        a.lead([0])  # as a client does that joined before it knew of partition 1
        with pytest.raises(WaitTimeout, match="; not assigned: orders-1; not fetched yet: orders-0 by a\n"):
            orders.group("billing").wait_positioned(timeout=0)


def test_a_new_generation_has_to_find_its_place_again(orders: Cluster) -> None:
    group = orders.group("billing")
    with RawMember(orders, "a") as a:
        for _ in range(2):
            a.join()
            a.lead([0, 1])
            a.commit("orders", {0: 0, 1: 0})
            with pytest.raises(WaitTimeout):
                group.wait_positioned(timeout=0)
            a.look_up("orders", 0, 1)
            fetch(orders, "a", 0, 1)
            group.wait_positioned(timeout=0)
    assert group.generation == 2


def test_a_wait_for_commits_that_do_not_come_says_what_is_committed(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a") as (a,):
        said = "for group billing to commit {0: 5} of orders; instead: nothing is committed; group billing is Stable"
        with pytest.raises(WaitTimeout, match=re.escape(said)):
            group.wait_committed("orders", {0: 5}, timeout=0)
        a.commit("orders", {0: 4})
        with pytest.raises(WaitTimeout, match=r"instead: \{0: 4\} is committed; group billing is Stable"):
            group.wait_committed("orders", {0: 5}, timeout=0)


def test_a_wait_says_who_keeps_a_rebalance_waiting(orders: Cluster) -> None:
    with members(orders, "a") as (a,), RawMember(orders, "b") as b:
        b.send_join()
        while a.heartbeat() == 0:
            pass
        with pytest.raises(WaitTimeout) as told:
            orders.group("billing").wait_stable(members=2, timeout=0)
        report = str(told.value)
        assert "instead: group billing is PreparingRebalance in generation 1, members: a (" in report
        assert re.search(r"; JoinGroup of b-[-0-9a-f]+.*waiting for a-[-0-9a-f]+", report), report
        assert re.search(r"\nparked requests:\n  b at 127.0.0.1:\d+: JoinGroup of b-", report), report


def test_a_group_without_a_coordinator_is_dead_and_a_wait_says_why(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a"):
        for broker in orders.brokers:
            broker.crash()
        assert group.state == "Dead"
        with pytest.raises(WaitTimeout) as told:
            group.wait_stable(timeout=0)
        first, *others = str(told.value).splitlines()
        assert first == (
            "waited 0 s for group billing to be stable; instead: group billing has no coordinator"
        )
        assert others[:3] == ["broker 1 is down", "broker 2 is down", "broker 3 is down"]
        assert "no request is parked" in others


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda c: c.group("billing").expire("x"), "group 'billing' has no member 'x': there are none"),
        (lambda c: c.group("billing").evict("x"), "group 'billing' has no member 'x': there are none"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    orders: Cluster, mistake: Callable[[Cluster], object], said: str
) -> None:
    orders.coordinator_of("billing")
    with pytest.raises(UsageError, match=re.escape(said)):
        mistake(orders)


def test_a_group_whose_brokers_are_all_down_cannot_be_changed(orders: Cluster) -> None:
    orders.coordinator_of("billing")
    for broker in orders.brokers:
        broker.crash()
    said = (
        "group 'billing' has no coordinator now: restart() a broker that has a replica of its partition of "
    )
    with pytest.raises(UsageError, match=re.escape(said + "__consumer_offsets")):
        orders.group("billing").expire("a")


def test_a_group_may_be_put_somewhere_whoever_its_members_are(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a") as (a,):
        a.commit("orders", {0: 1})
        group.set_offset("orders", 0, 42)
        assert group.committed == {("orders", 0): 42}
        a.commit("orders", {0: 2})
        assert group.committed == {("orders", 0): 2}


def test_offsets_expire_when_they_are_told_to_and_not_while_they_are_subscribed_to(orders: Cluster) -> None:
    group = orders.group("billing")
    with members(orders, "a") as (a,):
        a.commit("orders", {0: 1, 1: 2})
        group.expire_offsets()
        assert group.committed == {("orders", 0): 1, ("orders", 1): 2}
        a.leave()
        assert group.state == "Empty"
        group.expire_offsets()
        assert group.committed == {}
