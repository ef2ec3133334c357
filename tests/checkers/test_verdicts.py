"""Each checker in its three outcomes, over cases that are made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mockbroker.checkers import consuming, effects, groups, producing, transactions
from mockbroker.checkers.case import Aborted, Case
from mockbroker.checkers.every import CHECKERS, verdicts
from mockbroker.checkers.verdict import Outcome
from mockbroker.ledger.entries import Ack, Election, Resolved
from mockbroker.ledger.fates import DELETED, LOST, STORED, UNSEEN
from mockbroker.records.builder import build_batch
from tests.checkers.by_hand import (
    AGAIN,
    FAILED,
    IN_TRANSACTION,
    NOWHERE,
    OTHER,
    PLACE,
    REFUSED,
    TWO_GROUPS,
    TWO_READABLE,
    Checker,
    N,
    P,
    V,
    case,
    committed,
    effect,
    generation,
    led_anew,
    pair,
    sent,
    served,
)
from tests.checkers.transacted import TOLD, TORN

CASES: Sequence[tuple[Checker, Outcome, Case]] = [
    (producing.acked_lost, P, case((sent(0), STORED), (sent(1), DELETED), elections=led_anew())),
    (producing.acked_lost, V, case((sent(0), STORED), (sent(1), LOST))),
    (producing.acked_lost, N, case((sent(0), STORED))),
    (producing.acked_lost, N, case((sent(0, 10), STORED), elections=led_anew(at_us=9))),
    (producing.acked_lost, N, case((sent(0, **FAILED), LOST), elections=led_anew())),
    (producing.acked_lost, N, case((sent(0, acks=0, ack=Ack.NONE), LOST), elections=led_anew())),
    (producing.unacked_stored, P, case((sent(-1, **REFUSED), NOWHERE))),
    (producing.unacked_stored, P, case((sent(0, **FAILED), LOST))),
    (producing.unacked_stored, P, case((sent(0, **FAILED), STORED), (sent(0, 5, duplicate=True), STORED))),
    (
        producing.unacked_stored,
        V,
        case((sent(0, **FAILED), STORED), (sent(0, 5, duplicate=True, **FAILED), STORED)),
    ),
    (producing.unacked_stored, V, case((sent(0, **FAILED), UNSEEN))),
    (producing.unacked_stored, V, case((sent(0, **FAILED), STORED), (AGAIN, STORED))),
    (producing.unacked_stored, N, case((sent(0), STORED))),
    (producing.unacked_stored, N, case((sent(-1, ack=Ack.PENDING), NOWHERE))),
    (producing.duplicated_by_retry, V, case((sent(0, **FAILED), STORED), (AGAIN, STORED))),
    (producing.duplicated_by_retry, V, case((sent(0, **FAILED), STORED), (sent(1, 5, **FAILED), UNSEEN))),
    (
        producing.duplicated_by_retry,
        P,
        case((sent(0, **FAILED), STORED), (sent(0, 5, duplicate=True), STORED)),
    ),
    (producing.duplicated_by_retry, N, case((sent(0, **FAILED), STORED), (OTHER, STORED))),
    (producing.duplicated_by_retry, N, case((sent(0), STORED), (AGAIN, STORED))),
    (producing.duplicated_by_retry, N, case((sent(0, **FAILED), LOST), (AGAIN, STORED))),
    (producing.duplicated_by_retry, N, case((sent(-1, **REFUSED), NOWHERE), (AGAIN, STORED))),
    (producing.out_of_order, P, case((sent(-1, **REFUSED), NOWHERE), (sent(0, 5), STORED))),
    (
        producing.out_of_order,
        V,
        case((sent(-1, **REFUSED), NOWHERE), (sent(0, 2, b"other"), STORED), (AGAIN, STORED)),
    ),
    (
        producing.out_of_order,
        P,
        case((sent(0, -2, b"other"), STORED), (sent(-1, **REFUSED), NOWHERE), (AGAIN, STORED)),
    ),
    (producing.out_of_order, N, case((sent(0), STORED), (OTHER, STORED))),
    (producing.zombie_write, N, case((sent(0, producer_id=7, producer_epoch=0), STORED))),
    (
        producing.zombie_write,
        P,
        case(
            (sent(0, producer_id=7, producer_epoch=1), STORED),
            (sent(-1, 5, producer_id=7, producer_epoch=0, ack=Ack.REFUSED), NOWHERE),
        ),
    ),
    (
        producing.zombie_write,
        V,
        case(
            (sent(0, producer_id=7, producer_epoch=1), STORED),
            (sent(1, 5, producer_id=7, producer_epoch=0), STORED),
        ),
    ),
    (consuming.duplicated_by_redelivery, N, case(served=[served(0, 2), served(2, 3, 5)])),
    (
        consuming.duplicated_by_redelivery,
        P,
        case(served=[served(0, 2), served(2, 3, 5, "c2", 2)], committed=[committed(2, 3)]),
    ),
    # What was fetched ahead and not tried to commit is nobody's duplicate.
    (
        consuming.duplicated_by_redelivery,
        P,
        case(served=[served(0, 9), served(2, 9, 5, "c2", 2)], committed=[committed(2, 3)]),
    ),
    (
        consuming.duplicated_by_redelivery,
        V,
        case(served=[served(0, 2), served(1, 3, 5, "c2", 2)], committed=[committed(2, 3)]),
    ),
    (
        consuming.duplicated_by_redelivery,
        V,
        case(
            served=[served(0, 2), served(1, 3, 5, "c2", 2)],
            committed=[committed(2, 3, error="the connection broke", lost=True)],
        ),
    ),
    (
        consuming.duplicated_by_redelivery,
        N,
        case(served=[served(0, 2), served(0, 2, 5, lost=True)], committed=[committed(2, 3)]),
    ),
    (
        consuming.duplicated_by_redelivery,
        N,
        case(served=[served(0, 2), served(0, 2, 5, "a stranger", 2)], committed=[committed(2, 3)]),
    ),
    (
        consuming.duplicated_by_redelivery,
        N,
        replace(case(served=[served(0, 2), served(0, 2, 5)], committed=[committed(2, 3)]), joined=TWO_GROUPS),
    ),
    (consuming.committed_ahead_of_delivery, P, case(served=[served(0, 2)], committed=[committed(2, 5)])),
    (consuming.committed_ahead_of_delivery, V, case(served=[served(0, 2)], committed=[committed(3, 5)])),
    (
        consuming.committed_ahead_of_delivery,
        V,
        case(served=[served(0, 2), served(2, 4, 4, lost=True)], committed=[committed(3, 5)]),
    ),
    (
        consuming.committed_ahead_of_delivery,
        V,
        case(served=[served(0, 2), served(2, 4, 9)], committed=[committed(3, 5)]),
    ),
    # A place that was looked up, or that the group had already, may be committed without a record.
    (
        consuming.committed_ahead_of_delivery,
        P,
        case(
            served=[served(0, 2)],
            resolved=[Resolved(4, "c1", PLACE, 9, latest=False)],
            committed=[committed(9, 5)],
        ),
    ),
    (
        consuming.committed_ahead_of_delivery,
        P,
        case(served=[served(0, 2)], committed=[committed(9, 4, -1), committed(9, 5)]),
    ),
    (consuming.committed_ahead_of_delivery, N, case(served=[served(0, 2)], committed=[committed(9, 5, -1)])),
    (
        consuming.committed_ahead_of_delivery,
        N,
        case(served=[served(0, 2)], committed=[committed(9, 5, by_test=True)]),
    ),
    (consuming.committed_ahead_of_delivery, N, case(committed=[committed(9, 5, error="ILLEGAL_GENERATION")])),
    (consuming.never_delivered, V, case((sent(0), STORED), resolved=[Resolved(5, "c1", PLACE, 1)])),
    (
        consuming.never_delivered,
        V,
        case((sent(0), STORED), resolved=[Resolved(5, "c1", PLACE, 1)], served=[served(0, 1, lost=True)]),
    ),
    (consuming.never_delivered, P, case((sent(1, 9), STORED), resolved=[Resolved(5, "c1", PLACE, 1)])),
    # Who has read from before the end wanted only to know it.
    (
        consuming.never_delivered,
        N,
        case(
            (sent(0), STORED),
            (sent(1), STORED),
            resolved=[Resolved(5, "c1", PLACE, 2)],
            served=[served(0, 1)],
        ),
    ),
    (
        consuming.never_delivered,
        N,
        case((sent(0), STORED), resolved=[Resolved(5, "c1", PLACE, 1, latest=False)]),
    ),
    (consuming.never_delivered, N, case((sent(0), STORED), resolved=[Resolved(5, "a producer", PLACE, 1)])),
    (
        consuming.gap_in_consumption,
        V,
        case(
            (sent(0), STORED),
            (sent(1), STORED),
            served=[served(0, 1), served(2, 3)],
            committed=[committed(3)],
        ),
    ),
    (
        consuming.gap_in_consumption,
        V,
        case(
            (sent(0), STORED),
            (sent(1), STORED),
            served=[served(0, 1), served(1, 2, lost=True)],
            committed=[committed(2)],
        ),
    ),
    (
        consuming.gap_in_consumption,
        P,
        case(
            (sent(0), STORED),
            (sent(1), DELETED),
            served=[served(0, 1), served(2, 3)],
            committed=[committed(3)],
        ),
    ),
    (
        consuming.gap_in_consumption,
        P,
        case(
            (sent(0), STORED),
            (sent(1), STORED),
            served=[served(0, 1), served(1, 2, 0, "c2")],
            committed=[committed(2)],
        ),
    ),
    (
        consuming.gap_in_consumption,
        P,
        case((sent(0), STORED), (sent(1), STORED), served=[served(1, 2)], committed=[committed(2)]),
    ),
    (consuming.gap_in_consumption, N, case((sent(0), STORED), served=[served(0, 1)])),
    (
        consuming.aborted_read,
        V,
        case((sent(0, **IN_TRANSACTION), STORED), aborted=[Aborted(PLACE, 7, 0, 1)], served=[served(0, 2)]),
    ),
    (
        consuming.aborted_read,
        P,
        case(
            (sent(0, **IN_TRANSACTION), STORED),
            aborted=[Aborted(PLACE, 7, 0, 1)],
            served=[served(0, 2, committed_only=True)],
        ),
    ),
    (
        consuming.aborted_read,
        N,
        case(
            (sent(0, **IN_TRANSACTION), STORED),
            (sent(2), STORED),
            aborted=[Aborted(PLACE, 7, 0, 1)],
            served=[served(2, 3), served(0, 2, lost=True)],
        ),
    ),
    (
        consuming.aborted_read,
        N,
        case(
            (sent(0, transactional=True, producer_id=8), STORED),
            aborted=[Aborted(PLACE, 7, 0, 1)],
            served=[served(0, 2)],
        ),
    ),
    (consuming.aborted_read, N, case((sent(0, **IN_TRANSACTION), STORED), served=[served(0, 1)])),
    *((transactions.torn_transaction, o, given) for o, given in TORN),
    *((transactions.lost_transaction, o, given) for o, given in TOLD),
    (groups.partition_owned_twice, P, case(generations=pair())),
    (groups.partition_owned_twice, V, case(generations={"billing": [generation(1, a=[0], b=[0, 1])]})),
    (groups.partition_owned_twice, N, case(generations={"billing": [generation(1, a=[0])]})),
    (groups.zombie_commit, P, case(committed=[committed(1, error="ILLEGAL_GENERATION")])),
    (
        groups.zombie_commit,
        V,
        case(generations={"billing": [generation(1, m2=[0])]}, committed=[committed(1)]),
    ),
    (groups.zombie_commit, N, case(generations=pair(), committed=[committed(1)])),
    (
        groups.zombie_commit,
        N,
        case(generations={"billing": [generation(1, m2=[1])]}, committed=[committed(1)]),
    ),
    (
        groups.zombie_commit,
        N,
        case(generations={"billing": [generation(2, m2=[0])]}, committed=[committed(1)]),
    ),
    (
        groups.zombie_commit,
        N,
        case(generations={"billing": [generation(1, m2=[0])]}, committed=[committed(1, by_test=True)]),
    ),
    (groups.committed_backwards, P, case(committed=[committed(1), committed(2, 5)])),
    (groups.committed_backwards, V, case(committed=[committed(2), committed(1, 5)])),
    (groups.committed_backwards, N, case(committed=[committed(2, 0, -1), committed(1, 5, -1)])),
    (effects.effect_twice, P, case(effects=[effect(0)], served=[served(0, 1), served(0, 1, 4)])),
    (effects.effect_twice, N, case(effects=[effect(0), effect(1)], served=[served(0, 2)])),
    (effects.effect_twice, N, case(effects=[effect(0, what="mail"), effect(0, what="row")])),
    (effects.effect_twice, V, case(effects=[effect(0), effect(0, 5)])),
    (effects.effect_twice, N, case(readable=TWO_READABLE)),
    (effects.effect_missing, P, case(effects=[effect(0), effect(1)], readable=TWO_READABLE)),
    (
        effects.effect_missing,
        P,
        case(effects=[effect(1)], readable=TWO_READABLE, effects_forgotten={PLACE: 0}),
    ),
    (effects.effect_missing, V, case(effects=[effect(0)], readable=TWO_READABLE)),
    (
        effects.effect_missing,
        V,
        case(effects=[effect(0)], readable=TWO_READABLE, effects_forgotten={PLACE: 0}),
    ),
    (effects.effect_missing, N, case(readable=TWO_READABLE)),
]


@pytest.mark.parametrize(
    ("checker", "outcome", "given"),
    CASES,
    ids=[f"{c.__name__}-{o.name}-{n}" for n, (c, o, _) in enumerate(CASES)],
)
def test_a_checker_says(checker: Checker, outcome: Outcome, given: Case) -> None:
    verdict = checker(given)
    assert (verdict.name, verdict.outcome) == (checker.__name__, outcome)
    assert verdict.evidence, "every verdict says why"


def test_every_checker_is_shown_in_every_outcome() -> None:
    assert {(c, o) for c, o, _ in CASES} == {(c, o) for c in CHECKERS for o in Outcome}


def test_nothing_happened_and_nothing_is_proved() -> None:
    assert {verdict.outcome for verdict in verdicts(case())} == {Outcome.NOT_EXERCISED}


# What no correct client brings about; all else is reported and tolerated.
HARD = {
    "acked_lost",
    "zombie_write",
    "torn_transaction",
    "lost_transaction",
    "committed_ahead_of_delivery",
    "partition_owned_twice",
    "zombie_commit",
}


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_what_a_correct_client_may_bring_about_alarms_nobody(checker: Checker) -> None:
    violated = [checker(given) for c, o, given in CASES if c is checker and o is V]
    assert {verdict.alarming for verdict in violated} == {checker.__name__ in HARD}


def test_an_idempotent_producer_is_not_excused_for_another_order() -> None:
    first = sent(-1, producer_id=7, **REFUSED)
    found = producing.out_of_order(case((first, NOWHERE), (sent(0, 2, b"other"), STORED), (AGAIN, STORED)))
    assert found.alarming


def test_what_was_lost_is_told_with_the_election_that_lost_it() -> None:
    election = Election(9_000, 2, 1, unclean=True)
    (evidence,) = producing.acked_lost(case((sent(0, acks=1, loss=election), LOST))).evidence
    assert evidence == (
        "orders-0@0 from app at t+0.0 ms, acks=1: appended by broker 1, nobody had copied it; "
        "broker 2 was chosen uncleanly to lead in epoch 1 at t+9.0 ms without it"
    )


def test_a_redelivery_is_told_with_the_commit_that_was_in_vain() -> None:
    found = consuming.duplicated_by_redelivery(
        case(
            served=[served(1, 5, 5_000, "c2", 2)], committed=[committed(4, 3_000, error="ILLEGAL_GENERATION")]
        )
    )
    assert found.evidence == (
        "orders-0@1-3 served to c2 at t+5.0 ms; the commit of 4 by c1 at t+3.0 ms was refused with ILLEGAL_GENERATION",
    )


def test_shared_client_ids_are_named_when_nobody_can_know_who_read() -> None:
    given = replace(case(served=[served(0, 2)]), joined=TWO_GROUPS)
    (why,) = consuming.duplicated_by_redelivery(given).evidence
    assert why == "members of several groups have the client id 'c1', so that nobody knows who read for whom"


def test_a_record_that_was_batched_anew_is_the_same_record() -> None:
    both = build_batch([(b"k", b"y", (), 0), (b"k", b"x", (), 0)], now_ms=0).data
    again = sent(1, 5, data=both, count=2)
    assert producing.duplicated_by_retry(case((sent(0, **FAILED), STORED), (again, STORED))).outcome is V


def test_the_same_content_at_another_time_is_another_record() -> None:
    later = sent(1, 5, data=build_batch([(b"k", b"x", (), 1)], now_ms=0).data)
    assert producing.duplicated_by_retry(case((sent(0, **FAILED), STORED), (later, STORED))).outcome is N


def test_bytes_that_are_no_records_are_like_nothing_else() -> None:
    broken: dict[str, Any] = {"data": bytes(80)}
    given = case((sent(0, **FAILED | broken), STORED), (sent(1, 5, **broken), STORED))
    assert producing.duplicated_by_retry(given).outcome is N


def test_where_only_ghosts_and_the_test_committed_it_is_said() -> None:
    found = case(served=[served(0, 2)], committed=[committed(9, 5, by_test=True)])
    (why,) = consuming.committed_ahead_of_delivery(found).evidence
    assert why == "no application's member committed: the commits are by ghosts or by the test"
    (nobody,) = consuming.committed_ahead_of_delivery(case(served=[served(0, 2)])).evidence
    assert nobody == "no member committed"
