"""Any rules beside a group of well-behaved members: who owns what and what is committed stay as they must be.

The members are ghosts, which do what clients do about errors, and their calls meet the rules like anybody's.
I5: in one generation nobody owns what another owns.  I6: a commit of a generation that is over is refused.
I7: what a group has committed is what was accepted last.  In the end all rules are gone, and the group settles.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mockbroker.checkers.case import Case, gather
from mockbroker.checkers.invariants import breaches
from mockbroker.core.usage import UsageError
from mockbroker.faults.book import FaultBook
from mockbroker.faults.gate import Gate
from mockbroker.ghosts.member import GhostMember, Phase
from mockbroker.ghosts.reading import Reader
from mockbroker.handlers import HANDLERS
from mockbroker.handles.faults import Faults
from mockbroker.ledger.book import Ledger
from tests.faults.meddling import SimulatedDoor
from tests.ghosts.haunted import GROUP, REBALANCE_MS, Haunted, every, owned

APIS = ["FindCoordinator", "JoinGroup", "SyncGroup", "Heartbeat", "OffsetCommit", "Metadata", "*"]
PASSING = [
    "NOT_COORDINATOR",
    "COORDINATOR_NOT_AVAILABLE",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "REBALANCE_IN_PROGRESS",
    "UNKNOWN_MEMBER_ID",
    "ILLEGAL_GENERATION",
]
GHOSTS_MAX = 5


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    api = draw(st.sampled_from(APIS))
    table: dict[str, Any] = {draw(st.sampled_from(["on", "after"])): api}
    whose = [{}, {}, {"client_id": "ghost-1"}, {"broker": 2}]
    table |= draw(st.sampled_from(whose if api in ("Metadata", "*") else [*whose, {"group": GROUP}]))
    table |= draw(st.sampled_from([{}, {"nth": 2}, {"every": 2}, {"times": 1}, {"probability": 0.5}]))
    table["do"] = draw(st.sampled_from(["fail", "disconnect", "drop", "delay", "hold"]))
    if table["do"] == "fail":
        table["error"] = draw(st.sampled_from(PASSING))
        table["optional"] = True
    if table["do"] == "delay":
        table["duration"] = draw(st.sampled_from(["30ms", "6s"]))
    return table


between = st.builds(
    lambda message, action: {"between": message} | action,
    st.sampled_from(["FollowerFetch", "FollowerFetchResponse", "MetadataUpdate", "AlterPartition"]),
    st.sampled_from([{"do": "drop", "times": 3}, {"do": "delay", "duration": "200ms"}, {"do": "hold"}]),
)
which = st.integers(0, GHOSTS_MAX - 1)
brokers = st.sampled_from([1, 2, 3])
steps = st.one_of(
    st.tuples(st.just("arm"), rules()),
    st.tuples(st.just("arm"), between),
    st.tuples(st.just("remove"), which),
    st.tuples(st.just("release"), which),
    st.tuples(st.just("join"), st.booleans()),
    st.tuples(st.just("leave"), which),
    st.tuples(st.just("silence"), which),
    st.tuples(st.just("speak"), which),
    st.tuples(st.just("commit"), which, st.sampled_from([0, 0, 0, 1])),
    st.tuples(st.just("commit"), which, st.sampled_from([0, 0, 0, 1])),
    st.tuples(st.just("clock"), st.sampled_from([100, 5_000, 45_000])),
    st.tuples(st.just("patience"), st.sampled_from([30, 5_000, 30_000])),
    st.tuples(st.just("crash"), brokers),
    st.tuples(st.just("restart"), brokers),
)


class Story:
    """Three brokers, up to five ghosts in one group, and rules."""

    def __init__(self, assignor: str | None) -> None:
        self.house = Haunted()
        world = self.world = self.house.world
        self.book = FaultBook(world, HANDLERS)
        self.house.ghosts._faults = self.book  # noqa: SLF001 - the house was built for another hook
        self.faults = Faults(SimulatedDoor(world), self.book)
        world.witness = self.ledger = Ledger(world)
        self.assignor = assignor
        self.ghosts: list[GhostMember] = []
        self.offsets = itertools.count(1)
        self.instances = itertools.count(1)
        self.take(("join", False))

    def take(self, step: tuple[Any, ...]) -> None:
        world = self.world
        match step:
            case ("arm", table):
                self.faults.load([table])
            case ("remove", number) if len(self.book):
                self.book.remove(list(self.book)[number % len(self.book)])
            case ("release", number):
                if gates := [fault for fault in self.book if isinstance(fault, Gate)]:
                    gates[number % len(gates)].release(None)
            case ("join", static) if len(self.ghosts) < GHOSTS_MAX:
                instance = f"i-{next(self.instances)}" if static else None
                self.ghosts.append(self.house.join(assignor=self.assignor, instance=instance))
            case ("clock", ms):
                world.clock.advance(ms)
            case ("patience", ms):
                world.patience.advance(ms)
            case ("crash", broker):
                if world.nodes[broker].up and sum(node.up for node in world.nodes.values()) > 1:
                    world.crash(broker)
            case ("restart", broker) if not world.nodes[broker].up:
                world.restart(broker)
            case (act, number, *more) if self.ghosts:
                self._tell(self.ghosts[number % len(self.ghosts)], act, *more)
        world.settle()

    def _tell(self, ghost: GhostMember, act: str, past: int = 0) -> None:
        if act == "leave" and len(self.ghosts) > 1:
            self.ghosts.remove(ghost)
            ghost.leave()
        elif act == "silence":
            ghost.be_silent()
        elif act == "speak" and ghost.silent:
            ghost.speak()
        elif act == "commit" and ghost.id and ghost.generation > 0:
            offset = next(self.offsets)
            with suppress(UsageError):  # no coordinator is to be found now
                Reader(ghost).commit(dict.fromkeys(every(), offset), ghost.generation - past, None)

    def check(self) -> None:
        """What must be so at any time."""
        case = gather(self.world, self.ledger)
        assert breaches(self.world, case) == []
        self._each_owned_once()
        _no_stale_commit(case)

    def _each_owned_once(self) -> None:
        owners: dict[tuple[int, object], str] = {}
        for ghost in self.ghosts:
            for place in ghost.places():
                assert owners.setdefault((ghost.generation, place), ghost.client_id) == ghost.client_id

    def end(self) -> None:
        """Everything is let go, and time enough passes."""
        self.faults.clear()
        for broker in self.world.nodes:
            self.take(("restart", broker))
        for number in range(len(self.ghosts)):
            self.take(("speak", number))
        for _ in range(6):
            self.take(("clock", REBALANCE_MS))
            self.take(("patience", REBALANCE_MS))

    def settled(self) -> None:
        """The group is at rest, everything is owned once, and what was accepted last is what is committed."""
        group = self.house.group()
        assert all(ghost.failure is None and ghost.phase is not Phase.GONE for ghost in self.ghosts)
        assert group.state == "Stable"
        assert {member.id for member in group.members} == {ghost.id for ghost in self.ghosts}
        assert owned(self.ghosts) == every()
        accepted = {one.place: one.offset for one in self.ledger.committed if not one.error}
        assert {place: kept.offset for place, kept in group.committed.items()} == accepted


def _no_stale_commit(case: Case) -> None:
    """A commit that was kept is of the newest generation that had begun to work by then, or of none that has yet.

    When all members have gone nobody works: a commit may still be on its way to the followers then, and is kept.
    """
    for commit in case.committed:
        generations = case.generations.get(GROUP, ())
        begun = [one.generation for one in generations if one.members and one.at_us < commit.at_us]
        if not commit.error and begun:
            assert commit.generation >= begun[-1], f"{commit!r} was kept although {begun[-1]} had begun"


@settings(max_examples=max(60, settings().max_examples // 2))
@given(
    st.sampled_from([None, "range", "roundrobin", "sticky", "cooperative-sticky"]),
    st.lists(steps, min_size=15, max_size=60),
)
def test_whatever_is_armed_a_group_is_owned_once_and_its_commits_are_of_their_generation(
    assignor: str | None, story: list[tuple[Any, ...]]
) -> None:
    told = Story(assignor)
    for step in story:
        told.take(step)
        told.check()
    told.end()
    told.check()
    told.settled()
