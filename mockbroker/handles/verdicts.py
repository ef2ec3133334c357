"""Verdicts, as a test asks for them: everything at once, or one question about a topic or a group.

A failure of the application is a CheckFailed; one of mockbroker's own is another error, and the two are never mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mockbroker.checkers import consuming, effects, producing
from mockbroker.checkers.case import Case, gather
from mockbroker.checkers.conserving import Flow, Output, not_conserved
from mockbroker.checkers.every import verdicts
from mockbroker.checkers.invariants import breaches
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.core.usage import UsageError
from mockbroker.handles.group_snapshot import coordinator_shard
from mockbroker.handles.partitions import leader_replica
from mockbroker.handles.records import Record, records_of
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.core.world import World
    from mockbroker.handles.door import Door
    from mockbroker.handles.effects import Effects
    from mockbroker.ledger.book import Ledger

__all__ = ["CheckFailed", "MockbrokerBroken", "Outcome", "Report", "Verdict", "Verdicts"]

EXAMPLES = producing.EXAMPLES

# Says of an output which input it was made of: partition and offset, or None for none.
Source = Callable[[Record], tuple[int, int] | None]


class CheckFailed(AssertionError):
    """The application under test, or its settings, did what must not be; the text says what and where."""


class MockbrokerBroken(Exception):
    """An invariant of mockbroker's own is broken: please report it, with the history."""


class Report(Sequence[Verdict]):
    """All verdicts; `str` is a table with the evidence."""

    def __init__(self, found: Sequence[Verdict], dropped: int = 0) -> None:
        self._found = list(found)
        self._dropped = dropped

    def __getitem__(self, index: int) -> Verdict:  # type: ignore[override]  # slices of verdicts are nobody's business
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self._found)

    def of(self, name: str) -> Verdict:
        """The verdict with this name."""
        return next(verdict for verdict in self._found if verdict.name == name)

    @property
    def alarming(self) -> list[Verdict]:
        """Those that no correct client brings about."""
        return [verdict for verdict in self._found if verdict.alarming]

    def __str__(self) -> str:
        lines = [str(verdict) for verdict in self._found]
        if self._dropped:
            lines.append(
                f"the ledger has forgotten its oldest {self._dropped} batches: all this is about the rest"
            )
        return "\n".join(lines)


