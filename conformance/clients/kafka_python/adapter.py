"""kafka-python 3: synchronous calls over a network thread of its own.

Nothing here is cleverer than its documentation; what surprised is said where it shows.
"""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from kafka import (
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaConnectionError

from conformance.clients.kafka_python.loop import KafkaPythonLoop
from conformance.clients.looping import Looping
from conformance.clients.verbs import (
    DEADLINE_S,
    FETCH_MAX_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    REQUEST_TIMEOUT_MS,
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

ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}
# The codec libraries are the application's to install; a codec without its library is the machine's lack.
CODEC_LIBRARIES = {Need.SNAPPY: "snappy", Need.LZ4: "lz4", Need.ZSTD: "zstandard"}
# Longer than a rebalance takes, and short enough that an order does not wait long.
_LONG_POLL_MS = 250


class KafkaPython:
    """The client of one story."""

    def __init__(self, bootstrap: str) -> None:
        self.lacks: Mapping[Need, str] = {Need.NULL_HEADER: "kafka-python refuses to send a null header"} | {
            need: f"kafka-python compresses with the package {library}, which is not installed"
            for need, library in CODEC_LIBRARIES.items()
            if importlib.util.find_spec(library) is None
        }
        self.common = {
            "bootstrap_servers": bootstrap.split(","),
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "reconnect_backoff_ms": RETRY_BACKOFF_MS,
            "reconnect_backoff_max_ms": 50,
        }
        self.producers: dict[Sending, KafkaProducer] = {}
        self._admin: KafkaAdminClient | None = None

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        if how not in self.producers:
            self.producers[how] = KafkaProducer(
                **self.common,
                acks=how.acks if how.acks == "all" else int(how.acks),
                compression_type=None if how.codec == "none" else how.codec,
                # On by default from 3.0; told to, so that plain producers are judged as well.
                enable_idempotence=how.idempotent,
            )
        sent = [_send(self.producers[how], topic, record) for record in records]
        offsets = [future.get(timeout=DEADLINE_S).offset for future in sent]
        return None if how.acks == "0" else offsets

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        producer = KafkaProducer(**self.common, transactional_id=transactional_id)
        try:
            producer.init_transactions()
            producer.begin_transaction()
            for future in [_send(producer, topic, record) for record in records]:
                future.get(timeout=DEADLINE_S)
            producer.commit_transaction() if commit else producer.abort_transaction()
        finally:
            producer.close(timeout=DEADLINE_S)

    def looping(self, how: Looping) -> KafkaPythonLoop:
        """Its part of a consume-transform-produce loop."""
        return KafkaPythonLoop(self.common, how)

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> KafkaPythonReader:
        consumer = KafkaConsumer(
            **self.common,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if committed_only else "read_uncommitted",
        )
        assigned = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(assigned)
        if start == "beginning":
            consumer.seek_to_beginning(*assigned)
        elif start == "end":
            consumer.seek_to_end(*assigned)
            for at in assigned:
                consumer.position(at, timeout_ms=DEADLINE_S * 1_000)  # asks the broker what the end is
        else:
            for at in assigned:
                consumer.seek(at, start)
        return KafkaPythonReader(consumer, topic)

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        at = TopicPartition(topic, partition)
        consumer = KafkaConsumer(**self.common)
        try:
            if moment == "earliest":
                return int(consumer.beginning_offsets([at])[at])
            if moment == "latest":
                return int(consumer.end_offsets([at])[at])
            found = consumer.offsets_for_times({at: moment})[at]
            return None if found is None else int(found.offset)
        finally:
            consumer.close()

    def join(self, how: Joining) -> KafkaPythonMember:
        return KafkaPythonMember(self.common, how)

    @property
    def admin(self) -> KafkaAdminClient:
        """Made on first use: most stories need none."""
        if self._admin is None:
            self._admin = KafkaAdminClient(**self.common)
        return self._admin

    def create_topic(self, topic: str, partitions: int) -> None:
        self.admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}})

    def partition_count(self, topic: str) -> int | None:
        (described,) = self.admin.describe_topics([topic])
        return len(described["partitions"]) if not described["error_code"] else None

    def add_partitions(self, topic: str, total: int) -> None:
        self.admin.create_partitions({topic: total})

    def delete_topic(self, topic: str) -> None:
        self.admin.delete_topics([topic])

    def close(self) -> None:
        for producer in self.producers.values():
            producer.close(timeout=DEADLINE_S)
        if self._admin is not None:
            self._admin.close()


