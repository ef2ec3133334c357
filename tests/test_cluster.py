from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial

import pytest
import trio

from mockbroker import Cluster, UsageError
from mockbroker.server.bugs import BrokerBug
from mockbroker.waiting import Condition, WaitTimeout
from tests.bugs import break_api_versions, meet_the_bug
from tests.handles.members import RawClient, members
from tests.server.wire import VERSIONS


def test_a_cluster_is_there_inside_its_block() -> None:
    with Cluster(brokers=2, topics={"orders": 6}) as cluster:
        assert len(cluster.bootstrap.split(",")) == 2
        assert len(cluster.topic("orders").partitions) == 6
        host, port = cluster.bootstrap.split(",")[1].split(":")
        socket.create_connection((host, int(port)), 5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 5)


def test_a_cluster_may_be_started_and_closed_by_hand() -> None:
    cluster = Cluster(brokers=1)
    assert not cluster.is_open
    assert cluster.start() is cluster
    with pytest.raises(UsageError, match=r"^this cluster was started already: make another one$"):
        cluster.start()
    cluster.close()
    cluster.close()


def test_a_cluster_that_is_not_open_says_so() -> None:
    cluster = Cluster()
    cluster.close()
    not_open = r"^this cluster is not open: use it inside its `with` block, or call start\(\)$"
    for use in (lambda: cluster.bootstrap, cluster.topic("orders").create, cluster.reset):
        with pytest.raises(UsageError, match=not_open):
            use()
    with cluster:
        pass
    with pytest.raises(UsageError, match=r"^this cluster is closed"):
        cluster.topic("orders").create()


def test_a_cluster_that_cannot_start_leaves_nothing_behind() -> None:
    threads = threading.active_count()
    with pytest.raises(UsageError, match=r"^topic 'a/b' cannot be created"):
        Cluster(topics=["a/b"]).start()
    with Cluster(brokers=1) as cluster:
        taken = int(cluster.bootstrap.split(":")[1])
        with pytest.raises(UsageError, match=rf"port {taken} on 127\.0\.0\.1 is already in use"):
            Cluster(brokers=1, ports=[taken]).start()
    assert threading.active_count() == threads


def test_a_seed_is_told_and_makes_the_same_ids_again() -> None:
    with Cluster() as cluster:
        first = cluster.world.controller.image.cluster_id
    assert repr(cluster) == f"<Cluster of 3 brokers, seed {cluster.seed}>"
    assert Cluster(seed=cluster.seed).world.controller.image.cluster_id == first


