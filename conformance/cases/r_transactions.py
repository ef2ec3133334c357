"""Cases 224 and on: what random conversations about transactions have found."""

from __future__ import annotations

from typing import Any

from conformance.cases.batches import batch
from conformance.cases.produce import at, to
from conformance.cases.stage import Stage, case
from conformance.cases.transactions import TRANSACTIONAL, Payer


@case(
    "224",
    "Offsets of a producer with another epoch are refused as those of an old one, in every version",
    since=(4, 0),
)
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group("billing")
    payer = Payer(it).began()
    payer.began()
    payer.add(topic, quiet=True)
    for version in range(6):
        for plus in (-1, 1):
            payer.keep(group, topic, 1, version=version, producer_epoch=payer.epoch + plus)


@case(
    "225",
    "A transactional batch of nobody is plain; a refused one keeps out what comes behind it",
    since=(4, 0),
)
def _(it: Stage) -> None:
    topic, payer = it.topic(), Payer(it)
    who: Any = {"transactional_id": payer.name}
    it.ask("Produce", 9, **to(topic, batch(b"a", timestamp=it.zero_ms, attributes=TRANSACTIONAL)), **who)
    refused = batch(b"b", producer=(8000, -1, -1), timestamp=it.zero_ms, attributes=TRANSACTIONAL)
    it.ask("Produce", 9, **to(topic, refused), **who)
    for sequence in (0, 1, -1):
        behind = batch(b"c", producer=(8000, -1, sequence), timestamp=it.zero_ms)
        it.ask("Produce", 9, **to(topic, behind), **who)


@case("226", "The end of a transaction bears the time of its log where records do")
def _(it: Stage) -> None:
    topic = it.topic(message_timestamp_type="LogAppendTime")
    payer = Payer(it).began()
    payer.paid(topic)
    it.ask("Fetch", 12, **at(topic, 0))
