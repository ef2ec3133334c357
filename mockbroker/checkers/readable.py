"""What consumers of committed records can read of a topic at one moment, offset by offset.

Read from the leaders' logs, which forget nothing that is still readable.  A partition without a leader is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.ledger.contents import is_aborted, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World
    from mockbroker.ledger.entries import Place


@dataclass(frozen=True, slots=True)
class Readable:
    """A partition: where its log begins and ends, and the keys of its committed records by offset."""

    start: int = 0
    end: int = 0
    keys: Mapping[int, bytes | None] = field(default_factory=dict)


def readable(world: World, topic: str) -> dict[Place, Readable]:
    """The partitions of a topic that have a leader."""
    known = world.controller.image.topics.get(topic)
    found: dict[Place, Readable] = {}
    for partition in () if known is None else known.partitions:
        node = world.nodes.get(partition.leader)
        replica = None if node is None else node.replicas.get((topic, partition.index))
        if replica is not None:
            found[topic, partition.index] = _of(replica)
    return found


def _of(replica: Replica) -> Readable:
    keys = {
        record.offset: None if record.key is None else bytes(record.key)
        for batch in replica.log.batches
        if batch.base_offset < replica.last_stable_offset
        if not batch.is_control and not is_aborted(replica, batch)
        for record in parsed(batch)
        if record.offset >= replica.log.start
    }
    return Readable(replica.log.start, replica.log.end, keys)
