"""The points at which a story is cut, and what came of each: the verdict of the ledger.

A point is the n-th request of one kind, before it is handled or once it is done and before it is answered; what comes
in any number, as fetches do, is cut at the first few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

from conformance.sweep.story import RECORDS, TOPIC, Mode, tell
from mockbroker import Cluster
from mockbroker.checkers.verdict import Outcome

# Their number hangs on time, and the later ones are like the first.
REPEATED_MAX = 3
REPEATED = ("Fetch", "Heartbeat", "Metadata", "ApiVersions", "FindCoordinator", "OffsetCommit")
Phase = Literal["before", "after"]
# Stories wait most of their time, for the clients' own timers.
AT_A_TIME = 4


@dataclass(frozen=True)
class Point:
    """Where the connection is cut; without an API, nowhere."""

    api: str = ""
    nth: int = 0
    phase: Phase = "before"

    def __str__(self) -> str:
        return f"{self.phase} {self.api} {self.nth}" if self.api else "not cut"


@dataclass(frozen=True)
class Verdict:
    """What became of the records when the story was cut there."""

    point: Point
    acknowledged: int
    stored: int
    lost: int
    duplicated: int
    redelivered: int
    # What the ledger found VIOLATED, and whatever kept the story from its end.
    violated: tuple[str, ...]
    # Whether one of these is what no correct client brings about.
    alarming: bool
    stuck: str

    @property
    def harmless(self) -> bool:
        """Whether everything that was sent is there once, and was read once."""
        nothing = not (self.lost or self.duplicated or self.redelivered or self.stuck)
        return nothing and self.acknowledged == RECORDS


def cut_at(point: Point, client: str, mode: Mode) -> tuple[Verdict, Counter[str]]:
    """Tell the story, cut there; gives the verdict, and how many requests of each kind there were."""
    with Cluster(brokers=3, seed=1, strict_faults=False) as cluster:
        matching = cluster.faults.on if point.phase == "before" else cluster.faults.after
        fault = matching(point.api, nth=point.nth).disconnect() if point.api else nullcontext()
        with fault:
            told = tell(cluster, client, mode)
        report = cluster.check(raises=False)
        stored = cluster.topic(TOPIC).values()
        lost = set(told.acknowledged) - set(stored)
        verdict = Verdict(
            point,
            acknowledged=len(told.acknowledged),
            stored=len(stored),
            lost=len(lost),
            duplicated=len(stored) - len(set(stored)),
            redelivered=len(told.received) - len(stored) if len(told.received) > len(stored) else 0,
            violated=tuple(each.name for each in report if each.outcome is Outcome.VIOLATED),
            alarming=any(each.alarming for each in report),
            stuck=told.stuck,
        )
        return verdict, Counter(event.api for event in cluster.history.events() if event.api)


def points(asked: Counter[str]) -> Iterator[Point]:
    """Every point of a story in which so much was asked."""
    for api, count in sorted(asked.items()):
        for nth in range(1, (min(count, REPEATED_MAX) if api in REPEATED else count) + 1):
            yield Point(api, nth, "before")
            yield Point(api, nth, "after")


def sweep(client: str, mode: Mode, *, only: Collection[str] = ()) -> Iterator[Verdict]:
    """The story as it is, and then cut at each of its points, or at those of some APIs; in the order of the points."""
    clean, asked = cut_at(Point(), client, mode)
    yield clean
    chosen = [point for point in points(asked) if not only or point.api in only]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for verdict, _ in pool.map(lambda point: cut_at(point, client, mode), chosen):
            yield verdict
