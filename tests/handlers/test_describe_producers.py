"""DescribeProducers, answered as Kafka 4.4.0 answered the same questions."""

from __future__ import annotations

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import (
    DescribedProducersPartition,
    DescribeProducersRequest,
    DescribeProducersTopic,
    ProducerState,
)
from mockbroker.records.batch import TRANSACTIONAL
from tests.core.simulation import TOPIC, Simulation, batch_of


def partitions(sim: Simulation, topic: str, *indexes: int, to: int = 1) -> list[DescribedProducersPartition]:
    request = DescribeProducersRequest(
        topics=[DescribeProducersTopic(name=topic, partition_indexes=list(indexes))]
    )
    (described,) = sim.ask(request, to=to).response.topics
    assert described.name == topic
    found: list[DescribedProducersPartition] = described.partitions
    return found


def errors(described: list[DescribedProducersPartition]) -> list[tuple[int, ErrorCode, str | None]]:
    assert not any(one.active_producers for one in described)
    return [(one.partition_index, ErrorCode(one.error_code), one.error_message) for one in described]


def test_each_producer_is_told_with_its_newest_epoch_and_sequence(sim: Simulation) -> None:
    sim.produce(b"a", b"b", b"c", producer=(7, 0, 0))
    sim.produce(b"d", producer=(9, 2, 0))
    sim.produce(b"e", producer=(7, 1, 0))
    (described,) = partitions(sim, TOPIC, 0)
    assert (described.error_code, described.error_message) == (ErrorCode.NONE, None)
    assert [(p.producer_id, p.producer_epoch, p.last_sequence) for p in described.active_producers] == [
        (7, 1, 0),
        (9, 2, 0),
    ]
    quiet = {(p.coordinator_epoch, p.current_txn_start_offset) for p in described.active_producers}
    assert quiet == {(-1, -1)}


def test_an_open_transaction_is_told_by_where_it_began(sim: Simulation) -> None:
    sim.produce(b"before")
    for sequence, value in enumerate((b"first", b"second")):
        batch = batch_of(value, producer=(7, 0, sequence)).remade(attributes=TRANSACTIONAL)
        sim.leader().append(batch)
    (described,) = partitions(sim, TOPIC, 0)
    (producer,) = described.active_producers
    assert isinstance(producer, ProducerState)
    assert (producer.last_sequence, producer.current_txn_start_offset) == (1, 1)
    assert producer.last_timestamp == sim.leader().log.batches[-1].max_timestamp


def test_nobody_is_told_of_where_nobody_had_an_id(sim: Simulation) -> None:
    sim.produce(b"anonymous")
    (described,) = partitions(sim, TOPIC, 0)
    assert (described.error_code, described.active_producers) == (ErrorCode.NONE, [])


def test_who_does_not_lead_does_not_tell(sim: Simulation) -> None:
    assert errors(partitions(sim, TOPIC, 0, to=2)) == [(0, ErrorCode.NOT_LEADER_OR_FOLLOWER, None)]


def test_a_partition_that_does_not_exist_is_refused_by_code_and_a_topic_in_words(sim: Simulation) -> None:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert errors(partitions(sim, TOPIC, 7)) == [(7, unknown, None)]
    assert errors(partitions(sim, "nowhere", 0, 1)) == [
        (0, unknown, unknown.text),
        (1, unknown, unknown.text),
    ]
    ((_, code, message),) = errors(partitions(sim, "no where", 0))
    assert code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert message
    assert "'no where'" in message
