"""kafka-python 2.0.2, the release that years of code were written for: `python -m` this, then orders on stdin.

Runs in an environment of its own (requirements.txt), so it imports nothing but the line protocol and its own
library; and that one's modules have moved since, which is why the current adapter cannot be shared.
"""

from __future__ import annotations

import importlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewPartitions, NewTopic

from conformance.clients import verbs
from conformance.clients.verbs import DEADLINE_S, Joining, Moment, Need, Partition, Record, Sending, Start
from conformance.clients.worker import serve

_ASSIGNORS = "kafka-python 2.0.2 has range, round-robin and eager sticky assignors"
_STICKY = "kafka-python 2.0.2's sticky assignor fails with a TypeError as soon as there are three members"
_PRODUCER = "kafka-python 2.0.2 has neither idempotence nor transactions"
LACKS: Mapping[Need, str] = {
    Need.NULL_HEADER: "kafka-python refuses to send a null header",
    Need.STICKY: _STICKY,
    Need.COOPERATIVE: _ASSIGNORS,
    Need.STATIC: "kafka-python 2.0.2 has no group_instance_id",
    Need.IDEMPOTENCE: _PRODUCER,
    Need.TRANSACTIONS: _PRODUCER,
}
_POLL_MS = 50


def _assignor(strategy: str) -> Any:
    # Imported by name: where these modules are now is no business of a release that has its own.
    modules = {"range": "range", "roundrobin": "roundrobin", "sticky": "sticky.sticky_assignor"}
    names = {
        "range": "RangePartitionAssignor",
        "roundrobin": "RoundRobinPartitionAssignor",
        "sticky": "StickyPartitionAssignor",
    }
    found = importlib.import_module(f"kafka.coordinator.assignors.{modules[strategy]}")
    return getattr(found, names[strategy])


