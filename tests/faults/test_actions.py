"""What each action does to a call, before the handler and after it."""

from __future__ import annotations

import pytest

from mockbroker.conversation import Conversation
from mockbroker.core.call import Peer
from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import HeartbeatRequest
from mockbroker.protocol.messages.metadata import ApiVersionsRequest
from tests.core.simulation import NONE
from tests.faults.meddling import Meddled
from tests.server.wire import answer_in, framed, produce


def stored(sim: Meddled) -> list[bytes | None]:
    return sim.log(sim.partition().leader)


# -- fail -----------------------------------------------------------------------------------------


def test_a_failed_call_has_no_effect(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", topic="orders").fail("NOT_ENOUGH_REPLICAS")
    assert sim.produce(b"x").only.error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert stored(sim) == []
    assert fault.hits == 1


def test_an_answer_may_deny_the_effect(sim: Meddled) -> None:
    sim.faults.after(Api.PRODUCE).fail(ErrorCode.REQUEST_TIMED_OUT)
    assert sim.produce(b"x").only.error_code == ErrorCode.REQUEST_TIMED_OUT
    assert stored(sim) == [b"x"]


def test_what_was_failed_is_not_met_again_after_the_handler_that_it_never_reached(sim: Meddled) -> None:
    sim.faults.on("Produce", nth=1).fail("NOT_ENOUGH_REPLICAS")
    after = sim.faults.after("Produce").fail("REQUEST_TIMED_OUT")
    codes = [sim.produce(b"x").only.error_code for _ in range(2)]
    assert codes == [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.REQUEST_TIMED_OUT]
    assert after.hits == 1


def test_an_error_is_told_in_the_shape_of_its_api(sim: Meddled) -> None:
    sim.faults.on("*", group="g").fail("NOT_COORDINATOR")
    assert sim.join("g").response.error_code == ErrorCode.NOT_COORDINATOR
    beat = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    assert sim.ask(beat, to=sim.coordinator("g")).response.error_code == ErrorCode.NOT_COORDINATOR


@pytest.mark.parametrize("place", ["on", "after"])
def test_a_produce_without_acks_that_fails_closes_the_connection_as_in_kafka(
    sim: Meddled, place: str
) -> None:
    meet = sim.faults.on if place == "on" else sim.faults.after
    meet("Produce").fail("NOT_LEADER_OR_FOLLOWER")
    assert sim.produce(b"x", acks=NONE).closed
    assert stored(sim) == ([] if place == "on" else [b"x"])


# -- disconnect, drop, delay ------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "copies"), [("on", []), ("after", [b"x"])])
def test_a_connection_is_reset_before_or_after_the_effect(
    sim: Meddled, place: str, copies: list[bytes]
) -> None:
    meet = sim.faults.on if place == "on" else sim.faults.after
    meet("Produce", nth=1).disconnect()
    outcome = sim.produce(b"x").outcome
    assert isinstance(outcome, Disconnect)
    assert outcome.reset
    assert stored(sim) == copies


@pytest.mark.parametrize(("place", "copies"), [("on", []), ("after", [b"x"])])
def test_a_dropped_call_is_never_answered(sim: Meddled, place: str, copies: list[bytes]) -> None:
    meet = sim.faults.on if place == "on" else sim.faults.after
    meet("Produce", name="silence").drop()
    asked = sim.produce(b"x")
    sim.wait(1_000_000)
    sim.advance(1_000_000)
    assert not asked.answered
    assert "'silence' dropped it" in asked.why
    assert stored(sim) == copies


def test_a_delay_before_the_handler_delays_the_effect(sim: Meddled) -> None:
    sim.faults.on("Produce").delay("2s")
    asked = sim.produce(b"x")
    sim.advance(10_000)  # the brokers' time is not what a client waits by
    sim.wait(1_999)
    assert (asked.answered, stored(sim)) == (False, [])
    sim.wait(1)
    assert (asked.only.error_code, stored(sim)) == (0, [b"x"])


def test_a_delay_after_the_handler_delays_the_answer_only(sim: Meddled) -> None:
    sim.faults.after("Produce").delay(0.5)
    asked = sim.produce(b"x")
    assert (asked.answered, stored(sim)) == (False, [b"x"])
    sim.wait(500)
    assert asked.only.error_code == 0


def test_a_delayed_call_dies_with_its_broker(sim: Meddled) -> None:
    sim.faults.on("Produce").delay("1s")
    leader = sim.partition().leader
    asked = sim.produce(b"x")
    sim.world.crash(leader)
    sim.world.restart(leader)
    sim.wait(2_000)
    assert not asked.answered
    assert stored(sim) == []


# -- what is done to the bytes ------------------------------------------------------------------------


def test_a_throttled_client_is_served_told_and_not_heard_for_a_while(sim: Meddled) -> None:
    sim.faults.on("Produce").throttle("1s")
    outcome = sim.produce(b"x").outcome
    assert isinstance(outcome, Altered)
    assert outcome.response.throttle_time_ms == 1_000
    assert stored(sim) == [b"x"]
    assert outcome.mute is not None
    sim.wait(999)
    assert not outcome.mute.done
    sim.wait(1)
    assert outcome.mute.done


def sealed(sim: Meddled, data: bytes) -> tuple[bytes, Altered]:
    """The bytes of one answer, and what is to happen with the connection."""
    leader = sim.partition().leader
    talk = Conversation(sim.world.nodes[leader], Peer(), sim.book)
    (call,) = talk.feed(data)
    assert not isinstance(call, Disconnect)
    outcome = talk.exchange(call)
    assert isinstance(outcome, Altered)
    return b"".join(talk.seal(call, outcome)), outcome


@pytest.mark.parametrize(
    "request_", [produce("orders", b"x"), ApiVersionsRequest(), produce("orders", b"y" * 500)]
)
def test_a_corrupt_answer_keeps_its_frame(sim: Meddled, request_: object) -> None:
    version = 3 if isinstance(request_, ApiVersionsRequest) else 9
    title = "ApiVersions" if isinstance(request_, ApiVersionsRequest) else "Produce"
    plain = Meddled()
    plain.topic()
    rule = plain.faults.after(title).truncate(1_000_000)  # longer than the answer: it leaves whole
    whole, _ = sealed(plain, framed(request_, version))
    assert rule.hits == 1
    sim.faults.after(title).corrupt()
    damaged, outcome = sealed(sim, framed(request_, version))
    assert outcome.ends is None
    assert len(damaged) == len(whole)
    head = 8 if title == "ApiVersions" else 9
    assert damaged[:head] == whole[:head]
    assert sum(a != b for a, b in zip(damaged, whole, strict=True)) >= 1


def test_an_answer_is_cut_after_some_bytes_and_then_the_connection_ends(sim: Meddled) -> None:
    sim.faults.after("Produce").truncate(7)
    cut, outcome = sealed(sim, framed(produce("orders", b"x"), 9))
    assert len(cut) == 7
    assert outcome.ends is not None
    assert "after 7 bytes" in outcome.ends
    assert stored(sim) == [b"x"]


def test_no_answer_cannot_be_damaged_and_is_not_counted(sim: Meddled) -> None:
    fault = sim.faults.after("Produce", nth=1).truncate(0)
    assert sim.produce(b"x", acks=NONE).outcome is None
    assert fault.hits == 0
    assert "1 Produce request had no answer to truncate" in fault.explain()
    assert isinstance(sim.produce(b"y").outcome, Altered)


def test_what_a_broker_says_by_closing_the_connection_is_not_meddled_with(sim: Meddled) -> None:
    fault = sim.faults.after("Produce").delay("1s")
    other = next(id for id in sim.world.nodes if id != sim.partition().leader)
    assert sim.produce(b"x", acks=NONE, to=other).closed
    assert fault.hits == 0


# -- all in all ---------------------------------------------------------------------------------------


def test_a_call_knows_what_touched_it(sim: Meddled) -> None:
    sim.faults.on("Produce", name="slow").delay("1s")
    sim.faults.after("Produce", name="deny").fail("REQUEST_TIMED_OUT")
    sim.produce(b"x")
    sim.wait(1_000)
    event = sim.world.history.events[-1]
    assert event.call is not None
    assert event.call.touched == ("slow", "deny")


def test_an_empty_book_is_false_and_one_with_rules_between_brokers_only_too(sim: Meddled) -> None:
    assert not sim.book
    sim.faults.between("FollowerFetch", nth=1000, optional=True).drop()
    assert not sim.book
    with sim.faults.on("Fetch").drop():
        assert sim.book
    assert not sim.book


def test_answers_of_real_clients_can_be_read(sim: Meddled) -> None:
    sim.faults.after("Produce").truncate(1_000_000)
    whole, _ = sealed(sim, framed(produce("orders", b"x"), 9, correlation_id=77))
    correlation_id, response = answer_in(produce("orders", b"x"), 9, whole[4:])
    assert correlation_id == 77
    assert response.responses[0].partition_responses[0].base_offset == 0
