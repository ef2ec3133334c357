"""What checkers look at: the ledger as it was at one moment, and what the logs and groups say beside it.

Gathered once, so that checkers are pure functions and cannot disagree about when they looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.ledger.fates import Teller

if TYPE_CHECKING:
    from mockbroker.core.groups.views import Generation
    from mockbroker.core.world import World
    from mockbroker.ledger.book import Ledger
    from mockbroker.ledger.entries import Committed, Joined, Place, Resolved, Sent, Served


@dataclass(frozen=True, slots=True)
class Aborted:
    """An aborted transaction in a partition: its producer, and the offsets between which it lies."""

    place: Place
    producer_id: int
    start: int
    end: int


@dataclass(frozen=True)
class Case:
    """Everything that a verdict may rest on.  `states` are those of `sent`, in the same order."""

    sent: Sequence[Sent]
    states: Sequence[str]
    served: Sequence[Served] = ()
    committed: Sequence[Committed] = ()
    resolved: Sequence[Resolved] = ()
    joined: Sequence[Joined] = ()
    generations: Mapping[str, Sequence[Generation]] = field(default_factory=dict)
    aborted: Sequence[Aborted] = ()
    started_us: int = 0
    # How much was forgotten: a verdict over half a story says so.
    dropped: int = 0

    def at(self, at_us: int) -> str:
        """A time, as evidence has it."""
        return f"t+{(at_us - self.started_us) / 1_000:.1f} ms"


def gather(world: World, ledger: Ledger) -> Case:
    """The case as it stands now."""
    teller = Teller(world, ledger)
    sent = ledger.attempts()
    return Case(
        sent=sent,
        states=[teller.state(one) for one in sent],
        served=list(ledger.served),
        committed=list(ledger.committed),
        resolved=list(ledger.resolved),
        joined=list(ledger.joined),
        generations={group: list(world.chronicle.of(group)) for group in world.chronicle.groups()},
        aborted=[
            Aborted(place, one.producer_id, one.first_offset, one.last_offset)
            for node in world.nodes.values()
            for place, replica in node.replicas.items()
            if replica.leading
            for one in replica.producers.aborted
        ],
        started_us=world.history.started_us,
        dropped=ledger.dropped,
    )
