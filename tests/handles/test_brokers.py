from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from mockbroker import Cluster, UsageError
from tests.handles.members import RawClient
from tests.server.wire import VERSIONS


def refuses(cluster: Cluster, broker: int) -> bool:
    try:
        socket.create_connection(cluster.server.addresses[broker], 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_broker_knows_its_address_and_rack(make_mockbroker: Callable[..., Cluster]) -> None:
    cluster = make_mockbroker(brokers=[7, 9], racks=["east", "west"])
    assert [broker.id for broker in cluster.brokers] == [7, 9]
    assert [broker.rack for broker in cluster.brokers] == ["east", "west"]
    assert ",".join(broker.address for broker in cluster.brokers) == cluster.bootstrap
    assert repr(cluster.broker(7)) == "<Broker 7>"


def test_handles_of_one_broker_are_equal(
    mockbroker: Cluster, make_mockbroker: Callable[..., Cluster]
) -> None:
    assert mockbroker.broker(1) == mockbroker.broker(1) != mockbroker.broker(2)
    assert mockbroker.broker(1) != make_mockbroker().broker(1)
    assert len({mockbroker.broker(1), mockbroker.broker(1)}) == 1


def test_a_crashed_broker_refuses_and_loses_its_partitions_until_it_is_restarted(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    leader = mockbroker.leader_of("orders")
    address = leader.address
    leader.crash()
    assert [leader.running] == [False]
    assert refuses(mockbroker, leader.id)
    assert mockbroker.leader_of("orders") != leader
    leader.restart()
    assert [leader.running] == [True]
    assert leader.address == address
    assert not refuses(mockbroker, leader.id)
    assert sorted(mockbroker.topic("orders").partition(0).isr) == [1, 2, 3]


def test_a_death_may_be_noticed_late(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    leader = mockbroker.leader_of("orders")
    leader.crash(noticed="9s")
    assert mockbroker.topic("orders").partition(0).leader == leader.id
    mockbroker.clock.advance("8999ms")
    assert mockbroker.topic("orders").partition(0).leader == leader.id
    mockbroker.clock.advance("1ms")
    assert mockbroker.topic("orders").partition(0).leader != leader.id


@pytest.mark.mockbroker(defaults="kafka")
def test_with_kafkas_defaults_a_death_is_noticed_when_its_session_ends(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    partition = mockbroker.topic("orders").partition(0)
    leader = partition.leader
    mockbroker.broker(leader).crash()
    assert partition.leader == leader
    mockbroker.clock.advance("9s")
    assert partition.leader != leader


def test_a_paused_broker_answers_when_it_is_resumed(mockbroker: Cluster) -> None:
    broker = mockbroker.broker(1)
    with RawClient(mockbroker, 1, "patient") as client:
        broker.pause()
        assert not broker.running
        client.send(VERSIONS, 3)
        assert mockbroker.broker(2).running
        broker.resume()
        assert client.answer(VERSIONS, 3).error_code == 0


def test_a_pause_is_noticed_like_a_death(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    leader = mockbroker.leader_of("orders")
    leader.pause(noticed="1s")
    assert mockbroker.leader_of("orders") == leader
    mockbroker.clock.advance("1s")
    assert mockbroker.leader_of("orders") != leader


def test_an_isolated_broker_talks_to_clients_and_to_nobody_else(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create()
    deposed = mockbroker.leader_of("orders")
    deposed.isolate()
    topic.append(None, "written without it")
    assert mockbroker.leader_of("orders") != deposed
    assert topic.partition(0).replica(deposed.id).end_offset == 0
    with RawClient(mockbroker, deposed.id, "a client") as client:
        assert client.ask(VERSIONS, 3).error_code == 0
    deposed.heal()
    assert topic.partition(0).replica(deposed.id).end_offset == 1


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda c: c.broker(9), "there is no broker 9: there are [1, 2, 3]"),
        (lambda c: (c.broker(1).crash(), c.broker(1).crash()), "broker 1 is down: restart() it first"),
        (lambda c: (c.broker(1).crash(), c.broker(1).pause()), "broker 1 is down: restart() it first"),
        (lambda c: (c.broker(1).crash(), c.broker(1).resume()), "broker 1 is down: restart() it first"),
        (lambda c: c.broker(1).restart(), "broker 1 is running: crash() it first"),
        (lambda c: c.broker(1).resume(), "broker 1 is not paused: pause() it first"),
        (lambda c: (c.broker(1).pause(), c.broker(1).pause()), "broker 1 is paused: resume() it first"),
        (lambda c: c.broker(1).crash(noticed="soon"), "'soon' is no duration: write '45s', '200ms', '2m'"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    mockbroker: Cluster, mistake: Callable[[Cluster], object], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        mistake(mockbroker)


# -- slow, and wrong about the time ---------------------------------------------------------------


def test_a_slow_broker_keeps_its_own_clients_waiting_and_nobody_elses(mockbroker: Cluster) -> None:
    slow, other = mockbroker.broker(1), mockbroker.broker(2)
    slow.slow("1h")
    with RawClient(mockbroker, 1, "waits") as waits, RawClient(mockbroker, 2, "goes on") as goes_on:
        waits.send(VERSIONS, 3)
        assert goes_on.ask(VERSIONS, 3).error_code == 0
        assert (slow.running, other.running) == (True, True)
        # Its clients wait by their own time; a broker's clock has nothing to do with it.
        mockbroker.clock.advance("2h")
        waiting = mockbroker.do(lambda: [c.waits_for() for c in mockbroker.server.connections if c.parked])
        assert [why.partition(": ")[0].partition(" at ")[0] for why in waiting if why] == ["waits"]
        assert "broker 1 is slow, by 3600000 ms" in str(waiting)
        mockbroker.do(lambda: mockbroker.world.patience.advance(3_600_000))
        assert waits.answer(VERSIONS, 3).error_code == 0
        slow.slow(0)
        assert waits.ask(VERSIONS, 3).error_code == 0


@pytest.mark.parametrize("cure", [lambda c: c.broker(1).heal(), lambda c: c.reset()], ids=["heal", "reset"])
def test_a_broker_is_well_again_after_a_cure(mockbroker: Cluster, cure: Callable[[Cluster], None]) -> None:
    mockbroker.broker(1).slow("1h")
    mockbroker.broker(1).skew("-1h")
    cure(mockbroker)
    with RawClient(mockbroker, 1, "client") as client:
        assert client.ask(VERSIONS, 3).error_code == 0
    assert mockbroker.world.nodes[1].wall_ms == mockbroker.world.clock.now


def test_records_bear_the_time_of_the_broker_that_appended_them(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create(config={"message.timestamp.type": "LogAppendTime"})
    mockbroker.clock.freeze()
    producer = mockbroker.ghost_producer()
    producer.send("orders", "1")
    mockbroker.leader_of("orders").skew("-2s")
    producer.send("orders", "2")
    mockbroker.leader_of("orders").skew(3)
    producer.send("orders", "3")
    first, second, third = (record.timestamp for record in topic.records())
    assert (second - first, third - first) == (-2_000, 3_000)


def test_what_a_test_appends_bears_the_brokers_own_time(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    mockbroker.clock.freeze()
    mockbroker.leader_of("orders").skew("-2s")
    mockbroker.topic("orders").append("k", "v")
    (record,) = mockbroker.topic("orders").records()
    assert record.timestamp == round(mockbroker.clock.now * 1_000) - 2_000


def test_a_broker_that_is_ahead_deletes_too_early(mockbroker: Cluster) -> None:
    topic = mockbroker.topic("orders")
    topic.create(config={"retention.ms": 3_600_000})
    mockbroker.clock.freeze()
    topic.append("k", "v")
    mockbroker.clock.advance("30m")
    assert len(topic.records()) == 1
    mockbroker.leader_of("orders").skew("40m")
    mockbroker.clock.advance("10m")  # beyond the next check
    assert topic.records() == []


def test_a_skew_may_be_a_number_of_seconds(mockbroker: Cluster) -> None:
    mockbroker.clock.freeze()
    mockbroker.broker(1).skew(-1.5)
    assert mockbroker.world.nodes[1].wall_ms == mockbroker.world.clock.now - 1_500
    with pytest.raises(UsageError, match="is no duration"):
        mockbroker.broker(1).skew("-soon")
