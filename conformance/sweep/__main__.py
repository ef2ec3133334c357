"""Sweep and print the tables: `python -m conformance.sweep`, or `--client kafka-python --mode idempotent`.

Each row is a point at which the connection was cut; points that did no harm are counted, and shown with `--all`.
Fails if an acknowledged record was lost, if one of an idempotent producer was stored twice, or if a verdict that
no correct client brings about was VIOLATED.
"""

from __future__ import annotations

import argparse
import sys
import time

from conformance.sweep.points import Verdict, sweep
from conformance.sweep.story import MODES, RECORDS
from tests.scenarios.clients import LIBRARIES

HEAD = f"{'cut':32} {'acknowledged':>12} {'stored':>7} {'lost':>5} {'twice':>6} {'read again':>11}  verdicts"


def main() -> int:
    """Sweep what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m conformance.sweep", description=__doc__)
    parser.add_argument("--client", action="append", choices=list(LIBRARIES))
    parser.add_argument("--mode", action="append", choices=list(MODES))
    parser.add_argument("--all", action="store_true", help="show what did no harm, too")
    options = parser.parse_args()
    bad = 0
    for client in options.client or LIBRARIES:
        for name in options.mode or MODES:
            began = time.monotonic()
            found = list(sweep(client, MODES[name]))
            bad += sum(is_bad(each, name) for each in found)
            print(f"\n{client}, {name}: {len(found) - 1} points in {time.monotonic() - began:.0f} s\n{HEAD}")
            shown = [each for each in found if options.all or not each.harmless or not each.point.api]
            for each in shown:
                print(row(each))
            print(f"{len(found) - len(shown)} more did no harm", flush=True)
    return 1 if bad else 0


def row(verdict: Verdict) -> str:
    """One line of the table."""
    numbers = (
        f"{verdict.acknowledged:>9}/{RECORDS} {verdict.stored:>7} {verdict.lost:>5} {verdict.duplicated:>6}"
    )
    words = ", ".join(verdict.violated) + (
        f"  STUCK: {verdict.stuck.partition(chr(10))[0]}" if verdict.stuck else ""
    )
    return f"{verdict.point!s:32} {numbers} {verdict.redelivered:>11}  {words}"


def is_bad(verdict: Verdict, mode: str) -> bool:
    """Whether this must not be, whatever was cut."""
    twice = mode == "idempotent" and verdict.duplicated > 0
    return bool(verdict.lost or twice or verdict.alarming)


if __name__ == "__main__":
    sys.exit(main())
