"""Every test of the peers' suites ends as it is expected to: one test of ours for one test of theirs.

What is expected to fail is reported as such with the feature that is missing, what ran nothing as skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from conformance.clients.programs import Missing
from conformance.suites import kafka_python, librdkafka, sarama
from conformance.suites.keeping import part_of
from conformance.suites.outcomes import Outcome, State, expectations, surprise

KAFKA_PYTHON = expectations("kafka_python")
LIBRDKAFKA = expectations("librdkafka")
SARAMA = expectations("sarama")

# Tells the suite, the test and its end to whoever keeps them: conftest.py has the fixture.
Ended = Callable[[str, str, Outcome], None]


def judge(expected: Outcome, happened: Outcome) -> None:
    """Fail over a surprise; else end as the foreign test did."""
    if wrong := surprise(expected, happened):
        pytest.fail(wrong, pytrace=False)
    if expected.state is State.FAILED:
        pytest.xfail(expected.why)
    if expected.state is State.EMPTY:
        pytest.skip(expected.why)


@cache
def kafka_python_outcomes(event_loop: str) -> dict[str, Outcome] | Missing:
    try:
        return kafka_python.run(event_loop)
    except Missing as missing:
        return missing


@pytest.mark.suite
@pytest.mark.smoke
@pytest.mark.parametrize("event_loop", kafka_python.EVENT_LOOPS)
@pytest.mark.parametrize("name", KAFKA_PYTHON)
def test_kafka_python(name: str, event_loop: str, ended: Ended) -> None:
    found = kafka_python_outcomes(event_loop)
    if isinstance(found, Missing):
        pytest.skip(str(found))
    happened = found.get(name, Outcome(State.EMPTY, "the suite has no such test"))
    # The client's own loop is how the suite is run; any other is a second way.
    way = "" if event_loop == kafka_python.EVENT_LOOPS[0] else event_loop
    ended(part_of("kafka_python", way), name, happened)
    judge(KAFKA_PYTHON[name], happened)


@pytest.mark.suite
@pytest.mark.smoke
@pytest.mark.parametrize("event_loop", kafka_python.EVENT_LOOPS)
def test_kafka_python_has_no_test_that_nobody_expects(event_loop: str) -> None:
    found = kafka_python_outcomes(event_loop)
    if isinstance(found, Missing):
        pytest.skip(str(found))
    assert found.keys() == KAFKA_PYTHON.keys()


@pytest.mark.suite
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.smoke] if name in librdkafka.SMOKE else [])
        for name in LIBRDKAFKA
    ],
)
def test_librdkafka(name: str, ended: Ended) -> None:
    try:
        declared = {test.name: test for test in librdkafka.tests()}
    except Missing as missing:
        pytest.skip(str(missing))
    whole, _, part = name.partition("/")
    assert whole in declared, "the suite has no such test"
    test = declared[whole]
    lacking = LIBRDKAFKA[name].state is State.FAILED
    timeout_s = librdkafka.LACKING_TIMEOUT_S if lacking else librdkafka.TEST_TIMEOUT_S
    try:
        happened = librdkafka.run(test.number, test.scenario, part, timeout_s)[whole]
    except Missing as missing:
        pytest.skip(str(missing))
    ended("librdkafka", name, happened)
    judge(LIBRDKAFKA[name], happened)


@pytest.mark.suite
@pytest.mark.smoke
def test_librdkafka_has_no_test_that_nobody_expects() -> None:
    try:
        declared = {test.name for test in librdkafka.tests()}
    except Missing as missing:
        pytest.skip(str(missing))
    assert declared == {name.partition("/")[0] for name in LIBRDKAFKA}


@pytest.mark.suite
@pytest.mark.smoke
def test_of_a_librdkafka_test_that_is_run_in_parts_no_part_is_left_out() -> None:
    found: dict[str, set[str]] = {}
    for whole, _, part in (name.partition("/") for name in LIBRDKAFKA):
        if part and whole not in LIBRDKAFKA:
            found.setdefault(whole, set()).add(part)
    try:
        assert found == {whole: librdkafka.parts(whole) for whole in found}
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.suite
@pytest.mark.parametrize("name", SARAMA)
def test_sarama(name: str, ended: Ended) -> None:
    try:
        happened = sarama.run(name)
    except Missing as missing:
        pytest.skip(str(missing))
    ended("sarama", name, happened)
    judge(SARAMA[name], happened)


@pytest.mark.suite
def test_sarama_has_no_test_that_nobody_expects() -> None:
    try:
        declared = set(sarama.tests())
    except Missing as missing:
        pytest.skip(str(missing))
    assert declared == SARAMA.keys()
