"""The examples in docstrings: an editor shows them, so they are true."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockbroker import Cluster, cluster, controls, options
from mockbroker.handles import (
    brokers,
    client_configs,
    effects,
    ghosts,
    groups,
    history,
    ledger,
    partitions,
    topics,
    transactions,
)
from tests.handles.members import members

MODULES = [
    brokers,
    client_configs,
    cluster,
    controls,
    effects,
    ghosts,
    groups,
    history,
    ledger,
    options,
    partitions,
    topics,
    transactions,
]
EXAMPLES = [
    example
    for module in MODULES
    for example in doctest.DocTestFinder(exclude_empty=True).find(module)
    if example.examples and "async with" not in example.examples[0].source
]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[dict[str, object]]:
    """What an example finds: three brokers, a topic with a record, and a group of one that has committed it."""
    with Cluster(topics={"orders": 6}) as cluster:
        cluster.topic("orders").append("o-1", "paid", partition=0)
        with members(cluster, "app-a") as (member,):
            member.commit("orders", {0: 1})
            yield {"cluster": cluster, "tmp": tmp_path}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name.removeprefix("mockbroker."))
def test_an_example_does_what_it_shows(example: doctest.DocTest, stage: dict[str, object]) -> None:
    said = list[str]()
    example.globs.update(stage)
    result = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert result.failed == 0, "".join(said)


def test_every_act_and_question_of_a_handle_has_an_example() -> None:
    shown = {example.name for example in EXAMPLES}
    for handle in (
        groups.GroupControls,
        groups.Group,
        ghosts.Ghost,
        ghosts.ProducerGhost,
        ghosts.PayerGhost,
        client_configs.ClientConfigs,
        topics.TopicControls,
        topics.Topic,
        partitions.Partition,
        history.HistoryControls,
        history.History,
    ):
        for name, member in vars(handle).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                assert f"{handle.__module__}.{handle.__name__}.{name}" in shown