class KafkaPythonReader:
    """Partitions assigned by hand."""

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self.consumer, self.topic = consumer, topic

    def take(self, count: int) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < count and time.monotonic() < deadline:
            # max_records, as what poll returns is consumed: the surplus would be missing later.
            records += _received(self.consumer.poll(timeout_ms=100, max_records=count - len(records)))
        return records

    def seek(self, partition: int, offset: int) -> None:
        self.consumer.seek(TopicPartition(self.topic, partition), offset)

    def pause(self, partition: int) -> None:
        self.consumer.pause(TopicPartition(self.topic, partition))

    def resume(self, partition: int) -> None:
        self.consumer.resume(TopicPartition(self.topic, partition))

    def close(self) -> None:
        self.consumer.close()


class KafkaPythonMember(ConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """A group's consumer, polled by a thread of its own as in a program that does nothing else.

    A JoinGroup that is answered between two polls is forgotten and sent again (3.0.12, join_group_async asks
    `is_done` before it takes the result), which makes the leader start the next rebalance: members that are
    polled in turns can chase each other for ever.  So poll follows upon poll, and each is long.
    """

    def __init__(self, common: Mapping[str, Any], how: Joining) -> None:
        self.rebalances = 0
        self.topic = how.topic
        self.consumer = KafkaConsumer(
            **common,
            group_id=how.group,
            group_instance_id=how.instance,
            partition_assignment_strategy=(ASSIGNORS[how.strategy],),
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            auto_offset_reset="earliest",
            enable_auto_commit=how.auto_commit,
        )
        self.consumer.subscribe([how.topic], listener=self)
        self.received: queue.SimpleQueue[list[Record] | Exception] = queue.SimpleQueue()
        self.orders: queue.SimpleQueue[tuple[Callable[[], object], Future[None]]] = queue.SimpleQueue()
        self.open = True
        self.thread = threading.Thread(target=self._work, name=f"kafka-python {how.group}")
        self.thread.start()

    def on_partitions_revoked(self, _revoked: object) -> None:
        """Nothing to hand over: stories commit when they say so."""

    def on_partitions_assigned(self, _assigned: object) -> None:
        self.rebalances += 1

    def _work(self) -> None:
        """Poll, and between polls do what was ordered: a consumer belongs to one thread."""
        while self.open:
            with contextlib.suppress(queue.Empty):
                self._obey(*self.orders.get_nowait())
                continue
            try:
                records = _received(self.consumer.poll(timeout_ms=_LONG_POLL_MS))
            except KafkaConnectionError:
                # While it looks for a coordinator it refreshes its metadata, and if that is asked of a broker
                # that is dead and still listed, as a real Kafka's is for nine seconds, the refusal comes out
                # of poll (3.0.12, ensure_coordinator_ready_async). It calls the error retriable: poll again.
                self._pause()
            except Exception as failed:  # noqa: BLE001  # raised where the story polls
                self.received.put(failed)
                # The story is over; what is left to do is to leave.
                self._obey(*self.orders.get(timeout=DEADLINE_S))
            else:
                self.received.put(records)

    def _pause(self) -> None:
        """As long as the library's own pause before it tries again; an order ends it."""
        with contextlib.suppress(queue.Empty):
            self._obey(*self.orders.get(timeout=RETRY_BACKOFF_MS / 1_000))

    def _obey(self, order: Callable[[], object], done: Future[None]) -> None:
        try:
            order()
            done.set_result(None)
        except Exception as failed:  # noqa: BLE001  # raised where the order was given
            done.set_exception(failed)

    def _do(self, order: Callable[[], object]) -> None:
        done: Future[None] = Future()
        self.orders.put((order, done))
        done.result(DEADLINE_S)

    def poll(self, timeout_s: float) -> list[Record]:
        try:
            received = self.received.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if isinstance(received, Exception):
            raise received
        return received

    def assignment(self) -> frozenset[Partition]:
        return frozenset((at.topic, at.partition) for at in self.consumer.assignment())

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        chosen = {
            TopicPartition(self.topic, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in (offsets or {}).items()
        }
        self._do(lambda: self.consumer.commit(chosen or None, timeout_ms=DEADLINE_S * 1_000))

    def leave(self) -> None:
        def close() -> None:
            self.open = False
            self.consumer.close()

        self._do(close)
        self.thread.join(DEADLINE_S)


def _send(producer: KafkaProducer, topic: str, record: Record) -> Any:
    return producer.send(
        topic,
        value=record.value,
        key=record.key,
        headers=list(record.headers),
        partition=record.partition,
        timestamp_ms=record.timestamp_ms,
    )


def _received(polled: Mapping[TopicPartition, Sequence[Any]]) -> list[Record]:
    return [
        Record(found.value, found.key, tuple(found.headers), found.partition, found.timestamp, found.offset)
        for records in polled.values()
        for found in records
    ]
