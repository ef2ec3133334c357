"""Ways to run a test file other than the plain one: another release, and a cluster that stays up."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from mockbroker import Cluster
from mockbroker.external.wire import Wire
from tests.plugin import Run, runner
from tests.server.wire import DEADLINE_S


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(pytester, monkeypatch)


# -- releases -----------------------------------------------------------------------------------------


def test_the_release_that_is_emulated_may_be_asked_for(run: Run) -> None:
    result = run(
        """
        def test_it(mockbroker):
            assert mockbroker.options.version == "4.4"
    """,
        "--mockbroker-version=4.4",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("given", ["3.9", "4.1,3.9", "all"])
def test_a_release_that_is_not_emulated_ends_the_run_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    said = (
        f"ERROR: --mockbroker-version: version='{given}': "
        "mockbroker emulates Kafka 4.4 and no other release yet"
    )
    result = run("def test(): pass", f"--mockbroker-version={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.errlines
    monkeypatch.setenv("MOCKBROKER_VERSION", given)
    assert said in run("def test(): pass").errlines


def test_a_marker_may_ask_for_another_release_than_the_run(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.mockbroker(version="2.8")
        def test_it(mockbroker):
            pass
    """,
        "--mockbroker-version=4.4",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*UsageError: version='2.8': mockbroker emulates Kafka 4.4 and no other*"])


# -- a cluster that stays ---------------------------------------------------------------------------

FAILING = """
    import pytest

    def test_without_a_cluster():
        assert False

    def test_passes(mockbroker):
        pass

    def test_first(make_mockbroker):
        make_mockbroker(brokers=1)
        make_mockbroker(brokers=2)
        assert False

    def test_second(mockbroker):
        assert False
"""


def test_the_first_failed_tests_clusters_stay_for_a_while_where_nobody_can_press_enter(run: Run) -> None:
    result = run(FAILING, "--mockbroker-keep=1ms")
    result.assert_outcomes(passed=1, failed=3)
    kept = [line for line in result.outlines if "cluster is kept" in line or "bootstrap servers" in line]
    assert kept[0].endswith("::test_first has failed, and its cluster is kept")
    assert [line.count("127.0.0.1:") for line in kept] == [0, 1, 2]
    result.stdout.fnmatch_lines(["  for 0.001 s, as nobody can press Enter here; Ctrl-C ends it"])


def test_a_teardown_that_fails_finds_nothing_left_to_keep(run: Run) -> None:
    result = run(
        """
        def test_it(mockbroker):
            mockbroker.faults.on("Produce").drop()
    """,
        "--mockbroker-keep=1h",
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "is kept" not in result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mockbroker-keep=long"], "ERROR: --mockbroker-keep: 'long' is no duration: *"),
        (
            ["--mockbroker-keep", "test_it.py"],
            "ERROR: --mockbroker-keep test_it.py: this looks like tests and*",
        ),
        (
            ["--mockbroker-keep", "-n", "2"],
            "ERROR: --mockbroker-keep: the workers of pytest-xdist *: leave out -n",
        ),
    ],
)
def test_a_time_that_is_none_and_workers_that_nobody_sees_are_refused(
    run: Run, arguments: list[str], said: str
) -> None:
    if "-n" in arguments:
        pytest.importorskip("xdist")
    result = run("def test(): pass", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_on_a_terminal_it_stays_until_enter_is_pressed(tmp_path: Path) -> None:
    import pty

    (tmp_path / "test_it.py").write_text("def test_it(mockbroker): assert False")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py", "--mockbroker-keep"],
        cwd=tmp_path,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        told = _read(master, until=b"press Enter")
        address = told.split(b"bootstrap servers: ")[1].split()[0].decode()
        # Whoever looks at it uses a client; here it is the nearest at hand.
        with closing(Wire(address)) as wire:
            assert len(wire.metadata().brokers) == 3
        os.write(master, b"\n")
        assert b"1 failed" in _read(master, until=b"1 failed")
        assert process.wait(DEADLINE_S) == pytest.ExitCode.TESTS_FAILED
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read(terminal: int, until: bytes) -> bytes:
    told, end = b"", time.monotonic() + 3 * DEADLINE_S
    while until not in told:
        assert time.monotonic() < end, told.decode(errors="replace")
        if select.select([terminal], [], [], 0.1)[0]:
            told += os.read(terminal, 65_536)
    return told


def test_a_cluster_that_is_stuck_is_not_kept_and_its_test_is_reported_all_the_same(run: Run) -> None:
    result = run(
        """
        import threading
        import pytest
        from tests.handles.members import RawClient
        from tests.server.wire import VERSIONS

        held, enough = threading.Event(), threading.Event()

        def endless(_call):
            held.set()
            return enough.wait(20)

        @pytest.fixture
        def client(make_mockbroker):
            cluster = make_mockbroker(brokers=1)
            cluster.faults.on("ApiVersions", when=endless).drop()
            with RawClient(cluster, 1, "app") as client:
                client.cluster = cluster
                yield client
            enough.set()

        def test_stuck(client):
            client.send(VERSIONS, 3)
            assert held.wait(20)
            client.cluster._portal.call(int, timeout_s=0.01)

        def test_next(mockbroker):
            mockbroker.topic("orders").create()
    """,
        "--mockbroker-keep=1h",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["E*Stuck: mockbroker's thread has not answered for 0.01 s:*", "*- mockbroker timeline *"]
    )
    assert "is kept" not in result.stdout.str()


def test_these_tests_know_a_cluster_when_they_see_one(mockbroker: Cluster) -> None:
    assert len(mockbroker.brokers) == 3
