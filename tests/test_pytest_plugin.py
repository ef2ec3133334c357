"""The plugin as its users have it: each test writes a little test file and looks at how pytest runs it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mockbroker import Cluster
from tests.plugin import Run, runner


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(pytester, monkeypatch)


def test_each_test_has_a_cluster_of_its_own(run: Run) -> None:
    run("""
        seen = []

        def test_one(mockbroker):
            mockbroker.topic("orders").create()
            assert len(mockbroker.brokers) == 3
            seen.append(mockbroker.bootstrap)

        def test_two(mockbroker):
            assert not mockbroker.topic("orders").exists
            assert mockbroker.bootstrap not in seen
    """).assert_outcomes(passed=2)


def test_the_marker_takes_the_arguments_of_a_cluster_and_the_nearest_one_wins(
    run: Run,
) -> None:
    run(
        """
        import pytest

        pytestmark = pytest.mark.mockbroker(brokers=1, topics={"orders": 6})

        def test_module(mockbroker):
            assert len(mockbroker.brokers) == 1
            assert len(mockbroker.topic("orders").partitions) == 6

        @pytest.mark.mockbroker(brokers=2, config={"group.max.size": 3})
        class TestClass:
            def test_class(self, mockbroker):
                assert len(mockbroker.brokers) == 2
                assert mockbroker.topic("orders").exists

            @pytest.mark.mockbroker(brokers=[5])
            def test_function(self, mockbroker):
                assert [broker.id for broker in mockbroker.brokers] == [5]
    """,
        "--strict-markers",
    ).assert_outcomes(passed=3)


def test_a_marker_that_makes_no_sense_is_an_error_in_a_sentence(run: Run) -> None:
    result = run("""
        import pytest

        @pytest.mark.mockbroker(broker=1)
        def test_misspelled(mockbroker):
            pass

        @pytest.mark.mockbroker(3)
        def test_positional(mockbroker):
            pass
    """)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*UsageError: no cluster option 'broker': there are brokers, topics, *",
            "*::test_positional: the mockbroker marker takes keyword arguments only",
        ]
    )


def test_a_test_may_make_more_clusters(run: Run) -> None:
    run("""
        import pytest

        @pytest.mark.mockbroker(brokers=2)
        def test_two(make_mockbroker, mockbroker):
            one, other = make_mockbroker(brokers=1), make_mockbroker()
            assert [len(c.brokers) for c in (one, other, mockbroker)] == [1, 2, 2]
            other.topic("orders").create()
            assert not one.topic("orders").exists
    """).assert_outcomes(passed=1)


SHOWS = """
    import pytest

    def test_default(mockbroker):
        print(f"default: {mockbroker.seed} {mockbroker.options.wait!r}")

    @pytest.mark.mockbroker(seed=2, wait="2s")
    def test_marker(make_mockbroker):
        print(f"marker: {make_mockbroker().seed} {make_mockbroker().options.wait!r}")
        print(f"argument: {make_mockbroker(seed=1).seed} {make_mockbroker(wait='1s').options.wait!r}")
"""


def test_what_is_given_nearest_wins(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*arguments: str) -> list[str]:
        lines = run(SHOWS, "-s", "-q", *arguments).outlines
        return sorted(line[line.index(name) :] for line in lines for name in NAMES if name in line)

    NAMES = ("default: ", "marker: ", "argument: ")  # noqa: N806 - a constant of this story
    assert shown("--mockbroker-seed=9") == ["argument: 1 '1s'", "default: 9 5.0", "marker: 2 '2s'"]
    pytester.makeini("[pytest]\nmockbroker_seed = 5\nmockbroker_wait = 5s")
    assert "default: 5 '5s'" in shown()
    monkeypatch.setenv("MOCKBROKER_SEED", "4")
    monkeypatch.setenv("MOCKBROKER_WAIT", "400ms")
    assert "default: 4 '400ms'" in shown()
    assert "default: 3 0.3" in shown("--mockbroker-seed=3", "--mockbroker-wait=0.3")
    assert "marker: 2 '2s'" in shown("--mockbroker-seed=3", "--mockbroker-wait=0.3")


def test_the_seed_is_printed_and_used(run: Run) -> None:
    result = run(
        """
        def test_seed(mockbroker):
            assert mockbroker.seed == 1234
    """,
        "--mockbroker-seed=1234",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["mockbroker: seed 1234"])


def test_a_seed_that_is_no_number_ends_the_run(run: Run) -> None:
    result = run("def test(): pass", "--mockbroker-seed=lucky")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mockbroker-seed wants an integer, got 'lucky'"])


def test_the_deadline_of_waits_may_be_set_for_a_run(run: Run) -> None:
    result = run(
        """
        def test_wait(mockbroker):
            mockbroker.topic("orders").wait_records(1)
    """,
        "--mockbroker-wait=1ms",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*WaitTimeout: waited 0.001 s for 1 records in orders; instead: there is no such topic"]
    )


FAILING = """
    def wait(cluster):
        cluster.topic("orders").wait_records(1, timeout="1ms")

    def test_wait(mockbroker):
        mockbroker.topic("orders").create()
        wait(mockbroker)
