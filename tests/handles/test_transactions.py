"""A transactional id as a test holds it: what it is, how it ends, and how it hangs."""

from __future__ import annotations

from collections.abc import Iterator

import confluent_kafka
import pytest
import trio

from mockbroker import Cluster, UsageError, open_cluster
from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC, coordinator_partition


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3, topics={"orders": 2}) as cluster:
        yield cluster


def begun(cluster: Cluster, name: str = "payer-1") -> confluent_kafka.Producer:
    """A real producer with a transaction open in both partitions."""
    producer = confluent_kafka.Producer(cluster.config.confluent() | {"transactional.id": name})
    producer.init_transactions(10)
    producer.begin_transaction()
    for partition in (0, 1):
        producer.produce("orders", b"paid", partition=partition)
    assert producer.flush(10) == 0
    return producer


def test_from_nothing_to_committed(cluster: Cluster) -> None:
    payer = cluster.transaction("payer-1")
    assert payer.state == "Unknown"
    with pytest.raises(UsageError, match="no coordinator knows the transactional id 'payer-1'"):
        payer.abort()

    producer = begun(cluster)
    snapshot = payer.wait_state("Ongoing")
    assert (payer.producer_id, payer.epoch, payer.timeout) == (snapshot.producer_id, 0, 60)
    assert payer.partitions == (("orders", 0), ("orders", 1))

    producer.commit_transaction(10)
    assert payer.wait_state("CompleteCommit").partitions == ()
    payer.forget()
    assert payer.state == "Unknown"


@pytest.mark.parametrize("how", ["abort", "expire", "fence"])
def test_a_producer_that_is_shut_out(cluster: Cluster, how: str) -> None:
    producer = begun(cluster)
    getattr(cluster.transaction("payer-1"), how)()

    assert cluster.transaction("payer-1").state == "CompleteAbort"
    assert cluster.topic("orders").values() == []
    with pytest.raises(confluent_kafka.KafkaException):
        producer.commit_transaction(10)


def test_a_transaction_that_hangs_stops_readers_of_committed_records(cluster: Cluster) -> None:
    payer = cluster.transaction("payer-1")
    with payer.hang("orders", 1) as gate:
        producer = begun(cluster)
        producer.commit_transaction(10)
        snapshot = payer.wait_state("PrepareCommit")
        assert snapshot.outstanding == payer.outstanding == (("orders", 1),)
        cluster.topic("orders").append("k", b"behind it", partition=1)
        orders = cluster.topic("orders")
        # One partition shows it already, the other one shows nothing, not even what came later.
        assert (orders.values(0), orders.values(1)) == ([b"paid"], [])
        assert orders.values(1, isolation="uncommitted") == [b"paid", b"behind it"]
        gate.release()
    assert payer.wait_state("CompleteCommit").outstanding == ()
    assert cluster.topic("orders").values(1) == [b"paid", b"behind it"]


def test_what_cannot_be_done_to_it_is_refused_and_changes_nothing(cluster: Cluster) -> None:
    payer = cluster.transaction("payer-1")
    producer = begun(cluster)
    with pytest.raises(UsageError, match=r"cannot be forgotten, it is Ongoing: end or abort\(\) it first"):
        payer.forget()
    with payer.hang("orders", 1) as gate:
        producer.commit_transaction(10)
        for act in (payer.abort, payer.expire, payer.fence, payer.forget):
            with pytest.raises(
                UsageError, match="is PrepareCommit and busy: the markers for orders-1 are not"
            ):
                act()
        gate.release()
    before = payer.wait_state("CompleteCommit")
    for act, wish in ((payer.abort, "be aborted"), (payer.expire, "expire")):
        with pytest.raises(
            UsageError, match=f"payer-1 cannot {wish}, it is CompleteCommit: a producer has to"
        ):
            act()
    assert payer.snapshot() == before


def test_a_coordinator_that_cannot_write_says_so(cluster: Cluster) -> None:
    begun(cluster)
    payer = cluster.transaction("payer-1")
    payer.abort()
    coordinator = cluster.leader_of(TRANSACTIONS_TOPIC, coordinator_partition("payer-1", 50))
    for broker in cluster.brokers:
        if broker.id != coordinator.id:
            broker.crash()
    for act in (payer.fence, payer.forget):
        with pytest.raises(UsageError, match="too few replicas of its partition of __transaction_state"):
            act()


def test_in_a_trio_loop() -> None:
    async def main() -> None:
        async with open_cluster(brokers=1) as cluster:
            assert (await cluster.transaction("payer-1").wait_state("Unknown")).epoch == -1

    trio.run(main)
