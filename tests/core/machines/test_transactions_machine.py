"""Hypothesis against transactions: whatever is late, lost, dead or deleted, each happens as a whole or not at all.

The machine acts: producers of two transactional ids, two of each, and everything that can befall brokers and the
words between them.  `replication.Witness` and `transactions` judge the logs after every step, and in the end, when
all is repaired and every timeout has passed, the `Ledger` judges what producers and readers were told.
"""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mockbroker.core.controller import NewTopic
from mockbroker.core.links import Message
from mockbroker.core.messages import (
    AddPartitionsToTxn,
    AddPartitionsToTxnResponse,
    WriteTxnMarkers,
    WriteTxnMarkersResponse,
)
from mockbroker.core.transactions.records import Place, TransactionRecord, encode_record
from mockbroker.core.transactions.transaction import BUMPS_EPOCHS, EPOCH_LAST
from mockbroker.protocol.errors import ErrorCode, KafkaError
from tests.core.machines import transactions
from tests.core.machines.replication import Witness
from tests.core.machines.transactions import INTERNAL
from tests.core.machines.transactions_clients import Ledger, Producer, committed_offset, read_committed
from tests.core.simulation import TOPIC, Simulation
from tests.core.transactions.payer import FIRST, SECOND, Payer, coordinated

PLACES: list[Place] = [(TOPIC, 0), (TOPIC, 1)]
# A topic that comes and goes.
FLEETING = ("refunds", 0)
PATIENCE_MS = 30_000
LONG_MS = 60_000

CONFIG = {
    "transaction.state.log.num.partitions": 1,
    "offsets.topic.num.partitions": 1,
    "broker.session.timeout.ms": 9_000,
    "replica.lag.time.max.ms": 1_000,
}

NO_ELECTION = (
    ErrorCode.ELECTION_NOT_NEEDED,
    ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
)

# What may be kept on its road, and travel later.
WORDS: list[tuple[type[Message], ...]] = [
    (AddPartitionsToTxn,), (AddPartitionsToTxnResponse,), (WriteTxnMarkersResponse,), (WriteTxnMarkers,),
]  # fmt: skip

protocols = st.sampled_from([SECOND, SECOND, FIRST])
who = st.integers(0, 3)
brokers = st.integers(1, 3)
ends = st.sampled_from([True, True, False, None])
places = st.sampled_from([PLACES[0], *PLACES])
all_topics = st.sampled_from([*PLACES, *PLACES, FLEETING])
all_places = st.sampled_from([*PLACES, *INTERNAL, INTERNAL[0]])


