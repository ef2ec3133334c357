"""Verdicts about what producers were told: what was lost, what was stored twice, and out of order.

Each is a pure function of a case, and gives the smallest evidence that there is.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.ledger.entries import Ack
from mockbroker.ledger.fates import LOST, STORED, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Place, Sent

# How many examples a verdict gives.
EXAMPLES = 3

_HEADER_BYTES = 61


def told(case: Case, sent: Sent) -> str:
    """A batch in a few words: where, from whom, when."""
    where = f"{sent.place[0]}-{sent.place[1]}" + (f"@{sent.base_offset}" if sent.stored else "")
    records = "" if sent.count == 1 else f" ({sent.count} records)"
    return f"{where}{records} from {sent.client_id or '?'} at {case.at(sent.at_us)}"


def acked_lost(case: Case) -> Verdict:
    """An acknowledged record that no leader has any more (Jepsen's lost write)."""
    about = "a record that was acknowledged is gone"
    acked = [(sent, state) for sent, state in _stored(case) if sent.acked]
    lost = [sent for sent, state in acked if state == LOST]
    if lost:
        return Verdict(
            "acked_lost",
            Outcome.VIOLATED,
            about,
            tuple(
                f"{told(case, sent)}, acks={'all' if sent.acks == -1 else sent.acks}: broker {sent.leader} had it in "
                f"epoch {sent.leader_epoch}, and the leader of today does not"
                for sent in lost[:EXAMPLES]
            ),
        )
    if not acked:
        return Verdict("acked_lost", Outcome.NOT_EXERCISED, about, ("no record was acknowledged",))
    return Verdict("acked_lost", Outcome.PROVED, about, (f"{len(acked)} acknowledged batches, all there",))


def unacked_stored(case: Case) -> Verdict:
    """A record that is stored although its producer was told otherwise, or nothing."""
    about = "a producer may think that a record was not stored, and it is"
    doubtful = [(sent, state) for sent, state in zip(case.sent, case.states, strict=True) if _doubtful(sent)]
    stored = [sent for sent, state in doubtful if state in (STORED, UNSEEN)]
    if stored:
        evidence = tuple(f"{told(case, sent)}: {sent.ack.value}: {sent.why}" for sent in stored[:EXAMPLES])
        return Verdict("unacked_stored", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not doubtful:
        return Verdict("unacked_stored", Outcome.NOT_EXERCISED, about, ("every answer to a produce arrived",))
    return Verdict("unacked_stored", Outcome.PROVED, about, (f"{len(doubtful)} failed batches, none stored",))


def duplicated_by_retry(case: Case) -> Verdict:
    """The same records stored twice, because an answer was lost and the producer is not idempotent."""
    about = "a retry has stored the same records twice"
    doubtful = [sent for sent, _ in _stored(case) if _doubtful(sent)]
    retries = [pair for sent in doubtful for pair in _repeated(case, sent)]
    stored = [(first, again) for first, again in retries if not again.duplicate]
    if stored:
        evidence = tuple(
            f"{told(case, first)} ({first.why}), and again @{again.base_offset} at {case.at(again.at_us)}"
            for first, again in stored[:EXAMPLES]
        )
        return Verdict("duplicated_by_retry", Outcome.VIOLATED, about, evidence, tolerated=True)
    known = [sent for sent in case.sent if sent.duplicate]
    if not retries and not known:
        return Verdict("duplicated_by_retry", Outcome.NOT_EXERCISED, about, ("no stored batch came again",))
    evidence = (f"{max(len(known), len(retries))} batches came again, and were known",)
    return Verdict("duplicated_by_retry", Outcome.PROVED, about, evidence)


def out_of_order(case: Case) -> Verdict:
    """What one producer sent to one partition over one connection, in another order in the log."""
    about = "records of one producer are stored in another order than they were sent in"
    broken: list[tuple[Sent, Sent]] = []
    lines: dict[tuple[int, Place], list[Sent]] = defaultdict(list)
    for sent, state in _stored(case):
        if state in (STORED, UNSEEN) and not sent.duplicate:
            lines[sent.connection, sent.place].append(sent)
    pairs = 0
    for batches in lines.values():
        for before, after in pairwise(batches):
            pairs += 1
            if after.base_offset < before.base_offset:
                broken.append((before, after))
    if broken:
        evidence = tuple(
            f"{told(case, after)} after {told(case, before)}" for before, after in broken[:EXAMPLES]
        )
        return Verdict("out_of_order", Outcome.VIOLATED, about, evidence)
    if not pairs:
        return Verdict(
            "out_of_order", Outcome.NOT_EXERCISED, about, ("no producer sent two batches to a partition",)
        )
    return Verdict("out_of_order", Outcome.PROVED, about, (f"{pairs} pairs of batches in order",))


def zombie_write(case: Case) -> Verdict:
    """A batch with an epoch that was over: accepted after a newer epoch of the same producer was stored."""
    about = "a producer that was fenced has written"
    newest: dict[tuple[Place, int], Sent] = {}
    zombies: list[tuple[Sent, Sent]] = []
    fenced = 0
    for sent in case.sent:
        if sent.producer_id < 0:
            continue
        key = (sent.place, sent.producer_id)
        known = newest.get(key)
        if known is not None and sent.producer_epoch < known.producer_epoch:
            fenced += 1
            if sent.stored and not sent.duplicate:
                zombies.append((known, sent))
        elif sent.stored:
            newest[key] = sent
    if zombies:
        evidence = tuple(
            f"{told(case, late)} in epoch {late.producer_epoch}, after epoch {known.producer_epoch}"
            for known, late in zombies[:EXAMPLES]
        )
        return Verdict("zombie_write", Outcome.VIOLATED, about, evidence)
    if not fenced:
        return Verdict("zombie_write", Outcome.NOT_EXERCISED, about, ("no producer wrote with an old epoch",))
    return Verdict(
        "zombie_write", Outcome.PROVED, about, (f"{fenced} batches with an old epoch were refused",)
    )


def _stored(case: Case) -> Iterator[tuple[Sent, str]]:
    return ((sent, state) for sent, state in zip(case.sent, case.states, strict=True) if sent.stored)


def _doubtful(sent: Sent) -> bool:
    return sent.ack in (Ack.LOST, Ack.REFUSED)


def _repeated(case: Case, first: Sent) -> Iterator[tuple[Sent, Sent]]:
    """The batches that say the same as an earlier one of the same producer and partition, and came later."""
    if first.data is None:
        return
    body = bytes(first.data)[_HEADER_BYTES:]
    for sent in case.sent:
        if sent is first or sent.at_us <= first.at_us or not sent.stored or sent.data is None:
            continue
        same = (sent.place, sent.client_id) == (first.place, first.client_id)
        if same and bytes(sent.data)[_HEADER_BYTES:] == body:
            yield first, sent
