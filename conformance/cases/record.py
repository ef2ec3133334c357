"""Ask real brokers: `python -m conformance.cases.record --version 4.4.0` plays every case and keeps the answers.

It fails if a case could not be played, or if an answer is not as it was recorded before; the new one is kept,
for somebody to look at.  A case that hangs is one that could not be played.  The options say how to play less,
keep nothing, or see everything.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from conformance.cases import every
from conformance.cases.brokers import ONE, PLANS, Brokers, Plan, RealBrokers, real_brokers
from conformance.cases.compare import Transcript, differences, load, save
from conformance.cases.stage import Case, chosen
from conformance.results import keep

# The longest waits a minute for something, and some of these waits follow each other.
CASE_MAX_S = 200
# So many of the slowest are named.
SLOWEST = 5


def main() -> int:
    """Play, compare, keep."""
    parser = argparse.ArgumentParser(prog="python -m conformance.cases.record", description=__doc__)
    parser.add_argument("--version", default="4.4.0")
    parser.add_argument("--case", action="append", default=[], dest="cases", help="only this number")
    parser.add_argument("--check", action="store_true", help="leave the record as it is")
    parser.add_argument("--keep", action="store_true", help="tell conformance/results how it ended")
    parser.add_argument("--show", action="store_true", help="print every answer")
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", help='a running node, for the cases of plan "one"'
    )
    options = parser.parse_args()
    assert every.__all__
    cases = [case for case in chosen(options.cases) if case.suits(options.version)]
    played: dict[str, Transcript] = {}
    took: dict[str, float] = {}
    failed = 0
    signal.signal(signal.SIGALRM, _too_long)
    for plan in PLANS.values():
        on_it = [case for case in cases if case.plan is plan]
        if on_it and (options.bootstrap is None or plan is ONE):
            with _brokers(plan, options.version, options.bootstrap) as brokers:
                for case in on_it:
                    began = time.monotonic()
                    failed += not _played(case, brokers, played)
                    took[case.number] = time.monotonic() - began
                    print(f"{case.number} ", end="", flush=True)
        print()
    slowest = sorted(took, key=lambda number: -took[number])[:SLOWEST]
    print("the slowest:", ", ".join(f"{number} ({took[number]:.0f} s)" for number in slowest))
    known = load(options.version)
    changed = _report(known, played, show=options.show)
    if not options.check:
        save(options.version, known | played)
    if options.keep and not options.cases and not options.bootstrap:
        ended = {"cases": len(cases), "changed": changed, "failed": failed}
        keep("cases", options.version, ended, {"kafka": options.version})
    return 1 if failed or changed else 0


@contextmanager
def _brokers(plan: Plan, version: str, bootstrap: str | None) -> Iterator[Brokers]:
    if bootstrap is None:
        with real_brokers(plan, version) as brokers:
            yield brokers
    else:
        yield _Running(plan, bootstrap)


class _Running(RealBrokers):
    """A node that somebody else has started."""

    def __init__(self, plan: Plan, bootstrap: str) -> None:
        self.plan = plan
        self._at = bootstrap.rpartition(":")

    def recover(self) -> None:
        """Nothing: no case of this plan hurts its node."""

    def address(self, node: int) -> tuple[str, int]:
        del node  # there is one
        return self._at[0], int(self._at[2])


def _played(case: Case, brokers: Brokers, played: dict[str, Transcript]) -> bool:
    """Play one case; one that cannot be played does not keep the others from it."""
    signal.alarm(CASE_MAX_S)
    try:
        played[case.number] = json.loads(json.dumps(case.play(brokers)))
    except Exception:  # noqa: BLE001 - whatever it is, it is shown, and the run fails
        print(f"case {case.number} could not be played:\n{traceback.format_exc()}", file=sys.stderr)
        signal.alarm(0)
        brokers.recover()
        return False
    finally:
        signal.alarm(0)
    return True


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"it takes longer than {CASE_MAX_S} s")


def _report(known: dict[str, Transcript], played: dict[str, Transcript], *, show: bool) -> int:
    """Print what is new and what has changed."""
    changed = 0
    for number, transcript in played.items():
        found = differences(known[number], transcript, every_api=True) if number in known else []
        changed += bool(found) or number not in known
        for difference in found:
            print(f"case {number}, {difference}")
        if show:
            for step, entry in enumerate(transcript, start=1):
                print(number, step, json.dumps(entry, ensure_ascii=False))
    print(f"{len(played)} cases played, {changed} new or changed")
    return changed


if __name__ == "__main__":
    sys.exit(main())
