"""TxnOffsetCommit: keep a group's offsets, to count when the transaction is committed.

The group's coordinator asks the transaction's whether these offsets belong to it, before it writes them (KIP-890);
from v5 on they join it by that.

v2 leader epochs - v3 flexible, member and generation are checked (KIP-447) - v4 TRANSACTION_ABORTABLE - v5 joins the
transaction by itself - v6 topic ids, a missing group is called missing (KIP-1319)
Not here: commits to KIP-848 groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.attendance import hear
from mockbroker.core.groups.committing import Committer, Verdicts
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.groups.offsets import OffsetToCommit
from mockbroker.core.ticket import then
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import (
    TxnCommittedPartition,
    TxnCommittedTopic,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.core.messages import TxnVerdicts
    from mockbroker.core.node import Node
    from mockbroker.core.producers import Verification
    from mockbroker.core.ticket import Reply

# The first versions whose clients know COORDINATOR_LOAD_IN_PROGRESS here, TRANSACTION_ABORTABLE, and that
# join the transaction.
LOADING_SINCE, ABORTABLE_SINCE, JOINS_SINCE = 2, 4, 5

# The first version with topic ids, whose clients understand that a group is missing.
BY_ID_SINCE = 6

# What the group's coordinator says for what the transaction's said, or when that could not be asked.
_TOLD = {
    ErrorCode.NETWORK_EXCEPTION: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.PRODUCER_FENCED: ErrorCode.INVALID_PRODUCER_EPOCH,
}


def refuse(call: Call[TxnOffsetCommitRequest], error: KafkaError) -> TxnOffsetCommitResponse:
    """The same for every partition: this API has no other place for it."""
    code = _for_version(ErrorCode(error.code), call.version)
    return TxnOffsetCommitResponse(
        topics=[
            TxnCommittedTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    TxnCommittedPartition(partition_index=part.partition_index, error_code=code)
                    for part in topic.partitions
                ],
            )
            for topic in call.body.topics
        ]
    )


def _for_version(code: ErrorCode, version: int) -> ErrorCode:
    if code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and version < LOADING_SINCE:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if code is ErrorCode.TRANSACTION_ABORTABLE and version < ABORTABLE_SINCE:
        return ErrorCode.INVALID_TXN_STATE
    return code


@answers(TxnOffsetCommitRequest, versions="0-6", refuse=refuse)
def txn_offset_commit(call: Call[TxnOffsetCommitRequest], node: Node) -> Reply[TxnOffsetCommitResponse]:
    """Sort out what does not exist, ask the transaction's coordinator, and keep the rest."""
    body = call.body
    hear(call, node, body.group_id, body.member_id)
    asked, response = _existing(call, node)
    if not asked:
        return response
    if not body.group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID)
    shard = node.group_shard(body.group_id)
    place = (OFFSETS_TOPIC, shard.replica.index)
    producer = (body.producer_id, body.producer_epoch)
    verification = shard.replica.producers.verification(*producer) if node.verifies_transactions else None
    if verification is None:
        return _keep(call, shard, asked, response, None)

    def go_on(verdicts: TxnVerdicts) -> Reply[TxnOffsetCommitResponse]:
        verdict = verdicts[place]
        if verdict is not ErrorCode.NONE:
            return _all(call, asked, response, _TOLD.get(verdict, verdict))
        if not shard.open:
            return _all(call, asked, response, ErrorCode.NOT_COORDINATOR)
        return _keep(call, shard, asked, response, verification)

    add = call.version >= JOINS_SINCE
    return then(node.enrolments.ask(body.transactional_id, producer, [place], add=add), go_on)


def _all(
    call: Call[TxnOffsetCommitRequest],
    asked: list[tuple[TxnCommittedPartition, OffsetToCommit]],
    response: TxnOffsetCommitResponse,
    code: ErrorCode,
) -> TxnOffsetCommitResponse:
    for part, _ in asked:
        part.error_code = _for_version(code, call.version)
    return response


def _keep(
    call: Call[TxnOffsetCommitRequest],
    shard: GroupShard,
    asked: list[tuple[TxnCommittedPartition, OffsetToCommit]],
    response: TxnOffsetCommitResponse,
    verified: Verification | None,
) -> Reply[TxnOffsetCommitResponse]:
    """Have the group's coordinator write them; each partition gets its verdict."""
    body = call.body
    who = Committer(
        group_id=body.group_id,
        member_id=body.member_id,
        instance_id=body.group_instance_id,
        generation=body.generation_id_or_member_epoch,
        understands_missing_group=call.version >= BY_ID_SINCE,
    )
    producer = (body.producer_id, body.producer_epoch)

    def finish(verdicts: Verdicts) -> TxnOffsetCommitResponse:
        for (part, _), verdict in zip(asked, verdicts, strict=True):
            part.error_code = _for_version(verdict, call.version)
        return response

    try:
        offsets = [offset for _, offset in asked]
        world = shard.node.world
        reply = world.on_behalf_of(
            call, lambda: shard.commit_in_transaction(who, offsets, producer, verified)
        )
        return then(reply, finish)
    except KafkaError as refused:
        return _all(call, asked, response, ErrorCode(refused.code))


def _existing(
    call: Call[TxnOffsetCommitRequest], node: Node
) -> tuple[list[tuple[TxnCommittedPartition, OffsetToCommit]], TxnOffsetCommitResponse]:
    """The partitions that there are, and an answer with a place for each; the others have their verdict in it."""
    asked, response = [], TxnOffsetCommitResponse()
    for topic in call.body.topics:
        by_id = call.version >= BY_ID_SINCE
        name = node.image.topic_names.get(topic.topic_id) if by_id else topic.name
        answered = TxnCommittedTopic(name=topic.name, topic_id=topic.topic_id)
        response.topics.append(answered)
        for part in topic.partitions:
            said = TxnCommittedPartition(partition_index=part.partition_index)
            answered.partitions.append(said)
            if name is None or node.image.partition(name, part.partition_index) is None:
                unknown = ErrorCode.UNKNOWN_TOPIC_ID if name is None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                said.error_code = unknown
                continue
            offset = OffsetToCommit(
                topic=name,
                index=part.partition_index,
                offset=part.committed_offset,
                leader_epoch=part.committed_leader_epoch,
                metadata=part.committed_metadata,
                topic_id=topic.topic_id,
            )
            asked.append((said, offset))
    return asked, response
