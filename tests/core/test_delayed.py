"""Waits: what they say of themselves, and that nothing of them is left when they are over.

When each of them ends is told in tests/handlers, where somebody waits for the answer.
"""

from __future__ import annotations

import pytest

from mockbroker.core.delayed import DelayedProduce, Written
from mockbroker.protocol.errors import ErrorCode
from tests.core.simulation import LEADER, Simulation, batch_of


def watchers(sim: Simulation) -> int:
    return len(sim.leader()._watchers)  # noqa: SLF001 - nobody else needs to know who watches


def test_a_produce_says_for_what_it_waits(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v", b"w")
    assert asked.why == "a produce waits for the in-sync replicas to have orders-0 up to offset 1"


def test_a_fetch_says_for_what_it_waits_and_what_it_has(sim: Simulation) -> None:
    asked = sim.fetch(0, max_wait_ms=1000, min_bytes=1000)
    assert asked.why == "a fetch waits for 1000 bytes, has 0: orders-0 from 0"
    sim.produce(b"v")
    size = sim.leader().log.batches[0].size
    assert asked.why == f"a fetch waits for 1000 bytes, has {size}: orders-0 from 0"


@pytest.mark.parametrize("ends", ["enough", "patience", "leadership"])
def test_nothing_is_left_of_a_wait_that_is_over(sim: Simulation, ends: str) -> None:
    sim.freeze(2, 3)
    produced, fetched = sim.produce(b"v"), sim.fetch(0, max_wait_ms=1000)
    assert watchers(sim) == 2
    replica = sim.leader()
    if ends == "enough":
        sim.catch_up(2, 3)
    elif ends == "patience":
        sim.wait(60_000)
    else:
        sim.world.controller.move_leader("orders", 0, 2, unclean=False)
        sim.world.settle()
    assert produced.answered
    assert fetched.answered
    assert replica._watchers == []  # noqa: SLF001 - as above
    assert sim.world.patience.next_due is None


def test_a_produce_that_is_committed_within_its_step_sets_no_timer(sim: Simulation) -> None:
    set_off: list[int | None] = []
    sim.world.patience.on_earlier = lambda: set_off.append(sim.world.patience.next_due)
    sim.produce(b"v")
    assert set_off == []
    sim.freeze(2, 3)
    sim.produce(b"v")
    assert len(set_off) == 1


def test_what_is_committed_with_too_few_in_sync_is_told_so(sim: Simulation) -> None:
    """It takes a watermark that was passed before the minimum grew: rare, but then it is error 20."""
    sim.produce(b"v")
    for broker in (2, 3):
        sim.world.crash(broker)
    failed: list[ErrorCode] = []
    replica = sim.leader()
    written = Written(replica, replica.leader_epoch, 1, failed.append)
    waiting = DelayedProduce(sim.world.nodes[1], [written], "answer", patience_ms=1000)
    sim.world.settle()
    assert waiting.ticket.result == "answer"
    assert failed == [ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND]


def test_a_wait_looks_at_nothing_that_did_not_move(sim: Simulation) -> None:
    sim.topic("other", [[1]])
    asked = sim.fetch(0, max_wait_ms=1000)
    sim.produce(b"v", topic="other")
    assert not asked.answered
    sim.leader().append(batch_of(b"v"))
    sim.world.settle()
    assert asked.answered


def test_of_two_who_wait_for_the_same_both_are_answered(sim: Simulation) -> None:
    asked = [sim.fetch(0, max_wait_ms=1000) for _ in range(2)]
    sim.produce(b"v", acks=LEADER)
    assert [one.answered for one in asked] == [True, True]
