"""Entries and cases that are made by hand, for checkers to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mockbroker.checkers.case import Case
from mockbroker.checkers.readable import Readable
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.core.groups.views import Generation
from mockbroker.ledger.entries import Ack, Committed, Effect, Election, Joined, Sent, Served
from mockbroker.records.builder import build_batch

PLACE = ("orders", 0)


def sent(offset: int, at_us: int = 0, value: bytes = b"x", **more: Any) -> Sent:
    batch = build_batch([(b"k", value, (), 0)], now_ms=0)
    given: dict[str, Any] = {
        "acks": -1,
        "count": 1,
        "ack": Ack.ACKED,
        "data": batch.data,
        "base_offset": offset,
        "leader": 1,
        "leader_epoch": 0,
    }
    return Sent(at_us, "app", 1, 1, PLACE, b"", **(given | more))


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
    members = {member: {"orders": parts} for member, parts in owned.items()}
    return Generation(number, 0, 1, "", members, 0, 0, {"m1": "c1", "m2": "c2"})


def led_anew(at_us: int = 9, *, unclean: bool = False) -> dict[Any, list[Election]]:
    """Another leader took over."""
    return {(PLACE, b""): [Election(-1, 1, 0, unclean=False), Election(at_us, 2, 1, unclean=unclean)]}


def pair(number: int = 1) -> dict[str, list[Generation]]:
    """A generation in which two members own a partition each."""
    return {"billing": [generation(number, m1=[0], m2=[1])]}


def effect(offset: int, at_us: int = 0, what: str = "") -> Effect:
    return Effect(at_us, PLACE, offset, what)


# Two records that consumers can read.
TWO_READABLE = {PLACE: Readable(0, 2, {0: b"o-1", 1: None})}

FAILED: dict[str, Any] = {"ack": Ack.LOST, "why": "cut"}
Checker = Callable[[Case], Verdict]
P, V, N = Outcome.PROVED, Outcome.VIOLATED, Outcome.NOT_EXERCISED

AGAIN = sent(1, 5)  # the same record as that of sent(0), sent later
OTHER = sent(1, 5, b"other")
REFUSED: dict[str, Any] = {"ack": Ack.REFUSED, "why": "NOT_LEADER_OR_FOLLOWER"}
NOWHERE = "never stored"
IN_TRANSACTION: dict[str, Any] = {"transactional": True, "producer_id": 7}
TWO_GROUPS = (*JOINED, Joined(0, "audit", "a1", "c1", 3))
