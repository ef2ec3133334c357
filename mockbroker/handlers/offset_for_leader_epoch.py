"""OffsetForLeaderEpoch: where a leader epoch ended in this leader's log (KIP-101, KIP-320).

A consumer asks with the epoch of the last record it read; an end below its position means that those
records were lost.  The end may lie beyond the high watermark.

v2 current leader epoch checked - v3 replica id - v4 flexible
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.handlers.fetch_reads import check_leader_epoch
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import KafkaError
from mockbroker.protocol.messages.offsets import (
    EpochEndOffsetPartition,
    EpochEndOffsetTopic,
    OffsetForLeaderEpochPartition,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node


def refuse(call: Call[OffsetForLeaderEpochRequest], error: KafkaError) -> OffsetForLeaderEpochResponse:
    """Every partition answered with `error`."""
    return OffsetForLeaderEpochResponse(
        topics=[
            EpochEndOffsetTopic(
                topic=t.topic,
                partitions=[
                    EpochEndOffsetPartition(error_code=error.code, partition=p.partition)
                    for p in t.partitions
                ],
            )
            for t in call.body.topics
        ]
    )


@answers(OffsetForLeaderEpochRequest, versions="2-4", refuse=refuse)
def offset_for_leader_epoch(
    call: Call[OffsetForLeaderEpochRequest], node: Node
) -> OffsetForLeaderEpochResponse:
    """Look up each partition's epoch."""
    return OffsetForLeaderEpochResponse(
        topics=[
            EpochEndOffsetTopic(topic=t.topic, partitions=[_end_of(node, t.topic, p) for p in t.partitions])
            for t in call.body.topics
        ]
    )


def _end_of(node: Node, topic: str, part: OffsetForLeaderEpochPartition) -> EpochEndOffsetPartition:
    try:
        replica = node.replica_of(topic, part.partition)
        check_leader_epoch(replica, part.current_leader_epoch)
        replica = node.leader_of(topic, part.partition)
    except KafkaError as refused:
        return EpochEndOffsetPartition(error_code=refused.code, partition=part.partition)
    epoch, end = replica.log.end_of_epoch(part.leader_epoch)
    return EpochEndOffsetPartition(partition=part.partition, leader_epoch=epoch, end_offset=end)
