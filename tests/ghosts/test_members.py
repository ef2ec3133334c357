from __future__ import annotations

import pytest

from mockbroker import KafkaError, UsageError
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.ticket import Disconnect
from mockbroker.ghosts.member import Phase
from mockbroker.ghosts.reading import Reader
from mockbroker.protocol.apis import Api
from mockbroker.protocol.messages.groups import LeaveGroupMember
from tests.ghosts.haunted import SESSION_MS, Haunted, every, owned
from tests.server.wire import Meddling

MINUTE_MS = 60_000


@pytest.fixture
def house() -> Haunted:
    return Haunted()


# -- joining and leaving --------------------------------------------------------------------------


@pytest.mark.parametrize("friendly", [True, False])
def test_a_ghost_is_a_member_in_the_step_in_which_it_joins(friendly: bool) -> None:
    house = Haunted(friendly=friendly)
    ghost = house.join()
    if not friendly:
        house.world.clock.advance(3_000)  # group.initial.rebalance.delay.ms
    assert ghost.phase is Phase.MEMBER
    assert ghost.generation == 1
    assert ghost.places() == every()
    assert house.group().state == "Stable"
    assert [member.id for member in house.group().members] == [ghost.id]


def test_it_speaks_the_protocol_like_any_client(house: Haunted) -> None:
    ghost = house.join()
    assert house.asked(ghost) == [
        Api.FIND_COORDINATOR,
        Api.JOIN_GROUP,
        Api.JOIN_GROUP,  # with the id that it was given (KIP-394)
        Api.METADATA,
        Api.SYNC_GROUP,
    ]


def test_what_a_ghost_computes_is_labelled(house: Haunted) -> None:
    house.join()
    assert "its range assignment is computed by mockbroker" in house.world.history.dump()


def test_all_others_take_part_in_a_rebalance_in_the_step_in_which_it_begins(house: Haunted) -> None:
    ghosts = [house.join() for _ in range(4)]
    assert house.group().state == "Stable"
    assert {ghost.generation for ghost in ghosts} == {4}
    assert owned(ghosts) == every()
    assert sorted(len(ghost.places()) for ghost in ghosts) == [1, 1, 2, 2]


def test_who_leaves_gives_everything_to_the_others(house: Haunted) -> None:
    first, second = house.join(), house.join()
    house.act(first.leave)
    assert first.places() == []
    assert second.places() == every()
    assert (house.group().state, house.group().generation) == ("Stable", 3)
    assert [member.id for member in house.group().members] == [second.id]
    house.world.clock.advance(10 * MINUTE_MS)
    assert house.asked(first)[-1] is Api.LEAVE_GROUP


def test_the_last_one_to_leave_leaves_an_empty_group(house: Haunted) -> None:
    house.act(house.join().leave)
    assert house.group().state == "Empty"


def test_each_ghost_wants_its_own_topics(house: Haunted) -> None:
    house.topic("bills", 2)
    one, other = house.join("orders"), house.join("orders", "bills")
    assert owned([one, other]) == every("bills", 2) + every("orders", 6)
    assert one.places() == every("orders", 3)


def test_a_topic_that_does_not_exist_is_assigned_when_it_does(house: Haunted) -> None:
    ghost = house.join("bills")
    assert ghost.places() == []
    house.topic("bills", 2)
    assert ghost.places() == every("bills", 2)


def test_a_leader_assigns_partitions_that_are_added(house: Haunted) -> None:
    ghosts = [house.join(), house.join()]
    controller = house.world.controller
    house.act(lambda: controller.add_partitions("orders", [[1, 2, 3], [2, 3, 1]]))
    assert owned(ghosts) == every(count=8)
    assert ghosts[0].generation == 3


# -- time -----------------------------------------------------------------------------------------


def test_a_ghost_outlives_any_jump_in_time(house: Haunted) -> None:
    ghost = house.join()
    house.world.clock.freeze()
    house.world.clock.advance(24 * 60 * MINUTE_MS)
    assert ghost.generation == house.group().generation == 1


def test_a_silent_ghost_is_gone_after_its_session(house: Haunted) -> None:
    first, second = house.join(), house.join()
    second.be_silent()
    house.world.clock.advance(SESSION_MS - 1)
    assert len(house.group().members) == 2
    house.world.clock.advance(1)
    assert [member.id for member in house.group().members] == [first.id]
    assert first.places() == every()
    # It knows nothing of it, and that is what makes it a zombie.
    assert second.generation == 2
    assert len(second.places()) == 3


