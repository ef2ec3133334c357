"""Verdicts, as a test asks for them: everything at once, or one question about a topic or a group.

A failure of the application is a CheckFailed; one of mockbroker's own is another error, and the two are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mockbroker.checkers import consuming, producing
from mockbroker.checkers.case import Case, gather
from mockbroker.checkers.every import verdicts
from mockbroker.checkers.invariants import breaches
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.handles.group_snapshot import coordinator_shard
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.core.world import World
    from mockbroker.handles.door import Door
    from mockbroker.ledger.book import Ledger

__all__ = ["CheckFailed", "MockbrokerBroken", "Outcome", "Report", "Verdict", "Verdicts"]

EXAMPLES = producing.EXAMPLES


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

    def __init__(self, door: Door, ledger: Ledger) -> None:
        self._at = door
        self._ledger = ledger

    def case(self) -> Case:
        """Everything that verdicts rest on, as it is now."""
        return self._at.do(lambda: gather(self._at.world, self._ledger))

    def _judged(self) -> tuple[Case, list[str]]:
        case = gather(self._at.world, self._ledger)
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


def _committed(world: World, group: str, topic: str) -> dict[int, int]:
    shard = coordinator_shard(world, group)
    view = None if shard is None or shard.loading else shard.view(group)
    committed = {} if view is None else view.committed
    return {index: kept.offset for (name, index), kept in sorted(committed.items()) if name == topic}
