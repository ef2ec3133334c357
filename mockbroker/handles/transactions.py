"""A transactional id, as a test holds it: what its coordinator knows of it, and ways to put it into trouble.

Always asks the coordinator of the moment, so a handle survives failovers.  To hold back the marker of one
partition use `hang`, or a fault `between("WriteTxnMarkers", ...)`, which is what it makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core.groups.coordination import TRANSACTIONS_TOPIC, coordinator_partition
from mockbroker.core.transactions.states import TxnState
from mockbroker.core.usage import UsageError
from mockbroker.handles.records import TopicPartition
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.durations import Duration
    from mockbroker.core.links import Message
    from mockbroker.core.transactions.shard import TransactionShard
    from mockbroker.handles.armed import GateControls
    from mockbroker.handles.door import BlockingDoor, Door, TrioDoor
    from mockbroker.handles.faults import FaultsControls

UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class TransactionSnapshot:
    """A transactional id at one moment; `outstanding` are partitions whose marker is not written yet."""

    state: str
    producer_id: int = -1
    epoch: int = -1
    timeout: float = 0.0
    partitions: tuple[TopicPartition, ...] = ()
    outstanding: tuple[TopicPartition, ...] = ()


class TransactionControls:
    """All of a transactional id but its waits."""

    def __init__(self, door: Door, transactional_id: str, faults: FaultsControls) -> None:  # type: ignore[type-arg]  # whichever door's
        self._at = door
        self._faults = faults
        self.id = transactional_id

    def __repr__(self) -> str:
        return f"<Transaction {self.id}>"

    def snapshot(self) -> TransactionSnapshot:
        """Everything about it at one moment; an id that nobody has used yet is Unknown.

        >>> cluster.transaction("payer-1").snapshot().state
        'Unknown'
        """
        return self._at.do(self._snapshot)

    def _snapshot(self) -> TransactionSnapshot:
        shard = self._find()
        transaction = None if shard is None else shard.transactions.get(self.id)
        if shard is None or transaction is None:
            return TransactionSnapshot(UNKNOWN)
        record = transaction.record
        return TransactionSnapshot(
            record.state.title,
            record.producer_id,
            record.epoch,
            record.timeout_ms / 1_000,
            tuple(TopicPartition(*place) for place in sorted(record.partitions)),
            tuple(TopicPartition(*place) for place in shard.markers.outstanding(self.id)),
        )

    @property
    def state(self) -> str:
        """Kafka's word for its state: Empty, Ongoing, PrepareCommit, CompleteAbort and so on.

        >>> cluster.transaction("payer-1").state
        'Unknown'
        """
        return self.snapshot().state

    @property
    def producer_id(self) -> int:
        """The producer id that goes with it; -1 for an id that nobody has used yet.

        >>> cluster.transaction("payer-1").producer_id
        -1
        """
        return self.snapshot().producer_id

    @property
    def epoch(self) -> int:
        """The producer epoch of its owner: whoever has an older one is shut out.

        >>> cluster.transaction("payer-1").epoch
        -1
        """
        return self.snapshot().epoch

    @property
    def timeout(self) -> float:
        """How many seconds its transactions may be open, as its producer has set it.

        >>> cluster.transaction("payer-1").timeout
        0.0
        """
        return self.snapshot().timeout

    @property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """The partitions of its open transaction.

        >>> cluster.transaction("payer-1").partitions
        ()
        """
        return self.snapshot().partitions

    @property
    def outstanding(self) -> tuple[TopicPartition, ...]:
        """The partitions in which the end of its transaction is decided and not written yet.

        >>> cluster.transaction("payer-1").outstanding
        ()
        """
        return self.snapshot().outstanding

    def abort(self) -> None:
        """Abort its open transaction and shut its producer out, as its timeout does.

        Raises UsageError where there is none, or where its end is under way.

        >>> cluster.transaction("payer-1").abort()  # doctest: +SKIP
        """
        self._at.do(lambda: self._act("be aborted", lambda shard: shard.abort(self.id)))

    def expire(self) -> None:
        """Let the timeout of its transaction have passed now: it is aborted, and its producer shut out.

        Raises UsageError as `abort` does.

        >>> cluster.transaction("payer-1").expire()  # doctest: +SKIP
        """
        self._at.do(lambda: self._act("expire", lambda shard: shard.abort(self.id)))

    def fence(self) -> None:
        """Give its next epoch away, as to another producer with the same id; an open transaction is aborted.

        Raises UsageError while the end of a transaction is under way.

        >>> cluster.transaction("payer-1").fence()  # doctest: +SKIP
        """
        self._at.do(lambda: self._act("be fenced", lambda shard: shard.fence(self.id)))

    def forget(self) -> None:
        """Let the coordinator forget it, as after transactional.id.expiration.ms without a transaction.

        Raises UsageError while a transaction is open, or its end under way.

        >>> cluster.transaction("payer-1").forget()  # doctest: +SKIP
        """
        self._at.do(lambda: self._act("be forgotten", lambda shard: shard.forget(self.id)))

    def _act(self, wish: str, act: Callable[[TransactionShard], object]) -> None:
        shard = self._shard()
        try:
            if (refusal := shard.refusal()) is not None:
                raise refusal
            act(shard)
        except KafkaError as refused:
            raise UsageError(
                f"transaction {self.id} cannot {wish}, it {self._standing(refused.code)}"
            ) from refused

    def _standing(self, code: int) -> str:
        """What is in the way, and what to do about it."""
        found = self._snapshot()
        if code == ErrorCode.INVALID_TXN_STATE:
            is_open = found.state == TxnState.ONGOING.title
            wait = (
                "end or abort() it first" if is_open else 'a producer has to begin one: wait_state("Ongoing")'
            )
            return f"is {found.state}: {wait}"
        if code != ErrorCode.CONCURRENT_TRANSACTIONS:
            return f"is {found.state}: too few replicas of its partition of {TRANSACTIONS_TOPIC} are in sync"
        markers = ", ".join(f"{topic}-{partition}" for topic, partition in found.outstanding)
        missing = (
            f"the markers for {markers} are not written" if markers else "a change of it is not replicated"
        )
        return f"is {found.state} and busy: {missing}. Let that happen first, then wait_state(...)"

    def hang(self, topic: str, partition: int = 0) -> GateControls:
        """Hold back the marker that ends its transaction in one partition, until the gate that is given lets go.

        >>> gate = cluster.transaction("payer-1").hang("orders", 0)
        >>> gate.remove()
        """

        def ours(message: Message) -> bool:
            return getattr(message, "transactional_id", None) == self.id

        marker = self._faults.between(
            "WriteTxnMarkers", topic=topic, partition=partition, when=ours, optional=True
        )
        held: GateControls = marker.hold()
        return held

    def _find(self) -> TransactionShard | None:
        world = self._at.world
        topic = world.controller.image.topics.get(TRANSACTIONS_TOPIC)
        if topic is None:
            return None
        index = coordinator_partition(self.id, len(topic.partitions))
        node = world.nodes.get(topic.partitions[index].leader)
        shard = None if node is None or not node.up else node.coordinators.transactions.get(index)
        return None if shard is None or shard.loading else shard

    def _shard(self) -> TransactionShard:
        shard = self._find()
        if shard is None or self.id not in shard.transactions:
            raise UsageError(
                f"no coordinator knows the transactional id {self.id!r}: a producer has to begin with it first, and "
                f"the leader of its partition of {TRANSACTIONS_TOPIC} has to be running"
            )
        return shard

    def _is(self, state: str) -> Condition[TransactionSnapshot]:
        def look() -> TransactionSnapshot | None:
            found = self._snapshot()
            return found if found.state == state else None

        return Condition(f"transaction {self.id} to be {state}", look, lambda: f"it is {self._snapshot()}")


class Transaction(TransactionControls):
    """A transactional id, for tests that are plain functions."""

    _at: BlockingDoor

    def wait_state(self, state: str, *, timeout: Duration | None = None) -> TransactionSnapshot:
        """Wait until it is in a state, by Kafka's word for it.

        >>> cluster.transaction("payer-1").wait_state("Unknown").epoch
        -1
        """
        return self._at.wait(self._is(state), timeout)


class TrioTransaction(TransactionControls):
    """A transactional id, for trio tests."""

    _at: TrioDoor

    async def wait_state(self, state: str, *, timeout: Duration | None = None) -> TransactionSnapshot:  # noqa: ASYNC109 - see Transaction
        """See `Transaction.wait_state`."""
        return await self._at.wait(self._is(state), timeout)
