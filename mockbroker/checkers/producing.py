"""Verdicts about what producers were told: what was lost, what was stored twice, and out of order.

Each is a pure function of a case, and gives the smallest evidence that there is.  A producer that is not idempotent
may store a record twice or late when it tries again, and whoever gives up may have been wrong to: that is reported
and tolerated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.ledger.contents import comes_again, is_replaced
from mockbroker.ledger.entries import Ack
from mockbroker.ledger.fates import LOST, STORED, UNSEEN

if TYPE_CHECKING:
    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Place, Sent

# How many examples a verdict gives.
EXAMPLES = 3

ACKS_ALL = -1


def told(case: Case, sent: Sent) -> str:
    """A batch in a few words: where, from whom, when."""
    where = f"{sent.place[0]}-{sent.place[1]}" + (f"@{sent.base_offset}" if sent.stored else "")
    records = "" if sent.count == 1 else f" ({sent.count} records)"
    return f"{where}{records} from {sent.client_id or '?'} at {case.at(sent.at_us)}"


def acked_lost(case: Case) -> Verdict:
    """An acknowledged record that no leader has any more (Jepsen's lost write)."""
    about = "a record that was acknowledged is gone"
    acked = [(sent, state) for sent, state in case.with_states() if sent.acked and sent.stored]
    present = case.present()
    # Whoever did not read the answer and tried again has its record after all.
    lost = [sent for sent, state in acked if state == LOST and not is_replaced(sent, present)]
    if lost:
        evidence = tuple(_how_lost(case, sent) for sent in lost[:EXAMPLES])
        return Verdict("acked_lost", Outcome.VIOLATED, about, evidence)
    # Where nobody takes over from a leader, nothing can be lost.
    tested = [sent for sent, _ in acked if _led_anew(case, sent)]
    if not tested:
        why = (
            "no record was acknowledged" if not acked else "no leader changed after a record was acknowledged"
        )
        return Verdict("acked_lost", Outcome.NOT_EXERCISED, about, (why,))
    evidence = (f"{len(tested)} acknowledged batches outlived the leader that had appended them",)
    return Verdict("acked_lost", Outcome.PROVED, about, evidence)


def _how_lost(case: Case, sent: Sent) -> str:
    acks = "all" if sent.acks == ACKS_ALL else sent.acks
    loss = sent.lost_by
    how = "no leader has it" if loss is None else f"{loss} at {case.at(loss.at_us)} without it"
    copied = "" if (sent.original or sent).copies else ", nobody had copied it"
    return f"{told(case, sent)}, acks={acks}: appended by broker {sent.leader}{copied}; {how}"


def _led_anew(case: Case, sent: Sent) -> bool:
    past = case.elections.get((sent.place, sent.topic_id), ())
    return any(election.at_us >= sent.at_us and election.epoch > sent.leader_epoch for election in past)


def unacked_stored(case: Case) -> Verdict:
    """A record that is stored although its producer was told otherwise, or nothing, and was not told later either."""
    about = "a producer may think that a record was not stored, and it is"
    doubtful = [(sent, state) for sent, state in case.with_states() if _doubtful(sent)]
    known = {(sent.place, sent.base_offset) for sent in case.sent if sent.duplicate and sent.acked}
    stored = [
        sent
        for sent, state in doubtful
        if state in (STORED, UNSEEN) and (sent.place, sent.base_offset) not in known
    ]
    if stored:
        evidence = tuple(f"{told(case, sent)}: {sent.ack.value}: {sent.why}" for sent in stored[:EXAMPLES])
        return Verdict("unacked_stored", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not doubtful:
        return Verdict("unacked_stored", Outcome.NOT_EXERCISED, about, ("every answer to a produce arrived",))
    evidence = (
        f"{len(doubtful)} batches failed, and none is stored of which the producer was not told later",
    )
    return Verdict("unacked_stored", Outcome.PROVED, about, evidence)


def duplicated_by_retry(case: Case) -> Verdict:
    """The same records stored twice, because an answer was lost and the producer is not idempotent."""
    about = "a retry has stored the same records twice"
    present = case.present()
    doubtful = [sent for sent in present if _doubtful(sent)]
    twice = [(first, again) for first in doubtful for again in comes_again(first, present)]
    if twice:
        evidence = tuple(
            f"{told(case, first)} ({first.why}), and again @{again.base_offset} at {case.at(again.at_us)}"
            for first, again in twice[:EXAMPLES]
        )
        return Verdict("duplicated_by_retry", Outcome.VIOLATED, about, evidence, tolerated=True)
    known = [sent for sent in case.sent if sent.duplicate]
    if not known:
        return Verdict("duplicated_by_retry", Outcome.NOT_EXERCISED, about, ("no stored batch came again",))
    evidence = (f"{len(known)} batches came again, and were known by their sequence",)
    return Verdict("duplicated_by_retry", Outcome.PROVED, about, evidence)


def out_of_order(case: Case) -> Verdict:
    """A batch that failed and was stored later, behind one that its producer had sent after it."""
    about = "records of one producer are stored in another order than they were sent in"
    present = case.present()
    overtaken: list[tuple[Sent, Sent, Sent]] = []
    retries = 0
    for first in case.sent:
        if first.stored or not _doubtful(first):
            continue
        for again in comes_again(first, present):
            retries += 1
            overtaken += [
                (first, again, other)
                for other in present
                if (other.place, other.client_id) == (first.place, first.client_id)
                and first.at_us <= other.at_us <= again.at_us
                and other is not again
                and other.base_offset < again.base_offset
            ]
            break
    if overtaken:
        evidence = tuple(
            f"{told(case, again)} had been sent at {case.at(first.at_us)} ({first.why}), before {told(case, other)}"
            for first, again, other in overtaken[:EXAMPLES]
        )
        # Sequences keep an idempotent producer's order; one without them gives its order up when it tries again.
        tolerated = all(first.producer_id < 0 for first, _, _ in overtaken)
        return Verdict("out_of_order", Outcome.VIOLATED, about, evidence, tolerated=tolerated)
    if not retries:
        why = "no batch that had failed was stored later"
        return Verdict("out_of_order", Outcome.NOT_EXERCISED, about, (why,))
    evidence = (f"{retries} batches were stored when they came again, and none was overtaken",)
    return Verdict("out_of_order", Outcome.PROVED, about, evidence)


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


def _doubtful(sent: Sent) -> bool:
    return sent.ack in (Ack.LOST, Ack.REFUSED)
