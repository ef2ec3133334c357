"""Latency: one record at a time, until it is acknowledged, and until a waiting consumer has it.

Medians within a sample: a scheduler's hiccup belongs to the machine.  Three clients show what users feel; a
bare socket leaves out what a client costs beside every broker.  No client speaks with all peers: kfake takes
batches of franz-go only (see `bare`), and the mock's answer to an ApiVersions newer than itself cannot be read.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_END, Consumer, Producer
from kafka import KafkaProducer

from conformance.benchmarks.bare import BareProducer, bare_producer, check
from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, Target, go_program, partitions_of
from conformance.benchmarks.produce import REFUSE_LIBRDKAFKA

SYNC_PRODUCES = 500
PRODUCES_TO_CONSUME = 20
WARM_UP = 20
VALUE = bytes(100)

# The mock looks for records only when a fetch has waited this long; with the client's default of 500 ms it
# would take longer than all others together.  They answer when the record comes, whatever this is.
FETCH_WAIT_MAX_MS = 50


def _produce_one(producer: Producer, topic: str) -> None:
    producer.produce(topic, VALUE, partition=0)
    if producer.flush(ANSWER_TIMEOUT_S):
        raise TimeoutError(f"a record was not acknowledged in {ANSWER_TIMEOUT_S:g} s")


def _median_ms(times: list[float]) -> float:
    return statistics.median(times[WARM_UP:]) * 1_000


def sync_produce_ms(target: Target) -> float:
    """From `produce` to the acknowledgement, with a client that does not linger."""
    with target.topic("synced") as topic:
        producer = Producer(target.client(acks=1, linger_ms=0))
        return _median_ms([_timed(_produce_one, producer, topic) for _ in range(WARM_UP + SYNC_PRODUCES)])


def kafka_python_produce_ms(target: Target) -> float:
    """The same with kafka-python: from `send` to the result of its future."""
    with target.topic("synced") as topic:
        producer = KafkaProducer(bootstrap_servers=target.bootstrap.split(","), acks=1, linger_ms=0)
        try:
            times = []
            for _ in range(WARM_UP + SYNC_PRODUCES):
                started = time.perf_counter()
                producer.send(topic, VALUE, partition=0).get(ANSWER_TIMEOUT_S)
                times.append(time.perf_counter() - started)
            return _median_ms(times)
        finally:
            producer.close()


def franz_go_produce_ms(target: Target) -> float:
    """The same with franz-go, which counts by itself."""
    with target.topic("synced") as topic:
        command = [str(go_program()), "produce", target.bootstrap, topic, str(SYNC_PRODUCES)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return float(done.stdout)


def bare_produce_ms(target: Target) -> float:
    """From the request to its answer."""
    times = []
    with target.topic("synced") as topic, bare_producer(target, topic, 0, [VALUE]) as producer:
        for _ in range(WARM_UP + SYNC_PRODUCES):
            started = time.perf_counter()
            answer = producer.exchange()
            times.append(time.perf_counter() - started)
            check(answer)
    return _median_ms(times)


def _timed(act: Callable[[Producer, str], None], producer: Producer, topic: str) -> float:
    started = time.perf_counter()
    act(producer, topic)
    return time.perf_counter() - started


def produce_to_consume_ms(target: Target) -> float:
    """From a bare produce until a confluent consumer that was waiting at the end of the log has the record."""
    with target.topic("handed-on") as topic, bare_producer(target, topic, 0, [VALUE]) as producer:
        consumer = Consumer(
            target.client(
                group_id=target.new_name("waiters"),
                enable_auto_commit=False,
                fetch_wait_max_ms=FETCH_WAIT_MAX_MS,
            )
        )
        try:
            consumer.assign(partitions_of(topic, OFFSET_END))
            _until_waiting(producer, consumer)
            return _median_ms([_handed_on(producer, consumer) for _ in range(WARM_UP + PRODUCES_TO_CONSUME)])
        finally:
            consumer.close()


def _until_waiting(producer: BareProducer, consumer: Consumer) -> None:
    """Send until something arrives, for the consumer finds the end by itself; then take the rest."""
    deadline = time.perf_counter() + ANSWER_TIMEOUT_S
    producer.send()
    while consumer.poll(0.2) is None:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"the consumer got nothing in {ANSWER_TIMEOUT_S:g} s")
        producer.send()
    while consumer.poll(0.2) is not None:
        pass


def _handed_on(producer: BareProducer, consumer: Consumer) -> float:
    started = time.perf_counter()
    producer.exchange()
    message = consumer.poll(ANSWER_TIMEOUT_S)
    taken = time.perf_counter() - started
    if message is None or message.error() is not None:
        raise TimeoutError(f"no record in {ANSWER_TIMEOUT_S:g} s: {message and message.error()}")
    return taken


MEASURES = (
    Measure("sync produce, confluent", "ms", sync_produce_ms, without=REFUSE_LIBRDKAFKA),
    Measure(
        "sync produce, kafka-python",
        "ms",
        kafka_python_produce_ms,
        without=frozenset({"mock", "kfake"}),
    ),
    Measure(
        "sync produce, franz-go",
        "ms",
        franz_go_produce_ms,
        aims=(Aim(1.3, "kfake"),),
        without=frozenset({"mock"}),
    ),
    Measure("sync produce, bare", "ms", bare_produce_ms, aims=(Aim(1.3, "kfake"),)),
    Measure("produce to consume", "ms", produce_to_consume_ms),
)
