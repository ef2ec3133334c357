"""Keeps what came of the stories, as conformance/results has it: outcomes, versions, seconds to recover.

Collects while a run goes on and writes once at its end, and only if the run was told to keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance import results
from conformance.clients.telling import STORIES_TOLD
from conformance.clients.versions import library_of

# A median of five tells a typical recovery, and a file of results stays readable.
SECONDS_KEPT = 5
# A failure may quote what was received, and the largest record of a story is nearly a megabyte.
REASON_MAX = 200
# The property under which a test tells how long its client was speechless.
RECOVERY = "recovery_s"
MOCKBROKER = "mockbroker"
IN_A_ROW = "in a row"


class Keeper:
    """What one run against one target has found so far. `release` is the real Kafka's, None for mockbroker."""

    def __init__(self, release: str | None, folder: Path = results.FOLDER) -> None:
        self.part = MOCKBROKER if release is None else f"kafka {release}"
        self.release, self.folder = release, folder
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)
        self.seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.repeats: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)

    def told(self, client: str, story: str, outcome: str) -> None:
        """How a story ended. A reason is cut to its first line: the rest is for whoever mends it."""
        first, _, _ = outcome.partition("\n")
        self.outcomes[client][story] = first if len(first) <= REASON_MAX else f"{first[:REASON_MAX]}..."

    def recovered(self, client: str, story: str, seconds: float) -> None:
        """How long the client was speechless after a broker's death."""
        self.seconds[client][story].append(round(seconds, 2))

    def repeated(self, client: str, story: str, repeats: int, failures: int) -> None:
        """So many times in a row, of which so many failed."""
        self.repeats[client][story] = {"repeats": repeats, "failures": failures}

    def write(self) -> None:
        """Merge what was found since the last time into the files."""
        outcomes, seconds, repeats = dict(self.outcomes), dict(self.seconds), dict(self.repeats)
        if outcomes:
            kept = results.load("clients", self.folder).get(self.part, {})
            self._keep(
                "clients", self.part, {name: _gone(kept.get(name, {})) | outcomes[name] for name in outcomes}
            )
        if seconds:
            kept = results.load("deaths", self.folder).get(self.part, {})
            self._keep(
                "deaths", self.part, {name: _newest(kept.get(name, {}), seconds[name]) for name in seconds}
            )
        if repeats and self.release is None:
            self._keep("deaths", IN_A_ROW, repeats)
        for found in (self.outcomes, self.seconds, self.repeats):
            found.clear()

    def _keep(self, file: str, part: str, found: Mapping[str, Any]) -> None:
        versions = {client: library_of(client) for client in found}
        if self.release is not None:
            versions["kafka"] = self.release
        results.keep(file, part, found, versions, self.folder)


def _gone(kept: Mapping[str, str]) -> dict[str, None]:
    """Stories that nobody tells any more, to be taken out."""
    known = {story.slug for story in STORIES_TOLD}
    return {slug: None for slug in kept if slug not in known}


def _newest(
    kept: Mapping[str, Sequence[float]], new: Mapping[str, Sequence[float]]
) -> dict[str, list[float]]:
    return {story: [*kept.get(story, ()), *seconds][-SECONDS_KEPT:] for story, seconds in new.items()}
