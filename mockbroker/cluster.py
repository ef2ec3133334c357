"""A cluster of brokers in this process: `Cluster` for plain tests, `open_cluster` for trio tests.

The first runs its brokers in a thread of their own and may be called from any; the second runs them in the
trio loop that it is opened in.  Topics, groups, brokers and time are reached through the same handles.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, Unpack

import trio

from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.internal_topics import OFFSETS, ensure_topic
from mockbroker.core.usage import UsageError
from mockbroker.faults.book import FaultBook
from mockbroker.ghosts.company import Company
from mockbroker.handlers import HANDLERS
from mockbroker.handles.brokers import Broker, ClockHandle
from mockbroker.handles.client_configs import ClientConfigs
from mockbroker.handles.faults import Faults, TrioFaults
from mockbroker.handles.ghosts import ProducerGhost
from mockbroker.handles.group_snapshot import coordinator_shard
from mockbroker.handles.groups import Group, TrioGroup
from mockbroker.handles.history import History, HistoryControls, TrioHistory
from mockbroker.handles.ledger import Ledger
from mockbroker.handles.partitions import leader_replica
from mockbroker.handles.topics import Topic, TopicControls, TrioTopic
from mockbroker.handles.transactions import Transaction, TrioTransaction
from mockbroker.handles.verdicts import Report, Verdicts
from mockbroker.ledger.book import Ledger as Book
from mockbroker.options import ClusterOptions, duration_ms, new_seed
from mockbroker.server.bugs import BrokerBug, raise_bugs
from mockbroker.server.portal import Portal
from mockbroker.server.run import Server, serve
from mockbroker.waiting import wait_in_thread, wait_in_trio
from mockbroker.wire_log import WireLog, log_wire

if TYPE_CHECKING:
    from types import TracebackType

    from mockbroker.core.world import World
    from mockbroker.handles.door import Door
    from mockbroker.options import GivenOptions
    from mockbroker.waiting import Condition

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

    def ghost_producer(self, *, idempotent: bool = False, client_id: str | None = None) -> ProducerGhost:
        """A virtual producer inside the brokers: real Produce requests, and no client.

        >>> cluster.ghost_producer().send("orders", b"paid", acks=1)
        <ghost-producer-1's batch for orders-0: done>
        """

        def make() -> ProducerGhost:
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
        return Verdicts(self._door, self.notes)

    def check(self, *, raises: bool = True) -> Report:
        """Every verdict about what happened so far: PROVED, VIOLATED, or NOT EXERCISED because it never came about.

        Raises CheckFailed when something is VIOLATED that no correct client brings about, such as an acknowledged
        record that is gone; what at-least-once delivery may do is reported and tolerated.  `raises=False` only
        reports.  An invariant of mockbroker's own that is broken raises MockbrokerBroken.

        >>> cluster.check().of("acked_lost").outcome.value
        'PROVED'
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
        """Raise CheckFailed if a record of a topic was served to a group twice.

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

        >>> cluster.assert_exactly_once("orders", "billing")  # doctest: +SKIP
        """
        self._verdicts.exactly_once(topic, group)

    def assert_committed(self, group: str, topic: str, *, total: int) -> None:
        """Raise CheckFailed unless a group has committed so many records of a topic, over all partitions.

        >>> cluster.assert_committed("billing", "orders", total=1)
        """
        self._verdicts.committed(group, topic, total)

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

    @property
    def _door(self) -> Door:
        return self

    def _timeout_s(self, timeout: float | str | None) -> float:
        return duration_ms(self.options.wait if timeout is None else timeout) / 1_000

    def _make_topics(self) -> None:
        for name, partitions in self.options.first_topics.items():
            TopicControls(self._door, name).create(partitions)


