"""What is told of effects: how often, when, and why as far as brokers know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mockbroker.checkers import effects
from mockbroker.checkers.case import Case
from mockbroker.core.groups.views import Generation
from tests.checkers.by_hand import TWO_READABLE, case, committed, effect, served

SECOND = Generation(2, 0, 1, "", {}, 0, 3_000, {})


def twice(**more: Any) -> Case:
    return case(effects=[effect(0, 2_000, "mail"), effect(0, 5_000, "mail")], readable=TWO_READABLE, **more)


def told(given: Case) -> str:
    (evidence,) = effects.effect_twice(given).evidence
    return evidence


def test_an_effect_that_happened_twice_is_told_with_its_times() -> None:
    assert told(twice()).startswith(
        "orders-0@0 key=b'o-1': 'mail' happened 2 times (t+2.0 ms, t+5.0 ms); "
        "its offset was not committed before the second, and nobody had tried to; "
        "it had been served to nobody by then"
    )


@pytest.mark.parametrize(
    ("commit", "says"),
    [
        (committed(1, 3_000), "was committed before the second (the commit of 1 by c1 for billing at t+3.0 ms"),
        (committed(1, 3_000, lost=True), "was committed before the second .* was kept, and not answered"),
        (committed(1, 3_000, error="FENCED"), "was not committed .* was refused with FENCED"),
        (committed(1, 3_000, error="cut", lost=True), "was not committed .* was not answered, and not kept (cut)"),
        (committed(1, 6_000), "nobody had tried to"),
        (committed(0, 3_000), "nobody had tried to"),
    ],
)  # fmt: skip
def test_it_is_said_whether_it_had_been_committed_before(commit: Any, says: str) -> None:
    evidence = told(twice(committed=[commit]))
    assert all(part in evidence for part in says.split(" .* ")), evidence


def test_it_is_said_who_was_given_the_record_and_whether_a_rebalance_came_between() -> None:
    given = [served(0, 1, 1_000), served(0, 1, 4_000, "c2", 2), served(1, 2, 4_000), served(0, 1, 9_000)]
    evidence = told(twice(served=given, generations={"billing": [SECOND]}))
    assert evidence.endswith(
        "it was served to c1 at t+1.0 ms, to c2 at t+4.0 ms; generation 2 of billing began between the two"
    )
    both = {"billing": [replace(SECOND, generation=1, at_us=1_000), SECOND, replace(SECOND, generation=3)]}
    assert told(twice(served=given, generations=both)).endswith(
        "; generations 2, 3 of billing began between the two"
    )
    assert told(twice(served=given[:1])).endswith("it had been served once by then")


def test_what_was_served_again_and_done_once_is_counted() -> None:
    given = case(effects=[effect(0), effect(1)], served=[served(0, 2), served(1, 2), served(0, 1, lost=True)])
    (evidence,) = effects.effect_twice(given).evidence
    assert evidence == "2 effects, each once; 1 of their records served more than once"


def test_a_missing_effect_is_told_with_the_commit_that_has_passed_it() -> None:
    given = case(effects=[effect(1)], readable=TWO_READABLE, committed=[committed(1, 3_000)])
    (evidence,) = effects.effect_missing(given).evidence
    assert evidence == (
        "orders-0@0 key=b'o-1' has had no effect: never served; billing had committed 1 at t+3.0 ms, so that "
        "nobody will be given it again"
    )


def test_a_missing_effect_that_may_still_come_is_told_as_such() -> None:
    given = case(effects=[effect(0)], readable=TWO_READABLE, served=[served(0, 2)], committed=[committed(1)])
    (evidence,) = effects.effect_missing(given).evidence
    assert evidence == (
        "orders-0@1 has had no effect: served to c1 at t+0.0 ms; no group has committed past it"
    )


def test_three_examples_are_enough() -> None:
    given = case(effects=[effect(offset) for offset in (0, 1, 2, 3, 4) for _ in "ab"])
    *examples, rest = effects.effect_twice(given).evidence
    assert (len(examples), rest) == (3, "and 2 more")
