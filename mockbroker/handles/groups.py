"""A consumer group, as a test holds it: state, owners and commits, as its coordinator knows them.

Always asks the coordinator of the moment, so a handle survives failovers; a group without one is Dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mockbroker.core.groups.attendance import all_synced, who_waits
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.groups.views import Generation, GroupView, MemberView
from mockbroker.core.usage import UsageError
from mockbroker.ghosts.member import Wish
from mockbroker.handles.ghosts import Ghost
from mockbroker.handles.group_snapshot import Assignment, GroupSnapshot, coordinator_shard
from mockbroker.handles.records import TopicPartition
from mockbroker.options import duration_ms
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.handles.door import BlockingDoor, Door, TrioDoor
    from mockbroker.options import Duration

STABLE = "Stable"


class GroupControls:
    """All of a group but its waits."""

    def __init__(self, door: Door, group_id: str) -> None:
        self._at = door
        self.id = group_id

    def __repr__(self) -> str:
        return f"<Group {self.id}>"

    # -- what there is ----------------------------------------------------------------------------

    def snapshot(self) -> GroupSnapshot:
        """Everything about the group at one moment; an unknown group is Dead and has no members.

        >>> cluster.group("billing").snapshot().state
        'Stable'
        """
        return self._at.do(self._snapshot)

    def _snapshot(self) -> GroupSnapshot:
        view = self._view()
        if view is None:
            return GroupSnapshot("Dead", 0, (), Assignment(()), {})
        committed = {TopicPartition(*place): offset.offset for place, offset in view.committed.items()}
        return GroupSnapshot(view.state, view.generation, view.members, Assignment(view.members), committed)

    @property
    def state(self) -> str:
        """Kafka's word for its state: Empty, PreparingRebalance, CompletingRebalance, Stable or Dead.

        >>> cluster.group("billing").state
        'Stable'
        """
        return self.snapshot().state

    @property
    def generation(self) -> int:
        """The number of the newest generation.

        >>> cluster.group("billing").generation
        1
        """
        return self.snapshot().generation

    @property
    def members(self) -> tuple[MemberView, ...]:
        """Its members, in the order in which they joined.

        >>> [member.client_id for member in cluster.group("billing").members]
        ['app-a']
        """
        return self.snapshot().members

    @property
    def assignment(self) -> Assignment:
        """Who owns which partitions.

        >>> cluster.group("billing").assignment["app-a"]
        [TopicPartition(topic='orders', partition=0)]
        """
        return self.snapshot().assignment

    @property
    def committed(self) -> Mapping[TopicPartition, int]:
        """The offsets that are committed, and replicated, by partition.

        >>> cluster.group("billing").committed["orders", 0]
        1
        """
        return self.snapshot().committed

    @property
    def lag(self) -> dict[TopicPartition, int]:
        """How many offsets lie between each commit and the end of its partition.

        >>> cluster.group("billing").lag["orders", 0]
        0
        """

        def lag() -> dict[TopicPartition, int]:
            world, found = self._at.world, {}
            for place, offset in self._snapshot().committed.items():
                partition = world.controller.image.partition(*place)
                node = world.nodes.get(partition.leader) if partition is not None else None
                if node is not None and place in node.replicas:
                    found[place] = node.replicas[place].high_watermark - offset
            return found

        return self._at.do(lag)

    def history(self) -> list[Generation]:
        """The generations it has been through, oldest first: when, why, and who owned what.

        >>> [generation.generation for generation in cluster.group("billing").history()]
        [1]
        """
        return self._at.do(lambda: list(self._at.world.chronicle.of(self.id)))

    # -- what a test may do -----------------------------------------------------------------------

    def expire(self, member: str | Ghost) -> None:
        """End the session of a member now, as if it had been silent for its session timeout.

        `member` is a ghost, a member id, an instance id, or a client id that one member has.  A client that is
        alive notices it, and joins again; so does a ghost, at once, unless it is silent.

        >>> cluster.group("billing").expire("app-a")
        """

        def expire() -> None:
            shard, id = self._shard(), self._member(member)
            self._at.world.history.act(f"expire {_name(member)} in group {self.id}", group=self.id, member=id)
            shard.expire(self.id, id)

        self._at.do(expire)

    def evict(self, member: str | Ghost) -> None:
        """End the rebalance timeout of a member now: it is out, and the rebalance does not wait for it.

        >>> cluster.group("billing").evict("app-a")
        """

        def evict() -> None:
            shard, id = self._shard(), self._member(member)
            self._at.world.history.act(
                f"evict {_name(member)} from group {self.id}", group=self.id, member=id
            )
            shard.evict(self.id, id)

        self._at.do(evict)

    def join_ghost(
        self,
        topics: Sequence[str] | None = None,
        *,
        assignor: str | None = None,
        instance_id: str | None = None,
        client_id: str | None = None,
        session_timeout: Duration = "45s",
        rebalance_timeout: Duration = "5m",
    ) -> Ghost:
        """Let a virtual consumer of these topics join the group; it lives inside the brokers.

        Without `topics` it wants what the members want.
        It speaks the assignors that the members speak, or the one that is given.  In a group without members it
        leads, and computes range, roundrobin, sticky or cooperative-sticky assignments for all.  With an
        `instance_id` it is a static member.  When this returns it has asked to join: the group is rebalancing,
        unless a fault or a missing coordinator is in its way.  Raises UsageError when it cannot be a member.

        >>> ghost = cluster.group("billing").join_ghost(topics=["orders"])
        >>> cluster.group("billing").state
        'PreparingRebalance'
        """
        session_ms, rebalance_ms = duration_ms(session_timeout), duration_ms(rebalance_timeout)

        def join() -> Ghost:
            wanted = self._subscribed() if topics is None else _topics(topics)
            wish = Wish(wanted, assignor, instance_id, session_ms, rebalance_ms)
            return Ghost(self._at, self._at.ghosts.join(self.id, wish, client_id))

        return self._at.do(join)

    def expire_offsets(self) -> None:
        """Let the retention of all that the group has committed be over now, for partitions that nobody reads.

        As in Kafka, what a group with members subscribes to does not expire.

        >>> cluster.group("billing").expire_offsets()
        """

        def expire() -> None:
            self._shard().expire_offsets(self.id)
            self._at.world.history.act(f"expire the offsets of group {self.id}", group=self.id)

        self._at.do(expire)

    def set_offset(self, topic: str, partition: int, offset: int) -> None:
        """Commit an offset for the group, whoever its members are.

        They go on where they stand; who begins after a rebalance or a restart begins there.

        >>> cluster.group("billing").set_offset("orders", 0, 42)
        >>> cluster.group("billing").committed["orders", 0]
        42
        """
        if offset < 0:
            raise UsageError(f"set_offset(..., {offset}): offsets count from 0 up")

        def move() -> None:
            if self._at.world.controller.image.partition(topic, partition) is None:
                raise UsageError(
                    f"there is no partition {topic}-{partition}: nothing can be committed for it"
                )
            self._shard().set_offset(self.id, topic, partition, offset)
            self._at.world.history.act(
                f"set the offset of group {self.id} in {topic}-{partition} to {offset}",
                group=self.id, topic=topic, partition=partition, offset=offset,
            )  # fmt: skip

        self._at.do(move)

    def _subscribed(self) -> tuple[str, ...]:
        """The topics that the members want."""
        topics = {topic for member in self._snapshot().members for topic in member.subscription or ()}
        if not topics:
            raise UsageError(
                f"group {self.id!r} has no members whose topics a ghost could want: join_ghost(topics=[...])"
            )
        return tuple(sorted(topics))

    def _member(self, name: str | Ghost) -> str:
        name = _name(name)
        view = self._view()
        members = () if view is None else view.members
        named = [m.id for m in members if name in (m.id, m.instance_id, m.client_id)]
        if len(named) != 1:
            raise UsageError(
                f"group {self.id!r} has {'no' if not named else 'more than one'} member {name!r}: "
                f"there are {[(m.id, m.client_id) for m in members] or 'none'}"
            )
        return named[0]

    # -- its coordinator --------------------------------------------------------------------------

    def _shard(self) -> GroupShard:
        shard = coordinator_shard(self._at.world, self.id)
        if shard is None:
            raise UsageError(
                f"group {self.id!r} has no coordinator now: "
                f"restart() a broker that has a replica of its partition of {OFFSETS_TOPIC}"
            )
        return shard

    def _view(self) -> GroupView | None:
        shard = coordinator_shard(self._at.world, self.id)
        return None if shard is None or shard.loading else shard.view(self.id)

    # -- what may be waited for -------------------------------------------------------------------

    def _check_ghosts(self) -> None:
        """A ghost that had to give up is why a group does not become what a test waits for."""
        for ghost in self._at.ghosts.members_of(self.id):
            if ghost.failure is not None:
                raise ghost.failure

    def _is_stable(self, members: int | None, newer_than: int | None) -> Condition[GroupSnapshot]:
        def look() -> GroupSnapshot | None:
            self._check_ghosts()
            shard = coordinator_shard(self._at.world, self.id)
            if shard is None or shard.loading or not all_synced(shard, self.id):
                return None
            found = self._snapshot()
            right = found.state == STABLE and members in (None, len(found.members))
            return found if right and (newer_than is None or found.generation > newer_than) else None

        count = "" if members is None else f" with {members} members"
        newer = "" if newer_than is None else f" in a generation after {newer_than}"
        return Condition(f"group {self.id} to be stable{count}{newer}", look, self._stands)

    def _is_positioned(self) -> Condition[GroupSnapshot]:
        def look() -> GroupSnapshot | None:
            found = self._snapshot()
            missing = self._unassigned(found) or self._unpositioned(found)
            return found if found.state == STABLE and found.assignment.owners and not missing else None

        def now() -> str:
            found = self._snapshot()
            lines = [self._stands()]
            if found.members and (unassigned := self._unassigned(found)):
                lines.append("not assigned: " + ", ".join(map(str, unassigned)))
            if missing := self._unpositioned(found):
                lines.append("not fetched yet: " + ", ".join(f"{p} by {client}" for p, client in missing))
            return "; ".join(lines)

        return Condition(f"every partition that group {self.id} reads to be fetched by its owner", look, now)

    def _unassigned(self, found: GroupSnapshot) -> list[TopicPartition]:
        """Partitions of subscribed topics that nobody owns.

        A client that joins before it knows its topics gets nothing, and joins again a moment later.
        """
        topics = self._at.world.controller.image.topics
        wanted = {name for member in found.members for name in member.subscription or () if name in topics}
        owned = found.assignment.owners
        every = (TopicPartition(name, p.index) for name in sorted(wanted) for p in topics[name].partitions)
        return [place for place in every if place not in owned]

    def _unpositioned(self, found: GroupSnapshot) -> list[tuple[TopicPartition, str]]:
        """Partitions whose owner has not fetched them since it got them."""
        world = self._at.world
        past = world.chronicle.of(self.id)
        since = past[-1].first_fetch if past else 0
        # Ghosts read when they are told to, and miss nothing meanwhile that somebody could wait for.
        ghosts = {ghost.id for ghost in self._at.ghosts.members_of(self.id)}
        return [
            (place, member.client_id)
            for member in found.members
            if member.id not in ghosts
            for place in found.assignment[member.id]
            if not world.positions.is_found(place, member.client_id, since)
        ]

    def _has_committed(
        self, topic: str, offsets: Mapping[int, int]
    ) -> Condition[Mapping[TopicPartition, int]]:
        def look() -> Mapping[TopicPartition, int] | None:
            committed = self._snapshot().committed
            there = all(
                committed.get(TopicPartition(topic, index), -1) >= offset for index, offset in offsets.items()
            )
            return committed if there else None

        def now() -> str:
            committed = {p.partition: o for p, o in self._snapshot().committed.items() if p.topic == topic}
            return f"{committed or 'nothing'} is committed; {self._stands()}"

        return Condition(f"group {self.id} to commit {dict(offsets)} of {topic}", look, now)

    def _stands(self) -> str:
        """How the group stands, in a sentence."""
        shard = coordinator_shard(self._at.world, self.id)
        if shard is None:
            return f"group {self.id} has no coordinator"
        if shard.loading:
            return f"the coordinator of group {self.id}, broker {shard.node.id}, is still loading"
        found = self._snapshot()
        names = ", ".join(f"{m.client_id} ({m.id})" for m in found.members) or "nobody"
        waiting = who_waits(shard, self.id)
        return f"group {self.id} is {found.state} in generation {found.generation}, members: {names}" + (
            f"; {waiting}" if waiting else ""
        )


def _name(member: str | Ghost) -> str:
    return member.client_id if isinstance(member, Ghost) else member


def _topics(topics: Sequence[str]) -> tuple[str, ...]:
    if isinstance(topics, str) or not topics or not all(isinstance(topic, str) for topic in topics):
        raise UsageError(f"topics={topics!r}: expected a list with the names of one topic or more")
    return tuple(topics)


class Group(GroupControls):
    """A group, for tests that are plain functions."""

    _at: BlockingDoor

    def wait_stable(
        self, members: int | None = None, *, newer_than: int | None = None, timeout: float | str | None = None
    ) -> GroupSnapshot:
        """Wait until the group is stable, with so many members, and each of them has its assignment.

        If that is so already the wait is over at once; `newer_than=group.generation` waits for another
        generation.  An assignment may be empty, for a leader that has no metadata yet has nothing to assign
        (kafka-python's does that): whoever needs the members to be at rest calls `wait_positioned`.

        >>> cluster.group("billing").wait_stable(members=1).generation
        1
        """
        return self._at.wait(self._is_stable(members, newer_than), timeout)

    def wait_positioned(self, *, timeout: float | str | None = None) -> GroupSnapshot:
        """Wait until every partition of the topics that the group reads is assigned, and fetched by its owner.

        From then on a consumer that starts at `latest` misses nothing that is appended.

        >>> cluster.group("billing").wait_positioned()  # doctest: +SKIP
        """
        return self._at.wait(self._is_positioned(), timeout)

    def wait_committed(
        self, topic: str, offsets: Mapping[int, int], *, timeout: float | str | None = None
    ) -> Mapping[TopicPartition, int]:
        """Wait until the group has committed at least these offsets, by partition.

        >>> cluster.group("billing").wait_committed("orders", {0: 1})["orders", 0]
        1
        """
        return self._at.wait(self._has_committed(topic, offsets), timeout)


class TrioGroup(GroupControls):
    """A group, for trio tests."""

    _at: TrioDoor

    async def wait_stable(
        self,
        members: int | None = None,
        *,
        newer_than: int | None = None,
        timeout: float | str | None = None,  # noqa: ASYNC109 - see Group
    ) -> GroupSnapshot:
        """See `Group.wait_stable`."""
        return await self._at.wait(self._is_stable(members, newer_than), timeout)

    async def wait_positioned(self, *, timeout: float | str | None = None) -> GroupSnapshot:  # noqa: ASYNC109 - see Group
        """See `Group.wait_positioned`."""
        return await self._at.wait(self._is_positioned(), timeout)

    async def wait_committed(
        self,
        topic: str,
        offsets: Mapping[int, int],
        *,
        timeout: float | str | None = None,  # noqa: ASYNC109 - see Group
    ) -> Mapping[TopicPartition, int]:
        """See `Group.wait_committed`."""
        return await self._at.wait(self._has_committed(topic, offsets), timeout)
