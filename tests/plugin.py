"""Runs pytest on a little test file in this process, as a user of the plugin has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]


def runner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs pytest on a source; the environment of this run does not reach that one."""
    for name in ("SEED", "WAIT", "TIMELINE", "ARTIFACTS", "LOG_WIRE", "VERSION", "EXTERNAL", "KEEP"):
        monkeypatch.delenv(f"MOCKBROKER_{name}", raising=False)

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    return run
