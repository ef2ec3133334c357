"""Consume: how many records a second one confluent-kafka consumer takes out of a topic, by record size.

A whole pass, from `assign` at the beginning to the last record.  The mock keeps no more than 5 MB of a
partition, so that is what is there to be read for everybody, and one sample reads it several times.
"""

from __future__ import annotations

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer

from conformance.benchmarks.bare import bare_producer
from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, PARTITIONS, Target, partitions_of

# 4 MB in each partition, with room for the headers of records and batches below the mock's 5 MB.
PARTITION_BYTES = 4_000_000
# As large as clients make their batches, and below the limit that brokers set by default.
BATCH_BYTES = 500_000
PASSES = 4
# All there is: a client that has fetched as many as it wants to hold pauses for a second, which is not ours.
QUEUED_MESSAGES = 1_000_000
AT_ONCE = 10_000


def fill(target: Target, topic: str, size: int) -> int:
    """Put the same batches into every broker; gives the number of records."""
    values = [bytes(size)] * (BATCH_BYTES // size)
    batches = PARTITION_BYTES // (len(values) * size)
    for partition in range(PARTITIONS):
        with bare_producer(target, topic, partition, values) as producer:
            for _ in range(batches):
                producer.send()
    return batches * len(values) * PARTITIONS


def read_all(consumer: Consumer, topic: str, count: int) -> None:
    """One pass over `count` records."""
    consumer.assign(partitions_of(topic, OFFSET_BEGINNING))
    deadline = time.perf_counter() + ANSWER_TIMEOUT_S
    got = 0
    while got < count:
        # Exactly what is left is asked for, so the timeout, which would count, is never waited for.
        messages = consumer.consume(min(AT_ONCE, count - got), timeout=1.0)
        got += len(messages)
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{got} of {count} records were read in {ANSWER_TIMEOUT_S:g} s")


def rate(target: Target, topic: str, size: int) -> float:
    """Records a second over several passes; the first, uncounted one opens the connections."""
    count = fill(target, topic, size)
    consumer = Consumer(
        target.client(
            group_id=target.new_name("readers"),
            enable_auto_commit=False,
            fetch_wait_max_ms=10,
            queued_min_messages=QUEUED_MESSAGES,
        )
    )
    try:
        read_all(consumer, topic, count)
        started = time.perf_counter()
        for _ in range(PASSES):
            read_all(consumer, topic, count)
        return PASSES * count / (time.perf_counter() - started)
    finally:
        consumer.close()


def _measure(size: int, *aims: Aim) -> Measure:
    def sample(target: Target) -> float:
        with target.topic("consumed") as topic:
            return rate(target, topic, size)

    return Measure(f"consume {size} B", "records/s", sample, more_is_better=True, aims=aims)


MEASURES = (
    _measure(100, Aim(0.9, "mock"), Aim(1.0, "kafka")),
    _measure(1_024, Aim(0.9, "mock"), Aim(1.0, "kafka")),
    _measure(10_240, Aim(1.0, "kafka")),
)
