"""The ledger takes notes: it is told of every request and answer, and keeps what concerns records.

Bounded: entries of each kind by number, bytes of batches by their size; the oldest are forgotten first, and how
many is known.  Reads the world only to name the leader that appended.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.core.history import ACT, CLOSED, REQUEST
from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect
from mockbroker.ledger.entries import Ack, Committed, Joined, Resolved, Sent, Served
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.records.batch import HEADER_BYTES, Batch

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.history import Begun, Event
    from mockbroker.core.world import World
    from mockbroker.ledger.entries import Place

T = TypeVar("T")

# Entries of each kind: about 60 MB when all are full.
ENTRIES_MAX = 100_000
# What the batches that are kept may come to.  The logs hold the same bytes as long as they have the records.
BYTES_MAX = 64 * 1024 * 1024

_LATEST = -1
_READ_COMMITTED = 1
_TESTER = "test"
_OFFSETS = struct.Struct(">q")
_DELTA = struct.Struct(">i")
_DELTA_AT = 23
# How far back a batch is looked for whose request got no answer.
_LOOKED_AT = 64


class Ledger:
    """What became of records, as far back as it remembers."""

    def __init__(self, world: World, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._world = world
        self._bytes_max = bytes_max
        self._bytes = 0
        self.entries_max = entries_max
        self.sent: deque[Sent] = deque()
        self.served: deque[Served] = deque(maxlen=entries_max)
        self.committed: deque[Committed] = deque(maxlen=entries_max)
        self.resolved: deque[Resolved] = deque(maxlen=entries_max)
        self.joined: deque[Joined] = deque(maxlen=entries_max)
        # How many batches were forgotten for newer ones.
        self.dropped = 0
        self._with_data: deque[Sent] = deque()
        # Batches whose request is not answered, by the request.
        self._open: dict[Call[Any], list[Sent]] = {}
        # Where each batch of an idempotent producer was first stored, to know one that comes again.
        self._first: dict[tuple[Place, int, int, int], int] = {}
        # The end of the newest batch of each partition whose place is known.
        self._ends: dict[tuple[Place, bytes], int] = {}
        self._heeded: dict[Api, Callable[[Event, Any, Any], None]] = {
            Api.PRODUCE: self._produced,
            Api.FETCH: self._fetched,
            Api.OFFSET_COMMIT: self._offsets_committed,
            Api.TXN_OFFSET_COMMIT: self._offsets_committed,
            Api.LIST_OFFSETS: self._offsets_listed,
            Api.JOIN_GROUP: self._group_joined,
        }

    def forget(self) -> None:
        """Begin anew."""
        for entries in (self.sent, self.served, self.committed, self.resolved, self.joined, self._with_data):
            entries.clear()
        self._open.clear()
        self._first.clear()
        self._ends.clear()
        self.dropped = self._bytes = 0

    # -- what it is told --------------------------------------------------------------------------

    def asked(self, begun: Begun) -> None:
        """A request has come.  What it brings is on its way from now on."""
        call = begun.call
        if call.api is Api.PRODUCE:
            self._open[call] = [
                self._attempt(call, begun.at_us, topic, part)
                for topic in call.body.topic_data
                for part in topic.partition_data
            ]

    def happened(self, event: Event) -> None:
        """Something is in the history."""
        if event.kind == REQUEST:
            heed = self._heeded.get(event.api_key) if event.api_key is not None else None
            if heed is not None:
                heed(event, event.call, event.response)
        elif event.kind == ACT:
            self._acted(event)
        elif event.kind == CLOSED:
            self._hung_up(event)

    # -- producing --------------------------------------------------------------------------------

    def _attempt(self, call: Call[Any], at_us: int, topic: Any, part: Any) -> Sent:
        image = self._world.controller.image
        name = topic.name or image.topic_names.get(topic.topic_id, "")
        known = image.topics.get(name)
        sent = Sent(
            at_us,
            call.client_id,
            call.peer.ordinal,
            call.correlation_id,
            (name, part.index),
            topic.topic_id if known is None else known.id,
            call.body.acks,
            0,
        )
        records = part.records
        if records is not None and len(records) >= HEADER_BYTES:
            batch = Batch.unchecked(records)
            sent.count = batch.last_offset_delta + 1
            sent.producer_id, sent.producer_epoch = batch.producer_id, batch.producer_epoch
            sent.base_sequence = batch.base_sequence
            sent.transactional = batch.is_transactional
            sent.data = records
        self._note(sent)
        return sent

    def _note(self, sent: Sent) -> None:
        self.sent.append(sent)
        if len(self.sent) > self.entries_max:
            self.sent.popleft()
            self.dropped += 1
        if sent.data is not None:
            self._with_data.append(sent)
            self._bytes += len(sent.data)
            while self._bytes > self._bytes_max:
                oldest = self._with_data.popleft()
                self._bytes -= len(oldest.data or b"")
                oldest.data = None

    def _produced(self, event: Event, call: Call[Any], response: Any) -> None:
        """A Produce has its answer, whether it leaves or not."""
        attempts = self._open.pop(call, ())
        lost = _why_lost(response)
        told = response.response if isinstance(response, Altered) else response
        for sent in attempts:
            sent.answered_us = event.at_us
        if isinstance(told, Disconnect) or told is None:
            self._without_answer(attempts, "" if told is None else told.reason)
            return
        by_place = {
            (topic.name or self._name(topic.topic_id), part.index): part
            for topic in told.responses
            for part in topic.partition_responses
        }
        for sent in attempts:
            part = by_place.get(sent.place)
            if part is None:
                continue
            if part.error_code == ErrorCode.NONE or part.base_offset >= 0:
                self._stored(sent, part.base_offset, event.broker)
            if part.error_code != ErrorCode.NONE:
                sent.ack, sent.why = Ack.REFUSED, ErrorCode(part.error_code).name
            elif lost:
                sent.ack, sent.why = Ack.LOST, lost
            else:
                sent.ack = Ack.ACKED

    def _stored(self, sent: Sent, base_offset: int, broker: int) -> None:
        sent.base_offset = base_offset
        sent.leader = broker
        end = (sent.place, sent.topic_id)
        self._ends[end] = max(self._ends.get(end, 0), sent.end_offset)
        replica = self._world.nodes[broker].replicas.get(sent.place)
        sent.leader_epoch = -1 if replica is None else replica.log.epochs.at(base_offset)
        if sent.base_sequence >= 0 and sent.producer_id >= 0:
            key = (sent.place, sent.producer_id, sent.producer_epoch, sent.base_sequence)
            sent.duplicate = self._first.get(key) == base_offset
            self._first[key] = base_offset
            if len(self._first) > self.entries_max:
                del self._first[next(iter(self._first))]

    def _without_answer(self, attempts: Iterable[Sent], why: str) -> None:
        """No answer is sent: acks=0, or something broke the connection.  Where the batches are, the logs know."""
        for sent in attempts:
            self._look_for(sent)
            if not why:
                sent.ack = Ack.NONE
            elif sent.stored:
                sent.ack, sent.why = Ack.LOST, why
            else:
                sent.ack, sent.why = Ack.REFUSED, why

    def _look_for(self, sent: Sent) -> None:
        """Find a batch in its leader's log: among the newest, by what the producer wrote into it."""
        if sent.data is None:
            return
        image = self._world.controller.image.partition(*sent.place)
        node = None if image is None else self._world.nodes.get(image.leader)
        replica = None if node is None else node.replicas.get(sent.place)
        if replica is None:
            return
        body, known = bytes(sent.data)[HEADER_BYTES:], self._ends.get((sent.place, sent.topic_id), 0)
        for batch in replica.log.batches[-_LOOKED_AT:]:
            if batch.base_offset >= known and bytes(batch.body) == body:
                self._stored(sent, batch.base_offset, replica.broker.id)
                return

    def _name(self, topic_id: bytes) -> str:
        return self._world.controller.image.topic_names.get(topic_id, "")

    def _acted(self, event: Event) -> None:
        """The test has written a record by itself."""
        facts = event.facts
        if not {"topic", "partition", "offset"} <= facts.keys() or not event.act.startswith("append"):
            return
        topic = self._world.controller.image.topics.get(facts["topic"])
        place = (facts["topic"], facts["partition"])
        sent = Sent(
            event.at_us, _TESTER, 0, 0, place, b"" if topic is None else topic.id, -1, 1, ack=Ack.ACKED,
            answered_us=event.at_us,
        )  # fmt: skip
        leader = -1 if topic is None else topic.partitions[place[1]].leader
        replica = self._world.nodes[leader].replicas.get(place) if leader >= 0 else None
        if replica is not None:
            for batch in replica.log.read(facts["offset"], facts["offset"] + 1, 1, at_least_one=True):
                sent.data, sent.count = batch.data, batch.last_offset_delta + 1
                sent.base_offset, sent.leader, sent.leader_epoch = (
                    batch.base_offset,
                    leader,
                    batch.leader_epoch,
                )
        self._note(sent)

    def _hung_up(self, event: Event) -> None:
        """A connection is over: what it was owed nobody will read."""
        for call in [call for call in self._open if call.peer is event.peer]:
            attempts = self._open.pop(call)
            for sent in attempts:
                sent.answered_us = event.at_us
            self._without_answer(attempts, event.act)

    # -- consuming --------------------------------------------------------------------------------

    def _fetched(self, event: Event, call: Call[Any], response: Any) -> None:
        lost = _why_lost(response) is not None
        told = response.response if isinstance(response, Altered) else response
        wanted = _positions(call)
        for topic in getattr(told, "responses", ()):
            name = topic.topic or self._name(topic.topic_id)
            for part in topic.partitions:
                found = _range(part.records)
                if found is None:
                    continue
                start = max(found[0], wanted.get((topic.topic_id or name, part.partition_index), found[0]))
                self.served.append(
                    Served(
                        event.at_us, event.client_id, event.connection, event.broker, (name, part.partition_index),
                        start, found[1], call.body.isolation_level == _READ_COMMITTED,
                        part.last_stable_offset, part.high_watermark, lost,
                    )
                )  # fmt: skip

    def _offsets_committed(self, event: Event, call: Call[Any], response: Any) -> None:
        body, lost = call.body, _why_lost(response) is not None
        told = response.response if isinstance(response, Altered) else response
        verdicts = {
            (topic.name or self._name(topic.topic_id), part.partition_index): part.error_code
            for topic in getattr(told, "topics", ())
            for part in topic.partitions
        }
        generation = getattr(body, "generation_id_or_member_epoch", -1)
        for topic in body.topics:
            name = topic.name or self._name(topic.topic_id)
            for part in topic.partitions:
                place = (name, part.partition_index)
                code = verdicts.get(place, ErrorCode.NONE if lost else ErrorCode.UNKNOWN_SERVER_ERROR)
                self.committed.append(
                    Committed(
                        event.at_us, event.client_id, event.connection, body.group_id, body.member_id, generation,
                        place, part.committed_offset, "" if code == ErrorCode.NONE else ErrorCode(code).name, lost,
                    )
                )  # fmt: skip

    def _offsets_listed(self, event: Event, call: Call[Any], response: Any) -> None:
        told = response.response if isinstance(response, Altered) else response
        latest = {
            (topic.name, part.partition_index)
            for topic in call.body.topics
            for part in topic.partitions
            if part.timestamp == _LATEST
        }
        for topic in getattr(told, "topics", ()):
            for part in topic.partitions:
                place = (topic.name, part.partition_index)
                if place in latest and part.error_code == ErrorCode.NONE:
                    self.resolved.append(Resolved(event.at_us, event.client_id, place, part.offset))

    def _group_joined(self, event: Event, call: Call[Any], response: Any) -> None:
        told = response.response if isinstance(response, Altered) else response
        member = getattr(told, "member_id", "")
        if member and told.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            self.joined.append(
                Joined(event.at_us, call.body.group_id, member, event.client_id, event.connection)
            )


def _why_lost(response: Any) -> str | None:
    """What keeps an answer from the client, or None."""
    if isinstance(response, Disconnect):
        return response.reason
    if isinstance(response, Altered) and (response.damage is not None or response.ends is not None):
        return response.ends or "the answer was damaged"
    return None


def _positions(call: Call[Any]) -> dict[tuple[Any, int], int]:
    return {
        (topic.topic_id or topic.topic, part.partition): part.fetch_offset
        for topic in call.body.topics
        for part in topic.partitions
    }


def _range(records: Any) -> tuple[int, int] | None:
    """The first offset of some batches, and the one behind their last."""
    batches = [data for data in _parts(records) if len(data) >= HEADER_BYTES]
    if not batches:
        return None
    (first,) = _OFFSETS.unpack_from(batches[0])
    (last,) = _OFFSETS.unpack_from(batches[-1])
    (delta,) = _DELTA.unpack_from(batches[-1], _DELTA_AT)
    return first, last + delta + 1


def _parts(records: Any) -> Iterator[Any]:
    if records is None:
        return
    if isinstance(records, list | tuple):
        yield from records
    else:
        yield records
