"""The broker that looks after a group dies, at the moments that matter; three members, three libraries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from mockbroker import Cluster
from mockbroker.checkers.verdict import Outcome
from mockbroker.handles.group_snapshot import GroupSnapshot
from mockbroker.waiting import Condition
from tests.scenarios.clients import Library, Membership
from tests.scenarios.workers import Worker, workers

PARTITIONS = 6
# A rebalance may have to time out first, and some clients wait for their own request timeout.
PATIENCE = "40s"


def members(cluster: Cluster, *names: str) -> list[Membership]:
    return [Membership(cluster.bootstrap, "orders", "billing", name) for name in names]


def append_to_all(cluster: Cluster, label: str) -> dict[int, int]:
    """Append a record to every partition; gives what a group has to commit once it has them all."""
    topic = cluster.topic("orders")
    for partition in range(PARTITIONS):
        topic.append(None, f"{label}-{partition}", partition=partition)
    return {partition: topic.end_offset(partition) for partition in range(PARTITIONS)}


def each_is_owned_once(group: GroupSnapshot) -> bool:
    owners = group.assignment.owners
    return len(owners) == PARTITIONS and all(len(members) == 1 for members in owners.values())


def committed(cluster: Cluster) -> dict[int, int]:
    return {place.partition: offset for place, offset in cluster.group("billing").committed.items()}


def nothing_is_lost(cluster: Cluster, apps: list[Worker]) -> bool:
    received = {value for app in apps for value in app.values}
    return received == set(cluster.topic("orders").values())


def acknowledged_by(apps: list[Worker]) -> dict[int, int]:
    """The highest acknowledged commit of each partition, whoever made it."""
    highest: dict[int, int] = {}
    for app in apps:
        for partition, offset in dict(app.acknowledged).items():
            highest[partition] = max(offset, highest.get(partition, 0))
    return highest


def test_the_coordinator_of_a_stable_group_crashes(mockbroker: Cluster, library: Library) -> None:
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    group = mockbroker.group("billing")
    with workers(library, *members(mockbroker, "a", "b", "c")) as apps:
        group.wait_stable(members=3)
        group.wait_committed("orders", append_to_all(mockbroker, "before"))
        acknowledged = acknowledged_by(apps)
        coordinator = mockbroker.coordinator_of("billing")
        coordinator.crash()
        assert mockbroker.coordinator_of("billing") != coordinator
        # What was acknowledged is there the moment that somebody can be asked.
        assert committed(mockbroker).items() >= acknowledged.items()
        expected = append_to_all(mockbroker, "after")
        group.wait_committed("orders", expected)
        assert each_is_owned_once(group.wait_stable(members=3))
    assert committed(mockbroker) == acknowledged_by(apps) == expected
    assert nothing_is_lost(mockbroker, apps)


def crash_between_join_and_sync(cluster: Cluster) -> Condition[int]:
    """Fulfilled, and done, in the very step in which the group has joined and nobody has synced."""
    group = cluster.group("billing")
    crashed: list[int] = []

    def look() -> int | None:
        if not crashed and group.state == "CompletingRebalance":
            crashed.append(cluster.coordinator_of("billing").id)
            cluster.broker(crashed[0]).crash()
        return crashed[0] if crashed else None

    return Condition("the group to be between JoinGroup and SyncGroup", look, lambda: f"it is {group.state}")


def test_the_coordinator_crashes_between_join_and_sync(mockbroker: Cluster, library: Library) -> None:
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    group = mockbroker.group("billing")
    two, third = members(mockbroker, "a", "b"), members(mockbroker, "c")
    with workers(library, *two) as apps:
        group.wait_stable(members=2)
        group.wait_committed("orders", append_to_all(mockbroker, "before"))
        acknowledged = acknowledged_by(apps)
        with workers(library, *third) as more:
            crashed = mockbroker.wait(crash_between_join_and_sync(mockbroker))
            assert mockbroker.coordinator_of("billing").id != crashed
            # The half-done rebalance was in the memory of the dead; commits were in the log.
            assert committed(mockbroker).items() >= acknowledged.items()
            assert each_is_owned_once(group.wait_stable(members=3, timeout="15s"))
            expected = append_to_all(mockbroker, "after")
            group.wait_committed("orders", expected)
            assert each_is_owned_once(group.wait_stable(members=3))
    apps = [*apps, *more]
    assert committed(mockbroker) == acknowledged_by(apps) == expected
    assert nothing_is_lost(mockbroker, apps)


def before_a_join_is_handled(cluster: Cluster, start: Callable[[], None]) -> None:
    with cluster.faults.on("JoinGroup", group="billing").hold() as gate:
        start()
        gate.wait_arrived(timeout=PATIENCE)
        cluster.coordinator_of("billing").crash()


def when_all_have_joined(cluster: Cluster, start: Callable[[], None]) -> None:
    start()
    cluster.wait(crash_between_join_and_sync(cluster), timeout=PATIENCE)


def when_one_is_synced(cluster: Cluster, start: Callable[[], None]) -> None:
    group = cluster.group("billing")
    led = Condition(
        "the leader to have synced", lambda: group.state == "Stable" or None, lambda: f"it is {group.state}"
    )
    followers = cluster.faults.on("SyncGroup", group="billing", when=lambda call: not call.body.assignments)
    with followers.hold() as gate:
        start()
        gate.wait_arrived(2, timeout=PATIENCE)
        cluster.wait(led, timeout=PATIENCE)
        cluster.coordinator_of("billing").crash()


def when_a_commit_is_applied_and_not_answered(cluster: Cluster, start: Callable[[], None]) -> None:
    with cluster.faults.after("OffsetCommit", group="billing", nth=1).hold() as gate:
        start()
        append_to_all(cluster, "meanwhile")
        gate.wait_arrived(timeout=PATIENCE)
        cluster.coordinator_of("billing").crash()


def while_it_loads(cluster: Cluster, start: Callable[[], None]) -> None:
    with cluster.faults.between("LoadCoordinator").hold() as gate:
        cluster.coordinator_of("billing").crash()
        gate.wait_arrived(timeout=PATIENCE)
        start()
        cluster.history.wait_for("JoinGroup", error="COORDINATOR_LOAD_IN_PROGRESS", timeout=PATIENCE)
        cluster.coordinator_of("billing").crash()


@pytest.mark.parametrize(
    "moment",
    [
        before_a_join_is_handled,
        when_all_have_joined,
        when_one_is_synced,
        when_a_commit_is_applied_and_not_answered,
        while_it_loads,
    ],
    ids=lambda moment: moment.__name__,
)
def test_nothing_is_lost_and_nothing_owned_twice(
    mockbroker: Cluster, library: Library, moment: Callable[[Cluster, Callable[[], None]], None]
) -> None:
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    group = mockbroker.group("billing")
    two, third = members(mockbroker, "a", "b"), members(mockbroker, "c")
    with workers(library, *two) as apps, ExitStack() as more:
        group.wait_positioned(timeout=PATIENCE)
        group.wait_committed("orders", append_to_all(mockbroker, "before"), timeout=PATIENCE)
        moment(mockbroker, lambda: apps.extend(more.enter_context(workers(library, *third))))
        group.wait_stable(members=3, timeout=PATIENCE)
        expected = append_to_all(mockbroker, "after")
        group.wait_committed("orders", expected, timeout=PATIENCE)
        assert each_is_owned_once(group.wait_stable(members=3, timeout=PATIENCE))
    assert nothing_is_lost(mockbroker, apps)
    report = mockbroker.check()  # no acknowledged record lost, no partition owned twice, no zombie's commit
    received = [value for app in apps for value in app.values]
    if len(received) > len(set(received)):
        # Only where a commit was lost, and then the ledger knows of it.
        assert report.of("duplicated_by_redelivery").outcome is Outcome.VIOLATED
