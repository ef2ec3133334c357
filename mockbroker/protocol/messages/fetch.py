"""Fetch: record batches on their way out, and the fetch sessions around them (KIP-227).

The same message serves consumers and followers; what sets them apart is the replica id.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.messages.shared import LeaderIdAndEpoch, NodeEndpoint
from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import (
    INT32_MAX,
    INT64_MAX,
    ZERO_UUID,
    Batches,
    Int8,
    Int16,
    Int32,
    Int64,
    Uuid,
    since,
    tag,
    until,
)


@struct
class ReplicaState:
    """Which replica is fetching, and in which epoch of its broker (KIP-903); -1 for consumers."""

    replica_id: Int32 = -1
    replica_epoch: Int64 = -1


@struct
class FetchPartition:
    """Where to read in one partition, and how much at most.

    v5 the follower's log start - v9 leader epoch (KIP-320) - v12 last fetched epoch - v17 directory - v18
    high watermark
    """

    partition: Int32 = 0
    current_leader_epoch: Annotated[Int32, since(9)] = -1
    fetch_offset: Int64 = 0
    last_fetched_epoch: Annotated[Int32, since(12)] = -1
    log_start_offset: Annotated[Int64, since(5)] = -1
    partition_max_bytes: Int32 = 0
    replica_directory_id: Annotated[Uuid, tag(0, since=17)] = ZERO_UUID
    high_watermark: Annotated[Int64, tag(1, since=18)] = INT64_MAX


@struct
class FetchTopic:
    """The partitions of one topic.  v13 topic id instead of name."""

    topic: Annotated[str, until(12)] = ""
    topic_id: Annotated[Uuid, since(13)] = ZERO_UUID
    partitions: list[FetchPartition] = []


@struct
class ForgottenTopic:
    """Partitions that leave the fetch session."""

    topic: Annotated[str, until(12)] = ""
    topic_id: Annotated[Uuid, since(13)] = ZERO_UUID
    partitions: list[Int32] = []


@message(api=1, versions="0-18", flexible="12+")
class FetchRequest:
    """Read record batches, from the log's leader or, with a rack, from a replica nearby.

    v3 limit of the whole response - v4 isolation level - v7 fetch sessions - v9 leader epochs - v10 zstd
    - v11 rack (KIP-392) - v12 flexible - v13 topic ids - v15 the replica's state as a tagged field
    """

    cluster_id: Annotated[str | None, tag(0, since=12)] = None
    replica_id: Annotated[Int32, until(14)] = -1
    replica_state: Annotated[ReplicaState, tag(1, since=15)] = ReplicaState()
    max_wait_ms: Int32 = 0
    min_bytes: Int32 = 0
    max_bytes: Annotated[Int32, since(3)] = INT32_MAX
    isolation_level: Annotated[Int8, since(4)] = 0
    session_id: Annotated[Int32, since(7)] = 0
    session_epoch: Annotated[Int32, since(7)] = -1
    topics: list[FetchTopic] = []
    forgotten_topics_data: Annotated[list[ForgottenTopic], since(7)] = []
    rack_id: Annotated[str, since(11)] = ""


@struct
class EpochEndOffset:
    """Where the follower's log parts from the leader's; -1 when it does not."""

    epoch: Int32 = -1
    end_offset: Int64 = -1


@struct
class SnapshotId:
    """The snapshot to fetch instead; -1 when there is none."""

    end_offset: Int64 = -1
    epoch: Int32 = -1


@struct
class AbortedTransaction:
    """A transaction whose records a read_committed consumer must leave out."""

    producer_id: Int64 = 0
    first_offset: Int64 = 0


@struct
class FetchedPartition:
    """What was read from one partition, as stored batches.

    v4 last stable offset and aborted transactions - v5 log start offset - v11 preferred replica - v12
    diverging epoch, current leader and snapshot as tagged fields
    """

    partition_index: Int32 = 0
    error_code: Int16 = 0
    high_watermark: Int64 = 0
    last_stable_offset: Annotated[Int64, since(4)] = -1
    log_start_offset: Annotated[Int64, since(5)] = -1
    diverging_epoch: Annotated[EpochEndOffset, tag(0, since=12)] = EpochEndOffset()
    current_leader: Annotated[LeaderIdAndEpoch, tag(1, since=12)] = LeaderIdAndEpoch()
    snapshot_id: Annotated[SnapshotId, tag(2, since=12)] = SnapshotId()
    aborted_transactions: Annotated[list[AbortedTransaction] | None, since(4)] = []
    preferred_read_replica: Annotated[Int32, since(11)] = -1
    records: Batches | None = None


@struct
class FetchedTopic:
    """What was read from one topic.  v13 topic id instead of name."""

    topic: Annotated[str, until(12)] = ""
    topic_id: Annotated[Uuid, since(13)] = ZERO_UUID
    partitions: list[FetchedPartition] = []


@message(api=1, versions="0-18", flexible="12+")
class FetchResponse:
    """Answers FetchRequest.

    v1 throttle time - v7 error and session id of the fetch session - v12 flexible - v13 topic ids - v16
    endpoints of new leaders (KIP-951)
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    error_code: Annotated[Int16, since(7)] = 0
    session_id: Annotated[Int32, since(7)] = 0
    responses: list[FetchedTopic] = []
    node_endpoints: Annotated[list[NodeEndpoint], tag(0, since=16)] = []
