"""The ledger: hears what happens to records and offsets, and keeps the facts.

Cheap on the way, because every produced batch comes by: what can be worked out later is.  The newest facts are
kept; of the oldest it is known how many were forgotten.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.core.controller import INTERNAL_TOPICS
from mockbroker.ghosts.company import SOFTWARE as GHOST
from mockbroker.ledger import requests
from mockbroker.ledger.facts import (
    ACKS_ALL,
    THE_COORDINATOR,
    THE_TEST,
    Commit,
    Deletion,
    Election,
    Generation,
    Place,
    Reader,
    Sending,
    Served,
    Told,
)
from mockbroker.ledger.logs import PartitionBook
from mockbroker.ledger.requests import FOLLOWED, Pending
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mockbroker.core.call import Call, Peer
    from mockbroker.core.groups import views
    from mockbroker.core.groups.classic import ClassicGroup
    from mockbroker.core.groups.committing import Committer
    from mockbroker.core.groups.offsets import OffsetToCommit
    from mockbroker.core.image import Image
    from mockbroker.core.replica import Appended, Replica
    from mockbroker.core.witness import Reading
    from mockbroker.core.world import World
    from mockbroker.records.batch import Batch

F = TypeVar("F")

# Batches that are remembered, over all partitions; so many reads, commits and other facts as well.
BATCHES_MAX = 100_000
FACTS_MAX = 100_000
# What remembered batches may hold on to.  The logs share these bytes as long as they have them.
BYTES_MAX = 64 * 1024 * 1024
# Requests whose answer is owed: a connection has one at a time.
OPEN_MAX = 20_000
# Clients times partitions that they have read.
READERS_MAX = 20_000

_KINDS = {-1: "latest", -2: "earliest"}


class Ledger:
    """The facts of one world; see `Witness` for what it hears.

    The limits may be smaller for those who want to see them reached.
    """

    def __init__(self, world: World, batches_max: int = BATCHES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self.world = world
        self.batches_max = batches_max
        self.bytes_max = bytes_max
        self._number = 0
        self._settlers: dict[Api, Callable[[Pending, Any, str], None]] = {
            Api.PRODUCE: self._produced,
            Api.FETCH: self._fetched,
            Api.OFFSET_COMMIT: self._committed,
            Api.TXN_OFFSET_COMMIT: self._committed,
            Api.LIST_OFFSETS: self._listed,
            Api.OFFSET_FETCH: self._kept,
        }
        self.forget()

    def forget(self) -> None:
        """Begin anew; numbers go on."""
        self.books: dict[tuple[bytes | str, int], PartitionBook] = {}
        self.served: deque[Served] = deque(maxlen=FACTS_MAX)
        self.commits: deque[Commit] = deque(maxlen=FACTS_MAX)
        self.told: deque[Told] = deque(maxlen=FACTS_MAX)
        self.generations: deque[Generation] = deque(maxlen=FACTS_MAX)
        self.deletions: deque[Deletion] = deque(maxlen=FACTS_MAX)
        self.readers: dict[tuple[str, int, str], Reader] = {}
        # Reads, commits and the like that had to make room; batches count with their partitions.
        self.facts_forgotten = self.batches_forgotten = 0
        self.open: dict[tuple[Peer, int], Pending] = {}
        self._unsent: dict[Peer, Pending] = {}
        self._in_transaction: dict[tuple[str, int], list[Commit]] = {}
        # All batches in order, and those among them whose bytes are still held.
        self._order: deque[tuple[PartitionBook, Sending]] = deque()
        self._heavy: deque[tuple[Sending, int]] = deque()
        self._bytes = 0

    def _next(self) -> int:
        self._number += 1
        return self._number

    @property
    def _now_us(self) -> int:
        return self.world.history.stopwatch()

    # -- keeping ----------------------------------------------------------------------------------

    def _book(self, topic: str, partition: int, topic_id: bytes) -> PartitionBook:
        key = (topic_id or topic, partition)
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = PartitionBook(Place(topic, partition, topic_id))
        return book

    def _keep_sending(self, book: PartitionBook, sending: Sending, size: int) -> None:
        book.add(sending)
        self._order.append((book, sending))
        self._heavy.append((sending, size))
        self._bytes += size
        while self._bytes > self.bytes_max:
            light, size = self._heavy.popleft()
            light.batch = light.raw = None
            self._bytes -= size
        if len(self._order) > self.batches_max:
            book, gone = self._order.popleft()
            book.forget_oldest()
            self.batches_forgotten += 1
            if self._heavy and self._heavy[0][0] is gone:
                self._bytes -= self._heavy.popleft()[1]

    def _keep(self, facts: deque[F], fact: F) -> None:
        self.facts_forgotten += len(facts) == facts.maxlen
        facts.append(fact)

    # -- requests ---------------------------------------------------------------------------------

    def asked(self, broker: int, call: Call[Any]) -> None:
        """A request has come."""
        if call.api in FOLLOWED:
            self._pending(broker, call)

    def _pending(self, broker: int, call: Call[Any]) -> Pending:
        key = (call.peer, call.correlation_id)
        pending = self.open.get(key)
        if pending is None:
            pending = self.open[key] = Pending(self._next(), self._now_us, broker, call)
            if len(self.open) > OPEN_MAX:
                del self.open[next(iter(self.open))]
        return pending

    def answered(self, broker: int, call: Call[Any], response: Any) -> None:
        """What becomes of a request."""
        settle = self._settlers.get(call.api)
        if settle is None:
            return
        pending = self.open.pop((call.peer, call.correlation_id), None)
        if pending is None:
            pending = Pending(self._next(), self._now_us, broker, call)
        message, lost = requests.outcome(response)
        if not lost and call.peer.gone:
            lost = "the connection had ended before it was answered"
        settle(pending, message, lost)
        if not lost and (pending.sendings or pending.served or pending.commits):
            self._unsent[call.peer] = pending

    def sent(self, call: Call[Any]) -> None:
        """The answer has left."""
        self._unsent.pop(call.peer, None)

    def closed(self, peer: Peer) -> None:
        """A connection is over; what it was owed nobody will read."""
        peer.gone = True
        if (unsent := self._unsent.pop(peer, None)) is not None:
            unsent.unheard("the connection ended before the answer had left")
        for (asker, _), pending in self.open.items():
            if asker is peer:
                pending.unheard("the connection ended before it was answered")

    def name_of(self, topic_id: bytes) -> str:
        """The topic with this id, also one that is deleted; empty if there never was one."""
        name = self.world.controller.image.topic_names.get(topic_id)
        if name is None and (book := self.books.get((topic_id, 0))) is not None:
            return book.place.topic
        return name or ""

    def _produced(self, pending: Pending, message: Any, lost: str) -> None:
        call, now_us = pending.call, self._now_us
        codes = {} if message is None else requests.produce_codes(call, message, self.name_of)
        for sending in pending.sendings:
            sending.answered_us = now_us
            sending.code = codes.get((sending.place.topic, sending.place.partition))
            sending.unheard = lost
        asked = list(requests.produced(call, self.name_of))
        if len(asked) == len(pending.sendings):
            return
        done = {(sending.place.topic, sending.place.partition) for sending in pending.sendings}
        for topic, partition, records in asked:
            if (topic, partition) not in done:
                sending = self.attempt(pending, topic, partition, records)
                sending.answered_us = now_us
                sending.code = codes.get((topic, partition))
                sending.unheard = lost
                pending.sendings.append(sending)
                self._keep_sending(self._book(*sending.place), sending, len(records or b""))

    def attempt(self, pending: Pending, topic: str, partition: int, records: Any) -> Sending:
        """A batch that somebody wants to store, and of which no log has heard."""
        call = pending.call
        found = self.world.controller.image.topics.get(topic)
        return Sending(
            pending.number, pending.at_us, Place(topic, partition, found.id if found is not None else b""),
            call.client_id, call.peer.ordinal, call.correlation_id, pending.broker, call.body.acks, _by_test(call),
            raw=records,
        )  # fmt: skip

    def _fetched(self, pending: Pending, message: Any, lost: str) -> None:
        if message is None and not lost:
            return
        kept: set[tuple[str, int]] | None = None
        if (
            pending.call.touched and message is not None
        ):  # a fault may have put an error in the place of records
            kept = {
                (topic.topic or self.name_of(topic.topic_id), part.partition_index)
                for topic in message.responses
                for part in topic.partitions
                if part.records
            }
        for served in pending.served:
            if kept is None or (served.place.topic, served.place.partition) in kept:
                served.unheard = lost
                self._keep(self.served, served)

    def _committed(self, pending: Pending, message: Any, lost: str) -> None:
        call = pending.call
        codes = {} if message is None else requests.commit_codes(call, message, self.name_of)
        done = {(commit.topic, commit.partition): commit for commit in pending.commits}
        for topic, partition, offset in requests.to_commit(call, self.name_of):
            code = codes.get((topic, partition))
            commit = done.get((topic, partition))
            if commit is None:
                # What belongs to a transaction has moved nothing yet, and is told when it does.
                if code == ErrorCode.NONE:
                    continue
                commit = self._commit(pending, topic, partition, offset, code)
            elif code is not None and code != commit.code:
                commit.unheard = f"it was told {ErrorCode(code).name}"
            commit.unheard = commit.unheard or lost

    def _commit(self, pending: Pending, topic: str, partition: int, offset: int, code: int | None) -> Commit:
        call, body = pending.call, pending.call.body
        commit = Commit(
            self._next(), self._now_us, body.group_id, topic, partition, offset, code, body.member_id,
            body.generation_id_or_member_epoch if call.api is Api.OFFSET_COMMIT else body.generation_id,
            call.client_id, _by_test(call), transactional=call.api is Api.TXN_OFFSET_COMMIT,
        )  # fmt: skip
        pending.commits.append(commit)
        self._keep(self.commits, commit)
        return commit

    def _listed(self, pending: Pending, message: Any, lost: str) -> None:
        if message is None or lost:
            return
        for topic, partition, timestamp, offset in requests.listed(pending.call, message):
            kind = _KINDS.get(timestamp, "by time")
            self._tell(pending, topic, partition, offset, kind)

    def _kept(self, pending: Pending, message: Any, lost: str) -> None:
        if message is None or lost:
            return
        for group, topic, partition, offset in requests.kept(pending.call, message, self.name_of):
            self._tell(pending, topic, partition, offset, "committed", group)

    def _tell(
        self, pending: Pending, topic: str, partition: int, offset: int, kind: str, group: str = ""
    ) -> None:
        client_id = pending.call.client_id
        self._keep(
            self.told, Told(self._next(), self._now_us, client_id, topic, partition, offset, kind, group)
        )

    # -- logs -------------------------------------------------------------------------------------

    def appended(self, replica: Replica, batch: Batch, place: Appended) -> None:
        """A leader has the batch."""
        if replica.topic in INTERNAL_TOPICS:
            return
        book = self._book(replica.topic, replica.index, replica.topic_id)
        sending = self._sending(replica, batch, book.place)
        sending.base_offset, sending.last_offset = place.base_offset, place.last_offset
        sending.duplicate = place.duplicate
        self._keep_sending(book, sending, batch.size)

    def _sending(self, replica: Replica, batch: Batch, place: Place) -> Sending:
        call, now_us, broker = self.world.serving, self._now_us, replica.broker.id
        if call is None or call.api is not Api.PRODUCE:
            control = batch.is_control
            return Sending(
                self._next(), now_us, place, THE_COORDINATOR if control else THE_TEST, 0, 0, broker,
                ACKS_ALL if control else 1, not control, batch, leader_epoch=replica.leader_epoch,
                appended_us=now_us, code=ErrorCode.NONE, answered_us=now_us,
            )  # fmt: skip
        pending = self._pending(broker, call)
        sending = Sending(
            self._next(), pending.at_us, place, call.client_id, call.peer.ordinal, call.correlation_id, broker,
            call.body.acks, _by_test(call), batch, leader_epoch=replica.leader_epoch, appended_us=now_us,
        )  # fmt: skip
        pending.sendings.append(sending)
        return sending

    def copied(self, replica: Replica, batches: Iterable[Batch]) -> None:
        """A follower has these batches now."""
        if (book := self.books.get((replica.topic_id, replica.index))) is not None:
            book.copied(replica.broker.id, batches, self._now_us)

    def committed(self, replica: Replica) -> None:
        """A leader's high watermark has moved."""
        if (book := self.books.get((replica.topic_id, replica.index))) is not None:
            book.committed(replica.leader_epoch, replica.high_watermark, self._now_us)

    def leads(self, replica: Replica) -> None:
        """A term begins."""
        if (book := self.books.get((replica.topic_id, replica.index))) is not None:
            book.led_by(replica, self._now_us)

    def truncated(self, replica: Replica, end: int) -> None:
        """A copy has forgotten everything from `end` on."""
        if (book := self.books.get((replica.topic_id, replica.index))) is not None:
            book.truncated(replica.broker.id, end, replica.log, self._now_us)

    def begins_at(self, replica: Replica, start: int, why: str) -> None:
        """What was before `start` is deleted."""
        if (book := self.books.get((replica.topic_id, replica.index))) is not None:
            self._keep(self.deletions, Deletion(self._next(), self._now_us, book.place, start, why))

    def decided(self, before: Image, after: Image, topics: Iterable[str]) -> None:
        """Leaders were chosen, topics made or deleted."""
        for name in topics:
            old, new = before.topics.get(name), after.topics.get(name)
            if old is not None and (new is None or new.id != old.id):
                self._topic_deleted(old.id)
            if new is None or new.internal:
                continue
            for partition in new.partitions:
                known = (
                    before.partition(name, partition.index) if old is not None and old.id == new.id else None
                )
                if partition.leader >= 0 and (known is None or known.leader_epoch != partition.leader_epoch):
                    safe = known is None or partition.leader in (*known.isr, *known.elr)
                    book = self._book(name, partition.index, new.id)
                    book.elections[partition.leader_epoch] = Election(
                        self._next(), self._now_us, book.place, partition.leader, partition.leader_epoch, not safe
                    )  # fmt: skip

    def _topic_deleted(self, topic_id: bytes) -> None:
        for book in self.books.values():
            if book.place.topic_id == topic_id:
                book.deleted_us = self._now_us

    # -- readers and groups -----------------------------------------------------------------------

    def positioned(self, replica: Replica, client_id: str, offset: int) -> None:
        """A client reads on from here."""
        key = (replica.topic, replica.index, client_id)
        reader = self.readers.get(key)
        if reader is not None:
            reader.highest = max(reader.highest, offset)
        elif len(self.readers) < READERS_MAX:
            self.readers[key] = Reader(offset, offset)

    def read(self, call: Call[Any], readings: Sequence[Reading]) -> None:
        """These records are in the answer to a fetch."""
        by_test = _by_test(call)
        for replica, start, end, isolation in readings:
            if replica.topic in INTERNAL_TOPICS:
                continue
            broker = replica.broker.id
            pending = self._pending(broker, call)
            place = self._book(replica.topic, replica.index, replica.topic_id).place
            pending.served.append(
                Served(
                    self._next(),
                    self._now_us,
                    place,
                    start,
                    end,
                    call.client_id,
                    call.peer.ordinal,
                    broker,
                    bool(isolation),
                    by_test,
                )  # fmt: skip
            )

    def generation_begins(self, group: ClassicGroup, generation: views.Generation) -> None:
        """A generation of a group begins to work."""
        client_ids = {member.id: member.client_id for member in group.members.values()}
        self._keep(
            self.generations,
            Generation(
                self._next(),
                self._now_us,
                group.id,
                generation.generation,
                generation.coordinator,
                generation.reason,
                generation.members,
                client_ids,
            ),  # fmt: skip
        )

    def commits(
        self, who: Committer, offsets: Sequence[OffsetToCommit], verdicts: Sequence[ErrorCode]
    ) -> None:
        """A group's offsets were moved."""
        call = self.world.serving
        for offset, verdict in zip(offsets, verdicts, strict=True):
            if verdict is not ErrorCode.NONE:
                continue
            if call is not None and (pending := self.open.get((call.peer, call.correlation_id))) is not None:
                self._commit(pending, offset.topic, offset.index, offset.offset, verdict)
            else:
                self._keep(self.commits, self._moved(who, offset, call))

    def _moved(self, who: Committer, offset: OffsetToCommit, call: Call[Any] | None) -> Commit:
        return Commit(
            self._next(), self._now_us, who.group_id, offset.topic, offset.index, offset.offset,
            member=who.member_id, generation=who.generation, by_test=call is None or _by_test(call),
            client_id=THE_TEST if call is None else call.client_id,
        )  # fmt: skip

    def commits_in_transaction(
        self, who: Committer, offsets: Sequence[OffsetToCommit], producer_id: int
    ) -> None:
        """They will be moved when the producer's transaction is committed."""
        call = self.world.serving
        waiting = self._in_transaction.setdefault((who.group_id, producer_id), [])
        for offset in offsets:
            commit = self._moved(who, offset, call)
            commit.transactional = True
            waiting.append(commit)

    def transaction_ended(self, group_ids: Iterable[str], producer_id: int, *, committed: bool) -> None:
        """Offsets that were to move with a transaction have moved, or never will."""
        for group_id in group_ids:
            for commit in self._in_transaction.pop((group_id, producer_id), ()):
                if committed:
                    commit.number, commit.at_us = self._next(), self._now_us
                    self._keep(self.commits, commit)

    def moved_by_hand(self, group_id: str, topic: str, index: int, offset: int) -> None:
        """A test has put a group somewhere."""
        self._keep(
            self.commits,
            Commit(self._next(), self._now_us, group_id, topic, index, offset, by_test=True, by_hand=True),
        )


def _by_test(call: Call[Any]) -> bool:
    """Whether a ghost asks: what it does the test has it do."""
    return call.peer.software == GHOST
