"""Every case against mockbroker, and its answers against those that a real Kafka gave."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.cases import every
from conformance.cases.brokers import mock_brokers
from conformance.cases.compare import Transcript, differences, load
from conformance.cases.deviations import DEVIATIONS
from conformance.cases.stage import CASES, Case

# The release that mockbroker emulates.
JUDGE = "4.4.0"


@cache
def recorded() -> dict[str, Transcript]:
    """The judge's answers."""
    assert every.__all__
    return load(JUDGE)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: f"{case.number}-{case.title}")
def test_mockbroker_answers_as_kafka_did(case: Case) -> None:
    with mock_brokers(case.plan) as brokers:
        heard = case.play(brokers)
    found = differences(recorded()[case.number], heard)
    excused = [one for one in DEVIATIONS if one.case == case.number]
    left = [
        place
        for place in found
        if not any(place.step == one.step and place.at.endswith(one.at) for one in excused)
    ]
    assert not left, "\n".join(map(str, left))
    for one in excused:
        assert any(place.step == one.step and place.at.endswith(one.at) for place in found), f"{one} is none"


def test_there_are_few_deviations() -> None:
    assert len(DEVIATIONS) < 10
    assert all(one.reason and one.since for one in DEVIATIONS)


def test_every_recorded_case_is_still_told() -> None:
    assert recorded().keys() == CASES.keys()
