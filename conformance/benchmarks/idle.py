"""Idle connections: what a thousand clients that say nothing cost the one that produces.

A sample is the rate with them divided by the rate without, on the same cluster: one is perfect, and below 0.9
is a slowdown that somebody would notice.  Both are medians of several turns, as each takes a fraction of a
second, in which the machine does other things.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import struct
from collections.abc import Iterator

from conformance.benchmarks import produce
from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, Target

CONNECTIONS = 1_000
SIZE = 100
# Each is: without, with, with, without; what drifts meanwhile cancels out.
TURNS = 3

# ApiVersions v0: key, version, correlation id and a null client id, behind the size of all that.
_HELLO = struct.pack(">ihhih", 10, 18, 0, 1, -1)


@contextlib.contextmanager
def idle_connections(bootstrap: str) -> Iterator[None]:
    """Connections to all brokers in turn, each of which has asked one question and has had its answer."""
    brokers = [address.rsplit(":", 1) for address in bootstrap.split(",")]
    with contextlib.ExitStack() as opened:
        for number in range(CONNECTIONS):
            host, port = brokers[number % len(brokers)]
            idle = opened.enter_context(socket.create_connection((host, int(port)), ANSWER_TIMEOUT_S))
            idle.sendall(_HELLO)
            if not idle.recv(4):
                raise ConnectionError(f"connection {number} to {host}:{port} was closed")
        yield


def slowdown(target: Target) -> float:
    """The rate beside a thousand idle connections, as a part of the rate without."""
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(TURNS):
        with target.topic("busy") as topic:
            alone.append(produce.rate(target, topic, SIZE))
            with idle_connections(target.bootstrap):
                beside += [produce.rate(target, topic, SIZE) for _ in range(2)]
            alone.append(produce.rate(target, topic, SIZE))
    return statistics.median(beside) / statistics.median(alone)


MEASURES = (
    Measure(
        f"produce beside {CONNECTIONS} idle",
        "of alone",
        slowdown,
        more_is_better=True,
        aims=(Aim(0.9),),
        without=produce.REFUSE_LIBRDKAFKA,
    ),
)
