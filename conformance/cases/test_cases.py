"""Every case against mockbroker, and its answers against those that a real Kafka gave."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.cases import every
from conformance.cases.brokers import ONE, mock_brokers
from conformance.cases.changed_since import BEFORE, CHANGES
from conformance.cases.codec import key_of
from conformance.cases.compare import Transcript, load
from conformance.cases.deviations import DEVIATIONS
from conformance.cases.judge import compared, compared_before, heard
from conformance.cases.not_yet import NOT_YET, NUMBERS
from conformance.cases.stage import CASES, Case, Stage, told

# The release that mockbroker emulates.
JUDGE = "4.4.0"


@cache
def recorded(release: str = JUDGE) -> dict[str, Transcript]:
    """A release's answers."""
    assert every.__all__
    return load(release)


@cache
def here(number: str) -> Transcript:
    """Mockbroker's answers."""
    return heard(CASES[number])


def put_to(release: str) -> list[Case]:
    """The cases that a release can be asked."""
    return [case for case in CASES.values() if case.suits(release)]


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: f"{case.number}-{case.title}")
def test_mockbroker_answers_as_kafka_did(case: Case) -> None:
    verdict = compared(case, recorded()[case.number], here(case.number))
    assert not verdict.left, "\n".join(map(str, verdict.left))
    assert not verdict.idle, "mockbroker does as Kafka does now: take these out of the list"


@pytest.mark.parametrize("case", put_to(BEFORE), ids=lambda case: f"{case.number}-{case.title}")
def test_the_release_before_answered_so_too_but_for_what_has_changed_since(case: Case) -> None:
    verdict = compared_before(case, recorded(BEFORE)[case.number], here(case.number))
    assert not verdict.left, "\n".join(map(str, verdict.left))
    assert not verdict.idle, "there is no such difference: take these out of the list"


def test_what_has_changed_shows_in_cases_that_the_release_before_was_asked() -> None:
    named = {number for change in CHANGES for number in change.cases.split()}
    assert named <= {case.number for case in put_to(BEFORE)}


def test_there_are_few_deviations_and_each_has_its_reason() -> None:
    assert len(DEVIATIONS) < 10
    assert all(one.reason and one.since for one in DEVIATIONS)


def test_every_number_of_the_list_is_told_or_waits() -> None:
    waiting = {one.number for one in NOT_YET}
    assert told() | waiting == set(range(1, NUMBERS + 1))
    assert not told() & waiting


def test_nothing_waits_for_what_is_there() -> None:
    with mock_brokers(ONE) as brokers:
        answer = Stage(brokers).quietly("ApiVersions", 0)
    served = {entry["api_key"] for entry in answer["api_keys"]}
    there = [one for one in NOT_YET if one.api and key_of(one.api) in served]
    assert not there, "mockbroker has these APIs now: tell the stories, and take the numbers off the list"


@pytest.mark.parametrize("release", [JUDGE, BEFORE])
def test_what_is_recorded_is_what_is_told(release: str) -> None:
    assert recorded(release).keys() == {case.number for case in put_to(release)}
