"""A small world and the people at its group coordinator's desk.

`Desk` puts requests to brokers, over the real encodings and without sockets; `Client` is one consumer that
remembers what it was told, as real ones do.  Neither decides what a test is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from mockbroker.core.call import Call, Peer
from mockbroker.core.controller import NewTopic
from mockbroker.core.groups.classic import ClassicGroup
from mockbroker.core.groups.consumer_protocol import Subscription, write_assignment, write_subscription
from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition
from mockbroker.core.groups.shard import GroupShard
from mockbroker.core.image import PartitionImage
from mockbroker.core.internal_topics import OFFSETS, ensure_topic
from mockbroker.core.node import Node
from mockbroker.core.ticket import Ticket
from mockbroker.core.world import World
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import (
    HeartbeatRequest,
    JoinGroupProtocol,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupMember,
    LeaveGroupRequest,
    SyncGroupAssignment,
    SyncGroupRequest,
)
from mockbroker.protocol.messages.offsets import (
    FetchedGroupOffset,
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
    OffsetFetchGroup,
    OffsetFetchGroupTopic,
    OffsetFetchRequest,
)
from mockbroker.protocol.schema import schema_of

GROUP = "billing"
TOPIC = "orders"
SESSION_MS = 10_000
REBALANCE_MS = 60_000


class Asked:
    """A request that was put, and its answer as its client reads it, once there is one."""

    def __init__(self, reply: Any, version: int) -> None:
        self._reply = reply
        self._version = version

    @property
    def done(self) -> bool:
        return not isinstance(self._reply, Ticket) or self._reply.done

    @property
    def why(self) -> str:
        assert isinstance(self._reply, Ticket), f"nothing to wait for: {self._reply!r}"
        return self._reply.why

    @property
    def answer(self) -> Any:
        """The answer.  A field that the version lacks reads as its default."""
        response = self._reply.result if isinstance(self._reply, Ticket) else self._reply
        return decode(type(response), self._version, b"".join(encode(response, self._version)))

    @property
    def error(self) -> ErrorCode:
        return ErrorCode(self.answer.error_code)


class Desk:
    """A cluster with one topic, whose groups have two partitions of `__consumer_offsets` to live in."""

    def __init__(self, brokers: int = 3, *, friendly: bool = True, seed: int = 7, **config: object) -> None:
        named = {"offsets.topic.num.partitions": 2} | {
            name.replace("_", "."): value for name, value in config.items()
        }
        ids = range(1, brokers + 1)
        self.world = World(brokers=ids, random=Random(seed), config=named, friendly=friendly)
        self.make_topic(TOPIC, 4)
        ensure_topic(self.world.nodes[1], OFFSETS)
        self.world.settle()

    # -- the world --------------------------------------------------------------------------------

    def make_topic(self, name: str, partitions: int) -> None:
        self.world.controller.create_topics([NewTopic(name, [[1]] * partitions)])
        self.world.settle()

    def delete_topic(self, name: str) -> None:
        self.world.controller.delete_topics([name])
        self.world.settle()

    def advance(self, ms: int) -> None:
        self.world.clock.advance(ms)

    def _partition(self, group: str) -> PartitionImage:
        """The group's partition as the controller has it."""
        partitions = self.world.controller.image.topics[OFFSETS_TOPIC].partitions
        return partitions[coordinator_partition(group, len(partitions))]

    def coordinator(self, group: str = GROUP) -> Node:
        """The leader of the group's partition, as the controller has it."""
        return self.world.nodes[self._partition(group).leader]

    def has_a_successor(self, group: str = GROUP) -> bool:
        """Whether somebody else is in sync: where replication was held up for long, nobody is."""
        return len(self._partition(group).isr) > 1

    def shard(self, group: str = GROUP) -> GroupShard:
        return self.coordinator(group).group_shard(group)

    def group(self, group: str = GROUP) -> ClassicGroup:
        return self.shard(group).groups[group]

    def state(self, group: str = GROUP) -> str:
        return self.group(group).state.value

    def fail_over(self, group: str = GROUP) -> Node:
        """Kill the coordinator; the next replica takes over.  Returns the one that is gone."""
        gone = self.coordinator(group)
        self.world.crash(gone.id)
        self.world.settle()
        return gone

    def hand_over(self, group: str = GROUP) -> Node:
        """Let another replica lead the group's partition.  Returns the broker that did."""
        partitions = len(self.world.controller.image.topics[OFFSETS_TOPIC].partitions)
        old = self.coordinator(group)
        heir = self.followers(group)[0]
        index = coordinator_partition(group, partitions)
        self.world.controller.move_leader(OFFSETS_TOPIC, index, heir, unclean=False)
        self.world.settle()
        return old

    def followers(self, group: str = GROUP) -> list[int]:
        leader = self.coordinator(group)
        return [id for id in self.world.nodes if id != leader.id]

    def hold_replication(self, group: str = GROUP) -> None:
        """Let nothing that the group's coordinator writes be committed."""
        leader = self.coordinator(group).id
        for other in self.followers(group):
            self.world.links.cut(leader, other)

    def release_replication(self, group: str = GROUP) -> None:
        leader = self.coordinator(group).id
        for other in self.followers(group):
            self.world.links.mend(leader, other)
            self.world.nodes[other].reconnected({leader})
        self.world.settle()

    # -- requests ---------------------------------------------------------------------------------

    def ask(
        self, body: Any, version: int | None = None, *, node: Node | None = None, client_id: str = "app"
    ) -> Asked:
        """Put a request to a broker (the coordinator of its group unless said otherwise)."""
        api = Api(schema_of(type(body)).api_key)
        handler = HANDLERS[api]
        version = handler.max_version if version is None else version
        assert handler.serves(version), f"{api.title} v{version} is not served"
        if node is None:
            node = self.coordinator(getattr(body, "group_id", GROUP) or GROUP)
        seen = decode(type(body), version, b"".join(encode(body, version)))
        call: Call[Any] = Call(api, version, 1, client_id, seen, Peer())
        try:
            reply = handler.answer(call, node)
        except KafkaError as refused:
            reply = handler.refuse(call, refused)
        self.world.settle()
        return Asked(reply, version)

    def commit(
        self, offset: int, *, topic: str = TOPIC, index: int = 0, group: str = GROUP, member_id: str = "",
        generation: int = -1, instance_id: str | None = None, metadata: str | None = "", version: int = 9,
        **more: Any,
    ) -> Asked:  # fmt: skip
        part = OffsetCommitPartition(
            partition_index=index, committed_offset=offset, committed_metadata=metadata
        )
        return self.ask(
            OffsetCommitRequest(
                group_id=group,
                member_id=member_id,
                generation_id_or_member_epoch=generation,
                group_instance_id=instance_id,
                topics=[OffsetCommitTopic(name=topic, partitions=[part])],
                **more,
            ),
            version,
        )

    def committed(self, index: int = 0, *, topic: str = TOPIC, group: str = GROUP) -> int:
        """What OffsetFetch tells of one partition."""
        return self.fetched(index, topic=topic, group=group).committed_offset

    def progress(self, partitions: int, *, topic: str = TOPIC, group: str = GROUP) -> list[int]:
        """The same of the first partitions, in order."""
        asked = OffsetFetchGroupTopic(name=topic, partition_indexes=list(range(partitions)))
        wanted = OffsetFetchRequest(groups=[OffsetFetchGroup(group_id=group, topics=[asked])])
        answer = self.ask(wanted, 9, node=self.coordinator(group)).answer
        return [part.committed_offset for part in answer.groups[0].topics[0].partitions]

    def fetched(self, index: int = 0, *, topic: str = TOPIC, group: str = GROUP) -> FetchedGroupOffset:
        asked = OffsetFetchGroupTopic(name=topic, partition_indexes=[index])
        wanted = OffsetFetchGroup(group_id=group, topics=[asked])
        response = self.ask(OffsetFetchRequest(groups=[wanted]), 9, node=self.coordinator(group)).answer
        (answered,) = response.groups
        assert answered.error_code == 0, answered
        part: FetchedGroupOffset = answered.topics[0].partitions[0]
        return part


