"""The whole page, section by section, with what it comes to at its top.

The same results give the same page, wherever and whenever it is written: the tests rely on that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from conformance.cases.deviations import DEVIATIONS
from conformance.cases.not_yet import NOT_YET, NUMBERS
from conformance.report.agreement import agreement, deviations
from conformance.report.apis import apis
from conformance.report.clients import HERE, THERE, clients, deaths, outcomes
from conformance.report.evidence import ELDER, JUDGE, Agreement, Ending, agreements, answers
from conformance.report.generated import generated, mutations, runs
from conformance.report.markdown import section, table
from conformance.report.suites import suites, tally
from conformance.results import ABOUT, NAMES, load
from mockbroker.options import VERSION

KNOWN = Path(__file__).with_name("known.md")
INTRODUCTION = f"""\
# Compatibility with Apache Kafka {VERSION}

What mockbroker serves, what it refuses, every known difference, and how we know. The judge is a real broker: the same
is asked of Kafka and of mockbroker, and the answers are compared field by field. `nox -s report` writes this page from
what was measured; nobody edits it."""
REGENERATE = f"""\
`nox -s report` plays the cases against mockbroker, beside the recorded answers of Kafka {JUDGE} and {ELDER}, and reads
the kept results of what takes long: seconds, without Java. `nox -s report -- --run` asks real brokers and runs clients
and suites first: hours, with Java, Maven, Go, Node and a Rust toolchain. `mockbroker apis` prints the first table."""


def page() -> str:
    """Play the cases, read the results, and write it all down."""
    return written(agreements())


def written(found: Sequence[Agreement]) -> str:
    """The page, once the cases were played."""
    known = KNOWN.read_text("utf-8").strip()
    parts = [
        INTRODUCTION,
        _at_a_glance(found),
        apis(answers(found)),
        known,
        deviations(),
        agreement(found),
        clients(),
        deaths(),
        suites(),
        generated(),
        section("How this page is made", REGENERATE, _versions()),
    ]
    return "\n\n".join(parts) + "\n"


def _at_a_glance(found: Sequence[Agreement]) -> str:
    judged = [each.judge for each in found]
    elder = [each.elder for each in found if each.elder is not Ending.NOT_ASKED]
    rows = [
        (
            f"cases, Kafka {JUDGE}",
            len(judged),
            judged.count(Ending.AGREES),
            f"{len(DEVIATIONS)} deviations; {len(NOT_YET)} of {NUMBERS} behaviours wait for a feature",
        ),
        (
            f"the same, Kafka {ELDER}",
            len(elder),
            elder.count(Ending.AGREES),
            f"{elder.count(Ending.CHANGED)} show what has changed since",
        ),
        _conversations(),
        *(_stories(target) for target in (HERE, THERE)),
        _suites(),
    ]
    return table(("judge", ">asked", ">agree", ""), rows)


def _conversations() -> tuple[object, ...]:
    sums: Counter[str] = Counter()
    for _, _, numbers in runs():
        sums.update(numbers)
    alike = sums["conversations"] - sums["differences"]
    ends = list(mutations().values())
    noticed = f"{len(ends) - ends.count('never')} of {len(ends)} mistakes made on purpose noticed"
    return "generated conversations", f"{sums['conversations']:,}", f"{alike:,}", noticed


def _stories(target: str) -> tuple[object, ...]:
    ends = [outcome.partition(":")[0] for outcome in outcomes(target)]
    skipped = ends.count("skipped")
    what = f"clients' stories on {target.replace('kafka', 'Kafka')}"
    return what, len(ends) - skipped, ends.count("passed"), f"{skipped} skipped"


def _suites() -> tuple[object, ...]:
    ended = tally()
    ran = ended.total() - ended["empty"]
    return (
        "tests of the peers' suites",
        ran,
        ended["passed"],
        f"{ended['excused']} excused, {ended['empty']} empty",
    )


def _versions() -> str:
    """When each part was measured, and with what."""
    rows = [
        (
            f"{name}: {part}",
            about["date"],
            ", ".join(sorted({_named(of, version) for of, version in about["versions"].items()})),
            about["python"],
        )
        for name in NAMES
        for part, about in load(name).get(ABOUT, {}).items()
    ]
    return table(("what", "when", "versions", "Python"), rows) if rows else ""


def _named(of: str, version: str) -> str:
    """A version beside its name, unless it says it itself."""
    return version if " " in version else f"{of.capitalize() if of == 'kafka' else of} {version}"
