"""What tests of Produce have in common: how they read its answers."""

from __future__ import annotations

from mockbroker.protocol.messages.produce import ProducedPartition
from tests.core.simulation import Asked, Simulation

# What an answer says of a log that the batch did not reach, and of one that refused it (it began at 1).
NOWHERE = (-1, -1, -1)
AT_THE_LOG = (-1, -1, 1)


def orders_from_1() -> Simulation:
    """`orders` on three brokers, whose log starts at 1, so that a real log start is not mistaken for none."""
    simulation = Simulation()
    simulation.topic(min_insync_replicas="2")
    simulation.produce(b"deleted")
    simulation.leader().advance_start(1)
    simulation.world.settle()
    return simulation


def offsets(answer: ProducedPartition) -> tuple[int, int, int]:
    """Base offset, append time and log start."""
    return answer.base_offset, answer.log_append_time_ms, answer.log_start_offset


def refusal(asked: Asked) -> tuple[int, tuple[int, int, int]]:
    """The error of the only partition, and its offsets."""
    return asked.only.error_code, offsets(asked.only)
