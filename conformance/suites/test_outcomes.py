"""What stands around the suites: how their reports are read, and what may be expected of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance import results
from conformance.suites import kafka_python, keeping, librdkafka, sarama
from conformance.suites.outcomes import (
    EXPECTED,
    KAFKA_FAILS_TOO,
    MISSING_FEATURES,
    Outcome,
    State,
    expectations,
    surprise,
)

PASSED = Outcome(State.PASSED)
SUITES = sorted(path.stem for path in EXPECTED.glob("*.json"))


@pytest.mark.parametrize("suite", SUITES)
def test_what_may_fail_lacks_a_feature_that_has_a_name(suite: str) -> None:
    reasons = {one.why for one in expectations(suite).values() if one.state is State.FAILED}
    assert reasons <= MISSING_FEATURES | {KAFKA_FAILS_TOO}


@pytest.mark.parametrize("suite", SUITES)
def test_what_runs_nothing_has_a_reason(suite: str) -> None:
    assert all(one.why for one in expectations(suite).values() if one.state is State.EMPTY)


def test_a_feature_that_appears_is_a_surprise_as_well() -> None:
    lacking = Outcome.read("failed: transactions")
    assert surprise(lacking, Outcome(State.FAILED, "some words")) is None
    assert surprise(lacking, PASSED) == (
        "expected to end failed (transactions), ended passed: no reason given"
    )


def test_a_test_that_ran_nothing_has_not_passed() -> None:
    assert surprise(PASSED, Outcome(State.EMPTY, "no such library"))


def test_the_smoke_test_names_tests_that_pass() -> None:
    assert {name for name, one in expectations("librdkafka").items() if one == PASSED} >= librdkafka.SMOKE


def test_an_outcome_is_kept_with_the_reason_that_is_expected_and_a_surprise_in_one_line(
    tmp_path: Path,
) -> None:
    results.keep("suites", "sarama", {"TestOfAnOlderRelease": "passed"}, folder=tmp_path)
    keeping.keep("sarama", "TestFuncProducing", PASSED, tmp_path)
    name, excused = next(
        (name, one) for name, one in expectations("sarama").items() if one.state is State.FAILED
    )
    keeping.keep("sarama", name, Outcome(State.FAILED, "what\nit printed"), tmp_path)
    keeping.keep("sarama", "TestFuncProducingGzip", Outcome(State.FAILED, "what\nit printed"), tmp_path)
    kept = results.load("suites", tmp_path)
    assert kept["sarama"] == {
        "TestFuncProducing": "passed",
        "TestFuncProducingGzip": "failed: what it printed",
        name: f"failed: {excused.why}",
    }
    assert kept["about"]["sarama"]["versions"] == {"sarama": sarama.VERSION.removeprefix("v")}


def test_a_second_way_to_run_a_suite_is_kept_apart(tmp_path: Path) -> None:
    for part in (keeping.part_of("kafka_python"), keeping.part_of("kafka_python", "asyncio")):
        keeping.keep(part, "test_consumer_integration::test_group", PASSED, tmp_path)
    assert results.load("suites", tmp_path).keys() == {"about", "kafka_python", "kafka_python asyncio"}


def test_a_pytest_report_tells_failures_errors_and_skips_apart(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase classname="test.integration.test_a" name="test_1[gzip]"/>
        <testcase classname="test.integration.test_a" name="test_2"><failure message="no"/></testcase>
        <testcase classname="test.integration.test_a" name="test_3"><skipped message="old"/></testcase>
        <testcase classname="test.integration.test_a" name="test_4"/>
        <testcase classname="test.integration.test_a" name="test_4"><error message="left open"/></testcase>
        </testsuite></testsuites>"""
    )
    found = kafka_python.outcomes(report)
    assert {name: outcome.state.value for name, outcome in found.items()} == {
        "test_a::test_1[gzip]": "passed",
        "test_a::test_2": "failed",
        "test_a::test_3": "empty",
        "test_a::test_4": "failed",
    }


def test_a_librdkafka_test_that_left_no_report_has_failed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert librdkafka.outcomes(report, {"0001_a"}, "it crashed") == {
        "0001_a": Outcome(State.FAILED, "it crashed")
    }
    states = {"0001_a": "PASSED", "0001_b": "SKIPPED", "0001_c": "RUNNING"}
    report.write_text(json.dumps({"tests": {name: {"state": state} for name, state in states.items()}}))
    found = librdkafka.outcomes(report, set(states), "")
    assert [found[name].state.value for name in states] == ["passed", "empty", "failed"]


@pytest.mark.parametrize(
    ("printed", "state"),
    [
        ("--- PASS: TestOne (0.03s)\nPASS\n", State.PASSED),
        ("--- SKIP: TestOne (0.00s)\nPASS\n", State.EMPTY),
        ("    --- PASS: TestOne/part (0.00s)\n--- FAIL: TestOne (1.00s)\n", State.FAILED),
        ("panic: test timed out after 2m0s\n", State.FAILED),
        ("--- PASS: TestOneMore (0.03s)\nPASS\n", State.FAILED),
    ],
)
def test_a_go_test_ends_as_its_own_line_says(printed: str, state: State) -> None:
    assert sarama.outcome("TestOne", printed).state is state
