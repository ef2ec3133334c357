"""The parent of the brokers: lives exactly as long as the program that asked for them.

A stand-alone script (standard library only).  It takes orders as JSON lines on stdin, answers each with
one line, and when stdin ends, for whatever reason, it kills every child and removes the directory.  A
caller that dies of SIGKILL closes the pipe too, and a guard that is killed takes its children along
(Linux: PR_SET_PDEATHSIG), so that no Java process outlives a test run.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def _die_with_the_guard() -> None:
    """Runs in the child before it becomes Java. Elsewhere than on Linux the pipe alone has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Guard:
    """The children by name, and what may be done to them."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: list[str], log: str) -> dict[str, Any]:
        """Start one child, its output appended to `log`."""
        with Path(log).open("ab") as output:
            # A preexec_fn is safe here as the guard has one thread, which also is why PDEATHSIG, which
            # watches the starting *thread*, means the guard itself.
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_die_with_the_guard,  # noqa: PLW1509  # as said above
            )
        self.children[name] = child
        return {"pid": child.pid}

    def signal(self, name: str, number: int) -> dict[str, Any]:
        """Send a signal. Only to a child not yet reaped, so never to a stranger with its old number."""
        child = self.children[name]
        alive = child.poll() is None
        if alive:
            os.kill(child.pid, number)
        return {"alive": alive}

    def wait(self, name: str, seconds: float) -> dict[str, Any]:
        """The child's exit code, or None if it still runs after so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.children[name].wait(seconds)
        return {"code": self.children[name].returncode}

    def end(self) -> None:
        """Kill whatever is left; a stopped process dies of SIGKILL as well."""
        for child in self.children.values():
            if child.poll() is None:
                child.kill()
        for child in self.children.values():
            child.wait()


def main() -> None:
    """Serve orders until the caller is gone."""
    # The terminal's Ctrl-C reaches the whole foreground group; the caller decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    guard, home = Guard(), tempfile.mkdtemp(prefix="kafka-")
    try:
        print(json.dumps({"home": home}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(getattr(guard, order.pop("do"))(**order)), flush=True)
    finally:
        guard.end()
        # A broker killed a moment ago may have left a file half made: try again rather than leave it.
        for _ in range(10):
            shutil.rmtree(home, ignore_errors=True)
            if not Path(home).exists():
                break
            time.sleep(0.05)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
