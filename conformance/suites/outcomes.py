"""How a foreign test ended, how it was expected to end, and what to think of the difference.

The expectations are data: one file for each suite, one line for each test.  Knows no suite and no broker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

EXPECTED = Path(__file__).parent / "expected"

# What mockbroker does not have and says so; the only reasons for which a test may fail here that passes on
# a real Kafka.
MISSING_FEATURES = frozenset(
    {
        "ACLs",
        "KIP-848 groups",
        "SASL",
        "TLS",
        "log directories",
        "message formats before v2",
        "quotas",
        "reassignment",
        "settings that nothing acts on yet",
        "share groups",
        "transactions",
    }
)
# Nobody is held to what a real Kafka does not pass either.
KAFKA_FAILS_TOO = "a real Kafka fails it, too"


class State(StrEnum):
    """The three ends of a test."""

    PASSED = "passed"
    FAILED = "failed"
    # It ran nothing: skipped, or left out by its own suite. Never counted as passed.
    EMPTY = "empty"


@dataclass(frozen=True)
class Outcome:
    """One end, and why: the words of the suite, or of the list of expectations."""

    state: State
    why: str = ""

    @classmethod
    def read(cls, line: str) -> Outcome:
        """Of `passed`, `failed: transactions` or `empty: needs a broker of 0.10`."""
        state, _, why = line.partition(": ")
        return cls(State(state), why)

    def line(self) -> str:
        """What `read` reads."""
        return f"{self.state}: {self.why}" if self.why else str(self.state)


def expectations(suite: str) -> dict[str, Outcome]:
    """How each test of the suite is expected to end."""
    lines = json.loads((EXPECTED / f"{suite}.json").read_text())["tests"]
    return {name: Outcome.read(line) for name, line in lines.items()}


def surprise(expected: Outcome, happened: Outcome) -> str | None:
    """What to tell if a test ended otherwise than expected. A failure less is a surprise as well."""
    if happened.state is expected.state:
        return None
    reason = f" ({expected.why})" if expected.why else ""
    return f"expected to end {expected.state}{reason}, ended {happened.state}: {happened.why or 'no reason given'}"
