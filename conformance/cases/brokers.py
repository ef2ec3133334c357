"""The brokers that a case is put to: mockbroker, or a real Kafka, behind one short interface.

A plan says how many nodes there are and with which settings, by Kafka's names; both get the same.  Time is
the difference: on a real broker one waits for it, mockbroker's clock is moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from conformance.against_kafka.launch import KafkaCluster
from conformance.cases.line import Line

if TYPE_CHECKING:
    from mockbroker import Cluster

PATIENCE_S = 60.0
# Longer than controller.quorum.fetch.timeout.ms and an election.
QUORUM_GONE_S = 4.0
QUORUM_TRIES = 10
# What a case has sent is read before time moves: a few calls into the loop that reads it make sure of that.
TURNS = 5
# A follower that was answered has its next fetch with its leader by then, as one of mockbroker's has at once.
FETCH_ON_ITS_WAY_S = 0.2


@dataclass(frozen=True)
class Plan:
    """A cluster that cases are played on."""

    name: str
    nodes: int
    config: dict[str, int | str | bool]
    racks: tuple[str, ...] = ()
    # How often a real broker looks for what is due, so that nobody waits for that; mockbroker keeps to
    # Kafka's own intervals, as its time costs nothing.
    looks: dict[str, int] = field(default_factory=dict)


# The default of fifty offsets partitions stays, for cases ask where a group lives.
_COMMON: dict[str, int | str | bool] = {
    "offsets.topic.num.partitions": 50,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 5,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
}

ONE = Plan("one", 1, _COMMON | {"group.initial.rebalance.delay.ms": 0, "num.partitions": 1})
# One node again, on which limits are reached soon and clients may create nothing.
TIGHT = Plan(
    "tight",
    1,
    _COMMON
    | {
        "group.initial.rebalance.delay.ms": 3000,
        "group.max.size": 2,
        "auto.create.topics.enable": False,
        "producer.id.expiration.ms": 3000,
        "offsets.retention.minutes": 1,
        "offsets.retention.check.interval.ms": 2000,
        "transactional.id.expiration.ms": 8000,
    },
    looks={
        "producer.id.expiration.check.interval.ms": 500,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
        "transaction.remove.expired.transaction.cleanup.interval.ms": 500,
    },
)
THREE = Plan(
    "three",
    3,
    {
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 5,
        "offsets.topic.replication.factor": 3,
        "transaction.state.log.num.partitions": 5,
        "transaction.state.log.replication.factor": 3,
        "transaction.state.log.min.isr": 2,
        "default.replication.factor": 3,
        "min.insync.replicas": 2,
        "broker.session.timeout.ms": 3000,
        "replica.lag.time.max.ms": 3000,
        "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    },
    racks=("r1", "r2", "r3"),
    looks={"broker.heartbeat.interval.ms": 300},
)
# Three nodes that are slow to be given up, for what takes a moment while one of them stands still.
SLOW = Plan(
    "slow",
    3,
    THREE.config
    | {
        "broker.session.timeout.ms": 15_000,
        "replica.lag.time.max.ms": 15_000,
        # Transactions are not to wait for the one that stands still.
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
    },
    racks=THREE.racks,
)
PLANS = {plan.name: plan for plan in (ONE, TIGHT, THREE, SLOW)}


class Brokers(Protocol):
    """What a case may do to brokers, beside talking to them."""

    plan: Plan

    def address(self, node: int) -> tuple[str, int]:
        """Where a node listens."""

    def let_pass(self, milliseconds: int, *, looked_for_every_ms: int = 0) -> None:
        """Let that much of the brokers' time pass, and for something that is looked for, one look more."""

    def crash(self, node: int) -> None:
        """Kill a node: nothing flushed, nobody told."""

    def restart(self, node: int) -> None:
        """Start a killed node with the logs that it had."""

    def pause(self, node: int) -> None:
        """Let a node stand still with its sockets open."""

    def resume(self, node: int) -> None:
        """Let it go on."""

    def spare(self, node: int) -> None:
        """Have another node be the active controller, so that this one can stand still without being missed."""

    def recover(self) -> None:
        """Let all nodes run again, after a case that broke off."""


