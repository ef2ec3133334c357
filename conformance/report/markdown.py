"""The little Markdown that the page is made of: tables, blocks that unfold, and numbers put short.

Promises that what is in a cell stays in it, whatever characters it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(value: object) -> str:
    """A value that can stand in a table: on one line, and no bar of it ends the cell."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; a head that begins with > stands over numbers."""
    rules = ["---:" if title.startswith(">") else "---" for title in head]
    lines = [f"| {' | '.join(title.lstrip('>') for title in head)} |", f"|{'|'.join(rules)}|"]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join(lines)


def details(summary: str, body: str) -> str:
    """A block that a reader unfolds."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def section(title: str, *paragraphs: str) -> str:
    """A heading and what stands under it; a paragraph that came out empty is left out."""
    return "\n\n".join([f"## {title}", *filter(None, paragraphs)])


def ranges(numbers: Iterable[int]) -> str:
    """Numbers put short: "0-3 5 7-9"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def count(number: int, noun: str) -> str:
    """A number with what it counts: "1 case", "2,000 cases"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
