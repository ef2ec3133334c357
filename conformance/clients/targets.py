"""The broker under judgement, seen from its own side: mockbroker by its public names, or a real Kafka.

A target makes topics and tells the truth about them.  The truth about a real Kafka comes through
kafka-python, which has no other way to be asked; for mockbroker it comes from the cluster itself.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from conformance.against_kafka.ready import known_to
from conformance.clients.verbs import DEADLINE_S


class Target(Protocol):
    """What stories may ask of the broker behind the client's back."""

    bootstrap: str

    def make_topic(self, name: str, partitions: int = 1, replication: int | None = None) -> None:
        """Create a topic and return when every broker knows it and its leaders."""

    def drop_topic(self, name: str) -> None:
        """Delete a topic and return when no broker knows it."""

    def partition_count(self, topic: str) -> int:
        """How many partitions it has."""

    def end_offset(self, topic: str, partition: int) -> int:
        """Where the partition ends, aborted records and markers included."""

    def values(self, topic: str) -> list[bytes | None]:
        """Every committed value, by partition and offset."""

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's committed offsets of the topic."""


class MockbrokerTarget:
    """A cluster of our own, asked through its handles."""

    def __init__(self, cluster: Any) -> None:  # Any: conformance runs before and without the package too
        self.cluster = cluster
        self.bootstrap: str = cluster.bootstrap

    def make_topic(self, name: str, partitions: int = 1, replication: int | None = None) -> None:
        self.cluster.topic(name).create(partitions=partitions, replication=replication or 3)

    def drop_topic(self, name: str) -> None:
        self.cluster.topic(name).delete()

    def partition_count(self, topic: str) -> int:
        return len(self.cluster.topic(topic).partitions)

    def end_offset(self, topic: str, partition: int) -> int:
        return int(self.cluster.topic(topic).end_offset(partition))

    def values(self, topic: str) -> list[bytes | None]:
        return list(self.cluster.topic(topic).values())

    def committed(self, group: str, topic: str) -> dict[int, int]:
        return {
            at: offset for (name, at), offset in self.cluster.group(group).committed.items() if name == topic
        }


class KafkaTarget:
    """A real Kafka, asked through kafka-python. `nodes` bounds the replication factor."""

    def __init__(self, bootstrap: str, nodes: int) -> None:
        self.bootstrap, self.nodes = bootstrap, nodes
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))

    def close(self) -> None:
        """Close the connection that asked."""
        self._admin.close()

    def make_topic(self, name: str, partitions: int = 1, replication: int | None = None) -> None:
        wanted = {"num_partitions": partitions, "replication_factor": replication or min(3, self.nodes)}
        self._admin.create_topics({name: wanted})
        # A controller answers before the brokers' metadata shows the topic, and each learns of it by itself.
        _until(lambda: all(count == partitions for count in self._counts(name)))

    def drop_topic(self, name: str) -> None:
        self._admin.delete_topics([name])
        _until(lambda: not any(self._counts(name)))

    def partition_count(self, topic: str) -> int:
        return max(self._counts(topic))

    def end_offset(self, topic: str, partition: int) -> int:
        at = TopicPartition(topic, partition)
        with _asking(self.bootstrap) as consumer:
            return int(consumer.end_offsets([at])[at])

    def values(self, topic: str) -> list[bytes | None]:
        ats = [TopicPartition(topic, partition) for partition in range(self.partition_count(topic))]
        found: dict[TopicPartition, list[bytes | None]] = {at: [] for at in ats}
        with _asking(self.bootstrap, isolation_level="read_committed") as consumer:
            ends = consumer.end_offsets(ats)  # under read_committed: the last stable offsets
            consumer.assign(ats)
            consumer.seek_to_beginning(*ats)
            deadline = time.monotonic() + DEADLINE_S
            # Positions, not counts: markers and aborted records are offsets without a record to show.
            while any(consumer.position(at) < ends[at] for at in ats):
                assert time.monotonic() < deadline, f"{topic} could not be read to its end {ends}"
                for at, records in consumer.poll(timeout_ms=100).items():
                    found[at] += [record.value for record in records]
        return [value for at in ats for value in found[at]]

    def committed(self, group: str, topic: str) -> dict[int, int]:
        offsets = self._admin.list_group_offsets([group])[group]
        return {at.partition: found.offset for at, found in offsets.items() if at.topic == topic}

    def _counts(self, topic: str) -> list[int]:
        """How many partitions of the topic, with leaders, each broker knows of."""
        ports = [int(address.rpartition(":")[2]) for address in self.bootstrap.split(",")]
        return [len(known.led[topic]) if (known := known_to(port, topic)) else 0 for port in ports]


@contextlib.contextmanager
def _asking(bootstrap: str, **settings: Any) -> Iterator[KafkaConsumer]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap.split(","), **settings)
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, f"the cluster's metadata does not settle within {DEADLINE_S} s"
        time.sleep(0.02)  # a pause between questions, not a guess at when it is true
