import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import LeaveGroupMember, LeaveGroupRequest
from tests.core.groups.desk import SESSION_MS, Client, Desk, error_of_commit, gather, stable

E = ErrorCode


def static(desk: Desk, name: str) -> Client:
    return Client(desk, name, instance_id=f"instance-{name}")


def restarted(client: Client) -> Client:
    """The same static consumer in a new process: it knows its instance id, and no member id."""
    return Client(client.desk, client.client_id, instance_id=client.instance_id, protocols=client.protocols)


def test_a_restarted_member_takes_its_place_without_a_rebalance() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    assignment = stable(desk, a, b)
    again = restarted(b)
    answer = again.join().answer
    assert (answer.error_code, answer.generation_id, answer.members) == (E.NONE, 2, [])
    assert answer.member_id not in ("", b.member_id)
    assert again.sync().answer.assignment == assignment[b.member_id]
    assert (a.heartbeat(), desk.state()) == (E.NONE, "Stable")


def test_the_old_id_of_a_restarted_member_is_fenced_everywhere() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    restarted(b).join()
    assert b.heartbeat() is E.FENCED_INSTANCE_ID
    assert b.sync().error is E.FENCED_INSTANCE_ID
    assert b.commit(1) is E.FENCED_INSTANCE_ID
    assert b.join().error is E.FENCED_INSTANCE_ID
    assert b.leave().answer.members[0].error_code == E.FENCED_INSTANCE_ID
    b.instance_id = "unheard of"
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_a_restarted_leader_is_told_to_skip_the_assignment() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    assignment = stable(desk, a, b)
    again = restarted(a)
    answer = again.join(9).answer
    assert (answer.skip_assignment, answer.leader) == (True, again.member_id)
    assert [m.member_id for m in answer.members] == [again.member_id, b.member_id]
    assert again.sync().answer.assignment == assignment[a.member_id]


def test_an_older_restarted_leader_is_made_to_believe_that_it_follows() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    answer = restarted(a).join(5).answer
    assert (answer.leader, answer.members) == (a.member_id, [])
    assert desk.group().leader == answer.member_id


def test_a_restart_that_changes_metadata_but_not_the_vote_is_silent() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    again = restarted(b)
    again.protocols = {"range": b"something else"}
    assert again.join().answer.generation_id == 2
    assert desk.state() == "Stable"


def test_a_restart_that_changes_the_vote_is_a_rebalance() -> None:
    desk = Desk()
    both = {"range": b"", "sticky": b""}
    a, b = static(desk, "a"), static(desk, "b")
    a.protocols, b.protocols = dict(both), dict(both)
    stable(desk, a, b)
    again = restarted(b)
    again.protocols = {"sticky": b""}
    parked = again.join()
    assert (parked.done, desk.state()) == (False, "PreparingRebalance")
    a.join()
    assert parked.answer.protocol_name == "sticky"


def test_a_restart_while_the_leader_assigns_is_a_rebalance() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    gather(desk, a, b)
    waiting = b.sync()
    parked = restarted(b).join()
    assert waiting.error is E.FENCED_INSTANCE_ID
    assert (parked.done, desk.state()) == (False, "PreparingRebalance")


def test_a_restart_during_a_rebalance_takes_the_parked_place() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    first = a.join()
    again = restarted(a)
    second = again.join()
    assert first.error is E.FENCED_INSTANCE_ID
    assert first.answer.member_id == a.member_id
    b.join()
    assert second.answer.generation_id == 3


def test_of_two_members_with_one_instance_id_the_older_is_fenced() -> None:
    desk = Desk()
    older = static(desk, "a")
    stable(desk, older)
    newer = restarted(older)
    newer.join()
    assert older.heartbeat() is E.FENCED_INSTANCE_ID
    assert newer.heartbeat() is E.NONE


def test_a_static_member_that_is_back_within_its_session_was_never_away() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    desk.advance(SESSION_MS - 1)
    a.heartbeat()
    again = restarted(b)
    again.join()
    desk.advance(SESSION_MS - 1)
    assert (again.heartbeat(), a.heartbeat()) == (E.NONE, E.NONE)
    assert desk.group().generation == 2


def test_a_static_member_that_stays_away_is_removed_at_its_session_timeout() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    desk.advance(SESSION_MS // 2)
    a.heartbeat()
    desk.advance(SESSION_MS // 2)
    assert a.heartbeat() is E.REBALANCE_IN_PROGRESS
    assert desk.group().static == {"instance-a": a.member_id}


def test_an_administrator_removes_a_static_member_by_its_instance_alone() -> None:
    desk = Desk()
    a = static(desk, "a")
    stable(desk, a)
    entries = [LeaveGroupMember(group_instance_id="instance-a"), LeaveGroupMember(group_instance_id="other")]
    answer = desk.ask(LeaveGroupRequest(group_id=a.group, members=entries)).answer
    assert [(m.member_id, m.group_instance_id, m.error_code) for m in answer.members] == [
        ("", "instance-a", E.NONE),
        ("", "other", E.UNKNOWN_MEMBER_ID),
    ]
    assert desk.state() == "Empty"


def test_a_restart_is_answered_only_once_it_is_replicated_and_undone_if_it_never_is() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    desk.hold_replication()
    parked = restarted(b).join()
    assert parked.why.endswith("waiting for the group's record to be replicated")
    desk.world.patience.advance(5000)
    assert (parked.error, parked.answer.member_id) == (E.COORDINATOR_NOT_AVAILABLE, "")
    assert b.heartbeat() is E.NONE, "its old id counts again"
    assert desk.group().static["instance-b"] == b.member_id


def test_a_restart_survives_the_coordinator() -> None:
    desk = Desk()
    a, b = static(desk, "a"), static(desk, "b")
    stable(desk, a, b)
    again = restarted(b)
    again.join()
    desk.fail_over()
    assert (again.heartbeat(), b.heartbeat()) == (E.NONE, E.FENCED_INSTANCE_ID)


@pytest.mark.parametrize("instance_id", ["instance-a", None])
def test_a_static_member_may_commit_with_or_without_naming_itself(instance_id: str | None) -> None:
    desk = Desk()
    a = static(desk, "a")
    stable(desk, a)
    asked = desk.commit(1, member_id=a.member_id, generation=1, instance_id=instance_id)
    assert error_of_commit(asked) is E.NONE
