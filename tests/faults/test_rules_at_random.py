"""Any rules beside any clients: each call is answered once and in its order, or closed, or a rule says why not.

This is I8 of what a broker promises, and it holds whatever is armed; so does what the ledger's checkers look at: logs,
high watermarks, acknowledged records, sequences.  Clients talk as connections do, one call after the other; what a rule
may leave unanswered is what it has touched.
"""

from __future__ import annotations

import struct
from collections import deque
from functools import partial
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mockbroker.checkers.case import gather
from mockbroker.checkers.invariants import breaches
from mockbroker.conversation import Conversation
from mockbroker.core.call import Call, Peer
from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.faults.gate import Gate
from mockbroker.faults.rule import Kind
from mockbroker.handlers import HANDLERS
from mockbroker.ledger.book import Ledger
from mockbroker.protocol.apis import Api
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.groups import HeartbeatRequest
from mockbroker.protocol.messages.offsets import OffsetCommitPartition, OffsetCommitRequest, OffsetCommitTopic
from mockbroker.protocol.schema import schema_of
from tests.faults.meddling import Meddled
from tests.server.wire import VERSIONS, answer_in, framed, metadata, produce

APIS = ["Produce", "Fetch", "Metadata", "Heartbeat", "OffsetCommit", "ApiVersions", "*"]


def requests() -> list[Any]:
    """What clients ask, in the order of APIS."""
    parts = [FetchPartition(partition=index, partition_max_bytes=1 << 20) for index in (0, 1)]
    topics = [OffsetCommitTopic(name="orders", partitions=[OffsetCommitPartition(partition_index=0)])]
    return [
        produce("orders", b"x"),
        FetchRequest(max_wait_ms=50, min_bytes=1, topics=[FetchTopic(topic="orders", partitions=parts)]),
        metadata("orders", "nothing"),
        HeartbeatRequest(group_id="g", generation_id=1, member_id="m"),
        OffsetCommitRequest(group_id="g", topics=topics),
        VERSIONS,
        produce("orders", b"y", acks=0, partition=1),
    ]


# Looking at everything takes longer than a step.
CHECKED_EVERY = 10
REQUESTS = requests()
VERSION = {Api.PRODUCE: 9, Api.FETCH: 12, Api.OFFSET_COMMIT: 8}


