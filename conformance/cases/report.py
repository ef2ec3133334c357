"""What all cases come to: `python -m conformance.cases.report [CASE...]` prints differences and a table.

The table has a line an area: cases that answer as Kafka did, those with a listed deviation, those that
differ, and how many numbers of the list wait for a feature.
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter

from conformance.cases import every
from conformance.cases.compare import load
from conformance.cases.deviations import DEVIATIONS
from conformance.cases.judge import judged
from conformance.cases.not_yet import NOT_YET
from conformance.cases.stage import chosen

JUDGE = "4.4.0"


def main() -> int:
    """Play all cases, or those that are named."""
    assert every.__all__
    recorded, counts = load(JUDGE), Counter[tuple[str, str]]()
    cases = chosen(sys.argv[1:])
    for case in cases:
        if case.number not in recorded:
            outcome, said = "not recorded", []
        else:
            try:
                verdict = judged(case, recorded[case.number])
            except Exception:  # noqa: BLE001 - one case that breaks must not hide the others
                outcome, said = "broken", traceback.format_exc().splitlines()[-3:]
            else:
                said = [*map(str, verdict.left), *(f"no deviation any more: {one}" for one in verdict.idle)]
                outcome = "differs" if said else "deviates" if verdict.excused else "same"
        counts[case.area, outcome] += 1
        for line in said:
            print(f"case {case.number}, {line[:400]}")
    _print_table(counts, [*dict.fromkeys(case.area for case in cases)])
    return 1 if any(outcome in ("differs", "broken") for _, outcome in counts) else 0


def _print_table(counts: Counter[tuple[str, str]], areas: list[str]) -> None:
    outcomes = ("same", "deviates", "differs", "broken", "not recorded")
    print(f"{'area':16}", *(f"{outcome:>12}" for outcome in outcomes))
    for area in areas:
        print(f"{area:16}", *(f"{counts[area, outcome]:12}" for outcome in outcomes))
    print(
        f"not yet: {len(NOT_YET)} numbers that wait for {', '.join(sorted({one.waits_for for one in NOT_YET}))}"
    )
    for one in DEVIATIONS:
        print(f"deviation since {one.since}: case {one.case} step {one.step} {one.at}: {one.reason}")


if __name__ == "__main__":
    sys.exit(main())
