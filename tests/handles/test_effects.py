"""Effects and conservation, asked of whole clusters with ghosts for applications."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from mockbroker import CheckFailed, Cluster, UsageError, open_cluster
from mockbroker.checkers.verdict import Outcome
from mockbroker.handles.effects import Effects
from mockbroker.handles.records import Record
from mockbroker.records.builder import ControlType, build_batch, build_control_batch
from tests.handles.members import members


def made_of(bill: Record) -> tuple[int, int] | None:
    return (0, int(bill.key)) if bill.key else None


def append_aborted(cluster: Cluster, topic: str, key: bytes) -> None:
    """A transaction of one record, and the marker that aborts it."""
    batch = build_batch(
        [(key, b"x", (), 0)], now_ms=0, producer_id=7, producer_epoch=0, base_sequence=0, transactional=True
    )
    marker = build_control_batch(
        ControlType.ABORT, producer_id=7, producer_epoch=0, coordinator_epoch=0, timestamp=0
    )
    for written in (batch, marker):
        cluster.topic(topic).append_raw(bytes(written.data))


def test_effects_may_be_recorded_from_any_thread_and_each_record_has_one() -> None:
    with Cluster(brokers=1, topics={"orders": 1}, history=False) as cluster:
        for number in range(50):
            cluster.topic("orders").append(b"%d" % number, b"x")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda offset: cluster.effects.done("orders", 0, offset), range(50)))
        cluster.assert_effects_exactly_once("orders")
        report = cluster.check()
        assert report.of("effect_missing").outcome is Outcome.PROVED
        # Nobody was given a record twice, so nothing is shown.
        assert report.of("effect_twice").outcome is Outcome.NOT_EXERCISED


def test_a_record_without_an_effect_is_named_though_nothing_has_happened_at_all() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        cluster.topic("orders").append("o-1", b"paid")
        cluster.assert_effects_at_most_once("orders")
        with pytest.raises(CheckFailed, match=r"orders-0@0 key=b'o-1' has had no effect: never served"):
            cluster.assert_effects_at_least_once("orders")
        assert cluster.check().of("effect_missing").outcome is Outcome.NOT_EXERCISED


def test_a_record_that_a_group_passed_without_an_effect_is_told_so() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        cluster.topic("orders").append("o-1", b"paid")
        with members(cluster, "app-a") as (member,):
            member.commit("orders", {0: 1})
        with pytest.raises(CheckFailed, match=r"had committed 1 at .*nobody will be given it again"):
            cluster.assert_effects_exactly_once("orders")


def test_aborted_records_need_no_effect() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        append_aborted(cluster, "orders", b"o-1")
        cluster.assert_effects_exactly_once("orders")


def test_a_reset_forgets_what_was_done() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        for _ in "ab":
            cluster.effects.done("orders", 0, 0)
        assert not cluster.check().alarming, "at least once is what Kafka promises"
        with pytest.raises(CheckFailed, match="its effect happened 2 times"):
            cluster.assert_effects_exactly_once("orders")
        cluster.reset()
        cluster.assert_effects_exactly_once("orders")
        assert cluster.check().of("effect_twice").outcome is Outcome.NOT_EXERCISED


def test_memory_is_bounded_and_what_is_forgotten_is_not_missed() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster:
        effects = Effects(cluster.world, effects_max=2)
        for offset in (4, 3, 5, 6):
            effects.done("orders", 0, offset)
        seen, forgotten = effects.seen()
    assert [effect.offset for effect in seen] == [5, 6]
    assert forgotten == {("orders", 0): 4}


@pytest.mark.parametrize(("partition", "offset"), [(-1, 0), (0, -1)])
def test_an_effect_belongs_to_a_record(partition: int, offset: int) -> None:
    with Cluster(brokers=1) as cluster, pytest.raises(UsageError, match="no record is there"):
        cluster.effects.done("orders", partition, offset)


def test_the_questions_are_asked_inside_trio_too() -> None:
    async def ask() -> None:
        async with open_cluster(brokers=1, topics={"orders": 1, "bills": 1}) as cluster:
            cluster.topic("orders").append("o-1", b"paid")
            cluster.effects.done("orders", 0, 0)
            cluster.assert_effects_exactly_once("orders")
            with pytest.raises(CheckFailed, match="1 missing from the committed output"):
                cluster.assert_conserved("orders", "bills", source=made_of)

    trio.run(ask)


def test_what_goes_in_comes_out_once_and_the_group_has_committed_it() -> None:
    with Cluster(brokers=1, topics={"orders": 1, "bills": 2}) as cluster:
        orders, bills = cluster.topic("orders"), cluster.topic("bills")
        member = cluster.group("billing").join_ghost(topics=["orders"])
        cluster.group("billing").wait_stable(members=1)
        for number in range(2):
            orders.append(b"%d" % number, b"x")
        for order in member.poll(auto_commit=True):
            bills.append(b"%d" % order.offset, b"bill", partition=order.offset % 2)
        cluster.assert_conserved("orders", "bills", source=made_of, group="billing")

        orders.append("2", b"x")
        bills.append("1", b"again", partition=0)
        bills.append("2", b"early", partition=0)
        bills.append("7", b"?", partition=0)
        with pytest.raises(CheckFailed) as caught:
            cluster.assert_conserved("orders", "bills", source=made_of, group="billing")
        said = str(caught.value)
        assert "orders-0@1 key=b'1' became 2 records, bills-0@1 key=b'1' from test" in said
        assert "bills-0@3 key=b'7' from test" in said
        assert "billing has committed 2 of orders-0, and orders-0@2 key=b'2' is transformed" in said


def test_the_output_of_an_aborted_transaction_does_not_count() -> None:
    with Cluster(brokers=1, topics={"orders": 1, "bills": 1}) as cluster:
        cluster.topic("orders").append("0", b"x")
        append_aborted(cluster, "bills", b"0")
        with pytest.raises(CheckFailed, match="1 missing from the committed output: orders-0@0"):
            cluster.assert_conserved("orders", "bills", source=made_of)
        cluster.topic("bills").append("0", b"bill")
        cluster.assert_conserved("orders", "bills", source=made_of)


def test_what_cannot_be_asked_is_said() -> None:
    with Cluster(brokers=1, topics={"orders": 1, "bills": 1}) as cluster:
        with pytest.raises(UsageError, match="there is no topic 'invoices'"):
            cluster.assert_conserved("orders", "invoices", source=made_of)
        cluster.topic("bills").append("0", b"bill")
        with pytest.raises(UsageError, match=r"source\(record\) gave '0-0': expected \(partition, offset\)"):
            cluster.assert_conserved("orders", "bills", source=lambda _: "0-0")  # type: ignore[arg-type,return-value]  # what a test may write
