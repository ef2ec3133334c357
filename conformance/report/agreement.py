"""Case by case: which behaviours were asked of Kafka, and where mockbroker answers alike, otherwise or not yet."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence

from conformance.cases.deviations import DEVIATIONS
from conformance.cases.not_yet import NOT_YET
from conformance.cases.stage import CASES
from conformance.report.evidence import ELDER, JUDGE, Agreement, Ending
from conformance.report.markdown import count, details, ranges, section, table
from conformance.results import ABOUT, load


def agreement(found: Sequence[Agreement]) -> str:
    """The section about cases."""
    head = ("area", ">cases", ">agree", ">deviate", ">differ", ">compared")
    rows = [_area(area, [each for each in found if each.case.area == area]) for area in _areas(found)]
    return section(
        "Case by case",
        f"A case is a short story over raw requests. Everything that Kafka {JUDGE} answered in it was recorded and is "
        "compared whole. What random conversations found first has become a case, too.",
        _live(),
        table(head, rows),
        details(f"All {count(len(found), 'case')}", _all(found)),
        details(f"Not yet: {count(len(NOT_YET), 'behaviour')} that wait for a feature", _waiting()),
    )


def deviations() -> str:
    """The section about what mockbroker answers otherwise on purpose."""
    rows = [(one.since, f"{one.case}: {CASES[one.case].title}", one.reason) for one in DEVIATIONS]
    return section(
        "Deviations", "Found by a case, and left as they are.", table(("since", "case", "why"), rows)
    )


def _areas(found: Sequence[Agreement]) -> list[str]:
    return list(dict.fromkeys(each.case.area for each in found))


def _live() -> str:
    """When real brokers were asked all of it for the last time, and what they said."""
    kept = load("cases")
    said = [
        f"Kafka {release} was asked {count(ended['cases'], 'case')} live on {kept[ABOUT][release]['date']}: "
        + (
            f"{ended['changed']} answered otherwise than recorded, {ended['failed']} failed."
            if any(ended[what] for what in ("changed", "failed"))
            else "every answer was as recorded."
        )
        for release, ended in kept.items()
        if release != ABOUT
    ]
    return " ".join(said)


def _area(area: str, found: Sequence[Agreement]) -> tuple[object, ...]:
    ended = Counter(each.judge for each in found)
    different = ended[Ending.DIFFERS] + ended[Ending.NOT_ASKED]
    answers = sum(each.compared for each in found)
    return _about(area), len(found), ended[Ending.AGREES], ended[Ending.DEVIATES], different, f"{answers:,}"


def _about(area: str) -> str:
    """What the first sentence of the area's file says that it is about."""
    said = sys.modules[f"conformance.cases.{area}"].__doc__ or area
    return re.split(r"[.\n]", said.partition(": ")[2])[0]


def _all(found: Sequence[Agreement]) -> str:
    rows = [(each.case.number, each.case.title, each.judge, _before(each)) for each in found]
    return table(("case", "what", JUDGE, ELDER), rows)


def _before(each: Agreement) -> str:
    """What the older release says to it, and why that has changed; or since when it can be asked."""
    if not each.case.suits(ELDER):
        return f"from {'.'.join(map(str, each.case.since))} on"
    return "; ".join(dict.fromkeys(change.reason for change in each.changed)) or str(each.elder)


def _waiting() -> str:
    reasons = dict.fromkeys(one.waits_for for one in NOT_YET)
    numbers = {why: [one.number for one in NOT_YET if one.waits_for == why] for why in reasons}
    rows = [(why, len(of), ranges(of)) for why, of in numbers.items()]
    return table(("waits for", ">behaviours", "their numbers"), rows)
