"""What must always be so in the brokers themselves; if it is not, that is a bug of mockbroker's and of nobody else.

Looks at the world as it is, between two steps.  Never mixed with verdicts, which are about clients.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from mockbroker.checkers.producing import ACKS_ALL, told
from mockbroker.ledger.entries import TESTER
from mockbroker.ledger.fates import LOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockbroker.checkers.case import Case
    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World
    from mockbroker.ledger.entries import Place, Sent


def breaches(world: World, case: Case) -> list[str]:
    """Every invariant that is broken, in a sentence; an empty list is as it should be."""
    found: list[str] = []
    for node in world.nodes.values():
        for replica in node.replicas.values():
            found += [f"{replica!r}: {what}" for what in _of_replica(replica)]
    found += _of_partitions(world)
    found += _lost_in_spite_of_all(case)
    found += _stored_twice(world, case)
    found += _beyond_the_stable(case)
    return found


def _lost_in_spite_of_all(case: Case) -> Iterator[str]:
    """What every in-sync replica had outlives every clean election."""
    for sent, state in case.with_states():
        if not (sent.acked and sent.acks == ACKS_ALL and state == LOST):
            continue
        elections = case.elections.get((sent.place, sent.topic_id), ())
        if not any(election.unclean for election in elections):
            yield f"I2: {told(case, sent)} was acknowledged with acks=all, and is gone after clean elections only"


def _stored_twice(world: World, case: Case) -> Iterator[str]:
    """A producer's sequence is in a log once, as long as the producer is remembered.

    What a test has written past all checks is its own affair.
    """
    passed_ms = world.clock.now - world.history.started_ms
    if any(passed_ms >= node.producer_id_expiration_ms for node in world.nodes.values()):
        return
    by_hand = {(sent.place, sent.base_offset) for sent in case.sent if sent.client_id == TESTER}
    for node in world.nodes.values():
        for place, replica in node.replicas.items():
            first: dict[tuple[int, int, int], int] = {}
            for batch in replica.log.batches if replica.leading else ():
                key = (batch.producer_id, batch.producer_epoch, batch.base_sequence)
                if min(key) < 0 or (place, batch.base_offset) in by_hand:
                    continue
                known = first.setdefault(key, batch.base_offset)
                if known != batch.base_offset:
                    where = f"{known} and {batch.base_offset}"
                    yield f"I3: {replica!r} has sequence {key[2]} of producer {key[0]} at {where}"


def _beyond_the_stable(case: Case) -> Iterator[str]:
    """Readers of committed records get nothing that begins at or after the last stable offset."""
    batches: dict[Place, list[Sent]] = defaultdict(list)
    for sent in case.present():
        batches[sent.place].append(sent)
    for one in case.served:
        if one.committed_only and 0 <= one.last_stable < one.end:
            for sent in batches[one.place]:
                if one.last_stable <= sent.base_offset < one.end and sent.topic_id == one.topic_id:
                    yield f"I4: {told(case, sent)} was served to {one.client_id} as committed, and was not stable"


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
