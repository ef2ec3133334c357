"""Keeps how the suites' tests ended, as conformance/results has it: `suites.json`, a part for each suite.

Written after every test, as a run takes an hour and may be cut short.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance import results
from conformance.suites import kafka_python, librdkafka, sarama
from conformance.suites.outcomes import Outcome, State, expectations, surprise

VERSIONS = {
    "kafka_python": {"kafka-python": kafka_python.VERSION},
    "librdkafka": {"librdkafka": librdkafka.VERSION},
    "sarama": {"sarama": sarama.VERSION.removeprefix("v")},
}
LINE_CHARACTERS_MAX = 200


def part_of(suite: str, way: str = "") -> str:
    """A suite that is run in a second way has a part of its own for that: `kafka_python asyncio`."""
    return f"{suite} {way}".rstrip()


def keep(part: str, name: str, happened: Outcome, folder: Path = results.FOLDER) -> None:
    """Merge one outcome into the file, and take out the tests that the suite has no longer."""
    suite = part.partition(" ")[0]
    expected = expectations(suite)
    gone = dict.fromkeys(_unknown(results.load("suites", folder).get(part, {}), expected))
    results.keep("suites", part, {**gone, name: line(expected[name], happened)}, VERSIONS[suite], folder)


def line(expected: Outcome, happened: Outcome) -> str:
    """The end in one line: with the reason that is expected, or the last words of a surprise."""
    if surprise(expected, happened) is None:
        return expected.line()
    if happened.state is State.PASSED:
        return Outcome(happened.state).line()
    words = " ".join(happened.why.split())
    return Outcome(happened.state, words[-LINE_CHARACTERS_MAX:] or "no reason given").line()


def _unknown(kept: Iterable[str], expected: Iterable[str]) -> list[str]:
    return sorted(set(kept) - set(expected))
