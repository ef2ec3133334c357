"""Metadata: the brokers, and the topics asked for, as this broker was last told of them.

A named topic that is unknown may be created on the way (auto.create.topics.enable and the client's leave);
this answer still says UNKNOWN_TOPIC_OR_PARTITION, as a KRaft broker's does, and the next one has it.

v1 null is all topics, [] none - v4 the client's leave to create - v5 offline replicas - v7 leader epochs -
v8 authorized operations - v10 topic ids in the answer - v12 asking by topic id - v13 top-level error
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.image import NO_LEADER, PartitionImage, TopicImage
from mockbroker.core.naming import fault_of_name
from mockbroker.core.new_topics import Planner, Wish
from mockbroker.core.placement import starts
from mockbroker.handlers.registry import answers
from mockbroker.handlers.shapes import CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED_FOR, TOPIC_OPERATIONS
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.metadata import (
    MetadataBroker,
    MetadataRequest,
    MetadataResponse,
    MetadataTopic,
    PartitionMetadata,
    TopicMetadata,
)
from mockbroker.protocol.types import ZERO_UUID

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node


def refuse(call: Call[MetadataRequest], error: KafkaError) -> MetadataResponse:
    """Each topic asked for answered with `error`, and the whole too, where the version has room (v13)."""
    topics = [
        TopicMetadata(error_code=error.code, name=t.name or "", topic_id=t.topic_id)
        for t in call.body.topics or []
    ]
    return MetadataResponse(error_code=error.code, topics=topics)


@answers(MetadataRequest, versions="0-13", refuse=refuse)
def metadata(call: Call[MetadataRequest], node: Node) -> MetadataResponse:
    """Describe the cluster as this broker sees it."""
    body, image = call.body, node.image
    everything = body.topics is None or (call.version == 0 and not body.topics)
    topics = (
        [_describe(call, node, topic) for topic in image.topics.values()]
        if everything
        else _asked_for(call, node)
    )
    return MetadataResponse(
        brokers=[
            MetadataBroker(node_id=b.id, host=b.host, port=b.port, rack=b.rack) for b in image.live_brokers()
        ],
        cluster_id=image.cluster_id,
        controller_id=image.controller_id,
        topics=topics,
        cluster_authorized_operations=(
            CLUSTER_OPERATIONS if body.include_cluster_authorized_operations else OPERATIONS_NOT_ASKED_FOR
        ),
    )


def _asked_for(call: Call[MetadataRequest], node: Node) -> list[TopicMetadata]:
    """Each topic once, however often it was named; creation is asked for after all have been looked at."""
    found: dict[str | bytes | None, TopicMetadata] = {}
    unknown: list[str] = []
    for topic in call.body.topics or []:
        key = topic.topic_id if topic.topic_id != ZERO_UUID else topic.name
        if key not in found:
            found[key] = _look_up(call, node, topic, unknown)
    if unknown:
        _create(call, node, unknown)
    return list(found.values())


def _look_up(
    call: Call[MetadataRequest], node: Node, asked: MetadataTopic, unknown: list[str]
) -> TopicMetadata:
    if call.version < 12 and (asked.name is None or asked.topic_id != ZERO_UUID):
        # Kafka gives up on the whole request, here and below.
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    if asked.topic_id != ZERO_UUID:
        by_id = node.image.topic_by_id(asked.topic_id)
        if by_id is None:
            return TopicMetadata(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=asked.topic_id)
        return _describe(call, node, by_id)
    if asked.name is None:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
    by_name = node.image.topics.get(asked.name)
    if by_name is not None:
        return _describe(call, node, by_name)
    if fault_of_name(asked.name) is not None:
        return TopicMetadata(error_code=ErrorCode.INVALID_TOPIC_EXCEPTION, name=asked.name)
    unknown.append(asked.name)
    return TopicMetadata(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=asked.name)


def _create(call: Call[MetadataRequest], node: Node, names: list[str]) -> None:
    """Begin to create what may be created; whoever asked hears of it next time."""
    allowed = call.version < 4 or call.body.allow_auto_topic_creation
    if not allowed or not node.config[settings.AUTO_CREATE_TOPICS_ENABLE]:
        return
    planner = Planner(node.world.controller.image, node.config, starts(node.world))
    topics = []
    for name in names:
        # A colliding name, or too few brokers: Kafka creates nothing and says nothing of it here.
        with contextlib.suppress(KafkaError):
            topics.append(planner.plan(Wish(name)))
    if topics:
        node.forward(lambda controller: controller.create_topics(topics), timeout_ms=0)


def _describe(call: Call[MetadataRequest], node: Node, topic: TopicImage) -> TopicMetadata:
    wanted = call.body.include_topic_authorized_operations
    return TopicMetadata(
        name=topic.name,
        topic_id=topic.id,
        is_internal=topic.internal,
        partitions=[_partition(call.version, node, partition) for partition in topic.partitions],
        topic_authorized_operations=TOPIC_OPERATIONS if wanted else OPERATIONS_NOT_ASKED_FOR,
    )


def _partition(version: int, node: Node, partition: PartitionImage) -> PartitionMetadata:
    alive = node.image.alive
    replicas, isr = list(partition.replicas), list(partition.isr)
    error = ErrorCode.NONE
    if version == 0 and not all(map(alive, replicas)):
        # The first version has no word for an offline replica but this error.
        error = ErrorCode.REPLICA_NOT_AVAILABLE
        replicas, isr = list(filter(alive, replicas)), list(filter(alive, isr))
    if partition.leader == NO_LEADER or not alive(partition.leader):
        error = ErrorCode.LEADER_NOT_AVAILABLE
    return PartitionMetadata(
        error_code=error,
        partition_index=partition.index,
        leader_id=partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=isr,
        offline_replicas=[id for id in partition.replicas if not alive(id)],
    )
