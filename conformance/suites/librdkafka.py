"""librdkafka's own tests, built from the source inside its npm package; one process and one cluster for each.

The program knows its tests by a number that several of them can share, and each belongs to a scenario: those
of one number and scenario are one run.  Where one missing feature hides the rest of a large test, or a test takes
nine minutes, the parts of it are run one by one.  Local tests are left out: they speak to librdkafka's own mock.
`-Q` is not used, as it drops parts of tests without a word.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from conformance.against_kafka.jars import JarsMissing, kafka_jars
from conformance.clients.programs import ROOT, Missing
from conformance.suites.kept import kept, step, unpack
from conformance.suites.outcomes import Outcome, State
from conformance.suites.served import served

PACKAGE = "@confluentinc/kafka-javascript@1.10.1"
VERSION = "2.15.1"
# Four tests read the client's statistics with RapidJSON, whose headers are in the source of its Python binding.
RAPIDJSON = "python-rapidjson==1.20"
# The tests ask for the release, and leave out what is younger.
KAFKA_VERSION = "4.4.0"
# Two cores shared with the broker are slower than what the tests' deadlines are made for.
PATIENCE = 3
# The longest part, u of 0113, takes minutes by its own clock: six times it lets eight consumers settle for 20 s
# and more, whatever the broker does.  One that needs more than this hangs.
TEST_TIMEOUT_S = 600
# What is missing is waited for by some tests as long as the program lets them, and that is for hours in all.
LACKING_TIMEOUT_S = 60

# What the tests take for granted. Kafka's own defaults, as some count on the pause before a group's first
# rebalance, which friendly ones leave out.
FLAGS = ("--brokers=3", "--racks=RACK1,RACK2,RACK3", "--defaults=kafka")
CONFIG: Mapping[str, str | int | bool] = {
    "num.partitions": 4,
    "default.replication.factor": 3,
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
}

# What every change is held to. Each takes seconds, and between them they produce with each codec and all acks,
# fetch, seek, join and leave groups, commit, ask for offsets, delete records, and read from followers.
SMOKE = frozenset(
    {
        "0001_multiobj",
        "0005_order",
        "0008_reqacks",
        "0012_produce_consume",
        "0013_null_msgs",
        "0015_offsets_seek",
        "0017_compression",
        "0031_get_offsets",
        "0036_partial_fetch",
        "0073_headers",
        "0081_admin/do_test_DeleteRecords",
        "0090_idempotence",
        "0099_commit_metadata",
        "0101_fetch_from_follower",
        "0130_store_offsets",
    }
)

# Tests call Kafka's own tools by these names, and build Java programs of theirs against its jars.
TOOLS = {
    "kafka-topics.sh": f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m conformance.suites.kafka_topics "$@"',
    "kafka-acls.sh": 'echo "mockbroker has no ACLs" >&2; exit 1',
    "kafka-run-class.sh": 'exec java -cp "$CLASSPATH:$KAFKA_PATH/libs/*" "$@"',
}
# Whose transactions a producer of Java makes, too.
WITH_JAVA = frozenset({"0098"})

_CALLED = re.compile(r"^ +(\w+)\(", re.MULTILINE)
# An entry of the table: the name, and everything up to the next entry or the table's end.
_DECLARED = re.compile(r"^ +_TEST\((\w+),(.*?)(?=^ +(?:_TEST\(|\{NULL\}))", re.MULTILINE | re.DOTALL)
_PART_PASSED = re.compile(r": PASS \(")
_SCENARIO = re.compile(r'\.scenario = "(\w+)')


class Declared(NamedTuple):
    """One entry of the program's table."""

    name: str
    scenario: str

    @property
    def number(self) -> str:
        return self.name[:4]


def source() -> Path:
    """The built source tree."""
    made_from = [PACKAGE, RAPIDJSON]
    return kept(f"librdkafka-{VERSION}", made_from, _prepare, tools=("npm", "gcc", "g++", "make"))


