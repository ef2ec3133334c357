"""Faults and gates beside real clients: answers that are lost, errors for one partition, steps that are held."""

from __future__ import annotations

import pytest

from mockbroker import Cluster
from tests.scenarios.clients import Confluent, KafkaPython, Library, Membership
from tests.scenarios.workers import Worker, workers

PARTITIONS = 6
# An app's rebalance with one that must time out first is none of these; a busy machine is.
PATIENCE = "15s"


def member(cluster: Cluster, name: str) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", name)


@pytest.mark.parametrize("library", [KafkaPython, Confluent], ids=["kafka-python", "confluent-kafka"])
def test_one_partition_is_refused_a_few_times_and_the_others_go_on(
    mockbroker: Cluster, library: Library
) -> None:
    topic = mockbroker.topic("orders")
    topic.create(partitions=3)
    refused = mockbroker.faults.on("Produce", topic="orders", partition=1, times=3).fail(
        "NOT_LEADER_OR_FOLLOWER"
    )
    producer = library.Producer(mockbroker.bootstrap, "all", idempotent=True)
    try:
        for partition in (0, 1, 2):
            assert producer.send("orders", partition, [b"x"]) == [b"x"]
    finally:
        producer.close()
    assert refused.hits == 3
    assert [len(topic.records(partition=partition)) for partition in (0, 1, 2)] == [1, 1, 1]


@pytest.mark.parametrize("trouble", ["cut", "refused"])
def test_a_client_comes_through_an_answer_that_is_cut_or_refused(
    mockbroker: Cluster, library: Library, trouble: str
) -> None:
    topic = mockbroker.topic("orders")
    topic.create(partitions=1)
    topic.append(None, "before")
    fetches = mockbroker.faults.after("Fetch", topic="orders", nth=1)
    fault = fetches.truncate(20) if trouble == "cut" else fetches.fail("NOT_LEADER_OR_FOLLOWER")
    with Worker(library, member(mockbroker, "app")) as app:
        fault.wait_hit(timeout=PATIENCE)
        topic.append(None, "after")
        mockbroker.group("billing").wait_committed("orders", {0: 2}, timeout=PATIENCE)
    assert app.values == [b"before", b"after"]


def test_the_coordinator_dies_when_everybody_has_joined_and_nobody_is_synced(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=PARTITIONS)
    two, third = [member(mockbroker, name) for name in ("a", "b")], member(mockbroker, "c")
    with workers(library, *two) as apps:
        group.wait_positioned(timeout=PATIENCE)
        with (
            mockbroker.faults.on("SyncGroup", group="billing").hold() as gate,
            Worker(library, third) as late,
        ):
            held = gate.wait_arrived(timeout=PATIENCE)
            assert {one.group for one in held} == {"billing"}
            crashed = mockbroker.coordinator_of("billing")
            crashed.crash()
            # What the dead broker was asked is gone; what its successor is asked is not held any more.
            gate.remove()
            group.wait_stable(members=3, timeout=PATIENCE)
            for partition in topic.partitions:
                topic.append(None, f"{partition.partition}", partition=partition.partition)
            group.wait_committed("orders", dict.fromkeys(range(PARTITIONS), 1), timeout=PATIENCE)
    received = sorted(value for app in (*apps, late) for value in app.values)
    assert received == [b"%d" % partition for partition in range(PARTITIONS)]


def test_who_joins_first_is_for_the_test_to_choose(mockbroker: Cluster, library: Library) -> None:
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    group = mockbroker.group("billing")
    # A first request only gets a member id; the one that comes with it joins.
    joins = mockbroker.faults.on("JoinGroup", group="billing", when=lambda call: call.body.member_id)
    with joins.hold() as gate, workers(library, *(member(mockbroker, name) for name in ("a", "b"))):
        gate.wait_arrived(2, timeout=PATIENCE)
        gate.release("b", "a")
        gate.remove()
        group.wait_stable(members=2, timeout=PATIENCE)
    first_to_join = mockbroker.history.events("SyncGroup")[0].client_id
    assert first_to_join == "b"


def test_an_answer_to_a_commit_is_held_and_the_commit_is_there(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=1)
    topic.append(None, "paid")
    with (
        mockbroker.faults.after("OffsetCommit", group="billing", nth=1).hold() as gate,
        Worker(library, member(mockbroker, "app")) as app,
    ):
        gate.wait_arrived(timeout=PATIENCE)
        assert sum(group.committed.values()) == 1
        assert app.acknowledged == {}
        gate.release()
    assert app.acknowledged == {0: 1}
