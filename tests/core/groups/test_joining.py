import pytest

from mockbroker.core.image import ConfigKind
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import JoinGroupResponse
from tests.core.groups.desk import REBALANCE_MS, SESSION_MS, Client, Desk, error_of_commit, gather, stable

E = ErrorCode


def test_a_dynamic_member_is_first_given_an_id_and_the_group_exists_from_then_on() -> None:
    desk = Desk()
    client = Client(desk, "app")
    answer = client.join(4).answer
    assert (answer.error_code, answer.generation_id, answer.leader) == (E.MEMBER_ID_REQUIRED, -1, "")
    assert answer.member_id.startswith("app-")
    assert len(answer.member_id) == len("app-") + 36
    assert (desk.state(), desk.group().members) == ("Empty", {})
    assert client.join(4).answer.generation_id == 1


@pytest.mark.parametrize("version", range(4))
def test_older_clients_join_without_that_detour(version: int) -> None:
    answer = Client(Desk(), "app").join(version).answer
    assert (answer.error_code, answer.generation_id) == (E.NONE, 1)
    assert answer.leader == answer.member_id
    assert len(answer.members) == 1


def test_a_static_member_joins_without_that_detour_under_its_instance_id() -> None:
    answer = Client(Desk(), "app", instance_id="i").join(5).answer
    assert answer.error_code == E.NONE
    assert answer.member_id.startswith("i-")
    assert answer.members[0].group_instance_id == "i"


def test_an_id_that_is_not_used_within_the_session_timeout_is_void() -> None:
    desk = Desk()
    client = Client(desk)
    client.join()
    desk.advance(SESSION_MS)
    assert client.join().error is E.UNKNOWN_MEMBER_ID


def test_an_id_that_is_not_used_yet_can_leave_and_nothing_else() -> None:
    desk = Desk()
    client = Client(desk)
    client.join()
    assert client.heartbeat(generation=0) is E.UNKNOWN_MEMBER_ID
    assert client.sync().error is E.UNKNOWN_MEMBER_ID
    assert error_of_commit(desk.commit(1, member_id=client.member_id)) is E.NONE
    assert client.leave().answer.members[0].error_code == E.NONE
    assert client.join().error is E.UNKNOWN_MEMBER_ID


def test_an_id_that_was_handed_out_may_still_be_used_when_all_members_have_left() -> None:
    desk = Desk()
    member, newcomer = Client(desk, "a"), Client(desk, "b")
    stable(desk, member)
    newcomer.join()
    assert member.leave().answer.members[0].error_code == E.NONE
    assert desk.state() == "PreparingRebalance"  # for the newcomer, whose id is out
    assert newcomer.join().answer.leader == newcomer.member_id
    assert Client(desk, "c", protocol_type="connect").join().error is E.INCONSISTENT_GROUP_PROTOCOL


def test_a_handed_out_id_does_not_suit_a_static_member() -> None:
    desk = Desk()
    client = Client(desk)
    client.join()
    client.instance_id = "i"
    assert client.join().error is E.UNKNOWN_SERVER_ERROR


def test_a_group_needs_a_name_and_members_a_reasonable_session() -> None:
    desk = Desk()
    assert Client(desk, group="").join().error is E.INVALID_GROUP_ID
    for session_ms in (5000, 5999, 1_800_001):
        asked = Client(desk, session_ms=session_ms).join(member_id="me")
        assert (asked.error, asked.answer.member_id) == (E.INVALID_SESSION_TIMEOUT, "me")
    for session_ms in (6000, 1_800_000):
        assert Client(Desk(), session_ms=session_ms).enter().error is E.NONE


def test_nobody_is_a_member_of_a_group_that_does_not_exist() -> None:
    asked = Client(Desk()).join(member_id="me")
    assert asked.error is E.UNKNOWN_MEMBER_ID
    assert asked.answer == JoinGroupResponse(
        error_code=E.UNKNOWN_MEMBER_ID, member_id="me", protocol_name=None, protocol_type=None
    )


def test_before_version_7_an_error_has_an_empty_protocol_name() -> None:
    assert Client(Desk()).join(6, member_id="me").answer.protocol_name == ""


def test_a_member_must_share_a_protocol_with_the_group() -> None:
    desk = Desk()
    member = Client(desk, "a")
    stable(desk, member)
    assert Client(desk, "b", protocols={"sticky": b""}).join().error is E.INCONSISTENT_GROUP_PROTOCOL
    assert Client(desk, "b", protocol_type="connect").join().error is E.INCONSISTENT_GROUP_PROTOCOL
    assert Client(desk, "b", protocols={}).join().error is E.INCONSISTENT_GROUP_PROTOCOL
    assert (member.heartbeat(), desk.state()) == (E.NONE, "Stable")


def test_a_new_group_needs_a_protocol_type_and_a_protocol() -> None:
    desk = Desk()
    assert Client(desk, protocols={}).join().error is E.INCONSISTENT_GROUP_PROTOCOL
    assert Client(desk, protocol_type="").join().error is E.INCONSISTENT_GROUP_PROTOCOL


