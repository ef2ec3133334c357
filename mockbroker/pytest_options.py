"""What pytest is asked about mockbroker: options, ini settings, environment and the marker, and what they come to.

Settings come from, in this order: marker, command line, MOCKBROKER_* environment, ini file, default.  Imports nothing
but pytest until a value is there to be checked, and makes no cluster.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

MARKER = (
    "mockbroker(brokers=3, topics={}, config={}, defaults='friendly', seed=None, racks=(), wait='5s', ...): "
    "the arguments of mockbroker.Cluster for this test's `mockbroker` fixture."
)

_OPTIONS = {
    "seed": "Make ids and choices of every cluster the same again (an integer; a new one each run).",
    "wait": "The deadline of every wait: '5s', '500ms' or a number of seconds ('5s').",
    "timeline": "When to show what the brokers saw: on-failure, always (see -rP) or never (on-failure).",
    "artifacts": "Where a failed test's whole history is written to, as .html and .jsonl ('.mockbroker').",
    "version": "The release of Kafka to emulate ('4.4').",
    "external": "HOST:PORT of a real Kafka to run against; what only mockbroker can do is skipped.",
}
_WIRE = "Write every request and answer, decoded, to a file, or to standard error if none is named."
_KEEP = "Keep the first failed test's cluster up until Enter is pressed, or for TIME where nobody can (60s)."
_KEPT = "60s"
_TIMELINE = ("on-failure", "always", "never")

_run_seed = pytest.StashKey[int]()


def add_options(parser: pytest.Parser) -> None:
    """Offer each setting on the command line and in the ini file."""
    group = parser.getgroup("mockbroker", "an in-process Kafka cluster")
    for name, told in _OPTIONS.items():
        group.addoption(f"--mockbroker-{name}", default=None, help=told)
        parser.addini(f"mockbroker_{name}", told, default=None)
    group.addoption("--mockbroker-log-wire", nargs="?", const="-", default=None, metavar="FILE", help=_WIRE)
    parser.addini("mockbroker_log_wire", _WIRE, default=None)
    group.addoption("--mockbroker-keep", nargs="?", const=_KEPT, default=None, metavar="TIME", help=_KEEP)
    parser.addini("mockbroker_keep", _KEEP, default=None)


def check_options(config: pytest.Config) -> None:
    """Refuse values that no test could be run with, in mockbroker's own words."""
    shown = setting(config, "timeline")
    if shown not in (None, *_TIMELINE):
        raise pytest.UsageError(f"--mockbroker-timeline wants one of {', '.join(_TIMELINE)}, got {shown!r}")
    for flag, what in (("log-wire", "file"), ("keep", "time")):
        given = config.getoption(f"--mockbroker-{flag}")
        if given and ("::" in given or given.endswith(".py") or Path(given).is_dir()):
            raise pytest.UsageError(
                f"--mockbroker-{flag} {given}: this looks like tests and not like a {what}; "
                f"name the {what} with '=', or put the flag last"
            )
    checks = {"version": _check_version, "external": _check_external, "keep": _check_keep}
    for name, check in checks.items():
        if (given := setting(config, name)) is not None:
            from mockbroker.core.usage import UsageError

            try:
                check(config, given)
            except UsageError as wrong:
                raise pytest.UsageError(f"--mockbroker-{name}: {wrong}") from None


def _check_version(_config: pytest.Config, given: str) -> None:
    from mockbroker.options import ClusterOptions

    ClusterOptions(version=given)


def _check_external(_config: pytest.Config, given: str) -> None:
    from mockbroker.external.wire import addresses_in

    addresses_in(given)


def _check_keep(config: pytest.Config, given: str) -> None:
    from mockbroker.core.usage import UsageError
    from mockbroker.keeping import kept_s

    kept_s(given)
    if hasattr(config, "workerinput") or getattr(config.option, "numprocesses", None):
        raise UsageError("the workers of pytest-xdist have no terminal: leave out -n")


def setting(config: pytest.Config, name: str) -> str | None:
    """What was given for a setting, in the first place where anything was."""
    given: str | None = config.getoption(f"--mockbroker-{name.replace('_', '-')}")
    named = os.environ.get(f"MOCKBROKER_{name.upper()}")
    return given or named or config.getini(f"mockbroker_{name}") or None


def seed_of(config: pytest.Config) -> int:
    """The seed of this run: given, had from the controller of pytest-xdist, or a new one."""
    if _run_seed not in config.stash:
        printed = getattr(config, "workerinput", {}).get("mockbroker_seed")
        given = setting(config, "seed") if printed is None else printed
        try:
            config.stash[_run_seed] = int.from_bytes(os.urandom(4), "big") if given is None else int(given)
        except ValueError:
            raise pytest.UsageError(f"--mockbroker-seed wants an integer, got {given!r}") from None
    return config.stash[_run_seed]


def cluster_settings(config: pytest.Config, *overrides: dict[str, Any]) -> dict[str, Any]:
    """What a cluster is made with; later overrides win."""
    settings: dict[str, Any] = {"seed": seed_of(config)}
    version = setting(config, "version")
    if version is not None and setting(config, "external") is None:
        settings["version"] = version
    wait = setting(config, "wait")
    if wait is not None:
        settings["wait"] = float(wait) if wait.replace(".", "", 1).isdigit() else wait
    wire = setting(config, "log_wire")
    if wire is not None:
        from mockbroker.wire_target import wire_target

        settings["log_wire"] = wire_target(wire)
    for override in overrides:
        settings.update(override)
    return settings


def marked(node: pytest.Item) -> dict[str, Any]:
    """The arguments of the nearest marker, over those of markers further out."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("mockbroker"))):
        if marker.args:
            raise pytest.UsageError(f"{node.nodeid}: the mockbroker marker takes keyword arguments only")
        settings.update(marker.kwargs)
    return settings
