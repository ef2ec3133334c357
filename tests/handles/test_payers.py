"""A ghost that produces in transactions: with either protocol, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbroker import Cluster, KafkaError, UsageError
from mockbroker.handles.records import TopicPartition


@pytest.fixture(params=[0, 1, 2])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """With each level of transaction.version."""
    with Cluster(brokers=3, topics={"orders": 2}) as cluster:
        cluster.do(cluster.world.controller.update_features, {"transaction.version": request.param})
        yield cluster


def asked(cluster: Cluster, api: str) -> int:
    return len(cluster.history.events(api=api))


def test_it_commits_and_aborts_by_the_protocol_that_the_cluster_speaks(cluster: Cluster) -> None:
    payer = cluster.ghost_producer(transactional_id="payer-1", timeout="30s")
    transaction = cluster.transaction("payer-1")
    assert (payer.transactional_id, transaction.timeout) == ("payer-1", 30)

    payer.send("orders", b"1")
    payer.send("orders", b"2", partition=1)
    payer.send("orders", b"3", partition=1)
    payer.commit_offsets("billing", {("orders", 0): 7})
    assert transaction.state == "Ongoing"
    assert cluster.topic("orders").values() == []
    assert TopicPartition("orders", 0) not in cluster.group("billing").committed
    payer.commit()
    assert cluster.topic("orders").values() == [b"1", b"2", b"3"]
    assert cluster.group("billing").committed[TopicPartition("orders", 0)] == 7

    payer.send("orders", b"4")
    payer.abort()
    assert transaction.state == "CompleteAbort"
    assert cluster.topic("orders").values() == [b"1", b"2", b"3"]
    modern = cluster.world.controller.image.transaction_version >= 2
    assert payer.producer_epoch == (2 if modern else 0)
    assert asked(cluster, "AddPartitionsToTxn") == (0 if modern else 3)
    assert asked(cluster, "AddOffsetsToTxn") == (0 if modern else 1)
    assert cluster.check(raises=False).alarming == []


def test_what_it_abandons_stays_open_until_it_times_out(cluster: Cluster) -> None:
    payer = cluster.ghost_producer(transactional_id="payer-1")
    payer.send("orders", b"open")
    payer.abandon()
    cluster.topic("orders").append("k", b"behind", partition=0)
    assert cluster.topic("orders").values() == []
    with pytest.raises(UsageError, match="gone since abandon"):
        payer.send("orders", b"more")

    cluster.clock.advance("75s")  # its minute, and then the next look

    cluster.transaction("payer-1").wait_state("CompleteAbort")
    assert cluster.topic("orders").values() == [b"behind"]


def test_another_one_with_its_id_ends_what_it_left_open_and_fences_it(cluster: Cluster) -> None:
    first = cluster.ghost_producer(transactional_id="payer-1", client_id="first")
    first.send("orders", b"open")
    second = cluster.ghost_producer(transactional_id="payer-1", client_id="second")
    with pytest.raises(
        KafkaError, match=r"first's commit was refused: (PRODUCER_FENCED|INVALID_PRODUCER_EPOCH)"
    ):
        first.commit()
    second.send("orders", b"mine")
    second.commit()
    assert cluster.topic("orders").values() == [b"mine"]
    assert second.producer_id == first.producer_id


def test_there_must_be_something_to_end(cluster: Cluster) -> None:
    payer = cluster.ghost_producer(transactional_id="payer-1")
    with pytest.raises(UsageError, match="has no transaction to end: send"):
        payer.commit()


def test_a_refusal_is_raised_and_retries_are_the_tests(cluster: Cluster) -> None:
    payer = cluster.ghost_producer(transactional_id="payer-1")
    payer.send("orders", b"1")
    with (
        cluster.faults.on("EndTxn", nth=1).fail("COORDINATOR_NOT_AVAILABLE"),
        pytest.raises(KafkaError, match="commit was refused: COORDINATOR_NOT_AVAILABLE"),
    ):
        payer.commit()
    assert cluster.transaction("payer-1").state == "Ongoing"
    with cluster.faults.after("EndTxn", nth=1).disconnect():
        assert payer.commit().lost
    assert cluster.topic("orders").values() == [b"1"]


def test_while_a_marker_is_held_back_the_id_is_busy(cluster: Cluster) -> None:
    payer = cluster.ghost_producer(transactional_id="payer-1")
    payer.send("orders", b"1")
    with cluster.transaction("payer-1").hang("orders", 0) as gate:
        payer.commit()
        with pytest.raises(KafkaError, match="InitProducerId was refused: CONCURRENT_TRANSACTIONS"):
            cluster.ghost_producer(transactional_id="payer-1")
        gate.release()
    assert cluster.topic("orders").values() == [b"1"]
