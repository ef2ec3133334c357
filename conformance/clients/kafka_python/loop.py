"""kafka-python's loop: what its documentation says to abort is aborted, and after the rest it begins anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    FencedInstanceIdError,
    InvalidProducerEpochError,
    InvalidTxnStateError,
    KafkaError,
    ProducerFencedError,
    TransactionalIdAuthorizationFailedError,
)

from conformance.clients.looping import Looping, MustAbort, MustRestart
from conformance.clients.verbs import (
    DEADLINE_S,
    FETCH_MAX_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    SESSION_TIMEOUT_MS,
    Partition,
    Record,
)

FATAL = (
    ProducerFencedError,
    InvalidProducerEpochError,
    InvalidTxnStateError,
    TransactionalIdAuthorizationFailedError,
    FencedInstanceIdError,
)


class KafkaPythonLoop:
    """One loop."""

    def __init__(self, common: Mapping[str, Any], how: Looping) -> None:
        self._common, self._how = common, how
        self._consumer = KafkaConsumer(
            how.topic,
            **common,
            group_id=how.group,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_poll_records=1,
        )
        self._producer = self._new_producer()

    def _new_producer(self) -> KafkaProducer:
        producer = KafkaProducer(**self._common, transactional_id=self._how.transactional_id)
        producer.init_transactions()
        return producer

    def poll(self, timeout_s: float) -> Sequence[Record]:
        polled = self._consumer.poll(timeout_ms=int(timeout_s * 1_000))
        return [
            Record(record.value, partition=record.partition, offset=record.offset)
            for records in polled.values()
            for record in records
        ]

    def run(self, outputs: Sequence[tuple[bytes, Record]], offsets: Mapping[Partition, int]) -> None:
        ends = {TopicPartition(*place): OffsetAndMetadata(end, "", -1) for place, end in offsets.items()}
        try:
            if self._how.broken:
                self._consumer.commit(ends)
            self._producer.begin_transaction()
            sent = [
                self._producer.send(self._how.to, record.value, key, partition=record.partition)
                for key, record in outputs
            ]
            if not self._how.broken:
                self._producer.send_offsets_to_transaction(ends, self._consumer.group_metadata())
            self._producer.commit_transaction()
            for future in sent:
                future.get(timeout=DEADLINE_S)
        except FATAL as fatal:
            raise MustRestart(fatal) from fatal
        except KafkaError as failed:
            raise MustAbort(failed) from failed

    def abort(self) -> None:
        try:
            self._producer.abort_transaction()
        except KafkaError as refused:
            raise MustRestart(refused) from refused

    def rewind(self) -> None:
        for at in self._consumer.assignment():
            committed = self._consumer.committed(at)
            self._consumer.seek(at, committed or 0)

    def restart(self) -> None:
        self._producer.close(timeout=0)
        self._producer = self._new_producer()

    def close(self) -> None:
        self._consumer.close()
        self._producer.close(timeout=DEADLINE_S)
