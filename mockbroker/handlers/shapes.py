"""What several answers have in common: where the leader is, and what may be done without an authorizer.

Knows no single API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.shared import LeaderIdAndEpoch, NodeEndpoint

if TYPE_CHECKING:
    from mockbroker.core.image import PartitionImage
    from mockbroker.core.node import Node

# All operations that Kafka has for a topic and for a cluster, as bits: nothing is forbidden to anyone here.
TOPIC_OPERATIONS = 3576
CLUSTER_OPERATIONS = 8096
OPERATIONS_NOT_ASKED_FOR = -(2**31)


class LeaderHints:
    """Leaders named in one response (KIP-951), so that clients need not ask for metadata."""

    __slots__ = ("_endpoints", "_node")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._endpoints: dict[int, NodeEndpoint] = {}

    def leader(self, topic: str, index: int) -> LeaderIdAndEpoch:
        """Who leads a partition as far as this broker knows; its address goes along with the response."""
        partition: PartitionImage | None = self._node.image.partition(topic, index)
        if partition is None:
            return LeaderIdAndEpoch()
        broker = self._node.image.brokers.get(partition.leader)
        if broker is not None and not broker.fenced:
            self._endpoints[broker.id] = NodeEndpoint(
                node_id=broker.id, host=broker.host, port=broker.port, rack=broker.rack
            )
        return LeaderIdAndEpoch(leader_id=partition.leader, leader_epoch=partition.leader_epoch)

    @property
    def endpoints(self) -> list[NodeEndpoint]:
        """Where the leaders named so far can be reached."""
        return list(self._endpoints.values())


def fenced_code(error: KafkaError, version: int, fenced_since: int) -> ErrorCode:
    """The code for a transactional client: old ones do not know PRODUCER_FENCED, and are told of their epoch."""
    code = ErrorCode(error.code)
    if code is ErrorCode.PRODUCER_FENCED and version < fenced_since:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return code