"""


def test_a_failed_wait_ends_in_the_line_of_the_test_and_tells_its_story_once(run: Run) -> None:
    result = run(FAILING)
    result.stdout.fnmatch_lines(
        [
            "test_*.py:6: ",
            ">*cluster.topic(*).wait_records(1, timeout=*)",
            "E*WaitTimeout: waited 0.001 s for 1 records in orders; instead: it has 0",
            "E*no request is parked",
            "test_*.py:2: WaitTimeout",
            "*mockbroker timeline*",
        ]
    )
    assert result.stdout.str().count("test      create orders") == 1
    result.stdout.no_fnmatch_line("*waiting.py*")


def test_a_failed_wait_shows_everything_where_that_is_wanted(run: Run) -> None:
    result = run(FAILING, "--full-trace", "--mockbroker-timeline=never")
    result.stdout.fnmatch_lines(["E*test      create orders*", "*waiting.py:*: WaitTimeout"])


def test_a_shared_cluster_is_wiped_between_tests_and_keeps_its_ports(
    run: Run,
) -> None:
    run("""
        seen = []

        def test_one(mockbroker_session):
            mockbroker_session.topic("orders").create()
            mockbroker_session.broker(1).crash()
            seen.append(mockbroker_session.bootstrap)

        def test_unconcerned():
            pass

        def test_two(mockbroker_session):
            assert not mockbroker_session.topic("orders").exists
            assert mockbroker_session.broker(1).running
            assert mockbroker_session.bootstrap == seen[0]
    """).assert_outcomes(passed=3)


def test_a_failure_shows_what_the_brokers_saw(run: Run) -> None:
    result = run(
        """
        def test_own(mockbroker):
            mockbroker.broker(2).crash()
            assert False

        def test_shared(mockbroker_session):
            mockbroker_session.broker(3).crash()
            assert False
    """,
        "--mockbroker-seed=7",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- mockbroker timeline (kafka 4.4, seed 7, 3 brokers) -*",
            "    t+ms who       what",
            "* test      broker 2: crash",
            "*- mockbroker timeline (kafka 4.4, seed 7, 3 brokers) -*",
            "* test      broker 3: crash",
        ]
    )


@pytest.mark.parametrize("fixture", ["mockbroker", "mockbroker_session"])
def test_a_bug_of_ours_is_the_failure_of_the_test_that_met_it(run: Run, fixture: str) -> None:
    result = run(f"""
        from tests.bugs import break_api_versions, meet_the_bug

        def test_unlucky({fixture}, monkeypatch):
            break_api_versions(monkeypatch)
            meet_the_bug({fixture})

        def test_next({fixture}):
            pass
    """)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E*BrokerBug: this is a bug in mockbroker, please report it: ZeroDivisionError: an invariant does not hold",
            "E*while answering *ApiVersions v3*",
            "FAILED *::test_unlucky*",
        ]
    )


@pytest.mark.parametrize("fixture", ["mockbroker", "mockbroker_session"])
def test_a_test_that_fails_for_a_bug_of_ours_shows_both_and_the_next_one_is_not_blamed(
    run: Run, fixture: str
) -> None:
    result = run(f"""
        from tests.bugs import break_api_versions, meet_the_bug

        def test_unlucky({fixture}, monkeypatch):
            break_api_versions(monkeypatch)
            meet_the_bug({fixture})
            assert "the app" == "works"

        def test_next({fixture}):
            pass
    """)
    result.assert_outcomes(failed=1, errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_unlucky*",
            "*BrokerBug: this is a bug in mockbroker*",
            "E*assert 'the app' == 'works'",
            "*- mockbroker timeline *",
            " trouble: mockbroker has a bug: this is a bug in mockbroker, please report it: ZeroDivisionError*",
        ]
    )


def test_an_example_of_hypothesis_has_a_cluster_of_its_own(run: Run) -> None:
    run("""
        from hypothesis import given, settings, strategies as st, HealthCheck

        @given(st.integers(1, 3))
        @settings(
            max_examples=3, deadline=None, database=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        def test_examples(make_mockbroker, brokers):
            cluster = make_mockbroker(brokers=brokers)
            cluster.topic("orders").create()
    """).assert_outcomes(passed=1)


def test_fixtures_and_options_explain_themselves(pytester: pytest.Pytester) -> None:
    told = "\n".join(pytester.runpytest_inprocess("--help").outlines)
    assert "--mockbroker-seed=MOCKBROKER_SEED" in told
    assert "--mockbroker-wait=MOCKBROKER_WAIT" in told
    assert "mockbroker_wait" in told
    markers = "\n".join(pytester.runpytest_inprocess("--markers").outlines)
    assert "@pytest.mark.mockbroker(brokers=3, " in markers
    fixtures = "\n".join(pytester.runpytest_inprocess("--fixtures").outlines)
    for name in ("mockbroker --", "mockbroker_session [session scope] --", "make_mockbroker --"):
        assert name in fixtures


def test_collecting_tests_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(mockbroker): pass")
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    ours = sorted(name for name in sys.modules if name.split('.')[0] in ('trio', 'mockbroker'))\n"
        "    print('loaded:', *ours)\n"
    )
    # Other people's plugins may load what they like.
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "mockbroker.pytest_plugin"],
        cwd=tmp_path,
        env=alone,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "test_it.py::test_it" in collected.stdout
    assert collected.stdout.splitlines()[-1] == (
        "loaded: mockbroker mockbroker.pytest_options mockbroker.pytest_plugin"
    )


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_workers_of_xdist_have_clusters_of_their_own_and_the_seed_that_is_printed(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_seed(mockbroker, n):
            mockbroker.topic("orders").create()
            assert mockbroker.seed == 0, mockbroker.seed
    """)
    result = pytester.runpytest_subprocess("-n", "2", "-p", "no:cacheprovider")
    (printed,) = {line for line in result.outlines if line.startswith("mockbroker: seed ")}
    seed = printed.split()[-1]
    failures = [line for line in result.outlines if line.startswith("E") and "AssertionError:" in line]
    assert {line.split()[-1] for line in failures} == {seed}


def test_these_tests_run_with_the_plugin_itself(mockbroker: Cluster) -> None:
    assert len(mockbroker.brokers) == 3
