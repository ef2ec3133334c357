"""The parts of a case that questions are about, and the edges of what checkers compare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockbroker.checkers import consuming, producing
from mockbroker.checkers.case import Aborted, Case
from mockbroker.checkers.verdict import Outcome
from mockbroker.ledger.entries import Ack, Election, Joined, Resolved, Sent
from mockbroker.ledger.fates import LOST, STORED, UNSEEN
from tests.checkers.by_hand import (
    AGAIN,
    FAILED,
    JOINED,
    NOWHERE,
    PLACE,
    REFUSED,
    case,
    committed,
    led_anew,
    sent,
    served,
)

ELSEWHERE = ("invoices", 0)


def whole() -> Case:
    """Two topics, two groups."""
    return Case(
        sent=[sent(0), replace(sent(1), place=ELSEWHERE)],
        states=[STORED, LOST],
        served=[served(0, 1), replace(served(0, 1, client="a1"), place=ELSEWHERE)],
        committed=[committed(1), replace(committed(2), place=ELSEWHERE, group="audit")],
        resolved=[Resolved(0, "c1", PLACE, 1), Resolved(0, "a1", ELSEWHERE, 1)],
        joined=[*JOINED, Joined(0, "audit", "a1", "a1", 9)],
        aborted=[Aborted(PLACE, 7, 0, 1), Aborted(ELSEWHERE, 7, 0, 1)],
    )


def test_the_part_about_a_topic() -> None:
    part = whole().about("invoices")
    assert [one.place for one in part.sent] == [ELSEWHERE]
    assert part.states == [LOST]
    for entries in (part.served, part.committed, part.resolved, part.aborted):
        assert [one.place for one in entries] == [ELSEWHERE]


def test_the_part_of_a_group() -> None:
    part = whole().of_group("audit")
    assert [one.client_id for one in part.served] == [one.client_id for one in part.resolved] == ["a1"]
    assert [one.group for one in part.committed] == ["audit"]
    # Of the others it is still known who they are, or a shared client id would look like one of this group alone.
    assert part.readers.groups("c1") == {"billing"}
    assert len(part.sent) == 2


def test_a_record_is_present_once() -> None:
    given = case((sent(0), STORED), (sent(0, 5, duplicate=True), STORED), (sent(1), UNSEEN), (sent(2), LOST))
    assert [one.base_offset for one in given.present()] == [0, 1]


def test_why_nothing_was_proved_of_losses() -> None:
    assert producing.acked_lost(case()).evidence == ("no record was acknowledged",)
    assert producing.acked_lost(case((sent(0), STORED))).evidence == (
        "no leader changed after a record was acknowledged",
    )


@pytest.mark.parametrize(("epoch", "proved"), [(0, False), (1, True)])
def test_a_leader_that_begins_anew_in_its_epoch_is_no_change(epoch: int, *, proved: bool) -> None:
    elections = {(PLACE, b""): [Election(5, 1, epoch, unclean=False)]}
    found = producing.acked_lost(case((sent(0, 5), STORED), elections=elections))
    assert (found.outcome is Outcome.PROVED) == proved


def test_what_an_election_of_another_topic_of_that_name_has_cost() -> None:
    elections = {(PLACE, b"another"): led_anew()[PLACE, b""]}
    assert producing.acked_lost(case((sent(0), STORED), elections=elections)).outcome is Outcome.NOT_EXERCISED


@pytest.mark.parametrize(("at_us", "overtaken"), [(-1, False), (0, True), (5, True), (6, False)])
def test_only_what_was_sent_between_two_tries_overtakes(at_us: int, *, overtaken: bool) -> None:
    other = sent(0, at_us, b"other")
    found = producing.out_of_order(case((sent(-1, **REFUSED), NOWHERE), (other, STORED), (AGAIN, STORED)))
    assert (found.outcome is Outcome.VIOLATED) == overtaken


def test_what_is_stored_behind_the_second_try_overtakes_nothing() -> None:
    other = sent(2, 2, b"other")
    found = producing.out_of_order(case((sent(-1, **REFUSED), NOWHERE), (other, STORED), (AGAIN, STORED)))
    assert found.outcome is Outcome.PROVED


def test_a_producer_of_id_0_is_idempotent() -> None:
    first = sent(-1, producer_id=0, **REFUSED)
    given = case((first, NOWHERE), (sent(0, 2, b"other"), STORED), (AGAIN, STORED))
    assert producing.out_of_order(given).alarming


def test_an_acknowledged_batch_is_never_a_second_try() -> None:
    given = case((sent(-1, ack=Ack.PENDING), NOWHERE), (AGAIN, STORED))
    assert producing.out_of_order(given).outcome is Outcome.NOT_EXERCISED


@pytest.mark.parametrize(
    ("offset", "at_us", "again"), [(2, 3, True), (1, 3, False), (2, 5, False), (2, 9, False)]
)
def test_only_what_was_claimed_before_is_delivered_again(offset: int, at_us: int, *, again: bool) -> None:
    given = case(served=[served(0, 2), served(1, 3, 5)], committed=[committed(offset, at_us)])
    found = consuming.duplicated_by_redelivery(given).outcome is Outcome.VIOLATED
    assert found == again


def test_a_commit_of_nobody_in_particular_claims_nothing() -> None:
    given = case(served=[served(0, 2), served(0, 2, 5)], committed=[committed(2, 3, -1)])
    assert consuming.duplicated_by_redelivery(given).outcome is not Outcome.VIOLATED


def test_one_record_and_several_are_told_apart() -> None:
    def evidence(end: int) -> str:
        (text,) = consuming.duplicated_by_redelivery(
            case(served=[served(1, end, 5)], committed=[committed(9, 3, lost=True)])
        ).evidence
        return text

    assert evidence(2) == (
        "orders-0@1 served to c1 at t+0.0 ms; the commit of 9 by c1 at t+0.0 ms was kept, and not answered"
    )
    assert evidence(4).startswith("orders-0@1-3 served")


@pytest.mark.parametrize(
    ("offset", "sent_at", "missed"), [(1, 4, True), (0, 4, False), (1, 5, False), (1, 6, False)]
)
def test_only_what_was_there_before_the_end_was_told_is_missed(
    offset: int, sent_at: int, *, missed: bool
) -> None:
    found = consuming.never_delivered(
        case((sent(0, sent_at), STORED), resolved=[Resolved(5, "c1", PLACE, offset)])
    )
    assert (found.outcome is Outcome.VIOLATED) == missed


@pytest.mark.parametrize("lost", [replace(sent(0), place=ELSEWHERE), sent(0, duplicate=True)])
def test_records_of_another_partition_and_second_copies_are_not_missed(lost: Sent) -> None:
    given = case((lost, STORED), resolved=[Resolved(5, "c1", PLACE, 1)])
    assert consuming.never_delivered(given).outcome is Outcome.PROVED


def test_who_begins_at_the_end_reads_from_there() -> None:
    given = case((sent(0), STORED), resolved=[Resolved(5, "c1", PLACE, 1)], served=[served(1, 2, 9)])
    assert consuming.never_delivered(given).outcome is Outcome.VIOLATED


def test_a_group_passes_nothing_that_lies_beyond_its_commit_or_before_its_beginning() -> None:
    given = case(
        (sent(0), STORED),
        (sent(1), STORED),
        (sent(2), STORED),
        served=[served(1, 2)],
        committed=[committed(2)],
    )
    assert consuming.gap_in_consumption(given).outcome is Outcome.PROVED
    passed = replace(given, committed=[committed(3)])
    assert consuming.gap_in_consumption(passed).evidence == (
        "billing has passed orders-0@2 from app at t+0.0 ms",
    )


def test_refused_commits_pass_nothing() -> None:
    given = case(
        (sent(0), STORED), served=[served(5, 6)], committed=[committed(9, error="ILLEGAL_GENERATION")]
    )
    assert consuming.gap_in_consumption(given).outcome is Outcome.NOT_EXERCISED


def test_what_was_not_served_is_what_can_be_read_and_was_not() -> None:
    given = case(
        (sent(0), STORED),
        (sent(1), STORED),
        (sent(1, duplicate=True), STORED),
        (sent(2), LOST),
        (sent(3), UNSEEN),
    )
    assert [one.base_offset for one in consuming.not_served(given, [served(0, 1)])] == [1]


@pytest.mark.parametrize(("start", "end", "read"), [(0, 1, False), (1, 2, True), (2, 3, False)])
def test_only_who_was_given_aborted_records_has_read_them(start: int, end: int, *, read: bool) -> None:
    aborted = sent(1, transactional=True, producer_id=7)
    given = case((aborted, STORED), aborted=[Aborted(PLACE, 7, 1, 1)], served=[served(start, end)])
    assert (consuming.aborted_read(given).outcome is Outcome.VIOLATED) == read


def test_a_failed_batch_that_is_nowhere_is_no_doubt() -> None:
    found = producing.unacked_stored(case((sent(0, **FAILED), STORED), (sent(-1, **REFUSED), NOWHERE)))
    assert len(found.evidence) == 1
