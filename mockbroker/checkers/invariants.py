"""What must always be so in the brokers themselves; if it is not, that is a bug of mockbroker's and of nobody else.

Looks at the world as it is, between two steps.  Never mixed with verdicts, which are about clients.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World


def breaches(world: World) -> list[str]:
    """Every invariant that is broken, in a sentence; an empty list is as it should be."""
    found: list[str] = []
    for node in world.nodes.values():
        for replica in node.replicas.values():
            found += [f"{replica!r}: {what}" for what in _of_replica(replica)]
    found += _of_partitions(world)
    return found


def _of_replica(replica: Replica) -> Iterator[str]:
    log = replica.log
    if not log.start <= replica.high_watermark <= log.end:
        yield f"I1: the high watermark {replica.high_watermark} is outside of {log.start} to {log.end}"
    if replica.last_stable_offset > replica.high_watermark:
        yield f"I1: the last stable offset {replica.last_stable_offset} is above the high watermark"
    end, epoch = -1, -1
    for batch in log.batches:
        if batch.base_offset <= end:
            yield f"I1: offset {batch.base_offset} comes after {end}"
        if batch.leader_epoch < epoch:
            yield f"I10: epoch {batch.leader_epoch} comes after {epoch} at offset {batch.base_offset}"
        end, epoch = batch.last_offset, batch.leader_epoch


def _of_partitions(world: World) -> Iterator[str]:
    """Below the smaller of two high watermarks, in-sync copies of a partition are the same."""
    for topic in world.controller.image.topics.values():
        for partition in topic.partitions:
            copies = [
                world.nodes[id].replicas[topic.name, partition.index]
                for id in partition.isr
                if (topic.name, partition.index) in world.nodes[id].replicas
            ]
            for one, other in pairwise(copies):
                start = max(one.log.start, other.log.start)
                below = min(one.high_watermark, other.high_watermark)
                if _heads(one, start, below) != _heads(other, start, below):
                    yield f"I1: {one!r} and {other!r} differ below offset {below}"


def _heads(replica: Replica, start: int, below: int) -> list[tuple[int, int]]:
    return [
        (batch.base_offset, batch.leader_epoch)
        for batch in replica.log.batches
        if start <= batch.base_offset and batch.last_offset < below
    ]
