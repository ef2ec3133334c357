"""OffsetFetch: how far groups have come.

Only replicated offsets are told: one that a failover could take back was never there.  A partition without an
offset, and a group without anything, are no errors: -1.

v2 all topics, and an error for the whole - v5 leader epochs - v7 require_stable (KIP-447)
v8 many groups (KIP-709) - v9 members of KIP-848 groups, ignored for classic ones - v10 topic ids
Not here: KIP-848 groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mockbroker.core.call import Call
from mockbroker.core.groups.offsets import Place
from mockbroker.core.groups.records import OffsetCommitted
from mockbroker.core.image import Image
from mockbroker.core.node import Node
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.offsets import (
    FetchedGroupOffset,
    FetchedOffset,
    FetchedOffsetsGroup,
    FetchedOffsetsGroupTopic,
    FetchedOffsetsTopic,
    OffsetFetchGroup,
    OffsetFetchGroupTopic,
    OffsetFetchRequest,
    OffsetFetchResponse,
)
from mockbroker.protocol.types import ZERO_UUID

NO_OFFSET = -1


def refuse(call: Call[OffsetFetchRequest], error: KafkaError) -> OffsetFetchResponse:
    """Every group, refused with one error."""
    return _respond(call, [_refused(call, group, error) for group in _groups(call)])


@answers(OffsetFetchRequest, versions="1-10", refuse=refuse)
def offset_fetch(call: Call[OffsetFetchRequest], node: Node) -> OffsetFetchResponse:
    """Each group on its own: this broker may coordinate some of them and not others."""
    return _respond(call, [_fetch(call, node, group) for group in _groups(call)])


def _groups(call: Call[OffsetFetchRequest]) -> Sequence[OffsetFetchGroup]:
    """What is asked, in the form of v8."""
    if call.version >= 8:
        return call.body.groups
    topics = call.body.topics
    asked = None if topics is None else [
        OffsetFetchGroupTopic(name=topic.name, partition_indexes=topic.partition_indexes) for topic in topics
    ]  # fmt: skip
    return [OffsetFetchGroup(group_id=call.body.group_id, topics=asked)]


def _fetch(call: Call[OffsetFetchRequest], node: Node, group: OffsetFetchGroup) -> FetchedOffsetsGroup:
    try:
        shard = node.group_shard(group.group_id)
    except KafkaError as refused:
        return _refused(call, group, refused)
    offsets = shard.committed_offsets(group.group_id)
    if group.topics is None:
        topics = _all(call, node.image, offsets)
    else:
        topics = [_some(call, node.image, offsets, topic) for topic in group.topics]
    for topic in topics:
        for at, part in enumerate(topic.partitions):
            place = (topic.name, part.partition_index)
            if call.body.require_stable and shard.offsets.is_unstable(group.group_id, place):
                # An open transaction may yet move it, and whoever began there would do its work twice.
                topic.partitions[at] = _missing(part.partition_index, ErrorCode.UNSTABLE_OFFSET_COMMIT)
                continue
            found = part.committed_offset != NO_OFFSET
            node.world.positions.note_commit_asked(place, call.client_id, found=found)
    return FetchedOffsetsGroup(group_id=group.group_id, topics=topics)


def _some(
    call: Call[OffsetFetchRequest],
    image: Image,
    offsets: Mapping[Place, OffsetCommitted],
    topic: OffsetFetchGroupTopic,
) -> FetchedOffsetsGroupTopic:
    """What is known of the partitions that were asked for."""
    name = image.topic_names.get(topic.topic_id) if call.version >= 10 else topic.name
    answer = FetchedOffsetsGroupTopic(name=name or "", topic_id=topic.topic_id)
    for index in topic.partition_indexes:
        if name is None:
            answer.partitions.append(_missing(index, ErrorCode.UNKNOWN_TOPIC_ID))
            continue
        known = offsets.get((name, index))
        if known is None or _of_another_topic(known, topic):
            answer.partitions.append(_missing(index))
        else:
            answer.partitions.append(_found(known))
    return answer


def _of_another_topic(known: OffsetCommitted, topic: OffsetFetchGroupTopic) -> bool:
    """Whether both know their topic's id, and it was another topic of the same name."""
    return ZERO_UUID not in (known.topic_id, topic.topic_id) and known.topic_id != topic.topic_id


def _all(
    call: Call[OffsetFetchRequest], image: Image, offsets: Mapping[Place, OffsetCommitted]
) -> list[FetchedOffsetsGroupTopic]:
    """Everything that the group has; by id only of topics that still have one."""
    topics: dict[str, FetchedOffsetsGroupTopic] = {}
    for (name, _), known in offsets.items():
        topic = image.topics.get(name)
        if call.version >= 10 and topic is None:
            continue
        topic_id = ZERO_UUID if topic is None else topic.id
        answer = topics.setdefault(name, FetchedOffsetsGroupTopic(name=name, topic_id=topic_id))
        answer.partitions.append(_found(known))
    return list(topics.values())


def _found(known: OffsetCommitted) -> FetchedGroupOffset:
    return FetchedGroupOffset(
        partition_index=known.index,
        committed_offset=known.offset,
        committed_leader_epoch=known.leader_epoch,
        metadata=known.metadata,
    )


def _missing(index: int, code: ErrorCode = ErrorCode.NONE) -> FetchedGroupOffset:
    return FetchedGroupOffset(partition_index=index, committed_offset=NO_OFFSET, error_code=code)


def _refused(
    call: Call[OffsetFetchRequest], group: OffsetFetchGroup, error: KafkaError
) -> FetchedOffsetsGroup:
    """From v2 on an error has a place of its own and no topics beside it; v1 repeats it per partition."""
    topics = [
        FetchedOffsetsGroupTopic(
            name=topic.name, partitions=[_missing(index, error.code) for index in topic.partition_indexes]
        )
        for topic in (group.topics or () if call.version < 2 else ())
    ]
    return FetchedOffsetsGroup(group_id=group.group_id, topics=topics, error_code=error.code)


def _respond(call: Call[OffsetFetchRequest], groups: list[FetchedOffsetsGroup]) -> OffsetFetchResponse:
    if call.version >= 8:
        return OffsetFetchResponse(groups=groups)
    (only,) = groups
    return OffsetFetchResponse(
        error_code=only.error_code, topics=[_old_topic(topic) for topic in only.topics]
    )


def _old_topic(topic: FetchedOffsetsGroupTopic) -> FetchedOffsetsTopic:
    return FetchedOffsetsTopic(
        name=topic.name,
        partitions=[
            FetchedOffset(
                partition_index=part.partition_index,
                committed_offset=part.committed_offset,
                committed_leader_epoch=part.committed_leader_epoch,
                metadata=part.metadata,
                error_code=part.error_code,
            )
            for part in topic.partitions
        ],
    )
