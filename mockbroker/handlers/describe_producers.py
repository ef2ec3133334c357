"""DescribeProducers: the idempotent and transactional producers that the leader of a partition remembers.

What is told follows from the leader's own log: the newest epoch, sequence and time of each producer, and where
its open transaction begins there.  Each partition succeeds or fails alone.

v0 only (KIP-664)
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.naming import fault_of_name
from mockbroker.core.node import Node
from mockbroker.core.producers import Producer
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.produce import (
    DescribedProducersPartition,
    DescribedProducersTopic,
    DescribeProducersRequest,
    DescribeProducersResponse,
    ProducerState,
)

NO_TRANSACTION = -1
NO_SEQUENCE = -1


def refuse(call: Call[DescribeProducersRequest], error: KafkaError) -> DescribeProducersResponse:
    """Every partition of the request, refused with one error."""
    return DescribeProducersResponse(
        topics=[
            DescribedProducersTopic(
                name=topic.name, partitions=[_refused(index, error) for index in topic.partition_indexes]
            )
            for topic in call.body.topics
        ]
    )


def _refused(index: int, error: KafkaError) -> DescribedProducersPartition:
    return DescribedProducersPartition(
        partition_index=index, error_code=error.code, error_message=error.message or None
    )


@answers(DescribeProducersRequest, versions="0", refuse=refuse)
def describe_producers(call: Call[DescribeProducersRequest], node: Node) -> DescribeProducersResponse:
    """Describe the producers of each partition."""
    return DescribeProducersResponse(
        topics=[
            DescribedProducersTopic(
                name=topic.name,
                partitions=[_partition(node, topic.name, index) for index in topic.partition_indexes],
            )
            for topic in call.body.topics
        ]
    )


def _partition(node: Node, topic: str, index: int) -> DescribedProducersPartition:
    try:
        _check_topic(node, topic)
        producers = node.leader_of(topic, index).producers.active()
    except KafkaError as refused:
        return _refused(index, refused)
    return DescribedProducersPartition(
        partition_index=index, active_producers=[_state(id, producer) for id, producer in producers]
    )


def _check_topic(node: Node, topic: str) -> None:
    """Say in words what is wrong with a topic; of a partition the code alone tells it."""
    if fault := fault_of_name(topic):
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, fault)
    if topic not in node.image.topics:
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        raise KafkaError(code, code.text)


def _state(producer_id: int, producer: Producer) -> ProducerState:
    start = producer.transaction_start
    return ProducerState(
        producer_id=producer_id,
        producer_epoch=producer.epoch,
        last_sequence=producer.sent[-1].last_sequence if producer.sent else NO_SEQUENCE,
        last_timestamp=producer.last_timestamp,
        coordinator_epoch=producer.coordinator_epoch,
        current_txn_start_offset=NO_TRANSACTION if start is None else start,
    )
