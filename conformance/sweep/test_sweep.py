"""The sweep at a few points with one client, and what its table must never say."""

from __future__ import annotations

import pytest

from conformance.sweep.__main__ import is_bad
from conformance.sweep.points import Verdict, sweep
from conformance.sweep.story import MODES, RECORDS


@pytest.fixture(scope="module", params=list(MODES))
def swept(request: pytest.FixtureRequest) -> tuple[str, list[Verdict]]:
    """The story of each mode, cut at every Produce."""
    return request.param, list(sweep("confluent-kafka", MODES[request.param], only=["Produce"]))


def test_a_story_that_is_not_cut_is_harmless(swept: tuple[str, list[Verdict]]) -> None:
    _, (clean, *_) = swept
    assert clean.harmless
    assert (clean.acknowledged, clean.stored) == (RECORDS, RECORDS)


def test_what_was_stored_and_not_answered_is_there_twice_unless_the_producer_is_idempotent(
    swept: tuple[str, list[Verdict]],
) -> None:
    mode, (_, *cut) = swept
    after = [each for each in cut if each.point.phase == "after"]
    assert len(after) == RECORDS
    assert {each.duplicated for each in after} == {0 if mode == "idempotent" else 1}
    assert {each.duplicated for each in cut if each.point.phase == "before"} == {0}


def test_nothing_is_lost_and_nothing_alarms(swept: tuple[str, list[Verdict]]) -> None:
    mode, found = swept
    bad = [each for each in found if is_bad(each, mode) or each.stuck]
    assert not bad, "\n\n".join(f"{each.point}: {each.violated} {each.stuck}" for each in bad)
