from __future__ import annotations

import pytest

from mockbroker import Cluster, UsageError
from mockbroker.handles.group_snapshot import GroupSnapshot
from mockbroker.waiting import Condition
from tests.handles.members import RawMember, members


def emptied(cluster: Cluster) -> Condition[GroupSnapshot]:
    group = cluster.group("billing")

    def look() -> GroupSnapshot | None:
        found = group.snapshot()
        return found if not found.members else None

    return Condition("the group to be empty", look, lambda: str(group.snapshot()))


def test_a_frozen_clock_moves_when_it_is_told_to_and_no_other_time(mockbroker: Cluster) -> None:
    clock = mockbroker.clock
    assert [clock.frozen] == [False]
    clock.freeze()
    assert [clock.frozen] == [True]
    before = clock.now
    assert clock.now == before
    clock.advance("1500ms")
    assert clock.now == pytest.approx(before + 1.5)
    clock.advance(2)
    assert clock.now == pytest.approx(before + 3.5)
    clock.thaw()
    assert [clock.frozen] == [False]
    assert clock.now >= before + 3.5


def test_a_member_that_is_there_is_kept_alive_on_the_way(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    with members(mockbroker, "a") as (member,):
        mockbroker.clock.advance("1d")
        assert member.heartbeat() == 0
        assert mockbroker.group("billing").generation == 1


def test_nobody_is_spared_when_nobody_is_to_be(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    with members(mockbroker, "a") as (member,):
        mockbroker.clock.advance("44s", keep_alive=False)
        assert member.heartbeat() == 0
        mockbroker.clock.advance("45s", keep_alive=False)
        assert mockbroker.group("billing").state == "Empty"


def test_ghosts_are_not_spared_either_and_join_again(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    group = mockbroker.group("billing")
    ghost = group.join_ghost(topics=["orders"])
    group.wait_stable(members=1)
    before = ghost.id

    mockbroker.clock.advance("44s", keep_alive=False)
    mockbroker.clock.advance("44s", keep_alive=False)  # a heartbeat came between the two
    assert ghost.id == before

    mockbroker.clock.advance("45s", keep_alive=False)
    group.wait_stable(members=1)
    assert ghost.id != before
    assert ghost.state == "a member"


def test_a_silent_ghost_stays_silent_when_time_jumps(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    ghost = mockbroker.group("billing").join_ghost(topics=["orders"])
    ghost.silence()
    mockbroker.clock.advance("45s", keep_alive=False)
    assert mockbroker.group("billing").state == "Empty"


def test_a_member_that_hung_up_is_gone_after_its_session_timeout(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    with members(mockbroker, "a") as (member,):
        member.hang_up()
        mockbroker.clock.advance("44s")
        assert mockbroker.group("billing").state == "Stable"
        mockbroker.clock.advance("1s")
        assert mockbroker.group("billing").state == "Empty"


def test_a_member_whose_end_is_seen_late_was_not_alive(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    with members(mockbroker, "a") as (member,):
        mockbroker.clock.advance("1h")
        assert len(mockbroker.group("billing").members) == 1
        member.hang_up()  # without a word since long before: it was dead, and only looked alive
        mockbroker.wait(emptied(mockbroker))


def test_a_member_that_spoke_after_a_jump_has_its_whole_session_when_it_hangs_up(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    with members(mockbroker, "a") as (member,), RawMember(mockbroker, "witness", group="other") as witness:
        mockbroker.clock.advance("1h")
        assert member.heartbeat() == 0
        member.hang_up()
        mockbroker.clock.advance("44s")
        witness.join()  # whatever the end of that connection does has been done by now
        assert len(mockbroker.group("billing").members) == 1
        mockbroker.clock.advance("1s")
        assert mockbroker.group("billing").state == "Empty"


def test_time_does_not_go_back(mockbroker: Cluster) -> None:
    with pytest.raises(UsageError, match=r"^-1 is no duration: give a number of seconds from 0 up$"):
        mockbroker.clock.advance(-1)
