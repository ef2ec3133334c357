"""Proof that the group machine sees: each of these bugs, put in on purpose, is found by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mockbroker.core.groups import committing, membership, rebalancing, syncing
from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.member import Member
from mockbroker.core.groups.offsets import OffsetBook
from mockbroker.core.groups.outcome import Outcome
from mockbroker.core.groups.shard import GroupShard
from mockbroker.protocol.messages.groups import LeaveGroupMember, LeftMember
from tests.core.machines.groups import GroupMachine

Patch = pytest.MonkeyPatch


def the_generation_is_not_counted_up(patch: Patch) -> None:
    begin = ClassicGroup.begin_generation

    def stuck(group: ClassicGroup, now_ms: int) -> None:
        before = group.generation
        begin(group, now_ms)
        group.generation = max(before, 1)

    patch.setattr(ClassicGroup, "begin_generation", stuck)


def a_stale_generation_is_accepted(patch: Patch) -> None:
    patch.setattr(ClassicGroup, "check_generation", lambda *_: None)


def a_member_that_left_is_still_there(patch: Patch) -> None:
    def stay(_: ClassicGroup, entry: LeaveGroupMember) -> LeftMember:
        return LeftMember(member_id=entry.member_id, group_instance_id=entry.group_instance_id)

    patch.setattr(membership, "_leave_one", stay)


def a_commit_is_answered_before_it_is_replicated(patch: Patch) -> None:
    def at_once(records: Any, _: str, answer: Callable[[None], Any]) -> Outcome[Any]:
        return Outcome(answer(None), records)

    patch.setattr(committing, "once_stored", at_once)


def an_offset_is_told_before_it_is_replicated(patch: Patch) -> None:
    patch.setattr(OffsetBook, "safe", OffsetBook.written)


def sessions_do_not_begin_anew_with_a_successor(patch: Patch) -> None:
    patch.setattr(GroupShard, "loaded", lambda _: None)


def everybody_is_told_to_lead(patch: Patch) -> None:
    joined = rebalancing.joined

    def lead(group: ClassicGroup, member: Member, **_: Any) -> Any:
        return joined(group, member, members=True)

    patch.setattr(rebalancing, "joined", lead)


def an_assignment_is_not_written_down(patch: Patch) -> None:
    store = syncing._store  # noqa: SLF001 - the place of the bug

    def forget(*arguments: Any) -> Outcome[Any]:
        outcome = store(*arguments)
        return Outcome(outcome.reply, (), outcome.stored)

    patch.setattr(syncing, "_store", forget)


def followers_get_the_assignment_of_the_leader(patch: Patch) -> None:
    def same(group: ClassicGroup, member: Member) -> Any:
        return assigned(group, group.members[group.leader or member.id])

    assigned = syncing.assigned
    patch.setattr(syncing, "assigned", same)


def a_follower_that_waits_for_its_assignment_is_forgotten(patch: Patch) -> None:
    answer = Member.answer_sync

    def forget(member: Member, response: Any) -> bool:
        return member.id.endswith(tuple("02468ace")) and answer(member, response)

    patch.setattr(Member, "answer_sync", forget)


def a_deposed_coordinator_keeps_its_callers_waiting(patch: Patch) -> None:
    patch.setattr(GroupShard, "unloaded", lambda _: None)


def a_rebalance_waits_for_ever_for_who_does_not_come(patch: Patch) -> None:
    patch.setattr(Member, "outlives_its_session", property(lambda _: True))


def an_old_assignment_counts_in_the_new_generation(patch: Patch) -> None:
    sync = syncing.sync

    def hasty(shard: GroupShard, group: ClassicGroup, body: Any) -> Outcome[Any]:
        member = group.members.get(body.member_id)
        if group.state is State.COMPLETING and member is not None and member.assignment:
            return Outcome(syncing.assigned(group, member))
        return sync(shard, group, body)

    patch.setattr(syncing, "sync", hasty)


BUGS = [
    the_generation_is_not_counted_up,
    a_stale_generation_is_accepted,
    a_member_that_left_is_still_there,
    a_commit_is_answered_before_it_is_replicated,
    an_offset_is_told_before_it_is_replicated,
    sessions_do_not_begin_anew_with_a_successor,
    everybody_is_told_to_lead,
    an_assignment_is_not_written_down,
    followers_get_the_assignment_of_the_leader,
    a_follower_that_waits_for_its_assignment_is_forgotten,
    a_deposed_coordinator_keeps_its_callers_waiting,
    a_rebalance_waits_for_ever_for_who_does_not_come,
    an_old_assignment_counts_in_the_new_generation,
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_machine_finds(bug: Callable[[Patch], None], monkeypatch: Patch) -> None:
    bug(monkeypatch)
    # The same examples every time, and no time spent on making the failure short.
    hunt = settings(
        max_examples=1000, derandomize=True, database=None, phases=[Phase.generate], print_blob=False
    )
    with pytest.raises((AssertionError, KeyError)):
        run_state_machine_as_test(GroupMachine, settings=hunt)
