"""Staying and going: Heartbeat, LeaveGroup, and the same by force.

A heartbeat proves life and learns of rebalances.  Leaving is immediate; it is answered when the group
without the member is safe, if that has to be written at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.outcome import Outcome, once_stored
from mockbroker.core.groups.rebalancing import Records, after_removal, keep_alive, remove_member
from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import (
    HeartbeatRequest,
    HeartbeatResponse,
    LeaveGroupMember,
    LeaveGroupResponse,
    LeftMember,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.shard import GroupShard


def heartbeat(shard: GroupShard, group: ClassicGroup, body: HeartbeatRequest) -> HeartbeatResponse:
    """Keep the member alive, and tell it when it should join again."""
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    member = group.check_member(body.member_id, body.group_instance_id)
    group.check_generation(body.generation_id)
    keep_alive(shard, group, member)
    if group.state is State.PREPARING:
        return HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)
    # In CompletingRebalance too: its JoinGroup was answered, and heartbeats may begin before SyncGroup.
    return HeartbeatResponse()


def leave(
    shard: GroupShard, group: ClassicGroup, leaving: Sequence[LeaveGroupMember]
) -> Outcome[LeaveGroupResponse]:
    """Take all who may leave out at once, so that they cause one rebalance; each gets its own verdict."""
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    left = [_leave_one(group, entry) for entry in leaving]
    gone = [entry for entry, one in zip(leaving, left, strict=True) if one.error_code == ErrorCode.NONE]
    records = after_removal(shard, group, _why_left(gone)) if gone else []

    def answer(error: KafkaError | None) -> LeaveGroupResponse:
        return (
            LeaveGroupResponse(members=left) if error is None else LeaveGroupResponse(error_code=error.code)
        )

    return once_stored(records, "LeaveGroup: waiting for the empty group's record to be replicated", answer)


def _leave_one(group: ClassicGroup, entry: LeaveGroupMember) -> LeftMember:
    verdict = LeftMember(member_id=entry.member_id, group_instance_id=entry.group_instance_id)
    try:
        group.remove(_who_leaves(group, entry))
    except KafkaError as refused:
        verdict.error_code = refused.code
    return verdict


def _who_leaves(group: ClassicGroup, entry: LeaveGroupMember) -> str:
    """The id to remove.  An administrator may name a static member by its instance alone (KIP-345)."""
    if not entry.member_id:
        member_id = group.static.get(entry.group_instance_id or "")
        if member_id is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        return member_id
    if entry.member_id in group.pending:
        return entry.member_id
    return group.check_member(entry.member_id, entry.group_instance_id).id


def _why_left(gone: Sequence[LeaveGroupMember]) -> str:
    told = [
        f"{entry.member_id or entry.group_instance_id}{f' ({entry.reason})' if entry.reason else ''}"
        for entry in gone
    ]
    return f"{', '.join(told)} left"


# -- by force: what a test may make happen now --------------------------------------------------------


def expire(shard: GroupShard, group: ClassicGroup, member_id: str) -> Records:
    """The member's session ends now, as if it had been silent for its session timeout."""
    member = find(group, member_id)
    return remove_member(shard, group, member, f"{member.id} was expired by the test")


def evict(shard: GroupShard, group: ClassicGroup, member_id: str) -> Records:
    """The rebalance timeout ends for this member now, as if it had not come back in time."""
    member = find(group, member_id)
    if member.is_static:
        raise UsageError(
            f"cannot evict {member.id}: it is a static member ({member.instance_id}), and those survive a"
            " rebalance that they miss; use expire(...) to end its session"
        )
    return remove_member(shard, group, member, f"{member.id} was evicted by the test")


def find(group: ClassicGroup, member_id: str) -> Member:
    """The member with this id or instance id."""
    member = group.members.get(group.static.get(member_id, member_id))
    if member is None:
        raise UsageError(
            f"group {group.id} has no member {member_id!r}: it has {sorted(group.members) or 'no members'}"
        )
    return member