def test_a_lone_member_may_reorder_its_protocols_but_not_exchange_them_all() -> None:
    desk = Desk()
    member = Client(desk, protocols={"range": b"", "sticky": b""})
    stable(desk, member)
    member.protocols = {"other": b""}
    assert member.join().error is E.INCONSISTENT_GROUP_PROTOCOL
    member.protocols = {"range": b""}
    member.protocol_type = "connect"
    assert member.join().error is E.INCONSISTENT_GROUP_PROTOCOL
    member.protocol_type = "consumer"
    member.protocols = {"sticky": b"", "other": b""}
    assert member.join().answer.protocol_name == "sticky"


def test_a_full_group_takes_nobody_and_its_members_notice_nothing() -> None:
    desk = Desk(group_max_size=2)
    members = [Client(desk, "a"), Client(desk, "b")]
    stable(desk, *members)
    asked = Client(desk, "c").join()
    assert (asked.error, asked.answer.member_id) == (E.GROUP_MAX_SIZE_REACHED, "")
    assert [member.heartbeat() for member in members] == [E.NONE, E.NONE]


def test_only_the_leader_is_told_the_members() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    a.enter()
    parked = b.enter()
    assert not parked.done
    leads, follows = a.join().answer, parked.answer
    assert (leads.generation_id, follows.generation_id) == (2, 2)
    assert leads.leader == follows.leader == leads.member_id
    assert [m.member_id for m in leads.members] == [leads.member_id, follows.member_id]
    assert follows.members == []
    assert (follows.protocol_type, follows.protocol_name) == ("consumer", "range")


def test_a_parked_join_says_whom_it_waits_for() -> None:
    desk = Desk()
    a, b, c = Client(desk, "a"), Client(desk, "b"), Client(desk, "c")
    stable(desk, a)
    parked = b.enter()
    assert parked.why == f"JoinGroup of {b_id(desk)}: waiting for {a.member_id} to rejoin"
    c.join()
    assert parked.why.endswith(f"{a.member_id} to rejoin, {c.member_id} to use its new id")


def b_id(desk: Desk) -> str:
    return list(desk.group().members)[1]


def test_a_follower_that_repeats_its_join_is_told_the_current_generation() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    answer = b.join().answer
    assert (answer.error_code, answer.generation_id, answer.members) == (E.NONE, 2, [])
    assert desk.state() == "Stable"


def test_a_follower_with_other_protocols_causes_a_rebalance() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    b.protocols = {"range": b"\0\0\0\0\0\0\0\0\0\0"}
    assert not b.join().done
    assert a.heartbeat() is E.REBALANCE_IN_PROGRESS


def test_a_leader_that_joins_again_causes_a_rebalance_whatever_it_says() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    parked = a.join()
    assert not parked.done
    assert b.heartbeat() is E.REBALANCE_IN_PROGRESS
    b.join()
    assert parked.answer.generation_id == 3
    assert parked.answer.leader == a.member_id


def test_while_the_generation_waits_for_its_leader_a_lost_answer_is_repeated() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    again = a.join().answer
    assert (again.generation_id, len(again.members)) == (2, 2)
    assert (b.join().answer.generation_id, b.join().answer.members) == (2, [])
    assert desk.state() == "CompletingRebalance"


def test_while_the_generation_waits_for_its_leader_a_change_of_protocols_starts_over() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    waiting = b.sync()
    a.protocols = {"range": b"", "sticky": b""}
    assert not a.join().done
    assert waiting.error is E.REBALANCE_IN_PROGRESS
    assert desk.state() == "PreparingRebalance"


def test_a_second_join_of_the_same_member_takes_over_and_the_first_is_never_answered() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    first = a.join()
    second = a.join()
    b.join()
    assert second.answer.generation_id == 3
    assert not first.done
    assert "took its place" in first.why


def test_the_reason_of_a_rebalance_is_kept_with_the_clients_own() -> None:
    desk = Desk()
    a = Client(desk, "a")
    stable(desk, a)
    a.join(reason="new partitions")
    assert desk.group().reason == f"{a.member_id}, the leader, joined again (new partitions)"


def test_the_oldest_clients_rebalance_timeout_is_their_session_timeout() -> None:
    desk = Desk()
    Client(desk, session_ms=20_000, rebalance_ms=REBALANCE_MS).join(0)
    assert desk.group().rebalance_timeout_ms == 20_000


def test_a_newcomer_that_is_kept_waiting_for_five_minutes_is_sent_away() -> None:
    desk = Desk()
    a = Client(desk, "a", session_ms=600_000, rebalance_ms=600_000)
    stable(desk, a)
    newcomer = Client(desk, "b", rebalance_ms=600_000).enter()
    desk.advance(5 * 60_000 - 1)
    assert not newcomer.done
    desk.advance(1)
    assert newcomer.error is E.UNKNOWN_MEMBER_ID
    assert newcomer.answer.member_id == ""


def test_a_group_that_cannot_be_written_down_takes_no_members() -> None:
    desk = Desk()
    shard = desk.shard()
    desk.world.controller.alter_configs(ConfigKind.TOPIC, "__consumer_offsets", {"min.insync.replicas": "2"})
    desk.world.settle()
    for follower in desk.followers():
        desk.world.crash(follower)
    asked = Client(desk).join()
    assert asked.error is E.COORDINATOR_NOT_AVAILABLE
    assert shard.groups == {}
