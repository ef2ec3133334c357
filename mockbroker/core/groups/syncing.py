"""SyncGroup: the leader hands in who gets what, and everybody is told its share.

The assignment counts once it is replicated; until then the group stays in CompletingRebalance.  Checks stand
in Kafka's order: member, generation, protocol, and only then the state of the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.outcome import Outcome
from mockbroker.core.groups.rebalancing import keep_alive, rebalance, refuse_syncs
from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import SyncGroupRequest, SyncGroupResponse

if TYPE_CHECKING:
    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.shard import GroupShard

Synced = Outcome[SyncGroupResponse]


def sync(shard: GroupShard, group: ClassicGroup, body: SyncGroupRequest) -> Synced:
    """Tell the member its assignment, now or when the leader's is stored; or raise the KafkaError."""
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    member = group.check_member(body.member_id, body.group_instance_id)
    group.check_generation(body.generation_id)
    _check_protocol(body.protocol_type, group.protocol_type)
    _check_protocol(body.protocol_name, group.protocol)
    if group.state is State.PREPARING:
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    _has_synced(group, member)
    if group.state is State.STABLE:
        keep_alive(shard, group, member)
        return Outcome(assigned(group, member))
    assert group.state is State.COMPLETING, f"{member!r} cannot sync with {group!r}"
    ticket: Ticket[SyncGroupResponse] = Ticket(lambda: _waiting(group, member))
    member.syncing = ticket
    if member.id != group.leader:
        return Outcome(ticket)
    return _store(shard, group, body, ticket)


def _check_protocol(said: str | None, known: str | None) -> None:
    """Before v5 members do not say; those who do must say the right thing (KIP-559)."""
    if said is not None and said != known:
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)


def _has_synced(group: ClassicGroup, member: Member) -> None:
    group.unsynced.pop(member.id, None)
    if not group.unsynced and group.sync_timer is not None:
        group.sync_timer.cancel()


def _store(
    shard: GroupShard, group: ClassicGroup, body: SyncGroupRequest, ticket: Ticket[SyncGroupResponse]
) -> Synced:
    """The leader's word: write it down, and let it count when it is safe.  Who is not in it gets nothing."""
    given = {entry.member_id: entry.assignment for entry in body.assignments}
    assignment = {member_id: given.get(member_id, b"") for member_id in group.members}
    generation = group.generation

    def stored(error: KafkaError | None) -> None:
        # Others may have joined while the record was on its way; then it is history already.
        if not shard.open or group.state is not State.COMPLETING or group.generation != generation:
            return
        if error is not None:
            refuse_syncs(shard, group, error.code)
            shard.keep(rebalance(shard, group, f"the assignment could not be stored: {error.code.name}"))
            return
        for member in list(group.members.values()):
            member.assignment = assignment.get(member.id, b"")
        group.enter(State.STABLE, shard.clock.now)
        shard.note_generation(group)
        for member in list(group.members.values()):
            if member.answer_sync(assigned(group, member)):
                keep_alive(shard, group, member)

    return Outcome(ticket, [group.record(assignment)], stored)


def assigned(group: ClassicGroup, member: Member) -> SyncGroupResponse:
    """The good answer: what this member owns in this generation."""
    return SyncGroupResponse(
        protocol_type=group.protocol_type, protocol_name=group.protocol, assignment=member.assignment
    )


def _waiting(group: ClassicGroup, member: Member) -> str:
    """What a parked SyncGroup waits for, as a sentence."""
    if group.leader in group.unsynced:
        return f"SyncGroup of {member.id}: waiting for the assignment of the leader, {group.leader}"
    return f"SyncGroup of {member.id}: waiting for the group's record to be replicated"
