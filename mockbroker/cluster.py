"""A cluster of brokers in this process: `Cluster` for plain tests, `open_cluster` for trio tests.

The first runs its brokers in a thread of their own and may be called from any; the second runs them in the
trio loop that it is opened in.  Topics, groups, brokers and time are reached through the same handles.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import trio

from mockbroker.controls import ClusterControls
from mockbroker.core.usage import UsageError
from mockbroker.handles.effects import Effects
from mockbroker.handles.faults import Faults, TrioFaults
from mockbroker.handles.groups import Group, TrioGroup
from mockbroker.handles.history import History, HistoryControls, TrioHistory
from mockbroker.handles.topics import Topic, TopicControls, TrioTopic
from mockbroker.handles.transactions import Transaction, TrioTransaction
from mockbroker.leaks import leaks_of
from mockbroker.options import ClusterOptions, new_seed
from mockbroker.server.portal import Portal
from mockbroker.server.run import Server, serve
from mockbroker.waiting import wait_in_thread, wait_in_trio
from mockbroker.wire_log import WireLog, log_wire

if TYPE_CHECKING:
    from types import TracebackType

    from mockbroker.options import GivenOptions
    from mockbroker.waiting import Condition

log = logging.getLogger("mockbroker")

T = TypeVar("T")
TopicT = TypeVar("TopicT", bound=TopicControls)
GroupT = TypeVar("GroupT")
HistoryT = TypeVar("HistoryT", bound=HistoryControls)


class Cluster(ClusterControls[Topic, Group, History]):
    """A Kafka cluster inside this process, for tests that are plain functions.

    `brokers`: how many, or their ids (3).  `topics`: names and numbers of partitions.  `config`: broker
    settings by Kafka's names.  `defaults`: "friendly" leaves out the waits that only make tests slow,
    "kafka" has them all.  `seed`: makes ids and choices the same again.  `racks`, `ports`: one for each
    broker.  `host`: where to listen (127.0.0.1).  `wait`: the deadline of every wait ("5s").  `history`:
    whether what happens is remembered (True).  `log_wire`: write every request and answer to a file, or with
    True to standard error (False).  `strict_faults`: whether the fixtures fail a test whose faults never
    acted (True).  `drain`: how long clients have to hang up by themselves when it is closed (0).
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
        self._effects = Effects(self.world)
        self._portal: Portal | None = None
        self._wire: WireLog | None = None
        self._told = False

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
        """Stop serving, within two seconds; raises the bugs of mockbroker's own that requests met.

        Gates open, and whoever waits for an answer gets one, an error if need be.  Clients that do not hang up
        within `drain` are reset, and named in the log: they were forgotten.
        """
        try:
            if self._portal is not None:
                self._portal.close(drain_s=self.options.drain_s)
        finally:
            self._say_who_is_left()
            if self._wire is not None:
                self._wire.close()

    def _say_who_is_left(self) -> None:
        if self.is_open and not self._told:
            self._told = True
            for leak in leaks_of(self):
                log.warning("%s", leak)

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

    def assert_committed(
        self, group: str, topic: str, *, total: int, timeout: float | str | None = None
    ) -> None:
        """Raise unless a group commits so many records of a topic, over all partitions, and not one more.

        Clients commit when they please, so this waits for them, as long as other waits do; then it raises
        WaitTimeout.  Too many are a CheckFailed.

        >>> cluster.assert_committed("billing", "orders", total=1)
        """
        found = self.wait(self._verdicts.committed(group, topic, total), timeout)
        self._verdicts.exactly(group, topic, total, found)

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
        self._effects = Effects(self.world)
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

    async def assert_committed(
        self,
        group: str,
        topic: str,
        *,
        total: int,
        timeout: float | str | None = None,  # noqa: ASYNC109 - the wait explains itself when it ends
    ) -> None:
        """See `Cluster.assert_committed`."""
        found = await self.wait(self._verdicts.committed(group, topic, total), timeout)
        self._verdicts.exactly(group, topic, total, found)

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
        if cluster.is_open:
            cluster.server.end(given.drain_s)  # and then the nursery has nothing left to wait for
        else:
            nursery.cancel_scope.cancel()
    try:
        if failure is not None:
            raise failure
    finally:
        if wire is not None:
            wire.close()
        for leak in leaks_of(cluster) if cluster.is_open else ():
            log.warning("%s", leak)
        cluster.raise_bugs()