def test_a_ghost_that_speaks_again_notices_and_joins_anew(house: Haunted) -> None:
    first, second = house.join(), house.join()
    old_id = second.id
    second.be_silent()
    house.world.clock.advance(SESSION_MS)
    house.act(second.speak)
    assert second.id != old_id
    assert {first.generation, second.generation} == {4}
    assert owned([first, second]) == every()


def test_a_rebalance_waits_for_a_silent_ghost_until_it_speaks(house: Haunted) -> None:
    first, second = house.join(), house.join()
    second.be_silent()
    third = house.join()
    assert house.group().state == "PreparingRebalance"
    assert third.phase is Phase.JOINING
    house.act(second.speak)
    assert house.group().state == "Stable"
    assert owned([first, second, third]) == every()


def test_a_ghost_that_was_silent_while_everybody_was_down_speaks_again(house: Haunted) -> None:
    ghost = house.join()
    for broker in (1, 2, 3):
        house.act(lambda broker=broker: house.world.crash(broker))  # type: ignore[misc] # a lambda that keeps its number
    ghost.be_silent()
    house.act(ghost.speak)
    house.act(lambda: house.world.restart(1))
    house.act(lambda: house.world.restart(2))
    house.act(lambda: house.world.restart(3))
    assert house.group().state == "Stable"
    assert ghost.places() == every()


def test_what_comes_while_it_is_silent_is_heard_when_it_speaks(house: Haunted) -> None:
    first = house.join()
    first.be_silent()
    second = house.join()
    second.be_silent()  # its JoinGroup is parked
    house.act(first.speak)
    assert house.group().state == "CompletingRebalance" or first.phase is Phase.SYNCING or first.places()
    house.act(second.speak)
    assert house.group().state == "Stable"
    assert owned([first, second]) == every()


def test_an_expired_ghost_that_is_alive_comes_back_at_once(house: Haunted) -> None:
    first, second = house.join(), house.join()
    shard = house.world.nodes[house.coordinator()].group_shard("billing")
    old_id = second.id
    house.act(lambda: shard.expire("billing", old_id))
    assert second.id not in ("", old_id)
    assert house.group().state == "Stable"
    assert owned([first, second]) == every()


# -- static members -------------------------------------------------------------------------------


def test_a_static_ghost_takes_the_place_of_another_which_is_fenced(house: Haunted) -> None:
    first = house.join(instance="one")
    house.join(instance="two")
    again = house.join(instance="one")
    assert again.places() == every(count=3)
    assert house.group().generation == 2  # nobody had to rebalance (KIP-345)
    assert first.phase is Phase.GONE
    assert first.ended == "fenced: another client has taken the place of instance one"
    assert first.failure is None


def test_a_static_ghost_that_leaves_is_gone_like_any_other(house: Haunted) -> None:
    one, two = house.join(instance="one"), house.join(instance="two")
    house.act(one.leave)
    assert two.places() == every()


# -- cooperative ----------------------------------------------------------------------------------


def test_cooperative_ghosts_give_up_only_what_another_gets(house: Haunted) -> None:
    first = house.join(assignor="cooperative-sticky")
    second = house.join()
    assert owned([first, second]) == every()
    kept = set(first.places())
    third = house.join()
    assert {len(ghost.places()) for ghost in (first, second, third)} == {2}
    assert set(first.places()) < kept
    # One generation takes away, the next one gives: 1, 2-3, 4-5.
    assert house.group().generation == 5
    house.act(third.leave)
    assert owned([first, second]) == every()
    assert len(first.places()) == 3


def test_sticky_ghosts_keep_what_they_had(house: Haunted) -> None:
    first, second = house.join(assignor="sticky"), house.join()
    before = set(first.places()), set(second.places())
    third = house.join()
    assert set(first.places()) < before[0]
    assert set(second.places()) < before[1]
    kept = set(first.places()), set(second.places())
    house.act(third.leave)
    assert set(first.places()) > kept[0]
    assert set(second.places()) > kept[1]
    assert owned([first, second]) == every()


def test_roundrobin_ghosts_take_turns(house: Haunted) -> None:
    ghosts = [house.join(assignor="roundrobin"), house.join()]
    assert {tuple(index for _, index in ghost.places()) for ghost in ghosts} == {(0, 2, 4), (1, 3, 5)}


def test_a_ghost_that_cannot_compute_what_is_asked_says_so(house: Haunted) -> None:
    said = "assignor='odd': in a group without other members a ghost leads, and it can compute range,"
    with pytest.raises(UsageError, match=said):
        house.join(assignor="odd")
    assert house.ghosts.members_of("billing") == []
    house.join(assignor="range")
    with pytest.raises(UsageError, match=r"assignor='sticky': the members of the group speak range$"):
        house.join(assignor="sticky")