def error_of_commit(asked: Asked) -> ErrorCode:
    """The one verdict of a commit of one partition."""
    return ErrorCode(asked.answer.topics[0].partitions[0].error_code)


class Client:
    """One consumer: it keeps its member id and generation, and asks what it is told to ask."""

    def __init__(
        self, desk: Desk, client_id: str = "c1", *, group: str = GROUP, instance_id: str | None = None,
        protocols: Mapping[str, bytes] | None = None, topics: Sequence[str] = (TOPIC,),
        session_ms: int = SESSION_MS, rebalance_ms: int = REBALANCE_MS,
        protocol_type: str = "consumer",
    ) -> None:  # fmt: skip
        self.desk = desk
        self.client_id = client_id
        self.group = group
        self.instance_id = instance_id
        self.protocol_type = protocol_type
        wanted = write_subscription(Subscription(topics=list(topics)))
        self.protocols = dict(protocols) if protocols is not None else {"range": wanted}
        self.session_ms = session_ms
        self.rebalance_ms = rebalance_ms
        self.member_id = ""
        self.generation = -1

    def join(self, version: int = 9, *, member_id: str | None = None, reason: str | None = None) -> Asked:
        """One JoinGroup, whatever comes of it."""
        asked = self.desk.ask(
            JoinGroupRequest(
                group_id=self.group,
                session_timeout_ms=self.session_ms,
                rebalance_timeout_ms=self.rebalance_ms,
                member_id=self.member_id if member_id is None else member_id,
                group_instance_id=self.instance_id,
                protocol_type=self.protocol_type,
                protocols=[JoinGroupProtocol(name=n, metadata=m) for n, m in self.protocols.items()],
                reason=reason,
            ),
            version,
            client_id=self.client_id,
        )
        if asked.done:
            self.take(asked)
        return asked

    def enter(self, version: int = 9) -> Asked:
        """JoinGroup as clients do it: once more, with the id, when one is handed out first."""
        asked = self.join(version)
        if asked.done and asked.error is ErrorCode.MEMBER_ID_REQUIRED:
            asked = self.join(version)
        return asked

    def take(self, asked: Asked) -> JoinGroupResponse:
        """Remember what a JoinGroup was answered."""
        answer: JoinGroupResponse = asked.answer
        if answer.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            self.member_id = answer.member_id
            self.generation = answer.generation_id
        return answer

    def sync(
        self, assignment: Mapping[str, bytes] | None = None, *, version: int = 5,
        generation: int | None = None, protocol_type: str | None = "consumer",
        protocol_name: str | None = "range",
    ) -> Asked:  # fmt: skip
        entries = [SyncGroupAssignment(member_id=m, assignment=a) for m, a in (assignment or {}).items()]
        return self.desk.ask(
            SyncGroupRequest(
                group_id=self.group,
                generation_id=self.generation if generation is None else generation,
                member_id=self.member_id,
                group_instance_id=self.instance_id,
                protocol_type=protocol_type,
                protocol_name=protocol_name,
                assignments=entries,
            ),
            version,
            client_id=self.client_id,
        )

    def heartbeat(self, *, generation: int | None = None, version: int = 4) -> ErrorCode:
        return self.desk.ask(
            HeartbeatRequest(
                group_id=self.group,
                generation_id=self.generation if generation is None else generation,
                member_id=self.member_id,
                group_instance_id=self.instance_id,
            ),
            version,
        ).error

    def leave(self, *, reason: str | None = None) -> Asked:
        entry = LeaveGroupMember(member_id=self.member_id, group_instance_id=self.instance_id, reason=reason)
        return self.desk.ask(LeaveGroupRequest(group_id=self.group, members=[entry]))

    def commit(
        self, offset: int, *, index: int = 0, version: int = 9, generation: int | None = None
    ) -> ErrorCode:
        return error_of_commit(
            self.desk.commit(
                offset,
                index=index,
                group=self.group,
                member_id=self.member_id,
                generation=self.generation if generation is None else generation,
                instance_id=self.instance_id,
                version=version,
            )
        )


