"""One broker's part of the world: what it has been told, the replicas it holds, the groups it looks after.

A node receives messages from other brokers and changes its roles as the metadata says.  Requests come to it
through handlers.  It may crash, pause and start again; it does not know sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mockbroker.core import settings
from mockbroker.core.coordinators import Coordinators
from mockbroker.core.fetch_sessions import FetchSessions
from mockbroker.core.image import Image, PartitionImage, TopicImage
from mockbroker.core.links import CONTROLLER, Disconnected, Message
from mockbroker.core.messages import (
    AlterPartition,
    AlterPartitionResponse,
    BrokerHeartbeat,
    BrokerRegistration,
    FollowerFetch,
    FollowerFetchResponse,
    LoadCoordinator,
    MetadataUpdate,
)
from mockbroker.core.replica import Replica
from mockbroker.core.retention import RetentionChecks
from mockbroker.core.ticket import Reply, Ticket
from mockbroker.core.topic_configs import TopicConfig, resolve
from mockbroker.core.transactions import talk
from mockbroker.core.transactions.enrolment import Enrolments
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mockbroker.core.broker_config import BrokerConfig
    from mockbroker.core.clock import Clock, Timer
    from mockbroker.core.controller import Controller
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.core.links import Links
    from mockbroker.core.transactions.shard import TransactionShard
    from mockbroker.core.witness import Witness
    from mockbroker.core.world import World

T = TypeVar("T")

# How long a leader keeps a follower's fetch that finds nothing (Kafka's replica.fetch.wait.max.ms).
REPLICA_FETCH_WAIT_MAX_MS = 500

# broker.heartbeat.interval.ms: when a broker makes itself heard again that was not.
HEARTBEAT_INTERVAL_MS = 2_000


class Node:
    """One broker."""

    def __init__(self, world: World, broker_id: int, rack: str | None, config: BrokerConfig) -> None:
        self.world = world
        self.id = broker_id
        self.rack = rack
        self.config = config
        self.clock: Clock = world.clock
        self.links: Links = world.links
        self.image = Image()
        self.replicas: dict[tuple[str, int], Replica] = {}
        self.coordinators = Coordinators(self)
        self.enrolments = Enrolments(self)
        self.fetch_sessions = FetchSessions(self)
        self.retention = RetentionChecks(self)
        self.up = True
        self.paused = False
        self._paused_since_ms = 0
        # How far its own clock is from the brokers' time, and how long it makes each client wait.
        self.skew_ms = 0
        self.slow_ms = 0
        # Grows with every crash, so that what an earlier life had planned does not happen in this one.
        self.incarnation = 0
        # Told by the doors: the shell closes sockets on a crash, opens them on a restart, and so on.
        self.on_crash: list[Callable[[], None]] = []
        self.on_restart: list[Callable[[], None]] = []
        self.on_resume: list[Callable[[], None]] = []
        self._asleep: list[tuple[Timer, Callable[[], None]]] = []
        self._inbox: list[Message] = []
        # Fetches of followers that heard of a leader before the leader did.
        self._early: dict[tuple[bytes, int], list[FollowerFetch]] = {}
        self._producer_ids = iter(range(0))
        world.links.attach(broker_id, self)

    # -- who watches ------------------------------------------------------------------------------

    @property
    def witness(self) -> Witness | None:
        """Someone who sees what becomes of records, if anybody does."""
        return self.world.witness

    # -- time -------------------------------------------------------------------------------------

    def call_in(self, delay_ms: int, action: Callable[[], None]) -> Timer:
        """Do something after so much broker time: not after a crash, and only when no longer paused."""
        return self._call_in(self.clock, delay_ms, action)

    def patient_in(self, delay_ms: int, action: Callable[[], None]) -> Timer:
        """The same by the clients' time: how long someone is prepared to wait."""
        return self._call_in(self.world.patience, delay_ms, action)

    def _call_in(self, clock: Clock, delay_ms: int, action: Callable[[], None]) -> Timer:
        incarnation = self.incarnation

        def act() -> None:
            if self.incarnation != incarnation:
                return
            if self.paused:
                self._asleep.append((timer, action))
            else:
                action()

        timer = clock.call_in(delay_ms, act)
        return timer

    @property
    def wall_ms(self) -> int:
        """What its own clock shows: the time that it writes into logs, and by which it finds records too old."""
        return self.clock.now + self.skew_ms

    def skew(self, by_ms: int) -> None:
        """Let its own clock be off; what that makes too old is found at the next check."""
        self.skew_ms = by_ms
        self.retention.reconsider()

    # -- what others ask of this broker -----------------------------------------------------------

    def leader_of(self, topic: str, index: int) -> Replica:
        """The replica of a partition that this broker leads.

        Raises UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER.
        """
        replica = self.replica_of(topic, index)
        if not replica.leading:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return replica

    def replica_of(self, topic: str, index: int) -> Replica:
        """This broker's replica of a partition, whatever its role.  Raises as `leader_of` does."""
        replica = self.replicas.get((topic, index))
        if replica is not None:
            return replica
        if self.image.partition(topic, index) is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)

    def group_shard(self, group_id: str) -> GroupShard:
        """The shard that looks after a group.  Raises NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS."""
        return self.coordinators.group_shard(group_id)

    def transaction_shard(self, transactional_id: str) -> TransactionShard:
        """The shard that looks after a transactional id.  Raises as `group_shard` does."""
        return self.coordinators.transaction_shard(transactional_id)

    @property
    def shards(self) -> dict[int, GroupShard]:
        """The groups that this broker looks after, by partition of their topic."""
        return self.coordinators.groups

    def forward(self, action: Callable[[Controller], T], timeout_ms: int) -> Reply[T | KafkaError]:
        """Have the controller do something.  Out of its reach, the answer is REQUEST_TIMED_OUT, in good time."""
        if self.links.connected(self.id, CONTROLLER):
            return action(self.world.controller)
        ticket: Ticket[T | KafkaError] = Ticket(f"broker {self.id} cannot reach the controller")
        refusal = KafkaError(ErrorCode.REQUEST_TIMED_OUT, "The controller could not be reached in time.")
        self.patient_in(timeout_ms, lambda: ticket.resolve(refusal))
        return ticket

    def next_producer_id(self) -> int:
        """A producer id that nobody else has; brokers draw them in blocks from the controller, as Kafka's do."""
        for producer_id in self._producer_ids:
            return producer_id
        self._producer_ids = iter(self.world.producer_id_block())
        return next(self._producer_ids)

    def topic_config(self, topic: str) -> TopicConfig:
        """What a topic's configs come to on this broker."""
        return resolve(self.config, self.image.topic_overrides(topic))

    # -- what replicas and shards ask of it -------------------------------------------------------

    def sees_alive(self, broker: int) -> bool:
        """Whether the metadata that this broker holds shows `broker` alive."""
        return self.image.alive(broker)

    @property
    def replica_lag_time_max_ms(self) -> int:
        """The setting replica.lag.time.max.ms."""
        return self.config[settings.REPLICA_LAG_TIME_MAX_MS]

    @property
    def producer_id_expiration_ms(self) -> int:
        """The setting producer.id.expiration.ms."""
        return self.config[settings.PRODUCER_ID_EXPIRATION_MS]

    @property
    def verifies_transactions(self) -> bool:
        """The setting transaction.partition.verification.enable."""
        return self.config[settings.TRANSACTION_PARTITION_VERIFICATION]

    def log_grew(self) -> None:
        """Some log of this broker has more records: there may be something to delete, one day."""
        self.retention.log_grew()

    def reaches(self, broker: int) -> bool:
        """Whether there is a connection to another broker, or to itself."""
        return self.world.nodes[broker].up and self.links.connected(self.id, broker)

    # -- messages ---------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """Act on a message: not when down, later when paused."""
        if self.paused:
            if not self._comes_too_late(message):
                self._inbox.append(message)
        elif self.up:
            self._act_on(message)

    def _comes_too_late(self, message: Message) -> bool:
        """Whether this answers a fetch that Kafka's leader would have answered before, with nothing.

        A broker that stands still sends no other fetch, so what is appended later does not reach it.
        """
        stood_ms = self.clock.now - self._paused_since_ms
        return isinstance(message, FollowerFetchResponse) and stood_ms > REPLICA_FETCH_WAIT_MAX_MS

    def _act_on(self, message: Message) -> None:
        if isinstance(message, FollowerFetch):
            self._receive_fetch(message)
        elif isinstance(message, FollowerFetchResponse):
            replica = self.replicas.get((message.asked.topic, message.asked.index))
            if replica is not None and replica.following is not None:
                replica.following.receive(message)
        elif isinstance(message, MetadataUpdate):
            self._learn(message)
        elif isinstance(message, AlterPartitionResponse):
            replica = self.replicas.get((message.asked.topic, message.asked.index))
            if (
                replica is not None
                and replica.topic_id == message.asked.topic_id
                and replica.leadership is not None
            ):
                replica.leadership.receive_verdict(message)
        elif isinstance(message, LoadCoordinator):
            self.coordinators.load(message)
        elif isinstance(message, Disconnected):
            self.enrolments.disconnected(message.source)
            self.coordinators.disconnected(message.source)
        else:
            talk.receive(self, message)

    def lost(self, message: Message) -> None:
        """A message of this broker's, or its answer, got lost: it asks again, as after a broken connection."""
        message = getattr(message, "asked", message)
        if message.source != self.id:
            return
        if isinstance(message, FollowerFetch):
            replica = self.replicas.get((message.topic, message.index))
            if replica is not None and replica.following is not None:
                replica.following.lost(message)
        elif isinstance(message, AlterPartition):
            replica = self.replicas.get((message.topic, message.index))
            if replica is not None and replica.leadership is not None:
                replica.leadership.lost(message)
        elif isinstance(message, BrokerHeartbeat | BrokerRegistration):
            self.call_in(HEARTBEAT_INTERVAL_MS, self.heartbeat)
        else:
            talk.lost(self, message)

    def _receive_fetch(self, fetch: FollowerFetch) -> None:
        replica = self.replicas.get((fetch.topic, fetch.index))
        if replica is None or replica.topic_id != fetch.topic_id or replica.leader_epoch < fetch.leader_epoch:
            # The follower knows more than this broker does.  Kafka's would try again; here its fetch just waits.
            self._early.setdefault((fetch.topic_id, fetch.index), []).append(fetch)
        elif replica.leadership is not None:
            replica.leadership.receive(fetch)

    # -- metadata ---------------------------------------------------------------------------------

    def _learn(self, update: MetadataUpdate) -> None:
        """Take over a newer image and play the roles that it gives."""
        if update.image.version <= self.image.version:
            return
        old, self.image = self.image, update.image
        whole = update.base is not old
        if old.configs is not update.image.configs or whole:
            self.config.heed(update.image)
        names = update.changed
        if whole:
            self._drop_strangers()
            names = (*update.image.topics, *(name for name in old.topics if name not in update.image.topics))
        for name in names:
            self._apply_topic(name, old.topics.get(name))
        if old.brokers is not update.image.brokers:
            self._reconsider()
        self.coordinators.look_for_leaders()

    def _apply_topic(self, name: str, old: TopicImage | None) -> None:
        topic = self.image.topics.get(name)
        if old is not None and (topic is None or topic.id != old.id):
            for partition in old.partitions:
                self._drop(name, partition.index)
            self.coordinators.forget_topic(name)
        if topic is None:
            return
        config = self.topic_config(name)
        for partition in topic.partitions:
            if self.id in partition.replicas:
                self._apply_partition(topic, partition, config)
            elif (name, partition.index) in self.replicas:
                self._drop(name, partition.index)

    def _drop_strangers(self) -> None:
        """Let go of replicas of topics that were deleted, or made anew, unseen by this broker."""
        for (name, index), replica in list(self.replicas.items()):
            topic = self.image.topics.get(name)
            if topic is None or topic.id != replica.topic_id:
                self._drop(name, index)

    def _apply_partition(self, topic: TopicImage, partition: PartitionImage, config: TopicConfig) -> None:
        key = (topic.name, partition.index)
        replica = self.replicas.get(key)
        if replica is not None and replica.topic_id != topic.id:
            self._drop(*key)
            replica = None
        if replica is None:
            replica = self.replicas[key] = Replica(self, topic.name, partition.index, topic.id, config)
        elif replica.config is not config:
            replica.config = config
            self.retention.reconsider()
        replica.take_role(partition)
        if replica.leadership is not None:
            # Fewer may have to be in sync now.  Not before the role: a deposed leader commits nothing by it.
            replica.leadership.count()
        self.coordinators.hold(topic.name, partition.index, replica)
        if early := self._early.pop((topic.id, partition.index), None):
            for fetch in early:
                self._receive_fetch(fetch)

    def _drop(self, topic: str, index: int) -> None:
        replica = self.replicas.pop((topic, index), None)
        if replica is None:
            return
        self.coordinators.drop(topic, index)
        replica.rest()

    def _reconsider(self) -> None:
        for replica in self.replicas.values():
            if replica.leadership is not None:
                replica.leadership.reconsider()

    # -- life and death ---------------------------------------------------------------------------

    def crash(self) -> None:
        """Die at once: what was only in memory is gone, what is in the logs stays."""
        assert self.up, f"broker {self.id} is down already"
        self.incarnation += 1
        self.up = self.paused = False
        self._asleep.clear()
        self._inbox.clear()
        self._early.clear()
        self.coordinators.clear()
        self.enrolments.clear()
        self.fetch_sessions = FetchSessions(self)
        self._producer_ids = iter(range(0))
        self.retention.forget()
        for replica in self.replicas.values():
            replica.recover()
        if self.witness is not None:
            self.witness.crashed(self.id)
        for tell in self.on_crash:
            tell()

    def restart(self) -> None:
        """Start again with what is on disk."""
        assert not self.up, f"broker {self.id} is up already"
        self.up = True
        self.image = Image()
        for tell in self.on_restart:
            tell()

    def pause(self) -> None:
        """Stand still, as a stopped process or one in a long garbage collection does."""
        self.paused = True
        self._paused_since_ms = self.clock.now

    def resume(self) -> None:
        """Go on: first with what came in meanwhile, then with what should have happened meanwhile."""
        self.paused = False
        inbox, self._inbox = self._inbox, []
        asleep, self._asleep = self._asleep, []
        for message in inbox:
            self._act_on(message)
        for timer, action in asleep:
            # What came in may have made it needless, and then somebody has cancelled or moved it.
            if not timer.cancelled and not timer.armed:
                action()
        for tell in self.on_resume:
            tell()

    def heartbeat(self) -> None:
        """Let the controller hear of this broker again, and hear from it what was missed."""
        if self.image.version:
            self.links.send(BrokerHeartbeat(self.id))
        else:
            # Started out of the controller's reach, so nobody knows yet that its earlier life is over.
            self.links.send(BrokerRegistration(self.id, clean=False))

    def reconnected(self, others: Collection[int]) -> None:
        """Roads to `others` are open again: followers ask anew, leaders repeat what they had asked."""
        for replica in self.replicas.values():
            if replica.following is not None and replica.leader in others:
                replica.following.fetch()
            elif replica.leadership is not None and CONTROLLER in others:
                replica.leadership.reconsider()
        self.coordinators.look_for_leaders()
