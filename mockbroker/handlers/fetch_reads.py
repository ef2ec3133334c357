"""Reading the partitions of one fetch, in the order in which the client wants them.

Each partition is judged and read on its own; what they share is the budget, and the privilege of giving one
batch beyond it.  Does not know sessions, and does not wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.replica import READ_COMMITTED
from mockbroker.handlers.shapes import LeaderHints
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.fetch import AbortedTransaction, EpochEndOffset, FetchedPartition

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.fetch_sessions import Place, Wanted
    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica
    from mockbroker.core.witness import Reading
    from mockbroker.protocol.messages.fetch import FetchRequest

NO_PREFERENCE = -1
NO_EPOCH = -1

# What this broker cannot even look for.
NOT_KNOWN_HERE = (ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


@dataclass(slots=True)
class Read:
    """What one pass over the partitions brought."""

    partitions: list[tuple[Wanted, FetchedPartition]] = field(default_factory=list)
    sources: list[tuple[Wanted, Replica]] = field(default_factory=list)
    bytes: int = 0
    # What a witness is told: replica, from where, the offset behind what was read, isolation.
    records: list[Reading] = field(default_factory=list)
    # Something that must be told at once, however few bytes there are.
    urgent: bool = False


class FetchReader:
    """The partitions of one fetch request."""

    __slots__ = (
        "_body",
        "_call",
        "_has_read",
        "_node",
        "_unknown",
        "_version",
        "_wanted",
        "hints",
        "max_bytes",
    )

    def __init__(self, call: Call[FetchRequest], node: Node, wanted: list[Wanted]) -> None:
        self._node = node
        self._call = call
        self._body = call.body
        self._version = call.version
        self._wanted = wanted
        self._has_read = False
        # What this broker could not even look for, when it first looked.
        self._unknown: dict[Place, KafkaError] = {}
        self.max_bytes = min(call.body.max_bytes, node.config[settings.FETCH_MAX_BYTES])
        self.hints = LeaderHints(node)

    def read(self) -> Read:
        """Read every partition once."""
        read = Read()
        for want in self._wanted:
            if want.place in self._unknown:
                # Kafka has looked for it once, and does not again when the wait is over.
                read.partitions.append((want, self.refused(want.index, self._unknown[want.place], [])))
                continue
            try:
                replica = self._replica(want)
                partition = self._read(want, replica, read)
                read.sources.append((want, replica))
            except KafkaError as refused:
                partition = self._refused(want, refused)
                if refused.code in NOT_KNOWN_HERE and not self._has_read:
                    partition.aborted_transactions = []
                    self._unknown[want.place] = refused
            # An unknown partition does not hasten the answer while there is another one to wait for.
            if self.is_urgent(partition) and partition.error_code not in NOT_KNOWN_HERE:
                read.urgent = True
            read.partitions.append((want, partition))
        # Kafka puts what it could not even look for behind the rest: first ids without a topic, then names.
        read.partitions.sort(key=self._order)
        self._has_read = True
        return read

    def _order(self, read: tuple[Wanted, FetchedPartition]) -> int:
        unknown = self._unknown.get(read[0].place)
        return 0 if unknown is None else 1 + NOT_KNOWN_HERE.index(unknown.code)

    @staticmethod
    def is_urgent(partition: FetchedPartition) -> bool:
        """Whether this is an answer that no one should wait for."""
        return (
            partition.error_code != ErrorCode.NONE
            or partition.diverging_epoch.epoch >= 0
            or partition.preferred_read_replica != NO_PREFERENCE
        )

    @staticmethod
    def refused(index: int, error: KafkaError, aborted: list[AbortedTransaction] | None) -> FetchedPartition:
        """A partition that was not read; Kafka has null aborted transactions where it came to a log, else none."""
        return FetchedPartition(
            partition_index=index,
            error_code=error.code,
            high_watermark=-1,
            last_stable_offset=-1,
            log_start_offset=-1,
            aborted_transactions=aborted,
            records=b"",
        )

    def _refused(self, want: Wanted, error: KafkaError) -> FetchedPartition:
        partition = self.refused(want.index, error, None)
        if self._version >= 16 and error.code in (
            ErrorCode.NOT_LEADER_OR_FOLLOWER,
            ErrorCode.FENCED_LEADER_EPOCH,
        ):
            partition.current_leader = self.hints.leader(want.topic, want.index)
        return partition

    def testify(self, read: Read) -> None:
        """Tell whoever watches what is in the answer."""
        if read.records and self._node.witness is not None:
            self._node.witness.read(self._call, read.records)

    # -- one partition ----------------------------------------------------------------------------

    def _replica(self, want: Wanted) -> Replica:
        """The replica to read from.  Raises in Kafka's order: id, existence, epoch, role."""
        if want.max_bytes < 0 or self._body.max_bytes < 0:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "a negative limit")
        if not want.topic and self._version >= 13:
            # A session may name a topic before this broker has heard of it.
            want.topic = self._node.image.topic_names.get(want.topic_id, "")
        if not want.topic and self._version >= 13:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        replica = self._node.replica_of(want.topic, want.index)
        if self._version >= 13 and replica.topic_id != want.topic_id:
            raise KafkaError(ErrorCode.INCONSISTENT_TOPIC_ID)
        check_leader_epoch(
            replica, max(want.leader_epoch, NO_EPOCH)
        )  # Fetch alone takes any negative for none
        if not replica.leading and (self._version < 11 or replica.following is None):
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return replica

    def _read(self, want: Wanted, replica: Replica, read: Read) -> FetchedPartition:
        log = replica.log
        committed = self._body.isolation_level == READ_COMMITTED
        partition = FetchedPartition(
            partition_index=want.index,
            high_watermark=replica.high_watermark,
            last_stable_offset=replica.last_stable_offset,
            log_start_offset=log.start,
            aborted_transactions=None,
            records=b"",
        )
        if want.last_epoch >= 0 and self._diverges(want, replica, partition):
            return partition
        if not log.start <= want.offset <= log.end:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        better = self._preferred_replica(want, replica)
        if better != NO_PREFERENCE:
            partition.preferred_read_replica = better
            return partition
        # One read is of one segment, however much there is in the next.
        segment_end = log.segment_end(want.offset)
        below = min(replica.visible_end(self._body.isolation_level), segment_end)
        limit = min(want.max_bytes, max(self.max_bytes - read.bytes, 0))
        records, end = _cut(replica, want.offset, below, limit, at_least_one=not read.bytes)
        if records:
            partition.records = records
            read.bytes += sum(map(len, records))
            read.records.append((replica, want.offset, end, self._body.isolation_level))
        # Where the first batch alone is too large Kafka puts nothing in its place, and no list beside it.
        if committed and (records or limit == 0 or want.offset >= below):
            # Kafka's bound comes from a sparse index, which within one segment says no more than its end.
            partition.aborted_transactions = [
                AbortedTransaction(producer_id=a.producer_id, first_offset=a.first_offset)
                for a in replica.producers.aborted_between(want.offset, segment_end)
            ]
        return partition

    def _diverges(self, want: Wanted, replica: Replica, partition: FetchedPartition) -> bool:
        """Whether what the client read last is not in this log (KIP-320); then it is told where they part."""
        epoch, end = replica.log.end_of_epoch(want.last_epoch)
        if epoch < 0:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        if epoch < want.last_epoch or end < want.offset:
            partition.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end)
            return True
        return False

    def _preferred_replica(self, want: Wanted, replica: Replica) -> int:
        """A follower in the consumer's rack that has what it wants (KIP-392), or NO_PREFERENCE."""
        rack = self._body.rack_id
        if not rack or replica.leadership is None or not self._node.config[settings.REPLICA_SELECTOR_CLASS]:
            return NO_PREFERENCE
        if self._node.rack == rack:
            return NO_PREFERENCE
        brokers = self._node.image.brokers
        near = [
            (end, -id)
            for id, end in replica.leadership.in_sync_ends()
            if replica.log.start <= want.offset <= end and id in brokers and brokers[id].rack == rack
        ]
        return -max(near)[1] if near else NO_PREFERENCE


def check_leader_epoch(replica: Replica, epoch: int) -> None:
    """A client that knows an older leader is told so, and one that knows a newer one is asked for patience."""
    if epoch == NO_EPOCH:
        return
    if epoch < replica.leader_epoch:
        raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
    if epoch > replica.leader_epoch:
        raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)


def _cut(
    replica: Replica, offset: int, below: int, limit: int, *, at_least_one: bool
) -> tuple[list[bytes | bytearray | memoryview], int]:
    """Stored batches up to `limit` bytes, and the offset behind the last whole one.

    Like Kafka's slice of a file this may end inside a batch, which clients know to ignore; but it does not
    begin with a fragment.
    """
    if offset >= below:
        return [], offset
    batches = replica.log.read(offset, below, limit, at_least_one=at_least_one)
    records = [batch.data for batch in batches]
    if batches and (left := limit - sum(batch.size for batch in batches)) > 0:
        following = replica.log.read(batches[-1].last_offset + 1, below, 0, at_least_one=True)
        records += [memoryview(batch.data)[:left] for batch in following]
    return records, (batches[-1].next_offset if batches else offset)
