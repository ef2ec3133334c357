"""DeleteRecords: let a partition begin later.

Offset -1 means up to the high watermark.  The answer names the lowest log start among the live replicas, and
comes when each of them has moved; REQUEST_TIMED_OUT when the client's patience runs out first.

v2 flexible
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.controller import INTERNAL_TOPICS
from mockbroker.core.delayed import DelayedDelete
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.topics import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica
    from mockbroker.core.ticket import Reply

HIGH_WATERMARK = -1


def refuse(call: Call[DeleteRecordsRequest], error: KafkaError) -> DeleteRecordsResponse:
    """Every partition answered with `error`."""
    return DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                name=t.name, partitions=[_refused(p.partition_index, error) for p in t.partitions]
            )
            for t in call.body.topics
        ]
    )


def _refused(index: int, error: KafkaError) -> DeleteRecordsPartitionResult:
    return DeleteRecordsPartitionResult(partition_index=index, low_watermark=-1, error_code=error.code)


@answers(DeleteRecordsRequest, versions="0-2", refuse=refuse)
def delete_records(call: Call[DeleteRecordsRequest], node: Node) -> Reply[DeleteRecordsResponse]:
    """Move each partition's log start, and wait for the followers."""
    moved: list[tuple[Replica, int, DeleteRecordsPartitionResult]] = []
    topics = []
    for topic in call.body.topics:
        answered = [_delete(node, topic.name, part, moved) for part in topic.partitions]
        topics.append(DeleteRecordsTopicResult(name=topic.name, partitions=answered))
    response = DeleteRecordsResponse(topics=topics)
    if not moved:
        return response
    return DelayedDelete(node, moved, response, patience_ms=call.body.timeout_ms).ticket


def _delete(
    node: Node,
    topic: str,
    part: DeleteRecordsPartition,
    moved: list[tuple[Replica, int, DeleteRecordsPartitionResult]],
) -> DeleteRecordsPartitionResult:
    try:
        if topic in INTERNAL_TOPICS:
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
        replica = node.leader_of(topic, part.partition_index)
        if not replica.config.deleted:
            raise KafkaError(ErrorCode.POLICY_VIOLATION)
        start = replica.high_watermark if part.offset == HIGH_WATERMARK else part.offset
        if not 0 <= start <= replica.high_watermark:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
    except KafkaError as refused:
        return _refused(part.partition_index, refused)
    replica.advance_start(start)
    answer = DeleteRecordsPartitionResult(
        partition_index=part.partition_index, low_watermark=replica.log.start
    )
    moved.append((replica, replica.log.start, answer))
    return answer
