"""OffsetForLeaderEpoch: where each epoch ended, and who may say so."""

from __future__ import annotations

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.offsets import (
    EpochEndOffsetPartition,
    OffsetForLeaderEpochPartition,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochTopic,
)
from tests.core.simulation import LEADER, TOPIC, Simulation


@pytest.fixture
def sim() -> Simulation:
    simulation = Simulation()
    simulation.topic()
    return simulation


def ask(
    sim: Simulation,
    epoch: int,
    *,
    current: int = -1,
    to: int | None = None,
    topic: str = TOPIC,
    version: int = 4,
) -> EpochEndOffsetPartition:
    part = OffsetForLeaderEpochPartition(partition=0, current_leader_epoch=current, leader_epoch=epoch)
    topics = [OffsetForLeaderEpochTopic(topic=topic, partitions=[part])]
    target = sim.partition().leader if to is None else to
    body = OffsetForLeaderEpochRequest(replica_id=-1, topics=topics)
    answer: EpochEndOffsetPartition = sim.ask(body, to=target, version=version).only
    return answer


def move(sim: Simulation, *leaders: int) -> None:
    for leader in leaders:
        sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
        sim.world.settle()


def test_each_epoch_ends_where_the_next_one_begins(sim: Simulation) -> None:
    sim.produce(b"in epoch 0")
    move(sim, 2, 3, 1)
    sim.produce(b"in epoch 3")
    move(sim, 1)
    answers = {epoch: ask(sim, epoch) for epoch in (0, 1, 2, 3, 4, 9)}
    assert {epoch: (a.leader_epoch, a.end_offset) for epoch, a in answers.items()} == {
        0: (0, 1),
        1: (0, 1),
        2: (0, 1),
        3: (3, 2),
        # Broker 1 leads in it and has not written yet.
        4: (4, 2),
        9: (-1, -1),
    }


def test_an_epoch_from_before_the_log_ends_where_the_log_begins(sim: Simulation) -> None:
    move(sim, 2)
    sim.produce(b"in epoch 1")
    answer = ask(sim, 0)
    assert (answer.leader_epoch, answer.end_offset) == (0, 0)


def test_the_end_may_lie_beyond_what_is_committed(sim: Simulation) -> None:
    sim.freeze(2, 3)
    sim.produce(b"v", acks=LEADER)
    assert ask(sim, 0).end_offset == 1
    assert sim.leader().high_watermark == 0


def test_epochs_of_the_client_are_checked_before_the_role(sim: Simulation) -> None:
    move(sim, 2)
    for broker in (1, 2):
        assert ask(sim, 0, current=0, to=broker).error_code == ErrorCode.FENCED_LEADER_EPOCH
        assert ask(sim, 0, current=2, to=broker).error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
    refused = ask(sim, 0, current=1, to=1)
    assert (refused.error_code, refused.leader_epoch, refused.end_offset) == (
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        -1,
        -1,
    )


def test_an_unknown_topic_is_told_so(sim: Simulation) -> None:
    assert ask(sim, 0, topic="nothing").error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
