"""Latency: one record at a time, until it is acknowledged, and until a waiting consumer has it.

Medians within a sample: a scheduler's hiccup belongs to the machine.  With linger.ms=0 the client adds
nothing of its own, so this is what a test feels that produces, waits and looks.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_END, Consumer, Producer

from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, Target, partitions_of

SYNC_PRODUCES = 500
# The mock lets a waiting consumer wait ten milliseconds and more, so fewer of these fit a second.
PRODUCES_TO_CONSUME = 50
WARM_UP = 20
VALUE = bytes(100)


def _new_producer(target: Target) -> Producer:
    return Producer(target.client(acks=1, linger_ms=0))


def _produce_one(producer: Producer, topic: str) -> None:
    producer.produce(topic, VALUE, partition=0)
    if producer.flush(ANSWER_TIMEOUT_S):
        raise TimeoutError(f"a record was not acknowledged in {ANSWER_TIMEOUT_S:g} s")


def _median_ms(once: Callable[[], None], count: int) -> float:
    for _ in range(WARM_UP):
        once()
    times = []
    for _ in range(count):
        started = time.perf_counter()
        once()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1_000


def sync_produce_ms(target: Target) -> float:
    """From `produce` to the acknowledgement."""
    with target.topic("synced") as topic:
        producer = _new_producer(target)
        return _median_ms(lambda: _produce_one(producer, topic), SYNC_PRODUCES)


def produce_to_consume_ms(target: Target) -> float:
    """From `produce` until a consumer that was waiting at the end of the log has the record."""
    with target.topic("handed-on") as topic:
        producer = _new_producer(target)
        consumer = Consumer(target.client(group_id=target.new_name("waiters"), enable_auto_commit=False))
        try:
            consumer.assign(partitions_of(topic, OFFSET_END))
            _until_waiting(producer, consumer, topic)

            def once() -> None:
                producer.produce(topic, VALUE, partition=0)
                _receive(consumer)

            return _median_ms(once, PRODUCES_TO_CONSUME)
        finally:
            consumer.close()


def _until_waiting(producer: Producer, consumer: Consumer, topic: str) -> None:
    """Send until something arrives, for the consumer finds the end by itself; then take the rest."""
    deadline = time.perf_counter() + ANSWER_TIMEOUT_S
    _produce_one(producer, topic)
    while consumer.poll(0.2) is None:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"the consumer got nothing in {ANSWER_TIMEOUT_S:g} s")
        _produce_one(producer, topic)
    while consumer.poll(0.2) is not None:
        pass


def _receive(consumer: Consumer) -> None:
    message = consumer.poll(ANSWER_TIMEOUT_S)
    if message is None or message.error() is not None:
        raise TimeoutError(f"no record in {ANSWER_TIMEOUT_S:g} s: {message and message.error()}")


MEASURES = (
    Measure("sync produce", "ms", sync_produce_ms, aims=(Aim(1.3, "kfake"),)),
    Measure("produce to consume", "ms", produce_to_consume_ms),
)
