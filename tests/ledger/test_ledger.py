"""What the ledger says of records that really were sent, by clients without a library."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mockbroker import CheckFailed, Cluster, UsageError, WaitTimeout, open_cluster
from mockbroker.checkers.verdict import Outcome
from mockbroker.ledger.book import Ledger
from tests.test_open_cluster import in_trio


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as cluster:
        cluster.topic("orders").create(partitions=1)
        yield cluster


def test_a_record_from_the_request_to_the_commit(cluster: Cluster) -> None:
    cluster.ghost_producer(client_id="shop").send("orders", b"paid", key=b"o-1", acks="all")
    ghost = cluster.group("billing").join_ghost(topics=["orders"])
    cluster.group("billing").wait_stable(members=1)
    ghost.poll()
    ghost.commit({("orders", 0): 1})

    (fate,) = cluster.ledger.fate("orders", key="o-1")

    assert (fate.value, fate.offset, fate.state, fate.acked) == (b"paid", 0, "stored", True)
    assert (fate.producer, fate.replicas, fate.leader_epoch) == ("shop", (1, 2, 3), 0)
    assert [line.split()[0] for line in fate.served] == [ghost.client_id]
    assert [line.split()[0] for line in fate.committed_by] == ["billing"]
    assert "orders-0@0 key=b'o-1': stored" in str(fate)
    cluster.assert_exactly_once("orders", "billing")
    cluster.assert_committed("billing", "orders", total=1)


def test_what_a_test_appends_is_sent_by_the_test(cluster: Cluster) -> None:
    cluster.topic("orders").append("o-1", b"paid")
    (fate,) = cluster.ledger.fate("orders", partition=0, offset=0)
    assert (fate.producer, fate.key, fate.acked) == ("test", b"o-1", True)


def test_an_acknowledged_record_that_an_unclean_election_loses(cluster: Cluster) -> None:
    orders = cluster.topic("orders")
    orders.partition(0).freeze_followers()
    cluster.ghost_producer().send("orders", b"paid", acks=1)
    assert cluster.ledger.lost() == []

    cluster.leader_of("orders").crash()
    orders.partition(0).elect(unclean=True)

    assert [fate.value for fate in cluster.ledger.lost("orders")] == [b"paid"]
    assert cluster.ledger.lost("invoices") == []
    with pytest.raises(CheckFailed, match=r"orders-0@0 .* acks=1"):
        cluster.check()
    with pytest.raises(CheckFailed, match="acked_lost"):
        cluster.assert_no_loss("orders")
    assert cluster.check(raises=False).of("acked_lost").outcome is Outcome.VIOLATED


def test_a_record_that_was_deleted_is_not_lost(cluster: Cluster) -> None:
    cluster.topic("orders").append("o-1", b"paid")
    cluster.topic("orders").delete_records(0, before=1)
    cluster.leader_of("orders").crash()
    assert [fate.state for fate in cluster.ledger.fate("orders")] == ["deleted"]
    assert cluster.check().of("acked_lost").outcome is Outcome.PROVED


def test_a_topic_that_was_made_anew_has_no_old_records(cluster: Cluster) -> None:
    cluster.topic("orders").append("o-1", b"paid")
    cluster.topic("orders").recreate()
    assert [fate.state for fate in cluster.ledger.fate("orders")] == ["deleted"]


@pytest.mark.parametrize(("idempotent", "duplicates"), [(False, True), (True, False)])
def test_a_lost_acknowledgement_and_the_retry(cluster: Cluster, idempotent: bool, duplicates: bool) -> None:
    producer = cluster.ghost_producer(idempotent=idempotent)
    with cluster.faults.after("Produce", topic="orders", nth=1).disconnect():
        producer.send("orders", b"paid", acks=1)
    assert [fate.ack for fate in cluster.ledger.unacked("orders")] == [
        "written, and the answer did not leave"
    ]
    producer.resend()

    report = cluster.check()

    assert report.of("duplicated_by_retry").outcome is (Outcome.VIOLATED if duplicates else Outcome.PROVED)
    # The first copy is still one that nobody was told of; an idempotent producer was told of the only one.
    assert report.of("unacked_stored").outcome is (Outcome.VIOLATED if duplicates else Outcome.PROVED)
    if duplicates:
        with pytest.raises(CheckFailed, match="and again @1"):
            cluster.assert_no_duplicates("orders")
    else:
        cluster.assert_no_duplicates("orders")


def test_a_refused_batch_is_nowhere(cluster: Cluster) -> None:
    with (
        cluster.faults.on("Produce", topic="orders").fail("NOT_ENOUGH_REPLICAS"),
        pytest.raises(Exception, match="NOT_"),
    ):
        cluster.ghost_producer().send("orders", b"paid", acks=1)
    (fate,) = cluster.ledger.fate("orders")
    assert (fate.state, fate.ack, fate.why) == ("never stored", "refused", "NOT_ENOUGH_REPLICAS")


def test_without_an_acknowledgement_the_log_is_looked_at(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.ghost_producer().send("orders", b"paid", acks=0)
    assert [fate.offset for fate in cluster.ledger.fate("orders")] == [0, 1]
    assert {fate.ack for fate in cluster.ledger.fate("orders")} == {"acks=0: nobody waits for an answer"}


def test_what_was_never_served_is_found(cluster: Cluster) -> None:
    cluster.topic("orders").append("o-1", b"paid")
    cluster.group("billing").join_ghost(topics=["orders"])
    with pytest.raises(CheckFailed, match="never served to billing: orders-0@0"):
        cluster.assert_at_least_once("orders", "billing")


def test_commits_are_waited_for_and_counted(cluster: Cluster) -> None:
    ghost = cluster.group("billing").join_ghost(topics=["orders"])
    with pytest.raises(WaitTimeout, match="group billing to commit 2 records of orders; instead: nothing"):
        cluster.assert_committed("billing", "orders", total=2, timeout=0)
    later = threading.Timer(0.05, ghost.commit, [{("orders", 0): 2}])
    later.start()
    cluster.assert_committed("billing", "orders", total=2)
    later.join()
    with pytest.raises(CheckFailed, match=r"has committed 2 records of orders, expected 1: \{0: 2\}"):
        cluster.assert_committed("billing", "orders", total=1)


def test_an_offset_needs_a_partition(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="needs a partition"):
        cluster.ledger.fate("orders", offset=1)


def test_reset_forgets(cluster: Cluster) -> None:
    cluster.topic("orders").append("o-1", b"paid")
    cluster.reset()
    assert cluster.ledger.fate("orders") == []


def test_it_remembers_so_many_batches_and_so_many_bytes() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        small = Ledger(cluster.world, entries_max=3, bytes_max=200)
        cluster.world.witness = small
        for number in range(5):
            cluster.topic("orders").append("k", b"%d" % number)
        assert (len(small.sent), small.dropped) == (3, 2)
        assert [sent.data is None for sent in small.sent] == [True, False, False]


def test_what_was_served_and_to_whom(cluster: Cluster) -> None:
    for value in (b"a", b"b"):
        cluster.topic("orders").append(None, value)
    ghost = cluster.group("billing").join_ghost(topics=["orders"])
    ghost.poll()
    (reading,) = cluster.ledger.served("orders", partition=0, group="billing")
    assert (reading.start, reading.end, reading.client_id, reading.heard) == (0, 2, ghost.client_id, True)
    assert (reading.group, reading.member, reading.generation) == ("billing", ghost.id, 1)
    assert str(reading).endswith(
        f"orders-0@0-1 served to {ghost.client_id} ({ghost.id} of billing, generation 1)"
    )
    assert cluster.ledger.served("orders", group="audit") == []
    assert cluster.ledger.served("orders", partition=1) == cluster.ledger.served("invoices") == []


def test_the_story_of_a_lost_record_has_the_election_in_it(cluster: Cluster) -> None:
    orders = cluster.topic("orders")
    orders.partition(0).freeze_followers()
    cluster.ghost_producer(client_id="shop").send("orders", b"paid", acks=1)
    cluster.leader_of("orders").crash()
    (fate,) = cluster.ledger.fate("orders", value="paid")
    assert fate.lost
    assert [what for _, what in fate.story][1:] == [
        "appended by broker 1 in epoch 0",
        "acknowledged",
        "broker 2 was chosen cleanly to lead in epoch 1, and does not have it",
    ]
    assert str(fate).splitlines()[0] == "orders-0@0: lost"
    assert [round(seconds, 9) for seconds, _ in fate.story] == sorted(round(s, 9) for s, _ in fate.story)


def test_a_record_that_was_lost_and_sent_again_is_not_lost(cluster: Cluster) -> None:
    orders = cluster.topic("orders")
    orders.partition(0).freeze_followers()
    producer = cluster.ghost_producer()
    producer.send("orders", b"paid", acks=1)
    cluster.leader_of("orders").crash()
    assert len(cluster.ledger.lost()) == 1
    producer.resend()
    assert cluster.ledger.lost() == []
    cluster.check()


def test_a_deleted_topic_has_its_story_still(cluster: Cluster) -> None:
    cluster.topic("orders").append("o-1", b"paid")
    cluster.topic("orders").delete()
    (fate,) = cluster.ledger.fate("orders", key="o-1")
    assert (fate.state, fate.replicas) == ("deleted", ())
    cluster.assert_no_loss("orders")


def test_records_that_cannot_be_read_have_no_fate_and_harm_nobody(cluster: Cluster) -> None:
    cluster.topic("orders").append_raw(bytes(80))
    assert cluster.ledger.fate("orders", value=b"") == []
    cluster.check()


def test_a_cluster_without_history_has_a_ledger() -> None:
    with Cluster(brokers=1, topics={"orders": 1}, history=False) as cluster:
        cluster.topic("orders").append("o-1", b"paid")
        assert [fate.state for fate in cluster.ledger.fate("orders")] == ["stored"]


def test_a_report_says_what_it_has_forgotten(cluster: Cluster) -> None:
    cluster.notes.dropped = 3
    assert "the ledger has forgotten its oldest 3 batches" in str(cluster.check())


@in_trio
async def test_commits_are_waited_for_in_trio() -> None:
    async with open_cluster(topics={"orders": 1}) as cluster:
        ghost = cluster.group("billing").join_ghost(topics=["orders"])
        ghost.commit({("orders", 0): 2})
        await cluster.assert_committed("billing", "orders", total=2)
        with pytest.raises(CheckFailed, match="expected 1"):
            await cluster.assert_committed("billing", "orders", total=1)
        assert cluster.check().of("acked_lost").outcome is Outcome.NOT_EXERCISED
