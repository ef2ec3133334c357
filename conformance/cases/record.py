"""Ask real brokers: `python -m conformance.cases.record --version 4.4.0` plays every case and keeps the answers.

It fails if a case could not be played, or if an answer is not as it was recorded before; the new one is kept,
for somebody to look at.  A case that hangs is one that could not be played.  Time is real here: on a machine that
stalls, a Kafka loads its coordinators anew or lets a session end.  So a case that differs is played again: an
answer has changed when two plays give it, and a case that is as before at another try is named as unsteady.  The
options say how to play less, keep nothing, or see everything.
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
from conformance.cases.compare import Difference, Transcript, differences, load, save
from conformance.cases.stage import Case, chosen
from conformance.results import keep

# The longest waits a minute for something, and some of these waits follow each other.
CASE_MAX_S = 200
# So often a case is played before an answer counts as another one.
PLAYS = 3
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
    recording = Recording(load(options.version))
    signal.signal(signal.SIGALRM, _too_long)
    for plan in PLANS.values():
        on_it = [case for case in cases if case.plan is plan]
        if on_it and (options.bootstrap is None or plan is ONE):
            with _brokers(plan, options.version, options.bootstrap) as brokers:
                for case in on_it:
                    recording.take(case, brokers)
        print()
    changed = recording.report(show=options.show)
    if not options.check:
        save(options.version, recording.known | recording.played)
    if options.keep and not options.cases and not options.bootstrap:
        ended = {"cases": len(cases), "changed": changed, "failed": recording.failed}
        keep("cases", options.version, ended, {"kafka": options.version})
    return 1 if recording.failed or changed else 0


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


class Recording:
    """What real brokers answered this time, beside what is known."""

    def __init__(self, known: dict[str, Transcript]) -> None:
        self.known = known
        self.played: dict[str, Transcript] = {}
        self.failed = 0
        self._took: dict[str, float] = {}
        # By case, what was different in a play that another one did not bear out.
        self._unsteady: dict[str, list[Difference]] = {}

    def take(self, case: Case, brokers: Brokers) -> None:
        """Play a case, and again while it differs from the record and no two plays agree on how."""
        began = time.monotonic()
        plays: list[Transcript | None] = []
        while len(plays) < PLAYS and not self._settled(case, plays):
            plays.append(_played(case, brokers))
        self._took[case.number] = time.monotonic() - began
        print(f"{case.number} ", end="", flush=True)
        last = plays[-1]
        if last is None:
            self.failed += 1
            return
        self.played[case.number] = last
        if len(plays) > 1 and not self._found(case.number, last):
            other = next((play for play in plays if play is not None and play != last), last)
            self._unsteady[case.number] = self._found(case.number, other)

    def _settled(self, case: Case, plays: list[Transcript | None]) -> bool:
        """Tell whether the last play is as the record, or says the same as the one before."""
        if not plays or plays[-1] is None:
            return False
        if case.number not in self.known or not self._found(case.number, plays[-1]):
            return True
        return len(plays) > 1 and plays[-1] == plays[-2]

    def _found(self, number: str, transcript: Transcript) -> list[Difference]:
        return differences(self.known[number], transcript, every_api=True) if number in self.known else []

    def report(self, *, show: bool) -> int:
        """Print what is new and what has changed, and give the number of such cases."""
        slowest = sorted(self._took, key=lambda number: -self._took[number])[:SLOWEST]
        print("the slowest:", ", ".join(f"{number} ({self._took[number]:.0f} s)" for number in slowest))
        changed = 0
        for number, transcript in self.played.items():
            found = self._found(number, transcript)
            changed += bool(found) or number not in self.known
            for difference in found:
                print(f"case {number}, {difference}")
            if show:
                for step, entry in enumerate(transcript, start=1):
                    print(number, step, json.dumps(entry, ensure_ascii=False))
        for number, found in self._unsteady.items():
            for difference in found:
                print(f"case {number}, in one play: {difference}")
        unsteady = f", unsteady: {', '.join(self._unsteady)}" if self._unsteady else ""
        print(f"{len(self.played)} cases played, {changed} new or changed{unsteady}")
        return changed


def _played(case: Case, brokers: Brokers) -> Transcript | None:
    """Play one case; one that cannot be played (none is given then) does not keep the others from it."""
    signal.alarm(CASE_MAX_S)
    try:
        transcript: Transcript = json.loads(json.dumps(case.play(brokers)))
    except Exception:  # noqa: BLE001 - whatever it is, it is shown, and the run fails if it stays
        print(f"case {case.number} could not be played:\n{traceback.format_exc()}", file=sys.stderr)
        signal.alarm(0)
        brokers.recover()
        return None
    finally:
        signal.alarm(0)
    return transcript


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"it takes longer than {CASE_MAX_S} s")


if __name__ == "__main__":
    sys.exit(main())
