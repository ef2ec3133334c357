"""What is probably the matter: each diagnosis is one pure function over the evidence.

A diagnosis speaks only when the evidence shows the whole of what it says; a hint that is wrong now and then is
worse than none.  It says what happened, what follows, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from mockbroker.timeline.diagnoses.clients import (
    not_implemented,
    owed_an_answer,
    version_out_of_range,
    wrong_listener,
)
from mockbroker.timeline.diagnoses.finding import Diagnosis
from mockbroker.timeline.diagnoses.groups import silent_member, stuck_rebalance, zombie_commit
from mockbroker.timeline.diagnoses.reading import control_record_last, held_by_transaction, latest_race
from mockbroker.timeline.diagnoses.rules import held_gate, never_hit
from mockbroker.timeline.diagnoses.topics import unknown_topic

if TYPE_CHECKING:
    from mockbroker.timeline.evidence import Evidence

__all__ = ["DIAGNOSES", "Diagnosis", "diagnose"]

_Diagnose: TypeAlias = Callable[["Evidence"], list[Diagnosis]]

# In the order in which they are told: what makes everything else look wrong comes first.
DIAGNOSES: tuple[_Diagnose, ...] = (
    wrong_listener,
    version_out_of_range,
    not_implemented,
    unknown_topic,
    latest_race,
    zombie_commit,
    silent_member,
    stuck_rebalance,
    held_gate,
    owed_an_answer,
    held_by_transaction,
    control_record_last,
    never_hit,
)

# Each is told at most so often: ten partitions with the same trouble are one trouble.
TOLD_MAX = 3


def diagnose(evidence: Evidence) -> list[Diagnosis]:
    """Everything that is probably the matter."""
    found: list[Diagnosis] = []
    for examine in DIAGNOSES:
        findings = [replace(finding, name=examine.__name__) for finding in examine(evidence)]
        found += findings[:TOLD_MAX]
        if len(findings) > TOLD_MAX:
            found.append(Diagnosis(f"... and {len(findings) - TOLD_MAX} more like the last."))
    return found
