"""confluent-kafka: librdkafka's threads under a thin binding, group.protocol=classic.

librdkafka fetches in the background and hands out one message at a time; callbacks run inside poll.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported there without saying so
    AdminClient,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from conformance.clients.confluent.loop import ConfluentLoop
from conformance.clients.looping import Looping
from conformance.clients.verbs import (
    DEADLINE_S,
    FETCH_MAX_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    RETRY_BACKOFF_MS,
    SESSION_TIMEOUT_MS,
    Joining,
    Moment,
    Need,
    Partition,
    Record,
    Sending,
    Start,
)


class Confluent:
    """The client of one story."""

    def __init__(self, bootstrap: str) -> None:
        self.lacks: Mapping[Need, str] = {
            Need.STICKY: "librdkafka has range, roundrobin and cooperative-sticky, no eager sticky assignor"
        }
        self.common: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "retry.backoff.ms": RETRY_BACKOFF_MS,
            "reconnect.backoff.ms": RETRY_BACKOFF_MS,
            "reconnect.backoff.max.ms": 50,
            # A producer that learns of a recreated topic does so by asking again, half a minute later
            # by default.
            "topic.metadata.refresh.fast.interval.ms": RETRY_BACKOFF_MS,
        }
        self.producers: dict[Sending, Producer] = {}
        self.admin = AdminClient(self.common)

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        if how not in self.producers:
            settings = {"acks": how.acks, "compression.type": how.codec, "enable.idempotence": how.idempotent}
            self.producers[how] = Producer({**self.common, **settings, "linger.ms": 5})
        offsets = _send(self.producers[how], topic, records)
        return None if how.acks == "0" else offsets

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        producer = Producer({**self.common, "transactional.id": transactional_id})
        producer.init_transactions(DEADLINE_S)
        producer.begin_transaction()
        _send(producer, topic, records)
        producer.commit_transaction(DEADLINE_S) if commit else producer.abort_transaction(DEADLINE_S)

    def looping(self, how: Looping) -> ConfluentLoop:
        """Its part of a consume-transform-produce loop."""
        return ConfluentLoop(self.common, how)

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> ConfluentReader:
        consumer = Consumer(
            {
                **self.common,
                "group.id": "nobody",  # librdkafka insists; nothing is committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": FETCH_MAX_WAIT_MS,
                "enable.partition.eof": True,
                "isolation.level": "read_committed" if committed_only else "read_uncommitted",
            }
        )
        offset = {"beginning": OFFSET_BEGINNING, "end": OFFSET_END}.get(str(start), start)
        assert isinstance(offset, int)
        consumer.assign([TopicPartition(topic, partition, offset) for partition in partitions])
        reader = ConfluentReader(consumer, topic)
        if start == "end":
            reader.wait_at_end(set(partitions))
        return reader

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        if moment == "earliest":
            spec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the library's
        elif moment == "latest":
            spec = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # too
        else:
            spec = OffsetSpec.for_timestamp(moment)
        (future,) = self.admin.list_offsets({TopicPartition(topic, partition): spec}).values()
        offset = int(future.result(DEADLINE_S).offset)
        return None if offset < 0 else offset

    def join(self, how: Joining) -> ConfluentMember:
        return ConfluentMember(self.common, how)

    def create_topic(self, topic: str, partitions: int) -> None:
        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(DEADLINE_S)

    def partition_count(self, topic: str) -> int | None:
        # Not list_topics(topic): that asks as a producer would, and so creates what it asks for.
        future = self.admin.describe_topics(TopicCollection([topic]))[topic]
        try:
            return len(future.result(DEADLINE_S).partitions)
        except KafkaException as refused:
            if refused.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            return None

    def add_partitions(self, topic: str, total: int) -> None:
        self.admin.create_partitions([NewPartitions(topic, total)])[topic].result(DEADLINE_S)

    def delete_topic(self, topic: str) -> None:
        self.admin.delete_topics([topic])[topic].result(DEADLINE_S)

    def close(self) -> None:
        for producer in self.producers.values():
            producer.flush(DEADLINE_S)


class ConfluentReader:
    """Partitions assigned by hand."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self.consumer, self.topic = consumer, topic

    def wait_at_end(self, partitions: set[int]) -> None:
        """Wait for the end-of-partition events: only then has `end` become an offset."""
        deadline = time.monotonic() + DEADLINE_S
        while partitions:
            message = self.consumer.poll(0.1)
            if message is not None and (event := message.error()) is not None:
                assert event.code() == KafkaError._PARTITION_EOF, event  # noqa: SLF001  # its name for it
                partitions -= {message.partition()}
            assert time.monotonic() < deadline, f"the end of {partitions} was never reached"

    def take(self, count: int) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < count and time.monotonic() < deadline:
            records += _received(self.consumer.poll(0.1))
        return records

    def seek(self, partition: int, offset: int) -> None:
        self.consumer.seek(TopicPartition(self.topic, partition, offset))

    def pause(self, partition: int) -> None:
        self.consumer.pause([TopicPartition(self.topic, partition)])

    def resume(self, partition: int) -> None:
        self.consumer.resume([TopicPartition(self.topic, partition)])

    def close(self) -> None:
        self.consumer.close()


