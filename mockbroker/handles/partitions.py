"""One partition and its replicas, as a test holds them.

Reads what the controller knows and each broker has;
changes leaders and holds replicas back by Kafka's own ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.image import PartitionImage
from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World
    from mockbroker.handles.door import Door


def leader_replica(world: World, topic: str, index: int) -> Replica:
    """The replica that leads a partition now, or a UsageError that says why there is none."""
    partition = world.controller.image.partition(topic, index)
    if partition is None:
        known = world.controller.image.topics.get(topic)
        if known is None:
            there = sorted(world.controller.image.topics) or "none"
            raise UsageError(f"there is no topic {topic!r}: there are {there}; create() it first")
        raise UsageError(
            f"topic {topic!r} has no partition {index}: it has {len(known.partitions)}, from 0 up"
        )
    node = world.nodes.get(partition.leader)
    replica = node.replicas.get((topic, index)) if node is not None and node.up else None
    if replica is None:
        raise UsageError(
            f"{topic}-{index} has no leader now: {_copies(partition)}; "
            "restart() one that is in sync or eligible, or elect(unclean=True)"
        )
    return replica


def _copies(partition: PartitionImage) -> str:
    """Who has a copy, and whose is known to be complete: those in sync, and the eligible (KIP-966)."""
    return (
        f"its replicas are {list(partition.replicas)}, in sync are {list(partition.isr) or 'none'}, "
        f"eligible are {list(partition.elr) or 'none'}"
    )


class Partition:
    """One partition of a topic."""

    def __init__(self, door: Door, topic: str, index: int) -> None:
        self._at = door
        self.topic = topic
        self.index = index

    def __repr__(self) -> str:
        return f"<Partition {self.topic}-{self.index}>"

    def _image(self) -> PartitionImage:
        partition = self._at.world.controller.image.partition(self.topic, self.index)
        if partition is None:
            raise UsageError(f"{self.topic}-{self.index} is gone: was the topic deleted?")
        return partition

    @property
    def leader(self) -> int:
        """The id of the broker that leads it; -1 for none.

        >>> cluster.topic("orders").partition(0).leader
        1
        """
        return self._at.do(self._image).leader

    @property
    def epoch(self) -> int:
        """The leader epoch: it grows with each new leader.

        >>> cluster.topic("orders").partition(0).epoch
        0
        """
        return self._at.do(self._image).leader_epoch

    @property
    def replicas(self) -> list[int]:
        """The brokers that have a copy, the preferred leader first.

        >>> cluster.topic("orders").partition(0).replicas
        [1, 2, 3]
        """
        return list(self._at.do(self._image).replicas)

    @property
    def isr(self) -> list[int]:
        """The brokers that are in sync.

        >>> cluster.topic("orders").partition(0).isr
        [1, 2, 3]
        """
        return list(self._at.do(self._image).isr)

    @property
    def high_watermark(self) -> int:
        """Below this offset everything is committed, as far as the leader knows.

        >>> cluster.topic("orders").partition(0).high_watermark
        1
        """
        return self._at.do(lambda: leader_replica(self._at.world, self.topic, self.index).high_watermark)

    def replica(self, broker: int) -> ReplicaHandle:
        """The copy on one broker.

        >>> cluster.topic("orders").partition(0).replica(2).freeze()
        """
        replicas = self.replicas
        if broker not in replicas:
            raise UsageError(
                f"{self.topic}-{self.index} has no replica on broker {broker}: they are on {replicas}"
            )
        return ReplicaHandle(self._at, self, broker)

    def freeze_followers(self) -> None:
        """Let every replica but the leader's stand still, until `catch_up`.

        >>> cluster.topic("orders").partition(0).freeze_followers()
        """
        leader = self.leader
        for broker in self.replicas:
            if broker != leader:
                self.replica(broker).freeze()

    def elect(self, broker: int | None = None, *, unclean: bool = False) -> int:
        """Let another replica lead, and give its broker's id.

        Without `broker` it is the first live replica that can: one in sync, or with `unclean` any.  An
        unclean leader makes its log the truth, and what it lacks is lost.  Raises UsageError when nobody
        can lead.

        >>> cluster.topic("orders").partition(0).elect(2)
        2
        """
        return self._at.do(self._elect, broker, unclean)

    def _elect(self, broker: int | None, unclean: bool) -> int:
        world, partition = self._at.world, self._image()
        alive = world.controller.image.alive
        candidates = [
            id
            for id in partition.replicas
            if alive(id) and id != partition.leader and (unclean or id in partition.isr)
        ]
        chosen = broker if broker is not None else next(iter(candidates), None)
        if chosen is None and alive(partition.leader):
            # The controller has already found the one live replica that there is.
            return partition.leader
        try:
            if chosen is None:
                raise UsageError(
                    f"nobody can lead {self.topic}-{self.index}: {_copies(partition)}; alive are "
                    f"{[b.id for b in world.controller.image.live_brokers()] or 'none'}; "
                    "elect(unclean=True) takes any of these that has a copy"
                )
            world.controller.move_leader(self.topic, self.index, chosen, unclean=unclean)
            how = " (unclean)" if unclean else ""
            world.history.act(
                f"elect broker {chosen} for {self.topic}-{self.index}{how}",
                topic=self.topic,
                partition=self.index,
            )
        except KafkaError as refused:
            raise UsageError(
                f"broker {chosen} cannot lead {self.topic}-{self.index}: {refused.message}"
                + ("" if unclean else "; elect(unclean=True) does not ask")
            ) from refused
        return chosen


class ReplicaHandle:
    """One copy of a partition on one broker, which a test may hold back."""

    def __init__(self, door: Door, partition: Partition, broker: int) -> None:
        self._at = door
        self._partition = partition
        self.broker = broker

    def __repr__(self) -> str:
        return f"<replica of {self._partition.topic}-{self._partition.index} on broker {self.broker}>"

    def _replica(self) -> Replica:
        node = self._at.world.nodes[self.broker]
        replica = node.replicas.get((self._partition.topic, self._partition.index))
        if replica is None:
            raise UsageError(f"{self!r} does not exist (yet): has the broker been told of the topic?")
        return replica

    @property
    def end_offset(self) -> int:
        """Where this copy's log ends.

        >>> cluster.topic("orders").partition(0).replica(2).end_offset
        1
        """
        return self._at.do(lambda: self._replica().log.end)

    @property
    def high_watermark(self) -> int:
        """What this copy knows to be committed.

        >>> cluster.topic("orders").partition(0).replica(2).high_watermark
        1
        """
        return self._at.do(lambda: self._replica().high_watermark)

    def freeze(self) -> None:
        """Copy nothing more from the leader; replica.lag.time.max.ms of broker time later, leave the ISR.

        >>> cluster.topic("orders").partition(0).replica(2).freeze()
        """

        def freeze() -> None:
            self._replica().frozen = True
            self._note("freeze")

        self._at.do(freeze)

    def lag(self, records: int) -> None:
        """Stay `records` records behind the leader.

        >>> cluster.topic("orders").partition(0).replica(2).lag(5)
        """
        if records < 0:
            raise UsageError(f"lag({records}): a replica cannot be ahead of its leader")

        def lag() -> None:
            replica = self._replica()
            replica.frozen = False
            replica.lag_records = records
            self._note(f"lag {records} behind")
            self._fetch(replica)

        self._at.do(lag)

    def catch_up(self) -> None:
        """Copy everything, and keep up from now on.

        >>> cluster.topic("orders").partition(0).replica(2).catch_up()
        """

        def catch_up() -> None:
            replica = self._replica()
            replica.frozen = False
            replica.lag_records = 0
            self._note("catch up")
            self._fetch(replica)

        self._at.do(catch_up)

    def _note(self, what: str) -> None:
        topic, index = self._partition.topic, self._partition.index
        self._at.world.history.act(
            f"replica of {topic}-{index} on broker {self.broker}: {what}", topic=topic, partition=index
        )

    @staticmethod
    def _fetch(replica: Replica) -> None:
        if replica.following is not None:
            replica.following.fetch()
