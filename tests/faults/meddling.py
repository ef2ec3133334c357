"""A simulated cluster with faults: the handles that a test of our users holds, and no sockets.

What is done through the handles is one step of the world, as it is behind the real doors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

from mockbroker.core.groups.coordination import OFFSETS_TOPIC, coordinator_partition
from mockbroker.core.internal_topics import OFFSETS, ensure_topic
from mockbroker.core.world import World
from mockbroker.faults.book import FaultBook
from mockbroker.handlers import HANDLERS
from mockbroker.handles.faults import Faults
from mockbroker.protocol.messages.groups import JoinGroupProtocol, JoinGroupRequest
from mockbroker.waiting import Condition, WaitTimeout
from tests.core.simulation import Asked, Simulation

T = TypeVar("T")


class SimulatedDoor:
    """A way into a simulation; its waits end at once, one way or the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.server: Any = SimpleNamespace(connections=[])
        self.ghosts: Any = None  # nobody asks for them here

    def do(self, act: Callable[..., T], *args: Any) -> T:
        try:
            return act(*args)
        finally:
            self.world.settle()

    def wait(self, condition: Condition[T], timeout: float | str | None) -> T:
        value = condition.look()
        if value is None:
            raise WaitTimeout(f"waited {timeout} for {condition.wanted}; instead: {condition.now()}")
        return value


class Meddled(Simulation):
    """A simulation whose calls and messages meet faults."""

    def __init__(self, brokers: int = 3, **how: Any) -> None:
        super().__init__(brokers, **how)
        self.book = FaultBook(self.world, HANDLERS)
        self.hook = self.book
        self.faults = Faults(SimulatedDoor(self.world), self.book)

    def coordinator(self, group: str) -> int:
        """The broker that looks after a group."""
        if OFFSETS_TOPIC not in self.world.controller.image.topics:
            ensure_topic(self.world.nodes[1], OFFSETS)
            self.world.settle()
        count = len(self.world.controller.image.topics[OFFSETS_TOPIC].partitions)
        return self.partition(OFFSETS_TOPIC, coordinator_partition(group, count)).leader

    def join(
        self,
        group: str = "g",
        *,
        client: str = "app",
        member: str = "",
        protocols: Sequence[str] = ("range",),
    ) -> Asked:
        """Ask to join a group, at its coordinator."""
        body = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=10_000,
            rebalance_timeout_ms=10_000,
            member_id=member,
            protocol_type="consumer",
            protocols=[JoinGroupProtocol(name=name, metadata=b"") for name in protocols],
        )
        return self.ask(body, to=self.coordinator(group), client=client)
