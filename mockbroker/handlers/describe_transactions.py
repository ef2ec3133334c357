"""DescribeTransactions: what coordinators know of transactional ids, for admins.

v0 only (KIP-664)
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.node import Node
from mockbroker.core.transactions.records import TransactionRecord
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import (
    DescribedTransaction,
    DescribedTransactionTopic,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
)


def refuse(call: Call[DescribeTransactionsRequest], error: KafkaError) -> DescribeTransactionsResponse:
    """Every id, refused with one error."""
    return DescribeTransactionsResponse(
        transaction_states=[_refused(name, error) for name in call.body.transactional_ids]
    )


def _refused(name: str, error: KafkaError) -> DescribedTransaction:
    return DescribedTransaction(transactional_id=name, error_code=error.code)


@answers(DescribeTransactionsRequest, versions="0", refuse=refuse)
def describe_transactions(
    call: Call[DescribeTransactionsRequest], node: Node
) -> DescribeTransactionsResponse:
    """Describe each id on its own."""
    return DescribeTransactionsResponse(
        transaction_states=[_describe(node, name) for name in call.body.transactional_ids]
    )


def _describe(node: Node, name: str) -> DescribedTransaction:
    if not name:
        return _refused(name, KafkaError(ErrorCode.INVALID_REQUEST))
    try:
        transaction = node.transaction_shard(name).transactions.get(name)
    except KafkaError as refused:
        return _refused(name, refused)
    if transaction is None:
        return _refused(name, KafkaError(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND))
    record = transaction.record
    return DescribedTransaction(
        transactional_id=name,
        transaction_state=record.state.title,
        transaction_timeout_ms=record.timeout_ms,
        transaction_start_time_ms=record.started_ms,
        producer_id=record.producer_id,
        producer_epoch=record.epoch,
        topics=_topics(record),
    )


def _topics(record: TransactionRecord) -> list[DescribedTransactionTopic]:
    topics: dict[str, DescribedTransactionTopic] = {}
    for topic, index in record.partitions:
        topics.setdefault(topic, DescribedTransactionTopic(topic=topic)).partitions.append(index)
    return list(topics.values())
