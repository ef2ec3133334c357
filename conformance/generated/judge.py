"""Whether mockbroker and Kafka said the same, and where they first did not."""

from __future__ import annotations

from typing import NamedTuple

from conformance.cases.compare import Difference, differences
from conformance.generated.conversation import Conversation
from conformance.generated.play import Played, play
from conformance.generated.targets import Target

# A real broker on a busy machine may be late once; what it says this often, it means.
TIMES = 2


class Verdict(NamedTuple):
    """The first difference, and the conversation as mockbroker had it."""

    difference: Difference | None
    here: Played


def judged(conversation: Conversation, mock: Target, real: Target) -> Verdict:
    """Play on both.  A difference counts when it is there again."""
    verdict = _once(conversation, mock, real)
    for _ in range(TIMES - 1):
        if verdict.difference is None:
            break
        verdict = _once(conversation, mock, real)
    return verdict


def _once(conversation: Conversation, mock: Target, real: Target) -> Verdict:
    here = play(conversation, mock)
    there = play(conversation, real, here.script)
    found = differences(there.transcript, here.transcript, every_api=True)
    return Verdict(found[0] if found else None, here)
