"""The two phases of a rebalance: everybody joins, then everybody synchronises.

A rebalance begins with `prepare`, waits until all members have a JoinGroup parked (or patience ends), and
`complete_join` gives them the next generation.  What must survive comes back as records; the shard
writes them.  How requests get here is told in `joining`, `syncing` and `membership`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import JoinGroupMember, JoinGroupResponse, SyncGroupResponse

if TYPE_CHECKING:
    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.records import GroupRecord
    from mockbroker.core.groups.shard import GroupShard

# A member that has not been answered yet cannot heartbeat; this is how long it may stay parked instead.
NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

Records = list["GroupRecord"]


def rebalance(shard: GroupShard, group: ClassicGroup, reason: str) -> Records:
    """Something changed: begin a rebalance, or, where one is under way, see whether that completes it."""
    if group.state is State.PREPARING:
        return complete_join_if_ready(shard, group)
    return prepare(shard, group, reason)


def prepare(shard: GroupShard, group: ClassicGroup, reason: str) -> Records:
    """Begin a rebalance: from now on every member is told to join again."""
    if group.state is State.COMPLETING:
        refuse_syncs(shard, group, ErrorCode.REBALANCE_IN_PROGRESS)
    if group.sync_timer is not None:
        group.sync_timer.cancel()
    group.reason = reason
    first = group.state is State.EMPTY
    group.enter(State.PREPARING, shard.clock.now)
    if first:
        return _begin_first_rebalance(shard, group)
    if group.everyone_joined:
        return complete_join(shard, group)
    group.join_timer = shard.after(group.rebalance_timeout_ms, lambda: complete_join(shard, group))
    return []


def _begin_first_rebalance(shard: GroupShard, group: ClassicGroup) -> Records:
    """A group that was empty waits a little for more members, so that it need not rebalance for each."""
    delay_ms = shard.setting(settings.GROUP_INITIAL_REBALANCE_DELAY_MS)
    if delay_ms == 0:
        return complete_join(shard, group)
    remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
    group.join_timer = shard.after(
        delay_ms, lambda: _end_first_rebalance(shard, group, delay_ms, remaining_ms)
    )
    return []


def _end_first_rebalance(shard: GroupShard, group: ClassicGroup, delay_ms: int, remaining_ms: int) -> Records:
    """The wait is over, unless somebody came meanwhile: then it goes on, up to the rebalance timeout."""
    if not (group.new_member_added and remaining_ms):
        return complete_join(shard, group)
    group.new_member_added = False
    again_ms = min(shard.setting(settings.GROUP_INITIAL_REBALANCE_DELAY_MS), remaining_ms)
    left_ms = max(remaining_ms - delay_ms, 0)
    group.join_timer = shard.after(again_ms, lambda: _end_first_rebalance(shard, group, again_ms, left_ms))
    return []


def complete_join_if_ready(shard: GroupShard, group: ClassicGroup) -> Records:
    """Complete the join phase early when all are there; only a first rebalance waits its time out."""
    if group.state is State.PREPARING and group.previous_state is not State.EMPTY and group.everyone_joined:
        return complete_join(shard, group)
    return []


def complete_join(shard: GroupShard, group: ClassicGroup) -> Records:
    """The join phase ends: who did not come is out, who did gets the next generation."""
    if group.join_timer is not None:
        group.join_timer.cancel()
    for member in [m for m in group.members.values() if m.joining is None and not m.is_static]:
        group.remove(member.id)
    if group.members and not group.elect_leader():
        # Only static members are left and none has come back: they have until their sessions end.
        group.join_timer = shard.after(group.rebalance_timeout_ms, lambda: complete_join(shard, group))
        return []
    group.new_member_added = False
    group.begin_generation(shard.clock.now)
    if not group.members:
        shard.note_generation(group)
        return [group.record({})]
    _await_syncs(shard, group)
    for member in list(group.members.values()):
        member.is_new = False
        keep_alive(shard, group, member)
        member.answer_join(joined(group, member, members=group.leader == member.id))
    return []


def _await_syncs(shard: GroupShard, group: ClassicGroup) -> None:
    """From here every member has as long as a rebalance may take to ask for its assignment."""
    group.unsynced = dict.fromkeys(group.members)
    generation = group.generation

    def expire() -> Records:
        assert generation == group.generation, "a rebalance cancels the timer of the generation that it ends"
        late = list(group.unsynced)
        for member_id in late:
            group.remove(member_id)
        return rebalance(
            shard, group, f"{', '.join(late)} did not send SyncGroup within the rebalance timeout"
        )

    group.sync_timer = shard.after(group.rebalance_timeout_ms, expire)


def refuse_syncs(shard: GroupShard, group: ClassicGroup, code: ErrorCode) -> None:
    """The generation will get no assignment: tell who waits for one.  What was assigned before is void."""
    for member in list(group.members.values()):
        member.assignment = b""
        if member.answer_sync(SyncGroupResponse(error_code=code)):
            keep_alive(shard, group, member)


def joined(
    group: ClassicGroup,
    member: Member,
    *,
    members: bool,
    leader: str | None = None,
    skip_assignment: bool = False,
) -> JoinGroupResponse:
    """The good answer to a JoinGroup: the current generation; the list of `members` is for the leader."""
    protocol = group.protocol or ""
    listed = [
        JoinGroupMember(member_id=m.id, group_instance_id=m.instance_id, metadata=m.metadata(protocol))
        for m in (group.members.values() if members else ())
    ]
    return JoinGroupResponse(
        generation_id=group.generation,
        protocol_type=group.protocol_type,
        protocol_name=protocol,
        leader=(group.leader or "") if leader is None else leader,
        skip_assignment=skip_assignment,
        member_id=member.id,
        members=listed,
    )


def keep_alive(shard: GroupShard, group: ClassicGroup, member: Member, timeout_ms: int | None = None) -> None:
    """A sign of life: the member's session begins anew."""
    patience_ms = member.session_timeout_ms if timeout_ms is None else timeout_ms
    if member.session is None:
        member.session = shard.after(patience_ms, lambda: end_session(shard, group, member))
    else:
        # Nearly always later than before, which is free; see Timer.move.
        member.session.move(shard.clock.now + patience_ms)


def end_session(shard: GroupShard, group: ClassicGroup, member: Member) -> Records:
    """No sign of life for a session timeout.  Who waits for our answer is not to blame, unless it is new."""
    if member.outlives_its_session:
        return []
    return remove_member(shard, group, member, f"{member.id} sent no heartbeat for its session timeout")


def remove_member(shard: GroupShard, group: ClassicGroup, member: Member, reason: str) -> Records:
    """Take one member out, and let the others share what it had."""
    group.remove(member.id)
    return after_removal(shard, group, reason)


def after_removal(shard: GroupShard, group: ClassicGroup, reason: str) -> Records:
    """Members, or ids that were promised, are gone: rebalance, or see whether the others were all there."""
    if group.state in (State.STABLE, State.COMPLETING, State.PREPARING):
        return rebalance(shard, group, reason)
    return []
