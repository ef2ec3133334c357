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
from mockbroker.checkers.ranges import NOTHING, served_ranges
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.handles.group_snapshot import coordinator_shard
from mockbroker.ledger.fates import STORED

if TYPE_CHECKING:
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

    def check(self, *, raises: bool = True) -> Report:
        """See `Cluster.check`."""
        if broken := self._at.do(lambda: breaches(self._at.world)):
            raise MockbrokerBroken(
                "mockbroker has a bug, and your test has not; please report it with the history:\n"
                + "\n".join(broken[:EXAMPLES])
            )
        case = self.case()
        report = Report(verdicts(case), case.dropped)
        if raises and report.alarming:
            raise CheckFailed("\n".join(map(str, report.alarming)))
        return report

    def no_loss(self, topic: str) -> None:
        """Every acknowledged record of a topic is there."""
        self._refuse(producing.acked_lost(_about(self.case(), topic)))

    def no_duplicates(self, topic: str) -> None:
        """No record of a topic was stored twice by a retry."""
        self._refuse(producing.duplicated_by_retry(_about(self.case(), topic)))

    def at_most_once(self, topic: str, group: str) -> None:
        """No record of a topic was served to a group twice."""
        self._refuse(consuming.duplicated_by_redelivery(_of_group(_about(self.case(), topic), group)))

    def at_least_once(self, topic: str, group: str) -> None:
        """Nothing is lost, and every committed record was served to a group before the group passed it."""
        case = _of_group(_about(self.case(), topic), group)
        for checker in (
            producing.acked_lost,
            consuming.committed_ahead_of_delivery,
            consuming.gap_in_consumption,
        ):
            self._refuse(checker(case))
        if missing := _not_served(case):
            raise CheckFailed(f"at_least_once({topic!r}, {group!r}): never served to {group}: " + missing)

    def exactly_once(self, topic: str, group: str) -> None:
        """Each record was stored once, and served to a group once."""
        self.no_duplicates(topic)
        self.at_least_once(topic, group)
        self.at_most_once(topic, group)

    def committed(self, group: str, topic: str, total: int) -> None:
        """A group has committed so many records of a topic, all partitions together."""
        found = self._at.do(lambda: self._committed(group, topic))
        if sum(found.values()) != total:
            raise CheckFailed(
                f"group {group} has committed {sum(found.values())} records of {topic}, expected {total}: "
                f"{found or 'nothing'} by partition"
            )

    def _committed(self, group: str, topic: str) -> dict[int, int]:
        shard = coordinator_shard(self._at.world, group)
        view = None if shard is None or shard.loading else shard.view(group)
        committed = {} if view is None else view.committed
        return {index: kept.offset for (name, index), kept in sorted(committed.items()) if name == topic}

    @staticmethod
    def _refuse(verdict: Verdict) -> None:
        if verdict.outcome is Outcome.VIOLATED:
            raise CheckFailed(str(verdict))


def _about(case: Case, topic: str) -> Case:
    """The part of a case that is about one topic."""
    pairs = [
        (sent, state) for sent, state in zip(case.sent, case.states, strict=True) if sent.place[0] == topic
    ]
    return Case(
        sent=[sent for sent, _ in pairs],
        states=[state for _, state in pairs],
        served=[one for one in case.served if one.place[0] == topic],
        committed=[one for one in case.committed if one.place[0] == topic],
        resolved=[one for one in case.resolved if one.place[0] == topic],
        joined=case.joined,
        generations=case.generations,
        aborted=[one for one in case.aborted if one.place[0] == topic],
        started_us=case.started_us,
        dropped=case.dropped,
    )


def _of_group(case: Case, group: str) -> Case:
    """The part of a case that is about one group's members."""
    clients = consuming.clients_of(case, group)
    return Case(
        sent=case.sent,
        states=case.states,
        served=[one for one in case.served if one.client_id in clients],
        committed=[one for one in case.committed if one.group == group],
        resolved=[one for one in case.resolved if one.client_id in clients],
        joined=[one for one in case.joined if one.group == group],
        generations={group: case.generations.get(group, ())},
        aborted=case.aborted,
        started_us=case.started_us,
        dropped=case.dropped,
    )


def _not_served(case: Case) -> str:
    """The first records that are stored, can be read, and were never served."""
    ranges = served_ranges(case.served)
    missing = [
        sent
        for sent, state in zip(case.sent, case.states, strict=True)
        if state == STORED and not sent.duplicate
        if not ranges.get(sent.place, NOTHING).covers(sent.base_offset, sent.end_offset)
    ]
    return "; ".join(producing.told(case, sent) for sent in missing[:EXAMPLES])
