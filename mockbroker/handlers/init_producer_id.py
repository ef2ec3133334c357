"""InitProducerId: a producer id and an epoch, for each idempotent producer and for each transactional id.

Without a transactional id any broker gives out a new id with epoch 0, whatever id and epoch the request names.
With one, its coordinator gives the next epoch, which shuts out whoever had the epoch before (KIP-98); a producer
that names its id and epoch keeps them if they are still its own (KIP-360).

v2 flexible - v3 producer id and epoch in the request - v4 PRODUCER_FENCED - v5 TRANSACTION_ABORTABLE
Not here: two-phase commit (v6, not stable in Kafka either).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.ticket import then
from mockbroker.core.transactions.fencing import Claim
from mockbroker.handlers.registry import answers
from mockbroker.handlers.shapes import fenced_code
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply
    from mockbroker.core.transactions.shard import Granted

# The first version whose clients know PRODUCER_FENCED.
FENCED_SINCE = 4


def refuse(call: Call[InitProducerIdRequest], error: KafkaError) -> InitProducerIdResponse:
    """No id, and why."""
    code = fenced_code(error, call.version, FENCED_SINCE)
    return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)


@answers(InitProducerIdRequest, versions="0-5", refuse=refuse)
def init_producer_id(call: Call[InitProducerIdRequest], node: Node) -> Reply[InitProducerIdResponse]:
    """Give out a producer id and an epoch."""
    body = call.body
    if body.transactional_id == "" or (body.producer_id < 0) != (body.producer_epoch < 0):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    if body.transactional_id is None:
        return InitProducerIdResponse(producer_id=node.next_producer_id(), producer_epoch=0)
    shard = node.transaction_shard(body.transactional_id)
    if not 0 < body.transaction_timeout_ms <= node.config[settings.TRANSACTION_MAX_TIMEOUT_MS]:
        raise KafkaError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)

    def respond(given: Granted) -> InitProducerIdResponse:
        if given.error is not None:
            return refuse(call, given.error)
        return InitProducerIdResponse(producer_id=given.producer_id, producer_epoch=given.epoch)

    claim = Claim(body.transaction_timeout_ms, body.producer_id, body.producer_epoch)
    return then(shard.init_producer_id(body.transactional_id, claim), respond)
