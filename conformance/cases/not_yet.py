"""Cases of the list that have no story yet, for mockbroker has not what they are about.

Each names the API whose appearance turns it on: once mockbroker advertises it, a test fails until the case
is written.  An empty API means a release or a message format that is not emulated.
"""

from __future__ import annotations

from typing import NamedTuple

# How many numbers the list has: 204 behaviours, what random conversations found behind them, and later ones.
NUMBERS = 226


class NotYet(NamedTuple):
    """One number of the list."""

    number: int
    waits_for: str
    api: str = ""


def _numbers(numbers: str, waits_for: str, api: str = "") -> list[NotYet]:
    found: list[NotYet] = []
    for part in numbers.split():
        first, _, last = part.partition("-")
        found += [NotYet(number, waits_for, api) for number in range(int(first), int(last or first) + 1)]
    return found


NOT_YET = [
    *_numbers("2 15", "releases before 4.0"),
    *_numbers("45 46 66 79 88", "message formats before v2"),
    *_numbers("16", "security", "SaslHandshake"),
    *_numbers("25", "security", "DescribeAcls"),
    *_numbers("26 27 86 90 101 106", "faults, and random schedules"),
    *_numbers("139-149", "KIP-848 groups", "ConsumerGroupHeartbeat"),
    *_numbers("150-158", "share groups", "ShareFetch"),
    *_numbers("191", "reassignments", "AlterPartitionReassignments"),
    *_numbers("192-200 202", "security", "SaslHandshake"),
    *_numbers("201", "quotas", "AlterClientQuotas"),
    *_numbers("204", "telemetry", "GetTelemetrySubscriptions"),
]
