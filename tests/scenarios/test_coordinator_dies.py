"""The broker that looks after a group dies, at two moments that matter; three members, three libraries."""

from __future__ import annotations

from mockbroker import Cluster
from mockbroker.handles.group_snapshot import GroupSnapshot
from mockbroker.waiting import Condition
from tests.scenarios.clients import Library, Membership
from tests.scenarios.workers import Worker, workers

PARTITIONS = 6


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
