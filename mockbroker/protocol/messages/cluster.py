"""The cluster itself: the quorum of controllers, feature levels, and brokers that leave for good.

Asked by admins, and answered by the active controller through whichever broker was asked.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import ZERO_UUID, Int8, Int16, Int32, Int64, UInt16, Uuid, since, until


@struct
class DescribeQuorumPartition:
    """One partition."""

    partition_index: Int32 = 0


@struct
class DescribeQuorumTopic:
    """The partitions of one topic; `__cluster_metadata` is the only one that has a quorum."""

    topic_name: str = ""
    partitions: list[DescribeQuorumPartition] = []


@message(api=55, versions="0-2", flexible="0+")
class DescribeQuorumRequest:
    """Describe the quorum of controllers (KIP-595, KIP-836).

    v2 voters are known by their directories too (KIP-853)
    """

    topics: list[DescribeQuorumTopic] = []


@struct
class ReplicaState:
    """One voter or observer, and how far it has come."""

    replica_id: Int32 = 0
    replica_directory_id: Annotated[Uuid, since(2)] = ZERO_UUID
    log_end_offset: Int64 = 0
    last_fetch_timestamp: Annotated[Int64, since(1)] = -1
    last_caught_up_timestamp: Annotated[Int64, since(1)] = -1


@struct
class QuorumPartition:
    """The quorum of one partition."""

    partition_index: Int32 = 0
    error_code: Int16 = 0
    error_message: Annotated[str | None, since(2)] = ""
    leader_id: Int32 = 0
    leader_epoch: Int32 = 0
    high_watermark: Int64 = 0
    current_voters: list[ReplicaState] = []
    observers: list[ReplicaState] = []


@struct
class QuorumTopic:
    """The quorums of one topic."""

    topic_name: str = ""
    partitions: list[QuorumPartition] = []


@struct
class Listener:
    """One endpoint."""

    name: str = ""
    host: str = ""
    port: UInt16 = 0


@struct
class Node:
    """One controller and its endpoints."""

    node_id: Int32 = 0
    listeners: list[Listener] = []


@message(api=55, versions="0-2", flexible="0+")
class DescribeQuorumResponse:
    """Answers DescribeQuorumRequest.

    v1 times of the last fetches - v2 directories, endpoints and messages (KIP-853)
    """

    error_code: Int16 = 0
    error_message: Annotated[str | None, since(2)] = ""
    topics: list[QuorumTopic] = []
    nodes: Annotated[list[Node], since(2)] = []


@struct
class FeatureUpdateKey:
    """The level that one feature is to have.

    v0 whether it may be lowered - v1 how it may be lowered
    """

    feature: str = ""
    max_version_level: Int16 = 0
    allow_downgrade: Annotated[bool, until(0)] = False
    upgrade_type: Annotated[Int8, since(1)] = 1


@message(api=57, versions="0-2", flexible="0+")
class UpdateFeaturesRequest:
    """Change feature levels (KIP-584).

    v1 validate_only
    """

    timeout_ms: Int32 = 60000
    feature_updates: list[FeatureUpdateKey] = []
    validate_only: Annotated[bool, since(1)] = False


@struct
class UpdatableFeatureResult:
    """Whether one feature was changed."""

    feature: str = ""
    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=57, versions="0-2", flexible="0+")
class UpdateFeaturesResponse:
    """Answers UpdateFeaturesRequest.

    v0-1 feature by feature - v2 as a whole only
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""
    results: Annotated[list[UpdatableFeatureResult], until(1)] = []


@message(api=64, versions="0", flexible="0+")
class UnregisterBrokerRequest:
    """Forget a broker that will not be back."""

    broker_id: Int32 = 0


@message(api=64, versions="0", flexible="0+")
class UnregisterBrokerResponse:
    """Answers UnregisterBrokerRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=80, versions="0-1", flexible="0+")
class AddRaftVoterRequest:
    """Make a controller a voter (KIP-853).

    v1 may answer before the change is committed (KIP-1186)
    """

    cluster_id: str | None = ""
    timeout_ms: Int32 = 0
    voter_id: Int32 = 0
    voter_directory_id: Uuid = ZERO_UUID
    listeners: list[Listener] = []
    ack_when_committed: Annotated[bool, since(1)] = True


@message(api=80, versions="0-1", flexible="0+")
class AddRaftVoterResponse:
    """Answers AddRaftVoterRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=81, versions="0", flexible="0+")
class RemoveRaftVoterRequest:
    """Make a controller a voter no longer (KIP-853)."""

    cluster_id: str | None = ""
    voter_id: Int32 = 0
    voter_directory_id: Uuid = ZERO_UUID


@message(api=81, versions="0", flexible="0+")
class RemoveRaftVoterResponse:
    """Answers RemoveRaftVoterRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=94, versions="0", flexible="0+")
class UnregisterControllerRequest:
    """Forget a controller that will not be back."""

    controller_id: Int32 = 0


@message(api=94, versions="0", flexible="0+")
class UnregisterControllerResponse:
    """Answers UnregisterControllerRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""
