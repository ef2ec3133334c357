"""Cases 161, 168, 177, 184 and 184a: transactions whose end takes long, because a broker stands still or dies."""

from __future__ import annotations

from conformance.cases.batches import read
from conformance.cases.brokers import SLOW, THREE
from conformance.cases.produce import at, end_of
from conformance.cases.stage import Stage, case
from conformance.cases.transactions import Payer


def _roles(it: Stage, payer: Payer) -> tuple[int, int]:
    """The two nodes that do not coordinate; all are shown by what they do, as numbers hang on a made-up name."""
    leader, other = (node for node in (1, 2, 3) if node != payer.coordinator)
    for node, role in ((payer.coordinator, "coordinator"), (leader, "leader"), (other, "other")):
        it.call_node(node, role)
    return leader, other


def _read(it: Stage, topic: str, node: int, index: int = 0) -> None:
    """Tell what is visible: a marker itself bears the term of its coordinator, which is another in every run."""
    answer = it.quietly("Fetch", 12, node=node, **at(topic, {index: 0}), isolation_level=1)
    part = answer["responses"][0]["partitions"][0]
    seen = [part["high_watermark"], part["last_stable_offset"], len(read(part["records"] or b""))]
    it.tell("high watermark, last stable offset, batches", seen)


@case("161", "While markers are not written the id is busy", on=SLOW, also=(167,))
def _(it: Stage) -> None:
    payer = Payer(it)
    leader, other = _roles(it, payer)
    topic = it.topic(on={0: [leader], 1: [other]}, min_insync_replicas=1)
    line = it.line(leader)
    payer.began()
    payer.add(topic, 0)
    payer.write(topic, 0, line=line)
    it.brokers.spare(leader)
    it.brokers.pause(leader)
    payer.end(commit=True)
    it.tell("state", payer.state())
    payer.init()
    payer.add(topic, 1)
    for commit in (True, False):
        payer.end(commit=commit)
    it.brokers.resume(leader)
    payer.rest()
    payer.end(commit=True)
    payer.add(topic, 0)
    payer.end(commit=False)


@case("168", "What is committed is seen when the marker is replicated", on=SLOW)
def _(it: Stage) -> None:
    payer = Payer(it)
    leader, other = _roles(it, payer)
    topic = it.topic(on={0: [leader, other]}, min_insync_replicas=1)
    payer.began()
    payer.add(topic)
    payer.write(topic, 0, line=it.line(leader))
    it.brokers.spare(other)
    it.brokers.pause(other)
    payer.end(commit=True)
    _read(it, topic, leader)
    it.tell("state", payer.state())
    it.brokers.resume(other)
    payer.rest()
    _read(it, topic, leader)


@case("177", "Another coordinator goes on where the first one died", on=THREE)
def _(it: Stage) -> None:
    payer = Payer(it)
    leader, _ = _roles(it, payer)
    for node in (1, 2, 3):
        it.call_node(node, "a node")  # any of the two others may coordinate next
    topic = it.topic(on={0: [leader]}, min_insync_replicas=1)
    payer.began()
    payer.add(topic)
    payer.write(topic, 0, line=it.line(leader))
    crashed = payer.coordinator
    it.brokers.crash(crashed)
    payer.go_to_coordinator(via=leader)
    it.tell("state", payer.state())
    payer.add(topic)
    payer.end(commit=True)
    payer.rest()
    payer.end(commit=True)
    payer.end(commit=False)
    it.brokers.restart(crashed)
    it.until(lambda: len(it.metadata("__transaction_state", leader)[0]["isr_nodes"]) == 3, "it is back")


@case("184", "A transaction is committed partition by partition", on=SLOW)
def _(it: Stage) -> None:
    payer = Payer(it)
    leader, other = _roles(it, payer)
    topic = it.topic(on={0: [leader], 1: [other]}, min_insync_replicas=1)
    payer.began()
    payer.add(topic, 0, 1)
    payer.write(topic, 0, line=it.line(leader))
    payer.write(topic, 0, part=1, line=it.line(other))
    it.brokers.spare(leader)
    it.brokers.pause(leader)
    payer.end(commit=True)
    it.until(lambda: it.high_watermark(topic, other, 1) == 2, "one marker is written")
    _read(it, topic, other, 1)
    it.tell("state", payer.state())
    it.brokers.resume(leader)
    payer.rest()
    _read(it, topic, leader)
    end_of(it, topic, node=leader)


@case("184a", "A partition without a leader gets its marker when it has one", on=THREE, since=(4, 0))
def _(it: Stage) -> None:
    payer = Payer(it)
    leader, other = _roles(it, payer)
    topic = it.topic(on={0: [leader], 1: [other]}, min_insync_replicas=1)
    payer.began()
    payer.add(topic, 0, 1)
    payer.write(topic, 0, line=it.line(leader))
    payer.write(topic, 0, part=1, line=it.line(other))
    it.brokers.crash(leader)
    it.until(lambda: it.metadata(topic, payer.coordinator)[0]["leader_id"] == -1, "nobody leads")
    it.brokers.let_pass(1_000)
    payer.end(commit=True)
    it.until(lambda: it.high_watermark(topic, other, 1) == 2, "one marker is written")
    _read(it, topic, other, 1)
    it.brokers.restart(leader)
    it.until(lambda: it.metadata(topic, payer.coordinator)[0]["leader_id"] == leader, "it leads again")
    it.until(lambda: it.serves(topic, leader), "it serves")
    payer.rest()
    it.brokers.let_pass(3_000)
    answer = it.quietly("Fetch", 12, node=leader, **at(topic, {0: 0}), isolation_level=1)
    it.tell("last stable offset", answer["responses"][0]["partitions"][0]["last_stable_offset"])
    it.until(lambda: len(it.metadata("__transaction_state", other)[0]["isr_nodes"]) == 3, "it is back")
