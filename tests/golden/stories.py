"""Tests that fail on purpose, each for a reason that its report is to tell; run by test_reports.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mockbroker import Cluster
from mockbroker.protocol.messages.offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from tests.handles.members import RawClient, RawMember, members
from tests.server.wire import eventually, produce


@contextmanager
def noticed(cluster: Cluster) -> Iterator[None]:
    """Let the brokers notice that every client has hung up, before anything is told of it."""
    try:
        yield
    finally:
        eventually(lambda: cluster.do(lambda: not cluster.server.connections))


def resolve_latest(member: RawMember, client: RawClient) -> int:
    """Ask what is committed and, as nothing is, where the end is, as a consumer does that begins at latest."""
    member.look_up("orders", 0)
    wanted = ListOffsetsTopic(name="orders", partitions=[ListOffsetsPartition(timestamp=-1)])
    answer = client.ask(ListOffsetsRequest(replica_id=-1, topics=[wanted]), 2)
    return int(answer.topics[0].partitions[0].offset)


def latest_race(mockbroker: Cluster) -> None:
    """A record is produced before the consumer knows where latest is."""
    mockbroker.topic("orders").create()
    with noticed(mockbroker), members(mockbroker, "app-a") as (app,):
        mockbroker.topic("orders").append("o-1", b'{"total": 9}')
        with RawClient(mockbroker, mockbroker.leader_of("orders").id, "app-a") as reader:
            reader.fetch("orders", 0, resolve_latest(app, reader))
            mockbroker.group("billing").wait_committed("orders", {0: 1}, timeout="100ms")


def zombie_commit(mockbroker: Cluster) -> None:
    """A member that was put out of its group commits what it has done meanwhile."""
    mockbroker.topic("orders").create()
    with noticed(mockbroker), members(mockbroker, "app-a") as (a,), RawMember(mockbroker, "app-b") as b:
        a.commit("orders", {0: 3})
        mockbroker.clock.advance("45s", keep_alive=False)
        b.join()
        b.lead([0])
        answer = a.commit("orders", {0: 7})
        assert answer.topics[0].partitions[0].error_code == 0


def stuck_rebalance(mockbroker: Cluster) -> None:
    """A member is busy, and a rebalance waits for it."""
    mockbroker.topic("orders").create(partitions=2)
    with noticed(mockbroker), members(mockbroker, "app-a") as (a,), RawMember(mockbroker, "app-b") as b:
        b.send_join()
        eventually(lambda: mockbroker.group("billing").state == "PreparingRebalance")
        assert a.heartbeat() != 0
        mockbroker.group("billing").wait_stable(members=2, timeout="100ms")


def held_request(mockbroker: Cluster) -> None:
    """A gate is never opened, and a commit behind it does not arrive."""
    mockbroker.topic("orders").create()
    gate = mockbroker.faults.on("OffsetCommit", group="billing", name="commits").hold()
    with noticed(mockbroker), members(mockbroker, "app-a") as (app,):
        app.send_commit("orders", {0: 1})
        gate.wait_arrived()
        mockbroker.group("billing").wait_committed("orders", {0: 1}, timeout="100ms")


def never_hit(mockbroker: Cluster) -> None:
    """A rule is armed for a topic that is not the one."""
    mockbroker.topic("orders").create()
    with (
        noticed(mockbroker),
        mockbroker.faults.on("Produce", topic="order").fail("NOT_LEADER_OR_FOLLOWER"),
        RawClient(mockbroker, mockbroker.leader_of("orders").id, "app-a") as app,
    ):
        answer = app.ask(produce("orders", b"paid"), 9)
        assert answer.responses[0].partition_responses[0].error_code != 0
