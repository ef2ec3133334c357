"""OffsetCommit: a group says how far it has come.

Topics that do not exist are refused here, one by one, and come first in the answer, as in Kafka; the rest is
for the coordinator.  A commit of nothing that exists does not reach the coordinator at all.

v2-4 retention time - v6 leader epochs - v7 static members (KIP-345) - v9 a missing group is called missing
v10 topic ids (KIP-848)
Not here: commits to KIP-848 groups.
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.groups.attendance import hear
from mockbroker.core.groups.committing import Committer, Verdicts
from mockbroker.core.groups.offsets import OffsetToCommit
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply, then
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.offsets import (
    CommittedPartition,
    CommittedTopic,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitTopic,
)


class Answer:
    """The answer as it grows: one entry per topic, in the order in which anything was said of it."""

    def __init__(self) -> None:
        self._topics: dict[tuple[str, bytes], CommittedTopic] = {}

    def add(self, topic: OffsetCommitTopic, index: int, code: ErrorCode) -> None:
        """The verdict on one partition."""
        said = self._topics.setdefault(
            (topic.name, topic.topic_id), CommittedTopic(name=topic.name, topic_id=topic.topic_id)
        )
        said.partitions.append(CommittedPartition(partition_index=index, error_code=code))

    def response(self) -> OffsetCommitResponse:
        """What is sent."""
        return OffsetCommitResponse(topics=list(self._topics.values()))


def refuse(call: Call[OffsetCommitRequest], error: KafkaError) -> OffsetCommitResponse:
    """The same for every partition: this API has no other place for it."""
    answer = Answer()
    for topic in call.body.topics:
        for part in topic.partitions:
            answer.add(topic, part.partition_index, error.code)
    return answer.response()


@answers(OffsetCommitRequest, versions="2-10", refuse=refuse)
def offset_commit(call: Call[OffsetCommitRequest], node: Node) -> Reply[OffsetCommitResponse]:
    """Sort out what does not exist, and commit the rest."""
    body = call.body
    hear(call, node, body.group_id, body.member_id)
    answer = Answer()
    asked = _existing(call, node, answer)
    if not asked:
        return answer.response()
    who = Committer(
        group_id=body.group_id,
        member_id=body.member_id,
        instance_id=body.group_instance_id,
        generation=body.generation_id_or_member_epoch,
        understands_missing_group=call.version >= 9,
        retention_ms=body.retention_time_ms,
    )

    def finish(verdicts: Verdicts) -> OffsetCommitResponse:
        for (topic, offset), verdict in zip(asked, verdicts, strict=True):
            answer.add(topic, offset.index, verdict)
        return answer.response()

    try:
        shard = node.group_shard(body.group_id)
        return then(shard.commit_offsets(who, [offset for _, offset in asked]), finish)
    except KafkaError as refused:
        return finish([refused.code] * len(asked))


def _existing(
    call: Call[OffsetCommitRequest], node: Node, answer: Answer
) -> list[tuple[OffsetCommitTopic, OffsetToCommit]]:
    """The partitions that this broker knows of; the others get their verdict at once."""
    asked = []
    for topic in call.body.topics:
        by_id = call.version >= 10
        name = node.image.topic_names.get(topic.topic_id) if by_id else topic.name
        unknown = ErrorCode.UNKNOWN_TOPIC_ID if name is None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        for part in topic.partitions:
            if name is None or node.image.partition(name, part.partition_index) is None:
                answer.add(topic, part.partition_index, unknown)
                continue
            offset = OffsetToCommit(
                topic=name,
                index=part.partition_index,
                offset=part.committed_offset,
                leader_epoch=part.committed_leader_epoch,
                metadata=part.committed_metadata,
                topic_id=topic.topic_id,
            )
            asked.append((topic, offset))
    return asked
