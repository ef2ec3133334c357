"""The plugin beside other ways to write and to run tests: Hypothesis, unittest, asyncio, trio, xdist."""

from __future__ import annotations

import importlib.util

import pytest

from tests.plugin import Run, runner


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(pytester, monkeypatch)


# -- Hypothesis ---------------------------------------------------------------------------------------

GIVEN = """
    from hypothesis import assume, given, settings, strategies as st, HealthCheck

    quick = settings(
        max_examples=5, deadline=None, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
"""


def test_a_cluster_of_an_example_ends_with_it(run: Run) -> None:
    run(
        GIVEN
        + """
    seen = []

    @given(st.integers(1, 3))
    @quick
    def test_examples(make_mockbroker, brokers):
        for earlier in seen:
            try:
                earlier.topic("orders").create()
            except Exception as closed:
                assert "this cluster is closed" in str(closed)
            else:
                raise AssertionError("it is still open")
        seen.append(make_mockbroker(brokers=brokers))
        seen[-1].topic("orders").create()

    def test_there_were_several():
        assert len(seen) > 1
    """
    ).assert_outcomes(passed=2)


def test_a_plain_cluster_needs_no_fixture_and_no_suppressed_health_check(run: Run) -> None:
    run("""
        from hypothesis import given, settings, strategies as st
        from mockbroker import Cluster

        @given(st.integers(1, 3))
        @settings(max_examples=3, deadline=None, database=None)
        def test_examples(brokers):
            with Cluster(brokers=brokers, seed=brokers) as cluster:
                cluster.topic("orders").create()
    """).assert_outcomes(passed=1)


def test_an_example_that_fails_shows_its_own_cluster_and_no_other(run: Run) -> None:
    result = run(
        GIVEN
        + """
    @given(st.integers(1, 3))
    @quick
    def test_examples(make_mockbroker, brokers):
        cluster = make_mockbroker(brokers=brokers)
        cluster.topic("orders").create()
        assert brokers < 2
    """
    )
    result.assert_outcomes(failed=1)
    titles = [line for line in result.outlines if "mockbroker timeline" in line]
    assert len(titles) == 1
    assert "2 brokers" in titles[0]
    result.stdout.fnmatch_lines(["*test * create orders p=1 rf=2"])


