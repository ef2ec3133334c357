"""What a client sees of faults on its connection: resets, cut answers, silence, and what waits behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbroker import Cluster
from mockbroker.core.usage import UsageError
from tests.server.wire import VERSIONS, Client, eventually, metadata, produce


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1, topics={"orders": 1}, seed=7) as cluster:
        yield cluster


def client_of(cluster: Cluster) -> Client:
    return Client(cluster, 1)  # type: ignore[arg-type]  # all that it asks for is `server.addresses`


def test_a_lost_answer_is_a_reset_connection(cluster: Cluster) -> None:
    with cluster.faults.after("Produce", nth=1).disconnect() as fault, client_of(cluster) as client:
        client.send(produce("orders", b"x"), 9)
        assert fault.wait_hit() == 1
        assert client.ending() == "reset"
    assert cluster.topic("orders").values() == [b"x"]


@pytest.mark.parametrize("count", [0, 1, 4, 7, 20])
def test_so_many_bytes_of_an_answer_leave_and_then_the_connection_ends(cluster: Cluster, count: int) -> None:
    with cluster.faults.after("Metadata").truncate(count), client_of(cluster) as client:
        client.send(metadata("orders"), 9)
        received = b""
        while part := client.socket.recv(100):
            received += part
    assert len(received) == count


def test_a_throttled_client_has_its_answer_and_is_not_read_until_the_time_is_over(cluster: Cluster) -> None:
    cluster.faults.after("Produce", nth=1).throttle("1h")
    with client_of(cluster) as client:
        assert client.ask(produce("orders", b"1"), 9).throttle_time_ms == 3_600_000
        client.send(produce("orders", b"2"), 9)
        (connection,) = cluster.server.connections
        # Whatever it has sent by now is in the broker's hands, and stays unread.
        eventually(lambda: cluster.do(connection.unread_bytes) > 0)
        assert cluster.topic("orders").values() == [b"1"]
        waits = cluster.do(connection.waits_for)
        assert waits is not None
        assert "throttles it: nothing is read for 3600 s" in waits
        cluster.do(cluster.world.patience.advance, 3_600_000)
        assert client.answer(produce("orders", b"2"), 9)[1].throttle_time_ms == 0


def test_a_throttled_client_may_hang_up(cluster: Cluster) -> None:
    cluster.faults.after("Produce").throttle("1h")
    with client_of(cluster) as client:
        client.ask(produce("orders", b"1"), 9)
    eventually(lambda: not cluster.do(lambda: cluster.server.connections))


def test_a_dropped_request_blocks_its_connection_and_no_other(cluster: Cluster) -> None:
    with (
        cluster.faults.on("Produce").drop() as fault,
        client_of(cluster) as client,
        client_of(cluster) as other,
    ):
        client.send(produce("orders", b"1"), 9)
        client.send(VERSIONS, 3)
        fault.wait_hit()
        assert other.ask(VERSIONS, 3).error_code == 0
        assert not client.has_answer()


def test_a_gate_tells_what_waits_behind_what_it_holds(cluster: Cluster) -> None:
    with cluster.faults.on("Produce").hold() as gate, client_of(cluster) as client:
        client.send(produce("orders", b"1"), 9, correlation_id=1)
        (held,) = gate.wait_arrived()
        assert (held.behind, held.unread_bytes, held.correlation_id) == (0, 0, 1)
        for correlation_id in (2, 3):
            client.send(produce("orders", b"2"), 9, correlation_id=correlation_id)
        (connection,) = cluster.server.connections
        eventually(lambda: gate.arrived[0].unread_bytes > 200)
        assert "unread bytes wait behind it on the same connection" in str(gate.arrived[0])
        gate.release_one()
        (next_one,) = gate.wait_arrived()
        assert next_one.correlation_id == 2
        # Both came in one go, so the third is read and waits for the second.
        assert next_one.behind == connection.conversation.waiting == 1
        gate.release()
        assert [client.answer(produce("orders", b""), 9)[0] for _ in range(3)] == [1, 2, 3]


def test_a_client_that_hangs_up_is_gone_from_the_gate(cluster: Cluster) -> None:
    gate = cluster.faults.on("Produce").hold()
    with client_of(cluster) as client:
        client.send(produce("orders", b"1"), 9)
        gate.wait_arrived()
    eventually(lambda: not gate.arrived)
    gate.release()
    assert cluster.topic("orders").values() == []


def test_a_crashed_broker_forgets_what_was_held(cluster: Cluster) -> None:
    gate = cluster.faults.on("Produce").hold()
    with client_of(cluster) as client:
        client.send(produce("orders", b"1"), 9)
        gate.wait_arrived()
        cluster.broker(1).crash()
        assert client.ending() == "reset"
    assert gate.arrived == []


def test_closing_a_cluster_does_not_wait_for_gates() -> None:
    with Cluster(brokers=1, topics={"orders": 1}) as cluster, client_of(cluster) as client:
        gate = cluster.faults.on("Produce").hold()
        client.send(produce("orders", b"1"), 9)
        gate.wait_arrived()


def test_a_reset_forgets_all_rules(cluster: Cluster) -> None:
    cluster.faults.on("Produce").drop()
    gate = cluster.faults.on("Metadata").hold()
    with client_of(cluster) as client:
        client.send(metadata("orders"), 9)
        gate.wait_arrived()
        cluster.reset()
        assert client.answer(metadata("orders"), 9)[1].topics
        assert client.ask(produce("orders", b"1"), 9).responses
    assert (len(cluster.faults), cluster.faults.unfired()) == (0, [])


def test_rules_need_an_open_cluster() -> None:
    with pytest.raises(UsageError, match="not open"):
        Cluster().faults.on("Produce").drop()
