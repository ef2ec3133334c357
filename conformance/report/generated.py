"""Generated conversations: how many came out alike, and how soon they notice a mistake made on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from conformance.generated.mutations import MUTATIONS
from conformance.report.markdown import details, section, table
from conformance.results import load

Numbers = Mapping[str, int]


def generated() -> str:
    """The section about conversations and mutations."""
    rows = [
        (
            release,
            seed,
            *(f"{numbers[what]:,}" for what in ("conversations", "steps", "deaths", "differences")),
        )
        for release, seed, numbers in runs()
    ]
    found = mutations()
    return section(
        "Generated conversations",
        "Random conversations, put to mockbroker and to Kafka at once; the first difference ends a hunt, is made "
        "short, mended, and becomes a case. That they see is shown by mistakes put into mockbroker on purpose.",
        table(("Kafka", "seed", ">conversations", ">steps", ">deaths of the broker", ">differences"), rows)
        if rows
        else "Nothing is kept yet.",
        details(
            f"{len(found)} mistakes, and the conversation that noticed",
            table(("mistake", ">found in conversation"), found.items()),
        )
        if found
        else "",
    )


def runs() -> list[tuple[str, str, Counter[str]]]:
    """Release, seed, and the sum of the seed's pieces."""
    return [
        (release, seed, summed(pieces))
        for release, seeds in load("generated").get("runs", {}).items()
        for seed, pieces in seeds.items()
    ]


def mutations() -> dict[str, str]:
    """Each mistake as a sentence, and when it was found, if it was."""
    kept = load("generated").get("mutations", {})
    names = [mutation.__name__ for mutation in MUTATIONS]
    return {name.replace("_", " "): str(kept[name] or "never") for name in names if name in kept}


def summed(pieces: Mapping[str, Numbers]) -> Counter[str]:
    """All pieces together, but for those that lie within another."""
    bounds = {name: tuple(map(int, name.split("-"))) for name in pieces}
    whole = [
        name
        for name, (first, last) in bounds.items()
        if not any(other != name and low <= first and last <= high for other, (low, high) in bounds.items())
    ]
    total: Counter[str] = Counter()
    for name in whole:
        total.update(pieces[name])
    return total