def test_an_example_whose_fault_never_acts_is_a_failing_example(run: Run) -> None:
    result = run(
        GIVEN
        + """
    @given(st.booleans())
    @quick
    def test_examples(make_mockbroker, idle):
        cluster = make_mockbroker(brokers=1)
        if idle:
            cluster.faults.on("Produce").drop()
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*a fault that this test has armed never acted, so nothing was shown by it:", "*idle=True*"]
    )


def test_an_example_that_is_set_aside_owes_nothing(run: Run) -> None:
    result = run(
        GIVEN
        + """
    @given(st.integers())
    @settings(quick, suppress_health_check=list(HealthCheck))
    def test_examples(make_mockbroker, n):
        make_mockbroker(brokers=1).faults.on("Produce").drop()
        assume(False)
    """
    )
    # Hypothesis complains that no example was left, and we of nothing.
    result.assert_outcomes(failed=1)
    assert "fault that this test has armed" not in result.stdout.str()


# -- unittest -------------------------------------------------------------------------------------------


def test_a_unittest_may_use_the_fixtures(run: Run) -> None:
    result = run("""
        import unittest
        import pytest

        class TestBilling(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _cluster(self, mockbroker):
                self.kafka = mockbroker

            @pytest.mark.mockbroker(brokers=2)
            def test_marked(self):
                self.assertEqual(len(self.kafka.brokers), 2)

            def test_fails(self):
                self.kafka.topic("orders").create()
                self.fail("on purpose")
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*- mockbroker timeline (*, 3 brokers) -*", "*test * create orders p=1 rf=3"]
    )


def test_a_unittest_without_pytest_closes_by_itself_and_names_who_it_left_behind(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_plain="""
        import socket
        import unittest
        from mockbroker import Cluster

        class TestBilling(unittest.TestCase):
            def setUp(self):
                self.kafka = Cluster(brokers=1, topics={"orders": 1}).start()
                self.addCleanup(self.kafka.close)

            def test_it(self):
                host, port = self.kafka.bootstrap.split(":")
                client = socket.create_connection((host, int(port)))
                self.addClassCleanup(client.close)
                while not self.kafka.do(lambda: self.kafka.server.connections):
                    pass
    """
    )
    result = pytester.runpython_c("import unittest; unittest.main(module='test_plain')")
    assert result.ret == 0
    result.stderr.fnmatch_lines(
        ["1 connection still open: without a client.id, opened t+* ms, to broker 1", "OK"]
    )


# -- asyncio --------------------------------------------------------------------------------------------

AIO = """
    import asyncio
    import contextlib
    import aiokafka

    @contextlib.asynccontextmanager
    async def billing(cluster):
        settings = cluster.config.aiokafka(group="billing", auto_offset_reset="latest")
        consumer = aiokafka.AIOKafkaConsumer("orders", **settings)
        await consumer.start()
        reading = asyncio.create_task(read(consumer))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await consumer.stop()

    async def read(consumer):
        async for _ in consumer:
            await consumer.commit()
"""


def run_apart(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    """In a process of its own: aiokafka leaves connections for the garbage collector to complain of."""
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider")


def test_an_asyncio_test_awaits_in_a_thread_while_its_app_runs_in_the_loop(
    pytester: pytest.Pytester,
) -> None:
    run_apart(
        pytester,
        AIO
        + """
    def test_it(mockbroker):
        mockbroker.topic("orders").create()

        async def story():
            group = mockbroker.group("billing")
            async with billing(mockbroker):
                await asyncio.to_thread(group.wait_positioned, timeout="20s")
                mockbroker.topic("orders").append("o-1", b"paid")
                await asyncio.to_thread(group.wait_committed, "orders", {0: 1}, timeout="20s")

        asyncio.run(story())
    """,
    ).assert_outcomes(passed=1)


def test_a_wait_that_blocks_the_apps_own_loop_says_so(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        AIO
        + """
    def test_it(mockbroker):
        mockbroker.topic("orders").create()

        async def story():
            async with billing(mockbroker):
                mockbroker.topic("orders").wait_records(1, timeout="10ms")

        asyncio.run(story())
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*WaitTimeout: waited 0.01 s for 1 records in orders; instead: it has 0",
            "E*this wait has blocked an asyncio loop, and whatever runs in it: await asyncio.to_thread(*",
        ]
    )


# -- trio -------------------------------------------------------------------------------------------------


def test_a_trio_test_has_its_cluster_in_its_own_loop(run: Run) -> None:
    run("""
        import trio
        from mockbroker import open_cluster

        def test_it():
            async def story():
                async with open_cluster(topics=["orders"], seed=7) as cluster, trio.open_nursery() as nursery:
                    @nursery.start_soon
                    async def produce():
                        cluster.topic("orders").append("o-1", b"paid")

                    (record,) = await cluster.topic("orders").wait_records(1)
                    assert record.value == b"paid"

            trio.run(story)
    """).assert_outcomes(passed=1)


def test_a_trio_test_may_use_the_fixture_from_a_thread(run: Run) -> None:
    run("""
        import trio

        def test_it(mockbroker):
            async def story():
                await trio.to_thread.run_sync(mockbroker.topic("orders").create)
                assert await trio.to_thread.run_sync(lambda: mockbroker.topic("orders").exists)

            trio.run(story)
    """).assert_outcomes(passed=1)


# -- xdist ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_two_workers_never_meet_on_a_port_and_have_the_same_ids(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import os
        import pytest

        @pytest.mark.parametrize("n", range(6))
        def test_it(mockbroker, n, tmp_path):
            mockbroker.topic("orders").create()
            told = f"{os.environ['PYTEST_XDIST_WORKER']} {mockbroker.seed} {mockbroker.bootstrap}"
            (pytester_path() / f"told-{n}").write_text(told)

        def pytester_path():
            from pathlib import Path
            return Path(__file__).parent
    """)
    result = pytester.runpytest_subprocess("-n", "2", "-p", "no:cacheprovider", "--mockbroker-seed=7")
    result.assert_outcomes(passed=6)
    told = [(pytester.path / f"told-{n}").read_text().split() for n in range(6)]
    assert {seed for _, seed, _ in told} == {"7"}
    assert len({worker for worker, _, _ in told}) == 2
    ports = [address for _, _, bootstrap in told for address in bootstrap.split(",")]
    assert len(set(ports)) == len(ports) == 18