def share(members: Sequence[str], partitions: int = 4, topic: str = TOPIC) -> dict[str, bytes]:
    """An assignment that deals the partitions of one topic out, one after the other."""
    return {
        member: write_assignment({topic: list(range(n, partitions, len(members)))})
        for n, member in enumerate(members)
    }


def gather(desk: Desk, *clients: Client, version: int = 9) -> None:
    """Bring these clients through the join phase together; the first one leads."""
    joins = [client.enter(version) for client in clients]
    for at, client in enumerate(clients):
        if desk.state(client.group) == "PreparingRebalance" and joins[at].done:
            joins[at] = client.join(version)
    for client, asked in zip(clients, joins, strict=True):
        answer = client.take(asked)
        assert answer.error_code == ErrorCode.NONE, answer
    assert desk.state(clients[0].group) == "CompletingRebalance"


def stable(desk: Desk, *clients: Client, version: int = 9) -> dict[str, bytes]:
    """Bring these clients, and nobody else, into a stable group; the first one leads."""
    gather(desk, *clients, version=version)
    assignment = share([client.member_id for client in clients])
    syncs = [client.sync() for client in clients[1:]]
    syncs.append(clients[0].sync(assignment))
    assert [asked.error for asked in syncs] == [ErrorCode.NONE] * len(clients)
    assert desk.state(clients[0].group) == "Stable"
    return assignment
