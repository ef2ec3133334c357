"""Recorded answers, and what differs between them and what was heard now.

Compares whole values.  The two exceptions are written here: an ApiVersions answer is held to the APIs that
mockbroker has so far, and a listed deviation is taken out before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from conformance.cases.stage import CASES

RECORDED = Path(__file__).parent.parent / "recorded"

Transcript = list[dict[str, Any]]


class Difference(NamedTuple):
    """One place where two transcripts part."""

    step: int
    asked: str
    at: str
    recorded: Any
    heard: Any

    def __str__(self) -> str:
        return f"step {self.step}, {self.asked}: {self.at or 'all'}: Kafka {self.recorded!r}, here {self.heard!r}"


class Absent:
    """Where one side has nothing."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


def load(version: str) -> dict[str, Transcript]:
    """Every recorded transcript of a release, by case."""
    found: dict[str, Transcript] = {}
    for path in sorted((RECORDED / version).glob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            transcript = found.setdefault(entry.pop("case"), [])
            entry.pop("step")
            transcript.append(entry)
    return found


def save(version: str, transcripts: dict[str, Transcript]) -> None:
    """Write the record of a release: one file an area, one line an answer, in the order of the cases."""
    by_area: dict[str, list[str]] = {}
    for case in CASES.values():
        told = transcripts.get(case.number, ()) if case.suits(version) else ()
        for step, entry in enumerate(told, start=1):
            line = json.dumps({"case": case.number, "step": step} | entry, ensure_ascii=False)
            by_area.setdefault(case.area, []).append(line + "\n")
    folder = RECORDED / version
    folder.mkdir(parents=True, exist_ok=True)
    for area, lines in by_area.items():
        (folder / f"{area}.jsonl").write_text("".join(lines))


def differences(recorded: Transcript, heard: Transcript, *, every_api: bool = False) -> list[Difference]:
    """Every place where a transcript differs from the recorded one.

    `every_api`: what was heard is a real broker's, so it must have all APIs.
    """
    heard = json.loads(json.dumps(heard))  # tuples and lists are one, as in the record
    found: list[Difference] = []
    for step in range(max(len(recorded), len(heard))):
        ours = heard[step] if step < len(heard) else ABSENT
        theirs = recorded[step] if step < len(recorded) else ABSENT
        asked = next(str(each["asked"]) for each in (theirs, ours) if isinstance(each, dict))
        if asked.startswith("ApiVersions") and not every_api:
            theirs = _served_here(theirs, ours)
        found += [Difference(step + 1, asked, at, a, b) for at, a, b in _places("", theirs, ours)]
    return found


def _served_here(recorded: Any, heard: Any) -> Any:
    """The recorded APIs and features without those that mockbroker does not have yet."""
    if not (isinstance(recorded, dict) and isinstance(heard, dict)):
        return recorded
    answer = dict(recorded["answer"])
    for field in ("api_keys", "supported_features", "finalized_features"):
        have = {_what(entry) for entry in heard["answer"].get(field, ())}
        if field in answer:
            answer[field] = [entry for entry in answer[field] if _what(entry) in have]
    return recorded | {"answer": answer}


def _what(entry: Any) -> str:
    """Which API or feature an entry is about."""
    return str(entry["name"] if isinstance(entry, dict) else entry.partition(":")[0])


def _places(at: str, recorded: Any, heard: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the deepest places where two values differ."""
    if isinstance(recorded, dict) and isinstance(heard, dict):
        for key in [*recorded, *(key for key in heard if key not in recorded)]:
            yield from _places(f"{at}.{key}", recorded.get(key, ABSENT), heard.get(key, ABSENT))
    elif isinstance(recorded, list) and isinstance(heard, list) and len(recorded) == len(heard):
        for index, (theirs, ours) in enumerate(zip(recorded, heard, strict=True)):
            yield from _places(f"{at}[{index}]", theirs, ours)
    elif recorded != heard:
        yield at.removeprefix(".answer."), recorded, heard
