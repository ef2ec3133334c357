"""What the plugin prints and writes when a test fails, and what it says of clients that were forgotten."""

from __future__ import annotations

import re

import pytest

from tests.plugin import Run, runner


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(pytester, monkeypatch)


FAILS = """
    import pytest

    @pytest.mark.parametrize("name", ["../../etc/passwd", "a b"])
    def test_it(mockbroker, name):
        mockbroker.topic("orders").create()
        assert False
"""


def test_a_failures_whole_history_is_written_to_files_whose_names_are_harmless(
    run: Run, pytester: pytest.Pytester
) -> None:
    result = run(FAILS)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*- full log: .mockbroker/test_it-etc-passwd-*.html", "*- full log: .mockbroker/test_it-a-b-*.html"]
    )
    folder = pytester.path / ".mockbroker"
    written = sorted(path.name for path in folder.iterdir())
    assert [name.rsplit(".", 1)[1] for name in written] == ["gitignore", *["html", "jsonl"] * 2]
    assert all(re.fullmatch(r"test_it-[a-z-]+-[0-9a-f]{8}\.(html|jsonl)", name) for name in written[1:])
    assert (folder / ".gitignore").read_text() == "*\n"
    assert "create orders p=1 rf=3" in (folder / written[-1]).read_text()


def test_files_go_where_they_are_wanted_and_a_place_that_is_none_spoils_no_report(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(FAILS, "--mockbroker-artifacts=out/mockbroker")
    assert len(list((pytester.path / "out/mockbroker").glob("*.html"))) == 2
    (pytester.path / "taken").write_text("a file")
    result = run(FAILS, "--mockbroker-artifacts=taken")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*test * create orders p=1 rf=3", "*full log: could not be written (*"])


def test_two_clusters_of_one_test_have_a_report_and_files_each(run: Run, pytester: pytest.Pytester) -> None:
    result = run("""
        def test_it(make_mockbroker):
            one, other = make_mockbroker(brokers=1), make_mockbroker(brokers=2)
            assert False
    """)
    result.stdout.fnmatch_lines(["*timeline (*, 1 broker) -*", "*timeline (*, 2 brokers) -*"])
    assert len(list((pytester.path / ".mockbroker").glob("*.html"))) == 2


def test_a_passing_test_prints_nothing_and_writes_nothing(run: Run, pytester: pytest.Pytester) -> None:
    result = run("def test_it(mockbroker): mockbroker.topic('orders').create()", "-rP")
    result.assert_outcomes(passed=1)
    assert "timeline" not in result.stdout.str()
    assert not (pytester.path / ".mockbroker").exists()


def test_the_timeline_may_be_shown_always_or_never(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = "def test_it(mockbroker): mockbroker.topic('orders').create()"
    assert "mockbroker timeline" in run(passes, "-rP", "--mockbroker-timeline=always").stdout.str()
    assert "mockbroker timeline" not in run(FAILS, "--mockbroker-timeline=never").stdout.str()
    monkeypatch.setenv("MOCKBROKER_TIMELINE", "never")
    assert "mockbroker timeline" not in run(FAILS).stdout.str()


def test_a_timeline_at_another_time_ends_the_run(run: Run) -> None:
    result = run("def test(): pass", "--mockbroker-timeline=sometimes")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --mockbroker-timeline wants one of on-failure, always, never, got 'sometimes'"]
    )


def test_the_wire_is_logged_to_a_file_or_to_standard_error(run: Run, pytester: pytest.Pytester) -> None:
    passes = "def test_it(mockbroker): mockbroker.topic('orders').create()"
    run(passes, "--mockbroker-log-wire=wire.log").assert_outcomes(passed=1)
    assert "create orders p=1 rf=3" in (pytester.path / "wire.log").read_text()
    result = run(passes, "-rP", "--mockbroker-log-wire")
    result.stdout.fnmatch_lines(["*Captured stderr call*", "*test * create orders p=1 rf=3"])


def test_a_flag_that_has_swallowed_the_tests_says_so(run: Run) -> None:
    result = run("def test(): pass", "--mockbroker-log-wire", "test_it.py::test")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mockbroker-log-wire test_it.py::test: this looks like tests*'='*"])


def test_a_client_that_a_test_forgets_is_named(run: Run) -> None:
    result = run("""
        import socket
        from tests.handles.members import RawClient
        from tests.server.wire import VERSIONS

        forgotten = []

        def test_leaky(mockbroker):
            client = RawClient(mockbroker, 2, "app-a")
            client.ask(VERSIONS, 3)
            forgotten.append(client)

        def test_tidy(mockbroker):
            with RawClient(mockbroker, 2, "app-b") as client:
                client.ask(VERSIONS, 3)

        def test_end():
            forgotten.pop().hang_up()
    """)
    result.assert_outcomes(passed=3)
    told = [line for line in result.outlines if "still open" in line]
    assert len(told) == 1
    assert re.fullmatch(
        r"test_a_client_that_a_test_forgets_is_named\.py::test_leaky: 1 connection still open: "
        r"client\.id=app-a, software=test 1, opened t\+\d+ ms, to broker 2",
        told[0],
    )


UNFIRED = """
    def test_it(mockbroker):
        with mockbroker.faults.on("Produce", topic="orders").fail("NOT_LEADER_OR_FOLLOWER"):
            mockbroker.topic("orders").create()
"""


def test_a_test_whose_fault_never_acted_fails_though_it_passed(run: Run) -> None:
    result = run(UNFIRED)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "a fault that this test has armed never acted, so nothing was shown by it:",
            "  removed, and never hit: on Produce topic=orders; no Produce request was seen",
            "(optional=True lets one be idle, strict_faults=False all of a cluster)",
            "*- mockbroker timeline *",
            "*test * create orders p=1 rf=3",
        ]
    )


@pytest.mark.parametrize(
    "source",
    [
        UNFIRED.replace('topic="orders")', 'topic="orders", optional=True)'),
        "    import pytest\n\n    @pytest.mark.mockbroker(strict_faults=False)" + UNFIRED,
    ],
    ids=["optional", "not strict"],
)
def test_a_fault_that_may_be_idle_fails_nothing(run: Run, source: str) -> None:
    run(source).assert_outcomes(passed=1)


def test_a_test_that_failed_is_told_of_its_idle_fault_once(run: Run) -> None:
    result = run(UNFIRED + "            assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([" diagnosis", "   ? removed, and never hit: on Produce topic=orders; *"])


def test_a_shared_clusters_fault_fails_the_test_that_armed_it(run: Run) -> None:
    result = run(
        UNFIRED.replace("mockbroker", "mockbroker_session")
        + "\n    def test_next(mockbroker_session): pass\n"
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["* test * create orders p=1 rf=3", "ERROR *::test_it*"])