def test_a_refusal_for_good_is_told_to_whoever_wanted_the_ghost(house: Haunted) -> None:
    said = r"ghost-1 cannot be in group 'billing': its JoinGroup was refused: INVALID_SESSION_TIMEOUT"
    with pytest.raises(UsageError, match=said):
        house.join(session_ms=1)


# -- scripted ---------------------------------------------------------------------------------------


def test_a_ghost_commits_what_it_is_told_to(house: Haunted) -> None:
    reader = Reader(house.join())
    answer = reader.commit({("orders", 0): 5, ("orders", 1): 7}, None, None)
    assert (answer.done, answer.error, answer.lost) == (True, None, False)
    assert {place: at.offset for place, at in house.group().committed.items()} == {
        ("orders", 0): 5,
        ("orders", 1): 7,
    }


def test_the_commit_of_a_zombie_is_refused(house: Haunted) -> None:
    house.join()
    zombie = house.join()
    zombie.be_silent()
    house.world.clock.advance(SESSION_MS)
    answer = Reader(zombie).commit({("orders", 0): 5}, None, None)
    assert answer.error == "UNKNOWN_MEMBER_ID"
    with pytest.raises(KafkaError, match="ghost-2's commit of orders-0@5 was refused: UNKNOWN_MEMBER_ID"):
        answer.checked()


def test_the_commit_of_an_older_generation_is_refused(house: Haunted) -> None:
    ghost = house.join()
    house.join()
    assert Reader(ghost).commit({("orders", 0): 5}, 1, None).error == "ILLEGAL_GENERATION"
    assert ghost.generation == 2
    assert house.group().state == "Stable"


def test_a_lost_commit_is_no_refusal(house: Haunted) -> None:
    def after(call: object, _node: object, response: object) -> object:
        lost = getattr(call, "api", None) is Api.OFFSET_COMMIT
        return Disconnect("applied, and then cut") if lost else response

    house = Haunted(faults=Meddling(after=after))
    ghost = house.join()
    answer = Reader(ghost).commit({("orders", 0): 5}, None, None).checked()
    assert (answer.done, answer.lost, answer.response) == (True, True, None)
    assert repr(answer) == "<ghost-1's commit of orders-0@5: no answer, applied, and then cut>"
    assert house.group().committed["orders", 0].offset == 5


# -- giving up ------------------------------------------------------------------------------------


def test_a_ghost_that_is_made_leader_of_what_it_cannot_compute_leaves_and_says_so(house: Haunted) -> None:
    ghost = house.join(assignor="range")
    ghost._protocol = "odd"  # as if a real leader had chosen it  # noqa: SLF001 - no client here has another
    house.act(lambda: ghost._lead([]))  # noqa: SLF001 - as above
    assert ghost.failure is not None
    assert str(ghost.failure).startswith(
        "ghost-1 cannot be in group 'billing': it was made the leader and cannot compute the assignor 'odd', "
    )
    assert house.group().state == "Empty"


def test_dismissed_ghosts_say_nothing_more(house: Haunted) -> None:
    ghost = house.join()
    house.ghosts.dismiss()
    before = len(house.asked(ghost))
    house.world.clock.advance(SESSION_MS)
    assert len(house.asked(ghost)) == before
    assert house.group().state == "Empty"
    assert house.ghosts.members_of("billing") == []


def test_an_administrator_who_removes_a_live_ghost_has_it_come_back(house: Haunted) -> None:
    ghost = house.join()
    shard = house.world.nodes[house.coordinator()].group_shard("billing")
    house.act(lambda: shard.leave_group("billing", [LeaveGroupMember(member_id=ghost.id)]))
    assert house.group().state == "Stable"
    assert ghost.places() == every()


def test_the_same_seed_gives_the_same_story_to_the_letter() -> None:
    def story() -> str:
        house = Haunted()
        first, second = house.join(), house.join(assignor="range")
        second.be_silent()
        house.world.clock.advance(SESSION_MS)
        house.act(lambda: house.world.crash(house.coordinator()))
        house.act(second.speak)
        house.act(first.leave)
        return house.world.history.dump()

    assert story() == story()


def test_no_ghost_means_no_resident(house: Haunted) -> None:
    assert house.world.residents == []
    house.join()
    assert len(house.world.residents) == 1
    assert OFFSETS_TOPIC in house.world.controller.image.topics
