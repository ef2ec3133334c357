"""Keeps the cluster of a failed test up, so that somebody can look at it with any client.

On a terminal until Enter is pressed; where nobody can press anything, for a while.  Ctrl-C ends both, and the run
goes on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from mockbroker.core.usage import UsageError
from mockbroker.options import duration_ms

if TYPE_CHECKING:
    from mockbroker.cluster import Cluster


def kept_s(given: str) -> float:
    """How long clusters are kept without a terminal, by the option's value.  Raises UsageError."""
    return duration_ms(float(given) if given.replace(".", "", 1).isdigit() else given) / 1_000


def keep(config: pytest.Config, test: str, clusters: Sequence[Cluster], for_s: float) -> bool:
    """Wait beside those clusters that still serve; False if none does."""
    serving = [cluster for cluster in clusters if _serves(cluster)]
    if not serving:
        return False
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        capture.suspend(in_=True)
    try:
        say = _voice(config)
        say(f"mockbroker: {test} has failed, and its cluster is kept")
        for cluster in serving:
            say(f"  bootstrap servers: {cluster.bootstrap}")
        _wait(say, for_s)
    finally:
        if capture is not None:
            capture.resume()
    return True


def _wait(say: Callable[[str], None], for_s: float) -> None:
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            say("  press Enter to end it and go on")
            sys.stdin.readline()
        else:
            say(f"  for {for_s:g} s, as nobody can press Enter here; Ctrl-C ends it")
            threading.Event().wait(for_s)
    except KeyboardInterrupt:
        say("  gone")


def _voice(config: pytest.Config) -> Callable[[str], None]:
    """A way to say a line where people read."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if reporter is None:
            sys.stderr.write(f"{line}\n")
        else:
            reporter.ensure_newline()
            reporter.write_line(line)
            reporter.flush()

    return say


def _serves(cluster: Cluster) -> bool:
    try:
        cluster.do(int)
    except (UsageError, AssertionError):
        return False  # closed, or stuck: nobody could talk to it
    return True
