"""ListTransactions: the transactional ids that this broker coordinates, for admins.

v0 states and producers (KIP-664) - v1 only what has been open for so long (KIP-994) - v2 a pattern (KIP-1152)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.patterns import Pattern
from mockbroker.core.transactions.states import TxnState
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import (
    ListedTransaction,
    ListTransactionsRequest,
    ListTransactionsResponse,
)

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.transactions.records import TransactionRecord

NO_FILTER = -1

_STATES = {state.title: state for state in TxnState}


def refuse(call: Call[ListTransactionsRequest], error: KafkaError) -> ListTransactionsResponse:  # noqa: ARG001 - all are alike
    """Nothing, and why."""
    return ListTransactionsResponse(error_code=error.code)


@answers(ListTransactionsRequest, versions="0-2", refuse=refuse)
def list_transactions(call: Call[ListTransactionsRequest], node: Node) -> ListTransactionsResponse:
    """List what all filters let pass."""
    shards = node.coordinators.transactions
    if any(shard.loading for shard in shards.values()):
        raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    passes = _Filter(call.body, node.clock.now)
    records = [
        transaction.record
        for _, shard in sorted(shards.items())
        for transaction in shard.transactions.values()
    ]
    return ListTransactionsResponse(
        unknown_state_filters=passes.unknown,
        transaction_states=[
            ListedTransaction(
                transactional_id=record.transactional_id,
                producer_id=record.producer_id,
                transaction_state=record.state.title,
            )
            for record in records
            if passes(record)
        ],
    )


class _Filter:
    """What the request wants to see."""

    def __init__(self, body: ListTransactionsRequest, now_ms: int) -> None:
        self.unknown = [name for name in body.state_filters if name not in _STATES]
        self._states = {_STATES[name] for name in body.state_filters if name in _STATES}
        self._any_state = not body.state_filters
        self._producers = set(body.producer_id_filters)
        self._duration_ms = body.duration_filter
        # An empty pattern is none.
        self._pattern = Pattern(body.transactional_id_pattern) if body.transactional_id_pattern else None
        self._now_ms = now_ms

    def __call__(self, record: TransactionRecord) -> bool:
        if not self._any_state and record.state not in self._states:
            return False
        if self._producers and record.producer_id not in self._producers:
            return False
        if self._pattern is not None and not self._pattern.matches(record.transactional_id):
            return False
        # Where none was ever begun, Kafka counts from its -1, so that it has been open for long.
        return self._duration_ms == NO_FILTER or self._now_ms - record.started_ms >= self._duration_ms
