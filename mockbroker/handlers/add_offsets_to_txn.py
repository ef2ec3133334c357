"""AddOffsetsToTxn: make a group's offsets part of a transaction, as the partition that they are written to.

v2 PRODUCER_FENCED - v3 flexible - v4 TRANSACTION_ABORTABLE
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition
from mockbroker.core.ticket import then
from mockbroker.handlers.registry import answers
from mockbroker.handlers.shapes import fenced_code
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply

# The first version whose clients know PRODUCER_FENCED.
FENCED_SINCE = 2


def refuse(call: Call[AddOffsetsToTxnRequest], error: KafkaError) -> AddOffsetsToTxnResponse:
    """The one verdict that there is."""
    return AddOffsetsToTxnResponse(error_code=fenced_code(error, call.version, FENCED_SINCE))


@answers(AddOffsetsToTxnRequest, versions="0-4", refuse=refuse)
def add_offsets_to_txn(call: Call[AddOffsetsToTxnRequest], node: Node) -> Reply[AddOffsetsToTxnResponse]:
    """Add the group's partition of `__consumer_offsets`, whether or not there is such a group."""
    body = call.body
    if not body.transactional_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    topic = node.image.topics.get(OFFSETS_TOPIC)
    # Nobody may have asked for a group yet, and the topic not be there.
    count = node.config[settings.OFFSETS_TOPIC_NUM_PARTITIONS] if topic is None else len(topic.partitions)
    place = (OFFSETS_TOPIC, coordinator_partition(body.group_id, count))
    shard = node.transaction_shard(body.transactional_id)
    added = shard.add_partitions(
        body.transactional_id, (body.producer_id, body.producer_epoch), [place], client_version=0
    )
    return then(added, lambda error: AddOffsetsToTxnResponse() if error is None else refuse(call, error))
