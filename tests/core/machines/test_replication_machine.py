"""Hypothesis against the replication: whatever it does to a cluster, no promise is broken.

The machine acts: it kills, cuts, freezes, elects, lets time pass, and has `Clients` produce and read meanwhile.
`Witness` judges after every step.  In the end everything is repaired, and then all copies are one and every
acknowledged record is there, unless an election was allowed to lose it.
"""

from __future__ import annotations

import os
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mockbroker.core.controller import NewTopic
from mockbroker.core.image import ConfigKind
from mockbroker.core.links import CONTROLLER
from mockbroker.core.world import World
from mockbroker.protocol.errors import ErrorCode, KafkaError
from tests.core.machines.replication import Place, Witness
from tests.core.machines.replication_clients import PATIENCE_MS, Clients
from tests.core.simulation import ALL, LEADER, NONE

TOPIC = "orders"
PLACES: list[Place] = [(TOPIC, 0), (TOPIC, 1)]
LAG_TIME_MS = 1_000
SESSION_MS = 9_000

# Longer than any wait in this machine: two sessions of brokers, slow roads included.
LONG_MS = 40_000

NO_ELECTION = (
    ErrorCode.ELECTION_NOT_NEEDED,
    ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
)

# Much happens at one place rather than little at two.
places = st.sampled_from([PLACES[0], *PLACES])
brokers = st.integers(1, 5)
noticed_in = st.sampled_from([0, 0, SESSION_MS])
offsets = st.integers(0, 12)
batches_to_send = st.tuples(places, st.sampled_from([ALL, ALL, LEADER, NONE]), st.integers(1, 2))


