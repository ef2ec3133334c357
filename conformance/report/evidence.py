"""Every case played against mockbroker, and what it comes to beside the recorded answers of real releases.

Plays several cases at once, since most of a case's time is spent listening to silence; in processes, for
kio's modules do not bear to be imported by several threads.
"""

from __future__ import annotations

import logging
import multiprocessing
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from conformance.cases import every
from conformance.cases.changed_since import BEFORE, Change
from conformance.cases.compare import Transcript, differences, load
from conformance.cases.judge import compared, compared_before, heard
from conformance.cases.stage import CASES, Case
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api

# The release that mockbroker emulates, and the last one before Kafka 4.
JUDGE, ELDER = "4.4.0", BEFORE
AT_ONCE = 4
QUESTION = re.compile(r"(\w+) v(\d+)\b")
BY_TITLE = {api.title: api for api in Api}


class Ending(StrEnum):
    """What comparing with one release came to."""

    AGREES = "agrees"
    # It differs, and the difference is on the list.
    DEVIATES = "deviates"
    # An older release answers otherwise, and it is known why.
    CHANGED = "has changed"
    DIFFERS = "differs"
    NOT_ASKED = "-"


@dataclass(frozen=True)
class Agreement:
    """One case. `equal` has the questions whose answers are the judge's: API and version, one for each answer."""

    case: Case
    judge: Ending
    elder: Ending
    changed: Sequence[Change]
    equal: Sequence[tuple[Api, int]]
    # How many things were compared with the judge: answers, and what was seen beside them.
    compared: int


def agreements() -> list[Agreement]:
    """Play every case, in the order of the list."""
    assert every.__all__
    judge, elder = load(JUDGE), load(ELDER)
    # A process that is started anew inherits no thread of whoever calls us.
    afresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, afresh, _be_quiet) as pool:
        told = pool.map(_heard_in, CASES)
        return [
            agreement_of(case, heard, judge.get(number), elder.get(number))
            for (number, case), heard in zip(CASES.items(), told, strict=True)
        ]


def _be_quiet() -> None:
    """Half of the cases are about what a broker complains of."""
    logging.getLogger("mockbroker").setLevel(logging.ERROR)


def _heard_in(number: str) -> Transcript:
    return heard(CASES[number])


def agreement_of(
    case: Case, told: Transcript, judge: Transcript | None, elder: Transcript | None
) -> Agreement:
    """What was heard in a case beside what was recorded, where it was."""
    ending, ending_before = Ending.NOT_ASKED, Ending.NOT_ASKED
    changed: Sequence[Change] = ()
    if judge is not None:
        now = compared(case, judge, told)
        ending = Ending.DIFFERS if now.left else Ending.DEVIATES if now.excused else Ending.AGREES
    if elder is not None:
        before = compared_before(case, elder, told)
        changed = before.changed
        ending_before = Ending.DIFFERS if before.left else Ending.CHANGED if changed else Ending.AGREES
        if ending_before is Ending.AGREES and differences(elder, told):
            ending_before = Ending.DEVIATES
    return Agreement(case, ending, ending_before, changed, _equal(judge or [], told), len(judge or []))


def _equal(recorded: Transcript, told: Transcript) -> list[tuple[Api, int]]:
    """What was asked where the answers are one."""
    unequal = {place.step for place in differences(recorded, told)} if recorded else set()
    asked = [entry["asked"] for step, entry in enumerate(recorded, start=1) if step not in unequal]
    return [each for each in map(question, asked) if each is not None]


def question(asked: str) -> tuple[Api, int] | None:
    """The API and version of a question in a transcript; None for what is no question, or of no served version."""
    if (match := QUESTION.match(asked)) is None:
        return None
    api, version = BY_TITLE.get(match[1]), int(match[2])
    return (api, version) if api in HANDLERS and HANDLERS[api].serves(version) else None


def answers(found: Sequence[Agreement]) -> Counter[tuple[Api, int]]:
    """How many answers of each API and version are the judge's, field by field."""
    return Counter(each for agreement in found for each in agreement.equal)


def kafka_ranges() -> dict[int, str]:
    """What the judge itself advertises: key -> versions, from the fullest answer that it gave to ApiVersions."""
    told = [
        entry["answer"]["api_keys"]
        for transcript in load(JUDGE).values()
        for entry in transcript
        if entry["asked"].startswith("ApiVersions") and "api_keys" in entry["answer"]
    ]
    pairs = [line.split(": ") for line in max(told, key=len)]
    return {int(key): versions for key, versions in pairs}
