"""The history: what happened in order, bounded, and readable."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.conversation import Conversation
from mockbroker.core.call import Call, Peer
from mockbroker.core.clock import Clock
from mockbroker.core.event import PACKED_BYTES, Begun, Event
from mockbroker.core.history import STRUCT_BYTES, History
from mockbroker.protocol.messages.groups import HeartbeatRequest, JoinGroupProtocol, JoinGroupRequest
from mockbroker.protocol.messages.metadata import (
    ApiVersionsRequest,
    FindCoordinatorRequest,
    MetadataRequest,
    MetadataTopic,
)
from tests.core.simulation import Asked, Simulation
from tests.server.wire import answer_in, fetch, framed, produce


def test_requests_and_acts_are_told_in_their_order(sim: Simulation) -> None:
    sim.world.history.events.clear()
    sim.produce(b"v")
    sim.world.crash(2)
    sim.advance(5)
    sim.fetch()
    lines = sim.world.history.dump().splitlines()
    start = sim.world.clock.now - 5
    assert lines[0].startswith(f"{start} broker 1 connection 1 app: Produce v12 #")
    assert lines[1] == f"{start} broker 2: crash"
    assert lines[2].startswith(f"{start + 5} broker 1 connection 1 app: Fetch v12 #")


def test_outcomes_are_kept_for_those_who_want_them(sim: Simulation) -> None:
    sim.produce(b"v")
    assert "log_start_offset=0" in sim.world.history.events[-1].outcome
    sim.world.history.outcomes = False
    sim.produce(b"v")
    assert sim.world.history.events[-1].outcome == "ProduceResponse"


def test_a_wait_is_told_when_it_is_over(sim: Simulation) -> None:
    asked = sim.fetch(0, max_wait_ms=500)
    before = len(sim.world.history.events)
    sim.wait(500)
    assert asked.answered
    assert len(sim.world.history.events) == before + 1


def test_a_long_run_forgets_its_beginning_and_says_so() -> None:
    history = History(Clock(0), limit=3)
    for n in range(5):
        history.note(1, f"act {n}")
    assert [event.act for event in history.events] == ["act 2", "act 3", "act 4"]
    assert history.dropped == 2


def test_what_events_hold_on_to_is_bounded_as_well(sim: Simulation) -> None:
    history = sim.world.history
    sim.produce(b"x" * 50_000)
    history.bytes_max = 500_000
    history.forget()
    for _ in range(30):
        sim.fetch()
    assert history.held_bytes <= 500_000
    assert history.held_bytes == sum(event.weight for event in history.events)
    assert 5 <= len(history.events) <= 10
    assert history.dropped == 30 - len(history.events)


def test_a_long_request_and_a_long_list_weigh_more_than_short_ones(sim: Simulation) -> None:
    def weight(asked: Asked) -> int:
        assert asked.answered
        return sim.world.history.events[-1].weight

    sim.topic("many", [[1, 2, 3]] * 100)
    one = weight(sim.ask(MetadataRequest(topics=[MetadataTopic(name="orders")]), to=1))
    many = weight(sim.ask(MetadataRequest(topics=[MetadataTopic(name="many")]), to=1))
    assert many >= one + 99 * STRUCT_BYTES


def test_a_request_is_known_while_it_waits_and_forgotten_with_its_connection(sim: Simulation) -> None:
    asked = sim.fetch(0, max_wait_ms=500)
    history = sim.world.history
    (begun,) = history.open.values()
    assert (begun.call.api.title, begun.broker) == ("Fetch", 1)
    sim.wait(500)
    assert asked.answered
    assert not history.open
    sim.fetch(0, max_wait_ms=500)
    history.closed(1, begun.call.peer, "app", "gone")
    assert not history.open
    assert history.events[-1].act == "gone before Fetch was answered"


def test_requests_that_are_never_answered_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockbroker.core.history.OPEN_MAX", 3)
    sim = Simulation()
    sim.topic()
    for _ in range(5):
        sim.fetch(0, max_wait_ms=500)
    assert len(sim.world.history.open) == 3


def test_only_what_is_newer_is_given(sim: Simulation) -> None:
    history = sim.world.history
    mark = history.remark("now").number
    sim.produce(b"v")
    assert [event.api for event in history.since(mark)] == ["Produce"]
    assert history.since(history.last) == []


def test_how_a_group_stands_is_kept_with_what_its_members_are_told(sim: Simulation) -> None:
    answer = sim.ask(FindCoordinatorRequest(coordinator_keys=["billing"]), to=1).response
    join = JoinGroupRequest(
        group_id="billing",
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
        protocol_type="consumer",
        protocols=[JoinGroupProtocol(name="range")],
    )
    sim.ask(join, to=answer.coordinators[0].node_id, version=3)
    assert sim.world.history.events[-1].standing == "CompletingRebalance, 1 member"
    sim.produce(b"v")
    assert sim.world.history.events[-1].standing == ""


def test_listeners_are_told_of_everything_even_where_nothing_is_kept(sim: Simulation) -> None:
    told: list[str] = []

    class Ear:
        def asked(self, begun: Begun) -> None:
            told.append(f"asked {begun.call.api.title}")

        def happened(self, event: Event) -> None:
            told.append(f"{event.kind} {event.api or event.act}")

    sim.world.history.forget()
    sim.world.history.keeps = False
    sim.world.history.listeners.append(Ear())
    sim.produce(b"v")
    sim.world.crash(2)
    assert told == ["asked Produce", "request Produce", "act crash"]
    assert not sim.world.history.events


# -- as bytes -----------------------------------------------------------------------------------------


def exchanged(sim: Simulation, request: Any, version: int) -> tuple[Event, bytes]:
    """A request that came as bytes, and its answer that left as bytes."""
    talk = Conversation(sim.world.nodes[sim.partition().leader], Peer(ordinal=1))
    (call,) = talk.feed(framed(request, version, client_id="app"))
    assert isinstance(call, Call)
    response = talk.exchange(call)
    sent = b"".join(talk.seal(call, response))
    return sim.world.history.events[-1], sent


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (ApiVersionsRequest(client_software_name="test"), 3),
        (produce("orders", b"v"), 9),
        (produce("orders", b"v"), 3),
        (fetch("orders", max_wait_ms=0), 12),
        (fetch("orders", max_wait_ms=0), 4),
        (MetadataRequest(topics=None), 1),
        (HeartbeatRequest(group_id="billing"), 4),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else f"v{value}",
)
def test_what_has_left_is_kept_as_bytes_and_opened_as_it_was_said(
    sim: Simulation, request_: Any, version: int
) -> None:
    for _ in range(3):
        sim.produce(b"v")  # three batches, which a fetch gives as parts of their own
    event, sent = exchanged(sim, request_, version)
    assert event.call is None
    assert event.response is None
    opened = event.opened()
    assert opened.call is not None
    assert framed(opened.call.body, version, client_id="app") == framed(request_, version, client_id="app")
    assert answer_in(request_, version, sent[4:])[1] == opened.response
    assert (opened.number, opened.api, opened.client_id) == (event.number, event.api, "app")
    assert opened.line() == event.line()
    assert event.weight == PACKED_BYTES + len(framed(request_, version, client_id="app")) - 4 + len(sent)


def test_an_api_versions_of_the_future_is_kept_with_the_answer_that_any_client_can_read(
    sim: Simulation,
) -> None:
    request = bytearray(framed(ApiVersionsRequest(), 3))
    request[6:8] = (99).to_bytes(2, "big")
    talk = Conversation(sim.world.nodes[1], Peer(ordinal=1))
    (call,) = talk.feed(bytes(request))
    assert isinstance(call, Call)
    talk.seal(call, talk.exchange(call))
    assert sim.world.history.events[-1].opened().response.error_code == 35


def test_the_sum_of_what_is_held_stays_right_when_messages_become_bytes(sim: Simulation) -> None:
    history = sim.world.history
    for _ in range(20):
        exchanged(sim, produce("orders", b"x" * 1_000), 9)
    assert history.held_bytes == sum(event.weight for event in history.events)
    forgotten = history.events[0]
    history.forget()
    history.sealed(forgotten, 9, [b"late"])
    assert history.held_bytes == 0
