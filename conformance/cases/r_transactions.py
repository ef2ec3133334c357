"""Cases 224 and on: what random conversations about transactions have found."""

from __future__ import annotations

from conformance.cases.stage import Stage, case
from conformance.cases.transactions import Payer


@case("224", "Offsets of a producer with another epoch are refused as those of an old one, in every version")
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group("billing")
    payer = Payer(it).began()
    payer.began()
    payer.add(topic, quiet=True)
    for version in range(6):
        for plus in (-1, 1):
            payer.keep(group, topic, 1, version=version, producer_epoch=payer.epoch + plus)
