"""The clusters that most tests of handlers begin with."""

import pytest

from tests.core.simulation import Simulation


@pytest.fixture
def sim() -> Simulation:
    """Three brokers, and `orders`: one partition on all three, acks=all needs two."""
    simulation = Simulation()
    simulation.topic(min_insync_replicas="2")
    return simulation
