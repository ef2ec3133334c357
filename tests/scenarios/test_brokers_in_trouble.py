"""Brokers that are neither well nor dead: paused, or cut off from all the others."""

from __future__ import annotations

import pytest

from mockbroker import Cluster
from mockbroker.handles.brokers import Broker
from tests.scenarios.clients import Library, Membership
from tests.scenarios.test_leader_dies import has_grown
from tests.scenarios.workers import BATCH, Sender, Worker


def led_by(cluster: Cluster, broker: Broker) -> int:
    """A partition of orders that this broker leads."""
    return next(p.partition for p in cluster.topic("orders").partitions if cluster.leader_of(*p) == broker)


# With more copies everybody would wait for a paused follower, too, as the test below does.
@pytest.mark.mockbroker(config={"offsets.topic.replication.factor": 1})
def test_a_paused_broker_keeps_its_own_partitions_waiting_and_no_others(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=3, replication=1)
    coordinator = mockbroker.coordinator_of("billing")
    one, other = (broker for broker in mockbroker.brokers if broker != coordinator)
    stalled, running = led_by(mockbroker, one), led_by(mockbroker, other)
    with Worker(library, Membership(mockbroker.bootstrap, "orders", "billing", "a")) as app:
        group.wait_positioned()
        one.pause()
        topic.append(None, "waits", partition=stalled)
        topic.append(None, "goes on", partition=running)
        group.wait_committed("orders", {running: 1})
        assert app.values == [b"goes on"]
        one.resume()
        group.wait_committed("orders", {stalled: 1})
    assert app.values == [b"goes on", b"waits"]


def test_a_paused_follower_holds_up_acknowledgements_until_the_cluster_gives_it_up(
    mockbroker: Cluster, library: Library
) -> None:
    topic = mockbroker.topic("orders")
    topic.create(config={"min.insync.replicas": 2})
    with Sender(library, mockbroker.bootstrap, "orders", acks="all") as sender:
        mockbroker.wait(has_grown(mockbroker, "orders", 2 * BATCH))
        leader = mockbroker.leader_of("orders")
        follower = next(broker for broker in mockbroker.brokers if broker != leader)
        follower.pause()
        mockbroker.clock.advance("10s")  # beyond broker.session.timeout.ms
        assert follower.id not in topic.partition(0).isr
        mockbroker.wait(has_grown(mockbroker, "orders", 2 * BATCH))
        follower.resume()
        mockbroker.wait(has_grown(mockbroker, "orders", 2 * BATCH))
        sender.stop()
    assert follower.id in topic.partition(0).isr
    assert topic.values() == sender.acknowledged == sender.sent


def test_a_leader_that_is_cut_off_acknowledges_nothing_that_will_be_lost(
    mockbroker: Cluster, library: Library
) -> None:
    topic = mockbroker.topic("orders")
    topic.create(config={"min.insync.replicas": 2})
    with Sender(library, mockbroker.bootstrap, "orders", acks="all") as sender:
        mockbroker.wait(has_grown(mockbroker, "orders", 2 * BATCH))
        deposed = mockbroker.leader_of("orders")
        deposed.isolate()
        assert mockbroker.leader_of("orders") != deposed
        topic.append(None, "the new leader's")  # history takes another course
        deposed.heal()
        mockbroker.wait(has_grown(mockbroker, "orders", 2 * BATCH))
        sender.stop()
    stored = topic.values()
    assert b"the new leader's" in stored
    assert [value for value in stored if value in set(sender.acknowledged)] == sender.acknowledged
    ends = {topic.partition(0).replica(broker.id).end_offset for broker in mockbroker.brokers}
    assert ends == {topic.end_offset()}
