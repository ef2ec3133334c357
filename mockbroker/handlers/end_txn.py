"""EndTxn: commit or abort a transaction.

The answer means that the decision is written and will be carried out; the partitions are told afterwards, and until
all have been the transactional id is busy (CONCURRENT_TRANSACTIONS).

v2 PRODUCER_FENCED - v3 flexible - v4 TRANSACTION_ABORTABLE - v5 every end brings the epoch for the next (KIP-890)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.ticket import then
from mockbroker.core.transactions.ending import Ending
from mockbroker.core.transactions.transaction import BUMPS_EPOCHS
from mockbroker.handlers.registry import answers
from mockbroker.handlers.shapes import fenced_code
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import EndTxnRequest, EndTxnResponse

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply
    from mockbroker.core.transactions.shard import Granted

# The first version whose clients know PRODUCER_FENCED, and the first that gives a new epoch.
FENCED_SINCE, BUMPS_SINCE = 2, 5


def refuse(call: Call[EndTxnRequest], error: KafkaError) -> EndTxnResponse:
    """The transaction goes on, and why."""
    return EndTxnResponse(error_code=fenced_code(error, call.version, FENCED_SINCE))


@answers(EndTxnRequest, versions="0-5", refuse=refuse)
def end_txn(call: Call[EndTxnRequest], node: Node) -> Reply[EndTxnResponse]:
    """Have the coordinator decide."""
    body = call.body
    if not body.transactional_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    version = BUMPS_EPOCHS if call.version >= BUMPS_SINCE else 0
    ending = Ending(body.producer_id, body.producer_epoch, body.committed, version)
    decided = node.transaction_shard(body.transactional_id).end_transaction(body.transactional_id, ending)

    def respond(given: Granted) -> EndTxnResponse:
        if given.error is not None:
            return refuse(call, given.error)
        return EndTxnResponse(producer_id=given.producer_id, producer_epoch=given.epoch)

    return then(decided, respond)
