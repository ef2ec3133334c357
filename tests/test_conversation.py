from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from mockbroker.conversation import Conversation, FaultHook
from mockbroker.core.call import Call, Peer
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.core.world import World
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.acls import DescribeAclsRequest
from mockbroker.protocol.messages.groups import HeartbeatRequest, HeartbeatResponse
from mockbroker.protocol.messages.metadata import ApiVersionsResponse, MetadataResponse
from tests.server.wire import VERSIONS, Meddling, answer_in, fetch, framed, make_topic, metadata, produce


@pytest.fixture
def world() -> World:
    world = World(brokers=(1, 2), random=random.Random(7))
    make_topic(world, "orders")
    return world


def talk(world: World, faults: FaultHook | None = None, broker: int = 1) -> Conversation:
    return Conversation(world.nodes[broker], Peer("127.0.0.1", 4711, 1), faults)


def opened(conversation: Conversation, data: bytes) -> Call[Any]:
    (call,) = conversation.feed(data)
    assert isinstance(call, Call)
    return call


def refusal(conversation: Conversation, data: bytes) -> str:
    """Feed bytes that end the connection, and give the reason."""
    (ended,) = conversation.feed(data)
    assert isinstance(ended, Disconnect)
    return ended.reason


def leader(world: World, topic: str = "orders") -> int:
    return world.controller.image.topics[topic].partitions[0].leader


# -- bytes become calls ---------------------------------------------------------------------------


def test_a_request_that_arrives_byte_by_byte_is_one_call_at_its_last_byte(world: World) -> None:
    conversation = talk(world)
    *most, last = framed(metadata("orders"), 9, correlation_id=5, client_id="app")
    assert [conversation.feed(bytes([byte])) for byte in most] == [[]] * len(most)
    begun = conversation.pending
    call = opened(conversation, bytes([last]))
    assert (call.api, call.version, call.correlation_id, call.client_id) == (Api.METADATA, 9, 5, "app")
    assert (begun, conversation.pending) == (True, False)
    assert conversation.client_id == "app"


def test_requests_of_one_segment_are_opened_in_their_order(world: World) -> None:
    data = b"".join(framed(VERSIONS, 3, correlation_id=n) for n in range(50))
    calls = talk(world).feed(data)
    assert [call.correlation_id for call in calls if isinstance(call, Call)] == list(range(50))


def test_bytes_may_be_received_in_place(world: World) -> None:
    conversation, data = talk(world), framed(VERSIONS, 3)
    conversation.space()[: len(data)] = data
    (call,) = conversation.received(len(data))
    assert isinstance(call, Call)


# -- what Kafka closes the connection for ---------------------------------------------------------


def test_an_api_that_is_not_served_is_named_with_whoever_asked(world: World) -> None:
    reason = refusal(talk(world), framed(DescribeAclsRequest(), 3, client_id="rdkafka"))
    assert reason == (
        "DescribeAcls v3 from rdkafka at 127.0.0.1:4711: "
        "mockbroker does not serve this API; connection closed"
    )


def test_a_key_that_kafka_does_not_have_is_named_by_its_number(world: World) -> None:
    frame = struct.pack(">hhih", 9999, 1, 1, -1)
    reason = refusal(talk(world), struct.pack(">i", len(frame)) + frame)
    assert reason.startswith(
        "API key 9999 v1 from a client without a name at 127.0.0.1:4711: Kafka has no such API"
    )


def test_a_version_that_was_not_advertised_is_told_the_range(world: World) -> None:
    frame = struct.pack(">hhihx", Api.METADATA, 77, 1, -1)
    reason = refusal(talk(world), struct.pack(">i", len(frame)) + frame)
    assert "Metadata v77" in reason
    assert "never advertised, versions 0 to 13 are served" in reason