def _prepare(place: Path) -> None:
    step(["npm", "pack", "--silent", PACKAGE], place)
    (unpack(place, "*.tgz") / "deps/librdkafka").rename(place / "source")
    step([sys.executable, "-m", "venv", "venv"], place)
    pip = ["venv/bin/python", "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    step([*pip, RAPIDJSON], place)
    (unpack(place, "*.tar.gz") / "rapidjson/include").rename(place / "include")
    build = place / "source"
    # What else it does not find it builds without: zstd, say, is then not among the codecs of 0017.
    step(["./configure", "--disable-gssapi", f"--CPPFLAGS=-I{place}/include"], build)
    step(["make", "-j2", "libs"], build)
    step(["make", "-j2", "-C", "tests", "build"], build)


@cache
def tests() -> tuple[Declared, ...]:
    """Those that need a broker and are run when nobody names one: read from the program's own table."""
    found: list[Declared] = []
    for name, flags in _DECLARED.findall((source() / "source/tests/test.c").read_text()):
        if re.search(r"TEST_F_(LOCAL|MANUAL|KNOWN_ISSUE\b)", flags):
            continue
        scenario = _SCENARIO.search(flags)
        found.append(Declared(name, scenario[1] if scenario else "default"))
    return tuple(found)


@cache
def parts(name: str) -> set[str]:
    """The functions that a test is made of, each a part: those of its file that its main function calls."""
    (file,) = (source() / "source/tests").glob(f"{name[:4]}-*.c*")
    text = file.read_text()
    main = re.search(rf"^int main_{name}\(.*?^}}", text, re.MULTILINE | re.DOTALL)
    assert main, f"{file.name} has no {name}"
    return {called for called in _CALLED.findall(main[0]) if f"static void {called}(" in text}


def run(number: str, scenario: str, part: str = "", timeout_s: int = TEST_TIMEOUT_S) -> dict[str, Outcome]:
    """How the tests of this number and scenario end, on a cluster of their own; `part`: one C function of them."""
    wanted = {test.name for test in tests() if (test.number, test.scenario) == (number, scenario)}
    config = {**CONFIG, "auto.create.topics.enable": scenario != "noautocreate"}
    with served(*FLAGS, config=config) as cluster, tempfile.TemporaryDirectory() as scratch:
        home = _kafka_home(Path(scratch))
        if number in WITH_JAVA:
            (home / "libs").symlink_to(_jars())
        (home / "test.conf").write_text(
            f"bootstrap.servers={cluster.bootstrap}\ntest.timeout.multiplier={PATIENCE}\n"
        )
        environment = {"TESTS": number, "BROKERS": cluster.bootstrap}
        if part:
            environment["SUBTESTS"] = f"{part}:"
        printed = _run_program(scenario, home, environment, timeout_s)
        found = outcomes(home / "report.json", wanted, printed)
    if part and not _PART_PASSED.search(printed):
        # Without any part of that name the test passes, having done nothing.
        found = {name: _nothing_ran(outcome) for name, outcome in found.items()}
    return found


def _nothing_ran(outcome: Outcome) -> Outcome:
    return Outcome(State.EMPTY, "no part of that name ran") if outcome.state is State.PASSED else outcome


def _kafka_home(scratch: Path) -> Path:
    """What the tests take for an installation of Kafka."""
    (scratch / "bin").mkdir()
    for name, command in TOOLS.items():
        tool = scratch / "bin" / name
        tool.write_text(f"#!/bin/sh\n{command}\n")
        tool.chmod(0o755)
    return scratch


def _jars() -> Path:
    try:
        return kafka_jars(KAFKA_VERSION)
    except JarsMissing as missing:
        raise Missing(str(missing)) from missing


def _run_program(scenario: str, home: Path, environment: dict[str, str], timeout_s: int) -> str:
    """Run it to its end or ours; gives what it printed."""
    place = source() / "source"
    environment |= {
        "TEST_KAFKA_VERSION": KAFKA_VERSION,
        "TEST_REPORT": str(home / "report.json"),
        "RDKAFKA_TEST_CONF": str(home / "test.conf"),
        "KAFKA_PATH": str(home),
        "LD_LIBRARY_PATH": f"{place}/src:{place}/src-cpp",
    }
    # -L: no local tests. -K: none that its authors know to fail. -p1: one at a time.
    command = ["./test-runner", "-L", "-K", "-p1", "-s", scenario]
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        try:
            subprocess.run(
                command,
                cwd=place / "tests",
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            printed.write(f"\nIt was killed: it did not end within {timeout_s} s.\n")
        printed.seek(0)
        return printed.read()


def outcomes(report: Path, wanted: set[str], printed: str) -> dict[str, Outcome]:
    """Read the program's report; without one, or while running still, a test has failed."""
    told = json.loads(report.read_text())["tests"] if report.exists() and report.stat().st_size else {}
    last_words = printed[-3000:]
    found: dict[str, Outcome] = {}
    for name in wanted:
        match told.get(name, {}).get("state"):
            case "PASSED":
                found[name] = Outcome(State.PASSED)
            case "SKIPPED":
                found[name] = Outcome(State.EMPTY, last_words)
            case _:
                found[name] = Outcome(State.FAILED, last_words)
    return found
