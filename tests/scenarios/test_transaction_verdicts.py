"""Verdicts about transactions, on real clients: what is torn, lost or read although aborted is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from mockbroker import CheckFailed, Cluster
from mockbroker.checkers.verdict import Outcome, Verdict
from tests.scenarios.payers import PAYERS, Payer, Refused, reader_of

NAME = "payer-1"


class Payers:
    """Producers with the same transactional id, of one library."""

    def __init__(self, cluster: Cluster, library: str, stack: ExitStack) -> None:
        self.cluster = cluster
        self.library = library
        self._stack = stack

    def begun(self) -> Payer:
        payer = PAYERS[self.library](self.cluster, NAME)
        self._stack.callback(payer.close)
        payer.begin()
        return payer


@pytest.fixture(params=PAYERS)
def payers(mockbroker: Cluster, request: pytest.FixtureRequest) -> Iterator[Payers]:
    for topic in ("debits", "credits"):
        mockbroker.topic(topic).create(partitions=1, replication=3)
    with ExitStack() as stack:
        yield Payers(mockbroker, str(request.param), stack)


def verdict(cluster: Cluster, name: str) -> Verdict:
    return cluster.check(raises=False).of(name)


@pytest.mark.parametrize(
    ("isolation", "outcome"),
    [("read_committed", Outcome.PROVED), ("read_uncommitted", Outcome.VIOLATED)],
)
def test_who_reads_what_was_aborted(payers: Payers, isolation: str, outcome: Outcome) -> None:
    cluster = payers.cluster
    payer = payers.begun()
    payer.write("debits", b"9 EUR")
    payer.abort()
    cluster.transaction(NAME).wait_state("CompleteAbort")
    cluster.topic("debits").append("k", b"behind it")
    with closing(reader_of(payers.library, cluster, "debits", isolation)) as reader:
        aborted = [b"9 EUR"] if isolation == "read_uncommitted" else []
        assert reader.read(1 + len(aborted)) == [*aborted, b"behind it"]

    found = verdict(cluster, "aborted_read")
    assert (found.outcome, found.alarming) == (outcome, False)
    if outcome is Outcome.VIOLATED:
        assert "to read_uncommitted" in found.evidence[0]


def test_two_readers_beside_each_other_are_told_apart(payers: Payers) -> None:
    cluster = payers.cluster
    payer = payers.begun()
    payer.write("debits", b"9 EUR")
    payer.abort()
    cluster.transaction(NAME).wait_state("CompleteAbort")
    cluster.topic("debits").append("k", b"behind it")
    with (
        closing(reader_of(payers.library, cluster, "debits", "read_committed")) as careful,
        closing(reader_of(payers.library, cluster, "debits", "read_uncommitted")) as careless,
    ):
        assert careful.read(1) == [b"behind it"]
        assert careless.read(2) == [b"9 EUR", b"behind it"]
    evidence = verdict(cluster, "aborted_read").evidence
    assert evidence
    assert all("to read_uncommitted at" in line for line in evidence)


def test_a_zombie_has_not_written(payers: Payers) -> None:
    """No client can bring the other about: what a fenced producer sends is refused by its epoch."""
    cluster = payers.cluster
    zombie = payers.begun()
    zombie.write("debits", b"early")
    heir = payers.begun()
    heir.write("debits", b"paid")
    heir.commit()
    cluster.transaction(NAME).wait_state("CompleteCommit")
    with pytest.raises(Refused):
        zombie.write("debits", b"late")

    assert verdict(cluster, "zombie_write").outcome is Outcome.PROVED
    assert cluster.topic("debits").values() == [b"paid"]
    cluster.check()


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_in_two_partitions_ends_in_one_way(payers: Payers, *, commit: bool) -> None:
    cluster = payers.cluster
    payer = payers.begun()
    payer.write("debits", b"9 EUR")
    payer.write("credits", b"9 EUR")
    if commit:
        payer.commit()
    else:
        payer.abort()
    cluster.transaction(NAME).wait_state("CompleteCommit" if commit else "CompleteAbort")

    report = cluster.check()
    assert report.of("torn_transaction").outcome is Outcome.PROVED
    told = Outcome.PROVED if commit else Outcome.NOT_EXERCISED
    assert report.of("lost_transaction").outcome is told


def alone(cluster: Cluster, topic: str) -> None:
    """Have only the leader of a partition in sync; the others stand still."""
    cluster.topic(topic).partition(0).freeze_followers()
    cluster.topic(topic).append("k", b"which the others do not have")
    cluster.clock.advance("31s")


@pytest.mark.parametrize("what", ["its records", "its marker"])
def test_an_unclean_election_tears_a_transaction(payers: Payers, what: str) -> None:
    cluster = payers.cluster
    if what == "its records":
        alone(cluster, "credits")
    payer = payers.begun()
    payer.write("debits", b"9 EUR")
    payer.write("credits", b"9 EUR")
    if what == "its marker":
        alone(cluster, "credits")
    payer.commit()
    cluster.transaction(NAME).wait_state("CompleteCommit")
    cluster.topic("credits").partition(0).elect(unclean=True)

    with pytest.raises(CheckFailed, match="torn_transaction"):
        cluster.check()
    (evidence,) = verdict(cluster, "torn_transaction").evidence
    assert NAME in evidence
    assert evidence.endswith("is gone" if what == "its records" else "has lost its marker")
    assert verdict(cluster, "lost_transaction").outcome is Outcome.PROVED  # the debit is there


def test_a_commit_that_was_told_and_of_which_nothing_is_left(payers: Payers) -> None:
    cluster = payers.cluster
    alone(cluster, "debits")
    payer = payers.begun()
    payer.write("debits", b"9 EUR")
    payer.commit()
    cluster.transaction(NAME).wait_state("CompleteCommit")
    cluster.topic("debits").partition(0).elect(unclean=True)

    with pytest.raises(CheckFailed, match=r"was told at .* that its transaction is committed"):
        cluster.check()


def test_a_commit_whose_answer_is_lost_is_asked_for_again(payers: Payers) -> None:
    cluster = payers.cluster
    payer = payers.begun()
    payer.write("debits", b"9 EUR")
    payer.write("credits", b"9 EUR")
    with cluster.faults.after("EndTxn", nth=1).disconnect():
        payer.commit()
    cluster.transaction(NAME).wait_state("CompleteCommit")

    report = cluster.check()
    assert report.of("lost_transaction").outcome is Outcome.PROVED
    assert report.of("torn_transaction").outcome is Outcome.PROVED