class ConfluentMember:
    """A group's consumer."""

    def __init__(self, common: Mapping[str, Any], how: Joining) -> None:
        self.rebalances = 0
        self.topic = how.topic
        settings: dict[str, Any] = {
            "group.id": how.group,
            "partition.assignment.strategy": how.strategy,
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
            "fetch.wait.max.ms": FETCH_MAX_WAIT_MS,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": how.auto_commit,
        }
        if how.instance:
            settings["group.instance.id"] = how.instance
        self.consumer = Consumer({**common, **settings})
        self.consumer.subscribe([how.topic], on_assign=self._assigned)

    def _assigned(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.rebalances += 1

    def poll(self, timeout_s: float) -> list[Record]:
        return _received(self.consumer.poll(timeout_s))

    def assignment(self) -> frozenset[Partition]:
        return frozenset((at.topic, at.partition) for at in self.consumer.assignment())

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        if offsets is None:
            self.consumer.commit(asynchronous=False)
        else:
            chosen = [TopicPartition(self.topic, partition, offset) for partition, offset in offsets.items()]
            self.consumer.commit(offsets=chosen, asynchronous=False)

    def leave(self) -> None:
        self.consumer.close()


def _send(producer: Producer, topic: str, records: Sequence[Record]) -> list[int]:
    """Send and wait for every delivery report; the offsets in the order of the records."""
    offsets = [-1] * len(records)
    failures: list[KafkaError] = []

    for index, record in enumerate(records):

        def delivered(error: KafkaError | None, message: Message, index: int = index) -> None:
            if error is not None:
                failures.append(error)
            else:
                offset = message.offset()
                offsets[index] = -1 if offset is None else offset

        optional: dict[str, Any] = {}
        if record.partition is not None:
            optional["partition"] = record.partition
        if record.timestamp_ms is not None:
            optional["timestamp"] = record.timestamp_ms
        producer.produce(
            topic, record.value, record.key, headers=list(record.headers), on_delivery=delivered, **optional
        )
    left = producer.flush(DEADLINE_S)
    assert not left, f"{left} records are still unsent after {DEADLINE_S} s"
    if failures:
        raise KafkaException(failures[0])
    return offsets


def _received(message: Message | None) -> list[Record]:
    """What one poll gave: a record, nothing, or an event. A reported error is the story's failure."""
    if message is None:
        return []
    if (error := message.error()) is not None:
        # Reset offsets are told as an event by some versions, and the end of a partition is one.
        if error.code() in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET):  # noqa: SLF001  # its name for it
            return []
        raise KafkaException(error)
    _, timestamp_ms = message.timestamp()
    # The stubs have headers as anything a sender may give; received, they are pairs.
    pairs: Any = message.headers() or ()
    headers = tuple((name, _as_bytes(value)) for name, value in pairs)
    value, key = message.value(), message.key()
    return [
        Record(_as_bytes(value), _as_bytes(key), headers, message.partition(), timestamp_ms, message.offset())
    ]


def _as_bytes(given: object) -> bytes | None:
    """The stubs allow str as well, as serialisers may make it; a plain consumer hands out bytes."""
    assert given is None or isinstance(given, bytes)
    return given
