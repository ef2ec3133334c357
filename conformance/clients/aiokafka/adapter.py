"""aiokafka: asyncio all the way, so it lives on an event loop in a thread of its own.

Members make progress in the background there; polling only collects.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import for_code

from conformance.clients.aiokafka.loop import AiokafkaLoop
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

T = TypeVar("T")

ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
}
_UNKNOWN_TOPIC_OR_PARTITION = 3


class Loop:
    """An event loop in a thread, for as long as the story lasts."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="aiokafka")
        self.thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = DEADLINE_S) -> T:
        """Run it over there and wait for it here."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout_s)

    def close(self) -> None:
        """Stop the loop once its last callbacks have run."""
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(DEADLINE_S)
        self.loop.close()


class Aiokafka:
    """The client of one story."""

    def __init__(self, bootstrap: str) -> None:
        self.lacks: Mapping[Need, str] = {
            Need.COOPERATIVE: "aiokafka speaks the eager rebalance protocol only",
        }
        self.loop = Loop()
        self.common = {
            "bootstrap_servers": bootstrap,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
        }
        self.producers: dict[Sending, AIOKafkaProducer] = {}
        self._admin: AIOKafkaAdminClient | None = None

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        return self.loop.run(self._produce(topic, records, how))

    async def _produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        if how not in self.producers:
            self.producers[how] = AIOKafkaProducer(
                **self.common,
                acks=how.acks if how.acks == "all" else int(how.acks),
                compression_type=None if how.codec == "none" else how.codec,
                enable_idempotence=how.idempotent,
            )
            await self.producers[how].start()
        sent = await _send(self.producers[how], topic, records)
        return None if how.acks == "0" else [metadata.offset for metadata in sent]

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        async def transaction() -> None:
            producer = AIOKafkaProducer(**self.common, transactional_id=transactional_id)
            try:  # not `async with`: a start that fails would leave its tasks behind
                await producer.start()
                await producer.begin_transaction()
                await _send(producer, topic, records)
                await (producer.commit_transaction() if commit else producer.abort_transaction())
            finally:
                await producer.stop()

        self.loop.run(transaction())

    def looping(self, how: Looping) -> AiokafkaLoop:
        """Its part of a consume-transform-produce loop."""
        return AiokafkaLoop(self.loop, self.common, how)

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> AiokafkaReader:
        return self.loop.run(self._open_reader(topic, partitions, start, committed_only=committed_only))

    async def _open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> AiokafkaReader:
        consumer = AIOKafkaConsumer(
            **self.common,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if committed_only else "read_uncommitted",
        )
        assigned = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(assigned)
        await consumer.start()
        if start == "beginning":
            await consumer.seek_to_beginning(*assigned)
        elif start == "end":
            await consumer.seek_to_end(*assigned)
        else:
            for at in assigned:
                consumer.seek(at, start)
        return AiokafkaReader(self.loop, consumer, topic)

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        return self.loop.run(self._offset_at(TopicPartition(topic, partition), moment))

    async def _offset_at(self, at: TopicPartition, moment: Moment) -> int | None:
        async with AIOKafkaConsumer(**self.common) as consumer:
            if moment == "earliest":
                return int((await consumer.beginning_offsets([at]))[at])
            if moment == "latest":
                return int((await consumer.end_offsets([at]))[at])
            found = (await consumer.offsets_for_times({at: moment}))[at]
            return None if found is None else int(found.offset)

    def join(self, how: Joining) -> AiokafkaMember:
        member = AiokafkaMember(self.loop, self.common, how)
        self.loop.run(member.start())
        return member

    async def _started_admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(**self.common)
            await self._admin.start()
        return self._admin

    def create_topic(self, topic: str, partitions: int) -> None:
        async def create() -> None:
            answer = await (await self._started_admin()).create_topics([NewTopic(topic, partitions, 1)])
            # The admin client hands errors out as part of the answer and raises none.
            for _, code, *_ in answer.topic_errors:
                if code:
                    raise for_code(code)(topic)

        self.loop.run(create())

    def partition_count(self, topic: str) -> int | None:
        async def describe() -> int | None:
            (described,) = await (await self._started_admin()).describe_topics([topic])
            if described["error_code"] == _UNKNOWN_TOPIC_OR_PARTITION:
                return None
            return len(described["partitions"])

        return self.loop.run(describe())

    def add_partitions(self, topic: str, total: int) -> None:
        async def add() -> None:
            await (await self._started_admin()).create_partitions({topic: NewPartitions(total)})

        self.loop.run(add())

    def delete_topic(self, topic: str) -> None:
        async def delete() -> None:
            answer = await (await self._started_admin()).delete_topics([topic])
            for _, code in answer.topic_error_codes:
                if code:
                    raise for_code(code)(topic)

        self.loop.run(delete())

    def close(self) -> None:
        try:
            for producer in self.producers.values():
                self.loop.run(producer.stop())
            if self._admin is not None:
                self.loop.run(self._admin.close())
        finally:
            self.loop.close()


class AiokafkaReader:
    """Partitions assigned by hand."""

    def __init__(self, loop: Loop, consumer: AIOKafkaConsumer, topic: str) -> None:
        self.loop, self.consumer, self.topic = loop, consumer, topic

    def take(self, count: int) -> list[Record]:
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < count and time.monotonic() < deadline:
            polled = self.loop.run(self.consumer.getmany(timeout_ms=100, max_records=count - len(records)))
            records += _received(polled)
        return records

    def seek(self, partition: int, offset: int) -> None:
        async def seek() -> None:
            self.consumer.seek(TopicPartition(self.topic, partition), offset)

        self.loop.run(seek())

    def pause(self, partition: int) -> None:
        async def pause() -> None:
            self.consumer.pause(TopicPartition(self.topic, partition))

        self.loop.run(pause())

    def resume(self, partition: int) -> None:
        async def resume() -> None:
            self.consumer.resume(TopicPartition(self.topic, partition))

        self.loop.run(resume())

    def close(self) -> None:
        self.loop.run(self.consumer.stop())


class AiokafkaMember(ConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """A group's consumer, which listens to its own rebalances."""

    def __init__(self, loop: Loop, common: Mapping[str, Any], how: Joining) -> None:
        self.rebalances = 0
        self.loop, self.common, self.how = loop, common, how

    async def start(self) -> None:
        """The library's objects belong to the loop they are made on."""
        self.consumer = AIOKafkaConsumer(
            **self.common,
            group_id=self.how.group,
            group_instance_id=self.how.instance,
            partition_assignment_strategy=(_assignor(self.how.strategy),),
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            auto_offset_reset="earliest",
            enable_auto_commit=self.how.auto_commit,
        )
        self.consumer.subscribe([self.how.topic], listener=self)
        await self.consumer.start()

    def on_partitions_revoked(self, _revoked: object) -> None:
        """Nothing to hand over: stories commit when they say so."""

    def on_partitions_assigned(self, _assigned: object) -> None:
        self.rebalances += 1

    def poll(self, timeout_s: float) -> list[Record]:
        return _received(self.loop.run(self.consumer.getmany(timeout_ms=int(timeout_s * 1_000))))

    def assignment(self) -> frozenset[Partition]:
        async def assignment() -> frozenset[Partition]:
            return frozenset((at.topic, at.partition) for at in self.consumer.assignment())

        return self.loop.run(assignment())

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        chosen = {
            TopicPartition(self.how.topic, partition): offset for partition, offset in (offsets or {}).items()
        }
        self.loop.run(self.consumer.commit(chosen or None))

    def leave(self) -> None:
        self.loop.run(self.consumer.stop())


def _assignor(strategy: str) -> type[AbstractPartitionAssignor]:
    """A class of its own for each member.

    aiokafka's sticky assignor remembers its assignment on the class, so that the members of one process would
    overwrite each other's memory.
    """
    return type("Assignor", (ASSIGNORS[strategy],), {})


async def _send(producer: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> list[Any]:
    sent = [
        await producer.send(
            topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            partition=record.partition,
            timestamp_ms=record.timestamp_ms,
        )
        for record in records
    ]
    return list(await asyncio.gather(*sent))


def _received(polled: Mapping[TopicPartition, Sequence[Any]]) -> list[Record]:
    return [
        Record(found.value, found.key, tuple(found.headers), found.partition, found.timestamp, found.offset)
        for records in polled.values()
        for found in records
    ]
