"""Offsets: looking them up in logs, and keeping them for groups.

ListOffsets and OffsetForLeaderEpoch ask the leader of a partition; OffsetCommit and OffsetFetch ask the
coordinator of a group.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import (
    ZERO_UUID,
    Int8,
    Int16,
    Int32,
    Int64,
    Uuid,
    nullable,
    since,
    until,
    versions,
)


@struct
class ListOffsetsPartition:
    """Which offset to look up: by timestamp, or by one of the negative codes for earliest, latest and so on.

    v0 up to max_num_offsets of them - v4 leader epoch
    """

    partition_index: Int32 = 0
    current_leader_epoch: Annotated[Int32, since(4)] = -1
    timestamp: Int64 = 0
    max_num_offsets: Annotated[Int32, until(0)] = 1


@struct
class ListOffsetsTopic:
    """The partitions of one topic."""

    name: str = ""
    partitions: list[ListOffsetsPartition] = []


@message(api=2, versions="0-11", flexible="6+")
class ListOffsetsRequest:
    """Look up offsets by time.

    v0 several offsets per partition - v1 one - v2 isolation level - v4 leader epoch - v6 flexible - v7
    timestamp -3 (largest timestamp) - v8 -4 (earliest local) - v9 -5 (latest tiered) - v10 timeout - v11 -6
    (earliest pending upload)
    """

    replica_id: Int32 = 0
    isolation_level: Annotated[Int8, since(2)] = 0
    topics: list[ListOffsetsTopic] = []
    timeout_ms: Annotated[Int32, since(10)] = 0


@struct
class ListedPartition:
    """What was found in one partition.

    v0 a list - v1 one offset and its timestamp - v4 the leader epoch of that offset
    """

    partition_index: Int32 = 0
    error_code: Int16 = 0
    old_style_offsets: Annotated[list[Int64], until(0)] = []
    timestamp: Annotated[Int64, since(1)] = -1
    offset: Annotated[Int64, since(1)] = -1
    leader_epoch: Annotated[Int32, since(4)] = -1


@struct
class ListedTopic:
    """What was found in one topic."""

    name: str = ""
    partitions: list[ListedPartition] = []


@message(api=2, versions="0-11", flexible="6+")
class ListOffsetsResponse:
    """Answers ListOffsetsRequest.

    v2 throttle time - v6 flexible
    """

    throttle_time_ms: Annotated[Int32, since(2)] = 0
    topics: list[ListedTopic] = []


@struct
class OffsetForLeaderEpochPartition:
    """Which epoch of one partition to look up.

    v2 the leader epoch that the client believes in
    """

    partition: Int32 = 0
    current_leader_epoch: Annotated[Int32, since(2)] = -1
    leader_epoch: Int32 = 0


@struct
class OffsetForLeaderEpochTopic:
    """The partitions of one topic."""

    topic: str = ""
    partitions: list[OffsetForLeaderEpochPartition] = []


@message(api=23, versions="0-4", flexible="4+")
class OffsetForLeaderEpochRequest:
    """Ask where leader epochs end, to find out where two logs part (KIP-101, KIP-320).

    v3 replica id, -2 for consumers - v4 flexible
    """

    replica_id: Annotated[Int32, since(3)] = -2
    topics: list[OffsetForLeaderEpochTopic] = []


@struct
class EpochEndOffsetPartition:
    """The largest epoch not above the one asked for, and where it ends.

    v1 that epoch itself
    """

    error_code: Int16 = 0
    partition: Int32 = 0
    leader_epoch: Annotated[Int32, since(1)] = -1
    end_offset: Int64 = -1


@struct
class EpochEndOffsetTopic:
    """The partitions of one topic."""

    topic: str = ""
    partitions: list[EpochEndOffsetPartition] = []


@message(api=23, versions="0-4", flexible="4+")
class OffsetForLeaderEpochResponse:
    """Answers OffsetForLeaderEpochRequest.

    v2 throttle time - v4 flexible
    """

    throttle_time_ms: Annotated[Int32, since(2)] = 0
    topics: list[EpochEndOffsetTopic] = []


@struct
class OffsetCommitPartition:
    """The offset to keep for one partition.

    v1 only: a timestamp - v6 leader epoch
    """

    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, since(6)] = -1
    commit_timestamp: Annotated[Int64, versions("1")] = -1
    committed_metadata: str | None = ""


@struct
class OffsetCommitTopic:
    """The partitions of one topic.  v10 topic id instead of name."""

    name: Annotated[str, until(9)] = ""
    topic_id: Annotated[Uuid, since(10)] = ZERO_UUID
    partitions: list[OffsetCommitPartition] = []


@message(api=8, versions="0-10", flexible="8+")
class OffsetCommitRequest:
    """Keep offsets for a group.

    v0 without membership - v1 generation and member - v2-4 retention time - v7 static membership - v8
    flexible - v9 the generation may be a member epoch (KIP-848) - v10 topic ids
    """

    group_id: str = ""
    generation_id_or_member_epoch: Annotated[Int32, since(1)] = -1
    member_id: Annotated[str, since(1)] = ""
    group_instance_id: Annotated[str | None, since(7)] = None
    retention_time_ms: Annotated[Int64, versions("2-4")] = -1
    topics: list[OffsetCommitTopic] = []


@struct
class CommittedPartition:
    """Whether one partition's offset was kept."""

    partition_index: Int32 = 0
    error_code: Int16 = 0


