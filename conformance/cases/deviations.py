"""Where mockbroker answers otherwise than Kafka, and is left so: each with its day and its reason.

Fewer than ten, or something is wrong with mockbroker.  One that is none any more fails the test.
"""

from __future__ import annotations

from typing import NamedTuple


class Deviation(NamedTuple):
    """One place of one case.  `at` is the end of the place's path, as differences show it."""

    case: str
    step: int
    at: str
    since: str
    reason: str


DEVIATIONS: list[Deviation] = []
