"""What a client asks first: who serves which versions, who leads what, who coordinates whom.

ApiVersions, Metadata, FindCoordinator, DescribeCluster and DescribeTopicPartitions.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import (
    INT32_MIN,
    ZERO_UUID,
    Int8,
    Int16,
    Int32,
    Int64,
    Uuid,
    nullable,
    since,
    tag,
    until,
    versions,
)


@struct
class MetadataTopic:
    """One topic, by name or, from v12, by id."""

    topic_id: Annotated[Uuid, since(10)] = ZERO_UUID
    name: Annotated[str | None, nullable(since=10)] = ""


@message(api=3, versions="0-13", flexible="9+")
class MetadataRequest:
    """Ask who leads what.

    v0 no topics means all - v1 null means all - v4 may create topics - v8 authorized operations - v9
    flexible - v10 topic ids in the response - v12 topic ids in the request
    """

    topics: Annotated[list[MetadataTopic] | None, nullable(since=1)] = []
    allow_auto_topic_creation: Annotated[bool, since(4)] = True
    include_cluster_authorized_operations: Annotated[bool, versions("8-10")] = False
    include_topic_authorized_operations: Annotated[bool, since(8)] = False


@struct
class MetadataBroker:
    """One broker and its endpoint on the listener that was asked."""

    node_id: Int32 = 0
    host: str = ""
    port: Int32 = 0
    rack: Annotated[str | None, since(1)] = None


@struct
class PartitionMetadata:
    """One partition: its leader (-1 is none) and its replicas.

    v5 offline replicas - v7 leader epoch
    """

    error_code: Int16 = 0
    partition_index: Int32 = 0
    leader_id: Int32 = 0
    leader_epoch: Annotated[Int32, since(7)] = -1
    replica_nodes: list[Int32] = []
    isr_nodes: list[Int32] = []
    offline_replicas: Annotated[list[Int32], since(5)] = []


@struct
class TopicMetadata:
    """One topic and its partitions.

    v1 is_internal - v8 authorized operations - v10 topic id
    """

    error_code: Int16 = 0
    name: Annotated[str | None, nullable(since=12)] = ""
    topic_id: Annotated[Uuid, since(10)] = ZERO_UUID
    is_internal: Annotated[bool, since(1)] = False
    partitions: list[PartitionMetadata] = []
    topic_authorized_operations: Annotated[Int32, since(8)] = INT32_MIN


@message(api=3, versions="0-13", flexible="9+")
class MetadataResponse:
    """Answers MetadataRequest.

    v1 controller and racks - v2 cluster id - v3 throttle time - v8-10 authorized operations of the cluster
    - v9 flexible - v13 error for the whole (KIP-1102)
    """

    throttle_time_ms: Annotated[Int32, since(3)] = 0
    brokers: list[MetadataBroker] = []
    cluster_id: Annotated[str | None, since(2)] = None
    controller_id: Annotated[Int32, since(1)] = -1
    topics: list[TopicMetadata] = []
    cluster_authorized_operations: Annotated[Int32, versions("8-10")] = INT32_MIN
    error_code: Annotated[Int16, since(13)] = 0


@message(api=10, versions="0-6", flexible="3+")
class FindCoordinatorRequest:
    """Ask which broker coordinates a group, a transactional id or (v6) a share partition.

    v1 key type - v3 flexible - v4 several keys
    """

    key: Annotated[str, until(3)] = ""
    key_type: Annotated[Int8, since(1)] = 0
    coordinator_keys: Annotated[list[str], since(4)] = []


@struct
class Coordinator:
    """The coordinator of one key."""

    key: str = ""
    node_id: Int32 = 0
    host: str = ""
    port: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=10, versions="0-6", flexible="3+")
class FindCoordinatorResponse:
    """Answers FindCoordinatorRequest.

    v1 throttle time and message - v3 flexible - v4 several keys
    """

    throttle_time_ms: Annotated[Int32, since(1)] = 0
    error_code: Annotated[Int16, until(3)] = 0
    error_message: Annotated[str | None, versions("1-3")] = ""
    node_id: Annotated[Int32, until(3)] = 0
    host: Annotated[str, until(3)] = ""
    port: Annotated[Int32, until(3)] = 0
    coordinators: Annotated[list[Coordinator], since(4)] = []


@message(api=18, versions="0-5", flexible="3+")
class ApiVersionsRequest:
    """Ask which versions the broker serves.

    v3 flexible, name and version of the client - v5 the cluster and node that the client means to talk to
    (KIP-1242)
    """

    client_software_name: Annotated[str, since(3)] = ""
    client_software_version: Annotated[str, since(3)] = ""
    cluster_id: Annotated[str | None, since(5)] = None
    node_id: Annotated[Int32, since(5)] = -1


@struct
class ApiVersion:
    """The versions of one API."""

    api_key: Int16 = 0
    min_version: Int16 = 0
    max_version: Int16 = 0


@struct
class SupportedFeature:
    """The levels of one feature that the broker could run at."""

    name: str = ""
    min_version: Int16 = 0
    max_version: Int16 = 0


@struct
class FinalizedFeature:
    """The level of one feature that the cluster runs at."""

    name: str = ""
    max_version_level: Int16 = 0
    min_version_level: Int16 = 0


@message(api=18, versions="0-5", flexible="3+")
class ApiVersionsResponse:
    """Answers ApiVersionsRequest, always behind the oldest response header.

    v1 throttle time - v3 flexible, features as tagged fields - v4 features may have a minimum of 0
    """

    error_code: Int16 = 0
    api_keys: list[ApiVersion] = []
    throttle_time_ms: Annotated[Int32, since(1)] = 0
    supported_features: Annotated[list[SupportedFeature], tag(0, since=3)] = []
    finalized_features_epoch: Annotated[Int64, tag(1, since=3)] = -1
    finalized_features: Annotated[list[FinalizedFeature], tag(2, since=3)] = []
    zk_migration_ready: Annotated[bool, tag(3, since=3)] = False


@message(api=60, versions="0-2", flexible="0+")
class DescribeClusterRequest:
    """Ask for the cluster's id and nodes.

    v1 brokers or controllers (KIP-919) - v2 fenced brokers too
    """

    include_cluster_authorized_operations: bool = False
    endpoint_type: Annotated[Int8, since(1)] = 1
    include_fenced_brokers: Annotated[bool, since(2)] = False


@struct
class DescribeClusterBroker:
    """One node.  v2 whether it is fenced."""

    broker_id: Int32 = 0
    host: str = ""
    port: Int32 = 0
    rack: str | None = None
    is_fenced: Annotated[bool, since(2)] = False


@message(api=60, versions="0-2", flexible="0+")
class DescribeClusterResponse:
    """Answers DescribeClusterRequest.

    v1 which kind of nodes these are - v2 fenced brokers
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    endpoint_type: Annotated[Int8, since(1)] = 1
    cluster_id: str = ""
    controller_id: Int32 = -1
    brokers: list[DescribeClusterBroker] = []
    cluster_authorized_operations: Int32 = INT32_MIN


