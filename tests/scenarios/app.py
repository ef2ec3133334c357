"""A worker as a process of its own, to be killed: `python -m tests.scenarios.app LIBRARY BOOTSTRAP NAME SESSION_MS`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.scenarios.clients import LIBRARIES, Membership
from tests.scenarios.workers import Worker

ROOT = Path(__file__).parents[2]


@contextmanager
def process(library: str, bootstrap: str, name: str, session_ms: int) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the latest when the block ends."""
    command = [sys.executable, "-m", "tests.scenarios.app", library, bootstrap, name, str(session_ms)]
    with subprocess.Popen(command, cwd=ROOT) as running:
        try:
            yield running
        finally:
            running.kill()


if __name__ == "__main__":
    library, bootstrap, name, session_ms = sys.argv[1:]
    Worker(
        LIBRARIES[library], Membership(bootstrap, "orders", "billing", name, session_ms=int(session_ms))
    ).run()
