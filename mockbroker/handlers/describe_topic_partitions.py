"""DescribeTopicPartitions: topics with all their replicas, page by page (KIP-966).

Topics come sorted by name; a page that is full ends with the cursor that the next request begins at.
Answered from what this broker has heard.  Unlike Metadata it never creates a topic, and shows the
eligible leader replicas.

v0 is the only version.
"""

from __future__ import annotations

from mockbroker.core import settings
from mockbroker.core.call import Call
from mockbroker.core.image import NO_LEADER, Image, PartitionImage, TopicImage
from mockbroker.core.naming import fault_of_name
from mockbroker.core.node import Node
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.metadata import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

# Bits of the operations that everybody may do to a topic where there is no authorizer: read 3, write 4,
# create 5, delete 6, alter 7, describe 8, describe configs 10, alter configs 11.
TOPIC_OPERATIONS = sum(1 << operation for operation in (3, 4, 5, 6, 7, 8, 10, 11))


def refuse(call: Call[DescribeTopicPartitionsRequest], error: KafkaError) -> DescribeTopicPartitionsResponse:
    """Every topic of the request, refused with one error."""
    return DescribeTopicPartitionsResponse(
        topics=[_refused(topic.name, error.code) for topic in call.body.topics]
    )


def _refused(name: str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(error_code=code, name=name)


def _missing(name: str) -> DescribeTopicPartitionsResponseTopic:
    illegal = fault_of_name(name) is not None
    return DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.INVALID_TOPIC_EXCEPTION if illegal else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        name=name,
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


@answers(DescribeTopicPartitionsRequest, versions="0", refuse=refuse)
def describe_topic_partitions(
    call: Call[DescribeTopicPartitionsRequest], node: Node
) -> DescribeTopicPartitionsResponse:
    """Fill one page."""
    body, image = call.body, node.image
    left = max(1, min(body.response_partition_limit, node.config[settings.MAX_REQUEST_PARTITION_SIZE_LIMIT]))
    first_name, first_index = _start(body)
    names = {topic.name for topic in body.topics} or set(image.topics)
    shown: list[DescribeTopicPartitionsResponseTopic] = []
    for name in sorted(name for name in names if name >= first_name):
        topic = image.topics.get(name)
        if topic is None:
            shown.append(_missing(name))
            continue
        start = first_index if name == first_name else 0
        if left:
            shown.append(_page(image, topic, start, start + left))
            left -= len(shown[-1].partitions)
            start += len(shown[-1].partitions)
        if start < len(topic.partitions):
            return DescribeTopicPartitionsResponse(
                topics=shown, next_cursor=Cursor(topic_name=name, partition_index=start)
            )
    return DescribeTopicPartitionsResponse(topics=shown)


def _start(body: DescribeTopicPartitionsRequest) -> tuple[str, int]:
    """Where the page begins.  Raises KafkaError 42 for a place that no page of this request could end at."""
    if body.cursor is None:
        return "", 0
    name, index = body.cursor.topic_name, body.cursor.partition_index
    if index < 0 or (body.topics and name not in {topic.name for topic in body.topics}):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    return name, index


def _page(image: Image, topic: TopicImage, start: int, end: int) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.id,
        is_internal=topic.internal,
        partitions=[_partition(image, partition) for partition in topic.partitions[start:end]],
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _partition(image: Image, partition: PartitionImage) -> DescribeTopicPartitionsResponsePartition:
    headless = partition.leader == NO_LEADER or not image.alive(partition.leader)
    return DescribeTopicPartitionsResponsePartition(
        partition_index=partition.index,
        leader_id=NO_LEADER if headless else partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.elr),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=[id for id in partition.replicas if not image.alive(id)],
    )
