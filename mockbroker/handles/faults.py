"""Faults and gates, as a test holds them.

A rule is written as a sentence: where it meets what, and what is done: `faults.on("JoinGroup",
group="billing").fail("NOT_COORDINATOR")`.  Each is a value, and a context manager whose end removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar, Unpack

from mockbroker.core.usage import UsageError
from mockbroker.faults.checks import error_named
from mockbroker.faults.data import action_of
from mockbroker.faults.gate import Gate as CoreGate
from mockbroker.faults.gate import Held
from mockbroker.faults.rule import Kind, Place, Rule
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from types import TracebackType

    from mockbroker.core.call import Call
    from mockbroker.core.durations import Duration
    from mockbroker.core.links import Message
    from mockbroker.faults.book import FaultBook
    from mockbroker.faults.fault import Fault as CoreFault
    from mockbroker.faults.rule import Action
    from mockbroker.handles.door import BlockingDoor, Door, TrioDoor
    from mockbroker.protocol.apis import Api
    from mockbroker.protocol.errors import ErrorCode

Texts = str | Collection[str]
Numbers = int | Collection[int]


class Matching(TypedDict, total=False):
    """What a rule for calls may ask for; each matcher takes one value, or several of which any will do.

    `topic`, `partition`, `group`, `transactional_id`: what the request names.  `client_id`, `member_id`: who
    asks.  `broker`: whom.  `version`: of the request.  `nth`: act on the third match only.  `every`: on each
    second one.  `times`: so often at most.  `probability`: now and then, the same for the same seed.  `when`: a
    function that is given the call, with its decoded `body`, and says yes or no; it runs in the brokers'
    thread.  `name`: to speak of it.  `optional`: it need not ever act.
    """

    topic: Texts
    partition: Numbers
    group: Texts
    transactional_id: Texts
    client_id: Texts
    member_id: Texts
    broker: Numbers
    version: Numbers
    principal: Texts
    nth: int
    every: int
    times: int
    probability: float
    when: Callable[[Call[Any]], object]
    name: str
    optional: bool


class MatchingMessages(TypedDict, total=False):
    """What a rule between brokers may ask for: `source` and `to` are broker ids, or "controller"."""

    source: int | str | Collection[int | str]
    to: int | str | Collection[int | str]
    topic: Texts
    partition: Numbers
    nth: int
    every: int
    times: int
    probability: float
    when: Callable[[Message], object]
    name: str
    optional: bool


class FaultControls:
    """A rule in force.

    >>> fault = cluster.faults.after("Produce", topic="orders", nth=1).disconnect()
    """

    def __init__(self, door: Door, book: FaultBook, fault: CoreFault) -> None:
        self._at = door
        self._book = book
        self._core = fault

    @property
    def name(self) -> str:
        """Its name: as given, or its description."""
        return self._core.name

    @property
    def hits(self) -> int:
        """How often it has acted.

        >>> fault.hits
        1
        """
        return self._core.hits

    @property
    def armed(self) -> bool:
        """Whether it is in force: until `remove`, the end of its `with` block, or a gate's lease."""
        return self._core.armed

    @property
    def optional(self) -> bool:
        """Whether it may be armed and never act without that being a mistake."""
        return self._core.rule.optional

    def explain(self) -> str:
        """What it waits for, how often it has acted, and what it nearly met.

        >>> fault.explain()
        "armed but never hit: on Produce topic=order; 5 Produce requests, none to topic 'order' (they were to: orders)"
        """
        return self._at.do(self._core.explain)

    def remove(self) -> None:
        """Take it out of force; a gate lets go of all that it holds.  Twice is fine.

        >>> fault.remove()
        """
        self._at.do(self._book.remove, self._core)

    def _hit(self, n: int) -> Condition[int]:
        core = self._core
        if n < 1:
            raise UsageError(f"wait_hit({n}): expected a number from 1 up")
        return Condition(
            f"the fault {core.name!r} to have acted {n} time{'' if n == 1 else 's'}",
            lambda: core.hits if core.hits >= n else None,
            core.explain,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Fault(FaultControls):
    """A rule in force, with waits that block."""

    _at: BlockingDoor

    def wait_hit(self, n: int = 1, *, timeout: Duration | None = None) -> int:
        """Wait until it has acted `n` times since it was armed; gives how often it has.

        Raises WaitTimeout after `timeout` (the cluster's `wait` by default), with what it nearly met.

        >>> fault.wait_hit()
        1
        """
        return self._at.wait(self._hit(n), timeout)


class TrioFault(FaultControls):
    """A rule in force, with waits that are awaited."""

    _at: TrioDoor

    async def wait_hit(self, n: int = 1, *, timeout: Duration | None = None) -> int:  # noqa: ASYNC109 - the wait explains itself when it ends
        """Wait until it has acted `n` times; see `Fault.wait_hit`."""
        return await self._at.wait(self._hit(n), timeout)


class GateControls(FaultControls):
    """A rule that holds what it meets, until it is let go.

    >>> gate = cluster.faults.on("SyncGroup", group="billing").hold()
    """

    _core: CoreGate

    @property
    def arrived(self) -> list[Held]:
        """What it holds now, oldest first, and how much waits behind each on the same connection.

        >>> [held.client_id for held in gate.arrived]
        ['app-a', 'app-b']
        """
        return self._at.do(self._look)

    def _look(self) -> list[Held]:
        self._core.renew()
        return [self._with_what_waits(held) for held in self._core.held()]

    def _with_what_waits(self, held: Held) -> Held:
        for connection in self._at.server.connections if held.connection else ():
            if connection.conversation.peer.ordinal == held.connection:
                behind, unread = connection.conversation.waiting, connection.unread_bytes()
                return replace(held, behind=behind, unread_bytes=unread)
        return held

    def release(self, *which: Held | str, rearm: bool = False) -> int:
        """Let go of what it holds, and give how many that were.

        Without arguments everything goes, and the gate stays open: what comes later is not held, unless
        `rearm` says so.  With some of `arrived`, or client ids, these go, in this order, and the gate keeps
        holding.

        >>> gate.release()
        2
        """

        def release() -> int:
            count = self._core.release(self._numbers(which) if which else None)
            if not which and not rearm:
                self._book.remove(self._core)
            return count

        return self._at.do(release)

    def release_one(self) -> int:
        """Let go of the one that it has held longest, if there is one, and keep holding.

        >>> gate.release_one()
        1
        """
        return self._at.do(lambda: self._core.release([held.number for held in self._core.held()[:1]]))

    def fail(self, error: str | ErrorCode, *which: Held | str) -> int:
        """Answer what it holds, or these, with an error, and keep holding.

        >>> gate.fail("REBALANCE_IN_PROGRESS")
        1
        """
        code = error_named(error)
        if self._core.rule.place is Place.BETWEEN:
            raise UsageError(
                "fail: a message between brokers has no error to be answered with; use disconnect()"
            )
        return self._at.do(lambda: self._core.fail(code, self._numbers(which) if which else None))

    def disconnect(self, *which: Held | str) -> int:
        """Break the connections of what it holds, or of these, and keep holding.

        >>> gate.disconnect()
        1
        """
        return self._at.do(lambda: self._core.break_off(self._numbers(which) if which else None))

    def _numbers(self, which: Collection[Held | str]) -> list[int]:
        held = self._core.held()
        numbers = []
        for one in which:
            found = [h.number for h in held if one in (h, h.client_id)]
            if not found:
                there = ", ".join(map(str, held)) or "nothing"
                raise UsageError(f"the gate {self.name!r} does not hold {one}: it holds {there}")
            numbers += found
        return list(dict.fromkeys(numbers))

    def _holding(self, n: int) -> Condition[list[Held]]:
        if n < 1:
            raise UsageError(f"wait_arrived({n}): expected a number from 1 up")

        def look() -> list[Held] | None:
            held = self._core.held()
            return self._look() if len(held) >= n else None

        return Condition(f"the gate {self.name!r} to hold {n}", look, self._core.explain)


class Gate(GateControls, Fault):
    """A rule that holds, with waits that block."""

    _at: BlockingDoor

    def wait_arrived(self, n: int = 1, *, timeout: Duration | None = None) -> list[Held]:
        """Wait until it holds `n` at once, and give them, oldest first.

        Raises WaitTimeout after `timeout` (the cluster's `wait` by default), with what it holds instead.

        >>> gate.wait_arrived()[0].api
        'SyncGroup'
        """
        return self._at.wait(self._holding(n), timeout)


class TrioGate(GateControls, TrioFault):
    """A rule that holds, with waits that are awaited."""

    _at: TrioDoor

    async def wait_arrived(self, n: int = 1, *, timeout: Duration | None = None) -> list[Held]:  # noqa: ASYNC109 - the wait explains itself when it ends
        """Wait until it holds `n` at once; see `Gate.wait_arrived`."""
        return await self._at.wait(self._holding(n), timeout)


FaultT = TypeVar("FaultT", bound=FaultControls)
GateT = TypeVar("GateT", bound=GateControls)


class Subject(Generic[FaultT, GateT]):
    """What a rule is about; one of its methods says what is done, and arms it."""

    def __init__(
        self, make: Callable[[Action], Rule], arm: Callable[[Rule], FaultT], arm_gate: Callable[[Rule], GateT]
    ) -> None:
        self._make = make
        self._arm = arm
        self._arm_gate = arm_gate

    def _armed(self, kind: Kind, value: object = None) -> FaultT:
        return self._arm(self._make(action_of(kind, value)))

    def fail(self, error: str | ErrorCode) -> FaultT:
        """Answer with an error.  With `topic` or `partition`, only what matches gets it, and the rest is served.

        On a call the handler does nothing; after it, the effect is there and the answer denies it.  A produce
        with acks=0 has no answer: its connection is closed, as Kafka does.

        >>> cluster.faults.on("Produce", topic="orders", partition=1).fail("NOT_LEADER_OR_FOLLOWER")
        """
        return self._armed(Kind.FAIL, error)

    def disconnect(self) -> FaultT:
        """Reset the connection instead of answering.

        >>> cluster.faults.after("Produce", topic="orders", nth=1).disconnect()
        """
        return self._armed(Kind.DISCONNECT)

    def drop(self) -> FaultT:
        """Never answer.  The connection stays open, and nothing else is read from it.

        Between brokers the message is lost as on a broken connection, and the broker asks again later.

        >>> cluster.faults.on("Heartbeat", client_id="app-a").drop()
        """
        return self._armed(Kind.DROP)

    def delay(self, duration: Duration) -> FaultT:
        """Let the call, or its answer, wait; in real time, which a frozen clock does not stop.

        Between brokers it is the brokers' time, and messages of the same road stay in order.

        >>> cluster.faults.on("Fetch", broker=2).delay("200ms")
        """
        return self._armed(Kind.DELAY, duration)

    def throttle(self, duration: Duration) -> FaultT:
        """Serve the call, say in the answer that the client is throttled, and read nothing for that long (KIP-219).

        >>> cluster.faults.after("Produce", client_id="greedy").throttle("1s")
        """
        return self._armed(Kind.THROTTLE, duration)

    def corrupt(self) -> FaultT:
        """Flip bits in the answer, sixteen bytes apart; its size and its correlation id stay as they are.

        >>> cluster.faults.after("Fetch", nth=1).corrupt()
        """
        return self._armed(Kind.CORRUPT)

    def truncate(self, bytes: int) -> FaultT:
        """Send so many bytes of the answer, the four of its size among them, and close the connection.

        >>> cluster.faults.after("Metadata", nth=1).truncate(7)
        """
        return self._armed(Kind.TRUNCATE, bytes)

    def hold(self, *, lease: Duration = "60s") -> GateT:
        """Hold what matches until the gate lets it go.

        `lease`: after so much real time without a word from the test the gate lets go of everything and is gone,
        and the history says so.

        >>> with cluster.faults.on("SyncGroup", group="billing").hold() as gate:
        ...     gate.wait_arrived()
        """
        return self._arm_gate(self._make(action_of(Kind.HOLD, lease)))


class FaultsControls(Generic[FaultT, GateT]):
    """All rules of a cluster."""

    _fault: Callable[[Any, FaultBook, CoreFault], FaultT]
    _gate: Callable[[Any, FaultBook, CoreFault], GateT]

    def __init__(self, door: Door, book: FaultBook) -> None:
        self._at = door
        self._book = book

    def on(
        self, api: str | Api | Collection[str | Api] | None, **matchers: Unpack[Matching]
    ) -> Subject[FaultT, GateT]:
        """Meet calls before they are handled: nothing has happened yet.

        `api` is "JoinGroup", Api.JOIN_GROUP, several of them, or "*" for all.  The matchers are those of
        `Matching`.  Raises UsageError for what makes no sense.

        >>> cluster.faults.on("JoinGroup", group="billing", client_id="c2", nth=3).fail("NOT_COORDINATOR")
        """
        return self._subject(Place.ON, api, matchers)

    def after(
        self, api: str | Api | Collection[str | Api] | None, **matchers: Unpack[Matching]
    ) -> Subject[FaultT, GateT]:
        """Meet answers before they leave: the effect is there.  Arguments as for `on`.

        >>> cluster.faults.after("OffsetCommit", group="billing", nth=1).disconnect()
        """
        return self._subject(Place.AFTER, api, matchers)

    def between(
        self, message: str | Collection[str] | None, **matchers: Unpack[MatchingMessages]
    ) -> Subject[FaultT, GateT]:
        """Meet messages between brokers, by Kafka's names: FollowerFetch, AlterPartition, MetadataUpdate and so on.

        They can be dropped, delayed and held.

        >>> cluster.faults.between("MetadataUpdate", to=2).hold()
        """
        return self._subject(Place.BETWEEN, message, matchers)

    def _subject(self, place: Place, what: object, matchers: Any) -> Subject[FaultT, GateT]:
        make = self._book.checker.rule(place, what, matchers)
        return Subject(make, lambda rule: self._wrapped(self._at.do(self._book.arm, rule)), self._armed_gate)

    def _armed_gate(self, rule: Rule) -> GateT:
        return self._gate(self._at, self._book, self._at.do(self._book.arm, rule))

    def _wrapped(self, fault: CoreFault) -> Any:
        # Any: a gate is a fault, too, which the two type variables cannot say.
        make = self._gate if isinstance(fault, CoreGate) else self._fault
        return make(self._at, self._book, fault)

    def dump(self) -> dict[str, Any]:
        """The rules in force as plain data: {"faults": [...]}, for JSON or TOML.

        Raises UsageError if one of them has a `when=`, which is a function.

        >>> cluster.faults.dump()
        {'faults': [{'after': 'Produce', 'topic': 'orders', 'nth': 1, 'do': 'disconnect', 'name': 'lost ack'}]}
        """
        return self._at.do(self._book.dump)

    def load(self, data: object) -> list[FaultT]:
        """Arm rules given as data, as `dump` gives them; all of them, or none if one makes no sense.

        >>> cluster.faults.load([{"on": "JoinGroup", "do": "fail", "error": "NOT_COORDINATOR"}])
        [<Fault on JoinGroup: fail NOT_COORDINATOR>]
        """
        return [self._wrapped(fault) for fault in self._at.do(self._book.load, data)]

    def clear(self) -> None:
        """Remove all rules; gates let go of what they hold.

        >>> cluster.faults.clear()
        """
        self._at.do(self._book.clear)

    def unfired(self) -> list[str]:
        """What a strict test complains of: each rule that never acted and is not optional, explained.

        >>> cluster.faults.unfired()
        []
        """
        return self._at.do(lambda: [fault.explain() for fault in self._book.unfired()])

    def __iter__(self) -> Iterator[FaultT]:
        return iter([self._wrapped(fault) for fault in self._at.do(lambda: list(self._book))])

    def __len__(self) -> int:
        return len(self._book)

    def __bool__(self) -> bool:
        return len(self._book) > 0

    def __repr__(self) -> str:
        return f"<{len(self)} fault{'' if len(self) == 1 else 's'}>"


class Faults(FaultsControls[Fault, Gate]):
    """All rules of a cluster, with waits that block."""

    _fault = Fault
    _gate = Gate


class TrioFaults(FaultsControls[TrioFault, TrioGate]):
    """All rules of a cluster, with waits that are awaited."""

    _fault = TrioFault
    _gate = TrioGate
