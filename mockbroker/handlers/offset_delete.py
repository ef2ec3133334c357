"""OffsetDelete: forget how far a group has come in some partitions (KIP-496).

Topics that somebody in the group subscribes are safe from it; groups of other protocol types must be empty.

Not here: KIP-848 groups.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.committing import Deletion
from mockbroker.core.groups.offsets import Place
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply, then
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import (
    DeletedOffsetsPartition,
    DeletedOffsetsTopic,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
)


def refuse(call: Call[OffsetDeleteRequest], error: KafkaError) -> OffsetDeleteResponse:  # noqa: ARG001 - all are alike
    """Nothing was forgotten."""
    return OffsetDeleteResponse(error_code=error.code)


@answers(OffsetDeleteRequest, versions="0", refuse=refuse)
def offset_delete(call: Call[OffsetDeleteRequest], node: Node) -> Reply[OffsetDeleteResponse]:
    """Sort out what does not exist, and have the coordinator forget the rest."""
    verdicts: dict[Place, ErrorCode] = {}
    for topic in call.body.topics:
        for part in topic.partitions:
            known = node.image.partition(topic.name, part.partition_index) is not None
            verdict = ErrorCode.NONE if known else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            verdicts[topic.name, part.partition_index] = verdict
    existing = [place for place, verdict in verdicts.items() if verdict is ErrorCode.NONE]

    def finish(outcome: Deletion) -> OffsetDeleteResponse:
        if outcome.error is not None:
            return refuse(call, outcome.error)
        return _respond(verdicts | dict(zip(existing, outcome.verdicts, strict=True)))

    # The group is looked at even if none of the partitions exist: it may be wrong, too.
    return then(node.group_shard(call.body.group_id).delete_offsets(call.body.group_id, existing), finish)


def _respond(verdicts: dict[Place, ErrorCode]) -> OffsetDeleteResponse:
    topics: dict[str, DeletedOffsetsTopic] = {}
    for (name, index), verdict in verdicts.items():
        topics.setdefault(name, DeletedOffsetsTopic(name=name)).partitions.append(
            DeletedOffsetsPartition(partition_index=index, error_code=verdict)
        )
    return OffsetDeleteResponse(topics=list(topics.values()))
