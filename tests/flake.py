"""Run tests many times in a row, for a race shows itself now and then: nothing is tried again.

    python -m tests.flake 100                       the eleven tests, a hundred times
    python -m tests.flake 100 --busy 2              beside two processes that take all they can
    python -m tests.flake 200 tests/scenarios/test_time.py -k jump

Stops at the first failure and shows that run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ELEVEN = ["tests/scenarios/test_eleven.py"]


def main() -> int:
    """Repeat what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.flake", description=__doc__)
    parser.add_argument("times", type=int)
    parser.add_argument("--busy", type=int, default=0, help="how many processes keep the machine busy")
    options, tests = parser.parse_known_args()
    began = time.monotonic()
    with busy(options.busy):
        for turn in range(1, options.times + 1):
            run = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(tests or ELEVEN)],
                capture_output=True,
                text=True,
                check=False,
            )
            last_line = run.stdout.rstrip().rpartition("\n")[2]
            print(f"{turn} of {options.times}: {last_line}", flush=True)
            if run.returncode:
                print(run.stdout, run.stderr, sep="\n")
                return 1
    print(f"{options.times} in a row, beside {options.busy} busy ones, in {time.monotonic() - began:.0f} s")
    return 0


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many processes running that never wait."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
