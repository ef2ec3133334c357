"""The peers' own test suites: how many of their tests end how, and what excuses those that fail."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from conformance.report.markdown import details, section, table
from conformance.results import ABOUT, load
from conformance.suites.outcomes import KAFKA_FAILS_TOO, MISSING_FEATURES, Outcome, State


def suites() -> str:
    """The section about suites."""
    kept = load("suites")
    parts = {name: part for name, part in kept.items() if name != ABOUT}
    rows = [(_named(name, kept), *_counts(part)) for name, part in parts.items()]
    return section(
        "The peers' own suites",
        "The integration tests that client libraries run against a real Kafka, run against mockbroker. A test may fail "
        "if a feature that is missing has a name, or if Kafka fails it, too; a test that ran nothing is empty and "
        "never counted as passed.",
        table(("suite", ">tests", ">passed", ">excused", ">empty", ">failed"), rows)
        if rows
        else "Nothing is kept yet.",
        details("What excuses whom", _excused(parts)) if rows else "",
        _failures(parts),
    )


def tally() -> Counter[str]:
    """How many tests of all suites ended how."""
    kept = load("suites")
    return Counter(end_of(line) for name, part in kept.items() if name != ABOUT for line in part.values())


def _named(part: str, kept: Mapping[str, Any]) -> str:
    """The suite with its version, and the way in which it was run if there are several."""
    suite, _, way = part.partition(" ")
    versions = kept[ABOUT].get(part, {}).get("versions", {})
    said = ", ".join(f"{of} {version}" for of, version in versions.items()) or suite
    return f"{said}, {way}" if way else said


def _counts(part: Mapping[str, str]) -> tuple[int, ...]:
    ends = Counter(map(end_of, part.values()))
    return len(part), ends["passed"], ends["excused"], ends["empty"], ends["failed"]


def end_of(line: str) -> str:
    """`excused` is a failure whose reason is a missing feature, or that Kafka shares."""
    outcome = Outcome.read(line)
    if outcome.state is State.FAILED and outcome.why in MISSING_FEATURES | {KAFKA_FAILS_TOO}:
        return "excused"
    return str(outcome.state)


def _excused(parts: Mapping[str, Mapping[str, str]]) -> str:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, part in parts.items():
        for test, line in part.items():
            if end_of(line) in ("excused", "empty"):
                outcome = Outcome.read(line)
                found[f"{outcome.state}: {outcome.why}", name].append(test)
    rows = [(why, name, len(tests), ", ".join(tests)) for (why, name), tests in sorted(found.items())]
    return table(("why", "suite", ">tests", "which"), rows)


def _failures(parts: Mapping[str, Mapping[str, str]]) -> str:
    rows = [
        (name, test, Outcome.read(line).why)
        for name, part in parts.items()
        for test, line in part.items()
        if end_of(line) == "failed"
    ]
    return "Failed:\n\n" + table(("suite", "test", "what"), rows) if rows else ""
