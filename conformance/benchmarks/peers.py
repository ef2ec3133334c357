"""The brokers that are compared: mockbroker, as it is served and watched, and three others, three brokers each.

`watched` keeps history and ledger; the others are librdkafka's mock, kfake and Apache Kafka.
`Peer.open()` starts one in a process of its own, gives a Target to send clients to, and ends it; none of
them outlives this process.  A peer whose tools are missing raises PeerMissing, which says what is missing.
Knows nothing of what is measured.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from conformance.against_kafka.jars import JarsMissing, cache_directory
from conformance.against_kafka.launch import KafkaCluster, KafkaFailed

BROKERS = 3
# The mock makes every topic with four partitions, so that is what topics have everywhere.
PARTITIONS = 4
REPLICAS = 3
KAFKA_VERSION = "4.4.0"

# Longer than any answer takes on a loaded machine: only a hang gets here.
ANSWER_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
# A cold build fetches and compiles six modules: about a minute here.
BUILD_TIMEOUT_S = 600.0

OURS = "mockbroker"

_FOLDER = Path(__file__).parent
_CHECKOUT = _FOLDER.parent.parent


class PeerMissing(Exception):
    """This peer cannot be had on this machine; says why, in a line."""


@dataclass(slots=True)
class Target:
    """A running cluster to be measured, and an admin client for the work before and after a measure."""

    peer: Peer
    bootstrap: str
    admin: AdminClient
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def client(self, **settings: Any) -> dict[str, Any]:
        """The settings of a confluent-kafka client of this cluster; `linger_ms` stands for `linger.ms`."""
        given = {name.replace("_", "."): value for name, value in settings.items()}
        return {"bootstrap.servers": self.bootstrap, "log_level": 2, **given}

    def new_name(self, stem: str) -> str:
        """A name that was not used on this cluster before."""
        return f"{stem}-{next(self._numbers)}"

    @contextlib.contextmanager
    def topic(self, stem: str) -> Iterator[str]:
        """A fresh topic, deleted afterwards so that no measure pays for the memory of those before it."""
        name = self.new_name(stem)
        if self.peer.has_topic_admin:
            _done(self.admin.create_topics([NewTopic(name, PARTITIONS, REPLICAS)]))
        self._until_led(name)
        yield name
        if self.peer.has_topic_admin:
            _done(self.admin.delete_topics([name]))

    def _until_led(self, name: str) -> None:
        """Kafka may answer CreateTopics before its own metadata shows the topic; the mock creates it here."""
        deadline = time.perf_counter() + ANSWER_TIMEOUT_S
        while time.perf_counter() < deadline:
            topic = self.admin.list_topics(name, timeout=ANSWER_TIMEOUT_S).topics[name]
            if len(topic.partitions) == PARTITIONS and all(p.leader >= 0 for p in topic.partitions.values()):
                return
            time.sleep(0.01)
        raise TimeoutError(f"{self.peer.name}: topic {name} has no leaders after {ANSWER_TIMEOUT_S:g} s")


@dataclass(frozen=True, slots=True)
class Peer:
    """One kind of broker. `serve` gives the bootstrap address of a new cluster, for a `with` block."""

    name: str
    serve: Callable[[], contextlib.AbstractContextManager[str]]
    # The mock makes a topic when it is asked for its metadata, and knows no CreateTopics or DeleteTopics.
    has_topic_admin: bool = True

    @contextlib.contextmanager
    def open(self) -> Iterator[Target]:
        """A new cluster of this kind. Raises PeerMissing."""
        with self.serve() as bootstrap:
            yield Target(self, bootstrap, AdminClient({"bootstrap.servers": bootstrap, "log_level": 2}))


def partitions_of(topic: str, offset: int) -> list[TopicPartition]:
    """Every partition of a topic, from `offset` on; what `Consumer.assign` takes."""
    return [TopicPartition(topic, index, offset) for index in range(PARTITIONS)]


def _done(futures: Mapping[str, Any]) -> None:
    for future in futures.values():
        future.result(ANSWER_TIMEOUT_S)


@contextlib.contextmanager
def _process(argv: Sequence[str]) -> Iterator[str]:
    """A process that prints a ready line with its bootstrap address and ends when stdin or parent does."""
    environment = os.environ | {"PYTHONPATH": str(_CHECKOUT)}
    child = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_CHECKOUT, env=environment
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        ready = child.stdout.readline()
        if not ready:
            raise PeerMissing(f"{Path(argv[0]).name} ended before it served")
        yield str(json.loads(ready)["bootstrap"])
    finally:
        child.stdin.close()
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _mockbroker() -> contextlib.AbstractContextManager[str]:
    command = [sys.executable, "-m", "mockbroker", "serve", "--port", "0", "--brokers", str(BROKERS)]
    return _process([*command, "--exit-with-parent", "--log-level", "error"])


def _mock() -> contextlib.AbstractContextManager[str]:
    return _process([sys.executable, "-m", "conformance.benchmarks.librdkafka_mock"])


def _watched() -> contextlib.AbstractContextManager[str]:
    return _process([sys.executable, "-m", "conformance.benchmarks.watched"])


def go_program() -> Path:
    """The program of `golang/`, built once, and again when its source is newer.  Raises PeerMissing."""
    program, source = cache_directory() / "benchmarks" / "bench", _FOLDER / "golang"
    if program.exists() and program.stat().st_mtime > max(file.stat().st_mtime for file in source.iterdir()):
        return program
    if shutil.which("go") is None:
        raise PeerMissing("there is no `go` on the PATH to build it with")
    program.parent.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if built.returncode:
        raise PeerMissing(f"`go build` failed: {built.stderr.strip().splitlines()[-1]}")
    return program


def _kfake() -> contextlib.AbstractContextManager[str]:
    return _process([str(go_program()), "serve"])


@contextlib.contextmanager
def _kafka() -> Iterator[str]:
    # The launcher sets group.initial.rebalance.delay.ms=0, which is what a comparison of groups asks for.
    with contextlib.ExitStack() as running:
        try:
            cluster = running.enter_context(KafkaCluster(version=KAFKA_VERSION, nodes=BROKERS))
        except (JarsMissing, KafkaFailed) as missing:
            raise PeerMissing(str(missing).splitlines()[0]) from missing
        yield cluster.bootstrap


PEERS = {
    peer.name: peer
    for peer in (
        Peer(OURS, _mockbroker),
        Peer("watched", _watched),
        Peer("mock", _mock, has_topic_admin=False),
        Peer("kfake", _kfake),
        Peer("kafka", _kafka),
    )
}


def answering(target: Target) -> bool:
    """Whether a client that knows only the bootstrap address finds every broker."""
    try:
        return len(target.admin.list_topics(timeout=ANSWER_TIMEOUT_S).brokers) == BROKERS
    except KafkaException:
        return False
