"""Three real clients with one face: consume in a group, produce and be told what was acknowledged.

Their timers are short, for they are the one thing that a broker cannot move.  Each class turns these few
verbs into calls of one library; nothing here retries, waits on its own account, or knows the brokers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import aiokafka
import confluent_kafka
import kafka
from kafka.consumer.subscription_state import ConsumerRebalanceListener

HEARTBEAT_MS = 100
SESSION_MS = 6_000
# How long a rebalance waits for a member; the client's limit between two polls, too.
POLL_INTERVAL_MS = 10_000
BACKOFF_MS = 20
RECONNECT_MAX_MS = 50
FETCH_WAIT_MS = 100
REQUEST_TIMEOUT_MS = 5_000
# A producer that cannot deliver gives up after this; longer than any wait of a test, so that none depends on it.
DELIVERY_TIMEOUT_MS = 20_000
CLOSE_S = 10
POLL_S = 0.02
POLL_LONG_MS = 3_600_000

Acks = Literal["0", "1", "all"]


class Got(NamedTuple):
    """One record that a consumer was given."""

    partition: int
    offset: int
    value: bytes


class Refused(Exception):
    """A commit that was not acknowledged."""


@dataclass(frozen=True)
class Membership:
    """How a consumer enters a group."""

    bootstrap: str
    topic: str
    group: str
    name: str
    reset: Literal["earliest", "latest"] = "earliest"
    instance: str | None = None
    session_ms: int = SESSION_MS
    # The default of clients is minutes; tests that change a topic's shape ask for less.
    metadata_age_ms: int = 300_000


class Consumer(Protocol):
    """A consumer in a group, for one thread."""

    def poll(self) -> list[Got]:
        """What arrived, waiting until something did, or a little while."""

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Commit the next offset of each partition; raises Refused."""

    def interrupt(self) -> None:
        """Let a `poll` in another thread come to its end; it is the last one."""

    def close(self) -> None:
        """Leave the group, as this client does it."""


class Producer(Protocol):
    """A producer, for one thread."""

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> list[bytes]:
        """Send all at once, wait until each one's fate is known, and give the acknowledged ones."""

    def close(self) -> None:
        """Close it; nothing is under way."""


# -- kafka-python -----------------------------------------------------------------------------------


