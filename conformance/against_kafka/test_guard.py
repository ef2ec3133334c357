"""The guard leaves nothing behind, whoever dies first. Told with `sleep` in Java's place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.against_kafka import guard

# Starts a guard and a child, says who they are, and waits to be killed.
CALLER = """
import json, subprocess, sys
pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
guard = subprocess.Popen([sys.executable, "-I", sys.argv[1]], text=True, **pipe)
home = json.loads(guard.stdout.readline())["home"]
order = {"do": "start", "name": "a", "argv": ["sleep", "600"], "log": home + "/log"}
guard.stdin.write(json.dumps(order) + "\\n")
guard.stdin.flush()
print(home, guard.pid, json.loads(guard.stdout.readline())["pid"], flush=True)
sys.stdin.read()
"""
GONE_WITHIN_S = 20.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while not true():
        assert time.monotonic() < deadline, f"not true after {GONE_WITHIN_S} s"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether the process is gone, or a corpse that nobody in this container collects."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("first_to_die", ["the caller", "the guard"])
def test_no_child_outlives_the_caller_or_the_guard(first_to_die: str) -> None:
    command = [sys.executable, "-c", CALLER, guard.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        home, *pids = caller.stdout.readline().split()
        guard_pid, child_pid = map(int, pids)
        assert not gone(child_pid)
        os.kill(caller.pid if first_to_die == "the caller" else guard_pid, signal.SIGKILL)
        until(lambda: gone(child_pid))
        until(lambda: gone(guard_pid))
        if first_to_die == "the caller":
            until(lambda: not Path(home).exists())
        else:
            Path(home, "log").unlink()  # a killed guard cannot clean up: its directory is all that stays
            Path(home).rmdir()
        caller.kill()
