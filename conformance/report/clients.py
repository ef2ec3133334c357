"""Clients: who told which story against what, and how long it takes them to get over a death."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from conformance.clients.roster import NAMES
from conformance.clients.telling import STORIES_TOLD
from conformance.report.evidence import JUDGE
from conformance.report.markdown import details, section, table
from conformance.results import load

HERE, THERE, IN_A_ROW = "mockbroker", f"kafka {JUDGE}", "in a row"
SENTENCES = {story.slug: story.name for story in STORIES_TOLD}

# client -> story -> outcome
Told = Mapping[str, Mapping[str, str]]


def clients() -> str:
    """The section about stories."""
    kept = load("clients")
    here, there = kept.get(HERE, {}), kept.get(THERE, {})
    versions = _versions(kept)
    rows = [(versions.get(name, name), _counted(here, name), _counted(there, name)) for name in NAMES]
    return section(
        "Clients",
        f"Each client tells the same {len(SENTENCES)} stories; the verdict is read "
        f"from the broker's log and groups. The same programs were put to Kafka {JUDGE} with three nodes: a story that "
        "fails there would be a wrong story.",
        table(("client", "on mockbroker", f"on Kafka {JUDGE}"), rows),
        details("Story by story", _matrix(here, there)),
        details("Why stories are skipped", _skips(here)),
        _failures(here, there),
    )


def outcomes(target: str) -> list[str]:
    """Every outcome on a target, of clients and stories that there are."""
    kept: Told = load("clients").get(target, {})
    return [kept[name][slug] for name in NAMES if name in kept for slug in SENTENCES if slug in kept[name]]


def deaths() -> str:
    """The section about recovery."""
    kept = load("deaths")
    here, there, in_a_row = kept.get(HERE, {}), kept.get(THERE, {}), kept.get(IN_A_ROW, {})

    def lasted(name: str, slug: str) -> str:
        times = _median(there.get(name, {}).get(slug)), _median(here.get(name, {}).get(slug))
        return " → ".join(times) if set(times) != {"?"} else ""

    def repeated(name: str, slug: str) -> str:
        row = in_a_row.get(name, {}).get(slug)
        return f"{row['repeats'] - row['failures']} of {row['repeats']}" if row else ""

    return section(
        "How long a death lasts",
        f"Seconds from a broker's death until the client goes on, on Kafka {JUDGE} → on mockbroker; the median of a "
        "few. Kafka's controller waits for the dead broker before it acts; mockbroker's knows at once, unless a test "
        "says otherwise.",
        _by_client(lasted),
        f"How often a story passed of so many times in a row, on mockbroker:\n\n{_by_client(repeated)}"
        if in_a_row
        else "",
    )


def _by_client(content: Callable[[str, str], str]) -> str:
    """A table of stories and clients, without those of which there is nothing to say."""
    names = [name for name in NAMES if any(content(name, slug) for slug in SENTENCES)]
    rows = [
        (sentence, *(content(name, slug) for name in names))
        for slug, sentence in SENTENCES.items()
        if any(content(name, slug) for name in names)
    ]
    return table(("story", *names), rows) if rows else "Nothing is kept yet."


def _versions(kept: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for about in kept.get("about", {}).values():
        found |= about["versions"]
    return found


def _counted(told: Told, name: str) -> str:
    ends = Counter(_end(told, name, slug) for slug in SENTENCES)
    return (
        ", ".join(f"{ends[end]} {end}" for end in ("passed", "skipped", "failed") if ends[end]) or "not told"
    )


def _end(told: Told, name: str, slug: str) -> str:
    return told.get(name, {}).get(slug, "").partition(":")[0]


def _matrix(here: Told, there: Told) -> str:
    legend = (
        "● passed on both · ○ passed on mockbroker, not put to Kafka · - skipped · ✗ failed · "
        "blank: not told in the kept runs"
    )
    rows = [
        (SENTENCES[slug], *(mark(_end(here, name, slug), _end(there, name, slug)) for name in NAMES))
        for slug in SENTENCES
    ]
    return f"{legend}\n\n{table(('story', *NAMES), rows)}"


def mark(here: str, there: str) -> str:
    """How a story ended here and there, in one character."""
    if "failed" in (here, there):
        return "✗"
    if here == "passed":
        return "●" if there == "passed" else "○"
    return "-" if here == "skipped" else ""


def _skips(here: Told) -> str:
    """Each reason once, with the stories for which it was given."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in NAMES:
        for slug, outcome in here.get(name, {}).items():
            end, _, why = outcome.partition(": ")
            if end == "skipped" and slug in SENTENCES:
                found[name, why].append(SENTENCES[slug])
    rows = [(name, why, len(stories)) for (name, why), stories in found.items()]
    return table(("client", "why", ">stories"), rows)


def _failures(here: Told, there: Told) -> str:
    rows = [
        (where, name, SENTENCES[slug], outcome.partition(": ")[2])
        for where, told in ((HERE, here), (THERE, there))
        for name in NAMES
        for slug, outcome in told.get(name, {}).items()
        if outcome.startswith("failed") and slug in SENTENCES
    ]
    return "Failed:\n\n" + table(("on", "client", "story", "what"), rows) if rows else ""


def _median(seconds: list[float] | None) -> str:
    return f"{statistics.median(seconds):.1f}" if seconds else "?"
