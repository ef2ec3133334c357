"""The topics of coordinators come into being when somebody first asks for a coordinator.

Knows the settings that shape them and how to ask the controller; does not wait for anybody to learn of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.controller import NewTopic
from mockbroker.core.groups.coordination import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from mockbroker.core.placement import place
from mockbroker.core.ticket import Reply
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from mockbroker.core.controller import Controller
    from mockbroker.core.node import Node
    from mockbroker.core.settings import Setting

# How long a broker tries to reach the controller for this; its own request.timeout.ms.
CREATION_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A coordinator's topic: its name, and the settings that say how it is made.

    `configs` are as they are; `configured` come from broker settings.
    """

    name: str
    partitions: Setting[int]
    replication: Setting[int]
    configs: dict[str, str]
    configured: dict[str, Setting[int]] = field(default_factory=dict)


# The newest word per key is all that counts; producers' codecs are kept as they come.
OFFSETS = InternalTopic(
    OFFSETS_TOPIC,
    settings.OFFSETS_TOPIC_NUM_PARTITIONS,
    settings.OFFSETS_TOPIC_REPLICATION_FACTOR,
    {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"},
)

# No word of it may be lost: never an unclean leader, never fewer copies than are in sync.
TRANSACTIONS = InternalTopic(
    TRANSACTIONS_TOPIC,
    settings.TRANSACTION_STATE_LOG_NUM_PARTITIONS,
    settings.TRANSACTION_STATE_LOG_REPLICATION_FACTOR,
    {
        "cleanup.policy": "compact",
        "compression.type": "uncompressed",
        "segment.bytes": "104857600",
        "unclean.leader.election.enable": "false",
    },
    {"min.insync.replicas": settings.TRANSACTION_STATE_LOG_MIN_ISR},
)


def ensure_topic(node: Node, topic: InternalTopic) -> Reply[KafkaError | None]:
    """Have the controller make the topic, unless it has; None when there is one, else why there is none.

    This broker, like all others, learns of the topic later in the step, as of any other news.
    """

    def create(controller: Controller) -> KafkaError | None:
        if topic.name in controller.image.topics:
            return None
        try:
            assignments = _placed(node, controller, topic)
        except KafkaError as refused:
            return refused
        configs = topic.configs | {
            name: str(node.config[setting]) for name, setting in topic.configured.items()
        }
        controller.create_topics([NewTopic(topic.name, assignments, configs)])
        return None

    if topic.name in node.image.topics:
        return None
    made: Reply[KafkaError | None] = node.forward(create, CREATION_TIMEOUT_MS)
    return made


def _placed(node: Node, controller: Controller, topic: InternalTopic) -> list[list[int]]:
    replication_factor = node.config[topic.replication]
    if node.world.friendly:
        # Kafka's 3 never come true on a cluster of one, and clients would wait for ever.
        replication_factor = min(replication_factor, len(controller.image.live_brokers()))
    if replication_factor < 1:
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR)
    return place(controller.image, node.config[topic.partitions], replication_factor)
