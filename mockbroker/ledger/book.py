"""The ledger takes notes: it hears of requests, logs, elections and commits, and keeps what concerns records.

Cheap on the way, because every produced batch comes by.  Bounded: entries of each kind by number, bytes of batches
by their size; the oldest are forgotten first, and how many is known.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from mockbroker.core.controller import INTERNAL_TOPICS
from mockbroker.core.replica import READ_COMMITTED
from mockbroker.ledger import requests
from mockbroker.ledger.commits import Commits
from mockbroker.ledger.entries import TESTER, Ack, Committed, Election, Joined, Resolved, Sent, Served
from mockbroker.ledger.logs import PartitionNotes
from mockbroker.ledger.requests import Pending
from mockbroker.ledger.transactions import TransactionNotes
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.records.batch import HEADER_BYTES, Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mockbroker.core.call import Call, Peer
    from mockbroker.core.groups.committing import Committer
    from mockbroker.core.groups.offsets import OffsetRecord, OffsetToCommit
    from mockbroker.core.image import Image
    from mockbroker.core.replica import Appended, Replica
    from mockbroker.core.transactions.records import TransactionRecord
    from mockbroker.core.witness import Reading
    from mockbroker.core.world import World

# Entries of each kind: about 60 MB when all are full.
ENTRIES_MAX = 100_000
# What the batches that are kept may come to.  The logs hold the same bytes as long as they have the records.
BYTES_MAX = 64 * 1024 * 1024
# Requests whose answer is owed: a connection has one at a time.
OPEN_MAX = 20_000

# Those that are noted when they come, for nothing may come of them.
_NOTED_ON_ARRIVAL = frozenset({Api.PRODUCE, Api.OFFSET_COMMIT, Api.TXN_OFFSET_COMMIT, Api.END_TXN})

_UNANSWERED = "the connection ended before the answer was there"


class Ledger:
    """What became of records, as far back as it remembers; see `Witness` for what it is told."""

    def __init__(self, world: World, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._world = world
        self._bytes_max = bytes_max
        self.entries_max = entries_max
        self._heeded: dict[Api, Callable[[Pending, Any, str], None]] = {
            Api.PRODUCE: self._produced,
            Api.FETCH: self._fetched,
            Api.OFFSET_COMMIT: self._offsets_committed,
            Api.TXN_OFFSET_COMMIT: self._offsets_committed,
            Api.LIST_OFFSETS: self._offsets_listed,
            Api.JOIN_GROUP: self._group_joined,
            Api.END_TXN: self._transaction_ended,
        }
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        entries_max = self.entries_max
        self.sent: deque[Sent] = deque()
        self.served: deque[Served] = deque(maxlen=entries_max)
        self._commits = Commits(self._world, self._name, entries_max)
        self.resolved: deque[Resolved] = deque(maxlen=entries_max)
        self.joined: deque[Joined] = deque(maxlen=entries_max)
        self.transactions = TransactionNotes(entries_max)
        # How many batches were forgotten for newer ones.
        self.dropped = 0
        self._bytes = 0
        self._with_data: deque[Sent] = deque()
        # What stored batches went through, by topic id and partition.
        self._logs: dict[tuple[bytes, int], PartitionNotes] = defaultdict(PartitionNotes)
        # Requests without an answer, and those of which it is not known yet whether their answer has left.
        self._open: dict[Call[Any], Pending] = {}
        self._unsent: dict[Peer, Pending] = {}

    @property
    def committed(self) -> deque[Committed]:
        """What coordinators were asked to keep, oldest first."""
        return self._commits.all

    @property
    def _now_us(self) -> int:
        return self._world.history.stopwatch()

    # -- requests ---------------------------------------------------------------------------------

    def asked(self, broker: int, call: Call[Any]) -> None:
        """A request has come.  What it brings is on its way from now on."""
        if call.api in _NOTED_ON_ARRIVAL:
            self._pending(broker, call)

    def _pending(self, broker: int, call: Call[Any]) -> Pending:
        call = call.whole
        pending = self._open.get(call)
        if pending is None:
            pending = self._open[call] = Pending(self._now_us, broker, call, self.transactions.number())
            if len(self._open) > OPEN_MAX:
                del self._open[next(iter(self._open))]
        return pending

    def answered(self, broker: int, call: Call[Any], response: Any) -> None:
        """A request has its answer, whether it leaves or not."""
        heed = self._heeded.get(call.api)
        if heed is None:
            return
        pending = self._open.pop(call, None)
        if pending is None:
            pending = Pending(self._now_us, broker, call)
        message, lost = requests.outcome(response)
        if not lost and call.peer.gone:
            lost = "the connection had ended before the answer was there"
        heed(pending, message, lost)
        if not lost and (pending.sent or pending.served or pending.committed or pending.ended):
            self._unsent[call.peer] = pending

    def sent_off(self, call: Call[Any]) -> None:
        """The answer has left."""
        self._unsent.pop(call.peer, None)

    def closed(self, peer: Peer) -> None:
        """A connection is over: what it was owed nobody will read."""
        peer.gone = True
        if (unsent := self._unsent.pop(peer, None)) is not None:
            unsent.unheard("the connection ended before the answer had left")
        for call, pending in self._open.items():
            if call.peer is peer:
                pending.unheard(_UNANSWERED)

    def crashed(self, broker: int) -> None:
        """A broker has died.  What it had written as a coordinator may have been copied: the next one knows."""
        for call, pending in list(self._open.items()):
            if pending.broker == broker and call.api is Api.OFFSET_COMMIT:
                self._commits.answered(self._open.pop(call), None, _UNANSWERED)

    def _name(self, topic_id: bytes) -> str:
        return self._world.controller.image.topic_names.get(topic_id, "")

    # -- producing --------------------------------------------------------------------------------

    def attempts(self) -> list[Sent]:
        """Every batch that was sent, those included of which nothing is known yet."""
        waiting: list[Sent] = []
        for pending in self._open.values():
            if pending.call.api is Api.PRODUCE:
                done = {sent.place for sent in pending.sent}
                waiting += [
                    self._attempt(pending, topic, index, records)
                    for topic, index, records in requests.produced(pending.call, self._name)
                    if (topic, index) not in done
                ]
        return [*self.sent, *waiting]

    def _attempt(self, pending: Pending, topic: str, index: int, records: Any) -> Sent:
        """A batch of which no log has heard."""
        call, known = pending.call, self._world.controller.image.topics.get(topic)
        topic_id = b"" if known is None else known.id
        sent = Sent(
            pending.at_us, call.client_id, call.peer.ordinal, call.correlation_id, (topic, index), topic_id,
            call.body.acks,
        )  # fmt: skip
        if records is not None and len(records) >= HEADER_BYTES:
            sent.describe(Batch.unchecked(records))
        if call.peer.gone:
            sent.unheard("the connection ended before the answer was there")
        return sent

    def _note(self, sent: Sent) -> None:
        sent.order = self.transactions.number()
        self.sent.append(sent)
        if len(self.sent) > self.entries_max:
            gone = self.sent.popleft()
            self._logs[gone.topic_id, gone.place[1]].forget(gone)
            self.transactions.forgotten(gone.order)
            self.dropped += 1
        if sent.data is not None:
            self._with_data.append(sent)
            self._bytes += len(sent.data)
            while self._bytes > self._bytes_max:
                oldest = self._with_data.popleft()
                self._bytes -= len(oldest.data or b"")
                oldest.data = None

    def _produced(self, pending: Pending, message: Any, lost: str) -> None:
        """A Produce has its answer; what it has not brought into a log is noted now."""
        call, now_us = pending.call, self._now_us
        if sum([len(topic.partition_data) for topic in call.body.topic_data]) != len(pending.sent):
            done = {sent.place for sent in pending.sent}
            for topic, index, records in requests.produced(call, self._name):
                if (topic, index) not in done:
                    sent = self._attempt(pending, topic, index, records)
                    pending.sent = (*pending.sent, sent)
                    self._note(sent)
        codes = {} if message is None else requests.produce_codes(call, message, self._name)
        for sent in pending.sent:
            sent.answered_us = now_us
            code = codes.get(sent.place)
            if code:
                sent.ack, sent.why = Ack.REFUSED, ErrorCode(code).name
            elif lost:
                sent.unheard(lost)
            else:
                sent.ack = Ack.ACKED if code is not None else Ack.NONE

    def appended(self, replica: Replica, batch: Batch, place: Appended) -> None:
        """A leader has the batch in its log, or had it there already."""
        if replica.topic in INTERNAL_TOPICS or batch.is_control:
            self.transactions.appended(replica, batch, place, self._now_us)
            return
        call = self._world.serving
        if call is not None and call.api is Api.PRODUCE:
            pending = self._pending(replica.broker.id, call)
            sent = Sent(
                pending.at_us, call.client_id, call.peer.ordinal, call.correlation_id,
                (replica.topic, replica.index), replica.topic_id, call.body.acks,
            )  # fmt: skip
            pending.sent = (*pending.sent, sent)
        else:
            # The test has written it by itself, and knows what it did.
            now_us = self._now_us
            sent = Sent(
                now_us, TESTER, 0, 0, (replica.topic, replica.index), replica.topic_id, 1, ack=Ack.ACKED,
                answered_us=now_us,
            )  # fmt: skip
        sent.describe(batch)
        sent.base_offset, sent.leader, sent.appended_us = place.base_offset, replica.broker.id, self._now_us
        sent.leader_epoch, sent.duplicate = replica.log.epochs.at(place.base_offset), place.duplicate
        if call is not None and call.peer.gone:
            sent.unheard("the connection had ended before")
        self._note(sent)
        log = self._logs[replica.topic_id, replica.index]
        if not sent.duplicate:
            log.add(sent)
        elif (first := log.first_of(sent)) is not None:
            # What this leader has deleted it knows no epoch of.
            sent.original, sent.leader_epoch = first, first.leader_epoch

    # -- logs -------------------------------------------------------------------------------------

    def copied(self, replica: Replica, batches: Iterable[Batch]) -> None:
        """A follower has these batches now."""
        log = self._logs.get((replica.topic_id, replica.index))
        if log is not None:
            log.copied(replica.broker.id, batches, self._world.history.stopwatch())

    def high_watermark_moved(self, replica: Replica) -> None:
        """Readers see more."""
        log = self._logs.get((replica.topic_id, replica.index))
        if log is not None:
            log.committed(replica.leader_epoch, replica.high_watermark, self._world.history.stopwatch())

    def truncated(self, replica: Replica) -> None:
        """A copy has forgotten what its leader does not have."""
        log = self._logs.get((replica.topic_id, replica.index))
        if log is not None:
            log.truncated(replica.broker.id, replica.log, self._now_us)

    def leads(self, replica: Replica) -> None:
        """A term begins."""
        log = self._logs.get((replica.topic_id, replica.index))
        if log is not None:
            log.led_by(replica, self._now_us)

    def decided(self, before: Image, after: Image, topics: Iterable[str]) -> None:
        """The controller has made another image: leaders may have been chosen."""
        for name in topics:
            old, new = before.topics.get(name), after.topics.get(name)
            if new is None or new.internal:
                continue
            same = old is not None and old.id == new.id
            for partition in new.partitions:
                known = before.partition(name, partition.index) if same else None
                if partition.leader < 0 or (known and known.leader_epoch == partition.leader_epoch):
                    continue
                safe = known is None or partition.leader in (*known.isr, *known.elr)
                epoch = partition.leader_epoch
                election = Election(self._now_us, partition.leader, epoch, unclean=not safe)
                self._logs[new.id, partition.index].elections[epoch] = election

    def elections(self, topic_id: bytes, index: int) -> list[Election]:
        """The leaders that a partition has had, the first one included."""
        log = self._logs.get((topic_id, index))
        return [] if log is None else list(log.elections.values())

    # -- consuming --------------------------------------------------------------------------------

    def read(self, call: Call[Any], readings: Sequence[Reading]) -> None:
        """These records are in the answer to a fetch."""
        for replica, start, end, isolation in readings:
            if replica.topic in INTERNAL_TOPICS:
                continue
            broker = replica.broker.id
            served = Served(
                self._now_us, call.client_id, call.peer.ordinal, broker, (replica.topic, replica.index), start, end,
                isolation == READ_COMMITTED, replica.last_stable_offset, replica.high_watermark,
                topic_id=replica.topic_id,
            )  # fmt: skip
            pending = self._pending(broker, call)
            pending.served = (*pending.served, served)

    def _fetched(self, pending: Pending, message: Any, lost: str) -> None:
        gave: set[tuple[str, int]] | None = None
        if pending.call.touched and message is not None:
            # A fault may have put an error in the place of records.
            gave = {
                (topic.topic or self._name(topic.topic_id), part.partition_index)
                for topic in message.responses
                for part in topic.partitions
                if part.records
            }
        for served in pending.served:
            if gave is None or served.place in gave:
                served.at_us, served.lost = self._now_us, bool(lost)
                self.served.append(served)

    def _offsets_listed(self, pending: Pending, message: Any, lost: str) -> None:
        if message is None or lost:
            return
        for topic, index, timestamp, offset in requests.listed(pending.call, message):
            latest = timestamp == requests.LATEST
            resolved = Resolved(self._now_us, pending.call.client_id, (topic, index), offset, latest=latest)
            self.resolved.append(resolved)

    # -- groups -----------------------------------------------------------------------------------

    def _group_joined(self, pending: Pending, message: Any, lost: str) -> None:
        member = getattr(message, "member_id", "")
        if not lost and member and message.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            call = pending.call
            self.joined.append(
                Joined(self._now_us, call.body.group_id, member, call.client_id, call.peer.ordinal)
            )

    def commits(
        self, who: Committer, offsets: Sequence[OffsetToCommit], verdicts: Sequence[ErrorCode]
    ) -> None:
        """A group's offsets were moved, where the verdict is NONE."""
        call = self._world.serving
        self._commits.kept(who, offsets, verdicts, None if call is None else self._open.get(call.whole))

    def _offsets_committed(self, pending: Pending, message: Any, lost: str) -> None:
        self._commits.answered(pending, message, lost)

    def offsets_moved(self, records: Sequence[OffsetRecord]) -> None:
        """These are replicated now."""
        self._commits.moved(records)

    def commits_in_transaction(
        self, who: Committer, offsets: Sequence[OffsetToCommit], producer_id: int
    ) -> None:
        """They will be moved when the producer's transaction is committed."""
        self._commits.in_transaction(who, offsets, producer_id)

    def transaction_ended(self, group_ids: Iterable[str], producer_id: int, *, committed: bool) -> None:
        """Offsets that were to move with a transaction have moved, or never will."""
        self._commits.transaction_ended(group_ids, producer_id, committed=committed)

    def _transaction_ended(self, pending: Pending, message: Any, lost: str) -> None:
        pending.ended = (self.transactions.answered(pending, message, lost, self._now_us),)

    def transaction_moved(self, record: TransactionRecord) -> None:
        """A transactional id is in another state."""
        self.transactions.moved(record, self._now_us)

    def moved_by_hand(self, group_id: str, topic: str, index: int, offset: int) -> None:
        """A test has put a group somewhere."""
        self._commits.moved_by_hand(group_id, topic, index, offset)
