"""Members come, go, die and return; their group goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mockbroker import Cluster
from tests.scenarios.clients import Library, Membership
from tests.scenarios.workers import Worker, workers

ROOT = Path(__file__).parents[2]
# What clients have by default; nobody waits for it here.
SESSION_MS = 45_000


def member(cluster: Cluster, name: str) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", name)


def test_what_a_member_owned_is_shared_when_another_joins_and_comes_back_when_it_leaves(
    mockbroker: Cluster, library: Library
) -> None:
    mockbroker.topic("orders").create(partitions=4)
    group = mockbroker.group("billing")
    with workers(library, member(mockbroker, "a")):
        group.wait_stable(members=1)
        with workers(library, member(mockbroker, "b")):
            shared = group.wait_stable(members=2)
            assert len(shared.assignment["a"]) == len(shared.assignment["b"]) == 2
        # It said good-bye: no session had to run out.
        alone = group.wait_stable(members=1)
        assert alone.assignment["a"] == mockbroker.topic("orders").partitions
        assert alone.generation > shared.generation
    assert group.state == "Empty"


def test_a_worker_resumes_where_the_last_one_committed(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create()
    with Worker(library, member(mockbroker, "a")) as first:
        for value in ("1", "2", "3"):
            topic.append(None, value)
        group.wait_committed("orders", {0: 3})
    topic.append(None, "4")
    with Worker(library, member(mockbroker, "b")) as second:
        topic.append(None, "5")
        group.wait_committed("orders", {0: 5})
    assert first.values == [b"1", b"2", b"3"]
    assert second.values == [b"4", b"5"]
    assert group.lag == {("orders", 0): 0}


def test_a_static_member_that_is_restarted_finds_its_partitions_and_disturbs_nobody(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=4)
    a, b = (replace(member(mockbroker, name), instance=f"i-{name}") for name in "ab")
    with Worker(library, a):
        group.wait_stable(members=1)
        with Worker(library, b):
            before = group.wait_stable(members=2)
        assert len(group.members) == 2  # gone without a good-bye
        with Worker(library, b) as restarted:
            mine = before.assignment["i-b"]
            for partition in mine:
                topic.append(None, "back", partition=partition.partition)
            group.wait_committed("orders", {partition.partition: 1 for partition in mine})
            after = group.wait_stable(members=2)
            assert restarted.values == [b"back"] * len(mine)
        assert after.generation == before.generation
        assert after.assignment["i-b"] == mine
        assert after.assignment["i-a"] == before.assignment["i-a"]


def test_a_live_member_outlives_any_jump_in_time(mockbroker: Cluster, library: Library) -> None:
    mockbroker.topic("orders").create()
    group = mockbroker.group("billing")
    with Worker(library, member(mockbroker, "a")) as app:
        before = group.wait_positioned()
        mockbroker.clock.advance("1h")
        mockbroker.topic("orders").append(None, "later")
        group.wait_committed("orders", {0: 1})
        assert group.generation == before.generation
        assert app.values == [b"later"]
