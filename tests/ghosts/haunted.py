"""A world with ghosts in it and nobody else, and what tests look at in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition
from mockbroker.core.groups.views import GroupView
from mockbroker.core.new_topics import Planner
from mockbroker.core.new_topics import Wish as TopicWish
from mockbroker.core.world import World
from mockbroker.ghosts.assignors import Place
from mockbroker.ghosts.company import Company
from mockbroker.ghosts.member import GhostMember, Wish
from mockbroker.protocol.apis import Api
from tests.server.wire import Meddling

GROUP = "billing"
SESSION_MS, REBALANCE_MS = 45_000, 60_000


class Haunted:
    """Three brokers, a topic with six partitions, and ghosts."""

    def __init__(self, *, seed: int = 7, friendly: bool = True, faults: Meddling | None = None) -> None:
        self.world = World(brokers=(1, 2, 3), random=Random(seed), friendly=friendly)
        for id in self.world.nodes:
            self.world.set_address(id, f"broker-{id}", 9090 + id)
        self.ghosts = Company(self.world, faults, itertools.count(1).__next__)
        self.topic("orders", 6)

    def topic(self, name: str, partitions: int) -> None:
        controller = self.world.controller
        controller.create_topics(
            [Planner(controller.image, self.world.defaults).plan(TopicWish(name, partitions, 3))]
        )
        self.world.settle()

    def join(
        self,
        *topics: str,
        assignor: str | None = None,
        instance: str | None = None,
        session_ms: int = SESSION_MS,
        group: str = GROUP,
    ) -> GhostMember:
        wish = Wish(topics or ("orders",), assignor, instance, session_ms, REBALANCE_MS)
        return self.ghosts.join(group, wish)

    def act(self, act: Callable[[], object]) -> None:
        """One step of the world."""
        act()
        self.world.settle()

    def coordinator(self) -> int:
        topic = self.world.controller.image.topics[OFFSETS_TOPIC]
        return topic.partitions[coordinator_partition(GROUP, len(topic.partitions))].leader

    def group(self) -> GroupView:
        node = self.world.nodes[self.coordinator()]
        found = node.group_shard(GROUP).view(GROUP)
        assert found is not None
        return found

    def asked(self, ghost: GhostMember) -> list[Api]:
        """The APIs of the requests that a ghost has had answered, oldest first."""
        events = self.world.history.events
        return [event.call.api for event in events if event.call and event.client_id == ghost.client_id]


def owned(ghosts: Sequence[GhostMember]) -> list[Place]:
    """All that some ghosts own, sorted."""
    return sorted(place for ghost in ghosts for place in ghost.places())


def every(topic: str = "orders", count: int = 6) -> list[Place]:
    return [(topic, index) for index in range(count)]


def nth(api: Api, which: Sequence[int], instead: Any) -> Callable[[Any, Any], Any]:
    """A hook for Meddling's `before`: the n-th calls of an API get this instead of their handler."""
    seen = itertools.count(1)

    def before(call: Any, _node: Any) -> Any:
        return instead if call.api is api and next(seen) in which else None

    return before
