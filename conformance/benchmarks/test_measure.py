"""What is said about numbers: interleaving, ratios within a round, aims reached or not.  No broker is started."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from confluent_kafka.admin import AdminClient

from conformance.benchmarks import report
from conformance.benchmarks.measure import Aim, Measure, Result, Series, run
from conformance.benchmarks.peers import OURS, Peer, Target


def target(name: str) -> Target:
    peer = Peer(name, lambda: contextlib.nullcontext(""))
    return Target(peer, "", AdminClient({"bootstrap.servers": "localhost:1", "log_level": 0}))


def ignore(_: str) -> None:
    pass


def by_name(act: Callable[[str], float]) -> Callable[[Target], float]:
    return lambda target: act(target.peer.name)


def test_rounds_are_interleaved_and_the_first_does_not_count() -> None:
    order: list[str] = []

    def sample(name: str) -> float:
        order.append(name)
        return len(order)

    result = run(Measure("m", "ms", by_name(sample)), [target(OURS), target("mock")], 2, tell=ignore)
    assert order == [OURS, "mock"] * 3
    assert result.series[OURS].values == [3, 5]


def test_a_peer_that_fails_is_left_out_and_the_others_go_on() -> None:
    def sample(name: str) -> float:
        if name == "mock":
            raise ValueError("no such thing")
        return 1.0

    result = run(Measure("m", "ms", by_name(sample)), [target(OURS), target("mock")], 3, tell=ignore)
    assert result.failures == {"mock": "ValueError: no such thing"}
    assert result.series[OURS].values == [1.0] * 3


def test_a_ratio_is_taken_within_a_round_and_not_between_medians() -> None:
    result = Result(Measure("m", "ms", by_name(lambda _: 0.0)))
    result.series = {OURS: Series([2.0, 40.0, 6.0]), "mock": Series([1.0, 20.0, 6.0])}
    assert result.ratios("mock") == [2.0, 2.0, 1.0]
    assert result.ratio("mock") == 2.0


def test_a_ratio_with_a_peer_that_was_not_there_is_none_and_its_aim_is_not_called_reached() -> None:
    result = Result(Measure("m", "ms", by_name(lambda _: 0.0), aims=(Aim(1.0, "kafka"),)))
    result.series = {OURS: Series([2.0])}
    assert result.ratio("kafka") is None
    assert "not measured" in report.table([result], ["kafka"])


def test_more_is_better_turns_an_aim_around() -> None:
    series = {OURS: Series([95.0]), "mock": Series([100.0])}
    for more_is_better, good in ((True, True), (False, False)):
        measure = Measure(
            "m", "", by_name(lambda _: 0.0), more_is_better=more_is_better, aims=(Aim(0.9, "mock"),)
        )
        assert [verdict.good for verdict in Result(measure, dict(series)).verdicts()] == [good]


def test_an_aim_without_a_peer_is_about_our_own_figure() -> None:
    result = Result(
        Measure("m", "ms", by_name(lambda _: 0.0), aims=(Aim(10),)), {OURS: Series([3.0, 4.0, 50.0])}
    )
    assert result.verdicts()[0].reached == 4.0
    assert "<= 10 ms: reached" in report.table([result], [])
