"""What befalls connections: broken, silent, slow, refused; by client and by broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mockbroker import Cluster
from mockbroker.core.usage import UsageError
from tests.handles.members import RawClient
from tests.server.wire import DEADLINE_S, VERSIONS, eventually, metadata, produce


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=2, topics={"orders": 1}, seed=7) as cluster:
        yield cluster


def has_answer(client: RawClient) -> bool:
    client.socket.settimeout(0.0)
    try:
        client.socket.recv(1, 2)  # MSG_PEEK
    except BlockingIOError:
        return False
    finally:
        client.socket.settimeout(DEADLINE_S)
    return True


def is_reset(client: RawClient) -> bool:
    try:
        return not client.socket.recv(1)
    except ConnectionResetError:
        return True


def works(client: RawClient) -> bool:
    return bool(client.ask(VERSIONS, 3).error_code == 0)


def parked(cluster: Cluster) -> bool:
    """Whether a connection waits for something that has not come."""
    found = cluster.do(lambda: [one.waits_for() for one in cluster.server.connections])
    return any(waits and "lets nothing through" in waits for waits in found)


# -- partition ------------------------------------------------------------------------------------------


def test_a_clients_connections_break_and_so_do_its_next_ones(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "app") as old, RawClient(cluster, 2, "other") as other:
        assert works(old)
        assert works(other)
        with cluster.faults.network(client_id="app").partition() as fault:
            assert is_reset(old)
            with RawClient(cluster, 2, "app") as new:
                new.send(VERSIONS, 3)
                assert is_reset(new)
            assert works(other)
            assert fault.hits == 2
        with RawClient(cluster, 1, "app") as healed:
            assert works(healed)


def test_a_request_of_a_parted_client_has_no_effect(cluster: Cluster) -> None:
    leader = cluster.leader_of("orders").id
    with (
        cluster.faults.network(client_id="app", broker=leader).partition() as fault,
        RawClient(cluster, leader, "app") as client,
    ):
        client.send(produce("orders", b"x"), 9)
        assert fault.wait_hit() == 1
        assert is_reset(client)
    assert cluster.topic("orders").values() == []


def test_a_broker_is_parted_from_all_its_clients_before_they_say_a_word(cluster: Cluster) -> None:
    with cluster.faults.network(broker=1).partition():
        # The reset may be there before the client knows that it is connected.
        with suppress(ConnectionResetError), RawClient(cluster, 1, "app") as client:
            assert is_reset(client)
        with RawClient(cluster, 2, "app") as elsewhere:
            assert works(elsewhere)


# -- half open ------------------------------------------------------------------------------------------


def test_a_peer_that_vanished_reads_and_says_nothing_and_sends_no_end(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "app") as client, RawClient(cluster, 1, "other") as other:
        assert works(client)
        with cluster.faults.network(client_id="app").half_open() as fault:
            assert fault.hits == 1
            client.send(produce("orders", b"x"), 9)
            eventually(lambda: parked(cluster))
            assert works(other)
            assert not has_answer(client)
            assert cluster.topic("orders").values() == []
        assert is_reset(client)


def test_an_answer_that_was_on_its_way_does_not_arrive_either(cluster: Cluster) -> None:
    with (
        cluster.faults.after("Metadata", client_id="app").hold() as gate,
        RawClient(cluster, 1, "app") as client,
    ):
        client.send(metadata("orders"), 9)
        gate.wait_arrived()
        with cluster.faults.network(client_id="app").half_open():
            gate.release()
            eventually(lambda: parked(cluster))
            assert not has_answer(client)
        assert is_reset(client)


def test_a_new_connection_is_half_open_as_soon_as_its_client_is_known(cluster: Cluster) -> None:
    with (
        cluster.faults.network(client_id="app").half_open() as fault,
        RawClient(cluster, 1, "app") as client,
    ):
        client.send(VERSIONS, 3)
        fault.wait_hit()
        eventually(lambda: parked(cluster))
        assert not has_answer(client)


def test_who_hangs_up_on_a_vanished_peer_is_gone(cluster: Cluster) -> None:
    cluster.faults.network(broker=1).half_open()
    with RawClient(cluster, 1, "app") as client:
        client.send(VERSIONS, 3)
    eventually(lambda: not cluster.do(lambda: [c for c in cluster.server.connections if not c.gone()]))


# -- reset ----------------------------------------------------------------------------------------------


def test_connections_are_reset_once(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "app") as first, RawClient(cluster, 2, "app") as second:
        assert works(first)
        assert works(second)
        fault = cluster.faults.network(client_id="app", broker=2).reset()
        assert is_reset(second)
        assert works(first)
        with RawClient(cluster, 2, "app") as again:
            assert works(again)
        assert fault.hits == 1


# -- silence --------------------------------------------------------------------------------------------


def test_a_broker_accepts_says_nothing_and_answers_when_it_is_healed(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "old") as old:
        assert works(old)
        fault = cluster.faults.network(broker=1).accept_then_silence()
        with RawClient(cluster, 1, "new") as new:
            new.send(VERSIONS, 3)
            fault.wait_hit()
            eventually(lambda: parked(cluster))
            assert works(old)
            assert not has_answer(new)
            fault.remove()
            assert new.answer(VERSIONS, 3).error_code == 0
            assert works(new)


def test_one_client_is_met_with_silence_from_its_first_request_on(cluster: Cluster) -> None:
    fault = cluster.faults.network(client_id="app").accept_then_silence()
    with RawClient(cluster, 1, "app") as app, RawClient(cluster, 1, "other") as other:
        app.send(VERSIONS, 3)
        app.send(metadata("orders"), 9)
        fault.wait_hit()
        assert works(other)
        assert not has_answer(app)
        fault.remove()
        assert app.answer(VERSIONS, 3).error_code == 0
        assert app.answer(metadata("orders"), 9).topics


# -- bandwidth ------------------------------------------------------------------------------------------


def test_bytes_of_a_slow_client_take_their_time_in_both_directions(cluster: Cluster) -> None:
    leader = cluster.leader_of("orders").id
    now_ms = cluster.do(lambda: cluster.world.patience.now)
    with (
        cluster.faults.network(client_id="mobile").bandwidth("10 KiB/s") as fault,
        RawClient(cluster, leader, "mobile") as client,
        RawClient(cluster, leader, "other") as other,
    ):
        assert works(client)  # from here on the broker knows who it is
        done = threading.Event()

        def upload() -> None:
            assert client.ask(produce("orders", b"x" * 102_400), 9).responses
            done.set()

        thread = threading.Thread(target=upload)
        thread.start()
        # Nobody waits ten seconds: patience is moved as far as each step wants.
        while not done.is_set():
            cluster.do(cluster.world.patience.advance, 50)
            assert works(other)
        thread.join()
        taken_ms = cluster.do(lambda: cluster.world.patience.now) - now_ms
        assert fault.hits == 1
    assert taken_ms >= 10_000
    assert cluster.topic("orders").values() == [b"x" * 102_400]


def test_a_slow_line_that_is_healed_gives_the_rest_at_once(cluster: Cluster) -> None:
    fault = cluster.faults.network(client_id="mobile").bandwidth("1 B/s")
    with RawClient(cluster, 1, "mobile") as client:
        client.send(VERSIONS, 3)
        fault.wait_hit()
        client.send(VERSIONS, 3)
        assert not has_answer(client)
        fault.remove()
        assert client.answer(VERSIONS, 3).error_code == 0
        assert client.answer(VERSIONS, 3).error_code == 0


def test_a_slow_line_may_be_slow_for_longer_than_a_request_may_take(cluster: Cluster) -> None:
    cluster.faults.network(client_id="mobile").bandwidth("1 B/s")
    with RawClient(cluster, 1, "mobile") as client:
        client.send(VERSIONS, 3)
        eventually(
            lambda: cluster.do(lambda: [c.trouble for c in cluster.server.connections if c.trouble]) != []
        )

        def look_tomorrow() -> int:
            for connection in cluster.server.connections:
                connection.look(1e9, 0.0)
            return len(cluster.server.connections)

        assert cluster.do(look_tomorrow) == 1


# -- refused ----------------------------------------------------------------------------------------------


def test_a_broker_refuses_whoever_comes_and_serves_who_is_there(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "app") as client:
        assert works(client)
        with cluster.faults.network(broker=1).refuse() as fault:
            assert fault.hits == 1
            with pytest.raises(ConnectionRefusedError):
                RawClient(cluster, 1, "late")
            with RawClient(cluster, 2, "late") as elsewhere:
                assert works(elsewhere)
            assert works(client)
        with RawClient(cluster, 1, "late") as late:
            assert works(late)


def test_a_broker_that_refuses_may_crash_and_restart_and_still_refuses(cluster: Cluster) -> None:
    fault = cluster.faults.network(broker=1).refuse()
    again = cluster.faults.network(broker=[1, 2], name="again").refuse()
    cluster.broker(1).crash()
    cluster.broker(1).restart()
    for refusing in (fault, again):
        with pytest.raises(ConnectionRefusedError):
            RawClient(cluster, 1, "app")
        refusing.remove()
    for broker in (1, 2):
        with RawClient(cluster, broker, "app") as client:
            assert works(client)


def test_a_broker_that_is_down_stays_down_when_it_refuses_no_more(cluster: Cluster) -> None:
    with cluster.faults.network(broker=1).refuse():
        cluster.broker(1).crash()
    with pytest.raises(ConnectionRefusedError):
        RawClient(cluster, 1, "app")
    cluster.broker(1).restart()
    with RawClient(cluster, 1, "app") as client:
        assert works(client)


# -- several rules ------------------------------------------------------------------------------------------


def test_the_first_rule_acts_and_when_it_is_gone_the_next(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "app") as client:
        assert works(client)
        silent = cluster.faults.network(client_id="app", name="silent").half_open()
        slow = cluster.faults.network(broker=1, name="slow").bandwidth("1 MB/s")
        assert (silent.hits, slow.hits) == (1, 0)
        assert "1 was taken by a rule armed earlier" in slow.explain()
        silent.remove()
        assert is_reset(client)
    first = cluster.faults.network(client_id="app", name="first").accept_then_silence()
    with RawClient(cluster, 1, "app") as client:
        client.send(VERSIONS, 3)
        # It is slow from the moment it is open, before anybody knows whose it is.
        slow.wait_hit()
        assert client.answer(VERSIONS, 3).error_code == 0
        assert first.hits == 0
        slow.remove()


def test_a_reset_of_the_cluster_heals_everything(cluster: Cluster) -> None:
    cluster.faults.network(broker=1).refuse()
    cluster.faults.network(source=1, to=2).partition()
    cluster.faults.network(broker=2).accept_then_silence()
    cluster.reset()
    for broker in (1, 2):
        with RawClient(cluster, broker, "app") as client:
            assert works(client)
    assert sorted(cluster.topic("orders").partition(0).isr) == [1, 2]


def test_a_cluster_ends_whatever_its_network_is_like() -> None:
    with Cluster(brokers=2) as cluster:
        cluster.faults.network(client_id="slow").bandwidth("1 B/s")
        cluster.faults.network(client_id="silent").half_open()
        cluster.faults.network(client_id="unheard", broker=1).accept_then_silence()
        clients = [RawClient(cluster, 1, name) for name in ("slow", "silent", "unheard")]
        for client in clients:
            client.send(VERSIONS, 3)
        for fault in cluster.faults:
            fault.wait_hit()
    for client in clients:
        # Whatever still comes, it ends.
        with client, suppress(ConnectionResetError):
            while client.socket.recv(100):
                pass


# -- rules in words and as data -------------------------------------------------------------------------------


def test_a_rule_that_never_acts_tells_what_it_nearly_met(cluster: Cluster) -> None:
    fault = cluster.faults.network(client_id="apps").half_open()
    assert fault.explain() == "armed but never hit: network client_id=apps; no connection was seen"
    with RawClient(cluster, 1, "app") as client:
        assert works(client)
        assert fault.explain() == (
            "armed but never hit: network client_id=apps; "
            "1 connection, none from client 'apps' (they were from: app)"
        )
        assert cluster.faults.unfired() == [fault.explain()]
    fault.remove()


def test_the_history_tells_what_befell_whom(cluster: Cluster) -> None:
    with RawClient(cluster, 1, "app") as client:
        assert works(client)
        cluster.faults.network(client_id="app", name="cut").partition()
        assert is_reset(client)
    told = [event.text for event in cluster.history]
    assert "fault cut: the connection of app to broker 1 is broken" in told
    assert "arm network client_id=app: partition" in told


def test_rules_go_through_json_and_come_back(cluster: Cluster) -> None:
    network = cluster.faults.network
    network(client_id=["a", "b"], broker=1, optional=True, name="1").partition()
    network(client_id="a", optional=True, name="2").half_open()
    network(optional=True, name="3").reset()
    network(client_id="a", optional=True, name="4").bandwidth("1.5 KiB/s")
    network(broker=[1, 2], optional=True, name="5").accept_then_silence()
    network(broker=2, name="6").refuse()
    network(source=1, to="controller", name="7").partition()
    data = json.loads(json.dumps(cluster.faults.dump()))
    cluster.faults.clear()
    cluster.faults.load(data)
    assert cluster.faults.dump() == data
    assert data["faults"][3] == {
        "network": "*", "client_id": "a", "do": "bandwidth", "rate": "1536 B/s", "name": "4", "optional": True,
    }  # fmt: skip
    assert data["faults"][6]["to"] == "controller"
    cluster.faults.clear()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"network": "Produce", "do": "reset"}, "network = 'Produce': the network knows no requests"),
        ({"network": "*", "do": "drop"}, "drop befalls requests, and not connections"),
        ({"network": "*", "topic": "t", "do": "reset"}, "topic: a rule on `network` has no such matcher"),
        ({"network": "*", "nth": 2, "do": "reset"}, "nth: a rule on `network` has no such matcher"),
        ({"network": "*", "client": "a", "do": "reset"}, "did you mean client_id?"),
        ({"network": "*", "broker": 9, "do": "reset"}, "broker=9: there are the brokers [1, 2]"),
        ({"network": "*", "client_id": "a", "do": "refuse"}, "a broker does not know who knocks"),
        ({"network": "*", "source": 1, "broker": 2, "do": "partition"}, "give one or the other"),
        ({"network": "*", "source": 1, "do": "half_open"}, "half_open is for clients"),
        (
            {"network": "*", "source": 1, "to": 1, "do": "partition"},
            "nothing lies between a broker and itself",
        ),
        ({"network": "*", "do": "bandwidth"}, "do='bandwidth' needs rate"),
        ({"network": "*", "do": "bandwidth", "rate": "fast"}, "'fast' is no rate: write '10 KiB/s'"),
        ({"on": "Fetch", "do": "half_open"}, "half_open befalls connections, and not requests"),
        ({"between": "FollowerFetch", "do": "partition"}, "partition befalls connections, and not requests"),
    ],
)
def test_what_makes_no_sense_is_refused(cluster: Cluster, table: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        cluster.faults.load([table])
    assert said in str(refused.value)
    assert len(cluster.faults) == 0
