"""Ghosts, as a test holds them: virtual members of a group and virtual producers, inside the brokers.

They save a test the second process.  Each method is one step of the world, like every other act of a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.usage import UsageError
from mockbroker.ghosts.reading import Reader
from mockbroker.handles.partitioner import partition_for
from mockbroker.handles.records import Record, TopicPartition, to_bytes
from mockbroker.records.builder import NewRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mockbroker.ghosts.answers import Answer
    from mockbroker.ghosts.member import GhostMember
    from mockbroker.ghosts.payer import GhostPayer
    from mockbroker.ghosts.producer import GhostProducer
    from mockbroker.handles.door import Door

ACKS = {0: 0, 1: 1, -1: -1, "0": 0, "1": 1, "-1": -1, "all": -1}

# As many records as Java's consumer gives out at a time (max.poll.records).
POLL_RECORDS = 500


class Ghost:
    """A member of a group that lives inside the brokers.

    It joins, syncs and sends heartbeats like any consumer, through the same faults and into the same history, and
    takes part in every rebalance in the very step in which it begins.  It reads only when it is told to `poll`.
    """

    def __init__(self, door: Door, ghost: GhostMember) -> None:
        self._at = door
        self._ghost = ghost
        self.client_id = ghost.client_id
        self.instance_id = ghost.wish.instance_id
        self.group_id = ghost.group_id

    def __repr__(self) -> str:
        return repr(self._ghost)

    @property
    def id(self) -> str:
        """Its member id; empty until the coordinator has given it one.

        >>> cluster.group("billing").join_ghost().id.startswith("ghost-1-")
        True
        """
        return self._at.do(lambda: self._ghost.id)

    @property
    def generation(self) -> int:
        """The generation that it knows of, which for a silent ghost may be an old one; -1 before the first.

        >>> cluster.group("billing").join_ghost().generation
        -1
        """
        return self._at.do(lambda: self._ghost.generation)

    @property
    def assignment(self) -> list[TopicPartition]:
        """What it believes to own.

        >>> cluster.group("other").join_ghost(topics=["orders"]).assignment[0]
        TopicPartition(topic='orders', partition=0)
        """
        return self._at.do(lambda: [TopicPartition(*place) for place in self._ghost.places()])

    @property
    def state(self) -> str:
        """Where it stands: "joining", "waiting for its assignment", "a member" or "gone".

        >>> cluster.group("billing").join_ghost().state
        'joining'
        """
        return self._at.do(lambda: self._ghost.phase.value)

    def silence(self) -> None:
        """Send nothing more and notice nothing, as a process that hangs.  Its session runs out by broker time.

        What the test has it do (`commit`, `poll`, `leave`) it does all the same: so a zombie is made.

        >>> ghost = cluster.group("billing").join_ghost()
        >>> ghost.silence()
        >>> cluster.clock.advance("45s")
        """
        self._act("falls silent", self._ghost.be_silent)

    def speak(self) -> None:
        """Go on after `silence`: with a heartbeat, and whatever the answer to that makes necessary.

        >>> ghost = cluster.group("billing").join_ghost()
        >>> ghost.silence()
        >>> ghost.speak()
        """
        self._act("speaks again", self._ghost.speak)

    def leave(self) -> None:
        """Leave the group, as a consumer does that is closed; a static member leaves for good, too.

        >>> cluster.group("billing").join_ghost().leave()
        """
        self._act("leaves", self._ghost.leave)

    def commit(
        self,
        offsets: Mapping[tuple[str, int], int],
        *,
        generation: int | None = None,
        member_id: str | None = None,
    ) -> Answer:
        """Commit offsets, by topic and partition; by default as the member that the ghost believes to be.

        A refusal is raised as a KafkaError.  `generation` and `member_id` make it lie.  The answer that is given
        may not be `done` yet, when a gate holds the commit or replication takes its time.

        >>> ghost = cluster.group("other").join_ghost(topics=["orders"])
        >>> ghost.commit({("orders", 0): 1})
        <ghost-1's commit of orders-0@1: done>
        """
        reader = Reader(self._ghost)
        return self._at.do(lambda: reader.commit(dict(offsets), generation, member_id).checked())

    def poll(
        self,
        *,
        auto_offset_reset: str = "earliest",
        max_records: int = POLL_RECORDS,
        auto_commit: bool = False,
    ) -> list[Record]:
        """Read what there is in its partitions, from its positions on, and with `auto_commit` commit them.

        A partition that it has just been given is begun at the group's commit; where there is none, at the
        "earliest" or the "latest" offset.

        >>> [record.value for record in cluster.group("other").join_ghost(topics=["orders"]).poll()]
        [b'paid']
        """
        return self._at.do(self._poll, auto_offset_reset, max_records, auto_commit)

    def _poll(self, reset: str, max_records: int, auto_commit: bool) -> list[Record]:
        reader = Reader(self._ghost)
        found = reader.poll(reset, max_records)
        if auto_commit and self._ghost.positions:
            reader.commit(dict(self._ghost.positions), None, None).checked()
        return [
            Record(
                key=None if record.key is None else bytes(record.key),
                value=None if record.value is None else bytes(record.value),
                headers=tuple((name, None if v is None else bytes(v)) for name, v in record.headers),
                timestamp=record.timestamp,
                offset=record.offset,
                partition=place[1],
                kind="data",
                producer_id=-1,
            )
            for place, record in found
        ]

    def _act(self, what: str, act: Callable[[], object]) -> None:
        def acted() -> None:
            self._at.world.history.act(f"{self.client_id} {what}", group=self.group_id, member=self._ghost.id)
            act()

        self._at.do(acted)


class ProducerGhost:
    """A producer that lives inside the brokers.  It sends what the test says, and retries nothing by itself."""

    def __init__(self, door: Door, producer: GhostProducer) -> None:
        self._at = door
        self._producer = producer
        self.client_id = producer.client_id

    def __repr__(self) -> str:
        return f"<ghost producer {self.client_id}>"

    @property
    def producer_id(self) -> int:
        """Its producer id; -1 if it is not idempotent.

        >>> cluster.ghost_producer().producer_id
        -1
        """
        return self._producer.producer_id

    @property
    def producer_epoch(self) -> int:
        """Its producer epoch; -1 if it is not idempotent.

        >>> cluster.ghost_producer(idempotent=True).producer_epoch
        0
        """
        return self._producer.producer_epoch

    def send(
        self,
        topic: str,
        value: str | bytes | None,
        *,
        key: str | bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        acks: int | str = "all",
    ) -> Answer:
        """Produce one record; without `partition` the key decides, and without a key it is partition 0.

        A refusal is raised as a KafkaError.  A connection that breaks is not: the answer says that it is `lost`,
        and `resend` does what a client's retry would do.

        >>> cluster.ghost_producer().send("orders", b"paid", partition=3)
        <ghost-producer-1's batch for orders-3: done>
        """
        if acks not in ACKS:
            raise UsageError(f"acks={acks!r}: expected 0, 1 or 'all'")
        return self._at.do(
            self._send, topic, NewRecord(to_bytes(key), to_bytes(value), headers), partition, acks
        )

    def _send(self, topic: str, record: NewRecord, partition: int | None, acks: int | str) -> Answer:
        index = partition
        if index is None:
            key = None if record.key is None else bytes(record.key)
            index = 0 if key is None else partition_for(key, self._producer.partitions(topic))
        return self._producer.send(topic, index, [record], ACKS[acks]).checked()

    def resend(self) -> Answer:
        """Send the newest batch once more just as it was, its sequence included: the retry of a client.

        >>> producer = cluster.ghost_producer(idempotent=True)
        >>> producer.send("orders", b"paid", partition=3)
        <ghost-producer-1's batch for orders-3: done>
        >>> producer.resend()
        <ghost-producer-1's batch for orders-3: done>
        >>> cluster.topic("orders").values(partition=3)
        [b'paid']
        """
        return self._at.do(lambda: self._producer.resend().checked())


class PayerGhost(ProducerGhost):
    """A transactional producer that lives inside the brokers, one step at a time: what it has begun it may leave open.

    Its first `send` or `commit_offsets` begins a transaction; `commit`, `abort` or `abandon` is the end of it here.
    """

    def __init__(self, door: Door, producer: GhostPayer) -> None:
        super().__init__(door, producer)
        self._payer = producer
        self.transactional_id = producer.transactional_id

    def commit_offsets(self, group: str, offsets: Mapping[tuple[str, int], int]) -> Answer:
        """Let a group's offsets move with the transaction, by (topic, partition).  Raises KafkaError if refused.

        >>> payer = cluster.ghost_producer(transactional_id="payer-1")
        >>> payer.commit_offsets("billing", {("orders", 3): 1})
        <ghost-producer-1's offsets of billing: done>
        """
        return self._at.do(lambda: self._payer.keep(group, offsets).checked())

    def commit(self) -> Answer:
        """Commit the transaction.  Raises KafkaError if that is refused, as a fenced producer is.

        >>> payer = cluster.ghost_producer(transactional_id="payer-1")
        >>> payer.send("orders", b"paid", partition=3)
        <ghost-producer-1's batch for orders-3: done>
        >>> payer.commit()
        <ghost-producer-1's commit: done>
        """
        return self._at.do(lambda: self._payer.end(commit=True).checked())

    def abort(self) -> Answer:
        """Abort the transaction.  Raises KafkaError if that is refused.

        >>> payer = cluster.ghost_producer(transactional_id="payer-1")
        >>> payer.send("orders", b"paid", partition=3)
        <ghost-producer-1's batch for orders-3: done>
        >>> payer.abort()
        <ghost-producer-1's abort: done>
        """
        return self._at.do(lambda: self._payer.end(commit=False).checked())

    def abandon(self) -> None:
        """Vanish, and leave the transaction open: readers of committed records wait behind it until it times out.

        >>> payer = cluster.ghost_producer(transactional_id="payer-1")
        >>> payer.send("orders", b"paid", partition=3)
        <ghost-producer-1's batch for orders-3: done>
        >>> payer.abandon()
        >>> cluster.transaction("payer-1").state
        'Ongoing'
        """
        self._at.do(self._payer.abandon)
