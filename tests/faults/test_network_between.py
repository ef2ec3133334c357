"""The network between brokers, broken by rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbroker import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=2, topics={"orders": 1}, seed=7) as cluster:
        yield cluster


def test_brokers_that_do_not_reach_each_other_fall_behind_and_catch_up(cluster: Cluster) -> None:
    leader = cluster.leader_of("orders").id
    follower = 3 - leader
    with cluster.faults.network(source=leader, to=follower).partition() as fault:
        assert fault.hits == 1
        cluster.topic("orders").append(None, "x")
        assert cluster.topic("orders").records() == []
        assert len(cluster.topic("orders").records(isolation="all")) == 1
    assert cluster.topic("orders").values() == [b"x"]


def test_a_broker_without_the_controller_is_taken_for_dead_and_comes_back(cluster: Cluster) -> None:
    leader = cluster.leader_of("orders")
    with cluster.faults.network(source=leader.id, to="controller").partition():
        assert cluster.leader_of("orders") != leader
    assert sorted(cluster.topic("orders").partition(0).isr) == [1, 2]


def test_one_end_alone_means_all_others() -> None:
    with Cluster(brokers=3, topics={"orders": 1}) as cluster:
        parted = cluster.faults.network(to=2).partition()
        assert parted.hits == 3
        cluster.topic("orders").append(None, "x")
        assert sorted(cluster.topic("orders").partition(0).isr) == [1, 3]
        narrower = cluster.faults.network(source=1, to=2, name="narrower").partition()
        parted.remove()
        # One road is still cut by the other rule, and so is it after somebody is healed.
        cluster.broker(1).heal()
        assert not cluster.do(lambda: cluster.world.links.connected(1, 2))
        assert cluster.do(lambda: cluster.world.links.connected(2, 3))
        narrower.remove()
        assert cluster.do(lambda: cluster.world.links.connected(1, 2))
        assert sorted(cluster.topic("orders").partition(0).isr) == [1, 2, 3]


def test_who_is_isolated_stays_so_when_a_rule_ends(cluster: Cluster) -> None:
    with cluster.faults.network(source=1, to=2).partition():
        cluster.broker(1).isolate()
    assert not cluster.do(lambda: cluster.world.links.connected(1, 2))
    cluster.broker(1).heal()
    assert cluster.do(lambda: cluster.world.links.connected(1, 2))
