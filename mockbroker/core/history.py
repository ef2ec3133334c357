"""What happened, in order: every request that was answered, every client that came and went, every hand on the cluster.

Requests and answers are kept whole, as the bytes that they were: whoever asks later sees all of them.  Bounded
twice: by the number of events, and by what they hold on to.  Decides nothing and words nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mockbroker.core.event import (
    ACT,
    CLOSED,
    CONNECTED,
    NOTE,
    NOTE_BYTES,
    REFUSED,
    REQUEST,
    WAIT,
    Begun,
    Event,
)
from mockbroker.protocol.apis import Api

if TYPE_CHECKING:
    from mockbroker.core.call import Call, Peer
    from mockbroker.core.clock import Clock
    from mockbroker.protocol.types import BytesLike

# More than anybody reads; a run that makes more has them in its log of the wire.
EVENTS_MAX = 100_000

# What all events together may hold on to, records among it.  An estimate: see `_weight`.
BYTES_MAX = 64 * 1024 * 1024

# What a request, its answer and the entry for both take in memory as messages, without what is long in them.
EVENT_BYTES = 1_500
STRUCT_BYTES = 300
# How much larger a request is in memory than on the wire; but for records, which stay as they came.
UNPACKED = 4

# Requests on their way to an answer.  A connection has one at a time; only a simulation has more.
OPEN_MAX = 20_000

# Whose answers may be long.
_LONG = frozenset(
    {Api.FETCH, Api.METADATA, Api.DESCRIBE_TOPIC_PARTITIONS, Api.DESCRIBE_CONFIGS, Api.JOIN_GROUP}
)
# Whose answers tell how a group stands.
_OF_GROUPS = frozenset({Api.JOIN_GROUP, Api.SYNC_GROUP, Api.LEAVE_GROUP, Api.HEARTBEAT})


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
