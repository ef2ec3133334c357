import pytest

from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import LeaveGroupMember, LeaveGroupRequest
from tests.core.groups.desk import GROUP, Client, Desk, gather, stable

E = ErrorCode


def test_several_members_leave_at_once_and_each_has_its_own_verdict() -> None:
    desk = Desk()
    a, b, c = Client(desk, "a"), Client(desk, "b"), Client(desk, "c")
    stable(desk, a, b, c)
    entries = [LeaveGroupMember(member_id=id) for id in ("nobody", a.member_id, b.member_id)]
    answer = desk.ask(LeaveGroupRequest(group_id=GROUP, members=entries)).answer
    assert answer.error_code == E.NONE
    assert [m.error_code for m in answer.members] == [E.UNKNOWN_MEMBER_ID, E.NONE, E.NONE]
    assert c.heartbeat() is E.REBALANCE_IN_PROGRESS
    assert c.join().answer.generation_id == 3, "one rebalance for both of them"


def test_leaving_nobody_is_no_error() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    answer = desk.ask(LeaveGroupRequest(group_id=GROUP, members=[])).answer
    assert (answer.error_code, answer.members, desk.state()) == (E.NONE, [], "Stable")


def test_from_a_missing_group_each_member_is_unknown() -> None:
    desk = Desk()
    entries = [LeaveGroupMember(member_id="a"), LeaveGroupMember(group_instance_id="i")]
    answer = desk.ask(LeaveGroupRequest(group_id=GROUP, members=entries)).answer
    assert (answer.error_code, [m.error_code for m in answer.members]) == (E.NONE, [E.UNKNOWN_MEMBER_ID] * 2)


def test_the_last_to_leave_is_answered_once_the_empty_group_is_replicated() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    desk.hold_replication()
    leaving = a.leave()
    assert not leaving.done
    assert leaving.why == "LeaveGroup: waiting for the empty group's record to be replicated"
    desk.release_replication()
    assert leaving.answer.members[0].error_code == E.NONE


def test_who_leaves_while_its_join_is_parked_is_told_that_it_is_unknown_now() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a)
    joining = b.enter()
    b.leave()
    assert (joining.error, joining.answer.member_id) == (E.UNKNOWN_MEMBER_ID, "")


def test_who_leaves_while_its_sync_is_parked_is_told_that_it_is_unknown_now() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    syncing = b.sync()
    b.leave()
    assert syncing.error is E.UNKNOWN_MEMBER_ID


def test_the_reasons_of_leaving_are_kept() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    b.leave(reason="scaled down")
    assert desk.group().reason == f"{b.member_id} (scaled down) left"


def test_a_test_may_end_a_session_now() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b", instance_id="i")
    stable(desk, a, b)
    desk.shard().expire(GROUP, "i")
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID
    assert a.heartbeat() is E.REBALANCE_IN_PROGRESS
    assert desk.group().reason == f"{b.member_id} was expired by the test"


def test_a_test_may_let_a_member_miss_a_rebalance() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    parked = a.join()
    desk.shard().evict(GROUP, b.member_id)
    assert parked.answer.generation_id == 3
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_a_static_member_cannot_be_evicted_because_it_may_miss_rebalances() -> None:
    desk = Desk()
    a = Client(desk, instance_id="i")
    stable(desk, a)
    with pytest.raises(UsageError, match="use expire"):
        desk.shard().evict(GROUP, "i")


def test_a_test_that_names_nobody_is_told_who_there_is() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    with pytest.raises(UsageError, match=f"has no member 'x': it has \\['{a.member_id}'\\]"):
        desk.shard().expire(GROUP, "x")
    with pytest.raises(UsageError, match="knows no group 'y'"):
        desk.shard().expire("y", "x")
