"""A coordinator's state: the fold of one partition of its internal topic.

Whoever leads the partition holds the shard.  Hard state changes only in `replay`, called for each record in
log order: live, right after it was appended, and after a failover, from the log.  What is not in the log is
soft, and dies with its host.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import iter_records
from mockbroker.records.builder import ControlType, NewRecord, build_batch, read_marker

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica
    from mockbroker.records.batch import Batch
    from mockbroker.records.record import Record

T = TypeVar("T")


class PendingWrite:
    """Records that are in the log and not yet committed, and what to say when they are."""

    __slots__ = ("end", "finish", "ticket")

    def __init__(self, end: int, finish: Callable[[KafkaError | None], None], ticket: Ticket[Any]) -> None:
        self.end = end
        self.finish = finish
        self.ticket = ticket


class Shard:
    """One partition's worth of a coordinator.  Subclasses say what a record means."""

    def __init__(self, node: Node, replica: Replica) -> None:
        self.node = node
        self.replica = replica
        self.leader_epoch = replica.leader_epoch
        self.loading = True
        self.open = True
        self._pending: deque[PendingWrite] = deque()

    # -- what a subclass says ---------------------------------------------------------------------

    @property
    def patience_ms(self) -> int:
        """How long a write waits for its replicas."""
        raise AssertionError("a shard knows its patience")

    def replay(self, record: Record, offset: int) -> None:  # noqa: ARG002 - for subclasses
        """Fold one record in.  The only place where hard state changes."""
        raise AssertionError("a shard knows how to replay its records")

    def replay_in_transaction(self, producer_id: int, record: Record, offset: int) -> None:  # noqa: ARG002 - for subclasses
        """Fold in one record that counts only when its producer's transaction is committed."""
        raise AssertionError(f"producer {producer_id} has no business in {self.replica!r}")

    def replay_marker(self, producer_id: int, offset: int, *, commit: bool) -> None:
        """A producer's transaction has ended in this partition."""

    def loaded(self) -> None:
        """All records are folded in: start what is soft, timers above all."""

    def committed(self, end_offset: int) -> None:
        """Records below `end_offset` are committed: readers of committed state may see them."""

    def unloaded(self) -> None:
        """Leadership is gone: answer who waits (NOT_COORDINATOR), drop the rest."""

    # -- life -------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read the whole partition and begin to serve."""
        assert self.loading, "loaded twice"
        for batch in self.replica.log.batches:
            self.replay_batch(batch)
        self.loading = False
        self.replica.watch(self)
        self.loaded()
        self.committed(self.replica.high_watermark)

    def replay_batch(self, batch: Batch) -> None:
        """Fold in a batch of the log, be it records, records of a transaction, or the end of one."""
        if batch.is_control:
            if marker := read_marker(batch):
                commit = marker.type is ControlType.COMMIT
                self.replay_marker(batch.producer_id, batch.base_offset, commit=commit)
            return
        for record in iter_records(batch):
            if record.offset < self.replica.log.start:
                continue
            if batch.is_transactional:
                self.replay_in_transaction(batch.producer_id, record, record.offset)
            else:
                self.replay(record, record.offset)

    def appended(self, batch: Batch) -> None:
        """Somebody else has appended to the partition: the end of a transaction."""
        if not self.loading:
            self.replay_batch(batch)
            self.committed(self.replica.high_watermark)

    def unload(self) -> None:
        """Stop serving: another broker leads, or this one knows that it no longer does."""
        self.open = False
        self.replica.unwatch(self)
        pending, self._pending = self._pending, deque()
        for write in pending:
            if not write.ticket.done:
                write.finish(KafkaError(ErrorCode.NOT_COORDINATOR))
        self.unloaded()

    # -- writing ----------------------------------------------------------------------------------

    def refusal(self) -> KafkaError | None:
        """Why nothing can be written now, if so."""
        if not self.replica.leading:
            return KafkaError(ErrorCode.NOT_COORDINATOR)
        return None if self.replica.enough_in_sync() else KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)

    def write(
        self,
        records: list[tuple[bytes, bytes | None]],
        respond: Callable[[KafkaError | None], T],
        producer: tuple[int, int] | None = None,
    ) -> Ticket[T]:
        """Append records as one batch, fold them in, and answer when they are committed.

        With a `producer`, an id and epoch, they are part of its transaction.  What is written is visible to later
        operations at once, as in Kafka.  `respond` gets None, or
        COORDINATOR_NOT_AVAILABLE (too few in sync, or not replicated in time), or
        NOT_COORDINATOR (leadership was lost meanwhile).
        """
        ticket: Ticket[T] = Ticket(f"records of {self.replica.topic}-{self.replica.index} to be replicated")
        if not records:
            ticket.resolve(respond(None))
            return ticket
        if (refusal := self.refusal()) is not None:
            ticket.resolve(respond(refusal))
            return ticket
        now_ms = self.node.clock.now
        producer_id, producer_epoch = producer or (-1, -1)
        batch = build_batch(
            [NewRecord(key, value, (), now_ms) for key, value in records],
            now_ms=now_ms,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            transactional=producer is not None,
        )
        appended = self.replica.append(batch)
        self.replay_batch(self.replica.log.batches[-1])
        self._await_commit(appended.last_offset + 1, ticket, respond)
        return ticket

    def _await_commit(self, end: int, ticket: Ticket[T], respond: Callable[[KafkaError | None], T]) -> None:
        def finish(error: KafkaError | None) -> None:
            ticket.resolve(respond(error))

        self._pending.append(PendingWrite(end, finish, ticket))
        if self.replica.high_watermark >= end:
            self.progress(self.replica)
            return

        def expire() -> None:
            if not ticket.done:
                finish(
                    KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the records were not replicated in time")
                )

        def be_patient() -> None:
            if not ticket.done:
                timer = self.node.patient_in(self.patience_ms, expire)
                ticket.when_done(lambda _: timer.cancel())

        self.node.world.when_settled(be_patient)

    def progress(self, replica: Replica) -> None:
        """The partition's replica moved: what is committed now is answered, in order."""
        if not replica.leading or replica.leader_epoch != self.leader_epoch:
            # The node unloads this shard when it looks at its roles; nothing to be done here.
            return
        self.committed(replica.high_watermark)
        while self._pending and self._pending[0].end <= replica.high_watermark:
            write = self._pending.popleft()
            if not write.ticket.done:
                write.finish(None)
