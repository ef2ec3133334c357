"""What a measure is, how rounds are interleaved, and what may be said about the numbers that come out.

Every round takes one sample of every peer, A B C A B C, so that a noisy minute of the machine hits all of
them; a ratio is taken within a round, and the median of the ratios is what counts.  Knows no broker.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conformance.benchmarks.peers import OURS, Target


@dataclass(frozen=True, slots=True)
class Aim:
    """What mockbroker is meant to reach: a ratio to one peer, or (without a peer) a figure of its own."""

    limit: float
    than: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `sample` takes it once, on a running cluster."""

    name: str
    unit: str
    sample: Callable[[Target], float]
    more_is_better: bool = False
    aims: tuple[Aim, ...] = ()
    # Peers for which the question makes no sense, or whose answer is known to take minutes.
    without: frozenset[str] = frozenset()
    # For samples of many seconds: no more rounds than this.
    rounds_max: int = 100


@dataclass(slots=True)
class Series:
    """The samples of one peer, one for each round."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The machine's noise: the least and the greatest sample."""
        return min(self.values), max(self.values)


@dataclass(slots=True)
class Verdict:
    """An aim, what was reached of it (None where the peer was not there), and whether that is enough."""

    aim: Aim
    reached: float | None
    good: bool


@dataclass(slots=True)
class Result:
    """All samples of one measure."""

    measure: Measure
    series: dict[str, Series] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def ratios(self, peer: str) -> list[float]:
        """Ours by theirs, round by round."""
        ours, theirs = self.series[OURS].values, self.series[peer].values
        return [a / b for a, b in zip(ours, theirs, strict=False)]

    def ratio(self, peer: str) -> float | None:
        """The median of the rounds' ratios, or None when one of the two was not measured."""
        if OURS not in self.series or peer not in self.series:
            return None
        return statistics.median(self.ratios(peer))

    def verdicts(self) -> list[Verdict]:
        return [self._verdict(aim) for aim in self.measure.aims]

    def _verdict(self, aim: Aim) -> Verdict:
        if aim.than is not None:
            reached = self.ratio(aim.than)
        else:
            reached = self.series[OURS].median if OURS in self.series else None
        if reached is None:
            return Verdict(aim, None, good=False)
        good = reached >= aim.limit if self.measure.more_is_better else reached <= aim.limit
        return Verdict(aim, reached, good)


def run(measure: Measure, targets: Sequence[Target], rounds: int, *, tell: Callable[[str], None]) -> Result:
    """Take all samples of one measure. A peer that fails is left out from then on, and the reason kept."""
    result = Result(measure)
    taking_part = [target for target in targets if target.peer.name not in measure.without]
    # The first round finds cold caches and a JIT that has seen nothing; it does not count.
    for number in range(1 + min(rounds, measure.rounds_max)):
        for target in list(taking_part):
            name = target.peer.name
            try:
                value = measure.sample(target)
            except Exception as failed:  # noqa: BLE001 - whatever a peer cannot do, the others can be measured
                result.failures[name] = f"{type(failed).__name__}: {failed}"
                taking_part.remove(target)
                continue
            if number:
                result.series.setdefault(name, Series()).values.append(value)
        tell(f"{measure.name}: round {number}")
    return result
