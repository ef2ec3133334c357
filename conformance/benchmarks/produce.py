"""Produce: how many records a second one confluent-kafka producer gets acknowledged, by record size.

Three replicas, acks=1, batches as the client likes them.  At 100 B the Python loop that calls `produce` is
the limit for every broker; at 10 KiB it is bytes that count, and a mock in C has the advantage.  kfake is
left out: it refuses what librdkafka sends (see `bare`).
"""

from __future__ import annotations

import time

from confluent_kafka import Producer

from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, PARTITIONS, Target

LINGER_MS = 5
REFUSE_LIBRDKAFKA = frozenset({"kfake"})
# About a quarter of a second each on the machine where this was written: enough for a rate, and 200 MB at
# most, which is forgotten with the topic.
RECORDS = {100: 150_000, 1_024: 100_000, 10_240: 20_000}


def new_producer(target: Target) -> Producer:
    """A producer whose queue takes a whole sample, so that the loop never waits for room."""
    return Producer(
        target.client(
            acks=1,
            linger_ms=LINGER_MS,
            queue_buffering_max_messages=1_000_000,
            queue_buffering_max_kbytes=1_000_000,
        )
    )


def send(producer: Producer, topic: str, value: bytes, count: int) -> None:
    """Produce to all partitions in turn, and wait until everything is acknowledged."""
    produce = producer.produce
    for number in range(count):
        produce(topic, value, partition=number % PARTITIONS)
    left = producer.flush(ANSWER_TIMEOUT_S)
    if left:
        raise TimeoutError(f"{left} of {count} records were not acknowledged in {ANSWER_TIMEOUT_S:g} s")


def rate(target: Target, topic: str, size: int) -> float:
    """Records a second, from the first `produce` to the last acknowledgement, connections being open."""
    producer, value, count = new_producer(target), bytes(size), RECORDS[size]
    send(producer, topic, value, PARTITIONS)
    started = time.perf_counter()
    send(producer, topic, value, count)
    return count / (time.perf_counter() - started)


def _measure(size: int, *aims: Aim) -> Measure:
    def sample(target: Target) -> float:
        with target.topic("produced") as topic:
            return rate(target, topic, size)

    return Measure(
        f"produce {size} B", "records/s", sample, more_is_better=True, aims=aims, without=REFUSE_LIBRDKAFKA
    )


MEASURES = (
    _measure(100, Aim(0.9, "mock"), Aim(1.0, "kafka")),
    _measure(1_024, Aim(0.9, "mock"), Aim(1.0, "kafka")),
    _measure(10_240, Aim(1.0, "kafka")),
)
