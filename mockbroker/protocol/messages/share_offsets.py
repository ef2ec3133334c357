"""Looking at the offsets of share groups, and changing them, from outside (KIP-932).

The start offset is where a share group begins to deliver; the records after it have states of their own.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import ZERO_UUID, Int16, Int32, Int64, Uuid, since


@struct
class DescribeShareGroupOffsetsRequestTopic:
    """The partitions of one topic."""

    topic_name: str = ""
    partitions: list[Int32] = []


@struct
class DescribeShareGroupOffsetsRequestGroup:
    """Which offsets of one group to look up; topics null means all that it has."""

    group_id: str = ""
    topics: list[DescribeShareGroupOffsetsRequestTopic] | None = []


@message(api=90, versions="0-1", flexible="0+")
class DescribeShareGroupOffsetsRequest:
    """Look up the start offsets of share groups."""

    groups: list[DescribeShareGroupOffsetsRequestGroup] = []


@struct
class DescribeShareGroupOffsetsResponsePartition:
    """One partition's start offset, -1 when there is none.  v1 lag."""

    partition_index: Int32 = 0
    start_offset: Int64 = 0
    leader_epoch: Int32 = 0
    lag: Annotated[Int64, since(1)] = -1
    error_code: Int16 = 0
    error_message: str | None = None


@struct
class DescribeShareGroupOffsetsResponseTopic:
    """One topic's start offsets."""

    topic_name: str = ""
    topic_id: Uuid = ZERO_UUID
    partitions: list[DescribeShareGroupOffsetsResponsePartition] = []


@struct
class DescribeShareGroupOffsetsResponseGroup:
    """One group's start offsets."""

    group_id: str = ""
    topics: list[DescribeShareGroupOffsetsResponseTopic] = []
    error_code: Int16 = 0
    error_message: str | None = None


@message(api=90, versions="0-1", flexible="0+")
class DescribeShareGroupOffsetsResponse:
    """Answers DescribeShareGroupOffsetsRequest.

    v1 lag (KIP-1226)
    """

    throttle_time_ms: Int32 = 0
    groups: list[DescribeShareGroupOffsetsResponseGroup] = []


@struct
class AlterShareGroupOffsetsRequestPartition:
    """Where one partition is to start."""

    partition_index: Int32 = 0
    start_offset: Int64 = 0


@struct
class AlterShareGroupOffsetsRequestTopic:
    """The partitions of one topic."""

    topic_name: str = ""
    partitions: list[AlterShareGroupOffsetsRequestPartition] = []


@message(api=91, versions="0", flexible="0+")
class AlterShareGroupOffsetsRequest:
    """Set the start offsets of an empty share group."""

    group_id: str = ""
    topics: list[AlterShareGroupOffsetsRequestTopic] = []


@struct
class AlterShareGroupOffsetsResponsePartition:
    """Whether one partition's start offset was set."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None


@struct
class AlterShareGroupOffsetsResponseTopic:
    """Whether one topic's start offsets were set."""

    topic_name: str = ""
    topic_id: Uuid = ZERO_UUID
    partitions: list[AlterShareGroupOffsetsResponsePartition] = []


@message(api=91, versions="0", flexible="0+")
class AlterShareGroupOffsetsResponse:
    """Answers AlterShareGroupOffsetsRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    responses: list[AlterShareGroupOffsetsResponseTopic] = []


@struct
class DeleteShareGroupOffsetsRequestTopic:
    """One topic."""

    topic_name: str = ""


@message(api=92, versions="0", flexible="0+")
class DeleteShareGroupOffsetsRequest:
    """Forget topics of an empty share group."""

    group_id: str = ""
    topics: list[DeleteShareGroupOffsetsRequestTopic] = []


@struct
class DeleteShareGroupOffsetsResponseTopic:
    """Whether one topic was forgotten."""

    topic_name: str = ""
    topic_id: Uuid = ZERO_UUID
    error_code: Int16 = 0
    error_message: str | None = None


@message(api=92, versions="0", flexible="0+")
class DeleteShareGroupOffsetsResponse:
    """Answers DeleteShareGroupOffsetsRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    responses: list[DeleteShareGroupOffsetsResponseTopic] = []
