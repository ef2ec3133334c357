"""The controller: every decision about topics, leaders and configs, as functions from image to image.

It decides on the newest image and then tells each broker, over Links like everybody else.  It has no
opinion on requests: those are checked before they come here, and answered by who asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mockbroker.core import elections, settings
from mockbroker.core.elections import Rules
from mockbroker.core.features import FIRST_LEVELS
from mockbroker.core.image import NO_LEADER, BrokerImage, ConfigKind, Image, PartitionImage, TopicImage
from mockbroker.core.links import CONTROLLER, Disconnected, Message
from mockbroker.core.messages import (
    AlterPartition,
    AlterPartitionResponse,
    BrokerHeartbeat,
    BrokerRegistration,
    MetadataUpdate,
)
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mockbroker.core.clock import Timer
    from mockbroker.core.world import World

    Configs = Mapping[tuple[ConfigKind, str], Mapping[str, str]]

MIN_IN_SYNC = "min.insync.replicas"

# After so long a broker asks the quorum again that got no answer (controller.quorum.retry.backoff.ms).
TELL_BACKOFF_MS = 20

INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})


@dataclass(slots=True)
class NewTopic:
    """A topic to be made: one list of broker ids per partition, and its config overrides."""

    name: str
    assignments: list[list[int]]
    configs: dict[str, str] = field(default_factory=dict)


class Controller:
    """The active controller of the quorum.  Its image is what is so; brokers know what they were told."""

    def __init__(self, world: World, image: Image) -> None:
        self._world = world
        self.image = image
        self._first_configs = image.configs
        self._balancing: Timer | None = None
        # Brokers that will be told again what they did not hear.
        self._telling: set[int] = set()
        world.links.attach(CONTROLLER, self)

    # -- publishing -------------------------------------------------------------------------------

    def _publish(self, image: Image, changed: Iterable[str] = ()) -> None:
        base, self.image = self.image, replace(image, version=self.image.version + 1)
        names = tuple(changed)
        if self._world.witness is not None:
            self._world.witness.decided(base, self.image, names)
        for node in self._world.nodes.values():
            self._world.links.send(MetadataUpdate(node.id, self.image, base, names))
        self._world.image_changed(self.image)
        self._watch_balance(names)

    def tell(self, broker: int) -> None:
        """Send a broker everything, for it may have missed something."""
        self._world.links.send(MetadataUpdate(broker, self.image, None, ()))

    def lost(self, message: Message) -> None:
        """A broker was not told: tell it everything after a while, if it has not heard by then."""
        if not isinstance(message, MetadataUpdate) or message.target in self._telling:
            return
        broker = message.target
        self._telling.add(broker)

        def tell_again() -> None:
            self._telling.discard(broker)
            if self._world.nodes[broker].image.version < self.image.version:
                self.tell(broker)

        self._world.clock.call_in(TELL_BACKOFF_MS, tell_again)

    def _change_partitions(
        self,
        change: Callable[[TopicImage, PartitionImage], PartitionImage],
        brokers: Mapping[int, BrokerImage],
    ) -> None:
        """Apply `change` to every partition there is, and publish what came of it together with `brokers`."""
        topics = dict(self.image.topics)
        changed_names = []
        controller_id = self._next_controller(brokers)
        for topic in self.image.topics.values():
            changed = {p.index: after for p in topic.partitions if (after := change(topic, p)) is not p}
            if changed:
                topics[topic.name] = topic.with_partitions(changed)
                changed_names.append(topic.name)
        image = replace(self.image, brokers=brokers, topics=topics)
        if controller_id != image.controller_id:
            epoch = image.controller_epoch + 1
            image = replace(image, controller_id=controller_id, controller_epoch=epoch)
        self._publish(image, changed_names)

    def _change_partition(self, topic: TopicImage, partition: PartitionImage) -> None:
        topics = {**self.image.topics, topic.name: topic.with_partitions({partition.index: partition})}
        self._publish(replace(self.image, topics=topics), (topic.name,))

    # -- topics and configs -----------------------------------------------------------------------

    def create_topics(self, topics: list[NewTopic]) -> list[TopicImage]:
        """Make topics whose names, assignments and configs have been checked; one image for all of them."""
        made = [self._new_topic(topic) for topic in topics]
        configs = dict(self.image.configs)
        for topic in topics:
            if topic.configs:
                configs[ConfigKind.TOPIC, topic.name] = dict(topic.configs)
        image = replace(
            self.image,
            topics={**self.image.topics, **{t.name: t for t in made}},
            topic_names={**self.image.topic_names, **{t.id: t.name for t in made}},
            configs=configs,
        )
        self._publish(image, [topic.name for topic in made])
        return made

    def _new_topic(self, topic: NewTopic) -> TopicImage:
        partitions = [self._new_partition(index, ids) for index, ids in enumerate(topic.assignments)]
        return TopicImage(topic.name, self._world.new_id(), tuple(partitions), topic.name in INTERNAL_TOPICS)

    def _new_partition(self, index: int, replicas: list[int]) -> PartitionImage:
        alive = tuple(id for id in replicas if self.image.alive(id))
        if alive:
            return PartitionImage(index, tuple(replicas), alive, alive[0])
        # Nobody has more of it than anybody else, nothing; the preferred replica counts as the last that led.
        waited_for = (replicas[0],)
        return PartitionImage(index, tuple(replicas), tuple(replicas), NO_LEADER, last_known_elr=waited_for)

    def delete_topics(self, names: list[str]) -> None:
        """Remove topics, with their configs; nothing of them stays but what brokers were not yet told."""
        gone = set(names)
        image = replace(
            self.image,
            topics={name: topic for name, topic in self.image.topics.items() if name not in gone},
            topic_names={id: name for id, name in self.image.topic_names.items() if name not in gone},
            configs={
                key: value
                for key, value in self.image.configs.items()
                if not (key[0] == ConfigKind.TOPIC and key[1] in gone)
            },
        )
        self._publish(image, names)

    def add_partitions(self, name: str, assignments: list[list[int]]) -> None:
        """Give a topic more partitions, behind those it has."""
        topic = self.image.topics[name]
        first = len(topic.partitions)
        added = tuple(self._new_partition(first + n, ids) for n, ids in enumerate(assignments))
        grown = replace(topic, partitions=topic.partitions + added)
        self._publish(replace(self.image, topics={**self.image.topics, name: grown}), (name,))

    def alter_configs(self, kind: ConfigKind, name: str, overrides: Mapping[str, str]) -> None:
        """Replace the dynamic overrides of one resource by `overrides`, the full set."""
        configs = dict(self.image.configs)
        if overrides:
            configs[kind, name] = dict(overrides)
        else:
            configs.pop((kind, name), None)
        changed = (name,) if kind == ConfigKind.TOPIC else tuple(self.image.topics)
        before = self.image.configs.get((kind, name), {}).get(MIN_IN_SYNC)
        image = replace(self.image, configs=configs)
        if overrides.get(MIN_IN_SYNC) != before:
            image = _without_elr(image, changed)
        self._publish(image, changed)

    def clear_configs(self) -> None:
        """Take back every dynamic override, and level of a feature, that was set since the cluster began."""
        first = replace(self.image, configs=self._first_configs, features=FIRST_LEVELS)
        self._publish(first, tuple(self.image.topics))

    def update_features(self, levels: Mapping[str, int]) -> None:
        """Finalize other levels, which were checked before.

        Where replicas outside the ISR count again, all brokers get one min.insync.replicas, as a new cluster
        has it: by that the controller knows who is safe to elect.
        """
        image = replace(self.image, features={**self.image.features, **levels})
        if image.elr and not self.image.elr:
            minimum = str(self._world.defaults[settings.MIN_INSYNC_REPLICAS])
            image = replace(image, configs=_with_one_minimum(image.configs, otherwise=minimum))
        self._publish(image, tuple(image.topics))

    # -- leaders ----------------------------------------------------------------------------------

    def rules(self, topic: TopicImage, partition: PartitionImage) -> Rules:
        """What the topic's configs, as they are now, say about elections."""
        config = self._world.topic_config(self.image, topic.name)
        in_sync = min(config.min_insync_replicas, len(partition.replicas))
        return Rules(in_sync, config.unclean_leader_election, self.image.elr)

    def elect_preferred(self, topic: str, index: int) -> None:
        """Let the first replica lead.  Raises KafkaError 3, 84 (it does) or 80 (it cannot)."""
        found, partition = self._find(topic, index)
        preferred = partition.replicas[0]
        if partition.leader == preferred:
            raise KafkaError(ErrorCode.ELECTION_NOT_NEEDED)
        if preferred not in partition.isr or not self.image.alive(preferred):
            raise KafkaError(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)
        self._change_partition(found, elections.elect_in_sync(partition, preferred))

    def elect_unclean(self, topic: str, index: int) -> None:
        """Let anyone alive lead a partition that nobody leads.  Raises KafkaError 3, 84 or 83 (nobody is alive)."""
        found, partition = self._find(topic, index)
        if partition.leader != NO_LEADER:
            raise KafkaError(ErrorCode.ELECTION_NOT_NEEDED)
        rules = replace(self.rules(found, partition), unclean=True)
        elected = elections.elect(partition, partition, rules, self.image.alive)
        if elected.leader == NO_LEADER:
            raise KafkaError(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)
        self._change_partition(found, elected)

    def move_leader(self, topic: str, index: int, leader: int, *, unclean: bool) -> None:
        """Let `leader` lead, as a test wishes.  Raises KafkaError 83 when it is dead or, if clean, not in sync."""
        found, partition = self._find(topic, index)
        if leader not in partition.replicas or not self.image.alive(leader):
            raise KafkaError(
                ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, f"broker {leader} is not a live replica"
            )
        if leader in partition.isr:
            changed = elections.elect_in_sync(partition, leader)
        elif unclean:
            changed = elections.elect_uncleanly(partition, leader)
        else:
            raise KafkaError(
                ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, f"broker {leader} is not in sync: {partition.isr}"
            )
        self._change_partition(found, changed)

    def _watch_balance(self, names: tuple[str, ...]) -> None:
        """Once a partition is led by another than its preferred replica, look again after a while."""
        if self._balancing is not None or not self._world.defaults[settings.AUTO_LEADER_REBALANCE_ENABLE]:
            return
        topics = [topic for name in names if (topic := self.image.topics.get(name)) is not None]
        if any(p.leader != p.replicas[0] for topic in topics for p in topic.partitions):
            interval_ms = self._world.defaults[settings.LEADER_IMBALANCE_CHECK_INTERVAL_SECONDS] * 1_000
            self._balancing = self._world.clock.call_in(interval_ms, self._balance)

    def _balance(self) -> None:
        """Let preferred replicas lead again, where they can."""
        self._balancing = None

        def preferred(_: TopicImage, partition: PartitionImage) -> PartitionImage:
            first = partition.replicas[0]
            if partition.leader == first or first not in partition.isr or not self.image.alive(first):
                return partition
            return elections.elect_in_sync(partition, first)

        self._change_partitions(preferred, self.image.brokers)
        self._watch_balance(tuple(self.image.topics))

    def _find(self, topic: str, index: int) -> tuple[TopicImage, PartitionImage]:
        partition = self.image.partition(topic, index)
        if partition is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return self.image.topics[topic], partition

    # -- brokers ----------------------------------------------------------------------------------

    def set_address(self, broker: int, host: str, port: int) -> None:
        """Register where clients find a broker."""
        brokers = {**self.image.brokers, broker: replace(self.image.brokers[broker], host=host, port=port)}
        self._publish(replace(self.image, brokers=brokers))

    def fence(self, broker: int) -> None:
        """The controller takes a broker for dead: it leaves every ISR, and others lead in its place."""
        if not self.image.alive(broker):
            return
        brokers = {**self.image.brokers, broker: replace(self.image.brokers[broker], fenced=True)}
        alive = _alive(brokers)

        def without(topic: TopicImage, partition: PartitionImage) -> PartitionImage:
            if broker not in partition.isr and partition.leader != broker:
                return partition
            isr = tuple(id for id in partition.isr if id != broker)
            return elections.after_change(partition, self.rules(topic, partition), alive, isr=isr)

        self._change_partitions(without, brokers)

    def _unfence(self, broker: int, *, new_incarnation: bool, clean: bool) -> None:
        old = self.image.brokers[broker]
        epoch = self.image.version + 1 if new_incarnation else old.epoch
        brokers = {**self.image.brokers, broker: replace(old, fenced=False, epoch=epoch)}
        alive = _alive(brokers)

        def with_it(topic: TopicImage, partition: PartitionImage) -> PartitionImage:
            if broker not in partition.replicas:
                return partition
            rules = self.rules(topic, partition)
            if new_incarnation and not clean:
                partition = elections.after_unclean_shutdown(partition, broker, rules, alive)
            if partition.leader == NO_LEADER:
                partition = elections.elect(partition, partition, rules, alive)
            return partition

        self._change_partitions(with_it, brokers)

    def _next_controller(self, brokers: Mapping[int, BrokerImage]) -> int:
        """The active controller stays where it is while that broker lives; else the lowest live id takes over."""
        alive = _alive(brokers)
        if alive(self.image.controller_id):
            return self.image.controller_id
        return min((id for id in brokers if alive(id)), default=-1)

    def receive(self, message: Message) -> None:
        """What brokers tell the controller."""
        if isinstance(message, AlterPartition):
            self._alter_partition(message)
        elif isinstance(message, BrokerRegistration):
            self._unfence(message.source, new_incarnation=True, clean=message.clean)
            self.tell(message.source)
        elif not isinstance(
            message, Disconnected
        ):  # whom the controller counts as alive is a matter of sessions
            assert isinstance(message, BrokerHeartbeat), f"{message!r} is not for the controller"
            if not self.image.alive(message.source):
                self._unfence(message.source, new_incarnation=False, clean=True)
            self.tell(message.source)

    def _alter_partition(self, asked: AlterPartition) -> None:
        topic = self.image.topics.get(asked.topic)
        partition = self.image.partition(asked.topic, asked.index)
        acceptable = (
            topic is not None
            and partition is not None
            and topic.id == asked.topic_id
            and partition.leader == asked.source
            and partition.leader_epoch == asked.leader_epoch
            and partition.partition_epoch == asked.partition_epoch
            and all(self.image.alive(id) for id in asked.isr)
        )
        if not acceptable or topic is None or partition is None:
            self._world.links.send(AlterPartitionResponse(asked, None))
            return
        changed = elections.after_change(
            partition, self.rules(topic, partition), self.image.alive, isr=tuple(asked.isr)
        )
        self._world.links.send(AlterPartitionResponse(asked, changed))
        self._change_partition(topic, changed)


def _without_elr(image: Image, names: Iterable[str]) -> Image:
    """The image as it is when min.insync.replicas changes for these topics: nobody outside the ISR is safe any more."""
    topics = dict(image.topics)
    for name in names:
        if (topic := topics.get(name)) is not None:
            changed = {p.index: elections.forget_elr(p) for p in topic.partitions if p.elr}
            topics[name] = topic.with_partitions(changed) if changed else topic
    return replace(image, topics=topics)


def _with_one_minimum(configs: Configs, otherwise: str) -> Configs:
    """The overrides with min.insync.replicas for all brokers, that which they had in common, and for none alone."""
    everybody = ConfigKind.BROKER, ""
    minimum = {MIN_IN_SYNC: otherwise}
    kept = {
        key: {name: value for name, value in overrides.items() if name != MIN_IN_SYNC or key == everybody}
        if key[0] == ConfigKind.BROKER
        else overrides
        for key, overrides in configs.items()
    }
    return {**kept, everybody: {**minimum, **kept.get(everybody, {})}}


def _alive(brokers: Mapping[int, BrokerImage]) -> Callable[[int], bool]:
    return lambda id: id in brokers and not brokers[id].fenced
