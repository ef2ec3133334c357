"""How a cluster ends: whoever waits is answered, whoever stays is named, and nothing keeps it for long."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from mockbroker import Cluster
from mockbroker.leaks import leaks_of
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.server.farewell import parting_error
from mockbroker.server.portal import Stuck
from tests.handles.members import RawClient, RawMember, fetch_request, members
from tests.server.wire import DEADLINE_S, VERSIONS, eventually, metadata, produce


def parked(cluster: Cluster) -> int:
    return cluster.do(lambda: sum(one.parked is not None for one in cluster.server.connections))


def topic_error(response: Any) -> int:
    return int(response.responses[0].partition_responses[0].error_code)


def ending(client: RawClient) -> str:
    try:
        return "closed" if not client.socket.recv(1) else "more"
    except ConnectionResetError:
        return "reset"


def test_everybody_who_waits_is_told_that_it_is_over_and_then_cut_off() -> None:
    cluster = Cluster(topics={"orders": 1}).start()
    leader = cluster.leader_of("orders").id
    first, second = RawMember(cluster, "a"), RawMember(cluster, "b")
    reader, writer = RawClient(cluster, leader, "reader"), RawClient(cluster, leader, "writer")
    with first, second, reader, writer:
        first.join()
        first.lead([0])
        second.send_join()
        reader.send(fetch_request("orders", 0, 0, max_wait_ms=60_000), 11)
        cluster.topic("orders").partition(0).freeze_followers()
        writer.send(produce("orders", b"x"), 9)
        eventually(lambda: parked(cluster) == 3)

        cluster.close()

        assert second.joined().error_code == ErrorCode.NOT_COORDINATOR
        assert reader.answer(fetch_request("orders", 0, 0), 11).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert topic_error(writer.answer(produce("orders", b"x"), 9)) == ErrorCode.REQUEST_TIMED_OUT
        assert [ending(one) for one in (first, second, reader, writer)] == ["reset"] * 4
    # The test may still look at what was stored.
    last = cluster.world.history.events
    told = [(event.api, event.client_id) for event in last if event.api in {"JoinGroup", "Fetch", "Produce"}]
    assert told.count(("Produce", "writer")) == 1


def test_a_gate_lets_go_and_what_it_held_is_done_and_answered() -> None:
    cluster = Cluster(brokers=1, topics={"orders": 1}).start()
    gate = cluster.faults.on("Produce").hold()
    with RawClient(cluster, 1, "writer") as writer:
        writer.send(produce("orders", b"x"), 9)
        gate.wait_arrived()
        cluster.close()
        assert topic_error(writer.answer(produce("orders", b"x"), 9)) == ErrorCode.NONE
    assert cluster.world.nodes[1].replicas["orders", 0].log.end == 1


def test_a_dropped_request_is_answered_at_last() -> None:
    cluster = Cluster(brokers=1, topics={"orders": 1}).start()
    dropped = cluster.faults.on("Metadata").drop()
    with RawClient(cluster, 1, "reader") as reader:
        reader.send(metadata("orders"), 9)
        dropped.wait_hit()
        cluster.close()
        assert reader.answer(metadata("orders"), 9).topics[0].error_code == ErrorCode.REQUEST_TIMED_OUT


def test_a_produce_that_expects_no_answer_gets_none() -> None:
    cluster = Cluster(brokers=1, topics={"orders": 1}).start()
    dropped = cluster.faults.on("Produce").drop()
    with RawClient(cluster, 1, "writer") as writer:
        writer.send(produce("orders", b"x", acks=0), 9)
        dropped.wait_hit()
        cluster.close()
        assert ending(writer) in {"closed", "reset"}


def test_a_client_of_a_paused_broker_is_cut_off() -> None:
    cluster = Cluster(brokers=2).start()
    with RawClient(cluster, 2, "app") as client:
        client.ask(VERSIONS, 3)
        cluster.broker(2).pause()
        client.send(VERSIONS, 3)
        cluster.close()
        assert ending(client) == "reset"


def test_who_hangs_up_in_time_is_not_cut_off() -> None:
    cluster = Cluster(brokers=1, topics={"orders": 1}, drain="1500ms").start()
    client = RawClient(cluster, 1, "reader")
    client.send(fetch_request("orders", 0, 0, max_wait_ms=60_000), 11)
    eventually(lambda: parked(cluster) == 1)
    ended = list[object]()

    def app() -> None:
        ended.append(client.answer(fetch_request("orders", 0, 0), 11).error_code)
        ended.append(client.ask(VERSIONS, 3).error_code)  # it is still served
        client.hang_up()

    thread = threading.Thread(target=app)
    thread.start()
    cluster.close()
    thread.join(DEADLINE_S)
    assert ended == [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NONE]
    assert leaks_of(cluster) == []


def test_who_stays_is_named_once_for_all_its_connections(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "mockbroker")
    cluster = Cluster(brokers=2).start()
    stays = [RawClient(cluster, broker, "app\n1") for broker in (2, 1)]
    for client in stays:
        client.ask(VERSIONS, 3)
    with RawClient(cluster, 1, "tidy") as tidy:
        tidy.ask(VERSIONS, 3)
    silent = RawClient(cluster, 1, "")
    eventually(lambda: cluster.do(lambda: len(cluster.server.connections)) == 3)
    cluster.close()
    cluster.close()
    several, unnamed = leaks_of(cluster)
    assert several.startswith("2 connections still open: client.id=app")
    assert "\n" not in several
    assert ", software=test 1, first opened t+" in several
    assert several.endswith(" ms, to brokers 1, 2")
    assert unnamed.startswith("1 connection still open: without a client.id, opened t+")
    assert [record.message for record in caplog.records] == [several, unnamed]
    for client in (*stays, silent):
        client.hang_up()


def test_a_rule_that_never_returns_keeps_nobody_for_long() -> None:
    held, enough = threading.Event(), threading.Event()

    def endless(_call: object) -> bool:
        held.set()
        return enough.wait(DEADLINE_S)

    cluster = Cluster(brokers=1).start()
    cluster.faults.on("ApiVersions", when=endless).drop()
    with RawClient(cluster, 1, "app") as client:
        client.send(VERSIONS, 3)
        assert held.wait(DEADLINE_S)
        portal = cluster._portal  # noqa: SLF001 - with less patience than a user has
        assert portal is not None
        with pytest.raises(Stuck, match=r"(?s)has not answered for 0\.01 s.*in endless"):
            portal.call(int, timeout_s=0.01)
        # Who was stuck is not given as long again.
        with pytest.raises(Stuck, match=r"has not answered for 0\.1 s"):
            cluster.topic("orders").create()
        with pytest.raises(Stuck, match=r"(?s)did not end within 0\.01 s.*in endless"):
            portal.close(timeout_s=0.01)
        enough.set()
        cluster.close()
    # What was asked of it meanwhile was given up, and did not happen afterwards.
    assert "orders" not in cluster.world.controller.image.topics


def test_members_that_left_are_no_leak() -> None:
    with Cluster(topics={"orders": 2}) as cluster, members(cluster, "a", "b") as group:
        for member in group:
            member.leave()
    assert len(leaks_of(cluster)) == 0


@pytest.mark.parametrize(
    ("api", "error"),
    [
        (Api.JOIN_GROUP, ErrorCode.NOT_COORDINATOR),
        (Api.END_TXN, ErrorCode.NOT_COORDINATOR),
        (Api.FETCH, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (Api.PRODUCE, ErrorCode.REQUEST_TIMED_OUT),
        (Api.CREATE_TOPICS, ErrorCode.REQUEST_TIMED_OUT),
    ],
)
def test_an_error_is_one_that_clients_of_the_api_know(api: Api, error: ErrorCode) -> None:
    assert parting_error(api) is error
