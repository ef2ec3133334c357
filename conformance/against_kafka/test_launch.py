"""A launched Kafka can be hurt and healed. Costs a start and Kafka's nine seconds to forget a dead node."""

from __future__ import annotations

import pytest

from conformance.against_kafka.launch import KafkaCluster
from conformance.against_kafka.ready import known_to, served_by


@pytest.mark.slow
def test_a_node_crashes_and_comes_back_and_sleeps_and_wakes(request: pytest.FixtureRequest) -> None:
    version = request.config.getoption("--against-kafka")
    if not version:
        pytest.skip("starts a real Kafka: say which with --against-kafka=VERSION")
    with KafkaCluster(version) as kafka:
        port = kafka.ports[1]
        known = known_to(port)
        assert known is not None
        assert known.brokers == {1}
        assert {0, 1, 3, 18} <= served_by(port)

        kafka.crash(1)
        assert known_to(port) is None
        with pytest.raises(ValueError, match="not running"):
            kafka.pause(1)
        kafka.restart(1)
        assert known_to(port) == known

        kafka.pause(1)
        assert known_to(port) is None
        kafka.resume(1)
        assert known_to(port) == known
