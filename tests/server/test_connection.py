from __future__ import annotations

import logging
import select
import socket
import struct
from contextlib import ExitStack
from typing import Any

import pytest
import trio

from mockbroker.core.world import World
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.acls import DescribeAclsRequest
from mockbroker.protocol.messages.metadata import ApiVersionsResponse
from mockbroker.server.bugs import BrokerBug
from tests.server.wire import (
    VERSIONS,
    Client,
    Meddling,
    answer_in,
    eventually,
    fetch,
    fetched_bytes,
    framed,
    make_topic,
    make_world,
    metadata,
    open_connections,
    parked,
    produce,
    served,
    start,
)

# -- one call at a time, in order -----------------------------------------------------------------


def test_a_request_sent_byte_by_byte_is_answered() -> None:
    with served(make_world()) as portal, Client(portal) as client:
        for byte in framed(VERSIONS, 3):
            client.socket.sendall(bytes([byte]))
        _, response = client.answer(VERSIONS, 3)
        assert response.error_code == ErrorCode.NONE


def test_pipelined_requests_are_answered_in_their_order() -> None:
    with served(make_world()) as portal, Client(portal) as client:
        client.socket.sendall(b"".join(framed(VERSIONS, 3, correlation_id=n) for n in range(500)))
        assert [client.answer(VERSIONS, 3)[0] for _ in range(500)] == list(range(500))


def test_a_parked_request_delays_what_is_behind_it_on_its_connection_and_nothing_else() -> None:
    world = make_world()
    make_topic(world, "orders")
    with served(world) as portal, Client(portal) as waiting, Client(portal) as other:
        waiting.send(fetch("orders"), 12, correlation_id=1)
        waiting.send(VERSIONS, 3, correlation_id=2)
        eventually(lambda: parked(portal) == 1)
        assert other.ask(VERSIONS, 3).error_code == ErrorCode.NONE
        assert not waiting.has_answer()
        other.ask(produce("orders", b"news"), 9)
        first, response = waiting.answer(fetch("orders"), 12)
        assert (first, fetched_bytes(response) > 0) == (1, True)
        assert waiting.answer(VERSIONS, 3)[0] == 2


def test_answers_that_arrive_leave_before_anybody_is_heard_again() -> None:
    """Who woke the others has its next request waiting in the socket, and is not served ahead of them."""
    world = make_world()
    make_topic(world, "orders")
    left: list[list[bool]] = []
    waiting: list[Client] = []

    def look(call: Any, _: Any) -> None:
        if call.api is Api.API_VERSIONS:
            left.append([client.has_answer() for client in waiting])

    with ExitStack() as clients, served(world, faults=Meddling(before=look)) as portal:
        waiting += [clients.enter_context(Client(portal)) for _ in range(5)]
        for client in waiting:
            client.send(fetch("orders"), 12)
        eventually(lambda: parked(portal) == len(waiting))
        with Client(portal) as quick:
            quick.socket.sendall(framed(produce("orders", b"news"), 9) + framed(VERSIONS, 3))
            quick.answer(produce("orders", b"news"), 9)
            quick.answer(VERSIONS, 3)
    assert left == [[True] * len(waiting)]


def test_an_answer_larger_than_any_socket_buffer_arrives_whole() -> None:
    world, blob = make_world(message_max_bytes=40_000_000), bytes(range(256)) * 40_000
    make_topic(world, "orders")
    with served(world) as portal, Client(portal) as client:
        for _ in range(3):
            client.ask(produce("orders", blob), 9)
        wanted = fetch("orders")
        wanted.max_bytes = wanted.topics[0].partitions[0].partition_max_bytes = 50_000_000
        client.send(wanted, 12)
        _, response = client.answer(wanted, 12)
        assert fetched_bytes(response) > 3 * len(blob)
        assert bytes(response.responses[0].partitions[0].records).count(blob) == 3


