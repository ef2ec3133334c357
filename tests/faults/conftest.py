import pytest

from tests.faults.meddling import Meddled


@pytest.fixture
def sim() -> Meddled:
    sim = Meddled()
    sim.topic()
    return sim
