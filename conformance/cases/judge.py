"""One case against mockbroker, and what it comes to beside the record."""

from __future__ import annotations

from typing import NamedTuple

from conformance.cases.brokers import mock_brokers
from conformance.cases.changed_since import CHANGES, Change
from conformance.cases.compare import Difference, Transcript, differences
from conformance.cases.deviations import DEVIATIONS, Deviation
from conformance.cases.stage import Case


class Verdict(NamedTuple):
    """What differs and is not excused, what is excused, and excuses that nobody needs any more."""

    left: list[Difference]
    excused: list[Deviation]
    idle: list[Deviation]


class VerdictBefore(NamedTuple):
    """Beside the record of an older release: what differs without a reason, and reasons for no difference."""

    left: list[Difference]
    changed: list[Change]
    idle: list[Change]


def heard(case: Case) -> Transcript:
    """What a new mockbroker cluster says in this case."""
    with mock_brokers(case.plan) as brokers:
        return case.play(brokers)


def judged(case: Case, recorded: Transcript) -> Verdict:
    """Play a case on mockbroker and compare."""
    return compared(case, recorded, heard(case))


def compared(case: Case, recorded: Transcript, heard: Transcript) -> Verdict:
    """Compare what was heard of mockbroker with the record of the release that it emulates."""
    found = differences(recorded, heard)
    listed = [one for one in DEVIATIONS if one.case == case.number]
    needed = [one for one in listed if any(map(one.covers, found))]
    left = [place for place in found if not any(one.covers(place) for one in listed)]
    return Verdict(left, needed, [one for one in listed if one not in needed])


def compared_before(case: Case, recorded: Transcript, heard: Transcript) -> VerdictBefore:
    """The same with the record of a release before it: what has changed since has its reason, too."""
    deviations = [one for one in DEVIATIONS if one.case == case.number]
    changes = [one for one in CHANGES if one.names(case.number)]
    found = differences(recorded, heard)
    left = [
        place
        for place in found
        if not any(one.explains(place) for one in changes)
        and not any(one.covers(place) for one in deviations)
    ]
    needed = [one for one in changes if any(map(one.explains, found))]
    return VerdictBefore(left, needed, [one for one in changes if one not in needed])