def until(brokers: Brokers, true: Callable[[], bool], what: str) -> None:
    """Let time pass in small pieces until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for: {what}"
        brokers.let_pass(100)


class MockBrokers:
    """A mockbroker cluster of this process."""

    def __init__(self, plan: Plan, cluster: Cluster) -> None:
        self.plan, self._cluster = plan, cluster

    def address(self, node: int) -> tuple[str, int]:
        host, _, port = self._cluster.broker(node).address.rpartition(":")
        return host, int(port)

    def let_pass(self, milliseconds: int, *, looked_for_every_ms: int = 0) -> None:
        for _ in range(TURNS):
            self._cluster.do(int)
        # Members are kept alive by nobody: a case that wants one alive lets it send its heartbeats.
        self._cluster.clock.advance((milliseconds + looked_for_every_ms) / 1_000, keep_alive=False)

    def crash(self, node: int) -> None:
        self._cluster.broker(node).crash()

    def restart(self, node: int) -> None:
        self._cluster.broker(node).restart()

    def pause(self, node: int) -> None:
        self._cluster.broker(node).pause()

    def resume(self, node: int) -> None:
        self._cluster.broker(node).resume()

    def spare(self, node: int) -> None:
        """Nothing: mockbroker's controller lives apart from its brokers."""

    def recover(self) -> None:
        """Nothing: every case has a cluster of its own."""


class RealBrokers:
    """A real Kafka that this run has started."""

    def __init__(self, plan: Plan, kafka: KafkaCluster) -> None:
        self.plan, self._kafka = plan, kafka
        self._down: set[int] = set()
        self._paused: set[int] = set()

    def address(self, node: int) -> tuple[str, int]:
        return "127.0.0.1", self._kafka.ports[node]

    def let_pass(self, milliseconds: int, *, looked_for_every_ms: int = 0) -> None:
        del looked_for_every_ms  # the plan has shortened it
        time.sleep(milliseconds / 1_000)

    def crash(self, node: int) -> None:
        self._kafka.crash(node)
        self._down.add(node)

    def restart(self, node: int) -> None:
        self._kafka.restart(node)
        self._down.discard(node)

    def pause(self, node: int) -> None:
        time.sleep(FETCH_ON_ITS_WAY_S)
        self._kafka.pause(node)
        self._paused.add(node)

    def resume(self, node: int) -> None:
        self._kafka.resume(node)
        self._paused.discard(node)

    def spare(self, node: int) -> None:
        asked = next(other for other in self._kafka.node_ids if other != node)
        for _ in range(QUORUM_TRIES):
            if self._quorum_leader(asked) != node:
                return
            # Two seconds without it, and the others elect one of themselves.
            self.pause(node)
            time.sleep(QUORUM_GONE_S)
            self.resume(node)
        raise AssertionError(f"node {node} is elected again and again")

    def _quorum_leader(self, asked: int) -> int:
        line = Line(asked, self.address(asked), lambda *_: None)
        topics = [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 0}]}]
        answer = line.quietly("DescribeQuorum", 0, topics=topics)
        line.close()
        return int(answer["topics"][0]["partitions"][0]["leader_id"])

    def recover(self) -> None:
        for node in sorted(self._paused - self._down):
            self.resume(node)
        self._paused.clear()
        for node in sorted(self._down):
            self.restart(node)


@contextmanager
def mock_brokers(plan: Plan) -> Iterator[MockBrokers]:
    """Start mockbroker with Kafka's own defaults.  A bug that a request meets fails the case."""
    from mockbroker import Cluster  # who records a real Kafka needs no mockbroker at all

    with Cluster(brokers=plan.nodes, racks=plan.racks, config=plan.config, defaults="kafka") as cluster:
        yield MockBrokers(plan, cluster)


@contextmanager
def real_brokers(plan: Plan, version: str) -> Iterator[RealBrokers]:
    """Start a Kafka of this release."""
    racks = dict(enumerate(plan.racks, start=1))
    with KafkaCluster(version, plan.nodes, plan.config | plan.looks, racks) as kafka:
        yield RealBrokers(plan, kafka)
