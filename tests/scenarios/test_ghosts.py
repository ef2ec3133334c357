"""Ghosts beside real clients: they join and leave their groups, follow them, and lead them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import confluent_kafka
import pytest

from mockbroker import Cluster
from mockbroker.handles.group_snapshot import GroupSnapshot
from tests.scenarios.clients import Confluent, Library, Membership
from tests.scenarios.workers import Worker, workers

PARTITIONS = 6


def member(cluster: Cluster, name: str) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", name)


def assert_each_is_owned_once(group: GroupSnapshot, partitions: int = PARTITIONS) -> None:
    owners = group.assignment.owners
    assert len(owners) == partitions
    assert {len(members) for members in owners.values()} == {1}


def test_a_ghost_gets_its_share_of_a_real_members_partitions_and_gives_it_back(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=PARTITIONS)
    with Worker(library, member(mockbroker, "app")) as app:
        group.wait_stable(members=1)
        ghost = group.join_ghost(topics=["orders"])
        shared = group.wait_stable(members=2)
        assert len(group.assignment[ghost]) == len(ghost.assignment) == 3
        assert_each_is_owned_once(shared)
        ghost.leave()
        alone = group.wait_stable(members=1)
        assert alone.assignment["app"] == topic.partitions
        for partition in topic.partitions:
            topic.append(None, "paid", partition=partition.partition)
        group.wait_committed("orders", dict.fromkeys(range(PARTITIONS), 1))
    assert app.values == [b"paid"] * PARTITIONS


def test_a_ghost_that_leads_assigns_what_a_real_member_reads(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=PARTITIONS)
    ghost = group.join_ghost(topics=["orders"])
    assert ghost.assignment == topic.partitions
    with Worker(library, member(mockbroker, "app")) as app:
        shared = group.wait_stable(members=2)
        assert_each_is_owned_once(shared)
        for partition in shared.assignment["app"]:
            topic.append(None, "paid", partition=partition.partition)
        group.wait_committed("orders", {place.partition: 1 for place in shared.assignment["app"]})
    assert app.values == [b"paid"] * 3


def test_ghosts_and_real_members_come_through_the_death_of_their_coordinator(
    mockbroker: Cluster, library: Library
) -> None:
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    group = mockbroker.group("billing")
    with workers(library, member(mockbroker, "app")):
        group.wait_stable(members=1)
        group.join_ghost(topics=["orders"])
        before = group.wait_stable(members=2)
        group.wait_positioned()  # of the app: a ghost reads when it is told to
        mockbroker.coordinator_of("billing").crash()
        ghost = group.join_ghost(topics=["orders"])
        after = group.wait_stable(members=3, newer_than=before.generation)
        assert_each_is_owned_once(after)
        assert len(after.assignment[ghost]) == 2


@contextmanager
def cooperative(cluster: Cluster, name: str) -> Iterator[tuple[confluent_kafka.Consumer, list[str]]]:
    """A librdkafka consumer of the cooperative kind, and what it was told."""
    told = list[str]()
    settings = {
        **Confluent.common(cluster.bootstrap),
        "client.id": name,
        "group.id": "billing",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 100,
        "partition.assignment.strategy": "cooperative-sticky",
        "auto.offset.reset": "earliest",
    }
    consumer = confluent_kafka.Consumer(settings)

    def assigned(
        consumer: confluent_kafka.Consumer, partitions: list[confluent_kafka.TopicPartition]
    ) -> None:
        consumer.incremental_assign(partitions)
        told.append("+" + ",".join(str(p.partition) for p in sorted(partitions, key=lambda p: p.partition)))

    def revoked(consumer: confluent_kafka.Consumer, partitions: list[confluent_kafka.TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        told.append("-" + ",".join(str(p.partition) for p in sorted(partitions, key=lambda p: p.partition)))

    consumer.subscribe(["orders"], on_assign=assigned, on_revoke=revoked)
    try:
        yield consumer, told
    finally:
        consumer.close()


def polled_until_shared(
    cluster: Cluster, consumer: confluent_kafka.Consumer, sizes: list[int]
) -> GroupSnapshot:
    """Poll a consumer, which is how it takes part, until the members own so many partitions each."""
    for _ in range(500):
        consumer.poll(0.02)
        found = cluster.group("billing").snapshot()
        if found.state == "Stable" and sorted(len(p) for p in found.assignment.values()) == sizes:
            return found
    raise AssertionError(f"never so: {cluster.group('billing').snapshot()}")


@pytest.mark.parametrize("leads", ["ghost", "app"])
def test_a_cooperative_ghost_takes_and_gives_no_more_than_it_must(mockbroker: Cluster, leads: str) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=PARTITIONS)
    first = None
    if leads == "ghost":
        first = group.join_ghost(topics=["orders"], assignor="cooperative-sticky")
    with cooperative(mockbroker, "app") as (consumer, told):
        if first is None:
            polled_until_shared(mockbroker, consumer, [PARTITIONS])
        ghost = first or group.join_ghost(topics=["orders"])
        shared = polled_until_shared(mockbroker, consumer, [3, 3])
        assert_each_is_owned_once(shared)
        assert shared.assignment[ghost] == ghost.assignment
        kept = {place.partition for place in shared.assignment["app"]}
        ghost.leave()
        polled_until_shared(mockbroker, consumer, [PARTITIONS])
    revoked = {int(p) for line in told[:-1] if line[0] == "-" for p in line[1:].split(",") if p}
    assert not revoked & kept
