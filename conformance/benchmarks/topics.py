"""Topics: how long ten thousand of them take, in one CreateTopics request.

One partition each, with one replica and with three.  Apache Kafka makes files and threads for each, which
takes minutes and says nothing about an emulator; the mock knows no CreateTopics.  Both are left out.
"""

from __future__ import annotations

import time
from functools import partial

from confluent_kafka.cimpl import NewTopic

from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, Target

COUNT = 10_000


def creating_ms(target: Target, replicas: int) -> float:
    """From the request to the answer for the last topic; they are deleted afterwards."""
    names = [target.new_name("one-of-many") for _ in range(COUNT)]
    wanted = [NewTopic(name, 1, replicas) for name in names]
    started = time.perf_counter()
    for future in target.admin.create_topics(wanted, request_timeout=ANSWER_TIMEOUT_S).values():
        future.result()
    taken_ms = (time.perf_counter() - started) * 1_000
    for future in target.admin.delete_topics(names, request_timeout=ANSWER_TIMEOUT_S).values():
        future.result()
    return taken_ms


MEASURES = tuple(
    Measure(
        f"create {COUNT} topics, RF {replicas}",
        "ms",
        partial(creating_ms, replicas=replicas),
        aims=(Aim(2_000),),
        without=frozenset({"mock", "kafka"}),
        rounds_max=3,
    )
    for replicas in (1, 3)
)
