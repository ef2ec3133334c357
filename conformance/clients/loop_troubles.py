"""What befalls the brokers while clients run their loops, each at the step in which it hurts most.

A trouble waits for its moment and acts in the very step that brings it; how often is counted by what has been
written.  Knows mockbroker from the inside; no client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core.links import Message
from mockbroker.core.messages import WriteTxnMarkers
from mockbroker.core.transactions.states import TxnState
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker import Cluster
    from mockbroker.core.transactions.shard import TransactionShard

# A broker that has died comes back when so many more records have been written.
BACK_AFTER = 4


@dataclass
class Scene:
    """A cluster in which the loops of a group write to `to`, under these transactional ids."""

    cluster: Cluster
    group: str
    to: str
    ids: tuple[str, ...]

    def written(self) -> int:
        """How many records are in the output, markers and aborted ones too."""
        topic = self.cluster.topic(self.to)
        return sum(topic.end_offset(partition.partition) for partition in topic.partitions)

    def coordinator(self, transactional_id: str) -> TransactionShard | None:
        """The shard that coordinates an id now."""
        for node in self.cluster.world.nodes.values():
            for shard in node.coordinators.transactions.values() if node.up else ():
                if transactional_id in shard.transactions and not shard.loading:
                    return shard
        return None

    def state(self, transactional_id: str) -> TxnState | None:
        """What the coordinator has written of an id."""
        shard = self.coordinator(transactional_id)
        return None if shard is None else shard.transactions[transactional_id].record.state

    def when(self, what: str, come: Callable[[], bool], act: Callable[[], None] = lambda: None) -> None:
        """Wait for a moment, and act in the step that brings it."""

        def look() -> bool | None:
            if not come():
                return None
            act()
            return True

        self.cluster.wait(Condition(what, look, lambda: f"{self.written()} are written"), timeout="60s")

    def when_written(self, count: int) -> None:
        """Wait until so much is written."""
        self.when(f"{count} records in {self.to}", lambda: self.written() >= count)


def coordinator_dies_while_open(scene: Scene, count: int) -> None:
    """The coordinator dies with a transaction open, and comes back later."""
    _coordinator_dies(scene, count, TxnState.ONGOING)


def coordinator_dies_while_ending(scene: Scene, count: int) -> None:
    """The coordinator has decided and dies before any partition has heard of it."""
    links = scene.cluster.world.links

    def no_markers(message: Message) -> bool:
        return not isinstance(message, WriteTxnMarkers)

    def silence() -> None:
        links.between = no_markers

    scene.when(f"{count} records", lambda: scene.written() >= count, silence)
    try:
        _coordinator_dies(scene, count, TxnState.PREPARE_COMMIT)
    finally:
        links.between = None


def _coordinator_dies(scene: Scene, count: int, state: TxnState) -> None:
    victims: list[int] = []

    def come() -> bool:
        return scene.written() >= count and scene.state(scene.ids[0]) is state

    def act() -> None:
        shard = scene.coordinator(scene.ids[0])
        assert shard is not None
        victims.append(shard.node.id)
        scene.cluster.world.links.between = None
        scene.cluster.world.crash(shard.node.id)

    scene.when(f"{scene.ids[0]} to be {state.title}", come, act)
    _come_back(scene, victims)


def leader_dies(scene: Scene, count: int) -> None:
    """The leader of an output partition dies with a transaction open; it coordinates nothing, if that can be."""
    cluster = scene.cluster

    def leader() -> int:
        busy = {cluster.coordinator_of(scene.group).id}
        shard = scene.coordinator(scene.ids[0])
        busy |= set() if shard is None else {shard.node.id}
        leaders = [cluster.leader_of(scene.to, p.partition).id for p in cluster.topic(scene.to).partitions]
        return next((id for id in leaders if id not in busy), leaders[0])

    _dies(scene, count, leader)


def group_coordinator_dies(scene: Scene, count: int) -> None:
    """The coordinator of the loop's group dies with a transaction open."""
    _dies(scene, count, lambda: scene.cluster.coordinator_of(scene.group).id)


def _dies(scene: Scene, count: int, who: Callable[[], int]) -> None:
    victims: list[int] = []

    def act() -> None:
        victims.append(who())
        scene.cluster.world.crash(victims[0])

    def come() -> bool:
        return scene.written() >= count and scene.state(scene.ids[0]) is TxnState.ONGOING

    scene.when("a transaction to be open", come, act)
    _come_back(scene, victims)


def _come_back(scene: Scene, victims: list[int]) -> None:
    now = scene.written()
    scene.when_written(now + BACK_AFTER)
    scene.cluster.broker(victims[0]).restart()
