"""DescribeQuorum: who leads the controllers, and how far each of them has followed the metadata.

Every broker is a controller, too, and what it has heard of the metadata is its copy of the log: an offset is
an image's version.  The times of fetches are now for those that have everything and unknown for the others.
Answered by the active controller.

v1 times (KIP-836) - v2 messages and endpoints (KIP-853); controllers have no endpoints here, so none are shown
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.core.world import World
from mockbroker.handlers.forwarding import by_controller
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.cluster import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    QuorumPartition,
    QuorumTopic,
    ReplicaState,
)
from mockbroker.protocol.messages.cluster import Node as QuorumNode

# The only partition that has a quorum.
METADATA = [("__cluster_metadata", [0])]
UNKNOWN_TIME = -1


def refuse(_: Call[DescribeQuorumRequest], error: KafkaError) -> DescribeQuorumResponse:
    """An answer without topics."""
    return DescribeQuorumResponse(error_code=error.code, error_message=error.message or error.code.text)


@answers(
    DescribeQuorumRequest,
    versions="0-2",
    refuse=refuse,
    simplified="every broker is a controller, and controllers have no endpoints",
)
def describe_quorum(call: Call[DescribeQuorumRequest], node: Node) -> Reply[DescribeQuorumResponse]:
    """Have the controller describe its quorum."""

    def describe(controller: Controller) -> DescribeQuorumResponse:
        asked = [
            (topic.topic_name, [p.partition_index for p in topic.partitions]) for topic in call.body.topics
        ]
        # Kafka looks at the request as a whole: one wrong partition spoils the answer about the right one.
        return _described(controller, node.world) if asked == METADATA else _unknown(asked)

    return by_controller(call, node, describe, refuse)


def _unknown(asked: list[tuple[str, list[int]]]) -> DescribeQuorumResponse:
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return DescribeQuorumResponse(
        topics=[
            QuorumTopic(
                topic_name=name,
                partitions=[
                    QuorumPartition(partition_index=index, error_code=code, error_message=code.text)
                    for index in indexes
                ],
            )
            for name, indexes in asked
        ]
    )


def _described(controller: Controller, world: World) -> DescribeQuorumResponse:
    image = controller.image
    ((topic, (index,)),) = METADATA
    quorum = QuorumPartition(
        partition_index=index,
        leader_id=image.controller_id,
        leader_epoch=image.controller_epoch,
        high_watermark=image.version,
        current_voters=[_voter(world.nodes[id], image.version) for id in sorted(world.nodes)],
    )
    return DescribeQuorumResponse(
        topics=[QuorumTopic(topic_name=topic, partitions=[quorum])],
        nodes=[QuorumNode(node_id=id) for id in sorted(world.nodes)],
    )


def _voter(node: Node, end: int) -> ReplicaState:
    heard = node.image.version
    time = node.clock.now if node.up and heard == end else UNKNOWN_TIME
    return ReplicaState(
        replica_id=node.id, log_end_offset=heard, last_fetch_timestamp=time, last_caught_up_timestamp=time
    )