class Replication(RuleBasedStateMachine):
    """Everything that can happen to a replicated partition."""

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
        self.clients = Clients(self.world, self.witness)
        self.isolated: set[int] = set()
        assignments = [[1, 2, 3], [count, 1, 2][:copies]]
        self.world.controller.create_topics([NewTopic(TOPIC, assignments, self.configs(min_in_sync))])
        self.world.settle()
        for one in self.world.nodes:
            self.world.links.slow(one, CONTROLLER, controller_ms)
            for other in range(1, one):
                self.world.links.slow(one, other, brokers_ms)

    def configs(self, min_in_sync: int) -> dict[str, str]:
        unclean = "true" if self.witness.unclean_allowed else "false"
        return {"min.insync.replicas": str(min_in_sync), "unclean.leader.election.enable": unclean}

    def broker(self, wish: int) -> int:
        return (wish - 1) % len(self.world.nodes) + 1

    # -- clients ----------------------------------------------------------------------------------

    @rule(to_send=st.lists(batches_to_send, min_size=1, max_size=3))
    def produce(self, to_send: list[tuple[Place, int, int]]) -> None:
        for place, acks, count in to_send:
            batch = self.clients.new_batch(count)
            self.clients.produce(place, self.clients.leader(place), batch, acks)

    @rule(place=places, wish=brokers, acks=st.sampled_from([ALL, LEADER]))
    def produce_to_anyone(self, place: Place, wish: int, acks: int) -> None:
        """Clients are slow to learn who leads, and a deposed leader may not know either."""
        self.clients.produce(place, self.broker(wish), self.clients.new_batch(), acks)

    @rule(
        place=places,
        producer=st.integers(1, 2),
        lost=st.lists(st.booleans(), min_size=1, max_size=3),
        acks=st.sampled_from([ALL, ALL, ALL, LEADER]),
        anew=st.sampled_from([False, False, False, True]),
    )
    def produce_idempotently(
        self, place: Place, producer: int, lost: list[bool], acks: int, *, anew: bool
    ) -> None:
        stream = self.clients.stream(producer, place)
        if anew:
            stream.begin_anew()
        for lose in lost:
            self.clients.produce_next(stream, acks, lose=lose)

    @rule(place=places, wish=brokers, producer=st.none() | st.integers(1, 2), back=st.booleans())
    def produce_in_vain(self, place: Place, wish: int, producer: int | None, *, back: bool) -> None:
        """What nobody copied before the leader was deposed; `back`: it is elected again, having truncated."""
        leader = self.clients.leader(place)
        copies = [id for id, node in self.world.nodes.items() if id != leader and place in node.replicas]
        for id in copies:
            self.world.nodes[id].replicas[place].frozen = True
        if producer is None:
            self.produce([(place, ALL, 1), (place, LEADER, 1)])
        else:
            self.clients.produce_next(self.clients.stream(producer, place), ALL, lose=True)
        self.elect(place, wish)
        for id in copies:
            self.let_copy(place, id, 0)
        if back:
            self.elect(place, leader)

    @rule(
        place=places,
        wish=st.none() | brokers,
        offset=offsets,
        isolation=st.integers(0, 1),
        version=st.sampled_from([12, 10]),
    )
    def fetch(self, place: Place, wish: int | None, offset: int, isolation: int, version: int) -> None:
        broker = self.clients.leader(place) if wish is None else self.broker(wish)
        self.clients.read(place, broker, offset, isolation, version)

    @rule(place=places, wish=brokers, offset=offsets, isolation=st.integers(0, 1))
    def long_poll(self, place: Place, wish: int, offset: int, isolation: int) -> None:
        waits = {"max_wait_ms": PATIENCE_MS, "min_bytes": 10_000}
        self.clients.fetch(place, self.broker(wish), offset, isolation, **waits)

    @rule(place=places, wish=brokers, off=st.sampled_from([-1, 1]), epoch=st.integers(0, 6))
    def ask_about_epochs(self, place: Place, wish: int, off: int, epoch: int) -> None:
        self.clients.fetch_in_another_epoch(place, self.broker(wish), off)
        self.clients.ask_where_an_epoch_ended(place, epoch)

    @rule(place=places, offset=st.integers(-1, 8))
    def delete_records(self, place: Place, offset: int) -> None:
        self.clients.delete_records(place, offset)

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

    @rule(count=st.integers(1, 5))
    def lose_messages(self, count: int) -> None:
        """Let the next words between brokers get lost, whoever says them."""
        self.witness.losing = count

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
        """One in sync; or the preferred one; or, where nobody leads and that is allowed, anyone."""
        controller = self.world.controller
        try:
            if wish is not None:
                controller.move_leader(*place, self.broker(wish), unclean=False)
            elif self.witness.unclean_allowed:
                controller.elect_unclean(*place)
            else:
                controller.elect_preferred(*place)
        except KafkaError as refused:
            if refused.code not in NO_ELECTION:
                raise
        self.world.settle()

    @rule(min_in_sync=st.integers(1, 3))
    def configure(self, min_in_sync: int) -> None:
        self.world.controller.alter_configs(ConfigKind.TOPIC, TOPIC, self.configs(min_in_sync))
        self.world.settle()

    # -- time -------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 5, 50, LAG_TIME_MS + 10, SESSION_MS]))
    def advance(self, ms: int) -> None:
        self.world.clock.advance(ms)

    @rule(ms=st.sampled_from([1, PATIENCE_MS]))
    def wait(self, ms: int) -> None:
        self.world.patience.advance(ms)

    @invariant()
    def no_promise_is_broken(self) -> None:
        self.clients.look()
        self.witness.check()

    # -- the end ----------------------------------------------------------------------------------

    def teardown(self) -> None:
        if hasattr(self, "clients"):
            self.repair()
            self.witness.check_repaired()
            self.clients.check_answers()
            self.clients.check_acknowledged()

    def repair(self) -> None:
        """Undo all that was done to the cluster, and let it come to rest."""
        self.witness.losing = 0
        ids = list(self.world.nodes)
        for one in ids:
            for other in {CONTROLLER, *ids} - {one}:
                self.world.links.slow(one, other, 0)
        for id, node in self.world.nodes.items():
            if not node.up:
                self.world.restart(id)
            if node.paused:
                self.world.resume(id)
            self.world.heal(id)
        # With more in sync demanded than there are copies nothing would ever be seen.
        self.configure(1)
        self.advance(LONG_MS)
        for place in PLACES:
            for id in ids:
                self.let_copy(place, id, 0)
        self.advance(LONG_MS)
        self.wait(PATIENCE_MS)
        self.clients.look()


# The soak profile says itself how much; else enough that most known mistakes would be found many times over.
TestReplication = Replication.TestCase
if not os.environ.get("MOCKBROKER_SOAK"):
    TestReplication.settings = settings(max_examples=500, stateful_step_count=40)
