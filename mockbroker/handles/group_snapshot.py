"""A group at one moment: who its members are, who owns what, and how far it has come.

Values that never change, and where they are to be had from: the coordinator of the moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition
from mockbroker.handles.ghosts import Ghost
from mockbroker.handles.records import TopicPartition

if TYPE_CHECKING:
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.core.groups.views import MemberView
    from mockbroker.core.world import World


class Assignment(Mapping[str, list[TopicPartition]]):
    """Who owns which partitions, by member id.

    A member may also be looked up by its client id or instance id, where only one has it, and a ghost as it is.

    >>> cluster.group("billing").assignment["app-a"]
    [TopicPartition(topic='orders', partition=0)]
    """

    def __init__(self, members: tuple[MemberView, ...]) -> None:
        self._members = members
        self._owned = {member.id: _owned(member) for member in members}

    def __getitem__(self, member: str | Ghost) -> list[TopicPartition]:
        if isinstance(member, Ghost):
            # Its client id is its own, and stays when it has to join under another member id.
            member = member.client_id
        if member in self._owned:
            return self._owned[member]
        named = [m.id for m in self._members if member in (m.client_id, m.instance_id)]
        if len(named) != 1:
            raise KeyError(
                f"{member!r} is {'more than one' if named else 'no'} member: there are {list(self._owned)}"
            )
        return self._owned[named[0]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._owned)

    def __len__(self) -> int:
        return len(self._owned)

    def __repr__(self) -> str:
        return f"Assignment({self._owned})"

    @property
    def owners(self) -> dict[TopicPartition, list[str]]:
        """The members that own each partition: exactly one, where all is well."""
        owners: dict[TopicPartition, list[str]] = {}
        for member, partitions in self._owned.items():
            for partition in partitions:
                owners.setdefault(partition, []).append(member)
        return dict(sorted(owners.items()))


def _owned(member: MemberView) -> list[TopicPartition]:
    return sorted(
        TopicPartition(topic, index)
        for topic, indexes in (member.assignment or {}).items()
        for index in indexes
    )


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """A group at one moment."""

    state: str
    generation: int
    members: tuple[MemberView, ...]
    assignment: Assignment
    committed: Mapping[TopicPartition, int]


def coordinator_shard(world: World, group_id: str) -> GroupShard | None:
    """The shard that looks after a group now, if there is one."""
    topic = world.controller.image.topics.get(OFFSETS_TOPIC)
    if topic is None:
        return None
    index = coordinator_partition(group_id, len(topic.partitions))
    node = world.nodes.get(topic.partitions[index].leader)
    return None if node is None or not node.up else node.shards.get(index)
