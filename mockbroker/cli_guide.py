"""`mockbroker guide [PAGE]`: the manual, as it was shipped with this release.

Without a page it lists them. The text is Markdown, to be read as it is or piped into whatever shows it.  One page,
`api`, is made of the code.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib.resources import files

EXIT_USAGE = 2

# The order in which somebody new would read them.
PAGES = (
    "getting-started",
    "eleven-tests",
    "groups",
    "faults",
    "gates",
    "time",
    "replication",
    "transactions",
    "verdicts",
    "reading-a-failure",
    "recipes",
    "running",
    "coming-from",
    "architecture",
    "api",
)


def text_of(page: str) -> str:
    """A page's Markdown."""
    if page == "api":
        from mockbroker import api_page  # which loads everything there is

        return api_page.text()
    return files("mockbroker.guide").joinpath(f"{page}.md").read_text("utf-8")


def main(arguments: Sequence[str]) -> int:
    """Print a page, or what pages there are."""
    parser = argparse.ArgumentParser(
        prog="mockbroker guide", description="Read the manual of this release.", allow_abbrev=False
    )
    parser.add_argument("page", nargs="?", help="which page; without it, the list of them")
    page = parser.parse_args(arguments).page
    if page is None:
        for name in PAGES:
            sys.stdout.write(f"{name:18} {_title(text_of(name))}\n")
        return 0
    if page not in PAGES:
        near = difflib.get_close_matches(page, PAGES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PAGES)}"
        sys.stderr.write(f"mockbroker guide: there is no page {page!r}; {hint}\n")
        return EXIT_USAGE
    sys.stdout.write(text_of(page))
    return 0


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")
