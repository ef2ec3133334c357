"""Transactions over whole brokers: what readers see, who is shut out, and what outlives a coordinator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbroker import Cluster
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import ProducePartition, ProduceTopic
from mockbroker.records.builder import build_batch
from tests.handles.members import RawClient

OK = ErrorCode.NONE


class Payer:
    """A transactional producer with a connection to every broker."""

    def __init__(self, cluster: Cluster, name: str = "payer") -> None:
        self.cluster, self.name = cluster, name
        self.lines = {broker.id: RawClient(cluster, broker.id, name) for broker in cluster.brokers}
        self.id, self.epoch = -1, -1

    def close(self) -> None:
        for line in self.lines.values():
            line.hang_up()

    def _coordinator(self) -> RawClient:
        alive = next(broker.id for broker in self.cluster.brokers if broker.running)
        asked = Api.FIND_COORDINATOR.request(key_type=1, coordinator_keys=[self.name])
        (found,) = self.lines[alive].ask(asked, 4).coordinators
        return self.lines[found.node_id]

    def begin(self) -> int:
        asked = Api.INIT_PRODUCER_ID.request(transactional_id=self.name, transaction_timeout_ms=60_000)
        answer = self._coordinator().ask(asked, 4)
        if answer.error_code == OK:
            self.id, self.epoch = answer.producer_id, answer.producer_epoch
        return int(answer.error_code)

    def send(self, topic: str, value: bytes, sequence: int, version: int = 12) -> int:
        batch = build_batch(
            [(None, value, (), 0)], now_ms=0, producer_id=self.id, producer_epoch=self.epoch,
            base_sequence=sequence, transactional=True,
        )  # fmt: skip
        part = ProducePartition(index=0, records=batch.data)
        asked = Api.PRODUCE.request(
            transactional_id=self.name, acks=-1, timeout_ms=1_000,
            topic_data=[ProduceTopic(name=topic, partition_data=[part])],
        )  # fmt: skip
        leader = self.cluster.leader_of(topic, 0).id
        (told,) = self.lines[leader].ask(asked, version).responses
        return int(told.partition_responses[0].error_code)

    def end(self, *, commit: bool, version: int = 5) -> int:
        asked = Api.END_TXN.request(
            transactional_id=self.name, producer_id=self.id, producer_epoch=self.epoch, committed=commit
        )
        answer = self._coordinator().ask(asked, version)
        if version >= 5 and answer.error_code == OK:
            self.id, self.epoch = answer.producer_id, answer.producer_epoch
        return int(answer.error_code)

    def state(self) -> str:
        asked = Api.DESCRIBE_TRANSACTIONS.request(transactional_ids=[self.name])
        (told,) = self._coordinator().ask(asked, 0).transaction_states
        return str(told.transaction_state)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3, topics={"orders": 1}) as cluster:
        yield cluster


@pytest.fixture
def payer(cluster: Cluster) -> Iterator[Payer]:
    payer = Payer(cluster)
    yield payer
    payer.close()


@pytest.mark.parametrize(("commit", "seen"), [(True, [b"paid"]), (False, [])])
def test_a_transaction_is_seen_when_it_is_committed(
    cluster: Cluster,
    payer: Payer,
    commit: bool,
    seen: list[bytes],
) -> None:
    assert payer.begin() == OK
    assert payer.send("orders", b"paid", 0) == OK
    orders = cluster.topic("orders")
    assert (orders.values(), orders.values(isolation="uncommitted")) == ([], [b"paid"])
    assert payer.state() == "Ongoing"

    assert payer.end(commit=commit) == OK

    assert orders.values() == seen
    assert [record.kind for record in orders.records(isolation="all")] == [
        "data",
        "commit" if commit else "abort",
    ]
    assert payer.state() == ("CompleteCommit" if commit else "CompleteAbort")


def test_a_new_owner_shuts_the_old_one_out(cluster: Cluster, payer: Payer) -> None:
    payer.begin()
    payer.send("orders", b"old", 0)
    twin = Payer(cluster)
    assert twin.begin() == ErrorCode.CONCURRENT_TRANSACTIONS  # the open transaction is aborted first
    assert twin.begin() == OK
    assert payer.send("orders", b"old", 1) == ErrorCode.INVALID_PRODUCER_EPOCH
    assert payer.end(commit=True) == ErrorCode.PRODUCER_FENCED
    assert twin.send("orders", b"new", 0) == OK
    assert twin.end(commit=True) == OK
    assert cluster.topic("orders").values() == [b"new"]
    twin.close()


@pytest.mark.parametrize("commit", [True, False])
def test_a_successor_ends_what_was_decided(cluster: Cluster, payer: Payer, commit: bool) -> None:
    payer.begin()
    payer.send("orders", b"paid", 0)
    with cluster.faults.between("WriteTxnMarkers").drop():
        assert payer.end(commit=commit) == OK
        assert payer.state() == ("PrepareCommit" if commit else "PrepareAbort")
        assert payer.begin() == ErrorCode.CONCURRENT_TRANSACTIONS
        assert cluster.topic("orders").values() == []
    coordinator = payer._coordinator()  # noqa: SLF001 - the test's own class
    next(broker for broker in cluster.brokers if payer.lines[broker.id] is coordinator).crash()

    assert payer.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert cluster.topic("orders").values() == ([b"paid"] if commit else [])


def test_a_lost_marker_is_sent_again(cluster: Cluster, payer: Payer) -> None:
    payer.begin()
    payer.send("orders", b"paid", 0)
    with cluster.faults.between("WriteTxnMarkers", nth=1).drop():
        payer.end(commit=True)
        assert payer.state() == "PrepareCommit"
        cluster.clock.advance("31s")
    assert payer.state() == "CompleteCommit"
    assert cluster.topic("orders").values() == [b"paid"]


def test_a_transaction_that_is_open_for_too_long_is_aborted(cluster: Cluster, payer: Payer) -> None:
    payer.begin()
    payer.send("orders", b"paid", 0)
    cluster.clock.advance("59s")
    assert payer.state() == "Ongoing"
    cluster.clock.advance("12s")
    assert payer.state() == "CompleteAbort"
    assert payer.end(commit=True, version=3) == ErrorCode.PRODUCER_FENCED
    # With the second protocol it looks like a repeated request, of a transaction that was not committed.
    assert payer.end(commit=True) == ErrorCode.INVALID_TXN_STATE


def test_a_late_end_is_applied_to_the_next_transaction_with_the_first_protocol_only(
    cluster: Cluster, payer: Payer
) -> None:
    """The flaw that KIP-890 ended: an EndTxn that was under way too long meets the transaction after its own."""
    payer.begin()
    before = payer.epoch
    for version, torn in ((3, True), (5, False)):
        first = payer.epoch
        payer.send("orders", b"one", 0)
        assert payer.end(commit=True, version=version) == OK
        payer.send("orders", b"two", 1 if version == 3 else 0)
        late, payer.epoch = payer.epoch, first
        ended = payer.end(commit=False, version=version)  # of the first transaction, and late
        payer.epoch = late
        assert (ended == OK) is torn, ErrorCode(ended).name
        if not torn:
            assert payer.end(commit=True, version=version) == OK
        else:
            payer.begin()
    assert payer.epoch > before
    assert cluster.topic("orders").values() == [b"one", b"one", b"two"]
