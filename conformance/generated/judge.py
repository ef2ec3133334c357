"""Whether mockbroker and Kafka said the same, and where they first did not."""

from __future__ import annotations

from conformance.cases.compare import Difference, differences
from conformance.generated.conversation import Conversation
from conformance.generated.play import play
from conformance.generated.targets import Target

# A real broker on a busy machine may be late once, and where Kafka walks through a hash map of random ids, as
# when it looks for another leader of a group, chance answers.  What is different this often is no chance.
TIMES = 6


def judged(conversation: Conversation, mock: Target, real: Target) -> Difference | None:
    """Play on both, and give the first difference, if it is there again each time."""
    difference = None
    for _ in range(TIMES):
        here = play(conversation, mock)
        there = play(conversation, real, here.script)
        found = differences(there.transcript, here.transcript, every_api=True)
        if not found:
            return None
        difference = found[0]
    return difference
