"""The history: what happened in order, bounded, and readable."""

from __future__ import annotations

from mockbroker.core.clock import Clock
from mockbroker.core.history import History
from tests.core.simulation import Simulation


def test_requests_and_acts_are_told_in_their_order(sim: Simulation) -> None:
    sim.world.history.events.clear()
    sim.produce(b"v")
    sim.world.crash(2)
    sim.advance(5)
    sim.fetch()
    lines = sim.world.history.dump().splitlines()
    start = sim.world.clock.now - 5
    assert lines[0].startswith(f"{start} broker 1 connection 1 app: Produce v12 #")
    assert lines[1] == f"{start} broker 2: crash"
    assert lines[2].startswith(f"{start + 5} broker 1 connection 1 app: Fetch v12 #")


def test_outcomes_are_kept_for_those_who_want_them(sim: Simulation) -> None:
    sim.produce(b"v")
    assert "log_start_offset=0" in sim.world.history.events[-1].outcome
    sim.world.history.outcomes = False
    sim.produce(b"v")
    assert sim.world.history.events[-1].outcome == "ProduceResponse"


def test_a_wait_is_told_when_it_is_over(sim: Simulation) -> None:
    asked = sim.fetch(0, max_wait_ms=500)
    before = len(sim.world.history.events)
    sim.wait(500)
    assert asked.answered
    assert len(sim.world.history.events) == before + 1


def test_a_long_run_forgets_its_beginning_and_says_so() -> None:
    history = History(Clock(0), limit=3)
    for n in range(5):
        history.note(1, f"act {n}")
    assert [event.act for event in history.events] == ["act 2", "act 3", "act 4"]
    assert history.dropped == 2
