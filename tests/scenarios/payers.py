"""Two real transactional producers with one face, and readers that want what is committed, or everything.

Each turns these few verbs into calls of one library.  What a library says of a refusal is told by Kafka's name for it;
nothing here retries or knows the brokers.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import confluent_kafka
import kafka
import kafka.errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from mockbroker import Cluster

PATIENCE_S = 10
CLOSE_S = 5
POLL_S = 0.05


class Refused(Exception):
    """What a library raised: Kafka's name of the error, and whether the producer is good for nothing now."""

    def __init__(self, name: str, *, fatal: bool) -> None:
        super().__init__(f"{name}, {'fatal' if fatal else 'not fatal'}")
        self.name = name
        self.fatal = fatal


class Payer(Protocol):
    """A producer with a transactional id."""

    def begin(self) -> None:
        """Take the id over, and begin a transaction."""

    def write(self, topic: str, *values: bytes) -> None:
        """Write to partition 0, and wait until it is acknowledged."""

    def keep(self, group: str, topic: str, offset: int) -> None:
        """Commit an offset of a group with the transaction."""

    def commit(self) -> None:
        """Commit it."""

    def abort(self) -> None:
        """Abort it."""

    def close(self) -> None:
        """Be gone, without ending anything."""


class ConfluentPayer:
    """librdkafka's."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        more = {"transactional.id": name, "transaction.timeout.ms": 60_000, "linger.ms": 0}
        self._producer = confluent_kafka.Producer(cluster.config.confluent() | more)

    def _do(self, act: Callable[..., Any], *args: Any) -> Any:
        try:
            return act(*args)
        except confluent_kafka.KafkaException as raised:
            error = raised.args[0]
            raise Refused(error.name(), fatal=error.fatal()) from raised

    def begin(self) -> None:
        self._do(self._producer.init_transactions, PATIENCE_S)
        self._do(self._producer.begin_transaction)

    def write(self, topic: str, *values: bytes) -> None:
        # No callbacks: this library raises a fatal error by whatever call comes next, in the midst of them.
        for value in values:
            self._do(lambda value=value: self._producer.produce(topic, value, partition=0))
        assert self._do(self._producer.flush, PATIENCE_S) == 0

    def keep(self, group: str, topic: str, offset: int) -> None:
        consumer = confluent_kafka.Consumer(self._cluster.config.confluent(group=group))
        offsets = [confluent_kafka.TopicPartition(topic, 0, offset)]
        try:
            metadata = consumer.consumer_group_metadata()
            self._do(self._producer.send_offsets_to_transaction, offsets, metadata, PATIENCE_S)
        finally:
            consumer.close()

    def commit(self) -> None:
        self._do(self._producer.commit_transaction, PATIENCE_S)

    def abort(self) -> None:
        self._do(self._producer.abort_transaction, PATIENCE_S)

    def close(self) -> None:
        self._producer.purge()
        # A fatal error is raised once more, in a way that Python calls a SystemError.
        with suppress(confluent_kafka.KafkaException, SystemError):
            self._producer.close()


class KafkaPythonPayer:
    """kafka-python's."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        config = cluster.config.kafka_python() | {"transactional_id": name, "transaction_timeout_ms": 60_000}
        self._producer = kafka.KafkaProducer(**config)

    def _do(self, act: Callable[..., Any], *args: Any) -> Any:
        try:
            return act(*args)
        except kafka.errors.KafkaError as raised:
            cause = raised.__cause__ or raised
            fatal = isinstance(
                cause, kafka.errors.ProducerFencedError | kafka.errors.InvalidProducerEpochError
            )
            raise Refused(getattr(cause, "message", type(cause).__name__), fatal=fatal) from raised

    def begin(self) -> None:
        self._do(self._producer.init_transactions)
        self._do(self._producer.begin_transaction)

    def write(self, topic: str, *values: bytes) -> None:
        sent = [
            self._do(lambda value=value: self._producer.send(topic, value, partition=0)) for value in values
        ]
        for future in sent:
            self._do(future.get, PATIENCE_S)

    def keep(self, group: str, topic: str, offset: int) -> None:
        offsets = {TopicPartition(topic, 0): OffsetAndMetadata(offset, "", -1)}
        self._do(self._producer.send_offsets_to_transaction, offsets, group)

    def commit(self) -> None:
        self._do(self._producer.commit_transaction)

    def abort(self) -> None:
        self._do(self._producer.abort_transaction)

    def close(self) -> None:
        self._producer.close(timeout=CLOSE_S)


PAYERS: dict[str, Callable[[Cluster, str], Payer]] = {
    "confluent-kafka": ConfluentPayer,
    "kafka-python": KafkaPythonPayer,
}


class Reader(Protocol):
    """A consumer of partition 0, from its beginning."""

    def read(self, count: int) -> list[bytes]:
        """The next so many values, waiting for them."""

    def rest(self) -> list[bytes]:
        """Whatever comes while the brokers are asked twice more."""

    def close(self) -> None:
        """Stop reading."""


def reader_of(name: str, cluster: Cluster, topic: str, isolation: str) -> Reader:
    """A reader with one of the libraries; its client id is its isolation level."""
    return (ConfluentReader if name == "confluent-kafka" else KafkaPythonReader)(cluster, topic, isolation)


class _Reader(ABC):
    def __init__(self, cluster: Cluster, topic: str, isolation: str) -> None:
        self._cluster = cluster
        self._isolation = isolation
        self._open(cluster, topic)

    @abstractmethod
    def _open(self, cluster: Cluster, topic: str) -> None: ...

    @abstractmethod
    def _poll(self) -> list[bytes]: ...

    def read(self, count: int) -> list[bytes]:
        got: list[bytes] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(got) < count and time.monotonic() < deadline:
            got += self._poll()
        return got

    def rest(self) -> list[bytes]:
        got: list[bytes] = []
        asked = len(self._fetches())
        deadline = time.monotonic() + PATIENCE_S
        while len(self._fetches()) < asked + 2 and time.monotonic() < deadline:
            got += self._poll()
        return got + self._poll()

    def _fetches(self) -> list[object]:
        return list(self._cluster.history.events(api="Fetch", client_id=self._isolation))


class ConfluentReader(_Reader):
    """librdkafka's."""

    def _open(self, cluster: Cluster, topic: str) -> None:
        more = {
            "isolation.level": self._isolation, "client.id": self._isolation, "fetch.wait.max.ms": 50,
            "enable.auto.commit": False,
        }  # fmt: skip
        self._consumer = confluent_kafka.Consumer(cluster.config.confluent(group=self._isolation) | more)
        self._consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])

    def _poll(self) -> list[bytes]:
        return [message.value() or b"" for message in self._consumer.consume(10, POLL_S)]

    def close(self) -> None:
        self._consumer.close()


class KafkaPythonReader(_Reader):
    """kafka-python's."""

    def _open(self, cluster: Cluster, topic: str) -> None:
        more = {"isolation_level": self._isolation, "client_id": self._isolation, "fetch_max_wait_ms": 50}
        self._consumer = kafka.KafkaConsumer(**(cluster.config.kafka_python() | more))
        self._consumer.assign([TopicPartition(topic, 0)])
        self._consumer.seek_to_beginning()

    def _poll(self) -> list[bytes]:
        got = self._consumer.poll(timeout_ms=int(POLL_S * 1_000))
        return [record.value for records in got.values() for record in records]

    def close(self) -> None:
        self._consumer.close()
