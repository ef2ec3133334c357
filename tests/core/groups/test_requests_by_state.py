"""What each request is answered in each state of a classic group, by a member that is in order."""

import pytest

from mockbroker.core.groups.classic import State
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import (
    DeleteGroupsRequest,
    DescribeGroupsRequest,
    LeaveGroupRequest,
    OffsetDeletePartition,
    OffsetDeleteRequest,
    OffsetDeleteTopic,
)
from tests.core.groups.desk import (
    GROUP,
    TOPIC,
    Asked,
    Client,
    Desk,
    error_of_commit,
    gather,
    stable,
)

E = ErrorCode
MISSING, EMPTY, PREPARING, COMPLETING, STABLE, DEAD = (
    "missing", "Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead",
)  # fmt: skip


def member_in(state: str) -> Client:
    """A member that is in order, of a group in this state; where there can be none, one that never was."""
    desk = Desk()
    a = Client(desk, "a")
    match state:
        case "missing":
            a.member_id, a.generation = "me", 1
        case "Empty":
            stable(desk, a)
            a.leave()
        case "PreparingRebalance":
            stable(desk, a)
            Client(desk, "b").enter()
        case "CompletingRebalance":
            gather(desk, a)
        case "Stable":
            stable(desk, a)
        case "Dead":
            stable(desk, a)
            # Nobody can see a dead group for longer than a step; this one is kept from being buried.
            desk.group().enter(State.DEAD, desk.world.clock.now)
    if state != MISSING:
        assert desk.state() == state
    return a


def offset_delete(desk: Desk, topic: str = TOPIC) -> Asked:
    part = OffsetDeleteTopic(name=topic, partitions=[OffsetDeletePartition(partition_index=0)])
    return desk.ask(OffsetDeleteRequest(group_id=GROUP, topics=[part]))


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 25), (EMPTY, 25), (PREPARING, 27), (COMPLETING, 0), (STABLE, 0), (DEAD, 15)],
)
def test_sync_group(state: str, error: int) -> None:
    assert member_in(state).sync().error == error


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 25), (EMPTY, 25), (PREPARING, 27), (COMPLETING, 0), (STABLE, 0), (DEAD, 15)],
)
def test_heartbeat(state: str, error: int) -> None:
    assert member_in(state).heartbeat() == error


@pytest.mark.parametrize(
    ("state", "error"),
    [(PREPARING, 22), (COMPLETING, 22), (STABLE, 22)],
)
def test_heartbeat_of_another_generation(state: str, error: int) -> None:
    member = member_in(state)
    assert member.heartbeat(generation=member.generation - 1) == error


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 25), (EMPTY, 25), (PREPARING, 0), (COMPLETING, 0), (STABLE, 0)],
)
def test_leave_group(state: str, error: int) -> None:
    member = member_in(state)
    answer = member.leave().answer
    assert (answer.error_code, [m.error_code for m in answer.members]) == (0, [error])


def test_leave_group_of_a_dead_group() -> None:
    assert member_in(DEAD).leave().error is E.COORDINATOR_NOT_AVAILABLE


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 25), (EMPTY, 25), (PREPARING, 0), (COMPLETING, 0), (STABLE, 0), (DEAD, 15)],
)
def test_leave_group_before_batches(state: str, error: int) -> None:
    member = member_in(state)
    assert member.desk.ask(LeaveGroupRequest(group_id=GROUP, member_id=member.member_id), 2).error == error


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 69), (EMPTY, 25), (PREPARING, 0), (COMPLETING, 27), (STABLE, 0), (DEAD, 15)],
)
def test_offset_commit(state: str, error: int) -> None:
    assert member_in(state).commit(1) == error


def test_offset_commit_of_older_clients_to_a_missing_group() -> None:
    assert member_in(MISSING).commit(1, version=8) is E.ILLEGAL_GENERATION


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 0), (EMPTY, 0), (PREPARING, 25), (COMPLETING, 25), (STABLE, 25), (DEAD, 15)],
)
def test_offset_commit_by_nobody_in_particular(state: str, error: int) -> None:
    assert error_of_commit(member_in(state).desk.commit(1)) == error


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 0), (EMPTY, 0), (PREPARING, 22), (COMPLETING, 22), (STABLE, 22)],
)
def test_offset_commit_by_a_member_without_generation(state: str, error: int) -> None:
    assert member_in(state).commit(1, generation=-1) == error


@pytest.mark.parametrize(
    ("state", "error"),
    [(EMPTY, 25), (PREPARING, 25), (COMPLETING, 25), (STABLE, 25)],
)
def test_offset_commit_with_a_generation_and_without_a_member(state: str, error: int) -> None:
    assert error_of_commit(member_in(state).desk.commit(1, generation=1)) == error


@pytest.mark.parametrize("state", [MISSING, EMPTY, PREPARING, COMPLETING, STABLE])
def test_offset_fetch(state: str) -> None:
    desk = member_in(state).desk
    assert desk.committed() == -1


@pytest.mark.parametrize(
    ("state", "top", "inner"),
    [
        (MISSING, 69, []),
        (EMPTY, 0, [0]),
        (PREPARING, 0, [86]),
        (COMPLETING, 0, [86]),
        (STABLE, 0, [86]),
        (DEAD, 69, []),
    ],
)
def test_offset_delete_of_a_subscribed_topic(state: str, top: int, inner: list[int]) -> None:
    answer = offset_delete(member_in(state).desk).answer
    assert (answer.error_code, [p.error_code for t in answer.topics for p in t.partitions]) == (top, inner)


@pytest.mark.parametrize(
    ("state", "error"),
    [(MISSING, 69), (EMPTY, 0), (PREPARING, 68), (COMPLETING, 68), (STABLE, 68), (DEAD, 69)],
)
def test_delete_groups(state: str, error: int) -> None:
    answer = member_in(state).desk.ask(DeleteGroupsRequest(groups_names=[GROUP])).answer
    assert [(r.group_id, r.error_code) for r in answer.results] == [(GROUP, error)]


@pytest.mark.parametrize(
    ("state", "told", "protocol", "metadata", "assignment"),
    [
        (MISSING, "Dead", "", False, False),
        (EMPTY, "Empty", "", False, False),
        (PREPARING, "PreparingRebalance", "", False, True),
        (COMPLETING, "CompletingRebalance", "", False, False),
        (STABLE, "Stable", "range", True, True),
    ],
)
def test_describe_groups(state: str, told: str, protocol: str, metadata: bool, assignment: bool) -> None:
    member = member_in(state)
    (group,) = member.desk.ask(DescribeGroupsRequest(groups=[GROUP]), 5).answer.groups
    assert (group.error_code, group.group_state, group.protocol_data) == (0, told, protocol)
    mine = [m for m in group.members if m.member_id == member.member_id]
    assert any(m.member_metadata for m in mine) is metadata
    assert any(m.member_assignment for m in mine) is assignment
