"""What a failure prints: the timeline, what is probably the matter, and what is still open.

Lays out what the other modules find; decides nothing but the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from mockbroker.timeline.diagnoses import Diagnosis, diagnose
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.places import listed
from mockbroker.timeline.reading import clean
from mockbroker.timeline.rows import ROWS_MAX, lines_of, newest, rows_of, with_silence

# Sentences are broken here, so that they can be read beside a traceback.
TEXT_WIDTH = 110


def report(evidence: Evidence, *, full_log: str = "", rows: int = ROWS_MAX) -> str:
    """The whole report as text; `full_log` is where all of the history was written to."""
    found = all_diagnoses(evidence)
    lines = timeline_lines(evidence, found, rows)
    lines += [f" trouble: {clean(trouble, 400)}" for trouble in evidence.troubles]
    lines += waiting_lines(evidence)
    lines += diagnosis_lines(found)
    lines.append(_footer(evidence, full_log))
    return "\n".join(lines)


def timeline_lines(evidence: Evidence, found: Sequence[Diagnosis], limit: int = ROWS_MAX) -> list[str]:
    """The slice of the history that is worth printing."""
    if not evidence.keeps:
        return ["no history was kept (history=False)"]
    rows = rows_of(evidence)
    if not rows:
        return ["nothing has happened yet: no client has asked for anything"]
    pinned = {number for diagnosis in found for number in diagnosis.events}
    lines = lines_of(newest(with_silence(rows, evidence.now_us), pinned, limit), evidence)
    if evidence.dropped:
        lines.insert(1, f"{'':9}---- the {evidence.dropped} oldest events were forgotten ----")
    return lines


def diagnosis_lines(found: Sequence[Diagnosis]) -> list[str]:
    """Diagnoses, one bullet each."""
    lines = [" diagnosis"] if found else []
    for diagnosis in found:
        first, *others = [
            part
            for line in str(diagnosis).splitlines()
            for part in wrap(line, TEXT_WIDTH, break_on_hyphens=False)
        ]
        lines += [f"   * {first}", *(f"     {line}" for line in others)]
    return lines


def all_diagnoses(evidence: Evidence) -> list[Diagnosis]:
    """What is the matter now, and what was when a wait ended in vain: by now its clients may be gone."""
    then = [one for event in evidence.events for one in event.facts.get("diagnoses", ())]
    return list({one.about: one for one in [*diagnose(evidence), *then]}.values())


def waiting_lines(evidence: Evidence) -> list[str]:
    """Who waits for what; long polls of consumers that have read everything are no news."""
    lines = [f"   {one}" for one in evidence.parked]
    return [" who waits for what", *lines] if lines else []


def _footer(evidence: Evidence, full_log: str) -> str:
    clients = listed(
        f"{clean(one.client_id) or '?'} (c{one.connection}{', ' + clean(one.software) if one.software else ''})"
        for one in evidence.clients
    )
    faults = listed(clean(fault.name, 80) for fault in evidence.faults if fault.armed)
    gates = listed(clean(gate.name, 80) for gate in evidence.gates if gate.held)
    parts = [
        f"open clients: {clients or 'none'}",
        f"faults: {faults or 'none armed'}",
        f"held gates: {gates or 'none'}",
    ]
    if full_log:
        parts.append(f"full log: {full_log}")
    return " " + " - ".join(parts)
