"""kafka-python's integration tests, out of its own source archive, against one served broker.

The archive leaves out two files that the tests import; they stand here.  Promises an outcome for every test
that pytest reports.  Not here: the tests that start a Java broker for themselves, which end as failures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from conformance.suites.kept import kept, step, unpack
from conformance.suites.outcomes import Outcome, State
from conformance.suites.served import served

VERSION = "3.0.12"
# The newest release that this version of the client knows how to tell from others, which is what
# test_kafka_version_infer compares with.
KAFKA_VERSION = "4.2.0"
REQUIREMENTS = (
    "pytest",
    "pytest-timeout",
    "pytest-mock",
    "py",
    "crc32c",
    "lz4",
    "python-snappy",
    "zstandard",
)
# What the client's own event loop is, and what it can use instead.
EVENT_LOOPS = ("selector", "asyncio")

# The archive has the tests and not what starts and stops brokers for them.  Ours runs already.
SERVICE = '''\
"""Brokers are started elsewhere."""


class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def stop(self):
        pass

    def dump_logs(self):
        pass


class SpawnedService:
    def __init__(self, args=None, env=None):
        raise RuntimeError("this run starts no brokers")
'''

# The slowest test takes 1.5 s and the suite 18 s; who waits for an answer that never comes waits a minute.
TEST_TIMEOUT_S = 60
SUITE_TIMEOUT_S = 600


def source() -> Path:
    """The client's source tree with its tests, and an environment to run them in."""
    return kept(f"kafka-python-{VERSION}", [*REQUIREMENTS, SERVICE], _prepare)


def _prepare(place: Path) -> None:
    step([sys.executable, "-m", "venv", "venv"], place)
    pip = ["venv/bin/python", "-m", "pip"]
    # The source archive, as wheels have no tests.
    step([*pip, "download", "-q", "--no-deps", "--no-binary", ":all:", f"kafka-python=={VERSION}"], place)
    unpack(place, "*.tar.gz").rename(place / "source")
    (place / "source/test/__init__.py").touch()
    (place / "source/test/service.py").write_text(SERVICE)
    step([*pip, "install", "-q", *REQUIREMENTS], place)


def run(event_loop: str) -> dict[str, Outcome]:
    """How each test ends with this event loop."""
    home = source()
    # Node 0 because test_create_partitions assigns to it, 4 partitions because the suite's own brokers have
    # as many, and sessions of 3 s because test_group asks for them.
    config = {"num.partitions": 4, "group.min.session.timeout.ms": 3_000}
    with served("--node-ids=0", config=config) as cluster, tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.xml")
        pytest = [f"{home}/venv/bin/python", "-m", "pytest", "test/integration", "-q"]
        pytest += ["-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}", f"--junitxml={report}"]
        done = subprocess.run(
            pytest,
            cwd=home / "source",
            env=_environment(cluster.bootstrap, scratch, event_loop),
            capture_output=True,
            text=True,
            timeout=SUITE_TIMEOUT_S,
            check=False,
        )
        assert report.exists(), f"the suite did not even start:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return outcomes(report)


def _environment(bootstrap: str, folder: str, event_loop: str) -> dict[str, str]:
    """What the suite reads, and of our own environment nothing that is meant for our own Python."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))
    }
    return inherited | {
        "KAFKA_URI": f"kafka://{bootstrap}",
        "KAFKA_VERSION": KAFKA_VERSION,
        "KAFKA_ROOT": folder,  # has to be a folder, and is not looked into
        "KAFKA_PYTHON_NET": event_loop,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def outcomes(report: Path) -> dict[str, Outcome]:
    """Read pytest's report. A test that fails in its set-up has failed."""
    found: dict[str, Outcome] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  # our own child wrote it
        module = case.attrib["classname"].removeprefix("test.integration.")
        outcome = Outcome(State.PASSED)
        for told in case:
            if told.tag in {"failure", "error"}:
                outcome = Outcome(State.FAILED, f"{told.get('message', '')}\n{told.text or ''}"[-3000:])
            elif told.tag == "skipped":
                outcome = Outcome(State.EMPTY, told.get("message", ""))
        name = f"{module}::{case.attrib['name']}"
        # A failure after the test, in its clean-up, is told as a second case of the same name.
        if name not in found or outcome.state is State.FAILED:
            found[name] = outcome
    return found
