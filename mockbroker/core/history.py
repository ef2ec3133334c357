"""What happened, in order: every request that was answered, every client that came and went, every hand on the cluster.

Requests and answers are kept whole, as the bytes that they were: whoever asks later sees all of them.  Bounded
twice: by the number of events, and by what they hold on to.  Decides nothing and words nothing but one line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from mockbroker.core.call import Call
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode
from mockbroker.protocol.headers import is_flexible

if TYPE_CHECKING:
    from mockbroker.core.call import Peer
    from mockbroker.core.clock import Clock
    from mockbroker.protocol.types import BytesLike

# More than anybody reads; a run that makes more has them in its log of the wire.
EVENTS_MAX = 100_000

# What all events together may hold on to, records among it.  An estimate: see `_weight`.
BYTES_MAX = 64 * 1024 * 1024

# What a request, its answer and the entry for both take in memory, without what is long in them: while they are
# messages, and as bytes.
EVENT_BYTES = 1_500
PACKED_BYTES = 600
NOTE_BYTES = 400
STRUCT_BYTES = 300
# How much larger a request is in memory than on the wire; but for records, which stay as they came.
UNPACKED = 4

# Size and correlation id; flexible answers have a byte of tags behind them.
ANSWER_HEAD_BYTES = 8

# Requests on their way to an answer.  A connection has one at a time; only a simulation has more.
OPEN_MAX = 20_000

REQUEST, REFUSED, CONNECTED, CLOSED, ACT, NOTE, WAIT = (
    "request",
    "refused",
    "connected",
    "closed",
    "act",
    "note",
    "wait",
)

_NOTHING: Mapping[str, Any] = MappingProxyType({})

# Whose answers may be long.
_LONG = frozenset(
    {Api.FETCH, Api.METADATA, Api.DESCRIBE_TOPIC_PARTITIONS, Api.DESCRIBE_CONFIGS, Api.JOIN_GROUP}
)
# Whose answers tell how a group stands.
_OF_GROUPS = frozenset({Api.JOIN_GROUP, Api.SYNC_GROUP, Api.LEAVE_GROUP, Api.HEARTBEAT})


class Event:
    """One thing that happened.

    `kind` says what: a request that got its answer ("request"), one that the connection was closed for
    ("refused"), a client that came or went ("connected", "closed"), an act of the test ("act"), something
    worth knowing ("note"), a wait that ended in vain ("wait").  `at_ms` is broker time, `at_us` a stopwatch
    that nobody freezes.
    """

    __slots__ = (
        "_call", "_frame", "_parts", "_response", "act", "answer_version", "api_key", "arrived_us", "at_ms", "at_us",
        "broker", "client_id", "correlation_id", "facts", "kind", "number", "peer", "standing", "told", "touched",
        "version", "weight",
    )  # fmt: skip

    def __init__(
        self, number: int, kind: str, at_ms: int, at_us: int, broker: int, peer: Peer | None, client_id: str
    ) -> None:
        self.number = number
        self.kind = kind
        self.at_ms = at_ms
        self.at_us = at_us
        self.broker = broker
        self.peer = peer
        self.client_id = client_id
        # Of a request: since when it waited, and how its group stood after it.
        self.api_key: Api | None = None
        self.version = self.answer_version = self.correlation_id = 0
        self.arrived_us = at_us
        self.standing = ""
        self.touched: tuple[str, ...] = ()
        # What was said: as messages or, once the answer has left, as bytes.
        self._call: Call[Any] | None = None
        self._response: Any = None
        self._frame: tuple[BytesLike, int] | None = None
        self._parts: BytesLike | tuple[BytesLike, ...] | None = None
        # Of everything else: a sentence, and what it is about in a form that can be looked up.
        self.act = ""
        self.facts: Mapping[str, Any] = _NOTHING
        # What it holds on to, in bytes, and the answer as text where somebody wants that.
        self.weight = NOTE_BYTES
        self.told = ""

    def take(self, call: Call[Any], response: Any) -> None:
        """Be about this request and what came of it."""
        self.api_key = call.api
        self.version = call.version
        self.correlation_id = call.correlation_id
        self.touched = call.touched
        self._call = call
        self._response = response

    def pack(self, version: int, parts: Sequence[BytesLike]) -> None:
        """Keep the bytes of both instead of the messages.

        A message is a dozen objects that Python's garbage collector looks at again and again, as long as they
        live; bytes are none.
        """
        call = self._call
        if call is not None and call.frame is not None:
            self._frame = call.frame
            self._parts = parts[0] if len(parts) == 1 else tuple(parts)
            self.answer_version = version
            self.weight = PACKED_BYTES + len(call.frame[0]) + sum(map(len, parts))
            self._call = self._response = call.kept = None

    def opened(self) -> Event:
        """The same with its messages at hand; itself, where they are."""
        if self._frame is None:
            return self
        api = self.api_key
        assert api is not None, "only requests have frames"
        assert self.peer is not None, "and those who sent them"
        frame, at = self._frame
        body = decode(api.request, self.version, frame, at)
        size = len(frame)
        call = Call(
            api,
            self.version,
            self.correlation_id,
            self.client_id,
            body,
            self.peer,
            size=size,
            frame=self._frame,
        )
        call.touched = self.touched
        event = Event(self.number, self.kind, self.at_ms, self.at_us, self.broker, self.peer, self.client_id)
        event.take(call, self._answer(api))
        event.arrived_us = self.arrived_us
        event.standing = self.standing
        event.weight = self.weight
        event.told = self.told
        return event

    def _answer(self, api: Api) -> Any:
        assert self._parts is not None, "packed with both"
        data = b"".join(self._parts) if isinstance(self._parts, tuple) else self._parts
        tags = api is not Api.API_VERSIONS and is_flexible(api, self.answer_version)
        return decode(api.response, self.answer_version, data, ANSWER_HEAD_BYTES + tags)

    @property
    def call(self) -> Call[Any] | None:
        """The request with its body, of an event that is opened."""
        return self._call

    @property
    def response(self) -> Any:
        """What came of it, of an event that is opened."""
        return self._response

    @property
    def api(self) -> str:
        """The request's name, "Produce"; empty for everything else."""
        return "" if self.api_key is None else self.api_key.title

    @property
    def connection(self) -> int:
        """The number of the connection; 0 where there is none."""
        return 0 if self.peer is None else self.peer.ordinal

    @property
    def outcome(self) -> str:
        """What came of a request, in a word or two."""
        return self.told or _brief(self.opened().response)

    def line(self) -> str:
        """The event as one line of text, the same for the same event on every machine."""
        if self.api_key is not None:
            return (
                f"{self.at_ms} broker {self.broker} connection {self.connection} {self.client_id or '-'}: "
                f"{self.api} v{self.version} #{self.correlation_id} -> {self.outcome}"
            )
        if self.peer is not None:
            who = f"connection {self.connection} {self.client_id or '-'}"
            return f"{self.at_ms} broker {self.broker} {who}: {self.act}"
        return f"{self.at_ms} {'test' if self.broker < 0 else f'broker {self.broker}'}: {self.act}"


