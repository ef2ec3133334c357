"""Verdicts on real clients: what they lose and store twice is named, and a correct one alarms nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import confluent_kafka
import pytest

from mockbroker import CheckFailed, Cluster
from mockbroker.checkers.verdict import Outcome
from tests.scenarios.clients import Acks, Confluent, Consumer, KafkaPython, Library, Membership, Refused
from tests.scenarios.workers import Worker, workers

PARTITIONS = 3
# An app's rebalance with one that must time out first is none of these; a busy machine is.
PATIENCE = "15s"
PATIENCE_S = 15

TWO_LIBRARIES = pytest.mark.parametrize(
    "library", [KafkaPython, Confluent], ids=["kafka-python", "confluent-kafka"]
)


def member(cluster: Cluster, name: str) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", name)


def send(cluster: Cluster, library: Library, value: bytes, acks: Acks = "all", **how: bool) -> None:
    producer = library.Producer(cluster.bootstrap, acks, **how)
    try:
        assert producer.send("orders", 0, [value]) == [value]
    finally:
        producer.close()


def outcome(cluster: Cluster, name: str) -> Outcome:
    return cluster.check(raises=False).of(name).outcome


@TWO_LIBRARIES
@pytest.mark.parametrize(
    ("idempotent", "duplicated"),
    [(False, Outcome.VIOLATED), (True, Outcome.PROVED)],
    ids=["plain", "idempotent"],
)
def test_a_retry_after_a_lost_answer(
    mockbroker: Cluster, library: Library, duplicated: Outcome, *, idempotent: bool
) -> None:
    mockbroker.topic("orders").create()
    with mockbroker.faults.after("Produce", topic="orders", nth=1).disconnect():
        send(mockbroker, library, b"paid", idempotent=idempotent)

    assert outcome(mockbroker, "duplicated_by_retry") is duplicated
    first, again = mockbroker.ledger.fate("orders", value=b"paid")
    assert (first.ack, first.offset) == ("written, and the answer did not leave", 0)
    assert again.offset == (0 if idempotent else 1)
    assert (again.acked, again.duplicate) == (True, idempotent)
    mockbroker.check()  # at least once is what a producer without idempotence promises
    if idempotent:
        mockbroker.assert_no_duplicates("orders")
    else:
        with pytest.raises(CheckFailed, match=r"orders-0@0 .* and again @1"):
            mockbroker.assert_no_duplicates("orders")


@TWO_LIBRARIES
@pytest.mark.parametrize(("acks", "kept"), [("1", False), ("all", True)])
def test_an_unclean_election(mockbroker: Cluster, library: Library, acks: Acks, *, kept: bool) -> None:
    orders = mockbroker.topic("orders")
    orders.create(replication=3, config={"min.insync.replicas": 2})
    if acks == "1":
        orders.partition(0).freeze_followers()
    send(mockbroker, library, b"paid", acks)
    mockbroker.leader_of("orders", 0).crash()
    orders.partition(0).elect(unclean=True)

    assert (b"paid" in orders.values()) is kept
    assert bool(mockbroker.ledger.lost("orders")) is not kept
    if kept:
        mockbroker.assert_no_loss("orders")
        assert outcome(mockbroker, "acked_lost") is Outcome.PROVED
    else:
        with pytest.raises(
            CheckFailed, match=r"acks=1: appended by broker \d, nobody had copied it; broker \d"
        ):
            mockbroker.check()


class Stubborn(Worker):
    """Says that it has not come as far as it has: a commit of it fails, and it goes on all the same."""

    def _committed(self, consumer: Consumer, offsets: dict[int, int]) -> bool:
        try:
            consumer.commit(offsets)
        except Refused:
            return False
        return True


@TWO_LIBRARIES
def test_what_was_not_committed_is_delivered_again(mockbroker: Cluster, library: Library) -> None:
    orders, billing = mockbroker.topic("orders"), mockbroker.group("billing")
    orders.create()
    refused = mockbroker.faults.on("OffsetCommit", group="billing", client_id="first").fail(
        "UNKNOWN_MEMBER_ID"
    )
    with Stubborn(library, member(mockbroker, "first")) as first:
        billing.wait_stable(members=1, timeout=PATIENCE)
        orders.append("o-1", b"paid")
        refused.wait_hit(timeout=PATIENCE)
    refused.remove()
    with Worker(library, member(mockbroker, "second")) as second:
        mockbroker.assert_committed("billing", "orders", total=1, timeout=PATIENCE)

    assert b"paid" in first.values
    assert second.values == [b"paid"]
    mockbroker.check()
    mockbroker.assert_at_least_once("orders", "billing")
    with pytest.raises(
        CheckFailed, match=r"orders-0@0 served to second .* was refused with UNKNOWN_MEMBER_ID"
    ):
        mockbroker.assert_exactly_once("orders", "billing")


class Mailing(Stubborn):
    """Sends a mail for each record before it commits."""

    def __init__(self, cluster: Cluster, library: Library, name: str) -> None:
        super().__init__(library, member(cluster, name))
        self._cluster = cluster
        self._mailed = 0

    def _committed(self, consumer: Consumer, offsets: dict[int, int]) -> bool:
        for got in self.received[self._mailed :]:
            self._cluster.effects.done("orders", got.partition, got.offset, "mail")
        self._mailed = len(self.received)
        return super()._committed(consumer, offsets)


@TWO_LIBRARIES
def test_a_mail_goes_out_twice_and_it_is_said_why(mockbroker: Cluster, library: Library) -> None:
    orders, billing = mockbroker.topic("orders"), mockbroker.group("billing")
    orders.create()
    refused = mockbroker.faults.on("OffsetCommit", group="billing", client_id="first").fail(
        "UNKNOWN_MEMBER_ID"
    )
    with Mailing(mockbroker, library, "first"):
        billing.wait_stable(members=1, timeout=PATIENCE)
        orders.append("o-1", b"paid")
        refused.wait_hit(timeout=PATIENCE)
    refused.remove()
    with Mailing(mockbroker, library, "second"):
        mockbroker.assert_committed("billing", "orders", total=1, timeout=PATIENCE)

    assert mockbroker.check().of("effect_twice").outcome is Outcome.VIOLATED
    mockbroker.assert_effects_at_least_once("orders")
    with pytest.raises(
        CheckFailed,
        match=r"orders-0@0 key=b'o-1': 'mail' happened 2 times .*; its offset was not committed before the second "
        r"\(the commit of 1 by first for billing at .* was refused with UNKNOWN_MEMBER_ID\); "
        r"it was served to first at .*, to second at .*; generations? [\d, ]+ of billing began between the two",
    ):
        mockbroker.assert_effects_exactly_once("orders")


def test_who_has_billed_an_order_twice_is_told_by_the_transactional_id(mockbroker: Cluster) -> None:
    for topic in ("orders", "invoices"):
        mockbroker.topic(topic).create()
    mockbroker.topic("orders").append("o-1", b"paid")
    config = mockbroker.config.confluent(client_id="app") | {"transactional.id": "payer-1"}
    producer = confluent_kafka.Producer(config)
    producer.init_transactions(PATIENCE_S)
    for end in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce("invoices", b"bill", key=b"0")
        assert producer.flush(PATIENCE_S) == 0
        end(PATIENCE_S)

    with pytest.raises(
        CheckFailed,
        match=r"1 twice in .* orders-0@0 key=b'o-1' became 2 records, invoices-0@0 key=b'0' from app at .*"
        r"\(transactional id 'payer-1', producer \d+:\d+\) and invoices-0@4 key=b'0' from app at .*'payer-1'",
    ):
        mockbroker.assert_conserved(
            "orders", "invoices", source=lambda invoice: (0, int(invoice.key or b"")), group="billing"
        )


@contextmanager
def many(cluster: Cluster, library: Library) -> Iterator[None]:
    """A few records in each partition, all the time a worker more or less."""
    orders = cluster.topic("orders")
    for number in range(30):
        orders.append(b"%d" % number, b"%d" % number, partition=number % PARTITIONS)
    with workers(library, member(cluster, "one")):
        cluster.group("billing").wait_stable(members=1, timeout=PATIENCE)
        yield


def test_a_rebalance_of_a_correct_client_alarms_nobody(mockbroker: Cluster, library: Library) -> None:
    mockbroker.topic("orders").create(partitions=PARTITIONS)
    billing = mockbroker.group("billing")
    with many(mockbroker, library):
        ghost = billing.join_ghost(topics=["orders"])
        billing.wait_stable(members=2, timeout=PATIENCE)
        ghost.poll()
        ghost.leave()
        billing.wait_stable(members=1, timeout=PATIENCE)
        for partition in range(PARTITIONS):
            mockbroker.topic("orders").append("more", b"more", partition=partition)
        billing.wait_committed("orders", dict.fromkeys(range(PARTITIONS), 11), timeout=PATIENCE)

    report = mockbroker.check()
    assert report.of("partition_owned_twice").outcome is Outcome.PROVED
    assert report.of("committed_ahead_of_delivery").outcome is Outcome.PROVED
    assert report.of("gap_in_consumption").outcome is Outcome.PROVED
    mockbroker.assert_at_least_once("orders", "billing")
