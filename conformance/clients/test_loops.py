"""Exactly once: consume-transform-produce loops of real clients, while brokers and members die.

`--transactions=1000` makes them long.  The judge is the ledger: each input is in the committed output exactly once,
and the group has committed all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import pytest

from conformance.clients import loop_troubles
from conformance.clients.foreign import Foreign, ForeignError
from conformance.clients.loop_troubles import Scene
from conformance.clients.looping import Looped, Looping
from conformance.clients.programs import Missing
from conformance.clients.roster import SLOW, Troupe
from mockbroker import CheckFailed

if TYPE_CHECKING:
    from mockbroker import Cluster
    from mockbroker.handles.records import Record

CLIENTS = ("confluent", "kafka-python", "aiokafka", "java-4.4.0", "java-3.9.1", "franz-go")
TROUBLES: tuple[Callable[[Scene, int], None] | None, ...] = (
    None,
    loop_troubles.coordinator_dies_while_open,
    loop_troubles.coordinator_dies_while_ending,
    loop_troubles.leader_dies,
    loop_troubles.group_coordinator_dies,
)
# What a loop asks; what a client does not send, as the newer ones do not add partitions, cannot be lost.
ASKED = (
    "FindCoordinator",
    "InitProducerId",
    "OffsetFetch",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "Produce",
    "TxnOffsetCommit",
    "EndTxn",
)
ASKED_ONCE = ("FindCoordinator", "InitProducerId", "OffsetFetch")
# Every so many answers of one kind are lost, up to so many in all.
LOST_EVERY, LOST_MAX = 3, 20
_NO_SECOND_COMMIT = "kafka-python 3.0.12 never sends a TxnOffsetCommit again that was not answered"
# What a client cannot stand, and how we know.
LACKS = {
    ("kafka-python", "group_coordinator_dies"): _NO_SECOND_COMMIT,
    ("kafka-python", "TxnOffsetCommit"): _NO_SECOND_COMMIT,
}
PARTITIONS = 3
# A long loop waits longer for more to come: on a busy machine a client may need that for one lost answer.
LONG, LONG_IDLE_MS = 200, 20_000
# A loop that hangs is the failure of its test.
PATIENCE_S = 300.0
GROUP, FROM, TO = "billing", "orders", "invoices"

_clients = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in CLIENTS]


@pytest.fixture
def troupe() -> Iterator[Troupe]:
    """Loops are killed and take their time: each test has its own programs."""
    troupe = Troupe()
    yield troupe
    troupe.close()


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    """How many records there are to process, one in each transaction."""
    return int(request.config.getoption("--transactions"))


@pytest.fixture
def cluster(request: pytest.FixtureRequest, count: int) -> Iterator[Cluster]:
    """A cluster of our own, with the input in place."""
    if request.config.getoption("--against-kafka"):
        pytest.skip("these troubles come between two steps of mockbroker's brokers")
    from mockbroker import Cluster

    with Cluster(brokers=5, topics={TO: PARTITIONS, FROM: PARTITIONS}) as cluster:
        for number in range(count):
            cluster.topic(FROM).append(None, b"%d" % number, partition=number % PARTITIONS)
        yield cluster


def payer(count: int) -> Looping:
    """The loop that a test is about."""
    how = Looping(GROUP, FROM, TO, "payer-1")
    return how if count < LONG else replace(how, idle_ms=LONG_IDLE_MS)


class Loops:
    """Loops in processes of their own, which do not outlive their test."""

    def __init__(self, troupe: Troupe, cluster: Cluster) -> None:
        self._troupe, self._cluster = troupe, cluster
        self._pool = ThreadPoolExecutor()
        self._clients: dict[str, Foreign] = {}
        self._running: dict[str, Future[Looped]] = {}

    def start(self, name: str, how: Looping) -> None:
        """Begin one, called by its transactional id."""
        try:
            client = self._troupe.mortal(name, self._cluster.bootstrap)
        except Missing as missing:
            pytest.skip(str(missing))
        self._clients[how.transactional_id] = client
        self._running[how.transactional_id] = self._pool.submit(client.loop, how)

    def end_of(self, transactional_id: str) -> Looped:
        """Wait until it has nothing more to do."""
        return self._running[transactional_id].result(PATIENCE_S)

    def kill(self, transactional_id: str) -> None:
        """SIGKILL."""
        self._clients[transactional_id].process.kill()
        with pytest.raises(ForeignError):
            self.end_of(transactional_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.process.kill()
        self._pool.shutdown()


@pytest.fixture
def loops(troupe: Troupe, cluster: Cluster) -> Iterator[Loops]:
    """The loops of one test."""
    with Loops(troupe, cluster) as loops:
        yield loops


def _made_of(invoice: Record) -> tuple[int, int] | None:
    """The order that an invoice is for: its key says so."""
    partition, offset = (invoice.key or b"").split(b"-")
    return int(partition), int(offset)


def _judge(cluster: Cluster) -> None:
    """Each input once, all of them committed, and nothing that no correct client brings about."""
    cluster.assert_conserved(FROM, TO, source=_made_of, group=GROUP)
    cluster.check()


@pytest.mark.parametrize(
    "trouble", TROUBLES, ids=lambda trouble: trouble.__name__ if trouble else "no trouble"
)
@pytest.mark.parametrize("name", _clients)
def test_everything_is_done_exactly_once(
    name: str, trouble: Callable[[Scene, int], None] | None, cluster: Cluster, loops: Loops, count: int
) -> None:
    if trouble is not None and (reason := LACKS.get((name, trouble.__name__))):
        pytest.skip(reason)
    loops.start(name, payer(count))
    if trouble is not None:
        scene = Scene(cluster, GROUP, TO, ("payer-1",))
        for part in (1, 2, 3):
            trouble(scene, part * count // 2)  # a record and a marker for each transaction
    looped = loops.end_of("payer-1")
    _judge(cluster)
    assert looped.committed >= (count if trouble is None else 1)


@pytest.mark.parametrize("api", ASKED)
@pytest.mark.parametrize("name", _clients)
def test_answers_that_are_lost_once_everything_is_done_do_no_harm(
    name: str, api: str, cluster: Cluster, loops: Loops, count: int
) -> None:
    if reason := LACKS.get((name, api)):
        pytest.skip(reason)
    # What comes once comes lost; of the rest every so many.
    every, times = (1, 1) if api in ASKED_ONCE else (max(LOST_EVERY, count // LOST_MAX), LOST_MAX)
    with cluster.faults.after(api, every=every, times=times, optional=True).disconnect() as lost:
        loops.start(name, payer(count))
        loops.end_of("payer-1")
    _judge(cluster)
    assert lost.hits or len(cluster.history.events(api=api)) < every


@pytest.mark.parametrize("name", _clients)
def test_a_member_that_dies_in_a_transaction_leaves_nothing_half_done(
    name: str, cluster: Cluster, loops: Loops, count: int
) -> None:
    for number in (1, 2):
        loops.start(name, Looping(GROUP, FROM, TO, f"payer-{number}", idle_ms=12_000))
    scene = Scene(cluster, GROUP, TO, ("payer-1", "payer-2"))
    scene.when_written(count // 2)
    loops.kill("payer-1")
    cluster.clock.advance("70s")  # the session of the member, and the timeout of its transaction
    loops.end_of("payer-2")
    _judge(cluster)


def test_a_loop_that_commits_by_itself_is_found_out(cluster: Cluster, loops: Loops, count: int) -> None:
    how = Looping(GROUP, FROM, TO, "payer-1", broken=True)
    loops.start("confluent", how)
    scene = Scene(cluster, GROUP, TO, ("payer-1",))
    scene.when_written(count // 2)
    # It has committed the offsets by now, and its transaction will not be.
    unended = cluster.faults.on("EndTxn").drop()
    unended.wait_hit(timeout="20s")
    loops.kill("payer-1")
    unended.remove()
    cluster.clock.advance("70s")
    loops.start("confluent", how)
    loops.end_of("payer-1")
    with pytest.raises(
        CheckFailed, match=r"missing from the committed output: orders-.*billing had committed"
    ):
        _judge(cluster)
