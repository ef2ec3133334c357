"""A group as people see it: what it is now, and the generations it has been through.

Values, made from a group and never changed by it.  The generations of a cluster are remembered with its world
and not with a coordinator, because they are asked for after failovers too; no decision reads them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.core.groups.consumer_protocol import parse_assignment, parse_subscription

if TYPE_CHECKING:
    from mockbroker.core.groups.classic import ClassicGroup
    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.records import OffsetCommitted

# Enough for any story that a person follows; a churning group must not fill the memory.
GENERATIONS_MAX = 256

# Partitions by topic; None where the bytes are not those of consumers.
Partitions = Mapping[str, list[int]]


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member."""

    id: str
    instance_id: str | None
    client_id: str
    host: str
    subscription: tuple[str, ...] | None
    assignment: Partitions | None


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group, and how far it has come: `committed` by (topic, partition), replicated offsets only."""

    id: str
    state: str
    generation: int
    protocol_type: str
    protocol: str
    leader: str | None
    members: tuple[MemberView, ...]
    committed: Mapping[tuple[str, int], OffsetCommitted]


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that began to work: when, why, and who got what.  No members: the group became empty.

    `first_fetch` is the number (see `Positions`) of the first fetch that can be one of this generation; `at_us` is
    the history's stopwatch; `client_ids` are those of the members.
    """

    generation: int
    at_ms: int
    coordinator: int
    reason: str
    members: Mapping[str, Partitions | None]
    first_fetch: int
    at_us: int = 0
    client_ids: Mapping[str, str] = field(default_factory=dict)

    def owners(self, topic: str, index: int) -> list[str]:
        """The members that were given this partition: one, where all is well."""
        return [member for member, owned in self.members.items() if index in (owned or {}).get(topic, ())]


def view(group: ClassicGroup, committed: Mapping[tuple[str, int], OffsetCommitted]) -> GroupView:
    """What there is to see of a group now."""
    return GroupView(
        id=group.id,
        state=group.state.value,
        generation=group.generation,
        protocol_type=group.protocol_type or "",
        protocol=group.protocol or "",
        leader=group.leader,
        members=tuple(_member_view(group, member) for member in group.members.values()),
        committed=dict(committed),
    )


def _member_view(group: ClassicGroup, member: Member) -> MemberView:
    return MemberView(
        id=member.id,
        instance_id=member.instance_id,
        client_id=member.client_id,
        host=member.client_host.removeprefix("/"),
        subscription=_subscription(group, member),
        assignment=assignment_of(group, member),
    )


def assignment_of(group: ClassicGroup, member: Member) -> Partitions | None:
    """What a member owns, where the broker can read it."""
    if not group.is_consumer:
        return None
    try:
        return parse_assignment(member.assignment)
    except ValueError:
        return None


def _subscription(group: ClassicGroup, member: Member) -> tuple[str, ...] | None:
    # Before the first vote there is no protocol yet; then what the member wants most is what it will speak.
    protocol = group.protocol or next((name for name, _ in member.protocols), "")
    if not group.is_consumer:
        return None
    try:
        return tuple(parse_subscription(member.metadata(protocol)).topics)
    except ValueError:
        return None


def generation_of(
    group: ClassicGroup, at_ms: int, at_us: int, coordinator: int, first_fetch: int
) -> Generation:
    """The entry for the generation that a group has just begun to work in."""
    members = {member.id: assignment_of(group, member) for member in group.members.values()}
    client_ids = {member.id: member.client_id for member in group.members.values()}
    return Generation(
        group.generation, at_ms, coordinator, group.reason, members, first_fetch, at_us, client_ids
    )


class Chronicle:
    """The newest generations of every group of a cluster, whoever coordinated them."""

    __slots__ = ("_by_group",)

    def __init__(self) -> None:
        self._by_group: dict[str, deque[Generation]] = {}

    def of(self, group_id: str) -> deque[Generation]:
        """Those of one group, oldest first."""
        return self._by_group.setdefault(group_id, deque(maxlen=GENERATIONS_MAX))

    def groups(self) -> list[str]:
        """The groups that have been through any."""
        return [group for group, generations in self._by_group.items() if generations]

    def forget(self) -> None:
        """Begin anew: the cluster was wiped."""
        self._by_group.clear()
