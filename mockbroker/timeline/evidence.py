"""What a diagnosis may know: the history, and how things stand when somebody asks.

Plain values, gathered in one step of the world, so that nothing here moves while it is being read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mockbroker.core.event import Begun, Event
from mockbroker.core.groups.views import Generation
from mockbroker.timeline.reading import Names, clean

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member of a group: `present` says whether it has come to the phase that the group is in."""

    id: str
    client_id: str
    session_timeout_ms: int
    present: bool = True


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group: how it stands, what its parked requests wait for, and the generations it has been through."""

    id: str
    state: str = "Dead"
    generation: int = 0
    since_ms: int = 0
    members: Sequence[MemberFacts] = ()
    committed: Mapping[Place, int] = field(default_factory=dict)
    waits: str = ""
    generations: Sequence[Generation] = ()


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that holds readers back."""

    producer_id: int
    first_offset: int


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """A partition as its leader has it; `markers` are the offsets of the control records at its end."""

    topic: str
    index: int
    high_watermark: int = 0
    last_stable: int = 0
    end: int = 0
    markers: Sequence[int] = ()
    transactions: Sequence[OpenTransaction] = ()

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{clean(self.topic)}-{self.index}"


@dataclass(frozen=True, slots=True)
class FaultFacts:
    """A rule of the test: whether it has acted, and what it has to say for itself."""

    name: str
    told: str
    hits: int = 0
    optional: bool = False
    armed: bool = True


@dataclass(frozen=True, slots=True)
class GateFacts:
    """A gate of the test, and the requests that it holds."""

    name: str
    held: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Parked:
    """A client that is owed an answer, and what that waits for."""

    connection: int
    client_id: str
    peer: str
    why: str

    def __str__(self) -> str:
        return f"{clean(self.client_id) or 'a client'} (c{self.connection}): {clean(self.why, 300)}"


@dataclass(frozen=True, slots=True)
class Client:
    """A connection that is open."""

    connection: int
    client_id: str
    software: str
    broker: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All there is to go by."""

    events: Sequence[Event] = ()
    dropped: int = 0
    open: Sequence[Begun] = ()
    parked: Sequence[Parked] = ()
    now_us: int = 0
    now_ms: int = 0
    started_us: int = 0
    started_ms: int = 0
    names: Names = field(default_factory=Names)
    topics: Mapping[str, int] = field(default_factory=dict)
    auto_create: bool = True
    partitions: Mapping[Place, PartitionFacts] = field(default_factory=dict)
    groups: Mapping[str, GroupFacts] = field(default_factory=dict)
    faults: Sequence[FaultFacts] = ()
    gates: Sequence[GateFacts] = ()
    clients: Sequence[Client] = ()
    troubles: Sequence[str] = ()
    keeps: bool = True

    def since_start(self, at_us: int) -> float:
        """Milliseconds from the cluster's start, as the timeline counts them."""
        return (at_us - self.started_us) / 1_000


def span(ms: float) -> str:
    """A stretch of time as people say it: "2.5 ms", "5.0 s", "3 min"."""
    if ms < 1_000:
        return f"{ms:.1f} ms"
    if ms < 120_000:
        return f"{ms / 1_000:.1f} s"
    return f"{ms / 60_000:.0f} min"
