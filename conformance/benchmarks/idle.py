"""Idle connections: what a thousand clients that say nothing cost the one that produces.

A sample is a rate with them divided by a rate without, taken one after the other on the same cluster: one is
perfect, and below 0.9 is a slowdown that somebody would notice.  It is a ratio of two noisy figures, so a
sample is a median itself.
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
PAIRS = 3

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
    """The rate beside a thousand idle connections, as a part of the rate without; the median of some pairs."""
    return statistics.median(_pair(target) for _ in range(PAIRS))


def _pair(target: Target) -> float:
    with target.topic("busy") as topic:
        alone = produce.rate(target, topic, SIZE)
        with idle_connections(target.bootstrap):
            return produce.rate(target, topic, SIZE) / alone


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
