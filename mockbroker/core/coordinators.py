"""The coordinators that live on one broker: where it leads a partition of an internal topic, it holds a shard.

Shards come and go with leadership and are read anew in every term.  Which shard looks after a key is arithmetic;
what a shard does is its own affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mockbroker.core.groups.coordination import OFFSETS_TOPIC, TRANSACTIONS_TOPIC, coordinator_partition
from mockbroker.core.groups.shard import GroupShard
from mockbroker.core.messages import LoadCoordinator
from mockbroker.core.transactions.shard import TransactionShard
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica
    from mockbroker.core.shard import Shard

S = TypeVar("S", bound="Shard")


class Coordinators:
    """All shards of one broker, by the number of their partition."""

    __slots__ = ("_node", "groups", "transactions")

    def __init__(self, node: Node) -> None:
        self._node = node
        self.groups: dict[int, GroupShard] = {}
        self.transactions: dict[int, TransactionShard] = {}

    # -- who looks after what ---------------------------------------------------------------------

    def group_shard(self, group_id: str) -> GroupShard:
        """The shard that looks after a group.  Raises NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS."""
        shard = self.groups.get(self._partition_of(OFFSETS_TOPIC, group_id))
        return _serving(shard)

    def transaction_shard(self, transactional_id: str) -> TransactionShard:
        """The shard that looks after a transactional id.  Raises as `group_shard` does."""
        shard = self.transactions.get(self._partition_of(TRANSACTIONS_TOPIC, transactional_id))
        return _serving(shard)

    def _partition_of(self, topic: str, key: str) -> int:
        found = self._node.image.topics.get(topic)
        return -1 if found is None else coordinator_partition(key, len(found.partitions))

    # -- coming and going -------------------------------------------------------------------------

    def hold(self, topic: str, index: int, replica: Replica) -> None:
        """A replica has taken a role: a shard lives where its partition is led."""
        if topic == OFFSETS_TOPIC:
            self._hold(self.groups, GroupShard, index, replica)
        elif topic == TRANSACTIONS_TOPIC:
            self._hold(self.transactions, TransactionShard, index, replica)

    def _hold(
        self, shards: dict[int, S], make: Callable[[Node, Replica], S], index: int, replica: Replica
    ) -> None:
        shard = shards.get(index)
        if shard is not None and (not replica.leading or shard.leader_epoch != replica.leader_epoch):
            del shards[index]
            shard.unload()
            shard = None
        if shard is None and replica.leading:
            shards[index] = make(self._node, replica)
            self._node.links.send(LoadCoordinator(self._node.id, replica.topic, index, replica.leader_epoch))

    def load(self, message: LoadCoordinator) -> None:
        """Read a partition, unless its term is over."""
        shard = self.of(message.topic, message.index)
        if shard is not None and shard.loading and shard.leader_epoch == message.leader_epoch:
            shard.load()

    def of(self, topic: str, index: int) -> Shard | None:
        """The shard of one partition of an internal topic, if it is here."""
        if topic == OFFSETS_TOPIC:
            return self.groups.get(index)
        return self.transactions.get(index) if topic == TRANSACTIONS_TOPIC else None

    def drop(self, topic: str, index: int) -> None:
        """The partition is not this broker's any more."""
        shard = self.of(topic, index)
        if shard is not None:
            (self.groups if topic == OFFSETS_TOPIC else self.transactions).pop(index)
            shard.unload()

    def clear(self) -> None:
        """The broker died, and nobody is told anything."""
        self.groups.clear()
        self.transactions.clear()

    # -- news -------------------------------------------------------------------------------------

    def forget_topic(self, topic: str) -> None:
        """A topic was deleted."""
        for shard in self.groups.values():
            if not shard.loading:
                shard.forget_topic(topic)

    def look_for_leaders(self) -> None:
        """Leaders may have changed, or roads to them are open again: markers may go on their way."""
        for shard in self.transactions.values():
            shard.markers.look()

    def disconnected(self, broker: int) -> None:
        """Another broker is gone, and with it what it would have answered."""
        for shard in self.transactions.values():
            shard.markers.disconnected(broker)


def _serving(shard: S | None) -> S:
    if shard is None:
        raise KafkaError(ErrorCode.NOT_COORDINATOR)
    if shard.loading:
        raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    return shard
