"""A broker that stands still: what reaches it when it goes on, and what does not."""

import pytest

from tests.core.simulation import LEADER, Simulation


@pytest.mark.parametrize(("stood_ms", "reached"), [(0, [b"kept", b"first"]), (501, [b"kept"])])
def test_only_the_fetch_under_way_brings_a_paused_follower_anything(
    stood_ms: int, reached: list[bytes]
) -> None:
    """Its leader has answered that fetch with nothing after half a second, and there is no other."""
    sim = Simulation()
    sim.topic(assignments=[[1, 2]])
    sim.produce(b"kept")
    sim.world.pause(2)
    sim.advance(stood_ms)
    sim.produce(b"first", acks=LEADER)
    sim.produce(b"second", acks=LEADER)
    sim.world.crash(1)
    sim.world.resume(2)
    assert sim.log(2) == reached
