"""Sarama's functional tests, out of its Go module; one process and one cluster for each.

The tests insist on five brokers behind toxiproxy and on `docker compose`; toxic_cluster.py and docker.py stand in
for them.  The ports are the tests' own, so that only one of them runs at a time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from conformance.clients.programs import ROOT
from conformance.suites import docker
from conformance.suites.kept import kept, step
from conformance.suites.outcomes import Outcome, State
from conformance.suites.served import STOP_TIMEOUT_S, BrokerFailed

MODULE = "github.com/IBM/sarama"
VERSION = "v1.61.1"
# The tests ask for the release, and leave out what is younger.
KAFKA_VERSION = "4.3.1"
# The longest takes a quarter of this; one that needs more hangs.
TEST_TIMEOUT_S = 120

_DECLARED = re.compile(r"^func (Test(?!Main\b)\w+)\(", re.MULTILINE)
_ENDED = re.compile(r"^--- (PASS|FAIL|SKIP): (\w+) ", re.MULTILINE)
_STATES = {"PASS": State.PASSED, "FAIL": State.FAILED, "SKIP": State.EMPTY}


def source() -> Path:
    """The module's source with its tests built."""
    return kept(f"sarama-{VERSION}", [MODULE], _prepare, tools=("go",))


def _prepare(place: Path) -> None:
    (place / "go.mod").write_text("module fetched\n")
    # Into Go's own cache, which is read-only, and from there to where it can be built.
    told = step(["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"], place)
    fetched = json.loads(told)["Dir"]
    shutil.copytree(fetched, place / "source", copy_function=shutil.copyfile)
    (place / "source").chmod(0o755)
    step(["go", "test", "-c", "-tags", "functional", "-o", "../functional.test", "."], place / "source")


@cache
def tests() -> tuple[str, ...]:
    """Their names. Read from the source, as the program wants a cluster before it tells them."""
    files = sorted((source() / "source").glob("functional_*test.go"))
    return tuple(name for file in files for name in _DECLARED.findall(file.read_text()))


def run(name: str) -> Outcome:
    """How this test ends."""
    home = source()
    with _toxic_cluster() as address, tempfile.TemporaryDirectory() as scratch:
        stand_in = Path(scratch, "docker")
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{docker.__file__}" "$@"\n')
        stand_in.chmod(0o755)
        environment = {
            "TOXIPROXY_ADDR": address,
            "KAFKA_VERSION": KAFKA_VERSION,
            docker.ADDRESS: address,
            "PATH": f"{scratch}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            [home / "functional.test", "-test.v", f"-test.timeout={TEST_TIMEOUT_S}s", f"-test.run=^{name}$"],
            cwd=home / "source",
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return outcome(name, done.stdout)


def outcome(name: str, printed: str) -> Outcome:
    """Read what the program printed; without a word about the test, or after a panic, it has failed."""
    ends = {told: end for end, told in _ENDED.findall(printed)}
    return Outcome(_STATES[ends.get(name, "FAIL")], printed[-10_000:])


@contextmanager
def _toxic_cluster() -> Iterator[str]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "conformance.suites.toxic_cluster"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        try:
            if ready := process.stdout.readline():
                yield json.loads(ready)["address"]
        finally:
            process.communicate(timeout=STOP_TIMEOUT_S)
        if process.returncode or not ready:
            log.seek(0)
            raise BrokerFailed(f"the cluster ended with {process.returncode}:\n{log.read()[-4000:]}")
