"""What happened, in order: every request that was answered, and every hand on the cluster.

A bounded ring.  It keeps what was decided and not the records themselves, so that a long run costs no more
memory than a short one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.clock import Clock

# About 20 MB when full.
EVENTS_MAX = 100_000


@dataclass(slots=True)
class Event:
    """One answered request (`api` set) or one act on the cluster (`act` set)."""

    at_ms: int
    broker: int
    api: str = ""
    version: int = 0
    client_id: str = ""
    connection: int = 0
    correlation_id: int = 0
    outcome: str = ""
    act: str = ""

    def line(self) -> str:
        """The event as one line of text, the same for the same event on every machine."""
        if self.act:
            return f"{self.at_ms} broker {self.broker}: {self.act}"
        return (
            f"{self.at_ms} broker {self.broker} connection {self.connection} {self.client_id or '-'}: "
            f"{self.api} v{self.version} #{self.correlation_id} -> {self.outcome}"
        )


class History:
    """The newest events.

    With `outcomes` each answer is kept as text, which a simulation wants and a server does not.
    """

    __slots__ = ("_clock", "dropped", "events", "outcomes")

    def __init__(self, clock: Clock, limit: int = EVENTS_MAX) -> None:
        self._clock = clock
        self.events: deque[Event] = deque(maxlen=limit)
        self.dropped = 0
        self.outcomes = False

    def record(self, broker: int, call: Call[Any], outcome: object) -> None:
        """One request got its answer."""
        text = repr(outcome) if self.outcomes else _brief(outcome)
        self._add(
            Event(
                at_ms=self._clock.now,
                broker=broker,
                api=call.api.title,
                version=call.version,
                client_id=call.client_id,
                connection=call.peer.ordinal,
                correlation_id=call.correlation_id,
                outcome=text,
            )
        )

    def note(self, broker: int, act: str) -> None:
        """Someone did something to a broker."""
        self._add(Event(self._clock.now, broker, act=act))

    def _add(self, event: Event) -> None:
        if len(self.events) == self.events.maxlen:
            self.dropped += 1
        self.events.append(event)

    def dump(self) -> str:
        """All events, one line each."""
        return "\n".join(event.line() for event in self.events)


def _brief(outcome: object) -> str:
    """The top-level error of an answer, if it has one; bodies are not kept."""
    if outcome is None:
        return "no answer"
    code = getattr(outcome, "error_code", None)
    return type(outcome).__name__ if code is None else f"{type(outcome).__name__} {code}"
