"""Conservation over flows that are made by hand: twice, missing, from nowhere, and what the group has committed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mockbroker.checkers.conserving import Flow, Output, not_conserved
from mockbroker.checkers.readable import Readable
from mockbroker.ledger.fates import STORED
from tests.checkers.by_hand import PLACE, case, committed, sent

INVOICES = ("invoices", 1)
INPUTS = {PLACE: Readable(0, 3, {0: b"a", 1: b"b", 2: None})}
ALL_COMMITTED: dict[str, Any] = {"group": "billing", "committed": {0: 3}}


def output(offset: int, source: int | None, producer_id: int = -1) -> Output:
    return Output(INVOICES, offset, None, producer_id, None if source is None else (0, source))


ONCE = [output(n, n) for n in range(3)]


def wrong(*outputs: Output, readable: Any = INPUTS, flow: Any = None, **more: Any) -> list[str]:
    return not_conserved(case(readable=readable, **more), Flow("orders", outputs, **(flow or {})))


def test_each_input_once_is_what_is_wanted() -> None:
    assert wrong(*ONCE) == wrong(*ONCE, flow=ALL_COMMITTED) == []


def test_what_became_two_records_is_told_with_both_and_who_wrote_them() -> None:
    writes = [
        (replace(sent(0, 1_000, producer_id=7, producer_epoch=2), place=INVOICES), STORED),
        (replace(sent(3, 4_000), place=INVOICES), STORED),
    ]
    given = not_conserved(
        case(*writes, readable=INPUTS),
        Flow("orders", [output(0, 0, 7), *ONCE[1:], output(3, 0)], {7: "payer-1"}),
    )
    (told,) = given
    assert told == (
        "1 twice in the committed output: orders-0@0 key=b'a' became 2 records, invoices-1@0 from app at "
        "t+1.0 ms (transactional id 'payer-1', producer 7:2) and invoices-1@3 from app at t+4.0 ms"
    )


@pytest.mark.parametrize(
    ("commits", "says"),
    [
        ([committed(2, 3_000)], "billing had committed 2 at t+3.0 ms"),
        ([committed(2, error="ILLEGAL_GENERATION")], "no group has committed past it"),
        ([committed(1)], "no group has committed past it"),
    ],
)
def test_what_is_missing_is_told_with_the_commit_that_has_passed_it(commits: Any, says: str) -> None:
    assert wrong(ONCE[0], ONCE[2], committed=commits) == [
        f"1 missing from the committed output: orders-0@1 key=b'b', and {says}"
    ]


def test_an_output_must_come_from_somewhere() -> None:
    elsewhere = Output(INVOICES, 5, b"k", 9, (4, 0))
    (told,) = wrong(*ONCE, output(3, None), output(4, 8), elsewhere)
    assert told == (
        "3 from nowhere: invoices-1@3 has no source; "
        "invoices-1@4 says orders-0@8, and no committed record is there; "
        "invoices-1@5 key=b'k' (producer 9) says orders-4@0, and no committed record is there"
    )


def test_an_input_that_retention_has_deleted_was_there() -> None:
    assert wrong(*ONCE, readable={PLACE: Readable(2, 3, {2: None})}) == []
    assert wrong(output(0, -1), readable={PLACE: Readable(2, 2)}) != []


@pytest.mark.parametrize(
    ("upto", "says"),
    [
        (1, "billing has committed 1 of orders-0, and orders-0@1 key=b'b' is transformed (2 such)"),
        (4, "billing has committed 4 of orders-0, which ends at 3"),
    ],
)
def test_the_group_has_committed_what_was_transformed(upto: int, says: str) -> None:
    given = wrong(*ONCE, flow={"group": "billing", "committed": {0: upto}})
    assert given == [f"1 not as the group has committed: {says}"]


def test_the_group_has_committed_no_more_than_was_transformed() -> None:
    assert wrong(*ONCE[:2], flow=ALL_COMMITTED)[-1] == (
        "1 not as the group has committed: billing has committed 3 of orders-0, and orders-0@2 is "
        "not transformed (1 such)"
    )


def test_three_examples_are_enough_and_what_was_forgotten_is_said() -> None:
    many = {PLACE: Readable(0, 5, dict.fromkeys(range(5)))}
    missing, forgotten = wrong(readable=many, dropped=9)
    assert missing.startswith("5 missing")
    assert missing.endswith("; and 2 more")
    assert forgotten == "the ledger has forgotten its oldest 9 batches, and who sent them"