class Line:
    """A client on one connection: requests wait their turn, and what came back is kept."""

    def __init__(self, sim: Meddled, broker: int, number: int) -> None:
        self._sim = sim
        self._talk = Conversation(sim.world.nodes[broker], Peer(ordinal=number), sim.book)
        self._waiting: deque[tuple[Call[Any], Any, int]] = deque()
        self._busy = False
        self._sent = 0
        self.calls: list[Call[Any]] = []
        self.outcomes: dict[int, Any] = {}
        self.ended: str | None = None

    def send(self, request: Any) -> None:
        if self.ended is not None or not self._talk.alive:
            return
        api = Api(schema_of(type(request)).api_key)
        version = VERSION.get(api, HANDLERS[api].max_version)
        self._sent += 1
        (call,) = self._talk.feed(framed(request, version, correlation_id=self._sent))
        assert isinstance(call, Call)
        self.calls.append(call)
        self._waiting.append((call, request, version))
        self._next()

    def _next(self) -> None:
        while self._waiting and not self._busy and self.ended is None:
            call, request, version = self._waiting.popleft()
            self._busy = True
            reply = self._talk.exchange(call)
            if isinstance(reply, Ticket):
                reply.when_done(partial(self._arrived, call, request, version))
            else:
                self._take(call, request, version, reply)

    def _arrived(self, call: Call[Any], request: Any, version: int, outcome: Any) -> None:
        self._take(call, request, version, outcome)
        self._next()

    def _take(self, call: Call[Any], request: Any, version: int, outcome: Any) -> None:
        assert call.correlation_id not in self.outcomes, f"{call!r} is answered twice"
        assert call.correlation_id == len(self.outcomes) + 1, f"{call!r} is answered out of order"
        self.outcomes[call.correlation_id] = outcome
        self._busy = False
        if isinstance(outcome, Disconnect):
            self.ended = outcome.reason
        elif outcome is None:
            assert call.api is Api.PRODUCE
            assert call.body.acks == 0
        else:
            self._read(call, request, version, outcome)
            self.ended = outcome.ends if isinstance(outcome, Altered) else None

    def _read(self, call: Call[Any], request: Any, version: int, outcome: Any) -> None:
        """The bytes are a whole frame with the right id, unless a rule has damaged them."""
        frame = b"".join(self._talk.seal(call, outcome))
        if isinstance(outcome, Altered) and outcome.ends is not None:
            return
        size, correlation_id = struct.unpack_from(">ii", frame)
        assert (size, correlation_id) == (len(frame) - 4, call.correlation_id)
        if not isinstance(outcome, Altered) or outcome.damage is None:
            _, response = answer_in(request, version, frame[4:])
            assert isinstance(response, call.api.response)

    @property
    def alive(self) -> bool:
        return self.ended is None and self._talk.alive


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    place = draw(st.sampled_from(["on", "after"]))
    table: dict[str, Any] = {place: draw(st.sampled_from([*APIS, "*", "*", "Produce"]))}
    if table[place] in ("Produce", "Fetch", "Metadata"):
        table |= draw(
            st.sampled_from([{}, {"topic": "orders"}, {"partition": 0}, {"topic": "orders", "partition": 1}])
        )
    if table[place] == "Heartbeat":
        table |= draw(st.sampled_from([{}, {"group": "g"}, {"group": "h"}]))
    table |= draw(st.sampled_from([{}, {}, {"broker": 3}, {"client_id": "test"}]))
    counters = [{}, {}, {}, {"nth": 2}, {"every": 2}, {"times": 1}, {"probability": 0.5}]
    table |= draw(st.sampled_from(counters))
    kinds = ["fail", "disconnect", "drop", "delay", "throttle", "hold"] + ["corrupt", "truncate"] * (
        place == "after"
    )
    table["do"] = draw(st.sampled_from(kinds))
    needs = {
        "fail": {"error": "NOT_LEADER_OR_FOLLOWER"},
        "delay": {"duration": "30ms"},
        "throttle": {"duration": "10ms"},
    }
    return table | needs.get(
        table["do"], {"bytes": draw(st.integers(0, 40))} if table["do"] == "truncate" else {}
    )


between = st.builds(
    lambda message, action: {"between": message} | action,
    st.sampled_from(["FollowerFetch", "FollowerFetchResponse", "MetadataUpdate", "AlterPartition"]),
    st.sampled_from(
        [
            {"do": "drop", "times": 3},
            {"do": "delay", "duration": "200ms"},
            {"do": "hold"},
            {"do": "drop", "every": 3},
        ]
    ),
)
sends = st.tuples(st.just("send"), st.integers(0, 5), st.sampled_from(range(len(REQUESTS))))
steps = st.one_of(
    sends,
    sends,
    sends,
    st.tuples(st.just("arm"), rules()),
    st.tuples(st.just("arm"), between),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("release"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("patience"), st.sampled_from([1, 30, 5_000])),
    st.tuples(st.just("clock"), st.sampled_from([1, 100, 12_000])),
    st.tuples(
        st.just("trouble"), st.sampled_from(["crash", "restart", "pause", "resume"]), st.sampled_from([1, 2])
    ),
)
# Some rules first, and enough of everything that they are met: short stories are found by shrinking.
stories = st.tuples(
    st.lists(st.tuples(st.just("arm"), rules()), min_size=1, max_size=4),
    st.lists(steps, min_size=20, max_size=80),
).map(lambda parts: [*parts[0], *parts[1]])