def test_leaders_coordinators_and_the_controller_are_brokers(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    assert mockbroker.leader_of("orders") == mockbroker.leader_of("orders", 0)
    assert mockbroker.leader_of("orders").id == mockbroker.topic("orders").partition(0).leader
    coordinator = mockbroker.coordinator_of("billing")
    with members(mockbroker, "a") as (member,):
        assert member.heartbeat() == 0  # it is the one that members find
    coordinator.crash()
    assert mockbroker.coordinator_of("billing") != coordinator
    controller = mockbroker.controller
    assert controller in mockbroker.brokers


def test_a_group_has_no_coordinator_when_every_broker_is_down(mockbroker: Cluster) -> None:
    for broker in mockbroker.brokers:
        broker.crash()
    with pytest.raises(UsageError, match=r"^group 'billing' has no coordinator now: restart\(\) a broker"):
        mockbroker.coordinator_of("billing")


def test_the_history_tells_requests_and_acts(mockbroker: Cluster) -> None:
    with RawClient(mockbroker, 1, "app") as client:
        client.ask(VERSIONS, 3)
    mockbroker.broker(2).crash()
    (request,) = mockbroker.history.events("ApiVersions")
    (act,) = [event for event in mockbroker.history if event.kind == "act"]
    assert (request.broker, request.client_id) == (1, "app")
    assert (act.broker, act.text) == (2, "crash")


def test_many_threads_may_use_one_cluster(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    start = threading.Barrier(8)

    def work(name: int) -> None:
        start.wait()
        for _ in range(20):
            mockbroker.topic("orders").append(str(name), "v")
            mockbroker.topic("orders").end_offset()
        mockbroker.topic("orders").wait_records(160)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.offset for record in mockbroker.topic("orders").records()] == list(range(160))


def test_a_thread_that_waits_when_the_cluster_closes_is_told() -> None:
    told = list[Exception]()

    def wait() -> None:
        try:
            cluster.wait(Condition("godot", lambda: None, lambda: "a tree"), timeout="200ms")
        except (UsageError, WaitTimeout) as error:
            told.append(error)

    with Cluster() as cluster:
        waiter = threading.Thread(target=wait)
        waiter.start()
    waiter.join()
    assert len(told) == 1


def test_a_reset_cluster_is_as_new_but_for_its_ports(make_mockbroker: Callable[..., Cluster]) -> None:
    cluster = make_mockbroker(topics={"orders": 2})
    bootstrap = cluster.bootstrap
    cluster.topic("orders").append(None, "old")
    cluster.topic("orders").alter_config(min_insync_replicas=2)
    cluster.topic("bills").create()
    with members(cluster, "a") as (member,):
        member.commit("orders", {0: 1})
    cluster.clock.freeze()
    cluster.broker(1).crash()
    cluster.broker(2).pause()
    cluster.broker(3).isolate()
    cluster.reset()
    assert cluster.bootstrap == bootstrap
    assert [broker.running for broker in cluster.brokers] == [True] * 3
    assert not cluster.clock.frozen
    assert not cluster.topic("bills").exists
    assert len(cluster.topic("orders").partitions) == 2
    assert cluster.topic("orders").records() == []
    assert cluster.topic("orders").config == {}
    assert sorted(cluster.topic("orders").partition(0).isr) == [1, 2, 3]
    group = cluster.group("billing")
    assert (group.state, group.committed, group.history()) == ("Dead", {}, [])
    # All there is, is that it was made anew.
    assert [event.text for event in cluster.history] == ["create orders p=2 rf=3"]
    with members(cluster, "a") as (member,):
        member.commit("orders", {0: 5})
        assert group.committed == {("orders", 0): 5}


def test_a_bug_of_ours_is_raised_at_the_end_with_the_request_that_met_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_api_versions(monkeypatch)
    cluster = Cluster(brokers=1).start()
    meet_the_bug(cluster)
    with pytest.raises(BrokerBug) as raised:
        cluster.close()
    bug = str(raised.value)
    assert bug.startswith("this is a bug in mockbroker, please report it: ZeroDivisionError: an invariant")
    assert "ApiVersions v3" in bug
    assert "client_software_name='test'" in bug
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_bug_is_raised_beside_the_failure_that_it_caused(monkeypatch: pytest.MonkeyPatch) -> None:
    def test() -> None:
        with Cluster(brokers=1) as cluster:
            meet_the_bug(cluster)
            raise AssertionError("the test noticed")

    break_api_versions(monkeypatch)
    with pytest.raises(BrokerBug) as raised:
        test()
    assert isinstance(raised.value.__context__, AssertionError)


def test_several_bugs_are_raised_together(monkeypatch: pytest.MonkeyPatch) -> None:
    break_api_versions(monkeypatch)
    cluster = Cluster(brokers=1).start()
    for _ in range(2):
        meet_the_bug(cluster)
    with pytest.raises(ExceptionGroup, match="bugs in mockbroker") as raised:
        cluster.close()
    assert [type(bug) for bug in raised.value.exceptions] == [BrokerBug, BrokerBug]


def test_a_bug_may_be_raised_sooner_and_then_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    break_api_versions(monkeypatch)
    with Cluster(brokers=1) as cluster:
        meet_the_bug(cluster)
        assert len(cluster.bugs) == 1
        with pytest.raises(BrokerBug):
            cluster.raise_bugs()
        assert cluster.bugs == []
        cluster.raise_bugs()


def test_a_wait_that_failed_for_a_bug_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    break_api_versions(monkeypatch)
    with Cluster(brokers=1) as cluster:
        meet_the_bug(cluster)
        with pytest.raises(
            WaitTimeout, match="\nmockbroker has a bug: this is a bug in mockbroker, please report"
        ):
            cluster.topic("orders").wait_records(1, timeout=0)
        with pytest.raises(BrokerBug):
            cluster.raise_bugs()


def test_a_trio_task_is_told_not_to_block_and_what_to_do(mockbroker: Cluster) -> None:
    blocks = (
        r"^this blocks, and a trio task must not: use `async with open_cluster\(\)`, or call it in a thread"
    )

    async def main() -> None:
        with pytest.raises(UsageError, match=blocks):
            Cluster().start()
        with pytest.raises(UsageError, match=blocks):
            mockbroker.topic("orders").create()
        await trio.to_thread.run_sync(partial(mockbroker.topic("orders").create, partitions=2))

    trio.run(main)
    assert len(mockbroker.topic("orders").partitions) == 2
