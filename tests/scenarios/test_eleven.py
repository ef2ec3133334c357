"""The tests that a person would love to write, as the guide shows them, each with more than one real client.

Two are still to come: a matrix of releases, and ACLs.  What is only a detail of one of these stands in the other
files of this folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from mockbroker import Cluster
from tests.scenarios.app import process
from tests.scenarios.billing import APPS, BillingApp
from tests.scenarios.clients import LIBRARIES, Acks, Library, Membership
from tests.scenarios.payers import PAYERS, Refused
from tests.scenarios.workers import Worker, send, workers

PARTITIONS = 6
GOOD = b'{"total": 9}'
# An interpreter has to start, or a rebalance has to time out first; a busy machine takes its time.
PATIENCE = "20s"
POISONS = ["not-json", "not-utf8", "empty", "tombstone", "unknown-schema-id", "1MB"]


def member(cluster: Cluster, name: str) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", name)


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest, mockbroker: Cluster) -> Iterator[BillingApp]:
    """The billing app, with each client in turn, and the topics that it knows."""
    mockbroker.topic("orders").create(partitions=1)
    for name in ("invoices", "orders.dlq"):
        mockbroker.topic(name).create(partitions=1, config={"max.message.bytes": 2_000_000})
    with APPS[request.param](mockbroker, auto_offset_reset="earliest") as running:
        yield running


@pytest.mark.parametrize("client", APPS)
def test_1_an_order_is_billed(mockbroker: Cluster, client: str) -> None:
    """No sleep, no race, no container: a consumer that starts at the end misses nothing."""
    mockbroker.topic("orders").create(partitions=3)
    with APPS[client](mockbroker, auto_offset_reset="latest"):
        mockbroker.group("billing").wait_positioned(timeout=PATIENCE)
        mockbroker.topic("orders").append("o-1", GOOD)
        mockbroker.topic("invoices").wait_records(1, timeout=PATIENCE)
        mockbroker.assert_committed("billing", "orders", total=1, timeout=PATIENCE)
    assert mockbroker.topic("invoices").keys() == [b"o-1"]


def test_2_a_rebalance_loses_nothing(mockbroker: Cluster, library: Library) -> None:
    """Somebody else joins and leaves, and nobody has to start a second process for it."""
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    with Worker(library, member(mockbroker, "app")):
        group = mockbroker.group("billing")
        group.wait_stable(members=1, timeout=PATIENCE)
        ghost = group.join_ghost(topics=["orders"])
        group.wait_stable(members=2, timeout=PATIENCE)
        assert len(group.assignment[ghost]) == 3
        ghost.leave()
        group.wait_stable(members=1, timeout=PATIENCE)
        mockbroker.check()


def test_3_the_coordinator_dies_in_the_middle_of_a_rebalance(mockbroker: Cluster, library: Library) -> None:
    """Always at the same step: everybody has joined, and nobody knows yet what is theirs."""
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    with workers(library, member(mockbroker, "a"), member(mockbroker, "b")):
        group = mockbroker.group("billing")
        # At rest: a leader of kafka-python 3.0 that joins again for fresh metadata forgets it if its SyncGroup is lost.
        group.wait_positioned(timeout=PATIENCE)
        with mockbroker.faults.on("SyncGroup", group="billing").hold() as gate:
            group.join_ghost(topics=["orders"])
            gate.wait_arrived(timeout=PATIENCE)
            mockbroker.coordinator_of("billing").crash()
        group.wait_stable(members=3, timeout=PATIENCE)
        mockbroker.assert_no_loss("orders")


@pytest.mark.parametrize("name", LIBRARIES)
def test_4_a_crashed_worker_is_replaced(mockbroker: Cluster, name: str) -> None:
    """A session timeout of 45 seconds, in no time."""
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=4)
    here = replace(member(mockbroker, "app-a"), session_ms=45_000)
    with (
        Worker(LIBRARIES[name], here),
        process(name, mockbroker.bootstrap, "app-b", here.session_ms) as app_b,
    ):
        group.wait_stable(members=2, timeout=PATIENCE)
        app_b.kill()  # SIGKILL: no LeaveGroup
        app_b.wait()  # and whatever it had sent before is here
        mockbroker.clock.advance("45s")
        assert group.wait_stable(members=1, timeout=PATIENCE).assignment["app-a"] == topic.partitions
        assert "app-b" in group.history()[-1].reason


@pytest.mark.parametrize(("idempotent", "copies"), [(False, 2), (True, 1)])
def test_5_an_answer_is_lost_after_the_append(
    mockbroker: Cluster, library: Library, *, idempotent: bool, copies: int
) -> None:
    mockbroker.topic("orders").create()
    with mockbroker.faults.after("Produce", topic="orders", nth=1).disconnect():
        assert send(library, mockbroker.bootstrap, "orders", b"x", idempotent=idempotent) == [b"x"]
    assert mockbroker.topic("orders").values() == [b"x"] * copies


@pytest.mark.parametrize(("acks", "kept"), [("1", False), ("all", True)])
def test_6_an_unclean_election(mockbroker: Cluster, library: Library, acks: Acks, *, kept: bool) -> None:
    """It loses a record that acks=1 had acknowledged, and none that acks=all had."""
    topic = mockbroker.topic("orders")
    topic.create(replication=3, config={"min.insync.replicas": 2})
    if acks == "1":
        topic.partition(0).freeze_followers()
    assert send(library, mockbroker.bootstrap, "orders", b"paid", acks=acks) == [b"paid"]
    mockbroker.leader_of("orders", 0).crash()
    topic.partition(0).elect(unclean=True)
    assert (b"paid" in topic.values()) is kept
    assert bool(mockbroker.ledger.lost("orders")) is not kept


@pytest.mark.parametrize("client", PAYERS)
def test_7_an_abort_is_invisible(mockbroker: Cluster, client: str) -> None:
    """The offsets of a transaction are refused, so the app aborts it, and nobody sees what it wrote."""
    mockbroker.topic("orders").create(partitions=1)
    mockbroker.topic("ledger").create(partitions=1)
    refusing = mockbroker.faults.on("TxnOffsetCommit", transactional_id="payer-1", nth=1)
    with refusing.fail("GROUP_AUTHORIZATION_FAILED"), closing(PAYERS[client](mockbroker, "payer-1")) as payer:
        payer.begin()
        payer.write("ledger", b"debit", b"credit")
        with pytest.raises(Refused):
            payer.keep("billing", "orders", 2)
        payer.abort()
    mockbroker.transaction("payer-1").wait_state("CompleteAbort")
    topic = mockbroker.topic("ledger")
    assert topic.values(isolation="committed") == []
    assert [record.kind for record in topic.records(isolation="all")] == ["data", "data", "abort"]
    assert mockbroker.group("billing").committed == {}


@pytest.mark.parametrize("poison", POISONS)
def test_8_poison_is_parked_and_the_partition_moves_on(
    mockbroker: Cluster, app: BillingApp, poison: str
) -> None:
    assert app.name == "app"
    topic = mockbroker.topic("orders")
    topic.append("a", GOOD)
    topic.append_poison(poison)
    topic.append("b", GOOD)
    mockbroker.group("billing").wait_committed("orders", {0: 3}, timeout=PATIENCE)
    assert mockbroker.topic("invoices").keys() == [b"a", b"b"]
    assert len(mockbroker.topic("orders.dlq").records()) == 1


def test_9_one_slow_broker_does_not_stall_the_others(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=2)
    coordinator = mockbroker.coordinator_of("billing")
    slow, quick = (broker for broker in mockbroker.brokers if broker != coordinator)
    for partition, broker in enumerate((slow, quick)):
        topic.partition(partition).elect(broker.id)
    with Worker(library, member(mockbroker, "app")) as app:
        group.wait_positioned(timeout=PATIENCE)
        slow.slow("4s")  # a little less than what the client bears, for each request from now on
        topic.append(None, "was asked for", partition=0)
        group.wait_committed("orders", {0: 1}, timeout=PATIENCE)
        topic.append(None, "waits", partition=0)
        topic.append(None, "goes on", partition=1)
        group.wait_committed("orders", {1: 1}, timeout=PATIENCE)
        slow.heal()
        group.wait_committed("orders", {0: 2}, timeout=PATIENCE)
    assert app.values == [b"was asked for", b"goes on", b"waits"]