class Story:
    """A cluster, its clients, and what happens to both."""

    def __init__(self, seed: int) -> None:
        self.sim = Meddled(seed=seed)
        self.sim.topic("orders", ((1, 2), (2, 3)))
        self.sim.coordinator("g")
        self.lines = [Line(self.sim, 1 + number % 3, number) for number in range(6)]
        self.ledger = Ledger(self.sim.world)
        self.sim.world.witness = self.ledger

    def take(self, step: tuple[Any, ...]) -> None:
        sim = self.sim
        match step:
            case ("send", line, which):
                self._connected(line).send(REQUESTS[which])
            case ("arm", table):
                sim.faults.load([table])
            case ("remove", which) if len(sim.book):
                sim.book.remove(list(sim.book)[which % len(sim.book)])
            case ("release", which, one):
                if gates := [fault for fault in sim.book if isinstance(fault, Gate)]:
                    held = gates[which % len(gates)].held()
                    gates[which % len(gates)].release([h.number for h in held[:1]] if one else None)
            case ("patience", ms):
                sim.wait(ms)
            case ("clock", ms):
                sim.advance(ms)
            case ("trouble", act, broker):
                self._trouble(act, broker)
        sim.world.settle()

    def check(self) -> None:
        """What must be so in the brokers, whatever befell them."""
        assert breaches(self.sim.world, gather(self.sim.world, self.ledger)) == []

    def _connected(self, number: int) -> Line:
        """A client whose connection is over makes another one, if its broker runs."""
        line = self.lines[number]
        if not line.alive and self.sim.world.nodes[1 + number % 3].up:
            self.lines.append(line)
            self.lines[number] = line = Line(self.sim, 1 + number % 3, len(self.lines))
        return line

    def _trouble(self, act: str, broker: int) -> None:
        node = self.sim.world.nodes[broker]
        fits = {
            "crash": node.up,
            "restart": not node.up,
            "pause": node.up and not node.paused,
            "resume": node.paused,
        }
        if fits[act]:
            getattr(self.sim.world, act)(broker)

    def end(self) -> None:
        """All rules go, all brokers run, and time enough passes for everything that can still be answered."""
        self.sim.faults.clear()
        for broker in (1, 2):
            for act in ("resume", "restart"):
                self._trouble(act, broker)
        for _ in range(3):
            self.sim.advance(60_000)
            self.sim.wait(60_000)


@settings(max_examples=max(100, settings().max_examples // 2))
@given(st.integers(0, 2**32 - 1), stories)
def test_every_call_is_answered_once_in_order_or_closed_or_explained(
    seed: int, story: list[tuple[Any, ...]]
) -> None:
    told = Story(seed)
    kinds: dict[str, Kind] = {}
    for number, step in enumerate(story):
        told.take(step)
        kinds |= {fault.name: fault.rule.action.kind for fault in told.sim.book}
        if number % CHECKED_EVERY == 0:
            told.check()
    told.end()
    told.check()
    for line in told.lines:
        unanswered = [call for call in line.calls if call.correlation_id not in line.outcomes]
        if unanswered and line.alive:
            # The first one is what a rule keeps silent about, and the others wait behind it.
            assert any(kinds[name] is Kind.DROP for name in unanswered[0].touched), (
                f"{unanswered[0]!r} is forgotten"
            )
        for call in line.calls:
            outcome = line.outcomes.get(call.correlation_id)
            if isinstance(outcome, Altered):
                assert call.touched
            if isinstance(outcome, Disconnect) and outcome.reset:
                assert any(kinds[name] is Kind.DISCONNECT for name in call.touched)


@given(st.integers(0, 2**32 - 1))
def test_a_rule_has_acted_as_often_as_calls_say(seed: int) -> None:
    sim, chance = Meddled(seed=seed), Random(seed)
    sim.topic("orders", ((1, 2), (2, 3)))
    denied = {"probability": 0.3, "do": "fail", "error": "NOT_LEADER_OR_FOLLOWER"}
    armed = sim.faults.load([{"on": "Produce"} | denied, {"after": "*"} | denied])
    for _ in range(20):
        sim.produce(b"x", index=chance.randrange(2))
    touched = [event.call.touched for event in sim.world.history.events if event.call is not None]
    assert sum(map(len, touched)) == sum(fault.hits for fault in armed)


def test_the_same_seed_and_the_same_story_have_the_same_ending() -> None:
    def run() -> str:
        story = Story(7)
        chance = Random(7)
        story.take(("arm", {"on": "*", "probability": 0.3, "do": "delay", "duration": "30ms"}))
        story.take(("arm", {"after": "*", "probability": 0.3, "do": "corrupt"}))
        for _ in range(60):
            story.take(("send", chance.randrange(6), chance.randrange(len(REQUESTS))))
            story.take(("patience", 10))
        story.end()
        return story.sim.world.history.dump()

    assert run() == run()
