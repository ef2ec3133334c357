"""`python -m conformance.report`: write COMPATIBILITY.md; with `--check` only see whether it is up to date."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from conformance.report.page import page

FILE = Path(__file__).parent.parent.parent / "COMPATIBILITY.md"


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(prog="python -m conformance.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page would change")
    check = parser.parse_args().check
    old, new = FILE.read_text("utf-8") if FILE.exists() else "", page()
    if old == new:
        print(f"{FILE.name} is up to date")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(old.splitlines(True), new.splitlines(True), "before", "now", n=0)
    )
    if check:
        print(f"{FILE.name} is stale: run `nox -s report`")
        return 1
    FILE.write_text(new, "utf-8")
    print(f"{FILE.name} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
