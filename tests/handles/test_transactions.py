"""A transactional id as a test holds it: what it is, how it ends, and how it hangs."""

from __future__ import annotations

from collections.abc import Iterator

import confluent_kafka
import pytest
import trio

from mockbroker import Cluster, UsageError, open_cluster


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
    assert snapshot.epoch == 0
    assert snapshot.timeout == 60
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
        assert snapshot.outstanding == (("orders", 1),)
        cluster.topic("orders").append("k", b"behind it", partition=1)
        orders = cluster.topic("orders")
        # One partition shows it already, the other one shows nothing, not even what came later.
        assert (orders.values(0), orders.values(1)) == ([b"paid"], [])
        assert orders.values(1, isolation="uncommitted") == [b"paid", b"behind it"]
        gate.release()
    assert payer.wait_state("CompleteCommit").outstanding == ()
    assert cluster.topic("orders").values(1) == [b"paid", b"behind it"]


def test_in_a_trio_loop() -> None:
    async def main() -> None:
        async with open_cluster(brokers=1) as cluster:
            assert (await cluster.transaction("payer-1").wait_state("Unknown")).epoch == -1

    trio.run(main)
