"""Streams groups of KIP-1071: the heartbeat of Kafka Streams instances and the description of such a group.

A topology (what an application reads, writes and stores) goes to the coordinator once per epoch.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import INT32_MIN, Int8, Int16, Int32, Int64, UInt16, since, until


@struct
class KeyValue:
    """A setting or a tag."""

    key: str = ""
    value: str = ""


@struct
class TopicInfo:
    """An internal topic that the application needs, and how it is to be made."""

    name: str = ""
    partitions: Int32 = 0
    replication_factor: Int16 = 0
    topic_configs: list[KeyValue] = []


@struct
class CopartitionGroup:
    """Topics that must have equally many partitions, as places in the subtopology's lists."""

    source_topics: list[Int16] = []
    source_topic_regex: list[Int16] = []
    repartition_source_topics: list[Int16] = []


@struct
class Subtopology:
    """A part of the topology that runs as a unit, and the topics around it."""

    subtopology_id: str = ""
    source_topics: list[str] = []
    source_topic_regex: list[str] = []
    state_changelog_topics: list[TopicInfo] = []
    repartition_sink_topics: list[str] = []
    repartition_source_topics: list[TopicInfo] = []
    copartition_groups: list[CopartitionGroup] = []


@struct
class Topology:
    """The whole of it, in one epoch."""

    epoch: Int32 = 0
    subtopologies: list[Subtopology] = []


@struct
class TaskIds:
    """Tasks: partitions of one subtopology."""

    subtopology_id: str = ""
    partitions: list[Int32] = []


@struct
class Endpoint:
    """Where an instance answers interactive queries."""

    host: str = ""
    port: UInt16 = 0


@struct
class TaskOffset:
    """How far one task's state has come."""

    subtopology_id: str = ""
    partition: Int32 = 0
    offset: Int64 = 0


@message(api=88, versions="0-1", flexible="0+")
class StreamsGroupHeartbeatRequest:
    """Join, stay in or leave a streams group; what has not changed is left null."""

    group_id: str = ""
    member_id: str = ""
    member_epoch: Int32 = 0
    endpoint_information_epoch: Int32 = 0
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: Int32 = -1
    topology: Topology | None = None
    active_tasks: list[TaskIds] | None = None
    standby_tasks: list[TaskIds] | None = None
    warmup_tasks: list[TaskIds] | None = None
    process_id: str | None = None
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue] | None = None
    task_offsets: list[TaskOffset] | None = None
    task_end_offsets: list[TaskOffset] | None = None
    shutdown_application: bool = False


@struct
class Status:
    """Something that the instance should know, as a code and in words."""

    status_code: Int8 = 0
    status_detail: str = ""


@struct
class TopicPartition:
    """Partitions of one topic."""

    topic: str = ""
    partitions: list[Int32] = []


@struct
class EndpointToPartitions:
    """What the instance behind one endpoint holds."""

    user_endpoint: Endpoint = Endpoint()
    active_partitions: list[TopicPartition] = []
    standby_partitions: list[TopicPartition] = []


@message(api=88, versions="0-1", flexible="0+")
class StreamsGroupHeartbeatResponse:
    """Answers StreamsGroupHeartbeatRequest; tasks that are null have not changed.

    v1 the lag becomes an int64, and the group may ask for a description of the topology (KIP-1331)
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
    member_id: str = ""
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    acceptable_recovery_lag_legacy: Annotated[Int32, until(0)] = 0
    task_offset_interval_ms: Int32 = 0
    acceptable_recovery_lag: Annotated[Int64, since(1)] = -1
    status: list[Status] | None = []
    active_tasks: list[TaskIds] | None = None
    standby_tasks: list[TaskIds] | None = None
    warmup_tasks: list[TaskIds] | None = None
    topology_description_required: Annotated[bool, since(1)] = False
    endpoint_information_epoch: Int32 = 0
    partitions_by_user_endpoint: list[EndpointToPartitions] | None = None


@message(api=89, versions="0-1", flexible="0+")
class StreamsGroupDescribeRequest:
    """Describe streams groups.

    v1 with the description of the topology
    """

    group_ids: list[str] = []
    include_authorized_operations: bool = False
    include_topology_description: Annotated[bool, since(1)] = False


@struct
class DescribedSubtopology:
    """A part of the topology as the group keeps it."""

    subtopology_id: str = ""
    source_topics: list[str] = []
    repartition_sink_topics: list[str] = []
    state_changelog_topics: list[TopicInfo] = []
    repartition_source_topics: list[TopicInfo] = []


@struct
class DescribedTopology:
    """The topology as the group keeps it; subtopologies null when it was never sent."""

    epoch: Int32 = 0
    subtopologies: list[DescribedSubtopology] | None = None


@struct
class Assignment:
    """Tasks that a member has, or is to have."""

    active_tasks: list[TaskIds] = []
    standby_tasks: list[TaskIds] = []
    warmup_tasks: list[TaskIds] = []


@struct
class Member:
    """One member."""

    member_id: str = ""
    member_epoch: Int32 = 0
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topology_epoch: Int32 = 0
    process_id: str = ""
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue] = []
    task_offsets: list[TaskOffset] = []
    task_end_offsets: list[TaskOffset] = []
    assignment: Assignment = Assignment()
    target_assignment: Assignment = Assignment()
    is_classic: bool = False


@struct
class TopologyDescriptionNode:
    """One node: a source, a processor or a sink, and what it is connected to."""

    name: str = ""
    node_type: Int8 = 0
    source_topics: list[str] = []
    sink_topic: str | None = None
    stores: list[str] = []
    successors: list[str] = []


@struct
class TopologyDescriptionSubtopology:
    """One subtopology, node by node."""

    subtopology_id: str = ""
    nodes: list[TopologyDescriptionNode] = []


@struct
class TopologyDescriptionGlobalStore:
    """A global store: the node that reads and the node that stores."""

    source: TopologyDescriptionNode = TopologyDescriptionNode()
    processor: TopologyDescriptionNode = TopologyDescriptionNode()


@struct
class TopologyDescription:
    """A topology for people to look at."""

    subtopologies: list[TopologyDescriptionSubtopology] = []
    global_stores: list[TopologyDescriptionGlobalStore] = []


@struct
class DescribedGroup:
    """One streams group.  v1 description of the topology, and the assignor."""

    error_code: Int16 = 0
    error_message: str | None = None
    group_id: str = ""
    group_state: str = ""
    group_epoch: Int32 = 0
    assignment_epoch: Int32 = 0
    topology: DescribedTopology | None = None
    members: list[Member] = []
    authorized_operations: Int32 = INT32_MIN
    topology_description: Annotated[TopologyDescription | None, since(1)] = None
    topology_description_status: Annotated[Int8, since(1)] = 0
    assignor_name: Annotated[str | None, since(1)] = None


@message(api=89, versions="0-1", flexible="0+")
class StreamsGroupDescribeResponse:
    """Answers StreamsGroupDescribeRequest.

    v1 description of the topology (KIP-1331), assignor name (KIP-1357)
    """

    throttle_time_ms: Int32 = 0
    groups: list[DescribedGroup] = []


@message(api=93, versions="0", flexible="0+")
class StreamsGroupTopologyDescriptionUpdateRequest:
    """Leave a description of the topology with the group (KIP-1331)."""

    group_id: str = ""
    member_id: str = ""
    topology_epoch: Int32 = 0
    topology_description: TopologyDescription = TopologyDescription()


@message(api=93, versions="0", flexible="0+")
class StreamsGroupTopologyDescriptionUpdateResponse:
    """Answers StreamsGroupTopologyDescriptionUpdateRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = None
