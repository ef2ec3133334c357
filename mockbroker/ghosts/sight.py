"""What a ghost sees without asking: whether a request would now tell it something new.

A real client finds out at its next heartbeat, or when its next attempt is due.  A ghost looks at the brokers'
memory for the moment in which to ask, and asks by the protocol: what it learns it learns from the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.classic import State
from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mockbroker.core.groups.classic import ClassicGroup
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.core.node import Node
    from mockbroker.core.world import World

# Something that compares equal while nothing has changed.
Picture = tuple[object, ...]


class Sight:
    """One ghost's eyes on its group."""

    # How news begins that a leader acts upon by itself: topics of its group have other partitions now.
    PARTITIONS = "partitions"

    __slots__ = ("_counts", "_group_id", "_known", "_seen", "_world", "told", "wanted")

    def __init__(self, world: World, group_id: str) -> None:
        self._world = world
        self._group_id = group_id
        self._seen: Picture = ()
        # The news of this generation that it has acted upon already.
        self.told: set[Picture] = set()
        # As the leader: the topics that its group wants, the partitions that there were when it asked for them,
        # and those that it was told of and has assigned.
        self.wanted: Collection[str] = ()
        self._known: Picture = ()
        self._counts: Picture = ()

    def about_to_assign(self, node: Node, wanted: Collection[str]) -> None:
        """As the leader, it asks this broker for the partitions of the topics that are wanted."""
        self.wanted = wanted
        self._known = self._partitions_at(node)

    def assigned(self, counts: Mapping[str, int]) -> bool:
        """So many partitions it was told of, and has assigned; says whether these were all."""
        self._counts = _picture_of(counts)
        return self._counts == self._known

    def has_assigned(self, counts: Mapping[str, int]) -> bool:
        """Whether so many partitions are what it has assigned."""
        return self._counts == _picture_of(counts)

    def begin_generation(self) -> None:
        """What was news before is not any more."""
        self.told.clear()

    # -- is it worth trying again? ------------------------------------------------------------------

    def remember(self) -> None:
        """An attempt is made as things are now."""
        self._seen = self._picture()

    def changed(self) -> bool:
        """Whether things are different from when the last attempt was made."""
        picture, before = self._picture(), self._seen
        self._seen = picture
        return picture != before

    def _picture(self) -> Picture:
        """Everything that decides whether a coordinator is to be found, and serves."""
        nodes = self._world.nodes.values()
        return (
            self._world.controller.image.version,
            *((node.up, node.paused, node.image.version, self._serves(node)) for node in nodes),
        )

    def _serves(self, node: Node) -> bool:
        shard = self._shard_at(node)
        return shard is not None and not shard.loading

    # -- is there news? -----------------------------------------------------------------------------

    def news(self, node: Node, member_id: str, generation: int, *, leads: bool) -> Picture | None:
        """What a heartbeat to this broker would tell, or None where it would be a mere sign of life."""
        if not node.up or self.has_left(node):
            return ("gone", node.id, node.incarnation)
        shard = self._shard_at(node)
        if shard is None:
            return ("moved", node.id)
        if node.paused or shard.loading:
            return None
        group = shard.groups.get(self._group_id)
        member = None if group is None else group.members.get(member_id)
        if group is None or member is None or group.generation != generation:
            return ("without", shard.leader_epoch, None if group is None else group.generation)
        if group.state is State.PREPARING and member.joining is None:
            return ("rebalance", shard.leader_epoch, generation)
        if leads and (counts := self._partitions_at(node)) != self._known:
            return (self.PARTITIONS, counts)
        return None

    def _partitions_at(self, node: Node) -> Picture:
        topics = node.image.topics
        return tuple((name, len(topics[name].partitions)) for name in sorted(self.wanted) if name in topics)

    def has_left(self, node: Node) -> bool:
        """Whether a broker stands still or is down, and another one coordinates by now."""
        if node.up and not node.paused:
            return False
        topic = self._world.controller.image.topics.get(OFFSETS_TOPIC)
        if topic is None:
            return not node.up
        leader = topic.partitions[coordinator_partition(self._group_id, len(topic.partitions))].leader
        return not node.up or leader not in (node.id, -1)

    # -- the group ----------------------------------------------------------------------------------

    def _shard_at(self, node: Node) -> GroupShard | None:
        topic = node.image.topics.get(OFFSETS_TOPIC)
        if topic is None:
            return None
        return node.shards.get(coordinator_partition(self._group_id, len(topic.partitions)))

    def group_at(self, node: Node) -> ClassicGroup | None:
        """The group as this broker knows it."""
        shard = self._shard_at(node)
        return None if shard is None else shard.groups.get(self._group_id)


def _picture_of(counts: Mapping[str, int]) -> Picture:
    return tuple(sorted(counts.items()))
