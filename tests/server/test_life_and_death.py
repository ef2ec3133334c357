from __future__ import annotations

import logging
import socket

import pytest

from mockbroker.core.usage import UsageError
from mockbroker.core.world import World
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
    def crash(_call: object, node: object) -> None:
        world.crash(1)

    world = make_world((1, 2))
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
    world = make_world((1, 2), connections_max_idle_ms=30)
    with served(world) as portal, Client(portal, 1) as client:
        client.ask(VERSIONS, 3)
        portal.call(world.pause, 1)
        with Client(portal, 2) as clock:
            assert clock.ending() == "closed"  # as long as that took, the other one was paused
        client.send(VERSIONS, 3)
        assert not client.has_answer()
        portal.call(world.resume, 1)
        assert client.answer(VERSIONS, 3)[1].error_code == ErrorCode.NONE


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
    with caplog.at_level(logging.WARNING, "mockbroker"), served(make_world(max_connections=2)) as portal:
        with Client(portal) as first, Client(portal) as second:
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
            with served(make_world((1, 2)), ports={2: port}):
                pass


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


@pytest.mark.parametrize(("host", "told"), [("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")])
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
def test_an_address_that_is_not_ours_is_refused_with_advice(host: str, world: World) -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.1"), served(world, host=host):
        pass


@pytest.fixture
def world() -> World:
    return make_world()
