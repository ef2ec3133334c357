"""The app that the eleven tests are about: it bills orders, and parks what it cannot read.

Written as people write such apps: orders in, invoices out under the same key, poison to a queue of dead letters, a
commit when both are safe.  Twice, with two clients; neither knows that its Kafka is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import confluent_kafka
import kafka

from mockbroker import Cluster
from tests.scenarios.clients import CLOSE_S, POLL_LONG_MS, Listener
from tests.scenarios.workers import App

POLL_S = 0.1
SEND_S = 20


def outcome(order: bytes | None) -> tuple[str, bytes | None]:
    """Where an order ends, and as what: its bill among the invoices, or itself among the dead letters."""
    try:
        return "invoices", b"%d" % json.loads(order or b"")["total"]
    except (ValueError, KeyError, TypeError):
        return "orders.dlq", order


class BillingApp(App):
    """One running copy of the app."""

    def __init__(self, cluster: Cluster, name: str = "app", **settings: Any) -> None:
        super().__init__()
        self.cluster = cluster
        self.name = name
        self.settings = settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class ConfluentBilling(BillingApp):
    """With confluent-kafka."""

    def run(self) -> None:
        config = self.cluster.config.confluent(group="billing", client_id=self.name, **self.settings)
        consumer = confluent_kafka.Consumer(config | {"enable.auto.commit": False})
        # What a megabyte came in as must go out again, with everything around it.
        producer = confluent_kafka.Producer(self.cluster.config.confluent(message_max_bytes=2_000_000))
        consumer.subscribe(["orders"])
        try:
            while not self._stopping.is_set():
                message = consumer.poll(POLL_S)
                if message is None or message.error() is not None:
                    continue
                topic, value = outcome(message.value())
                producer.produce(topic, value, key=message.key())
                assert producer.flush(SEND_S) == 0
                with suppress(
                    confluent_kafka.KafkaException
                ):  # a rebalance has come between: it is read again
                    consumer.commit(message=message, asynchronous=False)
        finally:
            consumer.close()


class KafkaPythonBilling(BillingApp):
    """With kafka-python."""

    def run(self) -> None:
        config = self.cluster.config.kafka_python(group="billing", client_id=self.name, **self.settings)
        consumer = self.consumer = kafka.KafkaConsumer(**config | {"enable_auto_commit": False})
        producer = kafka.KafkaProducer(**self.cluster.config.kafka_python())
        consumer.subscribe(["orders"], listener=Listener())
        try:
            while not self._stopping.is_set():
                for records in self._poll().values():
                    for record in records:
                        topic, value = outcome(record.value)
                        producer.send(topic, value, key=record.key).get(timeout=SEND_S)
                    with suppress(kafka.errors.CommitFailedError):
                        consumer.commit()
        finally:
            consumer.close()
            producer.close()

    def _poll(self) -> Any:
        try:
            return self.consumer.poll(timeout_ms=POLL_LONG_MS)
        except Exception:
            if self._stopping.is_set():
                return {}
            raise

    def ask_to_stop(self) -> None:
        super().ask_to_stop()
        self.consumer.close(timeout_ms=CLOSE_S * 1_000)


APPS: Mapping[str, type[BillingApp]] = {
    "confluent-kafka": ConfluentBilling,
    "kafka-python": KafkaPythonBilling,
}
