"""`--mockbroker-external`: one test file, and what of it is run against a Kafka that is not ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbroker import Cluster
from tests.plugin import Run, runner


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(pytester, monkeypatch)


@pytest.fixture
def kafka() -> Iterator[Cluster]:
    """The Kafka out there; as far as the run inside knows, a real one."""
    with Cluster(brokers=2) as cluster:
        yield cluster


FILE = """
    import pytest

    def test_topics(mockbroker):
        mockbroker.topic("orders").create(partitions=2)
        mockbroker.topic("orders").append("o-1", b"paid")
        assert mockbroker.topic("orders").wait_records(1)[0].value == b"paid"
        assert mockbroker.group("billing").committed == {}
        assert mockbroker.config.confluent()["bootstrap.servers"] == mockbroker.bootstrap

    @pytest.mark.mockbroker(topics={"bills": 3}, seed=5, strict_faults=False)
    def test_settings_that_mean_nothing_there(mockbroker):
        assert len(mockbroker.topic("bills").partitions) == 3

    def test_faults(mockbroker):
        mockbroker.faults.on("Produce", optional=True).drop()

    def test_time(mockbroker):
        mockbroker.clock.advance("45s")

    def test_ghosts(mockbroker):
        mockbroker.group("billing").join_ghost(topics=["orders"])

    def test_partitions(mockbroker):
        mockbroker.topic("orders").create()
        mockbroker.topic("orders").partition(0).freeze_followers()

    def test_verdicts(mockbroker):
        mockbroker.check()

    @pytest.mark.mockbroker(config={"group.max.size": 3})
    def test_broker_settings(mockbroker):
        pass

    @pytest.mark.mockbroker(brokers=3)
    def test_brokers(mockbroker):
        pass

    def test_two(make_mockbroker):
        make_mockbroker(), make_mockbroker()
"""


def test_the_same_file_runs_against_either_and_what_only_we_can_do_is_skipped_with_the_reason(
    run: Run, kafka: Cluster
) -> None:
    run(FILE).assert_outcomes(passed=10)
    result = run(FILE, "-rs", f"--mockbroker-external={kafka.bootstrap}")
    result.assert_outcomes(passed=2, skipped=8)
    result.stdout.fnmatch_lines([f"mockbroker: the real Kafka at {kafka.bootstrap}"])
    prefix = f"not on the real Kafka at {kafka.bootstrap}: "
    reasons = {line.split(prefix, 1)[1] for line in result.outlines if prefix in line}
    assert reasons == {
        "cluster.faults is something that only mockbroker can do",
        "cluster.clock is something that only mockbroker can do",
        "group(...).join_ghost is something that only mockbroker can do",
        "topic(...).partition is something that only mockbroker can do",
        "cluster.check is something that only mockbroker can do",
        "config={'group.max.size': 3} is for clusters of mockbroker's own",
        "the test wants 3 brokers, and there are 2",
        "the test wants another cluster beside it",
    }
    assert not kafka.topic("orders").exists


def test_a_failure_there_is_a_failure_and_has_no_timeline(run: Run, kafka: Cluster) -> None:
    result = run(
        """
        def test_it(mockbroker):
            mockbroker.topic("orders").wait_records(1)
    """,
        f"--mockbroker-external={kafka.bootstrap}",
        "--mockbroker-wait=0",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*WaitTimeout: waited 0 s for 1 records in orders; instead: there is no*"])
    assert "mockbroker timeline" not in result.stdout.str()


def test_the_shared_cluster_is_cleaned_between_tests(run: Run, kafka: Cluster) -> None:
    run(
        """
        def test_one(mockbroker_session):
            mockbroker_session.topic("orders").create()

        def test_two(mockbroker_session):
            assert not mockbroker_session.topic("orders").exists
            mockbroker_session.topic("orders").create()
    """,
        f"--mockbroker-external={kafka.bootstrap}",
    ).assert_outcomes(passed=2)
    assert not kafka.topic("orders").exists


def test_an_address_that_is_none_ends_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCKBROKER_EXTERNAL", "somewhere")
    result = run("def test(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mockbroker-external: 'somewhere' is no address of a Kafka: *"])
