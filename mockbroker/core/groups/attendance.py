"""Which members are there: heard of lately, over a connection that is still open.

A test that moves broker time forward by a minute does not mean that live members were silent for a minute:
their heartbeats, which come in real time, would have come.  Those are kept alive; the silent are not.  It is
trust, though: a process that was killed a moment ago looks alive until its connection is seen to end.  Whoever
hangs up without another word was dead already, and its session ends when it would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.core.groups.rebalancing import keep_alive

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from mockbroker.core.call import Call
    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.core.node import Node

# Broker time may move by a third of a session before members are looked after again (reliability has room for
# two more looks before a session ends).
LOOKS_PER_SESSION = 3

# A member that was not heard of for this part of its session timeout, by its own time, counts as silent.
# Clients send heartbeats at a third of the timeout or, with short timeouts, at half of it.
SILENT_AFTER = 2 / 3

# With no member to look after, broker time may move as far as it likes.
AS_FAR_AS_YOU_LIKE_MS = 2**62

# Members whose last word is remembered, over all groups and times; the oldest go first.
MEMBERS_MAX = 10_000


class Attendance:
    """When each member was last heard of, by the clients' time, and over which connection."""

    __slots__ = ("_heard", "_trusted")

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], tuple[int, int]] = {}
        # By connection: members that were kept alive and have not spoken since, and when, by broker time,
        # their sessions would have ended at the latest.
        self._trusted: dict[int, dict[tuple[str, str], int]] = {}

    def note(self, group_id: str, member_id: str, connection: int, now_ms: int) -> None:
        """A member spoke."""
        self._trusted.get(connection, {}).pop((group_id, member_id), None)
        self._heard[group_id, member_id] = (connection, now_ms)
        if len(self._heard) > MEMBERS_MAX:
            del self._heard[next(iter(self._heard))]

    def is_there(self, group_id: str, member: Member, connected: AbstractSet[int], now_ms: int) -> bool:
        """Whether a member would have sent its heartbeats."""
        connection, heard_ms = self._heard.get((group_id, member.id), (-1, 0))
        return connection in connected and now_ms - heard_ms <= member.session_timeout_ms * SILENT_AFTER

    def trust(self, group_id: str, member_id: str, due_ms: int) -> None:
        """A member is kept alive on the strength of its connection."""
        connection, _ = self._heard[group_id, member_id]
        self._trusted.setdefault(connection, {}).setdefault((group_id, member_id), due_ms)

    def no_longer_trusted(self, connection: int) -> dict[tuple[str, str], int]:
        """A connection ended: the members that were trusted for its sake, and when their sessions end."""
        return self._trusted.pop(connection, {})


def hear(call: Call[Any], node: Node, group_id: str, member_id: str) -> None:
    """Remember that a member spoke with this call."""
    node.world.attendance.note(group_id, member_id, call.peer.ordinal, node.world.patience.now)


def keep_members_alive(shard: GroupShard, connected: AbstractSet[int]) -> int:
    """Begin the session of each member that is there anew; gives how far broker time may move until the next look."""
    world, reach_ms = shard.node.world, AS_FAR_AS_YOU_LIKE_MS
    for group in shard.groups.values():
        for member in group.members.values():
            if world.attendance.is_there(group.id, member, connected, world.patience.now):
                world.attendance.trust(group.id, member.id, shard.clock.now + member.session_timeout_ms)
                keep_alive(shard, group, member)
                reach_ms = min(reach_ms, max(member.session_timeout_ms // LOOKS_PER_SESSION, 1))
    return reach_ms


def connection_ended(node: Node, connection: int) -> None:
    """A client hung up: whom we trusted for it, and who has said nothing since, was not alive."""
    for (group_id, member_id), due_ms in node.world.attendance.no_longer_trusted(connection).items():
        for shard in node.shards.values():
            group = shard.groups.get(group_id)
            member = None if group is None else group.members.get(member_id)
            if member is None or member.session is None or member.outlives_its_session:
                continue
            if due_ms <= shard.clock.now:
                shard.expire(group_id, member_id)
            else:
                member.session.move(due_ms)


def all_synced(shard: GroupShard, group_id: str) -> bool:
    """Whether every member of the newest generation has fetched its assignment."""
    group = shard.groups.get(group_id)
    return group is not None and not group.unsynced


def who_waits(shard: GroupShard, group_id: str) -> str:
    """What the parked requests of a group wait for, in a sentence; empty when none is parked."""
    group = shard.groups.get(group_id)
    if group is None:
        return ""
    tickets = [
        ticket for m in group.members.values() for ticket in (m.joining, m.syncing) if ticket is not None
    ]
    return "; ".join(ticket.why for ticket in tickets)
