"""The cluster and the producer that stories of transactions begin with."""

from __future__ import annotations

import pytest

from tests.core.simulation import Simulation
from tests.core.transactions.payer import FIRST, SECOND, Payer, code, coordinated


@pytest.fixture
def sim() -> Simulation:
    """Three brokers, `orders` with two partitions, and both kinds of coordinators."""
    sim = Simulation()
    sim.topic(assignments=[(1, 2, 3), (2, 3, 1)], min_insync_replicas="2")
    coordinated(sim)
    return sim


@pytest.fixture(params=[FIRST, SECOND], ids=["first protocol", "second protocol"])
def payer(request: pytest.FixtureRequest, sim: Simulation) -> Payer:
    payer = Payer(sim, versions=request.param)
    assert code(payer.begin()) == "NONE"
    return payer
