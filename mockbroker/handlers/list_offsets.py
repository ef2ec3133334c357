"""ListOffsets: where a partition begins and ends, and which offset belongs to a time.

Special timestamps: -1 latest (the high watermark, or the last stable offset for read_committed), -2 earliest,
-3 the record with the largest timestamp (v7+), -4 earliest local (v8+), -5 latest tiered (v9+), -6 earliest
pending upload (v11+); nothing is tiered here, so -4 equals -2 and -5, -6 find nothing.

v1 one offset instead of a list - v2 isolation level - v4 leader epochs - v5 OFFSET_NOT_AVAILABLE - v10 timeout
Not here: version 0, whose answer lists segments.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mockbroker.handlers.fetch_reads import check_leader_epoch
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.offsets import (
    ListedPartition,
    ListedTopic,
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
)
from mockbroker.records.batch import iter_records

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica
    from mockbroker.records.record import Record

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = (
    -1,
    -2,
    -3,
    -4,
    -5,
    -6,
)

# The first version in which each special timestamp has a meaning.
_SINCE = {
    LATEST: 0,
    EARLIEST: 0,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}

# One that debugs reads the log end, and from any replica.
DEBUGGING_CONSUMER = -2

_NOTHING = (-1, -1, -1)


def refuse(call: Call[ListOffsetsRequest], error: KafkaError) -> ListOffsetsResponse:
    """Every partition answered with `error`."""
    return ListOffsetsResponse(
        topics=[
            ListedTopic(name=t.name, partitions=[_refused(p.partition_index, error) for p in t.partitions])
            for t in call.body.topics
        ]
    )


def _refused(index: int, error: KafkaError) -> ListedPartition:
    return ListedPartition(partition_index=index, error_code=error.code)


@answers(
    ListOffsetsRequest,
    versions="1-11",
    refuse=refuse,
    simplified="a deleted record is never the one with the largest timestamp",
)
def list_offsets(call: Call[ListOffsetsRequest], node: Node) -> ListOffsetsResponse:
    """Look each partition up; one that is asked for twice gets one answer, an error."""
    asked = Counter((t.name, p.partition_index) for t in call.body.topics for p in t.partitions)
    topics: dict[str, ListedTopic] = {}
    for topic in call.body.topics:
        listed = topics.setdefault(topic.name, ListedTopic(name=topic.name))
        done = {p.partition_index for p in listed.partitions}
        for part in topic.partitions:
            if part.partition_index in done:
                continue
            done.add(part.partition_index)
            twice = asked[topic.name, part.partition_index] > 1
            listed.partitions.append(
                _refused(part.partition_index, KafkaError(ErrorCode.INVALID_REQUEST))
                if twice
                else _listed(call, node, topic.name, part)
            )
    return ListOffsetsResponse(topics=list(topics.values()))


def _listed(
    call: Call[ListOffsetsRequest], node: Node, topic: str, part: ListOffsetsPartition
) -> ListedPartition:
    try:
        if part.timestamp < 0 and call.version < _SINCE.get(part.timestamp, call.version + 1):
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
        replica = node.replica_of(topic, part.partition_index)
        check_leader_epoch(replica, part.current_leader_epoch)
        if not replica.leading and call.body.replica_id != DEBUGGING_CONSUMER:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        offset, timestamp, epoch = _find(call, replica, part.timestamp)
    except KafkaError as refused:
        return _refused(part.partition_index, refused)
    node.world.positions.note_offset_listed((topic, part.partition_index), call.client_id)
    return ListedPartition(
        partition_index=part.partition_index, timestamp=timestamp, offset=offset, leader_epoch=epoch
    )


def _find(call: Call[ListOffsetsRequest], replica: Replica, timestamp: int) -> tuple[int, int, int]:
    """Offset, timestamp and leader epoch."""
    log = replica.log
    debugging = call.body.replica_id == DEBUGGING_CONSUMER
    end = log.end if debugging else replica.visible_end(call.body.isolation_level)
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return log.start, -1, max(log.epochs.at(log.start), 0)
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return _NOTHING
    if not debugging:
        _check_watermark(call, replica)
    if timestamp == LATEST:
        return end, -1, log.epochs.latest
    found = _newest(replica) if timestamp == MAX_TIMESTAMP else _first_since(replica, timestamp)
    if found is None or found.offset >= end:
        return _NOTHING
    return found.offset, found.timestamp, log.epochs.at(found.offset)


def _check_watermark(call: Call[ListOffsetsRequest], replica: Replica) -> None:
    """A new leader whose high watermark has yet to reach its own epoch does not know what is committed."""
    leadership = replica.leadership
    if leadership is not None and replica.high_watermark < leadership.epoch_start:
        raise KafkaError(
            ErrorCode.OFFSET_NOT_AVAILABLE if call.version >= 5 else ErrorCode.LEADER_NOT_AVAILABLE
        )


def _newest(replica: Replica) -> Record | None:
    """The first of the records with the largest timestamp; none, if only a header claims to have it.

    That is so where all are below -1, which headers do not go.
    """
    batches = replica.log.batches
    if not batches:
        return None
    newest = max(batch.max_timestamp for batch in batches)
    batch = next(batch for batch in batches if batch.max_timestamp == newest)
    return next((record for record in iter_records(batch) if record.timestamp == newest), None)


def _first_since(replica: Replica, timestamp: int) -> Record | None:
    """The first record, by offset, that is not older than `timestamp`."""
    for batch in replica.log.batches:
        if batch.max_timestamp >= timestamp:
            for record in iter_records(batch):
                if record.timestamp >= timestamp and record.offset >= replica.log.start:
                    return record
    return None