@struct
class CommittedTopic:
    """Whether one topic's offsets were kept.  v10 topic id instead of name."""

    name: Annotated[str, until(9)] = ""
    topic_id: Annotated[Uuid, since(10)] = ZERO_UUID
    partitions: list[CommittedPartition] = []


@message(api=8, versions="0-10", flexible="8+")
class OffsetCommitResponse:
    """Answers OffsetCommitRequest.

    v3 throttle time - v8 flexible - v10 topic ids
    """

    throttle_time_ms: Annotated[Int32, since(3)] = 0
    topics: list[CommittedTopic] = []


@struct
class OffsetFetchTopic:
    """Which partitions of one topic to look up, in the form for one group."""

    name: str = ""
    partition_indexes: list[Int32] = []


@struct
class OffsetFetchGroupTopic:
    """Which partitions of one topic to look up.  v10 topic id instead of name."""

    name: Annotated[str, until(9)] = ""
    topic_id: Annotated[Uuid, since(10)] = ZERO_UUID
    partition_indexes: list[Int32] = []


@struct
class OffsetFetchGroup:
    """Which offsets of one group to look up; topics null means all that it has.

    v9 member id and epoch (KIP-848)
    """

    group_id: str = ""
    member_id: Annotated[str | None, since(9)] = None
    member_epoch: Annotated[Int32, since(9)] = -1
    topics: list[OffsetFetchGroupTopic] | None = []


@message(api=9, versions="0-10", flexible="6+")
class OffsetFetchRequest:
    """Look up the offsets kept for groups.

    v0-7 one group - v2 topics null means all - v6 flexible - v7 require_stable (KIP-447) - v8 several
    groups - v10 topic ids
    """

    group_id: Annotated[str, until(7)] = ""
    topics: Annotated[list[OffsetFetchTopic] | None, until(7), nullable(since=2)] = []
    groups: Annotated[list[OffsetFetchGroup], since(8)] = []
    require_stable: Annotated[bool, since(7)] = False


@struct
class FetchedOffset:
    """One partition's kept offset, -1 when there is none, in the form for one group."""

    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Annotated[Int32, since(5)] = -1
    metadata: str | None = ""
    error_code: Int16 = 0


@struct
class FetchedOffsetsTopic:
    """One topic's kept offsets, in the form for one group."""

    name: str = ""
    partitions: list[FetchedOffset] = []


@struct
class FetchedGroupOffset:
    """One partition's kept offset, -1 when there is none."""

    partition_index: Int32 = 0
    committed_offset: Int64 = 0
    committed_leader_epoch: Int32 = -1
    metadata: str | None = ""
    error_code: Int16 = 0


@struct
class FetchedOffsetsGroupTopic:
    """One topic's kept offsets.  v10 topic id instead of name."""

    name: Annotated[str, until(9)] = ""
    topic_id: Annotated[Uuid, since(10)] = ZERO_UUID
    partitions: list[FetchedGroupOffset] = []


@struct
class FetchedOffsetsGroup:
    """One group's kept offsets."""

    group_id: str = ""
    topics: list[FetchedOffsetsGroupTopic] = []
    error_code: Int16 = 0


@message(api=9, versions="0-10", flexible="6+")
class OffsetFetchResponse:
    """Answers OffsetFetchRequest.

    v2 error for the whole - v3 throttle time - v5 leader epochs - v6 flexible - v8 several groups - v10
    topic ids
    """

    throttle_time_ms: Annotated[Int32, since(3)] = 0
    topics: Annotated[list[FetchedOffsetsTopic], until(7)] = []
    error_code: Annotated[Int16, versions("2-7")] = 0
    groups: Annotated[list[FetchedOffsetsGroup], since(8)] = []
