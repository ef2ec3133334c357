"""AddPartitionsToTxn: make partitions part of a transaction, which begins with the first.

Clients send v0-3, one transaction each.  From v4 on the request is for brokers, which ask for many producers at once
and may only want to know (KIP-890); it is answered to whoever sends it, as nobody is forbidden anything here.

v1 same as v0 - v2 PRODUCER_FENCED - v3 flexible - v4 many transactions, verify_only - v5 TRANSACTION_ABORTABLE, which
Kafka says in answers to v4, too
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.controller import INTERNAL_TOPICS
from mockbroker.core.ticket import Reply, Ticket, then
from mockbroker.core.transactions.transaction import BUMPS_EPOCHS
from mockbroker.handlers.registry import answers
from mockbroker.handlers.shapes import fenced_code
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from mockbroker.core.call import Call
    from mockbroker.core.node import Node

# The first version whose clients know PRODUCER_FENCED, and the first for brokers.
FENCED_SINCE, BROKERS_SINCE = 2, 4

Place = tuple[str, int]


def refuse(call: Call[AddPartitionsToTxnRequest], error: KafkaError) -> AddPartitionsToTxnResponse:
    """Every partition refused; for brokers the whole."""
    if call.version >= BROKERS_SINCE:
        return AddPartitionsToTxnResponse(error_code=error.code)
    topics = call.body.v3_and_below_topics
    code = fenced_code(error, call.version, FENCED_SINCE)
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=_results(topics, _all(topics, code)))


@answers(AddPartitionsToTxnRequest, versions="0-5", refuse=refuse)
def add_partitions_to_txn(
    call: Call[AddPartitionsToTxnRequest], node: Node
) -> Reply[AddPartitionsToTxnResponse]:
    """Add them, all or none of a transaction."""
    body = call.body
    if call.version >= BROKERS_SINCE:
        return _of_brokers(call, node)
    transaction = AddPartitionsToTxnTransaction(
        transactional_id=body.v3_and_below_transactional_id,
        producer_id=body.v3_and_below_producer_id,
        producer_epoch=body.v3_and_below_producer_epoch,
        topics=body.v3_and_below_topics,
    )
    return then(
        _one(call, node, transaction),
        lambda results: AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results),
    )


def _of_brokers(call: Call[AddPartitionsToTxnRequest], node: Node) -> Reply[AddPartitionsToTxnResponse]:
    """Each transaction for itself; the answer leaves when the last one has its verdict."""
    response = AddPartitionsToTxnResponse()
    ticket: Ticket[AddPartitionsToTxnResponse] = Ticket("transactions to have their partitions added")
    missing = len(call.body.transactions)

    def arrived(result: AddPartitionsToTxnResult, topics: list[AddPartitionsToTxnTopicResult]) -> None:
        nonlocal missing
        result.topic_results = topics
        missing -= 1
        if not missing:
            ticket.resolve(response)

    for transaction in call.body.transactions:
        result = AddPartitionsToTxnResult(transactional_id=transaction.transactional_id)
        response.results_by_transaction.append(result)
        reply = _one(call, node, transaction)
        if isinstance(reply, Ticket):
            reply.when_done(lambda topics, result=result: arrived(result, topics))  # type: ignore[misc]  # a default binds the loop's value
        else:
            arrived(result, reply)
    return ticket if call.body.transactions else response


def _one(
    call: Call[AddPartitionsToTxnRequest], node: Node, transaction: AddPartitionsToTxnTransaction
) -> Reply[list[AddPartitionsToTxnTopicResult]]:
    """One transaction's verdicts."""
    topics = transaction.topics
    producer = (transaction.producer_id, transaction.producer_epoch)
    places = [(topic.name, index) for topic in topics for index in topic.partitions]

    def added(error: KafkaError | None) -> list[AddPartitionsToTxnTopicResult]:
        code = ErrorCode.NONE if error is None else fenced_code(error, call.version, FENCED_SINCE)
        return _results(topics, _all(topics, code))

    closed = INTERNAL_TOPICS if call.version < BROKERS_SINCE else frozenset[str]()
    missing = {place for place in places if node.image.partition(*place) is None or place[0] in closed}
    if missing:
        # Nothing is tried; and offsets come into a client's transaction by AddOffsetsToTxn only.
        return _results(topics, {place: _not_attempted(place, missing, closed) for place in places})
    try:
        shard = node.transaction_shard(transaction.transactional_id or _no_id())
        if transaction.verify_only:
            verdicts = shard.verify_partitions(transaction.transactional_id, producer, places)
            return _results(topics, verdicts)
        version = BUMPS_EPOCHS if call.version >= BROKERS_SINCE else 0
        return then(shard.add_partitions(transaction.transactional_id, producer, places, version), added)
    except KafkaError as refused:
        return added(refused)


def _no_id() -> str:
    raise KafkaError(ErrorCode.INVALID_REQUEST)


def _not_attempted(place: Place, missing: set[Place], closed: AbstractSet[str]) -> ErrorCode:
    """The verdict on one partition of several of which some cannot be added."""
    if place not in missing:
        return ErrorCode.OPERATION_NOT_ATTEMPTED
    return (
        ErrorCode.TOPIC_AUTHORIZATION_FAILED if place[0] in closed else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    )


def _all(topics: list[AddPartitionsToTxnTopic], code: ErrorCode) -> dict[Place, ErrorCode]:
    return {(topic.name, index): code for topic in topics for index in topic.partitions}


def _results(
    topics: list[AddPartitionsToTxnTopic], verdicts: Mapping[Place, ErrorCode]
) -> list[AddPartitionsToTxnTopicResult]:
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(
                    partition_index=index, partition_error_code=verdicts[topic.name, index]
                )
                for index in topic.partitions
            ],
        )
        for topic in topics
    ]
