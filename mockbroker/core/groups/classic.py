"""A classic group: its members, its state, its generation, and how it chooses leader and protocol.

This is the state and the rules about it.  When things happen is decided by `rebalancing` and the
request modules; what survives the coordinator is decided by the log.  No time, no records written, no chance.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING

from mockbroker.core.groups.consumer_protocol import CONSUMER, parse_subscription
from mockbroker.core.groups.member import Member, Protocols
from mockbroker.core.groups.records import NO_TIMESTAMP, GroupMetadata
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockbroker.core.groups.appointment import Appointment


class State(Enum):
    """Where a group stands; the values are the words of the wire."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


# From where each state may be entered.  Anything else is a bug of ours.
ENTERED_FROM = {
    State.EMPTY: {State.PREPARING},
    State.PREPARING: {State.EMPTY, State.COMPLETING, State.STABLE},
    State.COMPLETING: {State.PREPARING},
    State.STABLE: {State.COMPLETING},
    State.DEAD: {State.EMPTY, State.PREPARING, State.COMPLETING, State.STABLE},
}


class ClassicGroup:
    """One group of the JoinGroup and SyncGroup kind."""

    __slots__ = (
        "generation", "id", "join_timer", "leader", "members", "new_member_added", "pending",
        "previous_state", "protocol", "protocol_type", "reason", "since_ms", "state", "static",
        "subscribed_topics", "sync_timer", "unsynced",
    )  # fmt: skip

    def __init__(self, id: str) -> None:
        self.id = id
        self.state = State.EMPTY
        self.previous_state = State.EMPTY
        # When the state was entered; None for groups whose record is too old to tell.
        self.since_ms: int | None = None
        self.generation = 0
        # None until the group has had members: so far it only stores offsets ("simple" group).
        self.protocol_type: str | None = None
        self.protocol: str | None = None
        self.leader: str | None = None
        # In the order of joining: the first to join leads, and wins a tied vote.
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        # Ids that were handed out with MEMBER_ID_REQUIRED and not used yet, and when they lapse (KIP-394).
        self.pending: dict[str, Appointment] = {}
        # Members of this generation whose SyncGroup has not come yet.
        self.unsynced: dict[str, None] = {}
        # Topics somebody subscribes; None when the broker cannot know.
        self.subscribed_topics: frozenset[str] | None = None
        # Why the newest rebalance began, for people.
        self.reason = ""
        self.new_member_added = False
        self.join_timer: Appointment | None = None
        self.sync_timer: Appointment | None = None

    # -- state ------------------------------------------------------------------------------------

    def enter(self, state: State, now_ms: int) -> None:
        """Change state.  When it happened is kept: retention counts from it."""
        assert self.state in ENTERED_FROM[state], f"{self!r} cannot become {state.value}"
        self.previous_state = self.state
        self.state = state
        self.since_ms = now_ms

    @property
    def is_consumer(self) -> bool:
        """Whether its opaque bytes are those of Java-style consumers."""
        return self.protocol_type == CONSUMER

    def subscribes(self, topic: str) -> bool:
        """Whether a member wants this topic; a consumer group that cannot be understood may want anything."""
        return self.is_consumer if self.subscribed_topics is None else topic in self.subscribed_topics

    @property
    def rebalance_timeout_ms(self) -> int:
        """How long a rebalance waits for its slowest member."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    # -- members ----------------------------------------------------------------------------------

    def check_member(self, member_id: str, instance_id: str | None) -> Member:
        """The member that speaks, or the error for it: an unknown instance comes before a fenced one."""
        if instance_id is not None:
            holder = self.static.get(instance_id)
            if holder is None:
                raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
            if holder != member_id:
                raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        return member

    def check_generation(self, generation: int) -> None:
        """Refuse whoever speaks from another generation."""
        if generation != self.generation:
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)

    def add(self, member: Member, protocol_type: str) -> None:
        """Take a member in.  The first one decides what kind of group this is."""
        if not self.members:
            self.protocol_type = protocol_type
        assert self.protocol_type == protocol_type, f"{member!r} of type {protocol_type} in {self!r}"
        if member.instance_id is not None:
            self.static[member.instance_id] = member.id
        if self.leader is None:
            self.leader = member.id
        self.members[member.id] = member

    def remove(self, member_id: str) -> None:
        """Let a member, or an id that was never used, go.  Its parked requests hear that it is unknown."""
        pending = self.pending.pop(member_id, None)
        if pending is not None:
            pending.cancel()
        member = self.members.pop(member_id, None)
        if member is None:
            return
        if member.session is not None:
            member.session.cancel()
        self.unsynced.pop(member_id, None)
        if member.instance_id is not None:
            self.static.pop(member.instance_id, None)
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)
        # An empty id, so that the client asks for a new one when it tries again.
        member.refuse(ErrorCode.UNKNOWN_MEMBER_ID, member_id="")

    def replace_static(self, instance_id: str, new_id: str) -> Member:
        """A static member started again: a new id takes its place, the old one is fenced where it waits."""
        old = self.members[self.static[instance_id]]
        if old.session is not None:
            old.session.cancel()
        member = old.renamed(new_id)
        # In the old one's place: a restart must not change who wins a tied vote.
        self.members = {m.id: m for m in (member if m is old else m for m in self.members.values())}
        self.static[instance_id] = new_id
        if old.id in self.unsynced:
            del self.unsynced[old.id]
            self.unsynced[new_id] = None
        if self.leader == old.id:
            self.leader = new_id
        old.refuse(ErrorCode.FENCED_INSTANCE_ID)
        return member

    @property
    def everyone_joined(self) -> bool:
        """Whether nobody is left to wait for: all have a JoinGroup parked, and no handed-out id is open."""
        return not self.pending and all(member.joining is not None for member in self.members.values())

    # -- choosing ---------------------------------------------------------------------------------

    def accepts(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether a member of this kind, speaking these protocols, fits in with all others."""
        if self.state is State.EMPTY:
            return bool(protocol_type) and bool(protocols)
        if not self.members:
            # The last one has left while a promised id was still out: whatever its owner speaks, everybody speaks.
            return protocol_type == self.protocol_type and bool(protocols)
        common = self.common_protocols()
        return protocol_type == self.protocol_type and any(name in common for name, _ in protocols)

    def common_protocols(self) -> set[str]:
        """The protocols that every member speaks."""
        spoken = [{name for name, _ in member.protocols} for member in self.members.values()]
        return set.intersection(*spoken) if spoken else set()

    def vote(self) -> str:
        """Each member votes for its first protocol that all speak; the first voted for wins a tie."""
        common = self.common_protocols()
        votes = Counter(
            next(name for name, _ in member.protocols if name in common) for member in self.members.values()
        )
        return max(votes, key=lambda name: votes[name])

    def elect_leader(self) -> bool:
        """Keep the leader if it rejoined, else take the first who did; False when nobody did."""
        leader = self.members.get(self.leader or "")
        if leader is not None and leader.joining is not None:
            return True
        joined = [member.id for member in self.members.values() if member.joining is not None]
        if joined:
            self.leader = joined[0]
        return bool(joined)

    def begin_generation(self, now_ms: int) -> None:
        """The join phase is over: the next generation begins, with a protocol, or empty."""
        self.generation += 1
        self.unsynced.clear()
        self.protocol = self.vote() if self.members else None
        self.read_subscriptions()
        self.enter(State.COMPLETING if self.members else State.EMPTY, now_ms)

    def read_subscriptions(self) -> None:
        """Look which topics the members want, where that can be known."""
        self.subscribed_topics = None
        if not self.is_consumer or (self.members and self.protocol is None):
            return
        try:
            wanted = [
                parse_subscription(m.metadata(self.protocol or "")).topics for m in self.members.values()
            ]
        except ValueError:
            return
        self.subscribed_topics = frozenset(topic for topics in wanted for topic in topics)

    # -- the log ----------------------------------------------------------------------------------

    def record(self, assignment: Mapping[str, bytes]) -> GroupMetadata:
        """The group as a successor of this coordinator is to find it."""
        protocol = self.protocol or ""
        return GroupMetadata(
            group_id=self.id,
            generation=self.generation,
            protocol_type=self.protocol_type or "",
            protocol=self.protocol,
            leader=self.leader,
            state_timestamp_ms=NO_TIMESTAMP if self.since_ms is None else self.since_ms,
            members=tuple(
                member.record(protocol, assignment.get(member.id, b"")) for member in self.members.values()
            ),
        )

    @classmethod
    def loaded(cls, record: GroupMetadata) -> ClassicGroup:
        """The group that a record tells of: Stable or Empty; a rebalance that had begun is in no log."""
        group = cls(record.group_id)
        group.generation = record.generation
        group.protocol_type = record.protocol_type or None
        group.protocol = record.protocol
        group.leader = record.leader
        group.since_ms = None if record.state_timestamp_ms == NO_TIMESTAMP else record.state_timestamp_ms
        for member in record.members:
            group.add(Member.loaded(member, record.protocol), record.protocol_type)
        group.state = State.STABLE if group.members else State.EMPTY
        group.read_subscriptions()
        return group

    def __repr__(self) -> str:
        return f"<group {self.id}: {self.state.value}, generation {self.generation}, {list(self.members)}>"
