"""InitProducerId: a producer id of its own for each idempotent producer.

Without a transactional id each request gets a new id with epoch 0, whatever id and epoch it names (KIP-360
has brokers ignore them here).

v2 flexible - v3 producer id and epoch in the request - v4 PRODUCER_FENCED - v5 TRANSACTION_ABORTABLE
Not here: transactional ids.  They are refused with UNSUPPORTED_VERSION, which clients take as final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node


def refuse(call: Call[InitProducerIdRequest], error: KafkaError) -> InitProducerIdResponse:  # noqa: ARG001 - all are alike
    """No id, and why."""
    return InitProducerIdResponse(error_code=error.code, producer_id=-1, producer_epoch=-1)


@answers(
    InitProducerIdRequest,
    versions="0-5",
    refuse=refuse,
    simplified="a transactional id is refused (UNSUPPORTED_VERSION)",
)
def init_producer_id(call: Call[InitProducerIdRequest], node: Node) -> InitProducerIdResponse:
    """Give out a producer id."""
    body = call.body
    if body.transactional_id == "" or (body.producer_id < 0) != (body.producer_epoch < 0):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    if body.transactional_id is not None:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "mockbroker does not model transactions yet")
    return InitProducerIdResponse(producer_id=node.next_producer_id(), producer_epoch=0)
