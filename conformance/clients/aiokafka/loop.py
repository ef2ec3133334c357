"""aiokafka's loop: its producer raises what is fatal as such, and everything else can be aborted."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from conformance.clients.looping import Looping, MustAbort, MustRestart
from conformance.clients.verbs import (
    FETCH_MAX_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    SESSION_TIMEOUT_MS,
    Partition,
    Record,
)

if TYPE_CHECKING:
    from conformance.clients.aiokafka.adapter import Loop


class AiokafkaLoop:
    """One loop, whose coroutines run where all of the client's do."""

    def __init__(self, loop: Loop, common: Mapping[str, Any], how: Looping) -> None:
        self._loop, self._common, self._how = loop, common, how
        self._consumer: Any = None
        self._producer: Any = None
        loop.run(self._start())

    async def _start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            self._how.topic,
            **self._common,
            group_id=self._how.group,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_poll_records=1,
        )
        await self._consumer.start()
        await self._new_producer()

    async def _new_producer(self) -> None:
        self._producer = AIOKafkaProducer(**self._common, transactional_id=self._how.transactional_id)
        await self._producer.start()

    def poll(self, timeout_s: float) -> Sequence[Record]:
        polled = self._loop.run(self._consumer.getmany(timeout_ms=int(timeout_s * 1_000)))
        return [
            Record(record.value, partition=record.partition, offset=record.offset)
            for records in polled.values()
            for record in records
        ]

    def run(self, outputs: Sequence[tuple[bytes, Record]], offsets: Mapping[Partition, int]) -> None:
        ends = {TopicPartition(*place): end for place, end in offsets.items()}
        self._judged(self._run(outputs, ends))

    async def _run(self, outputs: Sequence[tuple[bytes, Record]], ends: Mapping[TopicPartition, int]) -> None:
        if self._how.broken:
            await self._consumer.commit(ends)
        await self._producer.begin_transaction()
        sent = [
            await self._producer.send(self._how.to, record.value, key, partition=record.partition)
            for key, record in outputs
        ]
        if not self._how.broken:
            await self._producer.send_offsets_to_transaction(ends, self._how.group)
        for future in sent:
            await future
        await self._producer.commit_transaction()

    def _judged(self, act: Awaitable[Any]) -> None:
        try:
            self._loop.run(act)  # type: ignore[arg-type]  # every awaitable here is a coroutine
        except (ProducerFenced, IllegalOperation) as fatal:
            raise MustRestart(fatal) from fatal
        except KafkaError as failed:
            raise MustAbort(failed) from failed

    def abort(self) -> None:
        try:
            self._judged(self._producer.abort_transaction())
        except MustAbort as odd:
            raise MustRestart from odd

    def rewind(self) -> None:
        self._loop.run(self._rewind())

    async def _rewind(self) -> None:
        for at in self._consumer.assignment():
            self._consumer.seek(at, await self._consumer.committed(at) or 0)

    def restart(self) -> None:
        self._loop.run(self._producer.stop())
        self._loop.run(self._new_producer())

    def close(self) -> None:
        self._loop.run(self._consumer.stop())
        self._loop.run(self._producer.stop())
