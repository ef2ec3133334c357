"""The handles of external mode, held against a cluster whose every answer is known: one of mockbroker's own.

What they are given are its sockets only.  conformance/external runs the same mode against a real Kafka.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from mockbroker import Cluster, UsageError, WaitTimeout
from mockbroker.external.cluster import ExternalCluster
from mockbroker.external.wire import addresses_in
from tests.handles.members import RawMember, members


@pytest.fixture
def inside() -> Iterator[Cluster]:
    with Cluster(seed=7) as cluster:
        yield cluster


@pytest.fixture
def outside(inside: Cluster) -> Iterator[ExternalCluster]:
    with ExternalCluster(inside.bootstrap, wait="10s") as cluster:
        yield cluster


def test_a_topic_is_made_filled_read_and_deleted(inside: Cluster, outside: ExternalCluster) -> None:
    orders = outside.topic("orders")
    assert not orders.exists
    orders.create(partitions=3, config={"min.insync.replicas": 2})
    assert inside.topic("orders").config == {"min.insync.replicas": "2"}
    assert orders.partitions == inside.topic("orders").partitions
    assert orders.append("o-1", b"paid", headers=[("h", b"1")]) == 0
    assert orders.append("o-1", None, timestamp=5) == 1
    assert orders.append(None, "x", partition=2) in {0, 1, 2}
    assert [r.offset for r in orders.records()] == [r.offset for r in inside.topic("orders").records()]
    assert orders.records() == inside.topic("orders").records()
    assert orders.values() == inside.topic("orders").values()
    assert orders.keys() == inside.topic("orders").keys()
    assert [orders.end_offset(n) for n in range(3)] == [
        inside.topic("orders").end_offset(n) for n in range(3)
    ]
    orders.add_partitions(5)
    assert len(orders.partitions) == 5
    orders.append_poison("not-json", partition=4)
    orders.delete_records(4, before=1)
    assert orders.records(partition=4) == []
    orders.delete()
    assert not inside.topic("orders").exists


def test_transactions_are_shown_as_their_readers_see_them(inside: Cluster, outside: ExternalCluster) -> None:
    import confluent_kafka

    inside.topic("ledger").create()
    producer = confluent_kafka.Producer(outside.config.confluent() | {"transactional.id": "payer-1"})
    producer.init_transactions(20)
    for value, end in ((b"kept", producer.commit_transaction), (b"lost", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce("ledger", value)
        producer.flush(20)
        end(20)
    theirs, ours = outside.topic("ledger"), inside.topic("ledger")
    for isolation in ("committed", "uncommitted", "all"):
        assert theirs.records(isolation=isolation) == ours.records(isolation=isolation)
    assert theirs.values() == [b"kept"]
    assert [record.kind for record in theirs.records(isolation="all")] == ["data", "commit", "data", "abort"]


def test_a_topic_with_more_than_fits_into_one_fetch_is_read_to_its_end(
    inside: Cluster, outside: ExternalCluster
) -> None:
    inside.topic("orders").create()
    for _ in range(20):
        inside.topic("orders").append_poison("1MB")
    assert len(outside.topic("orders").values()) == 20


def test_what_is_refused_is_refused_in_the_same_words(inside: Cluster, outside: ExternalCluster) -> None:
    outside.topic("orders").create()
    refusals: tuple[tuple[Callable[[Any], object], str], ...]
    for cluster in (inside, outside):
        refusals = (
            (
                lambda c: c.topic("orders").create(),
                r"^topic 'orders' cannot be created: .*TOPIC_ALREADY_EXISTS",
            ),
            (
                lambda c: c.topic("bills").append(None, "x"),
                r"^there is no topic 'bills': there are \['orders'\]",
            ),
            (lambda c: c.topic("bills").delete(), r"^there is no topic 'bills'"),
            (lambda c: c.topic("orders").records(isolation="dirty"), "^isolation='dirty': expected one of"),
            (lambda c: c.topic("orders").append_poison("arsenic"), r"^append_poison\('arsenic'\): there are"),
            (lambda c: c.topic("orders").delete_records(0, before=9), "^orders-0 cannot begin at 9: it has"),
            (lambda c: c.topic("orders").add_partitions(1), r"^topic 'orders': .*INVALID_PARTITIONS"),
        )
        for act, said in refusals:
            with pytest.raises(UsageError, match=said):
                act(cluster)
    with pytest.raises(UsageError, match=r"^topic 'orders' has no partition 3: it has 1, from 0 up$"):
        outside.topic("orders").end_offset(3)


def test_a_group_is_seen_as_its_coordinator_tells(inside: Cluster, outside: ExternalCluster) -> None:
    inside.topic("orders").create(partitions=2)
    group = outside.group("billing")
    assert (group.state, group.members, group.committed) == ("Dead", (), {})
    with members(inside, "a", "b") as (first, _):
        assert [m.client_id for m in group.wait_stable(members=2).members] == ["a", "b"]
        assert group.members == inside.group("billing").members
        assert group.assignment["a"] == inside.group("billing").assignment["a"]
        inside.topic("orders").append(None, "x", partition=0)
        first.commit("orders", {0: 1})
        assert group.wait_committed("orders", {0: 1}) == {("orders", 0): 1}
        assert group.lag == {("orders", 0): 0}
        outside.assert_committed("billing", "orders", total=1)
        with pytest.raises(AssertionError, match="has committed 1 records of orders, expected 0"):
            outside.assert_committed("billing", "orders", total=0)


def test_members_that_are_no_consumers_are_shown_without_partitions(
    inside: Cluster, outside: ExternalCluster
) -> None:
    inside.topic("orders").create()
    with RawMember(inside, "worker") as member:
        joining = member.join_request()
        joining.protocols[0].metadata = b"\xff"
        member.send(joining, 3)
        member.joined()
        (shown,) = outside.group("billing").members
    assert (shown.client_id, shown.subscription) == ("worker", None)


def test_a_wait_that_fails_says_how_things_stand(inside: Cluster, outside: ExternalCluster) -> None:
    inside.topic("orders").create()
    for wait, said in (
        (
            lambda: outside.topic("orders").wait_records(1, timeout=0),
            "for 1 records in orders; instead: it has 0",
        ),
        (lambda: outside.topic("bills").wait_records(1, timeout=0), "instead: there is no such topic"),
        (
            lambda: outside.group("g").wait_committed("orders", {0: 1}, timeout=0),
            "instead: nothing is committed; group g is Dead, members: nobody",
        ),
        (
            lambda: outside.group("g").wait_stable(members=1, timeout=0),
            "for group g to be stable with 1 members; instead: group g is Dead",
        ),
        (
            lambda: outside.assert_committed("g", "orders", total=1, timeout=0),
            "for group g to commit 1 records of orders; instead: nothing by partition",
        ),
    ):
        with pytest.raises(WaitTimeout, match=f"^waited 0 s .*{said}"):
            wait()


def test_what_was_there_before_stays_and_what_the_test_has_made_goes(inside: Cluster) -> None:
    inside.topic("precious").create()
    with members(inside, "a") as (old,):
        old.commit("precious", {0: 0})
        old.leave()
    with ExternalCluster(inside.bootstrap, topics={"orders": 2}) as outside:
        assert outside.topic("precious").append(None, "x") == 0
        assert outside.group("billing").committed == {("precious", 0): 0}
        assert not outside.topic("by-the-app").exists
        inside.topic("by-the-app").create()
        inside.topic("of-others").create()
        with RawMember(inside, "new", group="payments") as new:
            outside.group("payments")
            new.join()
            new.lead([])
            new.leave()
    left = [name for name in ("precious", "orders", "by-the-app", "of-others") if inside.topic(name).exists]
    assert left == ["precious", "of-others"]
    assert inside.group("billing").committed == {("precious", 0): 0}
    assert inside.group("payments").state == "Dead"


def test_what_is_misspelled_is_no_reason_to_skip(outside: ExternalCluster) -> None:
    misspelled: tuple[Callable[[], object], ...] = (
        lambda: outside.topick,
        lambda: outside.topic("orders").wait_record,
        lambda: outside.group("g").comitted,
        lambda: outside._portal,  # noqa: SLF001 - what is private is not there, either
    )
    for wrong in misspelled:
        with pytest.raises(AttributeError, match="has no '"):
            wrong()


def test_a_broker_that_went_away_is_found_again(inside: Cluster, outside: ExternalCluster) -> None:
    outside.topic("orders").create()
    assert outside.topic("orders").append(None, "x") == 0
    inside.leader_of("orders").crash()
    assert outside.topic("orders").wait_records(1)[0].value == b"x"


def test_where_no_kafka_is_that_is_said() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"^no Kafka answers at {where} "), ExternalCluster(where):
            pass


@pytest.mark.parametrize("given", ["", "localhost", "localhost:", ":9092", "localhost:kafka", "a:1,,b:2"])
def test_an_address_without_a_port_is_none(given: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Kafka: expected HOST:PORT"):
        addresses_in(given)


def test_addresses_may_be_several_and_of_any_kind() -> None:
    assert addresses_in("a:1, [::1]:2") == [("a", 1), ("::1", 2)]
