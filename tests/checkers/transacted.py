"""Transactions made by hand: two parts, decisions, markers and answers, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mockbroker.checkers.case import Case
from mockbroker.checkers.verdict import Outcome
from mockbroker.ledger.entries import Ack, Decided, Ended, Place, Sent, Written
from mockbroker.ledger.fates import DELETED, LOST, STORED
from mockbroker.records.builder import build_batch

HERE, THERE = ("orders", 0), ("orders", 1)
OFFSETS = ("__consumer_offsets", 3)
P, V, N = Outcome.PROVED, Outcome.VIOLATED, Outcome.NOT_EXERCISED

Thing = tuple[Any, str]


def part(order: int, place: Place = HERE, state: str = STORED, **more: Any) -> Thing:
    """A batch of producer 7 in epoch 0."""
    given: dict[str, Any] = {
        "producer_id": 7, "producer_epoch": 0, "transactional": True, "base_offset": order, "count": 1,
        "ack": Ack.ACKED, "order": order, "leader": 1,
    }  # fmt: skip
    return Sent(order * 1_000, "app", 1, 1, place, b"", -1, **(given | more)), state


def offsets(order: int, state: str = STORED) -> Thing:
    """Offsets of a group that wait for the end."""
    return Written(order, order * 1_000, OFFSETS, b"", 7, 0, order, order + 1, 0), state


def marker(
    order: int, place: Place = HERE, state: str = STORED, *, commit: bool = True, epoch: int = 0
) -> Thing:
    return Written(order, order * 1_000, place, b"", 7, epoch, order, order + 1, 0, commit), state


def decided(order: int, *, commit: bool = True, epoch: int = 0, complete: bool = True) -> Thing:
    return Decided(order, order * 1_000, "payer", 7, epoch, commit, complete), ""


def ended(order: int, asked: int = 0, *, commit: bool = True, **more: Any) -> Thing:
    """The answer to an EndTxn, which was asked for just before unless it is said when."""
    at = asked or order - 1
    return Ended(at, order, order * 1_000, 1, "app", 1, order, "payer", 7, 0, commit, **more), ""


def story(*things: Thing, since: int = 0) -> Case:
    """A case in which these happened, each at its number in milliseconds."""
    sent = [(one, state) for one, state in things if isinstance(one, Sent)]
    written = [(one, state) for one, state in things if isinstance(one, Written)]
    return Case(
        sent=[one for one, _ in sent],
        states=[state for _, state in sent],
        written=[one for one, _ in written],
        written_states=[state for _, state in written],
        decided=[one for one, _ in things if isinstance(one, Decided)],
        ended=[one for one, _ in things if isinstance(one, Ended)],
        since=since,
    )


DATA = build_batch([(b"k", b"9 EUR", (), 0)], now_ms=0).data
BOTH = (part(1), part(2, THERE))
MARKED = (marker(6), marker(7, THERE))
# An abort that was asked for at 1 and carried out at 15, amid the next transaction, which was then committed.
LATE = (
    part(2), decided(4, commit=False), marker(5, commit=False), ended(6, 3, commit=False), part(10),
    decided(15, commit=False), ended(16, 1, commit=False), marker(17, commit=False),
)  # fmt: skip

TORN: Sequence[tuple[Outcome, Case]] = [
    (P, story(*BOTH, decided(5), *MARKED)),
    (P, story(part(1), offsets(2), decided(5), marker(6), marker(7, OFFSETS))),
    # The second protocol: markers have the next epoch.
    (P, story(*BOTH, decided(5, epoch=1), marker(6, epoch=1), marker(7, THERE, epoch=1))),
    # What is aborted may be gone, and nobody waits for what was deleted.
    (P, story(part(1, state=LOST), part(2, THERE), decided(5, commit=False), marker(7, THERE, commit=False))),
    # Sent again after it was lost, and there after all.
    (
        P,
        story(
            part(1, state=LOST, data=DATA),
            part(2, data=DATA, leader_epoch=1),
            part(3, THERE),
            decided(5),
            *MARKED,
        ),
    ),
    (V, story(*BOTH, decided(5), marker(6), marker(7, THERE, commit=False))),
    # The answer to the first was lost, and the second was known by its sequence and acknowledged.
    (
        V,
        story(
            part(1, state=LOST, ack=Ack.LOST),
            part(2, state=LOST, duplicate=True, base_offset=1),
            part(3, THERE),
            decided(5),
            *MARKED,
        ),
    ),
    (V, story(*BOTH, decided(5, commit=False), marker(6), marker(7, THERE, commit=False))),
    (V, story(part(1), part(2, THERE, LOST), decided(5), *MARKED)),
    (V, story(*BOTH, decided(5), marker(6), marker(7, THERE, LOST))),
    (V, story(part(1), offsets(2), decided(5), marker(6), marker(7, OFFSETS, commit=False))),
    (V, story(part(1), offsets(2, LOST), decided(5), marker(6), marker(7, OFFSETS))),
    (V, story(*LATE, part(18, THERE), decided(20), marker(21, THERE), ended(22))),
    (N, story(part(1), decided(5), marker(6))),
    # An abort of nothing is no part of the transaction that follows.
    (
        N,
        story(
            part(1),
            decided(3),
            marker(4),
            ended(5),
            decided(6, commit=False),
            part(7),
            decided(8),
            marker(9),
            ended(10),
        ),
    ),
    (N, story(*BOTH, decided(5), marker(6))),
    # The coordinator does not know yet that this marker arrived, and writes another one.
    (N, story(*BOTH, decided(5, complete=False), marker(6), marker(7, THERE, LOST))),
    (N, story(part(1), part(2, THERE, DELETED), decided(5), marker(6))),
    # Never acknowledged, so that nobody was promised it.
    (N, story(part(1), part(2, THERE, LOST, ack=Ack.LOST), decided(5), marker(6))),
    # A fenced producer's part has an epoch of before, and was aborted with it.
    (
        N,
        story(part(3), marker(4, commit=False, epoch=1), decided(5, epoch=2), marker(6, epoch=2)),
    ),
    (N, story(*BOTH, decided(5), marker(6), marker(7, THERE, commit=False), since=3)),
]

TOLD: Sequence[tuple[Outcome, Case]] = [
    (P, story(part(1), decided(5), marker(6), ended(7))),
    (P, story(part(1), decided(5, complete=False), ended(6))),
    (P, story(part(1), part(2, THERE, LOST), decided(5), marker(6), ended(7))),
    (V, story(part(1), decided(5, commit=False), marker(6, commit=False), ended(7))),
    (V, story(part(1), ended(7))),
    (V, story(part(1, state=LOST), decided(5), marker(6), ended(7))),
    (V, story(part(1), decided(5), marker(6, state=LOST), ended(7))),
    (V, story(*LATE, decided(20), ended(22))),
    (N, story(part(1), decided(5, commit=False), marker(6, commit=False), ended(7, commit=False))),
    (N, story(part(1), ended(7, lost=True))),
    (N, story(part(1), ended(7, error="INVALID_TXN_STATE"))),
    (N, story(decided(5), ended(7))),
    (N, story(part(1, state=DELETED), decided(5), ended(7))),
    (N, story(part(1), ended(7), since=3)),
]

# Where another connection brings an end that is older than the last, by its place in line.
OVERTAKEN_BY_CONNECTION = story(
    *(
        (replace(one, connection=0, asked=15), "") if isinstance(one, Ended) and one.order == 16 else (one, s)
        for one, s in LATE
    ),
    part(18, THERE), decided(20), marker(21, THERE), ended(22),
)  # fmt: skip