class KafkaPython:
    """kafka-python: synchronous, with threads of its own for heartbeats and sending.

    A poll whose time is up just when a SyncGroup is answered forgets its assignment and never asks again
    (3.0), so here polls last until they are interrupted.
    """

    def __init__(self, how: Membership) -> None:
        self.topic = how.topic
        self.closing = threading.Event()
        self.consumer = kafka.KafkaConsumer(
            **self.common(how.bootstrap),
            client_id=how.name,
            group_id=how.group,
            group_instance_id=how.instance,
            session_timeout_ms=how.session_ms,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=max(POLL_INTERVAL_MS, how.session_ms),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=how.metadata_age_ms,
            auto_offset_reset=how.reset,
            enable_auto_commit=False,
        )
        self.consumer.subscribe([how.topic], listener=Listener())

    @staticmethod
    def common(bootstrap: str) -> dict[str, Any]:
        return {
            "bootstrap_servers": bootstrap.split(","),
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": BACKOFF_MS,
            "reconnect_backoff_ms": BACKOFF_MS,
            "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
        }

    def poll(self) -> list[Got]:
        try:
            polled = self.consumer.poll(timeout_ms=POLL_LONG_MS)
        except kafka.errors.KafkaConnectionError:
            # While it looks for its coordinator, a broker that refuses a metadata request ends the poll (3.0.12).
            # It calls that retriable: the worker polls again.
            return []
        except Exception:
            if self.closing.is_set():
                return []
            raise
        return [Got(r.partition, r.offset, r.value) for records in polled.values() for r in records]

    def interrupt(self) -> None:
        self.closing.set()
        self.consumer.close(timeout_ms=CLOSE_S * 1_000)

    def commit(self, offsets: Mapping[int, int]) -> None:
        chosen = {
            kafka.TopicPartition(self.topic, partition): kafka.OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        try:
            self.consumer.commit(chosen, timeout_ms=REQUEST_TIMEOUT_MS)
        except kafka.errors.KafkaError as refused:
            raise Refused from refused

    def close(self) -> None:
        self.consumer.close(timeout_ms=CLOSE_S * 1_000)

    class Producer:
        """Its producer."""

        def __init__(self, bootstrap: str, acks: Acks, *, idempotent: bool = False) -> None:
            self.producer = kafka.KafkaProducer(
                **KafkaPython.common(bootstrap),
                acks=acks if acks == "all" else int(acks),
                enable_idempotence=idempotent,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            )

        def send(self, topic: str, partition: int, values: Sequence[bytes]) -> list[bytes]:
            futures = [(value, self.producer.send(topic, value, partition=partition)) for value in values]
            acknowledged = []
            for value, future in futures:
                try:
                    future.get(timeout=DELIVERY_TIMEOUT_MS / 1_000)
                    acknowledged.append(value)
                except kafka.errors.KafkaError:
                    continue
            return acknowledged

        def close(self) -> None:
            self.producer.close(timeout=CLOSE_S)


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """Has kafka-python take its assignments in `poll`, as an app with a listener does."""

    def on_partitions_revoked(self, revoked: object) -> None:
        """Everything was committed as it came."""

    def on_partitions_assigned(self, assigned: object) -> None:
        """The assignment is the consumer's own affair."""


# -- confluent-kafka ----------------------------------------------------------------------------------


class Confluent:
    """confluent-kafka: librdkafka's threads under a thin binding."""

    def __init__(self, how: Membership) -> None:
        self.topic = how.topic
        settings: dict[str, Any] = {
            **self.common(how.bootstrap),
            "client.id": how.name,
            "group.id": how.group,
            "session.timeout.ms": how.session_ms,
            "heartbeat.interval.ms": HEARTBEAT_MS,
            "max.poll.interval.ms": max(POLL_INTERVAL_MS, how.session_ms),
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "topic.metadata.refresh.interval.ms": how.metadata_age_ms,
            "auto.offset.reset": how.reset,
            "enable.auto.commit": False,
        }
        if how.instance is not None:
            settings["group.instance.id"] = how.instance
        self.consumer = confluent_kafka.Consumer(settings)
        self.consumer.subscribe([how.topic])

    @staticmethod
    def common(bootstrap: str) -> dict[str, Any]:
        return {
            "bootstrap.servers": bootstrap,
            "socket.timeout.ms": REQUEST_TIMEOUT_MS,
            "retry.backoff.ms": BACKOFF_MS,
            "reconnect.backoff.ms": BACKOFF_MS,
            "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
            # What it looks up again while something is wrong, and how soon.
            "topic.metadata.refresh.fast.interval.ms": BACKOFF_MS,
            # Brokers that die are what these tests are about; their epitaphs on stderr help nobody.
            "log_level": 0,
        }

    def poll(self) -> list[Got]:
        got = []
        for message in self.consumer.consume(100, POLL_S):
            error = message.error()
            if error is None:
                got.append(Got(message.partition() or 0, message.offset() or 0, _bytes(message.value())))
            elif error.fatal():
                raise confluent_kafka.KafkaException(error)
        return got

    def commit(self, offsets: Mapping[int, int]) -> None:
        chosen = [confluent_kafka.TopicPartition(self.topic, p, offset) for p, offset in offsets.items()]
        try:
            committed = self.consumer.commit(offsets=chosen, asynchronous=False)
        except confluent_kafka.KafkaException as refused:
            raise Refused from refused
        # The call succeeds although a partition did not; each has its own error.
        if any(place.error is not None for place in committed or ()):
            raise Refused

    def interrupt(self) -> None:
        """Its polls are short."""

    def close(self) -> None:
        self.consumer.close()

    class Producer:
        """Its producer."""

        def __init__(self, bootstrap: str, acks: Acks, *, idempotent: bool = False) -> None:
            settings = {
                "acks": acks,
                "enable.idempotence": idempotent,
                "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                "linger.ms": 0,
            }
            self.producer = confluent_kafka.Producer({**Confluent.common(bootstrap), **settings})

        def send(self, topic: str, partition: int, values: Sequence[bytes]) -> list[bytes]:
            acknowledged: list[bytes] = []

            def delivered(error: object, message: Any) -> None:
                if error is None:
                    acknowledged.append(message.value())

            for value in values:
                self.producer.produce(topic, value, partition=partition, on_delivery=delivered)
            assert self.producer.flush(DELIVERY_TIMEOUT_MS / 1_000 + CLOSE_S) == 0
            return acknowledged

        def close(self) -> None:
            self.producer.flush(CLOSE_S)


def _bytes(value: str | bytes | None) -> bytes:
    assert isinstance(value, bytes)
    return value


# -- aiokafka -----------------------------------------------------------------------------------------


class Aiokafka:
    """aiokafka: its event loop runs while this thread is in one of the calls, which is nearly always."""

    def __init__(self, how: Membership) -> None:
        self.topic = how.topic
        self.runner = asyncio.Runner()
        self.consumer: Any = None
        self.runner.run(self._start(how))

    async def _start(self, how: Membership) -> None:
        self.consumer = aiokafka.AIOKafkaConsumer(
            how.topic,
            **self.common(how.bootstrap),
            client_id=how.name,
            group_id=how.group,
            group_instance_id=how.instance,
            session_timeout_ms=how.session_ms,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=max(POLL_INTERVAL_MS, how.session_ms),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=how.metadata_age_ms,
            auto_offset_reset=how.reset,
            enable_auto_commit=False,
        )
        await self.consumer.start()

    @staticmethod
    def common(bootstrap: str) -> dict[str, Any]:
        return {
            "bootstrap_servers": bootstrap,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": BACKOFF_MS,
        }

    def poll(self) -> list[Got]:
        polled = self.runner.run(self.consumer.getmany(timeout_ms=int(POLL_S * 1_000)))
        return [Got(r.partition, r.offset, r.value) for records in polled.values() for r in records]

    def commit(self, offsets: Mapping[int, int]) -> None:
        chosen = {aiokafka.TopicPartition(self.topic, p): offset for p, offset in offsets.items()}
        try:
            self.runner.run(self.consumer.commit(chosen))
        except aiokafka.errors.KafkaError as refused:
            raise Refused from refused

    def interrupt(self) -> None:
        """Its polls are short."""

    def close(self) -> None:
        self.runner.run(self.consumer.stop())
        self.runner.close()

    class Producer:
        """Its producer."""

        def __init__(self, bootstrap: str, acks: Acks, *, idempotent: bool = False) -> None:
            self.runner = asyncio.Runner()
            self.producer: Any = None
            self.runner.run(self._start(bootstrap, acks, idempotent=idempotent))

        async def _start(self, bootstrap: str, acks: Acks, *, idempotent: bool) -> None:
            self.producer = aiokafka.AIOKafkaProducer(
                **Aiokafka.common(bootstrap),
                acks=acks if acks == "all" else int(acks),
                enable_idempotence=idempotent,
            )
            await self.producer.start()

        def send(self, topic: str, partition: int, values: Sequence[bytes]) -> list[bytes]:
            return self.runner.run(self._send(topic, partition, values))

        async def _send(self, topic: str, partition: int, values: Sequence[bytes]) -> list[bytes]:
            futures = [await self.producer.send(topic, value, partition=partition) for value in values]
            fates = await asyncio.gather(*futures, return_exceptions=True)
            return [
                value for value, fate in zip(values, fates, strict=True) if not isinstance(fate, Exception)
            ]

        def close(self) -> None:
            self.runner.run(self.producer.stop())
            self.runner.close()


Library = type[KafkaPython] | type[Confluent] | type[Aiokafka]
LIBRARIES: dict[str, Library] = {
    "kafka-python": KafkaPython,
    "confluent-kafka": Confluent,
    "aiokafka": Aiokafka,
}