def test_a_produce_without_acks_sends_no_bytes_at_all() -> None:
    world = make_world()
    make_topic(world, "orders")
    with served(world) as portal, Client(portal) as client:
        client.send(produce("orders", b"x", acks=0), 9, correlation_id=1)
        client.send(VERSIONS, 3, correlation_id=2)
        assert client.answer(VERSIONS, 3)[0] == 2


# -- clients that misbehave -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        struct.pack(">i", 2**31 - 1),
        struct.pack(">i", 352_518_912),
        struct.pack(">i", -1),
        struct.pack(">i", 0),
        framed(DescribeAclsRequest(), 3),
    ],
    ids=["http", "tls", "huge", "tls-alert", "negative", "empty", "unserved"],
)
def test_what_kafka_would_not_answer_ends_one_connection_and_is_told_in_one_line(
    garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with served(make_world()) as portal, Client(portal) as bystander:
        with caplog.at_level(logging.WARNING, "mockbroker"), Client(portal) as client:
            client.socket.sendall(garbage)
            assert client.ending() in ("closed", "reset")
        assert bystander.ask(VERSIONS, 3).error_code == ErrorCode.NONE
    assert len(caplog.records) == 1
    assert "connection closed" in caplog.text


def test_a_frame_that_is_begun_and_not_ended_is_given_up() -> None:
    with served(make_world(), frame_timeout_s=0.02) as portal, Client(portal) as slow, Client(portal) as idle:
        slow.socket.sendall(framed(VERSIONS, 3)[:-1])
        assert slow.ending() == "closed"
        assert idle.ask(VERSIONS, 3).error_code == ErrorCode.NONE


def test_a_client_that_says_nothing_is_let_go_after_its_idle_time() -> None:
    with served(make_world(connections_max_idle_ms=20)) as portal, Client(portal) as client:
        assert client.ending() == "closed"
        eventually(lambda: open_connections(portal) == 0)


def test_a_client_that_waits_for_an_answer_is_not_idle() -> None:
    world = make_world()
    make_topic(world, "orders")
    with served(world) as portal, Client(portal) as waiting, Client(portal) as idle:
        idle.ask(VERSIONS, 3)
        waiting.send(fetch("orders"), 12)
        eventually(lambda: parked(portal) == 1)
        portal.call(lambda: portal.server.listeners[1].look(trio.current_time() + 3600))
        assert idle.ending() == "closed"
        with Client(portal) as other:
            other.ask(produce("orders", b"news"), 9)
        assert fetched_bytes(waiting.answer(fetch("orders"), 12)[1]) > 0


def test_a_client_that_takes_no_answers_stops_being_read_and_harms_nobody() -> None:
    world = make_world()
    make_topic(world, "orders", partitions=200)
    request = framed(metadata("orders"), 9)
    with served(world) as portal, Client(portal) as greedy, Client(portal) as other:
        greedy.socket.setblocking(False)
        with pytest.raises(BlockingIOError):  # once both sockets are full, and they are all the room there is
            greedy.socket.sendall(request * 1_000_000)
        assert other.ask(VERSIONS, 3).error_code == ErrorCode.NONE


def test_a_client_that_hangs_up_while_it_is_owed_an_answer_frees_its_connection() -> None:
    world = make_world()
    make_topic(world, "orders")
    with served(world) as portal, Client(portal) as client:
        client.send(fetch("orders", max_wait_ms=2**31 - 1), 12)
        eventually(lambda: parked(portal) == 1)
        ticket = portal.call(lambda: portal.server.connections[0].parked)
        client.socket.close()
        eventually(lambda: open_connections(portal) == 0)
        assert ticket is not None
        assert ticket.abandoned


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="only Linux tells a hang-up behind unread bytes")
def test_a_hang_up_behind_more_requests_is_noticed_too() -> None:
    world = make_world()
    make_topic(world, "orders")
    with served(world, frame_timeout_s=0.02) as portal, Client(portal) as client:  # hence looks every 5 ms
        client.send(fetch("orders", max_wait_ms=2**31 - 1), 12)
        client.send(VERSIONS, 3)
        eventually(lambda: parked(portal) == 1)
        client.socket.close()
        eventually(lambda: open_connections(portal) == 0)


