"""JoinGroup: the decision tree from a request to a place in the group.

The checks stand in Kafka's order, because their order is what a client sees when several things are wrong.
The answer is a ticket wherever the join phase has to end first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.member import Member, Protocols
from mockbroker.core.groups.outcome import Outcome
from mockbroker.core.groups.rebalancing import (
    NEW_MEMBER_JOIN_TIMEOUT_MS,
    complete_join_if_ready,
    joined,
    keep_alive,
    prepare,
    rebalance,
)
from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import JoinGroupRequest, JoinGroupResponse

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.groups.rebalancing import Records
    from mockbroker.core.groups.shard import GroupShard

Joined = Outcome[JoinGroupResponse]


def join(shard: GroupShard, group: ClassicGroup, call: Call[JoinGroupRequest]) -> Joined:
    """Find the member its place, or raise the KafkaError that says why it has none."""
    body = call.body
    if not _has_room(shard, group, body.member_id):
        group.remove(body.member_id)
        return Outcome(
            JoinGroupResponse(error_code=ErrorCode.GROUP_MAX_SIZE_REACHED, member_id="", protocol_name=None)
        )
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if not group.accepts(body.protocol_type, protocols_of(body)):
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if not body.member_id:
        return _join_newcomer(shard, group, call)
    if body.member_id in group.pending:
        if body.group_instance_id is not None:
            # The id was handed out to a dynamic member; who now claims to be static mixes two lives.  Kafka
            # takes that for a bug of its own, and does not repeat the id.
            return Outcome(
                JoinGroupResponse(error_code=ErrorCode.UNKNOWN_SERVER_ERROR, member_id="", protocol_name=None)
            )
        return _take_in(shard, group, call, body.member_id)
    return _rejoin(shard, group, call, group.check_member(body.member_id, body.group_instance_id))


def protocols_of(body: JoinGroupRequest) -> Protocols:
    """What the request says that its member can speak, most wanted first."""
    return [(protocol.name, protocol.metadata) for protocol in body.protocols]


def rebalance_timeout_of(call: Call[JoinGroupRequest]) -> int:
    """v0 knows one timeout for both purposes."""
    return call.body.session_timeout_ms if call.version == 0 else call.body.rebalance_timeout_ms


def _has_room(shard: GroupShard, group: ClassicGroup, member_id: str) -> bool:
    """Whether group.max.size allows this member.

    While a rebalance runs, those are counted who are there again: the last to come back may find no room.
    """
    size_max = shard.setting(settings.GROUP_MAX_SIZE)
    member = group.members.get(member_id)
    if group.state in (State.EMPTY, State.DEAD):
        return True
    if group.state is State.PREPARING:
        if member is not None and member.joining is not None:
            return True
        return sum(m.joining is not None for m in group.members.values()) < size_max
    return member is not None or len(group.members) < size_max


def _join_newcomer(shard: GroupShard, group: ClassicGroup, call: Call[JoinGroupRequest]) -> Joined:
    """No id yet: a static member may have a place already, a dynamic one is first given an id (KIP-394)."""
    body = call.body
    instance_id = body.group_instance_id
    member_id = f"{call.client_id if instance_id is None else instance_id}-{shard.new_uuid()}"
    if instance_id is not None:
        if instance_id in group.static:
            return _restart_static(shard, group, call, instance_id, member_id)
    elif call.version >= 4:
        group.pending[member_id] = shard.after(
            body.session_timeout_ms, lambda: lapse(shard, group, member_id)
        )
        return Outcome(
            JoinGroupResponse(
                error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=member_id, protocol_name=None
            )
        )
    return _take_in(shard, group, call, member_id)


def lapse(shard: GroupShard, group: ClassicGroup, member_id: str) -> Records:
    """An id that was handed out and never used is void; perhaps it was the last one to wait for."""
    group.remove(member_id)
    return complete_join_if_ready(shard, group)


def _take_in(shard: GroupShard, group: ClassicGroup, call: Call[JoinGroupRequest], member_id: str) -> Joined:
    """A new member: park its JoinGroup, and let everybody else join again."""
    body = call.body
    promised = group.pending.pop(member_id, None)
    if promised is not None:
        promised.cancel()
    member = Member(
        member_id,
        body.group_instance_id,
        client_id=call.client_id,
        # The way Java prints an address, because tools show it as it comes.
        client_host=f"/{call.peer.host}",
        rebalance_timeout_ms=rebalance_timeout_of(call),
        session_timeout_ms=body.session_timeout_ms,
        protocols=protocols_of(body),
    )
    member.is_new = True
    if group.state is State.PREPARING and group.previous_state is State.EMPTY:
        group.new_member_added = True
    group.add(member, body.protocol_type)
    ticket = _park(group, member)
    keep_alive(shard, group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
    return Outcome(ticket, rebalance(shard, group, _why(call, f"{member_id} joined")))


def _rejoin(shard: GroupShard, group: ClassicGroup, call: Call[JoinGroupRequest], member: Member) -> Joined:
    """A member joins again: it was told to, or it wants a change, or an answer was lost."""
    same = protocols_of(call.body) == member.protocols
    leads = group.leader == member.id
    if group.state is State.EMPTY:
        raise AssertionError(f"{member!r} in an empty group")
    if group.state is State.COMPLETING and same:
        return Outcome(joined(group, member, members=leads))
    if group.state is State.STABLE and same and not leads:
        return Outcome(joined(group, member, members=False))
    _update(group, member, call)
    ticket = _park(group, member)
    # In Stable the leader may want a rebalance for reasons that only it can see, such as new partitions.
    what = f"{member.id}, the leader, joined again" if same else f"{member.id} joined with other protocols"
    return Outcome(ticket, rebalance(shard, group, _why(call, what)))


def _update(group: ClassicGroup, member: Member, call: Call[JoinGroupRequest]) -> None:
    assert member.id in group.members, f"{member!r} is not in {group!r}"
    member.protocols = protocols_of(call.body)
    member.rebalance_timeout_ms = rebalance_timeout_of(call)
    member.session_timeout_ms = call.body.session_timeout_ms


def _restart_static(
    shard: GroupShard, group: ClassicGroup, call: Call[JoinGroupRequest], instance_id: str, new_id: str
) -> Joined:
    """A static member is back under its instance id (KIP-345): it takes its place, in silence if possible."""
    old_id = group.static[instance_id]
    old_leader = group.leader
    before = group.members[old_id]
    member = group.replace_static(instance_id, new_id)
    keep_alive(shard, group, member)
    _update(group, member, call)
    ticket = _park(group, member)
    if group.state is State.PREPARING:
        return Outcome(ticket, complete_join_if_ready(shard, group))
    if group.state is State.COMPLETING:
        # The leader may be working with the old id: its assignment would miss the member.
        return Outcome(
            ticket, prepare(shard, group, _why(call, f"static member {instance_id} started again"))
        )
    if group.vote() != group.protocol:
        return Outcome(
            ticket, prepare(shard, group, _why(call, f"static member {instance_id} changed the vote"))
        )

    def stored(error: KafkaError | None) -> None:
        if member.joining is not ticket or not shard.open:
            return
        if error is not None:
            # A successor would know the old id only, so the old id stays.
            _undo_restart(shard, group, member, before)
            member.answer_join(JoinGroupResponse(error_code=error.code, member_id="", protocol_name=None))
        elif call.version >= 9:
            leads = group.leader == member.id
            member.answer_join(joined(group, member, members=leads, skip_assignment=leads))
        else:
            # Before KIP-814 a returning leader is shown the old leader's id: it must not assign anew.
            member.answer_join(joined(group, member, members=False, leader=old_leader))

    return Outcome(ticket, [group.record(assignments_of(group))], stored)


def _undo_restart(shard: GroupShard, group: ClassicGroup, member: Member, before: Member) -> None:
    ticket, member.joining = member.joining, None
    assert member.instance_id is not None, "only static members restart"
    back = group.replace_static(member.instance_id, before.id)
    back.protocols = before.protocols
    back.rebalance_timeout_ms = before.rebalance_timeout_ms
    back.session_timeout_ms = before.session_timeout_ms
    keep_alive(shard, group, back)
    member.joining = ticket


def assignments_of(group: ClassicGroup) -> dict[str, bytes]:
    """What each member owns at the moment."""
    return {member.id: member.assignment for member in group.members.values()}


def _park(group: ClassicGroup, member: Member) -> Ticket[JoinGroupResponse]:
    """Let the member wait for the join phase to end.

    A JoinGroup that it has parked already, on another connection, is never answered: so does Kafka, and
    the connection stays blocked until its client gives up.
    """
    ticket: Ticket[JoinGroupResponse] = Ticket(lambda: _waiting(group, member, ticket))
    member.joining = ticket
    return ticket


def _waiting(group: ClassicGroup, member: Member, ticket: Ticket[JoinGroupResponse]) -> str:
    """What a parked JoinGroup waits for, as a sentence."""
    who = f"JoinGroup of {member.id}"
    if ticket.done:
        return f"{who}: answered"
    if member.joining is not ticket:
        return f"{who}: a later JoinGroup of this member took its place; as in Kafka, this one gets no answer"
    absent = [other.id for other in group.members.values() if other.joining is None]
    missing = [f"{id} to rejoin" for id in absent] + [f"{id} to use its new id" for id in group.pending]
    if group.state is State.STABLE:
        return f"{who}: waiting for the group's record to be replicated"
    if missing:
        return f"{who}: waiting for {', '.join(missing)}"
    return f"{who}: waiting for more members, group.initial.rebalance.delay.ms"


def _why(call: Call[JoinGroupRequest], what: str) -> str:
    """The reason for a rebalance, with what the client gave as its own (KIP-800)."""
    return f"{what} ({call.body.reason})" if call.body.reason else what
