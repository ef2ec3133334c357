"""Writes and plays conversations, and makes those that come out differently short.

Hypothesis only writes here: a difference does not fail its test, so one run finds several of them, and one
that a busy broker made does not end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import hypothesis
from hypothesis import HealthCheck, Phase

from conformance.cases.brokers import real_brokers
from conformance.cases.compare import Difference
from conformance.generated.conversation import DEATH, Conversation
from conformance.generated.generate import conversations
from conformance.generated.judge import judged
from conformance.generated.shrink import shortened
from conformance.generated.targets import DYING, PLAN, MockTarget, RealTarget, Target


@dataclass
class Found:
    """A difference; with the short conversation as a case, if it was made short."""

    difference: Difference
    conversation: Conversation
    # How many conversations it took.
    after: int
    source: str = ""

    @property
    def kind(self) -> str:
        """What others that are probably the same have in common."""
        asked, _, _ = self.difference.asked.partition(" ")
        return f"{asked} {re.sub(r'[0-9]+', '', self.difference.at)}"


@dataclass
class Hunt:
    """What came of it."""

    played: int = 0
    steps: int = 0
    # In how many of them the broker died.
    deaths: int = 0
    found: list[Found] = field(default_factory=list)


def hunt(
    real: Target,
    count: int,
    seed: int,
    *,
    first: int = 1,
    last: int | None = None,
    differences_max: int = 1,
    deaths_in_100: int = 0,
    told: Callable[[Hunt], None] = lambda _: None,
) -> Hunt:
    """Play `count` conversations, fewer if so many different differences turn up.

    Those before the `first` and behind the `last` are only written, so that a long hunt can be done in
    pieces; Hypothesis writes others when it is asked for fewer.
    """
    mock, result, written = MockTarget(), Hunt(), 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(conversations(deaths_in_100))
    def listen(conversation: Conversation) -> None:
        nonlocal written
        written += 1
        if not first <= written <= (last or count) or len(result.found) >= differences_max:
            return
        result.played += 1
        result.steps += len(conversation.steps)
        result.deaths += any(step.api == DEATH for step in conversation.steps)
        difference = judged(conversation, mock, real)
        if difference is not None:
            found = Found(difference, conversation, result.played)
            if found.kind not in {other.kind for other in result.found}:
                result.found.append(found)
        told(result)

    listen()
    return result


def shorten(found: Found, real: Target) -> Found:
    """The same difference, or what it led to, in as few words as possible."""
    mock = MockTarget()

    def differs(shorter: Conversation) -> bool:
        return judged(shorter, mock, real) is not None

    short = shortened(found.conversation, differs)
    difference = judged(short, mock, real) or found.difference
    return Found(difference, short, found.after, source(short, mock))


def source(conversation: Conversation, mock: MockTarget) -> str:
    """A conversation as a case."""
    from conformance.generated.play import play

    return play(conversation, mock).paste.source()


@contextmanager
def real_target(version: str, *, deaths: bool = False) -> Iterator[RealTarget]:
    """A real Kafka of this release for as long as it is needed; one that may die, if there are deaths."""
    with real_brokers(DYING if deaths else PLAN, version) as brokers:
        yield RealTarget(brokers)
