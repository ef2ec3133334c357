"""The story that is swept: ten records are sent one by one, and a group reads and commits them.

Told by a real client to a cluster of its own.  Knows no fault: whoever sweeps arms one before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mockbroker import Cluster
from mockbroker.waiting import WaitTimeout
from tests.scenarios.clients import LIBRARIES, Acks, Library, Membership
from tests.scenarios.workers import Worker

RECORDS = 10
TOPIC, GROUP = "orders", "billing"
# A client that was cut off comes back by its own timers; one that has not by then does not.
PATIENCE = "30s"


@dataclass(frozen=True)
class Mode:
    """How the producer sends."""

    acks: Acks
    idempotent: bool = False


MODES: Mapping[str, Mode] = {
    "acks=1": Mode("1"),
    "acks=all": Mode("all"),
    "idempotent": Mode("all", idempotent=True),
}


@dataclass(frozen=True)
class Told:
    """How a story ended: what was acknowledged to the producer, and what the consumer was given, in order."""

    acknowledged: list[bytes]
    received: list[bytes]
    # Why it came to no end, if it did not.
    stuck: str = ""


def tell(cluster: Cluster, client: str, mode: Mode) -> Told:
    """Tell it once."""
    library = LIBRARIES[client]
    cluster.topic(TOPIC).create(partitions=1)
    worker = Worker(library, Membership(cluster.bootstrap, TOPIC, GROUP, "app"))
    acknowledged: list[bytes] = []
    try:
        with worker:
            acknowledged += _sent(library, cluster, mode)
            end = cluster.topic(TOPIC).end_offset(0)
            cluster.group(GROUP).wait_committed(TOPIC, {0: end}, timeout=PATIENCE)
    except (AssertionError, WaitTimeout) as stuck:
        return Told(acknowledged, worker.values, str(stuck))
    return Told(acknowledged, worker.values)


def _sent(library: Library, cluster: Cluster, mode: Mode) -> list[bytes]:
    producer = library.Producer(cluster.bootstrap, mode.acks, idempotent=mode.idempotent)
    try:
        send: Callable[[bytes], list[bytes]] = lambda value: producer.send(TOPIC, 0, [value])  # noqa: E731 - it has a type
        return [value for number in range(RECORDS) for value in send(b"r-%02d" % number)]
    finally:
        producer.close()