class Begun:
    """A request that has come and has no answer yet."""

    __slots__ = ("at_us", "broker", "call")

    def __init__(self, call: Call[Any], broker: int, at_us: int) -> None:
        self.call = call
        self.broker = broker
        self.at_us = at_us


class Listener(Protocol):
    """Who is told of everything as it happens."""

    def asked(self, begun: Begun) -> None:
        """A request has come."""

    def happened(self, event: Event) -> None:
        """Something is in the history."""


class History:
    """The newest events.

    With `outcomes` each answer is kept as text, too, which a simulation wants and a server does not.  Without
    `keeps` nothing is recorded at all.
    """

    __slots__ = (
        "_clock",
        "_number",
        "awaited",
        "bytes_max",
        "dropped",
        "events",
        "held_bytes",
        "keeps",
        "limit",
        "listeners",
        "look",
        "open",
        "outcomes",
        "standing",
        "started_ms",
        "started_us",
        "stopwatch",
    )

    def __init__(self, clock: Clock, limit: int = EVENTS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._clock = clock
        self._number = 0
        self.limit = limit
        self.bytes_max = bytes_max
        self.keeps = True
        self.outcomes = False
        self.events: deque[Event] = deque()
        self.held_bytes = 0
        # How many events were forgotten for newer ones, since the beginning or the last `forget`.
        self.dropped = 0
        self.open: dict[Call[Any], Begun] = {}
        self.listeners: list[Listener] = []
        # Microseconds of some clock that runs on; whoever serves the world gives it a real one.
        self.stopwatch: Callable[[], int] = lambda: clock.now * 1_000
        # How a group stands at a broker, in a few words.
        self.standing: Callable[[int, str], str] = lambda _broker, _group: ""
        # How many wait for a request; what has them look again is the world's.
        self.awaited = 0
        self.look: Callable[[], None] = lambda: None
        self.started_ms = clock.now
        self.started_us = self.stopwatch()

    @property
    def last(self) -> int:
        """The number of the newest event, 0 before the first; numbers are never used again."""
        return self._number

    # -- requests ---------------------------------------------------------------------------------

    def arrived(self, broker: int, call: Call[Any]) -> None:
        """A request has come, and is about to be handled."""
        if not self.keeps and not self.listeners:
            return
        begun = self.open[call] = Begun(call, broker, self.stopwatch())
        if len(self.open) > OPEN_MAX:
            del self.open[next(iter(self.open))]
        for listener in self.listeners:
            listener.asked(begun)

    def record(self, broker: int, call: Call[Any], outcome: Any) -> None:
        """One request got its answer, or whatever it got instead of one."""
        if not self.keeps and not self.listeners:
            return
        begun = self.open.pop(call, None)
        now_us = self.stopwatch()
        api = call.api
        event = Event(self._next(), REQUEST, self._clock.now, now_us, broker, call.peer, call.client_id)
        event.take(call, outcome)
        call.kept = event
        if begun is not None:
            event.arrived_us = begun.at_us
        if api in _OF_GROUPS:
            event.standing = self.standing(broker, call.body.group_id)
        event.weight = EVENT_BYTES + call.size * (1 if api is Api.PRODUCE else UNPACKED)
        if api in _LONG:
            event.weight += _weight(api, outcome)
        if self.outcomes:
            event.told = repr(outcome)
        self._add(event)
        if self.awaited:
            self.look()

    def sealed(self, event: Event, version: int, parts: Sequence[BytesLike]) -> None:
        """The answer to a request leaves, as these bytes."""
        before = event.weight
        event.pack(version, parts)
        if self.events and event.number >= self.events[0].number:
            self.held_bytes += event.weight - before

    def refused(self, broker: int, peer: Peer, client_id: str, why: str, **facts: Any) -> None:
        """A connection is closed for what came over it, which is no request that can be answered."""
        self._say(REFUSED, why, broker, peer, client_id, facts)

    # -- everything else --------------------------------------------------------------------------

    def connected(self, broker: int, peer: Peer) -> None:
        """A client has come."""
        self._say(CONNECTED, "connected", broker, peer, "", {})

    def closed(self, broker: int, peer: Peer, client_id: str, why: str) -> None:
        """A connection is over, whoever ended it; what it was owed nobody will read."""
        for call in [call for call in self.open if call.peer is peer]:
            del self.open[call]
            why += f" before {call.api.title} was answered"
        self._say(CLOSED, why, broker, peer, client_id, {})

    def note(self, broker: int, act: str, **facts: Any) -> Event:
        """Someone did something to a broker."""
        return self._say(ACT, act, broker, None, "", facts)

    def act(self, what: str, **facts: Any) -> Event:
        """The test did something; `facts` are what may be looked up: topic, partition, offset, group."""
        return self._say(ACT, what, -1, None, "", facts)

    def remark(self, text: str, **facts: Any) -> Event:
        """Something that is worth knowing and that no client asked for."""
        return self._say(NOTE, text, -1, None, "", facts)

    def waited(self, text: str, **facts: Any) -> Event:
        """The test gave up waiting for something; `since_us` is when it began to."""
        return self._say(WAIT, text, -1, None, "", facts)

    def _say(
        self, kind: str, text: str, broker: int, peer: Peer | None, client_id: str, facts: Mapping[str, Any]
    ) -> Event:
        event = Event(self._next(), kind, self._clock.now, self.stopwatch(), broker, peer, client_id)
        event.act = text
        event.facts = facts
        event.weight = NOTE_BYTES + len(text)
        self._add(event)
        return event

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _add(self, event: Event) -> None:
        for listener in self.listeners:
            listener.happened(event)
        if not self.keeps:
            return
        events = self.events
        events.append(event)
        self.held_bytes += event.weight
        while self.held_bytes > self.bytes_max or len(events) > self.limit:
            self.held_bytes -= events.popleft().weight
            self.dropped += 1

    # -- as a whole -------------------------------------------------------------------------------

    def since(self, number: int) -> list[Event]:
        """The events after the one with this number, oldest first; costs no more than there are."""
        found: list[Event] = []
        for event in reversed(self.events):
            if event.number <= number:
                break
            found.append(event)
        found.reverse()
        return found

    def forget(self) -> None:
        """Begin anew: times count from now, numbers go on."""
        self.events.clear()
        self.held_bytes = self.dropped = 0
        self.started_ms = self._clock.now
        self.started_us = self.stopwatch()

    def dump(self) -> str:
        """All events, one line each."""
        return "\n".join(event.line() for event in self.events)


def _weight(api: Api, response: Any) -> int:
    """What is long in an answer: stored batches, and lists that grow with the cluster."""
    if api is Api.FETCH:
        topics = getattr(response, "responses", ())
        return sum(STRUCT_BYTES + _bytes_in(part.records) for topic in topics for part in topic.partitions)
    if api is Api.METADATA or api is Api.DESCRIBE_TOPIC_PARTITIONS:
        topics = getattr(response, "topics", ())
        return STRUCT_BYTES * sum(1 + len(topic.partitions) for topic in topics)
    if api is Api.DESCRIBE_CONFIGS:
        return STRUCT_BYTES * sum(len(result.configs) for result in getattr(response, "results", ()))
    if api is Api.JOIN_GROUP:
        return sum(STRUCT_BYTES + len(member.metadata) for member in getattr(response, "members", ()))
    return 0


def _bytes_in(records: Any) -> int:
    if records is None:
        return 0
    return sum(map(len, records)) if isinstance(records, list | tuple) else len(records)


def _brief(outcome: object) -> str:
    """The top-level error of an answer, if it has one."""
    if outcome is None:
        return "no answer"
    code = getattr(outcome, "error_code", None)
    return type(outcome).__name__ if code is None else f"{type(outcome).__name__} {code}"
