from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing

from mockbroker import UsageError, open_cluster
from mockbroker.cluster import TrioCluster
from mockbroker.options import ClusterOptions
from mockbroker.server.bugs import BrokerBug
from mockbroker.waiting import WaitTimeout
from tests.bugs import break_api_versions
from tests.scenarios.clients import Confluent, Membership
from tests.scenarios.workers import Worker, send
from tests.server.wire import VERSIONS, framed


def in_trio(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an async test; no plugin is needed for that."""

    def run() -> None:
        trio.run(test)

    run.__name__ = test.__name__
    return run


@in_trio
async def test_a_cluster_lives_in_the_loop_that_opened_it() -> None:
    async with open_cluster(brokers=2, topics={"orders": 3}, seed=7) as cluster:
        assert repr(cluster) == "<TrioCluster of 2 brokers, seed 7>"
        assert len(cluster.topic("orders").partitions) == 3
        assert cluster.topic("orders").append("k", "v", partition=1) == 0
        stream = await trio.open_tcp_stream(*cluster.server.addresses[1])
        await stream.aclose()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream(*cluster.server.addresses[1])


@in_trio
async def test_waits_are_awaited_and_end_with_what_they_waited_for() -> None:
    async with open_cluster(topics=["orders"]) as cluster, trio.open_nursery() as nursery:

        async def append_when_somebody_waits() -> None:
            await trio.testing.wait_all_tasks_blocked()
            cluster.topic("orders").append(None, "v")

        nursery.start_soon(append_when_somebody_waits)
        (record,) = await cluster.topic("orders").wait_records(1)
        assert record.value == b"v"


@in_trio
async def test_a_wait_that_fails_says_who_waits_for_what() -> None:
    async with open_cluster(wait="1ms") as cluster:
        with pytest.raises(
            WaitTimeout, match=r"^waited 0\.001 s for 1 records in orders; instead: there is no"
        ):
            await cluster.topic("orders").wait_records(1)
        for wait in (
            cluster.group("billing").wait_stable,
            cluster.group("billing").wait_positioned,
            partial(cluster.group("billing").wait_committed, "orders", {0: 1}),
        ):
            with pytest.raises(
                WaitTimeout, match=r"; instead: (nothing is committed; )?group billing has no coordinator\n"
            ):
                await wait(timeout=0)


@in_trio
async def test_real_clients_in_threads_meet_a_cluster_in_the_loop() -> None:
    async with open_cluster(topics=["orders"]) as cluster:
        group = cluster.group("billing")
        app = Worker(Confluent, Membership(cluster.bootstrap, "orders", "billing", "a"))
        app.__enter__()
        try:
            await group.wait_stable(members=1)
            await trio.to_thread.run_sync(send, Confluent, cluster.bootstrap, "orders", b"paid")
            await group.wait_committed("orders", {0: 1})
        finally:
            await trio.to_thread.run_sync(app.stop)
        assert app.values == [b"paid"]
        assert group.state == "Empty"


@in_trio
async def test_a_cluster_in_a_loop_may_be_reset() -> None:
    async with open_cluster(topics=["orders"]) as cluster:
        cluster.topic("orders").append(None, "v")
        cluster.broker(1).crash()
        cluster.reset()
        assert cluster.broker(1).running
        assert cluster.topic("orders").records() == []


@in_trio
async def test_what_the_block_raises_leaves_it_as_it_is() -> None:
    with pytest.raises(AssertionError, match="of the test"):
        async with open_cluster(brokers=1):
            raise AssertionError("a failure of the test")


@in_trio
async def test_what_cannot_be_opened_says_why_and_nothing_around_it() -> None:
    with pytest.raises(UsageError, match=r"^brokers=0: "):
        async with open_cluster(brokers=0):
            pass
    with pytest.raises(UsageError, match=r"^topic 'a/b' cannot be created"):
        async with open_cluster(topics=["a/b"]):
            pass
    async with open_cluster(brokers=1) as cluster:
        taken = cluster.server.addresses[1][1]
        with pytest.raises(UsageError, match="is already in use"):
            async with open_cluster(brokers=1, ports=[taken]):
                pass


@in_trio
async def test_cancelling_the_block_ends_the_cluster() -> None:
    with trio.move_on_after(0) as scope:
        async with open_cluster(brokers=1):
            await trio.sleep_forever()
    assert scope.cancelled_caught


def test_a_cluster_that_is_not_open_says_so() -> None:
    cluster = TrioCluster(ClusterOptions())
    assert not cluster.is_open
    with pytest.raises(
        UsageError, match=r"^this cluster is not open: use it inside `async with open_cluster\(\)`$"
    ):
        cluster.topic("orders").create()


def test_a_bug_of_ours_is_raised_at_the_end_with_the_request_that_met_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with open_cluster(brokers=1) as cluster:
            stream = await trio.open_tcp_stream(*cluster.server.addresses[1])
            async with stream:
                await stream.send_all(framed(VERSIONS, 3))
                assert await stream.receive_some() == b""

    break_api_versions(monkeypatch)
    with pytest.raises(BrokerBug, match="ApiVersions v3"):
        trio.run(main)
