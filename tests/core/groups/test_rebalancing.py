from mockbroker.protocol.errors import ErrorCode
from tests.core.groups.desk import REBALANCE_MS, SESSION_MS, Client, Desk, gather, share, stable

E = ErrorCode
DELAY = "group.initial.rebalance.delay.ms"


def slow_start(delay_ms: int = 3000) -> Desk:
    return Desk(friendly=False, group_initial_rebalance_delay_ms=delay_ms)


def test_by_kafkas_defaults_the_first_join_waits_for_more_members() -> None:
    desk = slow_start()
    parked = Client(desk).enter()
    assert parked.why.endswith(f"waiting for more members, {DELAY}")
    desk.advance(2999)
    assert not parked.done
    desk.advance(1)
    assert parked.answer.generation_id == 1


def test_each_newcomer_prolongs_that_wait_up_to_the_rebalance_timeout() -> None:
    desk = slow_start()
    first = Client(desk, "a", rebalance_ms=7000).enter()
    desk.advance(2000)
    Client(desk, "b", rebalance_ms=7000).enter()
    desk.advance(1000)
    assert not first.done, "b came within the first 3 s: 3 s more"
    desk.advance(2000)
    Client(desk, "c", rebalance_ms=7000).enter()
    desk.advance(1000)
    assert not first.done, "c came within the next 3 s: 1 s more, the rest of 7 s"
    desk.advance(1000)
    assert first.answer.generation_id == 1
    assert len(first.answer.members) == 3


def test_tests_need_not_wait() -> None:
    assert Client(Desk()).enter().done


def test_generations_count_rebalances_from_one() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a)
    assert a.generation == 1
    b.enter()
    a.join()
    assert a.generation == 2


def test_the_others_are_told_to_join_again_and_may_take_until_the_rebalance_timeout() -> None:
    desk = Desk()
    a, b = Client(desk, "a", rebalance_ms=9000), Client(desk, "b", rebalance_ms=9000, session_ms=20_000)
    stable(desk, a, b)
    c = Client(desk, "c", rebalance_ms=9000)
    parked = c.enter()
    assert a.heartbeat() is E.REBALANCE_IN_PROGRESS
    again = a.join()
    desk.advance(8999)
    assert not parked.done
    desk.advance(1)
    assert parked.answer.generation_id == again.answer.generation_id == 3
    assert len(again.answer.members) == 2
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_members_that_wait_for_the_others_do_not_lose_their_sessions() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b", session_ms=600_000)
    stable(desk, a, b)
    parked = a.join()
    desk.advance(REBALANCE_MS - 1)
    assert not parked.done
    assert a.member_id in desk.group().members
    desk.advance(1)
    assert parked.answer.generation_id == 3


def test_a_silent_member_is_removed_at_its_session_timeout_and_the_rest_rebalance() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b", session_ms=6000)
    stable(desk, a, b)
    desk.advance(3000)
    assert a.heartbeat() is E.NONE
    desk.advance(3000)
    assert a.heartbeat() is E.REBALANCE_IN_PROGRESS
    assert a.join().answer.generation_id == 3
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_a_heartbeat_begins_the_session_anew() -> None:
    desk = Desk()
    a = Client(desk, session_ms=6000)
    stable(desk, a)
    for _ in range(5):
        desk.advance(5999)
        assert a.heartbeat() is E.NONE
    desk.advance(6000)
    assert a.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_a_silent_member_whose_going_completes_the_join_phase_does_not_hold_it_up() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b", session_ms=6000)
    stable(desk, a, b)
    parked = a.join()
    desk.advance(6000)
    assert parked.answer.generation_id == 3


def test_an_id_that_was_handed_out_holds_the_join_phase_up_until_it_is_used_or_void() -> None:
    desk = Desk()
    a = Client(desk, "a")
    stable(desk, a)
    pending = Client(desk, "b", session_ms=8000)
    pending.join()
    parked = a.join()
    assert parked.why == f"JoinGroup of {a.member_id}: waiting for {pending.member_id} to use its new id"
    desk.advance(8000)
    assert parked.answer.generation_id == 2


