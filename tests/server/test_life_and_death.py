from __future__ import annotations

import logging
import socket

import pytest
import trio

from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode
from mockbroker.server.portal import Portal
from tests.server.wire import (
    VERSIONS,
    Client,
    Meddling,
    eventually,
    fetch,
    make_topic,
    make_world,
    parked,
    served,
    start,
)


def addresses_told(portal: Portal) -> list[tuple[str, int]]:
    return list(portal.server.addresses.values())


def test_a_crash_resets_the_connections_and_refuses_new_ones() -> None:
    world = make_world((1, 2))
    with served(world) as portal, Client(portal, 1) as client, Client(portal, 2) as other:
        client.ask(VERSIONS, 3)
        portal.call(world.crash, 1)
        assert client.ending() == "reset"
        with pytest.raises(ConnectionRefusedError):
            Client(portal, 1)
        assert other.ask(VERSIONS, 3).error_code == ErrorCode.NONE


def test_a_restarted_broker_listens_on_its_old_port() -> None:
    world = make_world((1, 2))
    with served(world) as portal:
        before = addresses_told(portal)
        for _ in range(3):
            with Client(portal, 1) as client:
                client.ask(VERSIONS, 3)
                portal.call(world.crash, 1)
            portal.call(world.restart, 1)
            with Client(portal, 1) as client:
                assert client.ask(VERSIONS, 3).error_code == ErrorCode.NONE
        assert addresses_told(portal) == before


def test_nobody_is_given_the_port_of_a_dead_broker() -> None:
    world = make_world((1, 2))
    with served(world) as portal:
        portal.call(world.crash, 1)
        with socket.socket() as thief, pytest.raises(OSError, match="in use"):
            thief.bind(portal.server.addresses[1])


def test_a_parked_request_dies_with_its_broker() -> None:
    world = make_world()
    make_topic(world, "orders")
    with served(world) as portal, Client(portal) as client:
        client.send(fetch("orders"), 12)
        eventually(lambda: parked(portal) == 1)
        portal.call(world.crash, 1)
        assert client.ending() == "reset"


def test_a_call_in_which_its_own_broker_crashes_is_not_answered() -> None:
    world = make_world((1, 2))

    def crash(_call: object, _node: object) -> None:
        world.crash(1)

    with served(world, faults=Meddling(before=crash)) as portal, Client(portal, 1) as client:
        client.send(VERSIONS, 3)
        assert client.ending() == "reset"


def test_a_paused_broker_accepts_and_says_nothing_until_it_goes_on() -> None:
    world = make_world((1, 2))
    with served(world) as portal, Client(portal, 1) as known:
        known.ask(VERSIONS, 3)
        portal.call(world.pause, 1)
        with Client(portal, 1) as stranger, Client(portal, 2) as elsewhere:
            known.send(VERSIONS, 3)
            stranger.send(VERSIONS, 3)
            assert elsewhere.ask(VERSIONS, 3).error_code == ErrorCode.NONE
            portal.call(world.patience.advance, 60_000)
            assert not known.has_answer()
            assert not stranger.has_answer()
            portal.call(world.resume, 1)
            assert known.answer(VERSIONS, 3)[1].error_code == ErrorCode.NONE
            assert stranger.answer(VERSIONS, 3)[1].error_code == ErrorCode.NONE


def test_a_pause_does_not_count_as_idleness() -> None:
    world = make_world((1, 2))
    with served(world) as portal, Client(portal, 1) as client:
        client.ask(VERSIONS, 3)
        portal.call(world.pause, 1)
        portal.call(lambda: portal.server.listeners[1].look(trio.current_time() + 3600))
        client.send(VERSIONS, 3)
        portal.call(world.resume, 1)
        assert client.answer(VERSIONS, 3)[1].error_code == ErrorCode.NONE


def test_idleness_begins_anew_when_a_paused_broker_goes_on() -> None:
    with served(make_world()) as portal, Client(portal) as client:
        client.ask(VERSIONS, 3)

        def in_an_hour(resumed_before_s: float) -> None:
            (connection,) = portal.server.connections
            later = trio.current_time() + 3600
            connection.look(later, not_before=later - resumed_before_s)

        portal.call(in_an_hour, 1.0)
        assert client.ask(VERSIONS, 3).error_code == ErrorCode.NONE
        portal.call(in_an_hour, 3600.0)
        assert client.ending() == "closed"


def test_a_paused_broker_can_crash_and_come_back() -> None:
    world = make_world((1, 2))
    with served(world) as portal, Client(portal, 1) as client:
        client.ask(VERSIONS, 3)
        portal.call(world.pause, 1)
        portal.call(world.crash, 1)
        assert client.ending() == "reset"
        portal.call(world.restart, 1)
        with Client(portal, 1) as again:
            assert again.ask(VERSIONS, 3).error_code == ErrorCode.NONE


def test_a_broker_holds_as_many_connections_as_it_may_and_the_next_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "mockbroker")
    with served(make_world(max_connections=2)) as portal, Client(portal) as first, Client(portal) as second:
        first.ask(VERSIONS, 3)
        second.ask(VERSIONS, 3)
        with Client(portal) as third:
            third.send(VERSIONS, 3)
            first.ask(VERSIONS, 3)
            assert not third.has_answer()
            second.socket.close()
            assert third.answer(VERSIONS, 3)[1].error_code == ErrorCode.NONE
    assert "broker 1 holds 2 connections" in caplog.text


def test_two_servers_cannot_have_one_port() -> None:
    with served(make_world()) as portal:
        _, port = portal.server.addresses[1]
        with pytest.raises(UsageError, match=f"port {port} on 127.0.0.1 is already in use"):
            start(make_world((1, 2)), ports={2: port})


def test_a_fixed_port_can_be_had_again_at_once() -> None:
    with served(make_world()) as portal:
        _, chosen = portal.server.addresses[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", chosen))
    for _ in range(3):
        with served(make_world(), ports={1: chosen}) as portal, Client(portal) as client:
            assert client.ask(VERSIONS, 3).error_code == ErrorCode.NONE


def test_a_port_that_was_chosen_is_not_given_to_the_next_server() -> None:
    with served(make_world()) as portal:
        _, port = portal.server.addresses[1]
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", port))


@pytest.mark.parametrize(("host", "told"), [("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")])  # noqa: S104 - the point
def test_clients_are_told_an_address_that_they_can_reach(host: str, told: str) -> None:
    with served(make_world(), host=host) as portal:
        ((said, port),) = addresses_told(portal)
        assert said == told
        socket.create_connection((said, port)).close()


def test_clients_are_told_what_the_user_advertises() -> None:
    world = make_world()
    with served(world, advertise="kafka.example") as portal:
        _, port = portal.server.addresses[1]
        assert portal.server.bootstrap == f"kafka.example:{port}"
        broker = portal.call(lambda: world.nodes[1].image.brokers[1])
        assert (broker.host, broker.port) == ("kafka.example", port)


@pytest.mark.parametrize("host", ["8.8.8.8", "no such host"])
def test_an_address_that_is_not_ours_is_refused_with_advice(host: str) -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.1"):
        start(make_world(), host=host)
