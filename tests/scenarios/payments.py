"""An app that pays in transactions: what it writes and how far it has read stand or fall together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

import confluent_kafka
import kafka

from mockbroker import Cluster

SECONDS = 20


class Payer(Protocol):
    """A transactional producer that reads as the group `billing`."""

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        """Begin to be the one that has this id."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def pay(self, topic: str, *values: bytes, of: str, upto: int) -> str:
        """Write values, and that `of` was read up to an offset; "committed", or "aborted" where that failed."""


class ConfluentPayer:
    """With confluent-kafka."""

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        self.producer = confluent_kafka.Producer(
            cluster.config.confluent() | {"transactional.id": transactional_id}
        )
        self.member = confluent_kafka.Consumer(cluster.config.confluent(group="billing"))
        self.producer.init_transactions(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.member.close()

    def pay(self, topic: str, *values: bytes, of: str, upto: int) -> str:
        self.producer.begin_transaction()
        try:
            for value in values:
                self.producer.produce(topic, value)
            self.producer.flush(SECONDS)  # else what fails next keeps some of it from being sent at all
            read = [confluent_kafka.TopicPartition(of, 0, upto)]
            self.producer.send_offsets_to_transaction(read, self.member.consumer_group_metadata(), SECONDS)
            self.producer.commit_transaction(SECONDS)
        except confluent_kafka.KafkaException as refused:
            if not refused.args[0].txn_requires_abort():
                raise
            self.producer.abort_transaction(SECONDS)
            return "aborted"
        return "committed"


class KafkaPythonPayer:
    """With kafka-python."""

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        self.producer = kafka.KafkaProducer(
            **cluster.config.kafka_python() | {"transactional_id": transactional_id}
        )
        self.producer.init_transactions()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.producer.close(timeout=SECONDS)

    def pay(self, topic: str, *values: bytes, of: str, upto: int) -> str:
        self.producer.begin_transaction()
        try:
            for value in values:
                self.producer.send(topic, value)
            self.producer.flush(timeout=SECONDS)
            read: dict[Any, Any] = {kafka.TopicPartition(of, 0): kafka.OffsetAndMetadata(upto, "", -1)}
            self.producer.send_offsets_to_transaction(read, "billing")
            self.producer.commit_transaction()
        except kafka.errors.GroupAuthorizationFailedError:
            self.producer.abort_transaction()
            return "aborted"
        return "committed"


PAYERS: Mapping[str, type[Payer]] = {"confluent-kafka": ConfluentPayer, "kafka-python": KafkaPythonPayer}