def test_a_body_that_ends_too_early_closes_the_connection(world: World) -> None:
    data = framed(metadata("orders"), 9)
    cut = struct.pack(">i", len(data) - 4 - 3) + data[4:-3]
    assert "Metadata v9 from test at 127.0.0.1:4711: its body cannot be read" in refusal(talk(world), cut)


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
        (struct.pack(">i", 2**31 - 1), "2147483647"),
        (struct.pack(">i", -1), "-1"),
        (struct.pack(">i", 0), "header"),
        (struct.pack(">ihhih", 10, 3, 1, 1, 300), "client id"),
    ],
)
def test_what_is_not_kafka_ends_the_talk_and_is_named(world: World, data: bytes, looks_like: str) -> None:
    assert looks_like in refusal(talk(world), data)


def test_nothing_behind_a_refused_request_is_opened(world: World) -> None:
    data = framed(VERSIONS, 3) + framed(DescribeAclsRequest(), 3) + framed(VERSIONS, 3)
    first, second = talk(world).feed(data)
    assert isinstance(first, Call)
    assert isinstance(second, Disconnect)


def test_a_request_may_be_as_large_as_the_broker_is_set_to_take_and_no_larger() -> None:
    size = len(framed(VERSIONS, 3)) - 4
    for limit, taken in ((size, True), (size - 1, False)):
        world = World(brokers=(1,), random=random.Random(7), config={"socket.request.max.bytes": str(limit)})
        (first,) = talk(world).feed(framed(VERSIONS, 3))
        assert isinstance(first, Call) is taken


@pytest.mark.parametrize("version", [99, -1])
def test_any_version_of_api_versions_is_answered_in_the_oldest_form(world: World, version: int) -> None:
    conversation = talk(world)
    frame = struct.pack(">hhihx", Api.API_VERSIONS, version, 42, -1)
    call = opened(conversation, struct.pack(">i", len(frame)) + frame)
    answer = b"".join(conversation.seal(call, conversation.exchange(call)))[4:]
    correlation_id, response = answer_in(VERSIONS, 0, answer)
    assert (correlation_id, response.error_code) == (42, ErrorCode.UNSUPPORTED_VERSION)
    assert [key.api_key for key in response.api_keys] == [Api.API_VERSIONS]


# -- the straight line ----------------------------------------------------------------------------


def test_a_call_is_answered_and_remembered(world: World) -> None:
    conversation = talk(world)
    call = opened(conversation, framed(metadata("orders"), 9, client_id="app"))
    response = conversation.exchange(call)
    assert isinstance(response, MetadataResponse)
    assert [(event.api, event.client_id) for event in world.history.events][-1] == ("Metadata", "app")


def test_a_stored_batch_is_a_part_of_its_own_and_never_copied(world: World) -> None:
    conversation = talk(world, broker=leader(world))
    conversation.exchange(opened(conversation, framed(produce("orders", b"x" * 10_000), 9)))
    call = opened(conversation, framed(fetch("orders"), 12))
    parts = conversation.seal(call, conversation.exchange(call))
    (stored,) = world.nodes[leader(world)].leader_of("orders", 0).log.batches
    assert any(part is stored.data or getattr(part, "obj", None) is stored.data for part in parts)


def test_an_error_that_a_handler_raises_is_answered_in_the_shape_of_its_api(world: World) -> None:
    stranger = HeartbeatRequest(group_id="nobody", member_id="who", generation_id=1)
    conversation = talk(world)
    response = conversation.exchange(opened(conversation, framed(stranger, 4)))
    assert isinstance(response, HeartbeatResponse)
    assert response.error_code in (ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE)


def test_a_produce_without_acks_has_an_answer_of_no_bytes(world: World) -> None:
    conversation = talk(world, broker=leader(world))
    assert conversation.exchange(opened(conversation, framed(produce("orders", b"x", acks=0), 9))) is None
    assert world.nodes[leader(world)].leader_of("orders", 0).log.end == 1
    assert world.history.events[-1].outcome == "no answer"


