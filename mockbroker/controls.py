"""What a cluster offers to a test through either of its front doors.

Topics, groups, brokers, time, faults, history, ledger and verdicts are reached through the handles that are made
here.  How a call gets into the brokers' loop is the doors' affair; see `mockbroker.cluster`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.internal_topics import OFFSETS, ensure_topic
from mockbroker.core.usage import UsageError
from mockbroker.faults.book import FaultBook
from mockbroker.ghosts.company import Company
from mockbroker.handlers import HANDLERS
from mockbroker.handles.brokers import Broker, ClockHandle
from mockbroker.handles.client_configs import ClientConfigs
from mockbroker.handles.effects import Effects
from mockbroker.handles.ghosts import PayerGhost, ProducerGhost
from mockbroker.handles.group_snapshot import coordinator_shard
from mockbroker.handles.history import HistoryControls
from mockbroker.handles.ledger import Ledger
from mockbroker.handles.partitions import leader_replica
from mockbroker.handles.topics import TopicControls
from mockbroker.handles.verdicts import Report, Source, Verdicts
from mockbroker.ledger.book import Ledger as Book
from mockbroker.options import ClusterOptions, duration_ms
from mockbroker.server.bugs import BrokerBug, raise_bugs
from mockbroker.server.run import Server

if TYPE_CHECKING:
    from mockbroker.core.durations import Duration
    from mockbroker.core.world import World
    from mockbroker.handles.door import Door

T = TypeVar("T")
TopicT = TypeVar("TopicT", bound=TopicControls)
GroupT = TypeVar("GroupT")
HistoryT = TypeVar("HistoryT", bound=HistoryControls)


class ClusterControls(Generic[TopicT, GroupT, HistoryT]):
    """What both front doors offer."""

    _topic: Callable[[Any, str], TopicT]
    _group: Callable[[Any, str], GroupT]
    _history: Callable[[Any], HistoryT]
    world: World
    # Made with the cluster: two threads that ask first at once must be given the same.
    _effects: Effects
    options: ClusterOptions
    seed: int

    @property
    def server(self) -> Server:
        """The server that serves this cluster."""
        raise AssertionError("each door has one")

    @property
    def is_open(self) -> bool:
        """Whether it serves, or has served."""
        raise AssertionError("each door knows")

    def do(self, act: Callable[..., T], *args: Any) -> T:
        """Run `act` as one step of the world, between requests and never inside one."""
        raise AssertionError(f"each door has a way in for {act} and {args}")

    @property
    def bootstrap(self) -> str:
        """Every broker's address, as clients take it: "127.0.0.1:40113,127.0.0.1:40114"."""
        return self.server.bootstrap

    def topic(self, name: str) -> TopicT:
        """A topic by name, whether it exists yet or not.

        >>> cluster.topic("orders").exists
        True
        """
        return self._topic(self, name)

    def group(self, group_id: str) -> GroupT:
        """A consumer group by id, whether it exists yet or not.

        >>> cluster.group("billing").state
        'Stable'
        """
        return self._group(self, group_id)

    @property
    def brokers(self) -> list[Broker]:
        """All brokers, running or not.

        >>> cluster.brokers
        [<Broker 1>, <Broker 2>, <Broker 3>]
        """
        return [Broker(self._door, id) for id in self.world.nodes]

    def broker(self, id: int) -> Broker:
        """A broker by id.

        >>> cluster.broker(2).crash()
        """
        if id not in self.world.nodes:
            raise UsageError(f"there is no broker {id}: there are {list(self.world.nodes)}")
        return Broker(self._door, id)

    @property
    def controller(self) -> Broker:
        """The broker that is the active controller.

        >>> cluster.controller.running
        True
        """
        return self.broker(self.do(lambda: self.world.controller.image.controller_id))

    def leader_of(self, topic: str, partition: int = 0) -> Broker:
        """The broker that leads a partition.

        >>> cluster.leader_of("orders", 0)
        <Broker 1>
        """
        return self.broker(self.do(lambda: leader_replica(self.world, topic, partition).broker.id))

    def coordinator_of(self, group_id: str) -> Broker:
        """The broker that looks after a group, or will when there is one.

        >>> cluster.coordinator_of("billing").crash()
        """

        def find() -> int:
            able = [node for node in self.world.nodes.values() if node.up and not node.paused]
            if able and OFFSETS_TOPIC not in self.world.controller.image.topics:
                ensure_topic(able[0], OFFSETS)
                self.world.settle()
            shard = coordinator_shard(self.world, group_id)
            if shard is None:
                raise UsageError(
                    f"group {group_id!r} has no coordinator now: restart() a broker that could be it"
                )
            return shard.node.id

        return self.broker(self.do(find))

    @property
    def config(self) -> ClientConfigs:
        """Settings for real clients: the brokers' addresses, and timers that make tests short.

        >>> cluster.config.confluent()["bootstrap.servers"] == cluster.bootstrap
        True
        """
        return ClientConfigs(lambda: self.bootstrap)

    @cached_property
    def ghosts(self) -> Company:
        """The virtual clients inside the brokers; `group(...).join_ghost()` and `ghost_producer()` add some."""
        return Company(self.world, self.server.faults, self.server.next_ordinal)

    @overload
    def ghost_producer(self, *, idempotent: bool = False, client_id: str | None = None) -> ProducerGhost: ...

    @overload
    def ghost_producer(
        self, *, transactional_id: str, timeout: Duration = "60s", client_id: str | None = None
    ) -> PayerGhost: ...

    def ghost_producer(
        self,
        *,
        idempotent: bool = False,
        transactional_id: str | None = None,
        timeout: Duration = "60s",
        client_id: str | None = None,
    ) -> ProducerGhost:
        """A virtual producer inside the brokers: real Produce requests, and no client.

        With a `transactional_id` it produces in transactions, each of which has `timeout` of broker time
        (transaction.timeout.ms), and may leave one open: see `PayerGhost`.

        >>> cluster.ghost_producer().send("orders", b"paid", acks=1)
        <ghost-producer-1's batch for orders-0: done>
        """

        def make() -> ProducerGhost:
            if transactional_id is not None:
                payer = self.ghosts.payer(client_id, transactional_id, duration_ms(timeout))
                payer.begin()
                return PayerGhost(self._door, payer)
            producer = self.ghosts.producer(client_id, idempotent=idempotent)
            producer.begin()
            return ProducerGhost(self._door, producer)

        return self.do(make)

    @cached_property
    def book(self) -> FaultBook:
        """The rules themselves; tests hold them through `faults`."""
        return FaultBook(self.world, HANDLERS)

    @property
    def clock(self) -> ClockHandle:
        """The brokers' time: freeze, advance.

        >>> cluster.clock.advance("45s")
        """
        return ClockHandle(self._door)

    @property
    def history(self) -> HistoryT:
        """What happened: every request with its answer, and every act of the test.

        The newest 100,000 events, fewer where they hold on to more than about 64 MiB of records.

        >>> cluster.history.events("JoinGroup")[0].client_id
        'app-a'
        """
        return self._history(self)

    @cached_property
    def notes(self) -> Book:
        """The ledger itself; tests hold it through `ledger`."""
        return Book(self.world)

    @property
    def ledger(self) -> Ledger:
        """What became of each record: sent, stored, acknowledged, lost, served, committed.

        >>> cluster.ledger.fate("orders", key="o-1")[0].acked
        True
        """
        return Ledger(self._door, self.notes)

    @property
    def _verdicts(self) -> Verdicts:
        return Verdicts(self._door, self.notes, self._effects)

    @property
    def effects(self) -> Effects:
        """What the application says that it has done; it may say so from any thread.

        >>> cluster.effects.done("orders", partition=0, offset=0)
        """
        return self._effects

    def check(self, *, raises: bool = True) -> Report:
        """Every verdict about what happened so far: PROVED, VIOLATED, or NOT EXERCISED because it never came about.

        Raises CheckFailed when something is VIOLATED that no correct client brings about, such as an acknowledged
        record that is gone; what at-least-once delivery may do is reported and tolerated.  `raises=False` only
        reports.  An invariant of mockbroker's own that is broken raises MockbrokerBroken.

        >>> cluster.check().of("acked_lost").outcome.value
        'NOT EXERCISED'
        """
        return self._verdicts.check(raises=raises)

    def assert_no_loss(self, topic: str) -> None:
        """Raise CheckFailed if an acknowledged record of a topic is gone.

        >>> cluster.assert_no_loss("orders")
        """
        self._verdicts.no_loss(topic)

    def assert_no_duplicates(self, topic: str) -> None:
        """Raise CheckFailed if a retry has stored a record of a topic twice.

        >>> cluster.assert_no_duplicates("orders")
        """
        self._verdicts.no_duplicates(topic)

    def assert_at_most_once(self, topic: str, group: str) -> None:
        """Raise CheckFailed if a record of a topic was served to a group after a member had tried to commit it.

        >>> cluster.assert_at_most_once("orders", "billing")
        """
        self._verdicts.at_most_once(topic, group)

    def assert_at_least_once(self, topic: str, group: str) -> None:
        """Raise CheckFailed if a record of a topic is lost, or was never served to a group.

        >>> cluster.assert_at_least_once("orders", "billing")  # doctest: +SKIP
        """
        self._verdicts.at_least_once(topic, group)

    def assert_exactly_once(self, topic: str, group: str) -> None:
        """Raise CheckFailed unless each record of a topic was stored once, and served to a group once.

        What a consumer had fetched ahead and not tried to commit may be served to the next one.

        >>> cluster.assert_exactly_once("orders", "billing")  # doctest: +SKIP
        """
        self._verdicts.exactly_once(topic, group)

    def assert_effects_at_most_once(self, topic: str) -> None:
        """Raise CheckFailed if an effect of a record of a topic has happened twice; see `effects`.

        >>> cluster.assert_effects_at_most_once("orders")
        """
        self._verdicts.effects_at_most_once(topic)

    def assert_effects_at_least_once(self, topic: str) -> None:
        """Raise CheckFailed if a committed record of a topic has had no effect; see `effects`.

        >>> cluster.effects.done("orders", 0, 0)
        >>> cluster.assert_effects_at_least_once("orders")
        """
        self._verdicts.effects_at_least_once(topic)

    def assert_effects_exactly_once(self, topic: str) -> None:
        """Raise CheckFailed unless each committed record of a topic has had its effect, and only once.

        >>> cluster.effects.done("orders", 0, 0)
        >>> cluster.assert_effects_exactly_once("orders")
        """
        self.assert_effects_at_most_once(topic)
        self.assert_effects_at_least_once(topic)

    def assert_conserved(self, topic: str, to: str, *, source: Source, group: str | None = None) -> None:
        """Raise CheckFailed unless each committed record of a topic became one committed record of another.

        `source` says of an output which input it was made of, as (partition, offset), or None for none.  With
        `group`, that group has committed exactly what was transformed.  Raises UsageError where a topic is not
        there or a partition has no leader.

        >>> cluster.topic("bills").create(partitions=1)
        >>> cluster.topic("bills").append("0-0", "paid")
        0
        >>> cluster.assert_conserved("orders", "bills", source=lambda bill: (0, int(bill.key[2:])))
        """
        self._verdicts.conserved(topic, to, source, group)

    @property
    def bugs(self) -> list[BrokerBug]:
        """The bugs of mockbroker's own that requests have met, and that nobody has raised yet."""
        return self.server.crashes if self.is_open else []

    def raise_bugs(self) -> None:
        """Raise these bugs, each once: one with the request that met it, several as a group of such."""
        met, raised = self.bugs, list[BrokerBug]()
        while met:  # one by one, for the brokers' thread may be adding to them
            raised.append(met.pop(0))
        raise_bugs(raised)

    def reset(self) -> None:
        """Wipe everything: topics, groups, records and history are gone, every broker runs, time runs.

        The topics to begin with are made again.  Ports and connections stay, for an app that is started once.

        >>> cluster.reset()
        """
        self.do(self._reset)
        self._make_topics()

    def _reset(self) -> None:
        world = self.world
        self.book.forget()
        self.ghosts.dismiss()
        for node in world.nodes.values():
            if node.paused:
                world.resume(node.id)
            if not node.up:
                world.restart(node.id)
            world.heal(node.id)
        if world.clock.frozen:
            world.clock.thaw(self.server.real_ms())
        world.controller.delete_topics(list(world.controller.image.topics))
        world.controller.clear_configs()
        world.settle()
        # What is only kept for people goes last, for the above was still told to it.
        world.chronicle.forget()
        world.positions.forget()
        world.history.forget()
        self.notes.forget()
        self._effects.forget()

    @property
    def _door(self) -> Door:
        return self

    def _timeout_s(self, timeout: float | str | None) -> float:
        return duration_ms(self.options.wait if timeout is None else timeout) / 1_000

    def _make_topics(self) -> None:
        for name, partitions in self.options.first_topics.items():
            TopicControls(self._door, name).create(partitions)
