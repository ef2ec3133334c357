"""Past the bounds of memory: the history and the ledger forget their oldest, count it, and say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbroker import Cluster
from mockbroker.checkers.case import gather
from mockbroker.checkers.verdict import Outcome
from mockbroker.core.clock import Clock
from mockbroker.core.history import BYTES_MAX as HISTORY_BYTES_MAX
from mockbroker.core.history import EVENTS_MAX, History
from mockbroker.core.replica import Appended
from mockbroker.failure_report import evidence_of, report_of
from mockbroker.ledger.book import BYTES_MAX, ENTRIES_MAX, Ledger
from mockbroker.records.builder import build_batch
from tests.core.simulation import LEADER, batch_of
from tests.ledger.test_notes import Noted

FEW = 20


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster whose memory ends after a few events and a few batches."""
    cluster = Cluster(brokers=3)
    cluster.notes = cluster.world.witness = Ledger(cluster.world, entries_max=FEW)
    cluster.world.history.limit = FEW
    with cluster:
        cluster.topic("orders").create(partitions=1)
        yield cluster


def send(cluster: Cluster, count: int) -> None:
    producer = cluster.ghost_producer(client_id="shop")
    for number in range(count):
        producer.send("orders", b"%d" % number, key=b"k", acks=LEADER)


def test_a_report_of_verdicts_says_what_was_forgotten(cluster: Cluster) -> None:
    send(cluster, FEW)
    assert cluster.ledger.dropped == 0
    assert "forgotten" not in str(cluster.check())
    send(cluster, 7)
    assert cluster.ledger.dropped == 7
    assert "the ledger has forgotten its oldest 7 batches: all this is about the rest" in str(cluster.check())
    assert len(cluster.ledger.fate("orders")) == FEW
    assert cluster.ledger.fate("orders", partition=0, offset=6) == []


def test_a_timeline_says_what_was_forgotten(cluster: Cluster) -> None:
    for number in range(3 * FEW):
        cluster.history.note(f"step {number}")
    assert len(cluster.world.history.events) == FEW
    dropped = cluster.history.dropped
    assert dropped >= 2 * FEW
    assert f"---- the {dropped} oldest events were forgotten ----" in report_of(evidence_of(cluster))


def test_a_reset_forgets_that_something_was_forgotten(cluster: Cluster) -> None:
    send(cluster, 2 * FEW)
    cluster.reset()
    assert (cluster.ledger.dropped, cluster.history.dropped) == (0, 0)
    assert "forgotten" not in str(cluster.check())


def test_what_was_served_and_committed_is_bounded_as_well(cluster: Cluster) -> None:
    cluster.topic("orders").append("k", b"paid")
    ghost = cluster.group("billing").join_ghost(topics=["orders"])
    for offset in range(2 * FEW):
        ghost.commit({("orders", 0): offset % 2})
    assert len(cluster.notes.committed) == FEW


def test_a_loss_that_is_forgotten_is_not_found_and_a_later_one_is(cluster: Cluster) -> None:
    def lose_one() -> None:
        partition = cluster.topic("orders").partition(0)
        partition.freeze_followers()
        send(cluster, 1)
        partition.elect(unclean=True)
        for broker in partition.replicas:
            partition.replica(broker).catch_up()

    lose_one()
    assert cluster.check(raises=False).of("acked_lost").outcome is Outcome.VIOLATED
    send(cluster, FEW)
    report = cluster.check()
    assert report.of("acked_lost").outcome is not Outcome.VIOLATED
    assert "the ledger has forgotten its oldest 1 batches" in str(report)
    lose_one()
    assert cluster.check(raises=False).of("acked_lost").outcome is Outcome.VIOLATED


# -- at real size ---------------------------------------------------------------------------------------


def test_a_history_has_the_newest_hundred_thousand_events() -> None:
    history = History(Clock(0))
    for _ in range(EVENTS_MAX + 5):
        history.note(1, "act")
    assert (len(history.events), history.dropped) == (EVENTS_MAX, 5)
    assert history.held_bytes <= HISTORY_BYTES_MAX


def test_a_ledger_has_the_newest_hundred_thousand_batches_and_so_many_bytes() -> None:
    sim = Noted()
    ledger, batch = sim.ledger, batch_of(b"x" * 1_000)
    for offset in range(ENTRIES_MAX + 5):
        ledger.appended(sim.leader(), batch, Appended(offset, offset, -1))
    assert (len(ledger.sent), ledger.dropped) == (ENTRIES_MAX, 5)
    held = sum(len(sent.data) for sent in ledger.sent if sent.data is not None)
    assert BYTES_MAX - batch.size <= held <= BYTES_MAX
    assert ledger.sent[-1].data is not None


def test_the_bytes_of_batches_are_forgotten_before_the_batches() -> None:
    sim = Noted()
    size = len(build_batch([(b"k", b"x" * 1_000, (), 0)], now_ms=0).data)
    sim.ledger = sim.world.witness = Ledger(sim.world, bytes_max=3 * size)
    for _ in range(10):
        sim.produce(b"x" * 1_000, key=b"k", acks=LEADER)
    held = [sent for sent in sim.ledger.sent if sent.data is not None]
    assert [sent.base_offset for sent in held] == list(range(10 - len(held), 10))
    assert sum(len(sent.data or b"") for sent in held) <= 3 * size
    case = gather(sim.world, sim.ledger)
    assert (len(case.present()), case.dropped) == (10, 0)