class KafkaPython2:
    """The client of one story."""

    def __init__(self, bootstrap: str) -> None:
        self.lacks = LACKS
        self.common = {
            "bootstrap_servers": bootstrap.split(","),
            "retry_backoff_ms": verbs.RETRY_BACKOFF_MS,
            "reconnect_backoff_ms": verbs.RETRY_BACKOFF_MS,
            "reconnect_backoff_max_ms": 50,
        }
        self.producers: dict[Sending, Any] = {}
        self._admin: Any = None

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        if how not in self.producers:
            self.producers[how] = KafkaProducer(
                **self.common,
                acks=how.acks if how.acks == "all" else int(how.acks),
                compression_type=None if how.codec == "none" else how.codec,
                retries=1_000,
                request_timeout_ms=verbs.REQUEST_TIMEOUT_MS,
            )
        sent = [
            self.producers[how].send(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]
        offsets = [future.get(timeout=DEADLINE_S).offset for future in sent]
        return None if how.acks == "0" else offsets

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        raise AssertionError(LACKS[Need.TRANSACTIONS], topic, records, transactional_id, commit)

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> KafkaPython2Reader:
        assert not committed_only, LACKS[Need.TRANSACTIONS]
        consumer = self._consumer(enable_auto_commit=False)
        assigned = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(assigned)
        for at in assigned:
            if start == "beginning":
                consumer.seek_to_beginning(at)
            elif start == "end":
                consumer.seek_to_end(at)
                consumer.position(at)  # asks the broker what the end is
            else:
                consumer.seek(at, start)
        return KafkaPython2Reader(consumer, topic)

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        at = TopicPartition(topic, partition)
        consumer = self._consumer()
        try:
            if moment == "earliest":
                return int(consumer.beginning_offsets([at])[at])
            if moment == "latest":
                return int(consumer.end_offsets([at])[at])
            found = consumer.offsets_for_times({at: moment})[at]
            return None if found is None else int(found.offset)
        finally:
            consumer.close()

    def join(self, how: Joining) -> KafkaPython2Member:
        consumer = self._consumer(
            group_id=how.group,
            partition_assignment_strategy=(_assignor(how.strategy),),
            session_timeout_ms=verbs.SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=verbs.HEARTBEAT_INTERVAL_MS,
            enable_auto_commit=how.auto_commit,
        )
        return KafkaPython2Member(consumer, how.topic)

    def _consumer(self, **settings: Any) -> Any:
        fetching = {"fetch_max_wait_ms": verbs.FETCH_MAX_WAIT_MS, "auto_offset_reset": "earliest"}
        return KafkaConsumer(**self.common, **fetching, **settings)

    @property
    def admin(self) -> Any:
        """Made on first use: most stories need none."""
        if self._admin is None:
            self._admin = KafkaAdminClient(**self.common)
        return self._admin

    def create_topic(self, topic: str, partitions: int) -> None:
        self.admin.create_topics([NewTopic(topic, partitions, 1)])

    def partition_count(self, topic: str) -> int | None:
        (described,) = self.admin.describe_topics([topic])
        return len(described["partitions"]) if not described["error_code"] else None

    def add_partitions(self, topic: str, total: int) -> None:
        self.admin.create_partitions({topic: NewPartitions(total)})

    def delete_topic(self, topic: str) -> None:
        self.admin.delete_topics([topic])

    def close(self) -> None:
        for producer in self.producers.values():
            producer.close(timeout=DEADLINE_S)
        if self._admin is not None:
            self._admin.close()


class KafkaPython2Reader:
    """Partitions assigned by hand."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self.consumer, self.topic = consumer, topic

    def take(self, count: int) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < count and time.monotonic() < deadline:
            records += _received(self.consumer.poll(timeout_ms=_POLL_MS, max_records=count - len(records)))
        return records

    def seek(self, partition: int, offset: int) -> None:
        self.consumer.seek(TopicPartition(self.topic, partition), offset)

    def pause(self, partition: int) -> None:
        self.consumer.pause(TopicPartition(self.topic, partition))

    def resume(self, partition: int) -> None:
        self.consumer.resume(TopicPartition(self.topic, partition))

    def close(self) -> None:
        self.consumer.close()


class KafkaPython2Member(kafka.ConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """A group's consumer in a thread of its own: its poll does not return before a rebalance is over."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self.rebalances = 0
        self.consumer, self.topic = consumer, topic
        self.owned: frozenset[Partition] = frozenset()
        self.received: queue.SimpleQueue[list[Record] | Exception] = queue.SimpleQueue()
        self.orders: queue.SimpleQueue[tuple[Callable[[], object], Future[object]]] = queue.SimpleQueue()
        self.open = True
        consumer.subscribe([topic], listener=self)
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def on_partitions_revoked(self, _revoked: object) -> None:
        """What it has is up for grabs until the rebalance is over."""
        self.owned = frozenset()

    def on_partitions_assigned(self, assigned: Any) -> None:
        self.rebalances += 1
        self.owned = frozenset((at.topic, at.partition) for at in assigned)

    def _work(self) -> None:
        """Poll, and between polls do what was ordered: a consumer belongs to one thread."""
        while self.open:
            try:
                records = _received(self.consumer.poll(timeout_ms=_POLL_MS))
            except Exception as failed:  # noqa: BLE001  # raised where the story polls
                self.received.put(failed)
                self._obey(*self.orders.get())  # what is left to do is to leave
                continue
            if records:
                self.received.put(records)
            while not self.orders.empty():
                self._obey(*self.orders.get())

    def _obey(self, order: Callable[[], object], done: Future[object]) -> None:
        try:
            done.set_result(order())
        except Exception as failed:  # noqa: BLE001  # raised where the order was given
            done.set_exception(failed)

    def _do(self, order: Callable[[], object]) -> None:
        done: Future[object] = Future()
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
        return self.owned

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        chosen = {
            TopicPartition(self.topic, partition): OffsetAndMetadata(offset, "")
            for partition, offset in (offsets or {}).items()
        }
        self._do(lambda: self.consumer.commit(chosen or None))

    def leave(self) -> None:
        def close() -> None:
            self.open = False
            self.consumer.close()

        self._do(close)
        self.thread.join(DEADLINE_S)


def _received(polled: Mapping[Any, Sequence[Any]]) -> list[Record]:
    return [
        Record(found.value, found.key, tuple(found.headers), found.partition, found.timestamp, found.offset)
        for records in polled.values()
        for found in records
    ]


if __name__ == "__main__":
    serve(KafkaPython2)
