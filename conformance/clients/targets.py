"""The broker under judgement, seen from its own side: mockbroker by its public names, or a real Kafka.

A target makes topics and tells the truth about them.  The truth about a real Kafka comes
through other clients, as it has no other way to be asked; for mockbroker it comes from the cluster itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import confluent_kafka
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec

from conformance.against_kafka.ready import known_to, served_by
from conformance.clients.deaths import Deaths, KafkaDeaths, MockbrokerDeaths
from conformance.clients.verbs import DEADLINE_S, Need

if TYPE_CHECKING:
    from conformance.against_kafka.launch import KafkaCluster
    from mockbroker import Cluster

# With fewer nodes a lost one takes the majority of the controllers along.
SURVIVABLE = 3
# The API without which a need cannot be met by any client.
SERVED_WITH = {Need.TRANSACTIONS: (26, "EndTxn")}


class Target(Protocol):
    """What stories may ask of the broker behind the client's back."""

    bootstrap: str
    # What it does not serve, and how we know: stories that need it are skipped for every client.
    lacks: Mapping[Need, str]
    # How its brokers can be made to die; None if they cannot, which is then among the lacks.
    deaths: Deaths | None

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

    def let_pass(self, duration_ms: int) -> None:
        """Let the brokers' time pass, if it can be moved; else a wait will have to."""


class MockbrokerTarget:
    """A cluster of our own, asked through its handles."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.bootstrap = cluster.bootstrap
        self.lacks = _not_served(self.bootstrap)
        self.deaths: Deaths | None = MockbrokerDeaths(cluster)

    def make_topic(self, name: str, partitions: int = 1, replication: int | None = None) -> None:
        self.cluster.topic(name).create(partitions=partitions, replication=replication)

    def drop_topic(self, name: str) -> None:
        self.cluster.topic(name).delete()

    def partition_count(self, topic: str) -> int:
        return len(self.cluster.topic(topic).partitions)

    def end_offset(self, topic: str, partition: int) -> int:
        return self.cluster.topic(topic).end_offset(partition)

    def values(self, topic: str) -> list[bytes | None]:
        return self.cluster.topic(topic).values()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        return {
            at: offset for (name, at), offset in self.cluster.group(group).committed.items() if name == topic
        }

    def let_pass(self, duration_ms: int) -> None:
        self.cluster.clock.advance(duration_ms / 1_000)


class KafkaTarget:
    """A real Kafka, asked through clients. `nodes` bounds the replication factor; `started` is it, if it is ours."""

    def __init__(self, bootstrap: str, nodes: int, started: KafkaCluster | None = None) -> None:
        self.bootstrap, self.nodes = bootstrap, nodes
        self.deaths: Deaths | None = None
        if started is not None and nodes >= SURVIVABLE:
            self.deaths = KafkaDeaths(started)
        immortal = {} if self.deaths else {Need.DEATHS: f"only {SURVIVABLE} nodes started here can lose one"}
        self.lacks: Mapping[Need, str] = {**_not_served(bootstrap), **immortal}
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
        (found,) = self._admin.list_partition_offsets({at: OffsetSpec.LATEST}).values()
        return int(found.offset)

    def let_pass(self, duration_ms: int) -> None:
        """Its time cannot be moved: the waits of the story will take it."""

    def values(self, topic: str) -> list[bytes | None]:
        # Through librdkafka, which has every codec built in, where kafka-python needs a package for each.
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "nobody",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            }
        )
        partitions = range(self.partition_count(topic))
        start = confluent_kafka.OFFSET_BEGINNING
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, number, start) for number in partitions])
            return _read_to_the_ends(consumer, set(partitions))
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        offsets = self._admin.list_group_offsets([group])[group]
        return {at.partition: found.offset for at, found in offsets.items() if at.topic == topic}

    def _counts(self, topic: str) -> list[int]:
        """How many partitions of the topic, with leaders, each broker knows of."""
        ports = _ports(self.bootstrap)
        return [len(known.led[topic]) if (known := known_to(port, topic)) else 0 for port in ports]


def _read_to_the_ends(consumer: confluent_kafka.Consumer, partitions: set[int]) -> list[bytes | None]:
    found: dict[int, list[bytes | None]] = {number: [] for number in sorted(partitions)}
    deadline = time.monotonic() + DEADLINE_S
    while partitions:
        assert time.monotonic() < deadline, f"partitions {partitions} could not be read to their ends"
        message = consumer.poll(0.1)
        if message is None:
            continue
        number, value = message.partition(), message.value()
        if (event := message.error()) is None:
            assert number is not None
            assert value is None or isinstance(value, bytes)  # the stubs allow what serialisers make
            found[number].append(value)
        else:
            assert event.code() == confluent_kafka.KafkaError._PARTITION_EOF, event  # noqa: SLF001  # its name for it
            partitions -= {number}
    return [value for values in found.values() for value in values]


def _ports(bootstrap: str) -> list[int]:
    return [int(address.rpartition(":")[2]) for address in bootstrap.split(",")]


def _not_served(bootstrap: str) -> Mapping[Need, str]:
    """The broker's own word for it, so that a story starts to be told on the day its APIs are served."""
    served = served_by(_ports(bootstrap)[0])
    return {
        need: f"the broker does not advertise {name}"
        for need, (key, name) in SERVED_WITH.items()
        if key not in served
    }


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, f"the cluster's metadata does not settle within {DEADLINE_S} s"
        time.sleep(0.02)  # a pause between questions, not a guess at when it is true