@struct
class TopicRequest:
    """One topic."""

    name: str = ""


@struct
class Cursor:
    """Where a listing in pages goes on."""

    topic_name: str = ""
    partition_index: Int32 = 0


@message(api=75, versions="0", flexible="0+")
class DescribeTopicPartitionsRequest:
    """Describe topics in pages (KIP-966)."""

    topics: list[TopicRequest] = []
    response_partition_limit: Int32 = 2000
    cursor: Cursor | None = None


@struct
class DescribeTopicPartitionsResponsePartition:
    """One partition, with its eligible leader replicas."""

    error_code: Int16 = 0
    partition_index: Int32 = 0
    leader_id: Int32 = 0
    leader_epoch: Int32 = -1
    replica_nodes: list[Int32] = []
    isr_nodes: list[Int32] = []
    eligible_leader_replicas: list[Int32] | None = None
    last_known_elr: list[Int32] | None = None
    offline_replicas: list[Int32] = []


@struct
class DescribeTopicPartitionsResponseTopic:
    """One topic and those of its partitions that fit into the page."""

    error_code: Int16 = 0
    name: str | None = ""
    topic_id: Uuid = ZERO_UUID
    is_internal: bool = False
    partitions: list[DescribeTopicPartitionsResponsePartition] = []
    topic_authorized_operations: Int32 = INT32_MIN


@message(api=75, versions="0", flexible="0+")
class DescribeTopicPartitionsResponse:
    """Answers DescribeTopicPartitionsRequest."""

    throttle_time_ms: Int32 = 0
    topics: list[DescribeTopicPartitionsResponseTopic] = []
    next_cursor: Cursor | None = None