def test_an_id_that_leaves_unused_completes_the_join_phase() -> None:
    desk = Desk()
    a, pending = Client(desk, "a"), Client(desk, "b")
    stable(desk, a)
    pending.join()
    parked = a.join()
    pending.leave()
    assert parked.answer.generation_id == 2


def test_a_leader_that_does_not_come_back_is_replaced() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    a.leave()
    answer = b.join().answer
    assert answer.leader == b.member_id
    assert len(answer.members) == 1


def test_a_group_whose_last_member_leaves_is_empty_in_a_new_generation() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    a.leave()
    group = desk.group()
    assert (group.state.value, group.generation, group.protocol) == ("Empty", 2, None)
    back = Client(desk)
    assert back.enter().answer.generation_id == 3


def test_members_that_do_not_ask_for_their_assignment_are_removed_after_the_rebalance_timeout() -> None:
    desk = Desk()
    leader = Client(desk, "a", rebalance_ms=9000, session_ms=30_000)
    follower = Client(desk, "b", rebalance_ms=9000, session_ms=30_000)
    gather(desk, leader, follower)
    waiting = follower.sync()
    assert (
        waiting.why
        == f"SyncGroup of {follower.member_id}: waiting for the assignment of the leader, {leader.member_id}"
    )
    desk.advance(8999)
    assert not waiting.done
    desk.advance(1)
    assert waiting.error is E.REBALANCE_IN_PROGRESS
    assert desk.state() == "PreparingRebalance"
    assert leader.heartbeat() is E.UNKNOWN_MEMBER_ID
    assert follower.join().answer.leader == follower.member_id


def test_a_follower_that_never_asks_is_removed_though_the_group_was_stable() -> None:
    desk = Desk()
    leader = Client(desk, "a", rebalance_ms=9000, session_ms=30_000)
    follower = Client(desk, "b", rebalance_ms=9000, session_ms=30_000)
    gather(desk, leader, follower)
    leader.sync(share([leader.member_id, follower.member_id]))
    assert desk.state() == "Stable"
    desk.advance(9000)
    assert desk.state() == "PreparingRebalance"
    assert follower.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_members_that_all_asked_for_their_assignment_are_left_in_peace() -> None:
    desk = Desk()
    a = Client(desk, session_ms=600_000, rebalance_ms=9000)
    stable(desk, a)
    desk.advance(60_000)
    assert a.heartbeat() is E.NONE


def test_static_members_that_do_not_come_back_stay_until_their_sessions_end() -> None:
    desk = Desk()
    a = Client(desk, "a", instance_id="i", session_ms=30_000, rebalance_ms=9000)
    b = Client(desk, "b", session_ms=30_000, rebalance_ms=9000)
    stable(desk, a, b)
    b.protocols |= {"sticky": b""}
    parked = b.join()
    desk.advance(9000)
    answer = b.take(parked)
    assert (answer.generation_id, answer.leader) == (3, b.member_id), "who is absent cannot lead"
    assert [m.group_instance_id for m in answer.members] == ["i", None]
    desk.advance(21_000)
    assert a.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_a_rebalance_of_absent_static_members_only_waits_on() -> None:
    desk = Desk()
    a = Client(desk, "a", instance_id="i", session_ms=30_000, rebalance_ms=9000)
    b = Client(desk, "b", rebalance_ms=9000)
    stable(desk, a, b)
    b.leave()
    desk.advance(9000)
    assert (desk.state(), desk.group().generation) == ("PreparingRebalance", 2)
    desk.advance(9000)
    assert desk.state() == "PreparingRebalance"
    assert a.join().answer.generation_id == 3


def test_a_paused_coordinator_does_not_act_on_what_was_called_off_meanwhile() -> None:
    desk = Desk()
    a, b = Client(desk, "a", session_ms=SESSION_MS), Client(desk, "b", session_ms=SESSION_MS)
    stable(desk, a, b)
    coordinator = desk.coordinator()
    a.join()
    desk.world.pause(coordinator.id, noticed_ms=10**9)
    desk.advance(
        REBALANCE_MS
    )  # the session of b and the rebalance end at different times, both while it sleeps
    desk.world.resume(coordinator.id)
    assert (desk.group().generation, list(desk.group().members)) == (3, [a.member_id])
    assert desk.state() == "CompletingRebalance"
