from __future__ import annotations

import threading
import time

import pytest
import trio

from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.server.bugs import BrokerBug
from mockbroker.server.run import Server, serve
from tests.server.wire import DEADLINE_S, VERSIONS, Client, make_world, served, start


def test_a_call_runs_in_the_servers_thread_and_brings_its_result_back() -> None:
    with served(make_world()) as portal:
        assert portal.call(lambda a, b: (a + b, threading.current_thread().name), 1, 2) == (3, "mockbroker")
        assert portal.call(lambda: portal.call(lambda: "inside")) == "inside"


def test_a_call_carries_its_exception_over() -> None:
    def refuse() -> None:
        raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, "there")

    with served(make_world()) as portal, pytest.raises(KafkaError, match="there"):
        portal.call(refuse)


def test_what_a_call_sets_in_motion_has_happened_when_it_returns() -> None:
    world, happened = make_world(), list[str]()
    with served(world) as portal:
        portal.call(world.soon, lambda: happened.append("in the same step"))
        assert happened == ["in the same step"]


def test_a_closed_cluster_says_that_it_is_closed() -> None:
    with served(make_world()) as portal:
        pass
    with pytest.raises(UsageError, match="closed"):
        portal.call(int)
    portal.close()


def test_closing_takes_no_thread_along_and_leaves_none() -> None:
    before = threading.active_count()
    for _ in range(3):
        with served(make_world((1, 2, 3))):
            assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_closing_waits_for_no_client() -> None:
    with served(make_world()) as portal:
        clients = [Client(portal) for _ in range(20)]
        for client in clients:
            client.ask(VERSIONS, 3)
    for client in clients:
        with client:
            assert client.ending() == "reset"


def test_a_server_that_cannot_start_raises_where_it_was_started() -> None:
    before = threading.active_count()
    with served(make_world()) as portal:
        taken = portal.server.addresses[1][1]
        with pytest.raises(UsageError, match="already in use"):
            start(make_world((1, 2)), ports={2: taken})
    assert threading.active_count() == before


def test_the_same_server_runs_inside_a_trio_program() -> None:
    async def program() -> tuple[int, str]:
        async with trio.open_nursery() as nursery:
            server: Server = await nursery.start(serve, make_world((1, 2)))
            answer = server.control(lambda: 42)
            stream = await trio.open_tcp_stream(*server.addresses[2])
            await stream.aclose()
            nursery.cancel_scope.cancel()
            return answer, server.bootstrap

    answer, bootstrap = trio.run(program)
    assert answer == 42
    assert bootstrap.count(",") == 1


def test_a_server_that_is_stuck_is_not_waited_for_and_shows_where_it_is() -> None:
    world, stuck, enough = make_world(), threading.Event(), threading.Event()

    def endless() -> None:
        stuck.set()
        enough.wait(DEADLINE_S)

    with served(world) as portal:
        portal.call(world.clock.call_in, 1, endless)
        assert stuck.wait(DEADLINE_S)
        with pytest.raises(AssertionError, match=r"(?s)did not end within 0.01 s.*in endless"):
            portal.close(timeout_s=0.01)
        enough.set()


# -- time -----------------------------------------------------------------------------------------


def test_both_clocks_follow_real_time() -> None:
    now_ms = time.time_ns() // 1_000_000
    world = make_world()  # its time goes on from when it is made, and not from when it is served
    with served(world) as portal:
        broker, patience = portal.call(lambda: (world.clock.now, world.patience.now))
    assert broker >= now_ms
    assert patience >= now_ms


def test_timers_of_both_clocks_fire_by_themselves_and_in_order_whatever_was_set_first() -> None:
    world, fired, done = make_world(), list[str](), threading.Event()

    def set_timers() -> None:  # in one step, or a slow machine may fire one before the next is set
        world.clock.call_in(3_600_000, lambda: fired.append("in an hour"))
        world.patience.call_in(20, lambda: fired.append("second"))
        world.patience.call_in(20, done.set)
        world.clock.call_in(5, lambda: fired.append("first"))

    with served(world) as portal:
        portal.call(set_timers)
        assert done.wait(DEADLINE_S)
    assert fired == ["first", "second"]


def test_a_frozen_broker_clock_stands_still_while_clients_patience_runs_out() -> None:
    world, fired, done = make_world(), list[str](), threading.Event()
    with served(world) as portal:
        portal.call(world.clock.freeze)
        frozen_at = portal.call(lambda: world.clock.now)
        portal.call(world.clock.call_in, 1, lambda: fired.append("broker"))
        portal.call(world.patience.call_in, 20, done.set)
        assert done.wait(DEADLINE_S)
        assert portal.call(lambda: world.clock.now) == frozen_at
        assert fired == []
        portal.call(world.clock.advance, 1)
        assert fired == ["broker"]


def test_a_jump_of_the_broker_clock_is_kept_and_real_time_goes_on_from_there() -> None:
    world, done = make_world(), threading.Event()
    with served(world) as portal:
        before = portal.call(lambda: world.clock.now)
        portal.call(world.clock.advance, 45_000)
        portal.call(world.clock.call_in, 5, done.set)
        assert done.wait(DEADLINE_S)
        assert portal.call(lambda: world.clock.now) >= before + 45_005


def test_a_thawed_clock_goes_on_from_where_it_stood() -> None:
    world, done = make_world(), threading.Event()
    with served(world) as portal:
        portal.call(world.clock.freeze)
        portal.call(world.clock.advance, 1_000)
        stood_at = portal.call(lambda: world.clock.now)
        portal.call(lambda: world.clock.thaw(portal.server.real_ms()))
        portal.call(world.clock.call_in, 5, done.set)
        assert done.wait(DEADLINE_S)
        assert portal.call(lambda: world.clock.now) >= stood_at + 5


def test_a_bug_in_a_timer_is_kept_for_whoever_closes_the_server() -> None:
    world, done = make_world(), threading.Event()

    def fail() -> None:
        done.set()
        raise ZeroDivisionError

    portal = start(world)
    portal.call(world.clock.call_in, 1, fail)
    assert done.wait(DEADLINE_S)
    with Client(portal) as client:
        assert client.ask(VERSIONS, 3).error_code == ErrorCode.NONE
    with pytest.raises(BrokerBug, match=r"(?s)ZeroDivisionError.*a timer"):
        portal.close()


def test_a_world_that_is_ahead_of_real_time_is_not_turned_back() -> None:
    world, done = make_world(), threading.Event()
    world.clock.advance(1_000_000_000)
    ahead = world.clock.now
    with served(world) as portal:
        portal.call(world.clock.call_in, 5, done.set)
        assert done.wait(DEADLINE_S)
    assert world.clock.now >= ahead + 5
