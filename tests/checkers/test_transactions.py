"""What verdicts about transactions say: which part, of whom, and when."""

from __future__ import annotations

from mockbroker.checkers.transactions import lost_transaction, torn_transaction
from mockbroker.checkers.verdict import Outcome
from tests.checkers.transacted import (
    BOTH,
    LATE,
    OVERTAKEN_BY_CONNECTION,
    THERE,
    decided,
    ended,
    marker,
    part,
    story,
)


def test_a_part_that_ended_otherwise_is_named() -> None:
    torn = story(*BOTH, decided(5), marker(6), marker(7, THERE, commit=False))
    assert torn_transaction(torn).evidence == (
        "payer (producer 7:0) was to be committed at t+5.0 ms: orders-1@2 was aborted",
    )


def test_a_commit_that_was_none_is_named() -> None:
    lost = story(part(1), decided(5, commit=False), marker(6, commit=False), ended(7))
    (evidence,) = lost_transaction(lost).evidence
    assert evidence == (
        "payer (producer 7:0, app) was told at t+7.0 ms that its transaction is committed: "
        "orders-0@1 was aborted"
    )


def test_an_end_of_before_is_named() -> None:
    torn = story(*LATE, part(18, THERE), decided(20), marker(21, THERE), ended(22))
    (evidence,) = torn_transaction(torn).evidence
    assert evidence == (
        "payer (producer 7:0, app) was told at t+22.0 ms that its transaction is committed, and "
        "orders-0@10 had been aborted at t+15.0 ms by an end of before"
    )


def test_an_end_is_of_before_also_by_the_connection_that_it_comes_on() -> None:
    assert torn_transaction(OVERTAKEN_BY_CONNECTION).outcome is Outcome.VIOLATED


def test_what_is_held_up_is_said_and_not_torn() -> None:
    found = torn_transaction(story(*BOTH, decided(5, complete=False), marker(6)))
    assert found.evidence[-1] == "of 1 more not all markers have arrived yet"


def test_an_end_after_an_end_is_the_next_transaction() -> None:
    both = story(
        part(1), decided(3, commit=False), marker(4, commit=False), ended(5, commit=False),
        part(6), decided(8), marker(9), ended(10),
    )  # fmt: skip
    assert torn_transaction(both).outcome is Outcome.NOT_EXERCISED
    assert lost_transaction(both).outcome is Outcome.PROVED
