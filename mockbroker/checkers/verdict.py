"""A verdict: a name, an outcome, and the evidence for it.

A value that says of itself whether anybody has to worry; knows nothing of what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What a checker found."""

    PROVED = "PROVED"
    VIOLATED = "VIOLATED"
    NOT_EXERCISED = "NOT EXERCISED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one checker says.

    `about` says in a sentence what would be wrong.  `evidence` is the smallest there is for VIOLATED, and for the
    others how often the situation came about.  `tolerated`: a correct client may bring it about (a retry without
    idempotence stores a record twice), so `cluster.check()` reports it and does not fail over it.
    """

    name: str
    outcome: Outcome
    about: str
    evidence: tuple[str, ...] = ()
    tolerated: bool = False

    @property
    def alarming(self) -> bool:
        """Whether something is wrong that no correct client brings about."""
        return self.outcome is Outcome.VIOLATED and not self.tolerated

    def __str__(self) -> str:
        excuse = " (tolerated)" if self.outcome is Outcome.VIOLATED and self.tolerated else ""
        lines = [f"{self.outcome.value:13} {self.name}{excuse}: {self.about}"]
        lines += [f"              {line}" for line in self.evidence]
        return "\n".join(lines)
