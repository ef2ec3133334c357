"""What checkers look at: the ledger as it was at one moment, and what the logs and groups say beside it.

Gathered once, so that checkers are pure functions and cannot disagree about when they looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mockbroker.checkers.readable import Readable, readable
from mockbroker.ledger.fates import STORED, UNSEEN, Teller
from mockbroker.ledger.readers import Readers

if TYPE_CHECKING:
    from mockbroker.core.groups.views import Generation
    from mockbroker.core.world import World
    from mockbroker.ledger.book import Ledger
    from mockbroker.ledger.entries import (
        Committed,
        Decided,
        Effect,
        Election,
        Ended,
        Joined,
        Place,
        Resolved,
        Sent,
        Served,
        Written,
    )


@dataclass(frozen=True, slots=True)
class Aborted:
    """An aborted transaction in a partition: its producer, and the offsets between which it lies."""

    place: Place
    producer_id: int
    start: int
    end: int


@dataclass(frozen=True)
class Case:
    """Everything that a verdict may rest on.  `states` are those of `sent`, in the same order.

    `elections` are of the partitions that there are; the first of each is the one that made it.
    """

    sent: Sequence[Sent]
    states: Sequence[str]
    served: Sequence[Served] = ()
    committed: Sequence[Committed] = ()
    resolved: Sequence[Resolved] = ()
    joined: Sequence[Joined] = ()
    generations: Mapping[str, Sequence[Generation]] = field(default_factory=dict)
    aborted: Sequence[Aborted] = ()
    elections: Mapping[tuple[Place, bytes], Sequence[Election]] = field(default_factory=dict)
    # Ends of transactions; `written_states` are those of `written`, in the same order.
    ended: Sequence[Ended] = ()
    decided: Sequence[Decided] = ()
    written: Sequence[Written] = ()
    written_states: Sequence[str] = ()
    # Of transactions, what has a number up to this one is not all there.
    since: int = 0
    started_us: int = 0
    # How much was forgotten: a verdict over half a story says so.
    dropped: int = 0
    # What the application said that it has done, and the records of the topics that this is about.
    effects: Sequence[Effect] = ()
    readable: Mapping[Place, Readable] = field(default_factory=dict)
    # The newest offset of each partition whose effects may have been forgotten for newer ones.
    effects_forgotten: Mapping[Place, int] = field(default_factory=dict)

    def at(self, at_us: int) -> str:
        """A time, as evidence has it."""
        return f"t+{(at_us - self.started_us) / 1_000:.1f} ms"

    def with_states(self) -> Iterator[tuple[Sent, str]]:
        """Every batch that was sent, and what became of it."""
        return zip(self.sent, self.states, strict=True)

    def present(self) -> list[Sent]:
        """The batches that a leader has, each once, in the order of sending."""
        return [
            sent for sent, state in self.with_states() if state in (STORED, UNSEEN) and not sent.duplicate
        ]

    @cached_property
    def heard(self) -> list[Served]:
        """What was served and has left the broker."""
        return [one for one in self.served if not one.lost]

    @cached_property
    def readers(self) -> Readers:
        """Who read for which group."""
        return Readers(self.generations, self.joined)

    def given(self, group: str) -> list[Served]:
        """What this group's members may have been given: all that clients of their names were."""
        return [one for one in self.heard if group in self.readers.groups(one.client_id)]

    def about(self, topic: str) -> Case:
        """The part that is about one topic."""
        pairs = [(sent, state) for sent, state in self.with_states() if sent.place[0] == topic]
        return replace(
            self,
            sent=[sent for sent, _ in pairs],
            states=[state for _, state in pairs],
            served=[one for one in self.served if one.place[0] == topic],
            committed=[one for one in self.committed if one.place[0] == topic],
            resolved=[one for one in self.resolved if one.place[0] == topic],
            aborted=[one for one in self.aborted if one.place[0] == topic],
            effects=[one for one in self.effects if one.place[0] == topic],
            readable={place: found for place, found in self.readable.items() if place[0] == topic},
        )

    def of_group(self, group: str) -> Case:
        """The part that is about one group.  Who belongs to other groups stays known, for names may be shared."""
        clients = {one.client_id for one in self.joined if one.group == group}
        return replace(
            self,
            served=[one for one in self.served if one.client_id in clients],
            committed=[one for one in self.committed if one.group == group],
            resolved=[one for one in self.resolved if one.client_id in clients],
        )


def gather(
    world: World,
    ledger: Ledger,
    effects: Sequence[Effect] = (),
    forgotten: Mapping[Place, int] | None = None,
    topics: Sequence[str] = (),
) -> Case:
    """The case as it stands now; nothing in it changes any more.

    Records are read of topics that effects are about, and of `topics`.
    """
    teller, notes = Teller(world, ledger), ledger.transactions
    sent = [copy(one) for one in ledger.attempts()]
    partitions = {(one.place, one.topic_id) for one in sent}
    return Case(
        sent=sent,
        states=[teller.state(one) for one in sent],
        served=[copy(one) for one in ledger.served],
        committed=[copy(one) for one in ledger.committed],
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
        elections={(place, id): ledger.elections(id, place[1]) for place, id in partitions},
        ended=[copy(one) for one in notes.ended],
        decided=[copy(one) for one in notes.decided],
        written=list(notes.written),
        written_states=[teller.state(one) for one in notes.written],
        since=notes.since,
        started_us=world.history.started_us,
        dropped=ledger.dropped,
        effects=effects,
        readable={
            place: found
            for topic in dict.fromkeys([*topics, *(effect.place[0] for effect in effects)])
            for place, found in readable(world, topic).items()
        },
        effects_forgotten=forgotten or {},
    )