class Verdicts:
    """What may be asked of the ledger; see `Cluster.check`."""

    def __init__(self, door: Door, ledger: Ledger, effects: Effects) -> None:
        self._at = door
        self._ledger = ledger
        self._effects = effects

    def case(self, *topics: str) -> Case:
        """Everything that verdicts rest on, as it is now; with the records of these topics."""
        return self._at.do(self._gather, *topics)

    def _gather(self, *topics: str) -> Case:
        return gather(self._at.world, self._ledger, *self._effects.seen(), topics)

    def _judged(self) -> tuple[Case, list[str]]:
        case = self._gather()
        return case, breaches(self._at.world, case)

    def check(self, *, raises: bool = True) -> Report:
        """See `Cluster.check`."""
        case, broken = self._at.do(self._judged)
        if broken:
            raise MockbrokerBroken(
                "mockbroker has a bug, and your test has not; please report it with the history:\n"
                + "\n".join(broken[:EXAMPLES])
            )
        report = Report(verdicts(case), case.dropped)
        if raises and report.alarming:
            raise CheckFailed("\n".join(map(str, report.alarming)))
        return report

    def no_loss(self, topic: str) -> None:
        """Every acknowledged record of a topic is there."""
        self._refuse(producing.acked_lost(self.case().about(topic)))

    def no_duplicates(self, topic: str) -> None:
        """No record of a topic was stored twice by a retry."""
        self._refuse(producing.duplicated_by_retry(self.case().about(topic)))

    def at_most_once(self, topic: str, group: str) -> None:
        """No record of a topic was served to a group twice."""
        self._refuse(consuming.duplicated_by_redelivery(self.case().about(topic).of_group(group)))

    def at_least_once(self, topic: str, group: str) -> None:
        """Nothing is lost, and every committed record was served to a group before the group passed it."""
        case = self.case().about(topic).of_group(group)
        for checker in (
            producing.acked_lost,
            consuming.committed_ahead_of_delivery,
            consuming.gap_in_consumption,
        ):
            self._refuse(checker(case))
        if missing := consuming.not_served(case, case.heard):
            examples = "; ".join(producing.told(case, sent) for sent in missing[:EXAMPLES])
            raise CheckFailed(
                f"at_least_once({topic!r}, {group!r}): {len(missing)} batches never served to {group}: {examples}"
            )

    def exactly_once(self, topic: str, group: str) -> None:
        """Each record was stored once, and served to a group once."""
        self.no_duplicates(topic)
        self.at_least_once(topic, group)
        self.at_most_once(topic, group)

    def effects_at_most_once(self, topic: str) -> None:
        """No effect has happened twice."""
        self._refuse(effects.effect_twice(self.case(topic).about(topic)))

    def effects_at_least_once(self, topic: str) -> None:
        """Every committed record has had its effect, though it be the first one that is missing."""
        case = self.case(topic).about(topic)
        if missing := effects.without_effect(case):
            lines = "\n  ".join(effects.missing_told(case, missing))
            raise CheckFailed(f"effects of {topic}: committed records without one: {len(missing)}\n  {lines}")

    def conserved(self, topic: str, to: str, source: Source, group: str | None) -> None:
        """Each committed record of a topic became one committed record of another."""
        case, records, writers, committed = self._at.do(self._flow, topic, to, group)
        # The test's own function runs in the test's own thread.
        outputs = [
            Output((to, one.partition), one.offset, one.key, one.producer_id, _source_of(source, one))
            for one in records
        ]
        inputs = replace(case, readable={p: found for p, found in case.readable.items() if p[0] == topic})
        if wrong := not_conserved(inputs, Flow(topic, outputs, writers, group, committed)):
            raise CheckFailed(f"{topic} is not conserved in {to}:\n  " + "\n  ".join(wrong))

    def _flow(
        self, topic: str, to: str, group: str | None
    ) -> tuple[Case, list[Record], dict[int, str], dict[int, int]]:
        world = self._at.world
        for name in (topic, to):
            if name not in world.controller.image.topics:
                raise UsageError(f"there is no topic {name!r}")
        logs = {
            name: [
                leader_replica(world, name, p.index) for p in world.controller.image.topics[name].partitions
            ]
            for name in (topic, to)
        }
        records = [one for replica in logs[to] for one in records_of(replica, "committed")]
        writers = {
            transaction.record.producer_id: id
            for node in world.nodes.values()
            for shard in node.coordinators.transactions.values()
            for id, transaction in shard.transactions.items()
        }
        committed = {} if group is None else _committed(world, group, topic)
        return self._gather(topic), records, writers, committed

    def committed(self, group: str, topic: str, total: int) -> Condition[dict[int, int]]:
        """A group has committed so many records of a topic, or more, all partitions together."""
        world = self._at.world

        def look() -> dict[int, int] | None:
            found = _committed(world, group, topic)
            return found if sum(found.values()) >= total else None

        def now() -> str:
            return f"{_committed(world, group, topic) or 'nothing'} by partition"

        return Condition(f"group {group} to commit {total} records of {topic}", look, now)

    @staticmethod
    def exactly(group: str, topic: str, total: int, found: dict[int, int]) -> None:
        """It has committed so many, and not more."""
        if sum(found.values()) != total:
            raise CheckFailed(
                f"group {group} has committed {sum(found.values())} records of {topic}, expected {total}: "
                f"{found} by partition"
            )

    @staticmethod
    def _refuse(verdict: Verdict) -> None:
        if verdict.outcome is Outcome.VIOLATED:
            raise CheckFailed(str(verdict))


def _source_of(source: Source, record: Record) -> tuple[int, int] | None:
    """What the test says that a record was made of."""
    match source(record):
        case None:
            return None
        case (int(partition), int(offset)):
            return partition, offset
        case other:
            raise UsageError(
                f"source(record) gave {other!r}: expected (partition, offset) of the input, or None for none"
            )


def _committed(world: World, group: str, topic: str) -> dict[int, int]:
    shard = coordinator_shard(world, group)
    view = None if shard is None or shard.loading else shard.view(group)
    committed = {} if view is None else view.committed
    return {index: kept.offset for (name, index), kept in sorted(committed.items()) if name == topic}
