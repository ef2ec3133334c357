"""What the test itself has set up: rules that never acted, gates that hold somebody.

What came near is the rules' own to tell; here it only finds its place among the other troubles.
"""

from __future__ import annotations

from mockbroker.timeline.diagnoses.finding import Diagnosis
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.reading import clean

TOLD_CHARACTERS_MAX = 400


def never_hit(evidence: Evidence) -> list[Diagnosis]:
    """Rules that were armed and never acted, with what came near."""
    return [
        Diagnosis(
            clean(fault.told, TOLD_CHARACTERS_MAX),
            "What the test is about did not happen: see what its matchers missed, or mark it optional=True.",
        )
        for fault in evidence.faults
        if not fault.hits and not fault.optional
    ]


def held_gate(evidence: Evidence) -> list[Diagnosis]:
    """Gates that hold requests still."""
    return [
        Diagnosis(
            f"Gate {clean(gate.name, 100)} still holds {', '.join(clean(one, 300) for one in gate.held)}.",
            "Nothing behind it goes on before gate.release().",
        )
        for gate in evidence.gates
        if gate.held
    ]
