import pytest

from mockbroker.core.image import ConfigKind
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import SyncGroupResponse
from tests.core.groups.desk import Client, Desk, gather, share, stable

E = ErrorCode


def test_followers_wait_for_the_leader_and_all_get_their_share() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    parked = b.sync()
    assert not parked.done
    assignment = share([a.member_id, b.member_id])
    leads = a.sync(assignment)
    assert leads.answer.assignment == assignment[a.member_id]
    assert parked.answer == SyncGroupResponse(
        protocol_type="consumer", protocol_name="range", assignment=assignment[b.member_id]
    )
    assert desk.state() == "Stable"


def test_in_a_stable_group_the_assignment_is_told_at_once_and_again() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    assignment = stable(desk, a, b)
    assert b.sync().answer.assignment == assignment[b.member_id]
    assert a.sync({a.member_id: b"another idea"}).answer.assignment == assignment[a.member_id]


def test_who_is_left_out_by_the_leader_gets_nothing_and_no_error() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    a.sync({a.member_id: b"all"})
    assert (b.sync().error, b.sync().answer.assignment) == (E.NONE, b"")


def test_what_is_wrong_with_a_sync_is_told_in_kafkas_order() -> None:
    desk = Desk()
    a = Client(desk, "a")
    stable(desk, a)
    stranger = Client(desk, "b")
    stranger.member_id, stranger.generation = "nobody", 99
    assert stranger.sync(protocol_name="wrong").error is E.UNKNOWN_MEMBER_ID
    assert a.sync(generation=0, protocol_name="wrong").error is E.ILLEGAL_GENERATION
    Client(desk, "c").enter()
    assert a.sync(protocol_name="wrong").error is E.INCONSISTENT_GROUP_PROTOCOL
    assert a.sync(protocol_type="connect").error is E.INCONSISTENT_GROUP_PROTOCOL
    assert a.sync().error is E.REBALANCE_IN_PROGRESS
    assert Client(desk, group="nowhere").sync().error is E.UNKNOWN_MEMBER_ID
    assert Client(desk, group="").sync().error is E.INVALID_GROUP_ID


def test_from_version_5_on_the_protocol_must_be_named() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    assert a.sync(protocol_name=None).error is E.INCONSISTENT_GROUP_PROTOCOL
    refused = a.sync(protocol_type=None)
    assert refused.answer == SyncGroupResponse(error_code=E.INCONSISTENT_GROUP_PROTOCOL)
    assert a.sync(version=4, protocol_type=None, protocol_name=None).error is E.NONE


def test_an_assignment_counts_only_once_it_is_replicated() -> None:
    desk = Desk()
    a = Client(desk)
    gather(desk, a)
    desk.hold_replication()
    waiting = a.sync(share([a.member_id]))
    assert (waiting.done, desk.state()) == (False, "CompletingRebalance")
    assert waiting.why == f"SyncGroup of {a.member_id}: waiting for the group's record to be replicated"
    desk.release_replication()
    assert (waiting.error, desk.state()) == (E.NONE, "Stable")


def test_an_assignment_that_is_not_replicated_in_time_is_taken_back() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    follower = b.sync()
    desk.hold_replication()
    leader = a.sync(share([a.member_id, b.member_id]))
    desk.world.patience.advance(5000)
    assert leader.error is follower.error is E.COORDINATOR_NOT_AVAILABLE
    assert desk.state() == "PreparingRebalance"


def test_an_assignment_is_refused_while_too_few_replicas_are_in_sync() -> None:
    desk = Desk()
    a = Client(desk)
    gather(desk, a)
    desk.world.controller.alter_configs(ConfigKind.TOPIC, "__consumer_offsets", {"min.insync.replicas": "2"})
    desk.world.settle()
    for follower in desk.followers():
        desk.world.crash(follower)
    assert a.sync(share([a.member_id])).error is E.COORDINATOR_NOT_AVAILABLE
    assert desk.state() == "PreparingRebalance"


def test_an_assignment_of_yesterday_changes_nothing_when_it_is_replicated_at_last() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a)
    desk.hold_replication()
    waiting = a.sync({a.member_id: b"yesterday"})
    b.enter()
    assert waiting.error is E.REBALANCE_IN_PROGRESS
    desk.release_replication()
    assert desk.state() == "PreparingRebalance"
    assert desk.group().members[a.member_id].assignment == b""


@pytest.mark.parametrize("crash", [False, True])
def test_a_deposed_coordinator_sends_those_who_wait_to_the_next_one(crash: bool) -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    parked = b.sync()
    if crash:
        desk.fail_over()
        assert not parked.done, "its connection broke"
        return
    desk.hand_over()
    assert parked.error is E.NOT_COORDINATOR
