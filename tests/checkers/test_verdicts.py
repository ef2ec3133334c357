"""Each checker in its three outcomes, over cases that are made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mockbroker.checkers import consuming, groups, producing
from mockbroker.checkers.case import Case
from mockbroker.checkers.every import CHECKERS, verdicts
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.core.groups.views import Generation
from mockbroker.ledger.entries import Ack, Committed, Joined, Resolved, Sent, Served
from mockbroker.ledger.fates import DELETED, LOST, STORED, UNSEEN
from mockbroker.records.builder import build_batch

PLACE = ("orders", 0)


def sent(offset: int, at_us: int = 0, value: bytes = b"x", **more: Any) -> Sent:
    batch = build_batch([(b"k", value, (), 0)], now_ms=0)
    given: dict[str, Any] = {
        "ack": Ack.ACKED,
        "data": batch.data,
        "base_offset": offset,
        "leader": 1,
        "leader_epoch": 0,
    }
    return Sent(at_us, "app", 1, 1, PLACE, b"", -1, 1, **(given | more))


def served(
    start: int, end: int, at_us: int = 0, client: str = "c1", connection: int = 1, **more: Any
) -> Served:
    given: dict[str, Any] = {"committed_only": False}
    return Served(at_us, client, connection, 1, PLACE, start, end, **(given | more))


def committed(offset: int, at_us: int = 0, generation: int = 1, client: str = "c1", **more: Any) -> Committed:
    return Committed(at_us, client, 1, "billing", "m1", generation, PLACE, offset, **more)


JOINED = (Joined(0, "billing", "m1", "c1", 1), Joined(0, "billing", "m2", "c2", 2))


def case(*batches: tuple[Sent, str], **more: Any) -> Case:
    return Case(
        sent=[one for one, _ in batches], states=[state for _, state in batches], joined=JOINED, **more
    )


def generation(number: int, **owned: list[int]) -> Generation:
    return Generation(number, 0, 1, "", {member: {"orders": parts} for member, parts in owned.items()}, 0)


FAILED = {"ack": Ack.LOST, "why": "cut"}
Checker = Callable[[Case], Verdict]
P, V, N = Outcome.PROVED, Outcome.VIOLATED, Outcome.NOT_EXERCISED

CASES: Sequence[tuple[Checker, Outcome, Case]] = [
    (producing.acked_lost, P, case((sent(0), STORED), (sent(1), DELETED))),
    (producing.acked_lost, V, case((sent(0), STORED), (sent(1), LOST))),
    (producing.acked_lost, N, case((sent(0, **FAILED), LOST))),
    (producing.unacked_stored, P, case((sent(-1, ack=Ack.REFUSED), "never stored"))),
    (producing.unacked_stored, P, case((sent(0, **FAILED), LOST))),
    (producing.unacked_stored, V, case((sent(0, **FAILED), UNSEEN))),
    (producing.unacked_stored, N, case((sent(0), STORED))),
    (producing.duplicated_by_retry, V, case((sent(0, **FAILED), STORED), (sent(1, 5), STORED))),
    (
        producing.duplicated_by_retry,
        P,
        case((sent(0, **FAILED), STORED), (sent(0, 5, duplicate=True), STORED)),
    ),
    (producing.duplicated_by_retry, N, case((sent(0, **FAILED), STORED), (sent(1, 5, b"other"), STORED))),
    (producing.duplicated_by_retry, N, case((sent(0), STORED), (sent(1, 5), STORED))),
    (producing.out_of_order, P, case((sent(0), STORED), (sent(1, 5), STORED))),
    (producing.out_of_order, V, case((sent(3), STORED), (sent(1, 5), STORED))),
    (producing.out_of_order, N, case((sent(3), STORED), (sent(1, 5, duplicate=True), STORED))),
    (producing.zombie_write, N, case((sent(0, producer_id=7, producer_epoch=0), STORED))),
    (
        producing.zombie_write,
        P,
        case(
            (sent(0, producer_id=7, producer_epoch=1), STORED),
            (sent(-1, 5, producer_id=7, producer_epoch=0, ack=Ack.REFUSED), "never stored"),
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
    (consuming.duplicated_by_redelivery, P, case(served=[served(0, 2), served(2, 3, 5, "c2", 2)])),
    (consuming.duplicated_by_redelivery, V, case(served=[served(0, 2), served(1, 3, 5, "c2", 2)])),
    (consuming.duplicated_by_redelivery, N, case(served=[served(0, 2), served(0, 2, 5, "a stranger", 2)])),
    (consuming.committed_ahead_of_delivery, P, case(served=[served(0, 2)], committed=[committed(2, 5)])),
    (consuming.committed_ahead_of_delivery, V, case(served=[served(0, 2)], committed=[committed(3, 5)])),
    (consuming.committed_ahead_of_delivery, N, case(served=[served(0, 2)], committed=[committed(9, 5, -1)])),
    (consuming.committed_ahead_of_delivery, N, case(committed=[committed(9, 5, error="ILLEGAL_GENERATION")])),
    (consuming.never_delivered, V, case((sent(0), STORED), resolved=[Resolved(5, "c1", PLACE, 1)])),
    (consuming.never_delivered, P, case((sent(1, 9), STORED), resolved=[Resolved(5, "c1", PLACE, 1)])),
    (
        consuming.never_delivered,
        P,
        case((sent(0), STORED), resolved=[Resolved(5, "c1", PLACE, 1)], served=[served(0, 1)]),
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
        P,
        case(
            (sent(0), STORED),
            (sent(1), STORED),
            served=[served(0, 1), served(1, 2)],
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
        case(
            (sent(0, transactional=True), STORED),
            (sent(1, transactional=True), STORED),
            served=[served(0, 2, committed_only=True, last_stable=1)],
        ),
    ),
    (
        consuming.aborted_read,
        P,
        case(
            (sent(0, transactional=True), STORED), served=[served(0, 1, committed_only=True, last_stable=1)]
        ),
    ),
    (
        consuming.aborted_read,
        N,
        case((sent(0), STORED), served=[served(0, 1, committed_only=True, last_stable=1)]),
    ),
    (groups.partition_owned_twice, P, case(generations={"billing": [generation(1, a=[0], b=[1])]})),
    (groups.partition_owned_twice, V, case(generations={"billing": [generation(1, a=[0], b=[0, 1])]})),
    (groups.partition_owned_twice, N, case(generations={"billing": [generation(1)]})),
    (groups.zombie_commit, P, case(committed=[committed(1, error="ILLEGAL_GENERATION")])),
    (groups.zombie_commit, V, case(committed=[committed(1, 0, 2), committed(2, 5, 1)])),
    (groups.zombie_commit, N, case(committed=[committed(1, 0, 1), committed(2, 5, 2)])),
    (groups.committed_backwards, P, case(committed=[committed(1), committed(2, 5)])),
    (groups.committed_backwards, V, case(committed=[committed(2), committed(1, 5)])),
    (groups.committed_backwards, N, case(committed=[committed(2, 0, -1), committed(1, 5, -1)])),
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


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_what_a_correct_client_may_bring_about_alarms_nobody(checker: Checker) -> None:
    (violated,) = [checker(given) for c, o, given in CASES if c is checker and o is V]
    hard = {
        "acked_lost",
        "out_of_order",
        "zombie_write",
        "aborted_read",
        "partition_owned_twice",
        "zombie_commit",
    }
    assert violated.alarming == (violated.name in hard)