class Cluster(ClusterControls[Topic, Group, History]):
    """A Kafka cluster inside this process, for tests that are plain functions.

    `brokers`: how many, or their ids (3).  `topics`: names and numbers of partitions.  `config`: broker
    settings by Kafka's names.  `defaults`: "friendly" leaves out the waits that only make tests slow,
    "kafka" has them all.  `seed`: makes ids and choices the same again.  `racks`, `ports`: one for each
    broker.  `host`: where to listen (127.0.0.1).  `wait`: the deadline of every wait ("5s").  `history`:
    whether what happens is remembered (True).  `log_wire`: write every request and answer to a file, or with
    True to standard error (False).  `strict_faults`: whether the fixtures fail a test whose faults never
    acted (True).
    Raises UsageError for what makes no sense.  Leaving the `with` block raises any bug of mockbroker's own
    that a request met, with that request.

    >>> with Cluster(brokers=3, topics={"orders": 6}) as cluster:
    ...     cluster.topic("orders").append("o-1", b"paid")
    0
    """

    _topic = Topic
    _group = Group
    _history = History

    def __init__(self, **options: Unpack[GivenOptions]) -> None:
        self.options = ClusterOptions.of(**options)
        self.seed = new_seed() if self.options.seed is None else self.options.seed
        self.world = self.options.new_world(self.seed)
        self.world.witness = self.notes
        self._portal: Portal | None = None
        self._wire: WireLog | None = None

    def start(self) -> Self:
        """Open the ports and serve.  `with` does it; without it, `close` must be called."""
        if self._portal is not None:
            raise UsageError("this cluster was started already: make another one")
        self._wire = log_wire(self.world, self.options.log_wire)
        ports, faults = self.options.port_of, self.book
        try:
            self._portal = Portal.start(
                partial(serve, self.world, host=self.options.host, ports=ports, faults=faults)
            )
            self._make_topics()
        except BaseException:
            # Nobody will close a cluster that did not start.
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop serving, within two seconds; raises the bugs of mockbroker's own that requests met."""
        try:
            if self._portal is not None:
                self._portal.close()
        finally:
            if self._wire is not None:
                self._wire.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def server(self) -> Server:
        """The server that serves this cluster."""
        return self._opened.server

    @property
    def is_open(self) -> bool:
        """Whether it serves, or has served."""
        return self._portal is not None

    @property
    def _opened(self) -> Portal:
        if self._portal is None:
            raise UsageError("this cluster is not open: use it inside its `with` block, or call start()")
        return self._portal

    def do(self, act: Callable[..., T], *args: Any) -> T:
        """Run `act` as one step of the world, in the brokers' thread."""
        return self._opened.call(act, *args)

    @property
    def faults(self) -> Faults:
        """Rules for what is to go wrong with calls, answers, and messages between brokers.

        >>> with cluster.faults.after("Produce", topic="orders", nth=1).disconnect() as lost_ack:
        ...     answer = cluster.ghost_producer().send("orders", b"paid")
        >>> lost_ack.hits, answer.lost
        (1, True)
        """
        return Faults(self, self.book)

    def transaction(self, transactional_id: str) -> Transaction:
        """A transactional id, whether a producer has begun with it yet or not.

        >>> cluster.transaction("payer-1").state
        'Unknown'
        """
        return Transaction(self, transactional_id, self.faults)

    def wait(self, condition: Condition[T], timeout: float | str | None = None) -> T:
        """Wait until a condition is fulfilled; raises WaitTimeout, which says who waits for what."""
        return wait_in_thread(self.server, self.world, self.do, condition, self._timeout_s(timeout))

    def __repr__(self) -> str:
        return f"<Cluster of {len(self.world.nodes)} brokers, seed {self.seed}>"


class TrioCluster(ClusterControls[TrioTopic, TrioGroup, TrioHistory]):
    """A cluster in the trio loop of whoever opened it; see `open_cluster`."""

    _topic = TrioTopic
    _group = TrioGroup
    _history = TrioHistory

    def __init__(self, options: ClusterOptions) -> None:
        self.options = options
        self.seed = new_seed() if options.seed is None else options.seed
        self.world = options.new_world(self.seed)
        self.world.witness = self.notes
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The server that serves this cluster."""
        if self._server is None:
            raise UsageError("this cluster is not open: use it inside `async with open_cluster()`")
        return self._server

    @property
    def is_open(self) -> bool:
        """Whether it serves, or has served."""
        return self._server is not None

    def do(self, act: Callable[..., T], *args: Any) -> T:
        """Run `act` as one step of the world."""
        return self.server.control(act, *args)

    async def wait(self, condition: Condition[T], timeout: float | str | None = None) -> T:  # noqa: ASYNC109 - the wait explains itself when it ends
        """Wait until a condition is fulfilled; raises WaitTimeout, which says who waits for what."""
        return await wait_in_trio(self.server, self.world, condition, self._timeout_s(timeout))

    @property
    def faults(self) -> TrioFaults:
        """Rules for what is to go wrong; see `Cluster.faults`."""
        return TrioFaults(self, self.book)

    def transaction(self, transactional_id: str) -> TrioTransaction:
        """A transactional id; see `Cluster.transaction`."""
        return TrioTransaction(self, transactional_id, self.faults)

    def opened(self, server: Server) -> None:
        """The ports are open: make the topics to begin with."""
        self._server = server
        self._make_topics()

    def __repr__(self) -> str:
        return f"<TrioCluster of {len(self.world.nodes)} brokers, seed {self.seed}>"


@asynccontextmanager
async def open_cluster(**options: Unpack[GivenOptions]) -> AsyncIterator[TrioCluster]:
    """A cluster inside this trio loop, with the arguments of `Cluster`; its waits are awaited.

    Leaving it raises what its block raised, as it is, and any bug of mockbroker's own that a request met.

    >>> async with open_cluster(topics={"orders": 1}) as cluster:
    ...     await cluster.topic("orders").wait_records(1)
    """
    cluster = TrioCluster(ClusterOptions.of(**options))
    failure: Exception | None = None
    wire = log_wire(cluster.world, cluster.options.log_wire)
    async with trio.open_nursery() as nursery:
        given = cluster.options
        serving = partial(serve, cluster.world, host=given.host, ports=given.port_of, faults=cluster.book)
        try:
            cluster.opened(await nursery.start(serving))
            yield cluster
        except Exception as raised:  # noqa: BLE001 - it is raised below, where no nursery wraps it in a group
            failure = raised
        nursery.cancel_scope.cancel()
    try:
        if failure is not None:
            raise failure
    finally:
        if wire is not None:
            wire.close()
        cluster.raise_bugs()
