"""A partition's leader dies: what acknowledgements promise, and what they do not."""

from __future__ import annotations

from mockbroker import Cluster
from mockbroker.waiting import Condition
from tests.scenarios.clients import Confluent, Library, Membership
from tests.scenarios.workers import BATCH, Sender, Worker, send


def has_grown(cluster: Cluster, topic: str, records: int) -> Condition[bool]:
    """So many records more than there are now."""
    wanted = cluster.topic(topic).end_offset() + records
    return Condition(
        f"{topic} to reach offset {wanted}",
        lambda: cluster.topic(topic).end_offset() >= wanted or None,
        lambda: f"it ends at {cluster.topic(topic).end_offset()}",
    )


def test_no_acknowledged_record_is_lost_when_the_leader_crashes_under_load(
    mockbroker: Cluster, library: Library
) -> None:
    topic = mockbroker.topic("orders")
    topic.create(config={"min.insync.replicas": 2})
    with Sender(library, mockbroker.bootstrap, "orders", acks="all") as sender:
        for _ in range(2):
            mockbroker.wait(has_grown(mockbroker, "orders", 5 * BATCH))
            leader = mockbroker.leader_of("orders")
            leader.crash()
            assert mockbroker.leader_of("orders") != leader
            mockbroker.wait(has_grown(mockbroker, "orders", 5 * BATCH))
            leader.restart()
        sender.stop()
    stored = topic.values()
    assert sender.acknowledged
    # Idempotent, so that what was sent again after the crash is there once.
    assert [value for value in stored if value in set(sender.acknowledged)] == sender.acknowledged
    assert set(stored) <= set(sender.sent)


def test_exactly_the_unreplicated_suffix_is_lost_by_an_unclean_election(
    mockbroker: Cluster, library: Library
) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    kept = send(library, mockbroker.bootstrap, "orders", b"1", b"2", b"3")
    topic.partition(0).freeze_followers()
    lost = send(library, mockbroker.bootstrap, "orders", b"4", acks="1")
    mockbroker.clock.advance("31s")  # beyond replica.lag.time.max.ms: they are out of the ISR
    leader = mockbroker.leader_of("orders")
    assert topic.partition(0).isr == [leader.id]
    lost += send(library, mockbroker.bootstrap, "orders", b"5", b"6", acks="1")
    assert topic.values() == kept + lost == [b"1", b"2", b"3", b"4", b"5", b"6"]
    leader.crash()
    assert topic.partition(0).leader == -1
    topic.partition(0).elect(unclean=True)
    assert topic.values() == kept == [b"1", b"2", b"3"]
    leader.restart()
    assert topic.partition(0).replica(leader.id).end_offset == 3  # it follows, and forgets what nobody has


def test_a_consumer_follows_the_new_leader(mockbroker: Cluster, library: Library) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    with Worker(library, Membership(mockbroker.bootstrap, "orders", "billing", "a")) as app:
        topic.append(None, "before")
        mockbroker.group("billing").wait_committed("orders", {0: 1})
        first = mockbroker.leader_of("orders")
        first.crash()
        topic.append(None, "during")
        mockbroker.group("billing").wait_committed("orders", {0: 2})
        first.restart()
        topic.partition(0).elect(first.id)
        assert mockbroker.leader_of("orders") == first
        topic.append(None, "after")
        mockbroker.group("billing").wait_committed("orders", {0: 3})
        assert app.values == [b"before", b"during", b"after"]


def test_a_producer_goes_on_when_its_leader_moves_and_nobody_dies(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    with Sender(Confluent, mockbroker.bootstrap, "orders") as sender:
        for _ in range(3):
            mockbroker.wait(has_grown(mockbroker, "orders", BATCH))
            topic.partition(0).elect()
        mockbroker.wait(has_grown(mockbroker, "orders", BATCH))
        sender.stop()
    assert topic.values() == sender.acknowledged == sender.sent
