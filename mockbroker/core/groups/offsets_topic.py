"""`__consumer_offsets` comes into being when somebody first asks for a coordinator.

Knows the settings that shape it and how to ask the controller; does not wait for anybody to learn of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.controller import NewTopic
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.placement import place
from mockbroker.core.ticket import Reply
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from mockbroker.core.controller import Controller
    from mockbroker.core.node import Node

# How long a broker tries to reach the controller for this; its own request.timeout.ms.
CREATION_TIMEOUT_MS = 30_000

# The newest word per key is all that counts; producers' codecs are kept as they come.
TOPIC_CONFIGS = {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"}


def ensure_offsets_topic(node: Node) -> Reply[KafkaError | None]:
    """Have the controller make the topic, unless it has; None when there is one, else why there is none.

    This broker, like all others, learns of the topic later in the step, as of any other news.
    """

    def create(controller: Controller) -> KafkaError | None:
        if OFFSETS_TOPIC in controller.image.topics:
            return None
        try:
            assignments = _placed(node, controller)
        except KafkaError as refused:
            return refused
        controller.create_topics([NewTopic(OFFSETS_TOPIC, assignments, dict(TOPIC_CONFIGS))])
        return None

    if OFFSETS_TOPIC in node.image.topics:
        return None
    made: Reply[KafkaError | None] = node.forward(create, CREATION_TIMEOUT_MS)
    return made


def _placed(node: Node, controller: Controller) -> list[list[int]]:
    replication_factor = node.config[settings.OFFSETS_TOPIC_REPLICATION_FACTOR]
    if node.world.friendly:
        # Kafka's 3 never come true on a cluster of one, and consumers would wait for ever.
        replication_factor = min(replication_factor, len(controller.image.live_brokers()))
    if replication_factor < 1:
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR)
    return place(controller.image, node.config[settings.OFFSETS_TOPIC_NUM_PARTITIONS], replication_factor)
