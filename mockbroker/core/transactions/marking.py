"""Writing markers into partitions: the leaders' side of WriteTxnMarkers.

A marker ends a producer's transaction in a partition.  It is written like an acks=all produce, and refused when the
partition has seen a newer epoch of the producer or a newer coordinator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.delayed import DelayedProduce, Written
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.builder import ControlType, build_control_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.messages import TxnVerdicts
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply
    from mockbroker.core.transactions.records import Place

# How long a leader waits for its followers: its own request.timeout.ms.
REPLICATION_TIMEOUT_MS = 30_000


def write_markers(
    node: Node,
    producer: tuple[int, int],
    places: Sequence[Place],
    *,
    commit: bool,
    coordinator_epoch: int,
    version: int,
) -> Reply[TxnVerdicts]:
    """End a producer's transaction in the partitions that this broker leads; the answer is one verdict for each.

    `version` is that of the transaction: from 2 on the marker's epoch must be newer than the transaction's.
    """
    verdicts: dict[Place, ErrorCode] = {}
    waiting: list[Written] = []
    for place in places:
        try:
            waiting.append(_append(node, place, producer, commit, coordinator_epoch, version, verdicts))
            verdicts[place] = ErrorCode.NONE
        except KafkaError as refused:
            verdicts[place] = refused.code
    if not waiting:
        return verdicts
    answer: TxnVerdicts = verdicts
    return DelayedProduce(node, waiting, answer, patience_ms=REPLICATION_TIMEOUT_MS).ticket


def _append(
    node: Node,
    place: Place,
    producer: tuple[int, int],
    commit: bool,
    coordinator_epoch: int,
    version: int,
    verdicts: dict[Place, ErrorCode],
) -> Written:
    replica = node.leader_of(*place)
    if not replica.enough_in_sync():
        raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
    replica.producers.check_marker(*producer, coordinator_epoch, version)
    marker = build_control_batch(
        ControlType.COMMIT if commit else ControlType.ABORT,
        producer_id=producer[0],
        producer_epoch=producer[1],
        coordinator_epoch=coordinator_epoch,
        timestamp=node.clock.now,
    )
    if replica.config.log_append_time:
        marker = marker.with_log_append_time(node.clock.now)
    appended = replica.append(marker)
    shard = node.coordinators.of(*place)
    if shard is not None:
        shard.appended(replica.log.batches[-1])

    def fail(code: ErrorCode) -> None:
        verdicts[place] = code

    return Written(replica, replica.leader_epoch, appended.last_offset + 1, fail)
