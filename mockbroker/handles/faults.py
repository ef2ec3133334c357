"""Faults and gates, as a test holds them.

A rule is written as a sentence: where it meets what, and what is done: `faults.on("JoinGroup",
group="billing").fail("NOT_COORDINATOR")`.  Each is a value, and a context manager whose end removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack

from mockbroker.faults.data import action_of
from mockbroker.faults.gate import Gate as CoreGate
from mockbroker.faults.rule import Kind, Place, Rule
from mockbroker.handles.armed import Fault, FaultControls, Gate, GateControls, TrioFault, TrioGate
from mockbroker.handles.network_faults import Connections, MatchingConnections

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.durations import Duration
    from mockbroker.core.links import Message
    from mockbroker.faults.book import FaultBook
    from mockbroker.faults.fault import Fault as CoreFault
    from mockbroker.faults.rule import Action
    from mockbroker.handles.door import Door
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
    transactional_id: Texts
    nth: int
    every: int
    times: int
    probability: float
    when: Callable[[Message], object]
    name: str
    optional: bool


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

    def network(self, **matchers: Unpack[MatchingConnections]) -> Connections[FaultT]:
        """Meet connections themselves, whatever goes over them; the matchers are those of `MatchingConnections`.

        >>> cluster.faults.network(client_id="app-a", broker=1, optional=True).half_open()
        <Fault network client_id=app-a broker=1: half_open>
        """
        make = self._book.checker.rule(Place.NETWORK, None, matchers)
        return Connections(make, lambda rule: self._wrapped(self._at.do(self._book.arm, rule)))

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
