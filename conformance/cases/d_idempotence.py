"""Cases 51-62: producers that count their batches, so that a retry is no second record."""

from __future__ import annotations

from typing import Any

from conformance.cases.batches import batch
from conformance.cases.brokers import THREE, TIGHT
from conformance.cases.codec import Answer
from conformance.cases.produce import at, end_of, new_id, to
from conformance.cases.stage import Stage, case

_LAST = 2**31 - 1


class _Producer:
    """An idempotent producer that writes to one partition."""

    def __init__(self, it: Stage, topic: str, producer_id: int | None = None, node: int = 1) -> None:
        self._it, self._topic, self._line = it, topic, it.line(node)
        self.id = producer_id if producer_id is not None else new_id(it)

    def go_to(self, node: int) -> None:
        """Write to another node from now on."""
        self._line = self._it.line(node)

    def write(self, sequence: int, *values: bytes, epoch: int = 0, acks: int = -1, **more: Any) -> Answer:
        """Send one batch that begins with this sequence number."""
        given = values or (b"paid",)
        sent = batch(*given, producer=(self.id, epoch, sequence), timestamp=self._it.zero_ms, **more)
        return self._line.ask("Produce", 9, **to(self._topic, sent, acks=acks))


@case("51", "A batch that comes again is answered as the first time, and appended once")
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    for sequence in (0, 1, 2):
        producer.write(sequence)
    producer.write(1)
    producer.write(1, b"another payload")
    producer.write(2, acks=1)
    end_of(it, topic)


@case("52", "A gap is out of order, and the right sequence goes on")
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    for sequence in (0, 5, 1):
        producer.write(sequence)
    end_of(it, topic)


@case("53", "The last five batches are remembered")
def _(it: Stage) -> None:
    producer = _Producer(it, it.topic())
    for sequence in range(7):
        producer.write(sequence)
    for sequence in range(7):
        producer.write(sequence)


@case("54", "A batch that overlaps with an earlier one is out of order")
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    producer.write(0, b"a", b"b", b"c")
    producer.write(3, b"d", b"e", b"f")
    for sequence, values in (
        (0, (b"a",)),
        (1, (b"b", b"c")),
        (3, (b"d",)),
        (4, (b"e", b"f", b"g")),
        (2, (b"c", b"d")),
    ):
        producer.write(sequence, *values)
    end_of(it, topic)


@case("55", "A new epoch begins with sequence 0, and ends the old one")
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    producer.write(0)
    producer.write(3, epoch=1)
    producer.write(0, epoch=1)
    producer.write(1, epoch=0)
    producer.write(0, epoch=0)
    producer.write(0, epoch=5)
    producer.write(1, epoch=1)
    end_of(it, topic)


@case("56", "Sequence numbers begin again at 0 behind the largest one")
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    producer.write(_LAST - 1, b"a", b"b")
    producer.write(0)
    producer.write(_LAST - 1, b"a", b"b")
    other = _Producer(it, topic)
    for _ in range(2):
        other.write(_LAST, b"a", b"b", b"c")
    other.write(2)
    end_of(it, topic)


@case("57", "A producer that the partition does not know may begin anywhere")
def _(it: Stage) -> None:
    topic = it.topic()
    _Producer(it, topic).write(7)
    stranger = _Producer(it, topic, producer_id=987_654_321)
    stranger.write(3, epoch=3)
    stranger.write(4, epoch=3)
    end_of(it, topic)


@case("57a", "Half an identity is none, or is invalid")
def _(it: Stage) -> None:
    topic = it.topic()
    for producer in ((7777, 0, -1), (-1, 0, 0), (-1, -1, 5), (7777, -1, 0), (7777, -1, -1)):
        it.ask("Produce", 9, **to(topic, batch(b"paid", producer=producer)))
    it.ask("Fetch", 12, **at(topic))


@case("58", "A new leader knows the batches that it has copied", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3, 1]}, min_insync_replicas=1)
    producer = _Producer(it, topic, node=3)
    for sequence in (0, 1):
        producer.write(sequence)
    it.brokers.crash(3)
    it.until(lambda: it.metadata(topic)[0]["leader_id"] == 1 and it.serves(topic, 1), "1 leads")
    producer.go_to(1)
    for sequence in (1, 0, 3, 2):
        producer.write(sequence)
    end_of(it, topic)
    it.brokers.restart(3)
    it.until(lambda: len(it.metadata(topic)[0]["isr_nodes"]) == 2, "3 is back")


@case("59", "What a new leader has not copied is appended again, in order", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [3, 1]}, min_insync_replicas=1)
    producer = _Producer(it, topic, node=3)
    producer.write(0)
    it.brokers.pause(1)
    # The first of these answers the fetch that 1 has sent before; the others do not get there.
    for sequence in (1, 2, 3):
        producer.write(sequence, acks=1)
        it.brokers.let_pass(100)  # a produce may be answered before the fetch that waits is
    it.brokers.crash(3)
    it.brokers.resume(1)
    it.until(lambda: it.metadata(topic)[0]["leader_id"] == 1 and it.serves(topic, 1), "1 leads")
    producer.go_to(1)
    for sequence in (3, 1, 2, 3, 2):
        producer.write(sequence)
    end_of(it, topic)
    it.brokers.restart(3)
    it.until(lambda: len(it.metadata(topic)[0]["isr_nodes"]) == 2, "3 is back")


@case("60", "What is not heard of for long is forgotten", on=TIGHT)
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    producer.write(0, epoch=1)
    producer.write(1, epoch=1)
    it.brokers.let_pass(6_000, looked_for_every_ms=600_000)
    producer.write(77, epoch=1)
    producer.write(0, epoch=0)
    end_of(it, topic)


@case("61", "Deleting the records does not forget their producer")
def _(it: Stage) -> None:
    topic = it.topic()
    producer = _Producer(it, topic)
    for sequence in (0, 1, 2):
        producer.write(sequence)
    parts = [{"partition_index": 0, "offset": -1}]
    it.ask("DeleteRecords", 2, topics=[{"name": topic, "partitions": parts}], timeout=5_000)
    producer.write(7)
    producer.write(1)
    producer.write(3)
    end_of(it, topic)


@case("62", "A nameless producer gets a new id each time, whatever it says")
def _(it: Stage) -> None:
    new_id(it)
    for timeout in (60_000, 0, -1, _LAST):
        it.ask(
            "InitProducerId",
            4,
            transactional_id=None,
            transaction_timeout=timeout,
            producer_id=-1,
            producer_epoch=-1,
        )
    for id, epoch in ((7, 3), (7, -1), (-1, 3)):
        it.ask(
            "InitProducerId",
            4,
            transactional_id=None,
            transaction_timeout=1_000,
            producer_id=id,
            producer_epoch=epoch,
        )
    for version in (0, 1, 2):
        it.ask("InitProducerId", version, transactional_id=None, transaction_timeout=60_000)