class Transactions(RuleBasedStateMachine):
    """Everything that can happen to transactions."""

    @initialize(
        level=st.sampled_from([2, 2, 2, 1, 0]),
        # Twins speak the same: one of the second protocol that repeats its abort is given the epoch of another that
        # ended a transaction by the first, in Kafka too.
        protocols=st.tuples(protocols, protocols),
        nearly_used_up=st.sampled_from([False, False, True]),
        brokers_ms=st.sampled_from([0, 0, 7]),
    )
    def begin_all(
        self,
        level: int,
        protocols: tuple[dict[str, int], dict[str, int]],
        brokers_ms: int,
        *,
        nearly_used_up: bool,
    ) -> None:
        self.sim = Simulation(config=CONFIG)
        self.world = self.sim.world
        self.sim.topic(assignments=[(1, 2, 3), (2, 3, 1)], min_insync_replicas="2")
        coordinated(self.sim)
        self.world.controller.update_features({"transaction.version": level})
        self.world.settle()
        self.witness = Witness(self.world, [*PLACES, *INTERNAL])
        self.overheard = self.world.links.between
        self.world.links.between = self.overhear
        self.keeping: tuple[type[Message], ...] = ()
        self.kept: list[tuple[Message, tuple[int, ...]]] = []
        self.isolated: set[int] = set()
        self.ledger = Ledger()
        self.decided: dict[tuple[int, int], bool] = {}
        known = [versions if level == BUMPS_EPOCHS else FIRST for versions in protocols]
        self.pure = FIRST not in known
        self.producers = [
            Producer(self.sim, self.ledger, Payer(self.sim, name, versions))
            for name, versions in zip(("ann", "bob"), known, strict=True)
            for _ in range(2)
        ]
        if nearly_used_up:
            self.use_up("ann", level)
        for one in range(1, 4):
            for other in range(1, one):
                self.world.links.slow(one, other, brokers_ms)

    def use_up(self, name: str, level: int) -> None:
        """Write that an id has two epochs left."""
        shard = self.producers[0].payer.shard
        id = shard.node.next_producer_id()
        record = TransactionRecord(name, id, EPOCH_LAST - 2, 60_000, updated_ms=self.world.clock.now)
        shard.write([encode_record(record, level)], lambda error: error)
        self.world.settle()

    def overhear(self, message: Message) -> bool:
        if isinstance(message, self.keeping):
            self.kept.append((message, self.connection(message)))
            return False
        assert self.overheard is not None
        return self.overheard(message)

    def connection(self, message: Message) -> tuple[int, ...]:
        """What must not have changed for a message that was kept to arrive."""
        ends = (message.source, message.target)
        lives = tuple(self.world.nodes[end].incarnation for end in ends)
        return (*lives, self.world.links.breaks(*ends), self.world.links.breaks(*reversed(ends)))

    # -- producers ----------------------------------------------------------------------------------

    @rule(who=who, to=st.lists(all_topics, max_size=3), keep=st.booleans(), end=ends)
    def pay(self, who: int, to: list[Place], end: bool | None, *, keep: bool) -> None:
        """Write, keep an offset, and commit, abort or leave open."""
        producer = self.producers[who]
        if producer.attempt is None:
            producer.begin()
        for place in to:
            if place[0] in self.world.controller.image.topics:
                producer.send(place)
        if keep:
            producer.keep()
        if end is not None:
            producer.end(commit=end)

    @rule(who=who, to=places)
    def pay_at_once(self, who: int, to: Place) -> None:
        self.pay(who, [to], True, keep=False)

    @rule(who=who, end=ends)
    def insist(self, who: int, end: bool | None) -> None:
        """Send again what was not answered, then end it."""
        producer = self.producers[who]
        for place in list(producer.unsettled):
            producer.send(place)
        if end is not None:
            producer.end(commit=end)

    @rule(who=who, known=st.booleans())
    def begin(self, who: int, *, known: bool) -> None:
        """Somebody begins anew, and shuts its twin out; or claims to be who it was."""
        self.producers[who].begin(known=known)

    @rule(who=who, to=places, keep=st.booleans(), writes=st.booleans(), late=st.booleans(), end=ends)
    def take_over(
        self, who: int, to: Place, end: bool | None, *, keep: bool, writes: bool, late: bool
    ) -> None:
        """A twin takes over while a transaction is open, and the zombie, which does not know, commits."""
        zombie, heir = who, who ^ 1
        self.pay(zombie, [to], None, keep=keep)
        for _ in range(2):
            self.producers[heir].begin()
        self.pay(heir, [to], end if late else None, keep=keep)
        self.pay(zombie, [to] if writes else [], True, keep=False)
        self.pay(heir, [to], end, keep=False)

    @rule(place=places)
    def read(self, place: Place) -> None:
        for value in read_committed(self.sim, place):
            self.ledger.see(value)

    # -- words between brokers ------------------------------------------------------------------------

    @rule(words=st.sampled_from(WORDS), who=who, to=places, end=ends, lose=st.booleans())
    def keep_words(
        self, words: tuple[type[Message], ...], who: int, to: Place, end: bool | None, *, lose: bool
    ) -> None:
        """Keep such words on their roads while somebody pays."""
        self.keep_back(words)
        self.pay(who, [to], end, keep=False)
        if lose:
            self.lose(1)

    def keep_back(self, words: tuple[type[Message], ...]) -> None:
        # A marker that is late ends the next transaction of the first protocol, in Kafka too (KIP-890).
        if self.pure or words != (WriteTxnMarkers,):
            self.keeping = words

    @rule(words=st.sampled_from(WORDS), who=who, to=places, end=ends, lost=st.booleans())
    def words_come_late(
        self, words: tuple[type[Message], ...], who: int, to: Place, end: bool | None, *, lost: bool
    ) -> None:
        """They are said again, and come when the next transaction is open, or ends."""
        self.pay(who, [to], None, keep=False)
        self.keep_back(words)
        self.insist(who, True)
        self.advance(31_000)
        self.keeping = ()
        self.let_go(1)
        self.advance(31_000)
        self.pay(who, [to], None, keep=False)
        if lost:
            self.keep_back((WriteTxnMarkersResponse, WriteTxnMarkers) if self.pure else words)
            self.insist(who, end)
            self.keeping = ()
        self.let_go(len(self.kept))
        self.insist(who, end)

    @rule(count=st.integers(1, 3))
    def let_go(self, count: int) -> None:
        """Keep no more, and let the first of what was kept arrive."""
        self.keeping = ()
        going, self.kept = self.kept[:count], self.kept[count:]
        for message, connection in going:
            if self.connection(message) == connection:
                self.world.links.redeliver(message)
        self.world.settle()

    @rule(count=st.integers(1, 4))
    def lose(self, count: int) -> None:
        """Lose what is kept, and the next words."""
        self.keeping = ()
        going, self.kept = self.kept, []
        for message, _ in going:
            self.world.links.lose(message)
        self.world.settle()
        self.witness.losing = count

    @rule(one=brokers, other=brokers, delay_ms=st.sampled_from([0, 3, 40, 700]))
    def slow(self, one: int, other: int, delay_ms: int) -> None:
        if one != other:
            self.world.links.slow(one, other, delay_ms)

    # -- brokers ------------------------------------------------------------------------------------

    @rule(place=all_places, wish=st.none() | brokers, noticed_ms=st.sampled_from([0, 9_000]), who=who)
    def crash_or_restart(self, place: Place, wish: int | None, noticed_ms: int, who: int) -> None:
        """Some broker, or the one that leads a partition; and somebody does not let that stop it."""
        broker = self.sim.leader_id(*place) if wish is None else wish
        if self.world.nodes[broker].up:
            self.world.crash(broker, noticed_ms)
        else:
            self.world.restart(broker)
        self.insist(who, True)

    @rule()
    def restart_all(self) -> None:
        for id, node in self.world.nodes.items():
            if not node.up:
                self.world.restart(id)
            self.world.heal(id)
        self.isolated.clear()
        self.world.clock.advance(1_010)

    @rule(wish=brokers)
    def isolate_or_heal(self, wish: int) -> None:
        if wish in self.isolated:
            self.isolated.discard(wish)
            self.world.heal(wish)
        else:
            self.isolated.add(wish)
            self.world.isolate(wish)

    @rule(place=all_places, wish=brokers)
    def elect(self, place: Place, wish: int) -> None:
        try:
            self.world.controller.move_leader(*place, wish, unclean=False)
        except KafkaError as refused:
            if refused.code not in NO_ELECTION:
                raise
        self.world.settle()

    @rule(place=all_places, freeze=st.booleans(), who=who, to=places)
    def copy(self, place: Place, who: int, to: Place, *, freeze: bool) -> None:
        """Let followers stand still while somebody pays, or all of them copy again."""
        for id in self.world.nodes:
            if not freeze:
                self.let_copy(place, id)
            elif id != self.sim.leader_id(*place):
                self.world.nodes[id].replicas[place].frozen = True
        self.pay(who, [to], True, keep=False)

    def let_copy(self, place: Place, broker: int) -> None:
        replica = self.world.nodes[broker].replicas[place]
        replica.frozen = False
        if replica.following is not None:
            replica.following.fetch()
            self.world.settle()

    @rule(place=all_places)
    def elect_in_vain(self, place: Place) -> None:
        """Another leader, and the first one again."""
        before = self.sim.leader_id(*place)
        self.elect(place, before % len(self.world.nodes) + 1)
        self.elect(place, before)

    @rule()
    def make_or_delete(self) -> None:
        if FLEETING[0] in self.world.controller.image.topics:
            self.sim.delete(FLEETING[0])
        else:
            self.world.controller.create_topics([NewTopic(FLEETING[0], [[3, 1]], {})])
            self.world.settle()

    # -- time -------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 50, 1_010, 9_000, 31_000]))
    def advance(self, ms: int) -> None:
        self.world.clock.advance(ms)

    @rule(ms=st.sampled_from([25, PATIENCE_MS]))
    def wait(self, ms: int) -> None:
        self.world.patience.advance(ms)

    @invariant()
    def no_promise_is_broken(self) -> None:
        for producer in self.producers:
            producer.look()
        self.witness.check()
        for node in self.world.nodes.values():
            for replica in node.replicas.values():
                transactions.check_stable(replica)
            if self.pure:
                transactions.check_decisions(node.replicas.values(), self.decided)

    # -- the end ----------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "producers"):
            return
        self.repair()
        self.witness.check_repaired()
        self.no_promise_is_broken()
        transactions.check_at_rest(self.world)
        state = transactions.leader_of(self.world, INTERNAL[0])
        transactions.check_history(state)
        transactions.check_markers(self.world, [*PLACES, INTERNAL[1]], state)
        visible = {place: read_committed(self.sim, place) for place in PLACES}
        self.ledger.check(visible)
        for producer in self.producers[::2]:
            offset = committed_offset(self.sim, producer.payer)
            assert offset is not None
            self.ledger.check_offset(producer.payer.name, offset, visible)

    def repair(self) -> None:
        """Undo all that was done to the cluster, and let every timeout pass."""
        self.witness.losing, self.keeping = 0, ()
        self.let_go(len(self.kept))
        for one in self.world.nodes:
            for other in range(1, one):
                self.world.links.slow(one, other, 0)
        for id, node in self.world.nodes.items():
            if not node.up:
                self.world.restart(id)
            self.world.heal(id)
        self.advance(LONG_MS)
        for place in (*PLACES, *INTERNAL):
            for id in self.world.nodes:
                self.let_copy(place, id)
        self.wait(PATIENCE_MS)
        self.advance(LONG_MS)


TestTransactions = Transactions.TestCase
if not os.environ.get("MOCKBROKER_SOAK"):
    TestTransactions.settings = settings(max_examples=1_000, stateful_step_count=25)
