"""What a wish for a topic comes to: a NewTopic that the controller can make, or the reason why not.

Checks in Kafka's order, with Kafka's errors.  Knows image, configs and placement; does not know the request
that the wish came in, so that auto-creation and the user's own handles can wish too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mockbroker.core import settings
from mockbroker.core.broker_config import BrokerConfig
from mockbroker.core.config_rules import check_topic_overrides
from mockbroker.core.controller import NewTopic
from mockbroker.core.image import Image
from mockbroker.core.naming import Collisions, check_name
from mockbroker.core.placement import Placer, check_assignment
from mockbroker.protocol.errors import ErrorCode, KafkaError

# Kafka's bound on what one request may ask of the controller.
PARTITIONS_PER_REQUEST_MAX = 10_000

BY_DEFAULT = -1


@dataclass(slots=True)
class Wish:
    """A topic that somebody wants.  `assignments`: (partition, broker ids) pairs, or else it is placed."""

    name: str
    partitions: int = BY_DEFAULT
    replication_factor: int = BY_DEFAULT
    assignments: Sequence[tuple[int, Sequence[int]]] = ()
    configs: Mapping[str, str | None] = field(default_factory=dict)


class Planner:
    """Turns wishes into new topics, one after the other, as of one image.

    `start` gives for a number of brokers the one whose turn it is to lead first.
    """

    def __init__(self, image: Image, config: BrokerConfig, start: Callable[[int], int] = lambda _: 0) -> None:
        self._image = image
        self._config = config
        self._start = start
        self._collisions = Collisions(image.topics)
        self._placer = Placer(image.brokers.values())

    def check_size(self, wishes: Sequence[Wish]) -> None:
        """Raise KafkaError 44 where these wishes together are more than one request may ask for."""
        default = self._config[settings.NUM_PARTITIONS]
        total = sum(
            len(wish.assignments) or (default if wish.partitions == BY_DEFAULT else max(wish.partitions, 0))
            for wish in wishes
        )
        check_partition_count(total)

    def plan(self, wish: Wish) -> NewTopic:
        """The topic to be made; from here on its name counts as taken."""
        check_name(wish.name, self._collisions)
        if wish.name in self._image.topics:
            raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{wish.name}' already exists.")
        check_topic_overrides(wish.configs)
        assignments = self._assigned(wish) if wish.assignments else self._placed(wish)
        self._collisions.add(wish.name)
        configs = {name: value for name, value in wish.configs.items() if value is not None}
        return NewTopic(wish.name, assignments, configs)

    def _placed(self, wish: Wish) -> list[list[int]]:
        if wish.replication_factor < BY_DEFAULT or wish.replication_factor == 0:
            raise KafkaError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            )
        if wish.partitions < BY_DEFAULT or wish.partitions == 0:
            raise KafkaError(
                ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value."
            )
        partitions, replication_factor = wish.partitions, wish.replication_factor
        if partitions == BY_DEFAULT:
            partitions = self._config[settings.NUM_PARTITIONS]
        if replication_factor == BY_DEFAULT:
            replication_factor = self._config[settings.DEFAULT_REPLICATION_FACTOR]
        start = self._start(len(self._image.brokers))
        return self._placer.place(partitions, replication_factor, start=start)

    def _assigned(self, wish: Wish) -> list[list[int]]:
        _check_leaves_the_choice(wish)
        by_partition: dict[int, list[int]] = {}
        replication_factor = None
        for index, replicas in wish.assignments:
            if index in by_partition:
                raise KafkaError(
                    ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                    f"Found multiple manual partition assignments for partition {index}",
                )
            check_assignment(self._image, index, replicas, replication_factor)
            replication_factor = len(replicas)
            by_partition[index] = list(replicas)
        if set(by_partition) != set(range(len(by_partition))):
            raise KafkaError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                "partitions should be a consecutive 0-based integer sequence",
            )
        return [by_partition[index] for index in range(len(by_partition))]


def _check_leaves_the_choice(wish: Wish) -> None:
    """Raise KafkaError 42 where a wish says twice how many: by its assignments and by a number."""
    for word, number in (
        ("replication factor", wish.replication_factor),
        ("numPartitions", wish.partitions),
    ):
        if number != BY_DEFAULT:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                f"A manual partition assignment was specified, but {word} was not set to -1.",
            )


def check_partition_count(total: int, what: str = "partitions") -> None:
    """Raise KafkaError 44 where one request asks for more partitions than Kafka makes at a time."""
    if total > PARTITIONS_PER_REQUEST_MAX:
        raise KafkaError(ErrorCode.POLICY_VIOLATION, f"Excessively large number of {what} per request.")


def plan_more_partitions(
    image: Image, name: str, count: int, assignments: Sequence[Sequence[int]] | None, start: int = 0
) -> list[list[int]]:
    """The replicas of the partitions that bring a topic to `count`.  Raises KafkaError 3, 37, 38 or 39."""
    topic = image.topics.get(name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    existing = len(topic.partitions)
    if count == existing:
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, f"Topic already has {existing} partition(s).")
    if count < existing:
        raise KafkaError(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {name} currently has {existing} partition(s); {count} would not be an increase.",
        )
    replication_factor, added = len(topic.partitions[0].replicas), count - existing
    if assignments is None:
        return Placer(image.brokers.values()).place(added, replication_factor, first=existing, start=start)
    if len(assignments) != added:
        raise KafkaError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {added} additional partition(s), but only {len(assignments)} assignment(s) "
            "were specified.",
        )
    for index, replicas in enumerate(assignments, start=existing):
        check_assignment(image, index, replicas, replication_factor)
    return [list(replicas) for replicas in assignments]
