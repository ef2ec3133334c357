"""One case against mockbroker, and what it comes to beside the record."""

from __future__ import annotations

from typing import NamedTuple

from conformance.cases.brokers import mock_brokers
from conformance.cases.compare import Difference, Transcript, differences
from conformance.cases.deviations import DEVIATIONS, Deviation
from conformance.cases.stage import Case


class Verdict(NamedTuple):
    """What differs and is not excused, what is excused, and excuses that nobody needs any more."""

    left: list[Difference]
    excused: list[Deviation]
    idle: list[Deviation]


def judged(case: Case, recorded: Transcript) -> Verdict:
    """Play a case on a new mockbroker cluster and compare."""
    with mock_brokers(case.plan) as brokers:
        found = differences(recorded, case.play(brokers))
    listed = [one for one in DEVIATIONS if one.case == case.number]
    needed = [one for one in listed if any(map(one.covers, found))]
    left = [place for place in found if not any(one.covers(place) for one in listed)]
    return Verdict(left, needed, [one for one in listed if one not in needed])
