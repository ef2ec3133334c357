"""Whatever befalls a group of well-behaved clients, once it is left in peace it settles, and all is owned once."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mockbroker.core.outcomes import Refused
from mockbroker.core.ticket import Disconnect
from mockbroker.ghosts.member import GhostMember, Phase
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode, KafkaError
from tests.ghosts.haunted import REBALANCE_MS, SESSION_MS, Haunted, every, nth, owned
from tests.server.wire import Meddling

GHOSTS_MAX = 6
GROUP_APIS = [Api.FIND_COORDINATOR, Api.JOIN_GROUP, Api.SYNC_GROUP, Api.HEARTBEAT, Api.METADATA]
PASSING = [
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.ILLEGAL_GENERATION,
]


class GhostMachine(RuleBasedStateMachine):
    """Three brokers, up to six ghosts in one group, and every kind of trouble that passes."""

    @initialize(assignor=st.sampled_from([None, "range", "roundrobin", "sticky", "cooperative-sticky"]))
    def begin(self, assignor: str | None) -> None:
        self.faults = Meddling()
        self.house = Haunted(faults=self.faults)
        self.assignor = assignor
        self.ghosts: list[GhostMember] = []
        self.partitions = 6
        self.joined = 0
        self.join()

    @precondition(lambda self: len(self.ghosts) < GHOSTS_MAX)
    @rule(static=st.booleans())
    def join(self, static: bool = False) -> None:
        self.joined += 1
        instance = f"i-{self.joined}" if static else None
        self.ghosts.append(self.house.join(assignor=self.assignor, instance=instance))

    @precondition(lambda self: len(self.ghosts) > 1)
    @rule(which=st.integers(0, GHOSTS_MAX))
    def leave(self, which: int) -> None:
        ghost = self.ghosts.pop(which % len(self.ghosts))
        self.house.act(ghost.leave)

    @rule(which=st.integers(0, GHOSTS_MAX))
    def silence(self, which: int) -> None:
        self.house.act(self.ghosts[which % len(self.ghosts)].be_silent)

    @rule(which=st.integers(0, GHOSTS_MAX))
    def speak(self, which: int) -> None:
        ghost = self.ghosts[which % len(self.ghosts)]
        if ghost.silent:
            self.house.act(ghost.speak)

    @rule(broker=st.sampled_from([1, 2, 3]))
    def crash(self, broker: int) -> None:
        nodes = self.house.world.nodes
        if nodes[broker].up and sum(node.up for node in nodes.values()) > 1:
            self.house.act(lambda: self.house.world.crash(broker))

    @rule(broker=st.sampled_from([1, 2, 3]))
    def restart(self, broker: int) -> None:
        if not self.house.world.nodes[broker].up:
            self.house.act(lambda: self.house.world.restart(broker))

    @rule(broker=st.sampled_from([1, 2, 3]))
    def pause(self, broker: int) -> None:
        node = self.house.world.nodes[broker]
        if node.up and not node.paused:
            self.house.act(lambda: self.house.world.pause(broker))

    @rule(broker=st.sampled_from([1, 2, 3]))
    def resume(self, broker: int) -> None:
        if self.house.world.nodes[broker].paused:
            self.house.act(lambda: self.house.world.resume(broker))

    @rule(api=st.sampled_from(GROUP_APIS), code=st.sampled_from(PASSING), which=st.integers(1, 3))
    def refuse_one(self, api: Api, code: ErrorCode, which: int) -> None:
        self.faults._before = nth(api, (which,), Refused(KafkaError(code)))  # noqa: SLF001 - our own tool

    @rule(api=st.sampled_from(GROUP_APIS), which=st.integers(1, 3))
    def cut_one(self, api: Api, which: int) -> None:
        self.faults._before = nth(api, (which,), Disconnect("a fault"))  # noqa: SLF001 - our own tool

    @rule(ms=st.sampled_from([100, 5_000, SESSION_MS // 2, SESSION_MS]))
    def advance(self, ms: int) -> None:
        self.house.world.clock.advance(ms)
        self.house.world.patience.advance(ms)

    @precondition(lambda self: self.partitions < 9)
    @rule()
    def add_partition(self) -> None:
        self.partitions += 1
        self.house.act(lambda: self.house.world.controller.add_partitions("orders", [[1, 2, 3]]))

    @invariant()
    def nobody_gives_up(self) -> None:
        for ghost in getattr(self, "ghosts", ()):
            assert ghost.failure is None
            assert ghost.phase is not Phase.GONE

    @invariant()
    def what_two_own_they_do_not_own_in_one_generation(self) -> None:
        owners: dict[tuple[int, object], str] = {}
        for ghost in getattr(self, "ghosts", ()):
            for place in ghost.places():
                key = (ghost.generation, place)
                assert owners.setdefault(key, ghost.client_id) == ghost.client_id

    def teardown(self) -> None:
        if not hasattr(self, "ghosts"):
            return
        self.faults.armed = False
        for broker, node in self.house.world.nodes.items():
            self.restart(broker)
            if node.paused:
                self.resume(broker)
        for ghost in self.ghosts:
            if ghost.silent:
                self.house.act(ghost.speak)
        for _ in range(6):  # sessions of what ghosts were before, and whatever they wait for
            self.advance(REBALANCE_MS)
        group = self.house.group()
        assert group.state == "Stable"
        assert {member.id for member in group.members} == {ghost.id for ghost in self.ghosts}
        assert {ghost.generation for ghost in self.ghosts} == {group.generation}
        assert owned(self.ghosts) == every(count=self.partitions)


TestGhosts = GhostMachine.TestCase
TestGhosts.settings = settings(max_examples=max(60, settings().max_examples))