def test_a_handler_that_fails_is_not_answered_for(world: World) -> None:
    def fail(_call: object, _node: object) -> None:
        raise ZeroDivisionError

    conversation = talk(world, Meddling(before=fail))
    with pytest.raises(ZeroDivisionError):
        conversation.exchange(opened(conversation, framed(VERSIONS, 3)))


# -- faults ---------------------------------------------------------------------------------------


def test_a_fault_before_the_handler_answers_instead_of_it(world: World) -> None:
    no = Disconnect("no")
    conversation = talk(world, Meddling(before=lambda _call, _node: no), broker=leader(world))
    assert conversation.exchange(opened(conversation, framed(produce("orders", b"x"), 9))) is no
    assert world.nodes[leader(world)].leader_of("orders", 0).log.end == 0


def test_a_fault_after_the_handler_changes_the_answer_and_not_the_effect(world: World) -> None:
    lost = Disconnect("lost")
    conversation = talk(world, Meddling(after=lambda _call, _node, _response: lost), broker=leader(world))
    assert conversation.exchange(opened(conversation, framed(produce("orders", b"x"), 9))) is lost
    assert world.nodes[leader(world)].leader_of("orders", 0).log.end == 1


def test_a_fault_may_hold_a_call_and_let_it_go(world: World) -> None:
    gate: Ticket[None] = Ticket("a gate holds it")
    conversation = talk(world, Meddling(before=lambda _call, _node: gate), broker=leader(world))
    held = conversation.exchange(opened(conversation, framed(produce("orders", b"x"), 9)))
    assert isinstance(held, Ticket)
    assert world.nodes[leader(world)].leader_of("orders", 0).log.end == 0
    gate.resolve(None)
    assert held.done
    assert world.nodes[leader(world)].leader_of("orders", 0).log.end == 1


def test_a_hook_without_armed_faults_is_not_asked(world: World) -> None:
    faults = Meddling()
    faults.armed = False
    conversation = talk(world, faults)
    assert isinstance(conversation.exchange(opened(conversation, framed(VERSIONS, 3))), ApiVersionsResponse)
    assert faults.asked == []


# -- brokers that are paused or dead --------------------------------------------------------------


def test_calls_to_a_paused_broker_are_answered_in_their_order_when_it_goes_on(world: World) -> None:
    broker = leader(world)
    first, second = talk(world, broker=broker), talk(world, broker=broker)
    world.pause(broker)
    replies = [
        conversation.exchange(opened(conversation, framed(produce("orders", value, acks=1), 9)))
        for conversation, value in ((first, b"1"), (second, b"2"))
    ]
    world.patience.advance(1_000)
    assert [reply.done for reply in replies] == [False, False]
    world.resume(broker)
    assert [reply.done for reply in replies] == [True, True]
    stored = world.nodes[broker].leader_of("orders", 0).log.batches
    assert [b"1" in bytes(batch.data)[61:] for batch in stored] == [True, False]


def test_a_dead_broker_serves_nobody_and_its_connections_stay_dead_when_it_restarts(world: World) -> None:
    conversation = talk(world)
    call = opened(conversation, framed(VERSIONS, 3))
    world.crash(1)
    assert isinstance(conversation.exchange(call), Disconnect)
    world.restart(1)
    assert isinstance(conversation.exchange(call), Disconnect)
    assert isinstance(talk(world).exchange(call), ApiVersionsResponse)


def test_a_call_that_a_fault_held_does_not_reach_a_broker_that_died_meanwhile(world: World) -> None:
    gate: Ticket[None] = Ticket("a gate holds it")
    conversation = talk(world, Meddling(before=lambda _call, _node: gate))
    held = conversation.exchange(opened(conversation, framed(VERSIONS, 3)))
    assert isinstance(held, Ticket)
    world.crash(1)
    world.restart(1)
    gate.resolve(None)
    assert isinstance(held.result, Disconnect)
