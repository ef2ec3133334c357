"""A group member on a bare socket, which does one thing at a time and nothing by itself.

Real clients heartbeat and fetch when they like; what handles say about members and time wants one that does
only what the test says.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from mockbroker import Cluster
from mockbroker.core.groups.consumer_protocol import Subscription, write_assignment, write_subscription
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.groups import (
    HeartbeatRequest,
    JoinGroupProtocol,
    JoinGroupRequest,
    LeaveGroupRequest,
    SyncGroupAssignment,
    SyncGroupRequest,
)
from mockbroker.protocol.messages.offsets import (
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
    OffsetFetchRequest,
    OffsetFetchTopic,
)
from tests.server.wire import DEADLINE_S, answer_in, framed

SESSION_MS = 45_000


class RawClient:
    """One blocking connection to one broker, with a name."""

    def __init__(self, cluster: Cluster, broker: int, name: str) -> None:
        self.name = name
        self.socket = socket.create_connection(cluster.server.addresses[broker], DEADLINE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection without a word, as a killed process does."""
        self.socket.close()

    def send(self, request: Any, version: int) -> None:
        self.socket.sendall(framed(request, version, client_id=self.name))

    def answer(self, request: Any, version: int) -> Any:
        (size,) = struct.unpack(">i", self._exactly(4))
        return answer_in(request, version, self._exactly(size))[1]

    def ask(self, request: Any, version: int) -> Any:
        self.send(request, version)
        return self.answer(request, version)

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            arrived = self.socket.recv(count - len(data))
            if not arrived:
                raise EOFError(f"{self.name} got {len(data)} of {count} bytes, then the end")
            data += arrived
        return bytes(data)

    def fetch(self, topic: str, partition: int, offset: int, *, max_wait_ms: int = 0) -> Any:
        return self.ask(fetch_request(topic, partition, offset, max_wait_ms=max_wait_ms), 11)


def fetch_request(topic: str, partition: int, offset: int, *, max_wait_ms: int = 0) -> FetchRequest:
    wanted = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=1 << 20)
    topics = [FetchTopic(topic=topic, partitions=[wanted])]
    return FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=1 << 20, topics=topics)


class RawMember(RawClient):
    """A consumer at its group's coordinator."""

    def __init__(
        self, cluster: Cluster, name: str, *, group: str = "billing", topics: Sequence[str] = ("orders",)
    ) -> None:
        super().__init__(cluster, cluster.coordinator_of(group).id, name)
        self.group = group
        self.topics = topics
        self.id = ""
        self.generation = -1

    def join_request(self) -> JoinGroupRequest:
        metadata = write_subscription(Subscription(topics=list(self.topics)))
        return JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=60_000,
            member_id=self.id,
            protocol_type="consumer",
            protocols=[JoinGroupProtocol(name="range", metadata=metadata)],
        )

    def send_join(self) -> None:
        """Ask to join; the answer comes when all are there."""
        self.send(self.join_request(), 3)

    def joined(self) -> Any:
        """Read that answer."""
        response = self.answer(self.join_request(), 3)
        self.id, self.generation = response.member_id, response.generation_id
        return response

    def join(self) -> Any:
        """Join a group that waits for nobody else."""
        self.send_join()
        return self.joined()

    def sync_request(self, assigned: Mapping[str, Mapping[str, list[int]]] | None = None) -> SyncGroupRequest:
        given = [
            SyncGroupAssignment(member_id=member, assignment=write_assignment(partitions))
            for member, partitions in (assigned or {}).items()
        ]
        return SyncGroupRequest(
            group_id=self.group, generation_id=self.generation, member_id=self.id, assignments=given
        )

    def lead(self, partitions: list[int], others: Mapping[str, list[int]] | None = None) -> None:
        """As the leader, take these partitions of the first topic, and give others theirs."""
        shares = {self.id: partitions, **(others or {})}
        assigned = {member: {self.topics[0]: share} for member, share in shares.items()}
        assert self.ask(self.sync_request(assigned), 1).error_code == 0

    def heartbeat(self) -> int:
        request = HeartbeatRequest(group_id=self.group, generation_id=self.generation, member_id=self.id)
        return int(self.ask(request, 1).error_code)

    def commit_request(self, topic: str, offsets: Mapping[int, int]) -> OffsetCommitRequest:
        partitions = [
            OffsetCommitPartition(partition_index=index, committed_offset=offset)
            for index, offset in offsets.items()
        ]
        return OffsetCommitRequest(
            group_id=self.group,
            generation_id_or_member_epoch=self.generation,
            member_id=self.id,
            topics=[OffsetCommitTopic(name=topic, partitions=partitions)],
        )

    def commit(self, topic: str, offsets: Mapping[int, int]) -> Any:
        return self.ask(self.commit_request(topic, offsets), 2)

    def send_commit(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Commit without waiting for the answer."""
        self.send(self.commit_request(topic, offsets), 2)

    def look_up(self, topic: str, *partitions: int) -> Any:
        """Ask what is committed, as a consumer does before it begins."""
        topics = [OffsetFetchTopic(name=topic, partition_indexes=list(partitions))]
        return self.ask(OffsetFetchRequest(group_id=self.group, topics=topics), 5)

    def leave(self) -> None:
        assert self.ask(LeaveGroupRequest(group_id=self.group, member_id=self.id), 1).error_code == 0


@contextlib.contextmanager
def members(cluster: Cluster, *names: str) -> Iterator[list[RawMember]]:
    """A stable group of these; partition n of orders belongs to the n-th."""
    with contextlib.ExitStack() as stack:
        group = [stack.enter_context(RawMember(cluster, name)) for name in names]
        for present, newcomer in enumerate(group):
            newcomer.send_join()
            for member in group[:present]:
                # The newcomer's request has begun a rebalance once somebody hears of it.
                while member.heartbeat() == 0:
                    pass
                member.send_join()
            for member in group[: present + 1]:
                member.joined()
        leader = group[0]
        for member in group[1:]:
            member.send(member.sync_request(), 1)
        leader.lead([0], {member.id: [n] for n, member in enumerate(group[1:], 1)})
        for member in group[1:]:
            assert member.answer(member.sync_request(), 1).error_code == 0
        yield group
