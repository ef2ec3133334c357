"""`python -m conformance.generated --conversations 300 --version 4.4.0 --seed 1`: hunt for differences.

Prints how many conversations came out the same; differences as cases ready to paste, and then it fails.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from conformance.generated.hunt import Hunt, hunt, real_target, shorten
from conformance.generated.targets import RealTarget
from conformance.results import keep


def main() -> int:
    """Start a real Kafka, and hunt."""
    parser = argparse.ArgumentParser(prog="python -m conformance.generated", description=__doc__)
    parser.add_argument("--conversations", type=int, default=300)
    parser.add_argument("--first", type=int, default=1, help="play only those from this one on")
    parser.add_argument("--last", type=int, help="play only those up to this one")
    parser.add_argument("--version", default="4.4.0")
    parser.add_argument("--seed", type=int, default=None, help="the same conversations again")
    parser.add_argument("--differences", type=int, default=1, help="go on until there are so many kinds")
    parser.add_argument("--deaths", type=int, default=0, help="in how many of 100 the broker dies")
    parser.add_argument("--keep", action="store_true", help="keep what came of it in conformance/results")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    with real_target(options.version, deaths=options.deaths > 0) as real:
        began = time.monotonic()
        result = hunt(
            real,
            options.conversations,
            seed,
            first=options.first,
            last=options.last,
            differences_max=options.differences,
            deaths_in_100=options.deaths,
            told=_show_progress,
        )
        seconds = time.monotonic() - began
        print(
            f"seed {seed}: {result.played} conversations, {result.steps} steps, {result.deaths} deaths, {seconds:.0f} s"
        )
        if options.keep:
            kept(result, options.version, seed, options.first, options.deaths)
        return tell(result, real)


def kept(result: Hunt, version: str, seed: int, first: int, deaths_in_100: int) -> None:
    """Keep the numbers of one piece of a seed for the report."""
    name = f"{seed} with deaths" if deaths_in_100 else str(seed)
    numbers = {
        "conversations": result.played,
        "steps": result.steps,
        "deaths": result.deaths,
        "differences": len(result.found),
    }
    piece = {f"{first}-{first - 1 + result.played}": numbers}
    keep("generated", "runs", {version: {name: piece}}, {"kafka": version})


def tell(result: Hunt, real: RealTarget) -> int:
    """Print the differences; the exit code."""
    for number, found in enumerate(result.found, start=1):
        short = shorten(found, real)
        print(f"\n# {number}. {short.difference}\n{short.source}", flush=True)
    print("no difference" if not result.found else f"{len(result.found)} kinds of difference")
    return 1 if result.found else 0


def _show_progress(result: Hunt) -> None:
    if result.played % 100 == 0:
        print(f"{result.played} conversations, {len(result.found)} differences", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
