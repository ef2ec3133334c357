"""Which broker is judged: mockbroker, or with `--against-kafka=VERSION` a real Kafka started for the run.

`--kafka-nodes=3` makes that a cluster; `--kafka-bootstrap` judges one that is running and leaves it so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.against_kafka.launch import KafkaCluster
from conformance.clients.targets import KafkaTarget, MockbrokerTarget, Target

# A failed verdict shows what it compared, as a failed test does.
pytest.register_assert_rewrite(
    "conformance.clients.play",
    *(f"conformance.clients.stories{kin}" for kin in ("", "_of_deaths", "_of_groups", "_of_topics")),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this directory."""
    group = parser.getgroup("conformance")
    group.addoption("--against-kafka", metavar="VERSION", help="judge a real Kafka of this release")
    group.addoption("--kafka-nodes", type=int, default=1, help="how many nodes that Kafka has (default: 1)")
    group.addoption("--all-clients", action="store_true", help="also those that are slow to build or to tell")
    group.addoption(
        "--transactions", type=int, default=40, help="how long the loops of clients are (default: 40)"
    )
    group.addoption("--kafka-bootstrap", metavar="HOST:PORT,...", help="a Kafka that is running already")
    group.addoption("--keep-results", action="store_true", help="write outcomes into conformance/results")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow clients, unless they are wanted: they would be a second run of twenty minutes."""
    if config.getoption("--all-clients"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def kafka_target(request: pytest.FixtureRequest) -> Iterator[KafkaTarget]:
    """The real Kafka of this run. One for all stories, as it takes seconds to start."""
    running = request.config.getoption("--kafka-bootstrap")
    nodes = len(running.split(",")) if running else request.config.getoption("--kafka-nodes")
    if running:
        target = KafkaTarget(running, nodes)
        yield target
        target.close()
        return
    with KafkaCluster(request.config.getoption("--against-kafka"), nodes) as kafka:
        target = KafkaTarget(kafka.bootstrap, nodes, kafka)
        yield target
        target.close()


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The broker under judgement. mockbroker gets a new cluster for each story, which costs milliseconds."""
    options = request.config.option
    if options.against_kafka or options.kafka_bootstrap:
        yield request.getfixturevalue("kafka_target")
        return
    from mockbroker import Cluster  # a run against Kafka needs no mockbroker at all

    with Cluster(brokers=3) as cluster:
        yield MockbrokerTarget(cluster)
