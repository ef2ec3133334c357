"""Metadata at a moment: a value.

An Image never changes; the controller makes new ones, and each broker holds the one that it was last sent.
Stale metadata is therefore nothing special: a broker with an older image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType

from mockbroker.core.features import ELIGIBLE_LEADER_REPLICAS, FIRST_LEVELS, TRANSACTION_VERSION

NO_LEADER = -1

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ConfigKind(IntEnum):
    """What a set of configs belongs to; the numbers are the protocol's resource types."""

    TOPIC = 2
    BROKER = 4


@dataclass(frozen=True, slots=True)
class BrokerImage:
    """One registered broker.  `fenced`: the controller believes it dead (or it has not yet said otherwise)."""

    id: int
    host: str
    port: int
    rack: str | None
    epoch: int
    fenced: bool


@dataclass(frozen=True, slots=True)
class PartitionImage:
    """One partition as the controller sees it.

    `leader_epoch` grows with every leader change, `partition_epoch` with every change at all.
    `elr`: replicas outside the ISR that are still safe to elect (KIP-966).
    """

    index: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int = 0
    partition_epoch: int = 0
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicImage:
    """One topic.  A topic recreated under its name has another id."""

    name: str
    id: bytes
    partitions: tuple[PartitionImage, ...]
    internal: bool = False

    def with_partitions(self, changed: Mapping[int, PartitionImage]) -> TopicImage:
        """This topic with some of its partitions exchanged."""
        return replace(self, partitions=tuple(changed.get(p.index, p) for p in self.partitions))


@dataclass(frozen=True, slots=True)
class Image:
    """Everything the controller has decided, up to `version`.

    `configs` are the dynamic overrides only, by (kind, resource name); a broker's "" is the cluster default.
    `controller_epoch` grows each time another controller takes over.
    """

    version: int = 0
    cluster_id: str = ""
    controller_id: int = -1
    controller_epoch: int = 1
    brokers: Mapping[int, BrokerImage] = field(default_factory=dict)
    topics: Mapping[str, TopicImage] = field(default_factory=dict)
    topic_names: Mapping[bytes, str] = field(default_factory=dict)
    configs: Mapping[tuple[ConfigKind, str], Mapping[str, str]] = field(default_factory=dict)
    # The levels that are finalized, by feature; 0 is off.
    features: Mapping[str, int] = field(default_factory=lambda: FIRST_LEVELS)

    @property
    def transaction_version(self) -> int:
        """The level of transaction.version: with 2, every end of a transaction brings a new epoch (KIP-890)."""
        return self.features.get(TRANSACTION_VERSION, 0)

    def partition(self, topic: str, index: int) -> PartitionImage | None:
        """The partition, or None where there is none."""
        found = self.topics.get(topic)
        if found is None or not 0 <= index < len(found.partitions):
            return None
        return found.partitions[index]

    @property
    def elr(self) -> bool:
        """Whether replicas outside the ISR can be known to be safe to elect (KIP-966)."""
        return self.features[ELIGIBLE_LEADER_REPLICAS] > 0

    def live_brokers(self) -> list[BrokerImage]:
        """Brokers that the controller believes alive, by id."""
        return [self.brokers[id] for id in sorted(self.brokers) if not self.brokers[id].fenced]

    def alive(self, broker: int) -> bool:
        """Whether the controller believes this broker alive."""
        found = self.brokers.get(broker)
        return found is not None and not found.fenced

    def topic_overrides(self, topic: str) -> Mapping[str, str]:
        """The configs that were set for this topic."""
        return self.configs.get((ConfigKind.TOPIC, topic), _NOTHING)

    def topic_by_id(self, topic_id: bytes) -> TopicImage | None:
        """The topic with this id, or None."""
        name = self.topic_names.get(topic_id)
        return None if name is None else self.topics[name]
