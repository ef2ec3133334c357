"""A producer whose transactional id another one has taken: every version of every request tells it so.

Case 159a puts the same to a real Kafka; here is what each generation of clients is told, and why it is not the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import ProducePartition, ProduceTopic
from mockbroker.protocol.messages.transactions import (
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
    TxnOffsetCommitPartition,
    TxnOffsetCommitTopic,
)
from tests.core.simulation import TOPIC, Asked, Simulation, batch_of
from tests.core.transactions.payer import FIRST, GROUP, SECOND, Payer, code, coordinated

OLD, FENCED = "INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"
PLACE = (TOPIC, 0)


@pytest.fixture(params=[FIRST, SECOND], ids=["first protocol", "second protocol"])
def zombie(request: pytest.FixtureRequest) -> Payer:
    """A producer that has written, and does not know of the one behind it."""
    sim = Simulation()
    sim.topic(assignments=[(1, 2, 3), (2, 3, 1)])
    coordinated(sim)
    zombie, heir = Payer(sim, versions=request.param), Payer(sim, versions=request.param)
    zombie.begin()
    zombie.add(PLACE)
    assert code(zombie.send(b"early")) == "NONE"
    assert code(heir.begin()) == "CONCURRENT_TRANSACTIONS"
    assert code(heir.begin()) == "NONE"
    return zombie


def ask(zombie: Payer, api: Api, version: int, to: int | None = None, **fields: Any) -> Asked:
    target = zombie.coordinator.id if to is None else to
    return zombie.sim.ask(api.request(**fields), to=target, version=version)


def names(zombie: Payer) -> dict[str, Any]:
    return {
        "transactional_id": zombie.name,
        "producer_id": zombie.id,
        "producer_epoch": zombie.epoch,
    }


# PRODUCER_FENCED came with KIP-588; clients from before it know the other word.
@pytest.mark.parametrize(("version", "told"), [(0, OLD), (1, OLD), (2, FENCED), (3, FENCED)])
def test_adding_partitions(zombie: Payer, version: int, told: str) -> None:
    who = {f"v3_and_below_{name}": value for name, value in names(zombie).items()}
    topics = [AddPartitionsToTxnTopic(name=TOPIC, partitions=[0])]
    assert code(ask(zombie, Api.ADD_PARTITIONS_TO_TXN, version, **who, v3_and_below_topics=topics)) == told


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("verify_only", [True, False])
def test_adding_partitions_for_another_broker(zombie: Payer, version: int, *, verify_only: bool) -> None:
    topics = [AddPartitionsToTxnTopic(name=TOPIC, partitions=[0])]
    one = AddPartitionsToTxnTransaction(**names(zombie), verify_only=verify_only, topics=topics)
    (told,) = ask(
        zombie, Api.ADD_PARTITIONS_TO_TXN, version, transactions=[one]
    ).response.results_by_transaction
    (partition,) = told.topic_results[0].results_by_partition
    assert ErrorCode(partition.partition_error_code).name == FENCED


@pytest.mark.parametrize(("version", "told"), [(0, OLD), (1, OLD), (2, FENCED), (3, FENCED), (4, FENCED)])
def test_adding_offsets(zombie: Payer, version: int, told: str) -> None:
    assert code(ask(zombie, Api.ADD_OFFSETS_TO_TXN, version, **names(zombie), group_id=GROUP)) == told


@pytest.mark.parametrize("version", range(7))
def test_keeping_offsets(zombie: Payer, version: int) -> None:
    topic = TxnOffsetCommitTopic(
        name=TOPIC, topic_id=zombie.sim.topic_id(), partitions=[TxnOffsetCommitPartition(committed_offset=5)]
    )
    to = zombie.group_leader()
    fields = names(zombie) | {"group_id": GROUP, "topics": [topic]}
    assert code(ask(zombie, Api.TXN_OFFSET_COMMIT, version, to, **fields)) == OLD


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize(("version", "told"), [(0, OLD), (1, OLD), (2, FENCED), (3, FENCED), (4, FENCED)])
def test_ending(zombie: Payer, version: int, told: str, *, commit: bool) -> None:
    assert code(ask(zombie, Api.END_TXN, version, **names(zombie), committed=commit)) == told


@pytest.mark.parametrize("commit", [True, False])
def test_ending_by_the_second_protocol(zombie: Payer, *, commit: bool) -> None:
    assert code(ask(zombie, Api.END_TXN, 5, **names(zombie), committed=commit)) == FENCED


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("version", range(3, 14))
def test_producing(zombie: Payer, version: int, index: int) -> None:
    """Also where the partition has never heard of either, and the coordinator has to be asked."""
    batch = batch_of(b"late", producer=(zombie.id, zombie.epoch, 1 - index), transactional=True)
    part = ProducePartition(index=index, records=bytes(batch.data))
    topic = ProduceTopic(name=TOPIC, topic_id=zombie.sim.topic_id(), partition_data=[part])
    leader = zombie.sim.leader_id(TOPIC, index)
    asked = ask(
        zombie, Api.PRODUCE, version, leader, transactional_id=zombie.name, acks=-1, timeout_ms=1_000,
        topic_data=[topic],
    )  # fmt: skip
    assert code(asked) == OLD
    assert zombie.sim.leader(TOPIC, index).producers.get(zombie.id) is None or index == 0


@pytest.mark.parametrize(("version", "told"), [(3, OLD), (4, FENCED), (5, FENCED)])
def test_beginning_as_who_it_was(zombie: Payer, version: int, told: str) -> None:
    fields = names(zombie) | {"transaction_timeout_ms": 60_000}
    assert code(ask(zombie, Api.INIT_PRODUCER_ID, version, **fields)) == told
