"""Where mockbroker answers otherwise than Kafka, and is left so: each with its day and its reason.

Fewer than ten, or something is wrong with mockbroker.  One that is none any more fails the test.
"""

from __future__ import annotations

from typing import NamedTuple

from conformance.cases.compare import Difference


class Deviation(NamedTuple):
    """One place of one case.  `at` is the end of the place's path, as differences show it."""

    case: str
    step: int
    at: str
    since: str
    reason: str

    def covers(self, place: Difference) -> bool:
        """Whether this is the difference that it speaks of."""
        return place.step == self.step and place.at.endswith(self.at)


DEVIATIONS = [
    Deviation(
        "83a",
        9,
        "topics[0].partitions[0].offset",
        "2026-11-26",
        "the record with the largest time was deleted: Kafka names it as long as its segment is on disk, "
        "although nobody can fetch it; mockbroker names the first one left",
    ),
    Deviation(
        "36a",
        1,
        "heard",
        "2026-11-26",
        "Kafka never answers null records, and nothing else on that connection; a test that hangs tells nobody "
        "what is wrong, so mockbroker answers INVALID_RECORD",
    ),
    Deviation(
        "184a",
        6,
        "value",
        "2026-11-26",
        "a partition that nobody leads when its transaction ends: Kafka drops the marker, and the transaction hangs "
        "there for good; mockbroker writes it when there is a leader",
    ),
]
