from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mockbroker import Cluster, UsageError


def test_a_partition_tells_what_the_controller_knows(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    partition = mockbroker.topic("orders").partition(0)
    assert partition.leader == partition.replicas[0]
    assert sorted(partition.isr) == [1, 2, 3]
    epoch = partition.epoch
    mockbroker.broker(partition.leader).crash()
    assert partition.epoch == epoch + 1


def test_the_high_watermark_waits_for_the_followers(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    topic.append(None, "1")
    assert topic.partition(0).high_watermark == 1
    topic.partition(0).freeze_followers()
    topic.append(None, "2")
    assert topic.partition(0).high_watermark == 1
    for broker in topic.partition(0).replicas:
        topic.partition(0).replica(broker).catch_up()
    assert topic.partition(0).high_watermark == 2


def test_a_frozen_replica_copies_nothing_and_leaves_the_isr_after_the_lag_time(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    leader, follower, other = topic.partition(0).replicas
    frozen = topic.partition(0).replica(follower)
    frozen.freeze()
    topic.append(None, "1")
    assert (frozen.end_offset, topic.partition(0).replica(other).end_offset) == (0, 1)
    mockbroker.clock.advance("29s")
    assert follower in topic.partition(0).isr
    mockbroker.clock.advance("31s")
    assert sorted(topic.partition(0).isr) == sorted([leader, other])
    frozen.catch_up()
    assert (frozen.end_offset, frozen.high_watermark) == (1, 1)
    assert follower in topic.partition(0).isr


def test_a_lagging_replica_stays_so_many_records_behind(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    _, follower, _ = topic.partition(0).replicas
    lagging = topic.partition(0).replica(follower)
    lagging.lag(2)
    for value in "12345":
        topic.append(None, value)
    assert lagging.end_offset == 3
    lagging.lag(1)
    assert lagging.end_offset == 4
    lagging.catch_up()
    assert lagging.end_offset == 5


def test_a_replica_in_sync_may_be_elected_by_name_or_by_turn(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    partition = mockbroker.topic("orders").partition(0)
    first, second, third = partition.replicas
    assert partition.elect(third) == partition.leader == third
    assert partition.elect() == partition.leader == first
    assert mockbroker.leader_of("orders", 0).id == first
    assert partition.elect() == second


def test_an_unclean_election_takes_the_first_live_replica_and_its_log_for_the_truth(
    mockbroker: Cluster,
) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    topic.append(None, "kept")
    topic.partition(0).freeze_followers()
    topic.append(None, "lost")
    mockbroker.clock.advance("31s")
    leader, second, _ = topic.partition(0).replicas
    mockbroker.broker(leader).crash()
    assert topic.partition(0).leader == -1
    assert topic.partition(0).elect(unclean=True) == second
    assert topic.values(isolation="all") == [b"kept"]


def without_a_leader(cluster: Cluster) -> Cluster:
    """The only replica in sync is on a broker that is down."""
    cluster.topic("orders").partition(0).freeze_followers()
    cluster.topic("orders").append(None, "v")
    cluster.clock.advance("31s")
    cluster.broker(1).crash()
    return cluster


NO_LEADER = (
    "orders-0 has no leader now: its replicas are [1, 2, 3], in sync are none, eligible are [1]; "
    "restart() one that is in sync or eligible, or elect(unclean=True)"
)
NOBODY_CAN_LEAD = (
    "nobody can lead orders-0: its replicas are [1, 2, 3], in sync are none, eligible are [1]; "
    "alive are [2, 3]; elect(unclean=True) takes any of these that has a copy"
)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (
            lambda c: c.topic("orders").partition(0).replica(9),
            "orders-0 has no replica on broker 9: they are on [1, 2, 3]",
        ),
        (
            lambda c: c.topic("orders").partition(0).replica(2).lag(-1),
            "lag(-1): a replica cannot be ahead of its leader",
        ),
        (lambda c: without_a_leader(c).topic("orders").append(None, "v"), NO_LEADER),
        (lambda c: without_a_leader(c).topic("orders").partition(0).elect(), NOBODY_CAN_LEAD),
        (
            lambda c: without_a_leader(c).topic("orders").partition(0).elect(2),
            "broker 2 cannot lead orders-0: ",
        ),
        (
            lambda c: (c.broker(2).crash(), c.topic("orders").partition(0).elect(2, unclean=True)),
            "broker 2 cannot lead orders-0: ",
        ),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    mockbroker: Cluster, mistake: Callable[[Cluster], object], said: str
) -> None:
    mockbroker.topic("orders").create()
    with pytest.raises(UsageError, match=re.escape(said)):
        mistake(mockbroker)


def test_a_handle_of_a_topic_that_is_gone_says_so(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    partition = mockbroker.topic("orders").partition(0)
    replica = partition.replica(2)
    mockbroker.topic("orders").delete()
    with pytest.raises(UsageError, match=r"^orders-0 is gone: was the topic deleted\?$"):
        _ = partition.leader
    assert repr(replica) == "<replica of orders-0 on broker 2>"
    with pytest.raises(UsageError, match=r"^<replica of orders-0 on broker 2> does not exist \(yet\)"):
        _ = replica.end_offset
