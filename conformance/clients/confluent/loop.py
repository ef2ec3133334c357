"""confluent-kafka's loop: errors say themselves what is to be done about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from conformance.clients.looping import Looping, MustAbort, MustRestart
from conformance.clients.verbs import (
    DEADLINE_S,
    FETCH_MAX_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    SESSION_TIMEOUT_MS,
    Partition,
    Record,
)


class ConfluentLoop:
    """One loop."""

    def __init__(self, common: Mapping[str, Any], how: Looping) -> None:
        self._common, self._how = common, how
        self._consumer = Consumer(
            {
                **common,
                "group.id": how.group,
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
                "fetch.wait.max.ms": FETCH_MAX_WAIT_MS,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._consumer.subscribe([how.topic])
        self._producer = self._new_producer()

    def _new_producer(self) -> Producer:
        settings = {
            "transactional.id": self._how.transactional_id,
            "linger.ms": 0,
            # Offsets for a coordinator that has died wait for it so long: a minute by default.
            "socket.timeout.ms": 5_000,
        }
        producer = Producer({**self._common, **settings})
        _again(lambda: producer.init_transactions(DEADLINE_S))
        return producer

    def poll(self, timeout_s: float) -> Sequence[Record]:
        message = self._consumer.poll(timeout_s)
        if message is None or message.error() is not None:
            return []
        value = message.value()
        assert isinstance(value, bytes)
        return [Record(value, partition=message.partition(), offset=message.offset())]

    def run(self, outputs: Sequence[tuple[bytes, Record]], offsets: Mapping[Partition, int]) -> None:
        ends = [TopicPartition(*place, end) for place, end in offsets.items()]
        if self._how.broken:
            self._consumer.commit(offsets=ends, asynchronous=False)
        _again(self._producer.begin_transaction)
        for key, record in outputs:
            self._producer.produce(self._how.to, record.value, key, partition=record.partition or 0)
        if not self._how.broken:
            group = self._consumer.consumer_group_metadata()
            _again(lambda: self._producer.send_offsets_to_transaction(ends, group, DEADLINE_S))
        _again(lambda: self._producer.commit_transaction(DEADLINE_S))

    def abort(self) -> None:
        try:
            _again(lambda: self._producer.abort_transaction(DEADLINE_S))
        except MustAbort as odd:
            raise MustRestart from odd

    def rewind(self) -> None:
        for at in self._consumer.committed(self._consumer.assignment(), DEADLINE_S):
            offset = at.offset if at.offset >= 0 else OFFSET_BEGINNING
            self._consumer.seek(TopicPartition(at.topic, at.partition, offset))

    def restart(self) -> None:
        self._producer = self._new_producer()

    def close(self) -> None:
        self._consumer.close()


def _again(act: Callable[[], Any]) -> None:
    """Do it, as often as the library says that it may be tried again."""
    while True:
        try:
            act()
        except KafkaException as failed:
            error = failed.args[0]
            if error.txn_requires_abort():
                raise MustAbort(error) from failed
            if not error.retriable():
                raise MustRestart(error) from failed
        else:
            return