def test_a_thousand_idle_connections_leave_room_for_one_that_works() -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on open files")
    wanted, (soft, hard) = 1_000, resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + 200  # both ends are in this process
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this process may open {hard} files; {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        with served(make_world()) as portal, ExitStack() as idle:
            for _ in range(wanted):
                idle.enter_context(Client(portal))
            eventually(lambda: open_connections(portal) == wanted)
            with Client(portal) as client:
                assert client.ask(VERSIONS, 3).error_code == ErrorCode.NONE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- bugs of ours ---------------------------------------------------------------------------------


def divide_by_zero(call: Any, _node: Any) -> None:
    if call.client_id == "unlucky":
        raise ZeroDivisionError("what happens here is a bug")


def test_a_bug_ends_its_connection_and_is_raised_with_its_request_when_the_server_closes() -> None:
    portal = start(make_world(), faults=Meddling(before=divide_by_zero))
    with Client(portal) as unlucky, Client(portal) as lucky:
        unlucky.socket.sendall(framed(VERSIONS, 3, client_id="unlucky"))
        assert unlucky.ending() == "closed"
        assert lucky.ask(VERSIONS, 3).error_code == ErrorCode.NONE
    with pytest.raises(BrokerBug, match=r"(?s)ZeroDivisionError.*ApiVersions v3 .*unlucky") as raised:
        portal.close()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_an_answer_that_cannot_be_written_is_a_bug_of_its_request() -> None:
    nonsense = Meddling(after=lambda _call, _node, _response: ApiVersionsResponse(error_code=10**9))
    portal = start(make_world(), faults=nonsense)
    with Client(portal) as client:
        client.send(VERSIONS, 3)
        assert client.ending() == "closed"
    with pytest.raises(BrokerBug, match=r"(?s)not encodable.*while answering .*ApiVersions v3"):
        portal.close()


def test_several_bugs_are_raised_together() -> None:
    portal = start(make_world(), faults=Meddling(before=divide_by_zero))
    for _ in range(2):
        with Client(portal) as unlucky:
            unlucky.socket.sendall(framed(VERSIONS, 3, client_id="unlucky"))
            assert unlucky.ending() == "closed"
    with pytest.raises(ExceptionGroup) as raised:
        portal.close()
    assert [type(bug) for bug in raised.value.exceptions] == [BrokerBug, BrokerBug]


# -- over any stream of segments ------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 7, 64, 65_536])
def test_the_size_of_segments_does_not_matter(size: int) -> None:
    stream = b"".join(framed(VERSIONS, 3, correlation_id=n) for n in range(20))
    with served(make_world()) as portal, Client(portal) as client:
        for at in range(0, len(stream), size):
            client.socket.sendall(stream[at : at + size])
        client.socket.shutdown(socket.SHUT_WR)
        answers = [answer_in(VERSIONS, 3, client.frame()) for _ in range(20)]
        assert [correlation_id for correlation_id, _ in answers] == list(range(20))
        assert all(isinstance(response, ApiVersionsResponse) for _, response in answers)
        assert client.ending() == "closed"


def test_the_world_is_the_same_however_it_is_asked(world_of_two: World) -> None:
    with served(world_of_two) as portal:
        for broker in (1, 2):
            with Client(portal, broker) as client:
                response = client.ask(metadata("orders"), 9)
                told = {one.node_id: (one.host, one.port) for one in response.brokers}
                assert told == portal.server.addresses


@pytest.fixture
def world_of_two() -> World:
    world = make_world((1, 2))
    make_topic(world, "orders")
    return world
