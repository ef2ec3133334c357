"""A rule: what it is about, and what is done to it.  Plain frozen data, so that it can be written down.

Knows what rules there can be and how one is said in words.  What makes no sense is refused in `checks`; what
has come of a rule is known to the Fault that it is armed as.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from mockbroker.protocol.errors import ErrorCode

# A test that is gone cannot open its gates; after so long they open by themselves.
LEASE_MS = 60_000


class Place(Enum):
    """Where a rule meets what it is about."""

    # Before the handler: nothing has happened yet.
    ON = "on"
    # The effect is there, and the answer has not left.
    AFTER = "after"
    # On the road between two brokers.
    BETWEEN = "between"
    # On the connections themselves, whatever goes over them.
    NETWORK = "network"


class Kind(Enum):
    """What a rule does."""

    FAIL = "fail"
    DISCONNECT = "disconnect"
    DROP = "drop"
    DELAY = "delay"
    THROTTLE = "throttle"
    CORRUPT = "corrupt"
    TRUNCATE = "truncate"
    HOLD = "hold"
    # What befalls connections.
    PARTITION = "partition"
    HALF_OPEN = "half_open"
    RESET = "reset"
    BANDWIDTH = "bandwidth"
    ACCEPT_THEN_SILENCE = "accept_then_silence"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Action:
    """What is done, with what that needs: an error, a number of bytes, milliseconds, or bytes in a second."""

    kind: Kind
    error: ErrorCode = ErrorCode.NONE
    ms: int = 0
    bytes: int = 0
    rate: int = 0

    def __str__(self) -> str:
        if self.kind is Kind.FAIL:
            return f"fail {self.error.name}"
        if self.kind in (Kind.DELAY, Kind.THROTTLE):
            return f"{self.kind.value} {self.ms / 1_000:g}s"
        if self.kind is Kind.BANDWIDTH:
            return f"bandwidth {self.rate} B/s"
        return f"truncate {self.bytes}" if self.kind is Kind.TRUNCATE else self.kind.value


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do, and to what.

    `what` are the names of APIs or messages, none for all.  `where` are the matchers, each with the values
    that it accepts.  Without counters a rule acts on whatever matches.
    """

    place: Place
    what: tuple[str, ...]
    action: Action
    where: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    nth: int | None = None
    every: int | None = None
    times: int | None = None
    probability: float | None = None
    when: Callable[[Any], object] | None = None
    name: str = ""
    optional: bool = False

    @property
    def subject(self) -> str:
        """What it is about, as it was written: "on JoinGroup group=g nth=3"."""
        everything = "" if self.place is Place.NETWORK else " *"
        told = [
            f"{self.place.value} {' or '.join(self.what)}" if self.what else self.place.value + everything
        ]
        told += [f"{matcher}={'|'.join(map(_said, values))}" for matcher, values in self.where.items()]
        for counter in ("nth", "every", "times", "probability"):
            if (value := getattr(self, counter)) is not None:
                told.append(f"{counter}={value}")
        if self.when is not None:
            told.append(f"when={getattr(self.when, '__name__', 'a function')}")
        return " ".join(told)

    def __str__(self) -> str:
        return f"{self.subject}: {self.action}"


def _said(value: object) -> str:
    # The empty text is a value, too: a client without a name.
    return str(value) or "''"
