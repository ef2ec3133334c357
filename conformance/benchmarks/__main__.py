"""`python -m conformance.benchmarks [NAME ...]`: every measure, side by side in one interleaved run.

Names are files of this folder (`produce`, `latency`, ...), all of them by default.  A peer that cannot be
had is said in one line and left out.  The exit code says whether the run went through, never how fast it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from conformance.benchmarks import report
from conformance.benchmarks.measure import Measure, run
from conformance.benchmarks.peers import OURS, PEERS, PeerMissing, Target

FILES = ("startup", "produce", "consume", "latency", "groups", "topics", "idle")
OTHERS = tuple(name for name in PEERS if name != OURS)


def _peer_names(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    if strangers := set(names) - set(OTHERS):
        raise argparse.ArgumentTypeError(
            f"no peer {', '.join(sorted(strangers))}: there are {', '.join(OTHERS)}"
        )
    return names


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which files: {', '.join(FILES)}")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each peer (7); one more warms up")
    parser.add_argument("--peers", type=_peer_names, default=OTHERS, help=f"any of {','.join(OTHERS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file, too")
    options = parser.parse_args()
    if strangers := set(options.names) - set(FILES):
        parser.error(f"no measure {', '.join(sorted(strangers))}: there are {', '.join(FILES)}")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def _open(names: Sequence[str], running: contextlib.ExitStack) -> list[Target]:
    targets = []
    for name in names:
        try:
            targets.append(running.enter_context(PEERS[name].open()))
        except PeerMissing as missing:
            print(f"{name} is left out: {missing}")
    return targets


def main() -> None:
    """Run what was asked for and print the table."""
    options = _options()
    measures: list[Measure] = []
    for name in options.names or FILES:
        measures += import_module(f"conformance.benchmarks.{name}").MEASURES
    with contextlib.ExitStack() as running:
        targets = _open((OURS, *options.peers), running)
        results = [run(measure, targets, options.rounds, tell=_tell) for measure in measures]
    print(report.table(results, [target.peer.name for target in targets if target.peer.name != OURS]))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(results), indent=1) + "\n")


if __name__ == "__main__":
    main()
