"""Clients of a replicated topic, as a state machine has them: they send, they read, they remember.

They look for the leader where the controller sees it, know nothing of what is done to brokers, and complain
(AssertionError) about every answer that no Kafka would give.  Without sockets and encodings, to be fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mockbroker.conversation import Conversation
from mockbroker.core.call import Call, Peer
from mockbroker.core.image import NO_LEADER, PartitionImage
from mockbroker.core.ticket import Ticket
from mockbroker.core.world import World
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.offsets import (
    OffsetForLeaderEpochPartition,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochTopic,
)
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.messages.topics import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from mockbroker.records.batch import Batch, batches
from tests.core.machines.replication import Place, Witness
from tests.core.simulation import ALL, batch_of

PATIENCE_MS = 1_000

# After these a producer does not know what became of its batch.
VERDICTS_OPEN = (
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
)


@dataclass(slots=True)
class Sent:
    """A request that a client sent, and what it was told.  `batch` is what it produced, if it did."""

    reply: Any
    broker: int
    incarnation: int
    place: Place
    batch: Batch | None = None
    acks: int = ALL

    @property
    def answered(self) -> bool:
        return not isinstance(self.reply, Ticket) or self.reply.done

    @property
    def answer(self) -> Any:
        """The one partition in the answer; None without one (no acks, connection closed, not here yet)."""
        outcome = self.reply.result if isinstance(self.reply, Ticket) and self.reply.done else self.reply
        if hasattr(outcome, "responses"):
            (topic,) = outcome.responses
            return (topic.partition_responses if hasattr(topic, "partition_responses") else topic.partitions)[
                0
            ]
        return outcome.topics[0].partitions[0] if hasattr(outcome, "topics") else None


@dataclass(slots=True)
class Stream:
    """An idempotent producer in one partition: one batch at a time, sent again until it is acknowledged."""

    producer_id: int
    place: Place
    epoch: int = 0
    sequence: int = 0
    unsettled: Sent | None = None
    offsets: dict[int, int] = field(default_factory=dict)
    # Whether something of it may have been lost, so that brokers may know less than was acknowledged.
    careless: bool = False

    def begin_anew(self) -> None:
        """A new epoch, from sequence 0; what became of the last batch stays open."""
        self.epoch, self.sequence, self.unsettled = self.epoch + 1, 0, None
        self.offsets.clear()


class Clients:
    """Everybody who talks to the brokers of one world."""

    def __init__(self, world: World, witness: Witness) -> None:
        self.world = world
        self.witness = witness
        self.values = 0
        self.requests: list[Sent] = []
        self.parked: list[Sent] = []
        # What was acknowledged with acks=all, by offset.
        self.acknowledged: dict[Place, dict[int, bytes]] = {place: {} for place in witness.known}
        self._streams: dict[tuple[int, Place], Stream] = {}
        self._conversations: dict[int, Conversation] = {}

    # -- where to ---------------------------------------------------------------------------------

    def partition(self, place: Place) -> PartitionImage:
        partition = self.world.controller.image.partition(*place)
        assert partition is not None
        return partition

    def leader(self, place: Place) -> int:
        """The leader as the controller has it, or a broker that will refuse."""
        partition = self.partition(place)
        return partition.leader if partition.leader != NO_LEADER else partition.replicas[0]

    def finds_deposed_leader(self, place: Place) -> bool:
        """Whether clients would reach a leader that has yet to learn of its end."""
        replica = self.world.nodes[self.leader(place)].replicas[place]
        return replica.leader_epoch < self.partition(place).leader_epoch

    def ask(self, broker: int, place: Place, api: Api, version: int, body: Any) -> Sent:
        conversation = self._conversations.get(broker)
        if conversation is None or not conversation.alive:
            conversation = self._conversations[broker] = Conversation(self.world.nodes[broker], Peer())
        reply = conversation.exchange(Call(api, version, 1, "machine", body, conversation.peer))
        sent = Sent(reply, broker, self.world.nodes[broker].incarnation, place)
        self.requests.append(sent)
        return sent

    # -- producing --------------------------------------------------------------------------------

    def new_batch(self, count: int = 1, producer: tuple[int, int, int] = (-1, -1, -1)) -> Batch:
        """A batch whose values were never sent before."""
        self.values += 1
        return batch_of(*[b"%d" % self.values] * count, producer=producer)

    def produce(self, place: Place, broker: int, batch: Batch, acks: int) -> Sent:
        part = ProducePartition(index=place[1], records=bytes(batch.data))
        topic = ProduceTopic(name=place[0], partition_data=[part])
        body = ProduceRequest(acks=acks, timeout_ms=PATIENCE_MS, topic_data=[topic])
        sent = self.ask(broker, place, Api.PRODUCE, 9, body)
        sent.batch, sent.acks = batch, acks
        if sent.answered:
            self._note(sent)
        else:
            self.parked.append(sent)
        return sent

    def look(self) -> None:
        """Look for answers that have come."""
        for sent in [sent for sent in self.parked if sent.answered]:
            self.parked.remove(sent)
            self._note(sent)

    def _note(self, sent: Sent) -> None:
        answer = sent.answer
        if answer is None or answer.error_code in VERDICTS_OPEN:
            return
        if answer.error_code:
            assert answer.base_offset == -1, f"refused, and appended at {answer.base_offset}"
        elif sent.acks == ALL and sent.batch is not None:
            self.acknowledged[sent.place][answer.base_offset] = bytes(sent.batch.body)

    def stream(self, producer_id: int, place: Place) -> Stream:
        return self._streams.setdefault((producer_id, place), Stream(producer_id, place))

    def produce_next(self, stream: Stream, acks: int, *, lose: bool) -> None:
        """Send the next batch, or again the one whose answer has not come; `lose`: this answer will not."""
        place, unsettled = stream.place, stream.unsettled
        if unsettled is None or unsettled.batch is None:
            batch = self.new_batch(producer=(stream.producer_id, stream.epoch, stream.sequence))
        else:
            batch, acks = unsettled.batch, unsettled.acks
        # A truncated log learns anew who produced what, from the batches that were not deleted, as Kafka's does.
        known = self.witness.known[place]
        stream.careless |= acks != ALL or known.unclean or known.deleting or self.finds_deposed_leader(place)
        stream.unsettled = self.produce(place, self.leader(place), batch, acks)
        answer = stream.unsettled.answer
        if answer is None:
            return
        if answer.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
            assert stream.careless, "a gap in what was acknowledged one after the other"
            # What Java's producer does: a new epoch, from the start.
            stream.begin_anew()
            return
        assert answer.error_code != ErrorCode.INVALID_PRODUCER_EPOCH, "nobody else has that producer id"
        if answer.error_code == ErrorCode.NONE:
            offset = stream.offsets.setdefault(batch.base_sequence, answer.base_offset)
            twice = f"acknowledged at {offset} and at {answer.base_offset}"
            assert stream.careless or offset == answer.base_offset, twice
            if not lose:
                stream.sequence, stream.unsettled = stream.sequence + 1, None

    # -- reading ----------------------------------------------------------------------------------

    def fetch(
        self, place: Place, broker: int, offset: int, isolation: int = 0, version: int = 12, **how: Any
    ) -> Sent:
        part = FetchPartition(
            partition=place[1],
            fetch_offset=offset,
            partition_max_bytes=2**20,
            current_leader_epoch=how.pop("leader_epoch", -1),
        )
        topic = FetchTopic(topic=place[0], partitions=[part])
        body = FetchRequest(isolation_level=isolation, topics=[topic], **how)
        return self.ask(broker, place, Api.FETCH, version, body)

    def read(self, place: Place, broker: int, offset: int, isolation: int, version: int) -> None:
        """Fetch, and get all that may be seen and nothing else."""
        answer = self.fetch(place, broker, offset, isolation, version).answer
        if answer is None:
            return
        if answer.error_code:
            assert not answer.records, "records beside an error"
            assert answer.high_watermark == -1, "a watermark beside an error"
            return
        limit = answer.last_stable_offset if isolation else answer.high_watermark
        at = offset
        for batch in batches(b"".join(bytes(part) for part in answer.records or [])):
            assert batch.base_offset <= at <= batch.last_offset, f"asked for {at}, got {batch.base_offset}"
            assert batch.last_offset < limit, f"{batch.last_offset} was not to be seen: {limit}"
            at = batch.last_offset + 1
        assert at == max(limit, offset), f"read to {at}, could have seen {limit}"

    def fetch_in_another_epoch(self, place: Place, broker: int, off: int) -> None:
        """A wrong epoch is told so by any replica, and never served."""
        replica = self.world.nodes[broker].replicas.get(place)
        if replica is None or replica.leader_epoch + off < 0:
            return
        answer = self.fetch(place, broker, 0, leader_epoch=replica.leader_epoch + off).answer
        expected = ErrorCode.FENCED_LEADER_EPOCH if off < 0 else ErrorCode.UNKNOWN_LEADER_EPOCH
        assert answer is None or answer.error_code == expected, f"epoch {off} off was answered with {answer}"

    def ask_where_an_epoch_ended(self, place: Place, epoch: int) -> None:
        """The answer lies within the log and never names a later epoch than was asked for."""
        part = OffsetForLeaderEpochPartition(partition=place[1], leader_epoch=epoch)
        topic = OffsetForLeaderEpochTopic(topic=place[0], partitions=[part])
        leader = self.leader(place)
        body = OffsetForLeaderEpochRequest(replica_id=-1, topics=[topic])
        answer = self.ask(leader, place, Api.OFFSET_FOR_LEADER_EPOCH, 4, body).answer
        if answer is not None and answer.error_code == ErrorCode.NONE:
            log = self.world.nodes[leader].replicas[place].log
            assert answer.leader_epoch <= epoch, f"asked for epoch {epoch}, told of {answer.leader_epoch}"
            inside = answer.end_offset == -1 or log.start <= answer.end_offset <= log.end
            assert inside, f"epoch {epoch} ended at {answer.end_offset}, outside of the log"

    def delete_records(self, place: Place, offset: int) -> None:
        part = DeleteRecordsPartition(partition_index=place[1], offset=offset)
        topic = DeleteRecordsTopic(name=place[0], partitions=[part])
        self.witness.known[place].deleting = True
        leader = self.leader(place)
        body = DeleteRecordsRequest(topics=[topic], timeout_ms=PATIENCE_MS)
        self.ask(leader, place, Api.DELETE_RECORDS, 2, body)

    # -- in the end -------------------------------------------------------------------------------

    def check_answers(self) -> None:
        """Every request was answered, but for those whose broker died: a crash takes its connections with it."""
        unanswered: Iterable[Sent] = (sent for sent in self.requests if not sent.answered)
        for sent in unanswered:
            lived_on = self.world.nodes[sent.broker].incarnation == sent.incarnation
            assert not lived_on, f"never answered: {sent.reply!r}"

    def check_acknowledged(self) -> None:
        """What was acknowledged by all is there, unless it was deleted or an election was allowed to lose it."""
        for place, records in self.acknowledged.items():
            log = self.world.nodes[self.leader(place)].replicas[place].log
            stored = {batch.base_offset: bytes(batch.body) for batch in log.batches}
            for offset, body in records.items():
                lost = offset >= log.start and stored.get(offset) != body
                assert not lost or self.witness.known[place].unclean, (
                    f"acknowledged at {offset} in {place}, and gone"
                )
