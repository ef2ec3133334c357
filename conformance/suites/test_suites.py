"""Every test of the peers' suites ends as it is expected to: one test of ours for one test of theirs.

What is expected to fail is reported as such with the feature that is missing, what ran nothing as skipped.
"""

from __future__ import annotations

from functools import cache

import pytest

from conformance.clients.programs import Missing
from conformance.suites import kafka_python, librdkafka, sarama
from conformance.suites.outcomes import Outcome, State, expectations, surprise

KAFKA_PYTHON = expectations("kafka_python")
LIBRDKAFKA = expectations("librdkafka")
SARAMA = expectations("sarama")


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
@pytest.mark.parametrize("event_loop", kafka_python.EVENT_LOOPS)
@pytest.mark.parametrize("name", KAFKA_PYTHON)
def test_kafka_python(name: str, event_loop: str) -> None:
    found = kafka_python_outcomes(event_loop)
    if isinstance(found, Missing):
        pytest.skip(str(found))
    judge(KAFKA_PYTHON[name], found.get(name, Outcome(State.EMPTY, "the suite has no such test")))


@pytest.mark.suite
@pytest.mark.parametrize("event_loop", kafka_python.EVENT_LOOPS)
def test_kafka_python_has_no_test_that_nobody_expects(event_loop: str) -> None:
    found = kafka_python_outcomes(event_loop)
    if isinstance(found, Missing):
        pytest.skip(str(found))
    assert found.keys() == KAFKA_PYTHON.keys()


@pytest.mark.suite
@pytest.mark.parametrize("name", LIBRDKAFKA)
def test_librdkafka(name: str) -> None:
    try:
        declared = {test.name: test for test in librdkafka.tests()}
    except Missing as missing:
        pytest.skip(str(missing))
    whole, _, part = name.partition("/")
    assert whole in declared, "the suite has no such test"
    test = declared[whole]
    lacking = LIBRDKAFKA[name].state is State.FAILED
    timeout_s = librdkafka.LACKING_TIMEOUT_S if lacking else librdkafka.TEST_TIMEOUT_S
    judge(LIBRDKAFKA[name], librdkafka.run(test.number, test.scenario, part, timeout_s)[whole])


@pytest.mark.suite
def test_librdkafka_has_no_test_that_nobody_expects() -> None:
    try:
        declared = {test.name for test in librdkafka.tests()}
    except Missing as missing:
        pytest.skip(str(missing))
    assert declared == {name.partition("/")[0] for name in LIBRDKAFKA}


@pytest.mark.suite
@pytest.mark.parametrize("name", SARAMA)
def test_sarama(name: str) -> None:
    try:
        happened = sarama.run(name)
    except Missing as missing:
        pytest.skip(str(missing))
    judge(SARAMA[name], happened)


@pytest.mark.suite
def test_sarama_has_no_test_that_nobody_expects() -> None:
    try:
        declared = set(sarama.tests())
    except Missing as missing:
        pytest.skip(str(missing))
    assert declared == SARAMA.keys()
