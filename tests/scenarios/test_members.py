"""Members come, go, die and return; their group goes on where it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mockbroker import Cluster
from tests.scenarios.clients import LIBRARIES, Library, Membership
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


@contextmanager
def process(library: str, cluster: Cluster, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the latest when the block ends."""
    command = [sys.executable, "-m", "tests.scenarios.app", library, cluster.bootstrap, name, str(SESSION_MS)]
    with subprocess.Popen(command, cwd=ROOT) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_killed_worker_is_replaced_after_its_session_timeout_in_no_time(
    mockbroker: Cluster, name: str
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=4)
    here = replace(member(mockbroker, "app-a"), session_ms=SESSION_MS)
    with Worker(LIBRARIES[name], here), process(name, mockbroker, "app-b") as app_b:
        group.wait_stable(members=2, timeout="20s")  # an interpreter has to start
        app_b.kill()  # SIGKILL: no LeaveGroup, and its connection may look alive for a moment
        mockbroker.clock.advance("45s")
        assert group.wait_stable(members=1).assignment["app-a"] == topic.partitions
        assert "app-b" in group.history()[-1].reason


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
