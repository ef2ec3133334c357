"""Hypothesis against the replication: whatever it does to a cluster, no promise is broken.

The machine acts: it produces, reads, kills, cuts, freezes, elects and lets time pass.  `Witness` judges after
every step.  In the end everything is repaired, and then all copies are one and every acknowledged record is
there, unless an election was allowed to lose it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mockbroker.conversation import Conversation
from mockbroker.core.call import Call, Peer
from mockbroker.core.controller import NewTopic
from mockbroker.core.image import NO_LEADER, ConfigKind
from mockbroker.core.links import CONTROLLER
from mockbroker.core.ticket import Ticket
from mockbroker.core.world import World
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode, KafkaError
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
from tests.core.simulation import batch_of

TOPIC = "orders"
PLACES: list[Place] = [(TOPIC, 0), (TOPIC, 1)]
PATIENCE_MS = 1_000
LAG_TIME_MS = 1_000
SESSION_MS = 9_000

# Longer than any wait in this machine: two sessions of brokers, slow roads included.
LONG_MS = 40_000

brokers = st.integers(min_value=1, max_value=5)
places = st.sampled_from([PLACES[0], *PLACES])
noticed_in = st.sampled_from([0, 0, SESSION_MS])
NO_ELECTION = (
    ErrorCode.ELECTION_NOT_NEEDED,
    ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
)
VERDICTS_OPEN = (
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
)


@dataclass(slots=True)
class Sent:
    """A batch that a client sent, and what it was told."""

    place: Place
    batch: Batch
    acks: int
    reply: Any
    broker: int
    incarnation: int
    acknowledged: bool = False

    @property
    def answered(self) -> bool:
        return not isinstance(self.reply, Ticket) or self.reply.done

    @property
    def outcome(self) -> Any:
        return self.reply.result if isinstance(self.reply, Ticket) else self.reply


@dataclass(slots=True)
class Stream:
    """An idempotent producer in one partition: one batch at a time, sent again until it is acknowledged."""

    producer_id: int
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


class Replication(RuleBasedStateMachine):
    """Everything that can happen to a replicated partition."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0
        self.sent: list[Sent] = []
        self.parked: list[Sent] = []
        self.polls: list[tuple[Any, int, int]] = []
        self.acknowledged: dict[Place, dict[int, bytes]] = {place: {} for place in PLACES}
        self.streams: dict[tuple[int, Place], Stream] = {}
        self.conversations: dict[int, Conversation] = {}
        self.isolated: set[int] = set()

    @initialize(
        count=st.sampled_from([3, 3, 4, 5]),
        min_in_sync=st.sampled_from([2, 1]),
        copies=st.sampled_from([3, 2]),
        controller_ms=st.sampled_from([0, 0, 30]),
        brokers_ms=st.sampled_from([0, 0, 7]),
        unclean=st.sampled_from([False, False, True]),
    )
    def begin(
        self, count: int, min_in_sync: int, copies: int, controller_ms: int, brokers_ms: int, *, unclean: bool
    ) -> None:
        config = {"replica.lag.time.max.ms": LAG_TIME_MS, "broker.session.timeout.ms": SESSION_MS}
        self.world = World(brokers=range(1, count + 1), random=Random(7), config=config)
        self.witness = Witness(self.world, PLACES)
        self.witness.unclean_allowed = unclean
        assignments = [[1, 2, 3], [count, 1, 2][:copies]]
        self.world.controller.create_topics([NewTopic(TOPIC, assignments, self.configs(min_in_sync))])
        self.world.settle()
        for one in self.world.nodes:
            self.world.links.slow(one, CONTROLLER, controller_ms)
            for other in range(1, one):
                self.world.links.slow(one, other, brokers_ms)

    # -- helpers ----------------------------------------------------------------------------------

    def configs(self, min_in_sync: int) -> dict[str, str]:
        unclean = "true" if self.witness.unclean_allowed else "false"
        return {"min.insync.replicas": str(min_in_sync), "unclean.leader.election.enable": unclean}

    def broker(self, wish: int) -> int:
        return (wish - 1) % len(self.world.nodes) + 1

    def ask(self, broker: int, api: Api, version: int, body: Any) -> Any:
        conversation = self.conversations.get(broker)
        if conversation is None or not conversation.alive:
            conversation = self.conversations[broker] = Conversation(self.world.nodes[broker], Peer())
        return conversation.exchange(Call(api, version, 1, "machine", body, conversation.peer))

    def leader(self, place: Place) -> int:
        """The leader as the controller has it, or a broker that will refuse."""
        partition = self.world.controller.image.partition(*place)
        assert partition is not None
        return partition.leader if partition.leader != NO_LEADER else partition.replicas[0]

    def send(self, place: Place, broker: int, batch: Batch, acks: int) -> Sent:
        part = ProducePartition(index=place[1], records=bytes(batch.data))
        body = ProduceRequest(
            acks=acks, timeout_ms=PATIENCE_MS, topic_data=[ProduceTopic(name=place[0], partition_data=[part])]
        )
        reply = self.ask(broker, Api.PRODUCE, 9, body)
        sent = Sent(place, batch, acks, reply, broker, self.world.nodes[broker].incarnation)
        self.sent.append(sent)
        if sent.answered:
            self.note(sent)
        else:
            self.parked.append(sent)
        return sent

    def note(self, sent: Sent) -> None:
        """A client reads the answer to what it produced."""
        if not hasattr(sent.outcome, "responses"):
            return
        answer = sent.outcome.responses[0].partition_responses[0]
        if answer.error_code in VERDICTS_OPEN:
            return
        if answer.error_code:
            assert answer.base_offset == -1, f"refused, and appended at {answer.base_offset}"
            return
        sent.acknowledged = True
        if sent.acks == -1:
            self.acknowledged[sent.place][answer.base_offset] = bytes(sent.batch.body)

    # -- clients ----------------------------------------------------------------------------------

    @rule(
        batches_of=st.lists(
            st.tuples(places, st.sampled_from([-1, -1, 1, 0]), st.integers(1, 2)), min_size=1, max_size=3
        )
    )
    def produce(self, batches_of: list[tuple[Place, int, int]]) -> None:
        for place, acks, count in batches_of:
            self.value += 1
            self.send(place, self.leader(place), batch_of(*[b"%d" % self.value] * count), acks)

    @rule(place=places, wish=brokers, acks=st.sampled_from([-1, 1]))
    def produce_to_anyone(self, place: Place, wish: int, acks: int) -> None:
        """Clients are slow to learn who leads, and a deposed leader may not know either."""
        self.value += 1
        self.send(place, self.broker(wish), batch_of(b"%d" % self.value), acks)

    @rule(
        place=places,
        producer=st.integers(1, 2),
        lost=st.lists(st.booleans(), min_size=1, max_size=3),
        acks=st.sampled_from([-1, -1, -1, 1]),
        anew=st.sampled_from([False, False, False, True]),
    )
    def produce_idempotently(
        self, place: Place, producer: int, lost: list[bool], acks: int, *, anew: bool
    ) -> None:
        """Send the next batch, or again the one whose answer has not come; `lost`: this answer will not."""
        stream = self.streams.setdefault((producer, place), Stream(producer))
        if anew:
            stream.begin_anew()
        for lose in lost:
            self.produce_next(place, stream, acks, lose=lose)

    def produce_next(self, place: Place, stream: Stream, acks: int, *, lose: bool) -> None:
        if stream.unsettled is None:
            self.value += 1
            batch = batch_of(b"%d" % self.value, producer=(stream.producer_id, stream.epoch, stream.sequence))
        else:
            batch, acks = stream.unsettled.batch, stream.unsettled.acks
        stream.careless |= acks != -1
        sent = stream.unsettled = self.send(place, self.leader(place), batch, acks)
        if not sent.answered or not hasattr(sent.outcome, "responses"):
            return
        answer = sent.outcome.responses[0].partition_responses[0]
        careless = stream.careless or self.witness.known[place].unclean
        if answer.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
            assert careless, "a gap in what was acknowledged one after the other"
            # What Java's producer does: a new epoch, from the start.
            stream.begin_anew()
            return
        assert answer.error_code != ErrorCode.INVALID_PRODUCER_EPOCH, "nobody else has that producer id"
        if answer.error_code == ErrorCode.NONE:
            offset = stream.offsets.setdefault(batch.base_sequence, answer.base_offset)
            assert careless or offset == answer.base_offset, (
                f"acknowledged at {offset} and at {answer.base_offset}"
            )
            if not lose:
                stream.sequence, stream.unsettled = stream.sequence + 1, None

    @rule(place=places, wish=brokers, producer=st.none() | st.integers(1, 2), back=st.booleans())
    def produce_in_vain(self, place: Place, wish: int, producer: int | None, *, back: bool) -> None:
        """What nobody copied before the leader was deposed; `back`: it is elected again, having truncated."""
        leader, others = self.leader(place), [id for id in self.world.nodes if id != self.leader(place)]
        thawed = [id for id in others if place in self.world.nodes[id].replicas]
        for id in thawed:
            self.world.nodes[id].replicas[place].frozen = True
        if producer is None:
            self.produce([(place, -1, 1), (place, 1, 1)])
        else:
            self.produce_next(place, self.streams.setdefault((producer, place), Stream(producer)), -1, lose=True)
        self.elect(place, wish)
        for id in thawed:
            self.let_copy(place, id, 0)
        if back:
            self.elect(place, leader)

    @rule(
        place=places,
        wish=st.none() | brokers,
        offset=st.integers(0, 12),
        isolation=st.integers(0, 1),
        version=st.sampled_from([12, 10]),
    )
    def fetch(self, place: Place, wish: int | None, offset: int, isolation: int, version: int) -> None:
        broker = self.leader(place) if wish is None else self.broker(wish)
        self.read(place, broker, offset, isolation, version)

    def read(self, place: Place, broker: int, offset: int, isolation: int, version: int) -> None:
        reply = self.ask_for_records(place, broker, offset, isolation, version)
        if isinstance(reply, Ticket) or not hasattr(reply, "responses"):
            return
        answer = reply.responses[0].partitions[0]
        if answer.error_code:
            assert not answer.records
            assert answer.high_watermark == -1
            return
        whole = b"".join(bytes(part) for part in answer.records or [])
        limit = answer.last_stable_offset if isolation else answer.high_watermark
        at = offset
        for batch in batches(whole):
            assert batch.base_offset <= at <= batch.last_offset, f"asked for {at}, got {batch.base_offset}"
            assert batch.last_offset < limit, f"{batch.last_offset} was not to be seen: {limit}"
            at = batch.last_offset + 1
        assert at == max(limit, offset), f"read to {at}, could have seen {limit}"

    def ask_for_records(
        self, place: Place, broker: int, offset: int, isolation: int, version: int, **more: Any
    ) -> Any:
        part = FetchPartition(
            partition=place[1],
            fetch_offset=offset,
            partition_max_bytes=2**20,
            current_leader_epoch=more.pop("leader_epoch", -1),
        )
        body = FetchRequest(
            isolation_level=isolation, topics=[FetchTopic(topic=place[0], partitions=[part])], **more
        )
        return self.ask(broker, Api.FETCH, version, body)

    @rule(place=places, wish=brokers, off=st.sampled_from([-1, 1]))
    def fetch_in_another_epoch(self, place: Place, wish: int, off: int) -> None:
        """A wrong epoch is told so by any replica, and never served."""
        broker = self.broker(wish)
        replica = self.world.nodes[broker].replicas.get(place)
        if replica is None or replica.leader_epoch + off < 0:
            return
        reply = self.ask_for_records(place, broker, 0, 0, 12, leader_epoch=replica.leader_epoch + off)
        if isinstance(reply, Ticket) or not hasattr(reply, "responses"):
            return
        expected = ErrorCode.FENCED_LEADER_EPOCH if off < 0 else ErrorCode.UNKNOWN_LEADER_EPOCH
        assert reply.responses[0].partitions[0].error_code == expected

    @rule(place=places, wish=brokers, offset=st.integers(0, 12), isolation=st.integers(0, 1))
    def long_poll(self, place: Place, wish: int, offset: int, isolation: int) -> None:
        broker = self.broker(wish)
        waits = {"max_wait_ms": PATIENCE_MS, "min_bytes": 10_000}
        reply = self.ask_for_records(place, broker, offset, isolation, 12, **waits)
        if isinstance(reply, Ticket):
            self.polls.append((reply, broker, self.world.nodes[broker].incarnation))

    @rule(place=places, epoch=st.integers(0, 6))
    def ask_where_an_epoch_ended(self, place: Place, epoch: int) -> None:
        """The answer lies within the log and never names a later epoch than was asked for."""
        part = OffsetForLeaderEpochPartition(partition=place[1], leader_epoch=epoch)
        topic = OffsetForLeaderEpochTopic(topic=place[0], partitions=[part])
        leader = self.leader(place)
        body = OffsetForLeaderEpochRequest(replica_id=-1, topics=[topic])
        reply = self.ask(leader, Api.OFFSET_FOR_LEADER_EPOCH, 4, body)
        if isinstance(reply, Ticket) or not hasattr(reply, "topics"):
            return
        answer = reply.topics[0].partitions[0]
        if answer.error_code == ErrorCode.NONE:
            log = self.world.nodes[leader].replicas[place].log
            assert answer.leader_epoch <= epoch
            assert answer.end_offset == -1 or log.start <= answer.end_offset <= log.end

    @rule(place=places, offset=st.integers(-1, 8))
    def delete_records(self, place: Place, offset: int) -> None:
        leader = self.leader(place)
        part = DeleteRecordsPartition(partition_index=place[1], offset=offset)
        body = DeleteRecordsRequest(
            topics=[DeleteRecordsTopic(name=place[0], partitions=[part])], timeout_ms=PATIENCE_MS
        )
        self.witness.known[place].deleting = True
        before = self.world.nodes[leader].replicas[place].log.start
        self.ask(leader, Api.DELETE_RECORDS, 2, body)
        assert self.world.nodes[leader].replicas[place].log.start >= before

    # -- brokers ----------------------------------------------------------------------------------

    @rule(wish=brokers, noticed_ms=noticed_in)
    def crash_or_restart(self, wish: int, noticed_ms: int) -> None:
        if self.world.nodes[self.broker(wish)].up:
            self.world.crash(self.broker(wish), noticed_ms)
        else:
            self.world.restart(self.broker(wish))

    @rule(wish=brokers, noticed_ms=noticed_in)
    def pause_or_resume(self, wish: int, noticed_ms: int) -> None:
        node = self.world.nodes[self.broker(wish)]
        if node.paused:
            self.world.resume(node.id)
        elif node.up:
            self.world.pause(node.id, noticed_ms)

    @rule(wish=brokers, noticed_ms=noticed_in)
    def isolate_or_heal(self, wish: int, noticed_ms: int) -> None:
        broker = self.broker(wish)
        if broker in self.isolated:
            self.isolated.discard(broker)
            self.world.heal(broker)
        else:
            self.isolated.add(broker)
            self.world.isolate(broker, noticed_ms)

    @rule(one=brokers, other=st.integers(CONTROLLER, 5), delay_ms=st.sampled_from([0, 3, 40, 700]))
    def slow(self, one: int, other: int, delay_ms: int) -> None:
        end = CONTROLLER if other < 1 else self.broker(other)
        if end != self.broker(one):
            self.world.links.slow(self.broker(one), end, delay_ms)

    @rule(place=places, wish=brokers, lag=st.none() | st.sampled_from([0, 0, 2]))
    def copy(self, place: Place, wish: int, lag: int | None) -> None:
        """Let one copy stand still, keep up, or stay behind by so many records."""
        if lag is not None:
            self.let_copy(place, self.broker(wish), lag)
        elif replica := self.world.nodes[self.broker(wish)].replicas.get(place):
            replica.frozen = True

    def let_copy(self, place: Place, broker: int, lag: int) -> None:
        node = self.world.nodes[broker]
        if replica := node.replicas.get(place):
            replica.frozen = False
            replica.lag_records = lag
            if replica.following is not None and not node.paused:
                replica.following.fetch()
                self.world.settle()

    # -- the controller -----------------------------------------------------------------------------

    @rule(place=places, wish=st.none() | brokers)
    def elect(self, place: Place, wish: int | None) -> None:
        """The preferred leader, another one in sync, or anyone where nobody leads and that is allowed."""
        controller = self.world.controller
        try:
            if wish is not None:
                controller.move_leader(*place, self.broker(wish), unclean=False)
            elif self.witness.unclean_allowed:
                controller.elect_unclean(*place)
            else:
                controller.elect_preferred(*place)
        except KafkaError as refused:
            assert refused.code in NO_ELECTION
        self.world.settle()

    @rule(min_in_sync=st.integers(1, 3))
    def configure(self, min_in_sync: int) -> None:
        self.world.controller.alter_configs(ConfigKind.TOPIC, TOPIC, self.configs(min_in_sync))
        self.world.settle()

    # -- time -------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 5, 50, LAG_TIME_MS + 10, SESSION_MS]))
    def advance(self, ms: int) -> None:
        self.world.clock.advance(ms)
        self.look()

    @rule(ms=st.sampled_from([1, PATIENCE_MS]))
    def wait(self, ms: int) -> None:
        self.world.patience.advance(ms)
        self.look()

    def look(self) -> None:
        """Clients look for answers."""
        for sent in [sent for sent in self.parked if sent.answered]:
            self.parked.remove(sent)
            self.note(sent)

    @invariant()
    def no_promise_is_broken(self) -> None:
        self.look()
        self.witness.check()

    # -- the end ----------------------------------------------------------------------------------

    def teardown(self) -> None:
        if hasattr(self, "witness"):
            self.repair()
            self.witness.check_repaired()
            self.everything_was_answered()
            self.nothing_acknowledged_is_lost()

    def repair(self) -> None:
        """Undo all that was done to the cluster, and let it come to rest."""
        ids = list(self.world.nodes)
        for one in ids:
            for other in [CONTROLLER, *ids]:
                if one != other:
                    self.world.links.slow(one, other, 0)
        for id, node in self.world.nodes.items():
            if not node.up:
                self.world.restart(id)
            if node.paused:
                self.world.resume(id)
            self.world.heal(id)
        # With more in sync demanded than there are copies nothing would ever be seen.
        self.configure(1)
        self.world.clock.advance(LONG_MS)
        for place in PLACES:
            for id in ids:
                self.let_copy(place, id, 0)
        self.world.clock.advance(LONG_MS)
        self.wait(PATIENCE_MS)

    def everything_was_answered(self) -> None:
        """Those whose broker lived on; a crash takes its connections with it."""
        for sent in self.sent:
            if self.world.nodes[sent.broker].incarnation == sent.incarnation:
                assert sent.answered, f"produce was never answered: {sent.reply!r}"
        for reply, broker, incarnation in self.polls:
            if self.world.nodes[broker].incarnation == incarnation:
                assert reply.done, f"fetch was never answered: {reply!r}"

    def nothing_acknowledged_is_lost(self) -> None:
        for place, records in self.acknowledged.items():
            log = self.world.nodes[self.leader(place)].replicas[place].log
            if self.witness.known[place].unclean:
                continue
            stored = {batch.base_offset: bytes(batch.body) for batch in log.batches}
            for offset, body in records.items():
                lost = offset >= log.start and stored.get(offset) != body
                assert not lost, f"acknowledged at {offset} in {place}, and gone"


# The soak profile says how much; else enough that each known bug would be found many times over.
TestReplication = Replication.TestCase
if not os.environ.get("MOCKBROKER_SOAK"):
    TestReplication.settings = settings(max_examples=500, stateful_step_count=40)
