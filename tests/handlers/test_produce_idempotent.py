"""Produce from idempotent producers: what is a duplicate, what a gap, and what survives a failover."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.world import SIMULATION_START_MS as NOW
from mockbroker.protocol.errors import ErrorCode
from tests.core.simulation import ALL, LEADER, Asked, Simulation
from tests.handlers.produced import AT_THE_LOG, offsets, orders_from_1, refusal


@pytest.fixture
def sim() -> Simulation:
    return orders_from_1()


def idempotent(sim: Simulation, sequence: int, count: int = 1, epoch: int = 0, **more: Any) -> Asked:
    return sim.produce(*[b"v"] * count, producer=(5, epoch, sequence), **more)


@pytest.mark.parametrize("acks", [ALL, LEADER])
def test_a_batch_sent_again_is_acknowledged_with_its_first_offset(sim: Simulation, acks: int) -> None:
    for sequence in range(3):
        idempotent(sim, sequence, acks=acks, timestamp=NOW - sequence)
    again = sim.produce(b"other", producer=(5, 0, 1), acks=acks).only
    # The time is the stored batch's, although the topic keeps the producers' times.
    assert (again.error_code, offsets(again)) == (ErrorCode.NONE, (2, NOW - 1, 1))
    assert sim.leader().log.end == 4


def test_a_gap_is_out_of_order(sim: Simulation) -> None:
    idempotent(sim, 0)
    assert refusal(idempotent(sim, 2)) == (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, AT_THE_LOG)
    assert idempotent(sim, 1).only.error_code == ErrorCode.NONE


def test_the_last_five_batches_are_remembered(sim: Simulation) -> None:
    for sequence in range(7):
        idempotent(sim, sequence)
    codes = [idempotent(sim, sequence).only.error_code for sequence in range(7)]
    assert codes == [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER] * 2 + [ErrorCode.NONE] * 5


@pytest.mark.parametrize(("sequence", "count"), [(0, 1), (0, 4), (1, 2), (2, 2)])
def test_half_a_duplicate_is_out_of_order(sim: Simulation, sequence: int, count: int) -> None:
    idempotent(sim, 0, count=3)
    assert idempotent(sim, sequence, count).only.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_new_epoch_begins_at_sequence_0_and_fences_the_old_one(sim: Simulation) -> None:
    idempotent(sim, 0)
    assert idempotent(sim, 3, epoch=1).only.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert idempotent(sim, 0, epoch=1).only.error_code == ErrorCode.NONE
    assert refusal(idempotent(sim, 0)) == (ErrorCode.INVALID_PRODUCER_EPOCH, AT_THE_LOG)
    assert idempotent(sim, 0, epoch=5).only.error_code == ErrorCode.NONE
    assert idempotent(sim, 1, epoch=1).only.error_code == ErrorCode.INVALID_PRODUCER_EPOCH


def test_sequences_wrap(sim: Simulation) -> None:
    last = 2**31 - 1
    assert idempotent(sim, last - 1).only.error_code == ErrorCode.NONE
    across = [idempotent(sim, last, count=3).only.base_offset for _ in range(2)]
    assert across == [2, 2]
    assert idempotent(sim, 2).only.base_offset == 5
    assert idempotent(sim, last - 1).only.base_offset == 1


def test_a_producer_that_nobody_knows_may_begin_anywhere(sim: Simulation) -> None:
    assert sim.produce(b"v", producer=(4711, 3, 77)).only.error_code == ErrorCode.NONE
    for producer, ends in (((-1, 0, 4), (3, 4)), ((4712, -1, 0), (5, 5)), ((4712, -1, 7), (6, 6))):
        # Without an id nothing is known again; without an epoch it is, and any sequence may follow.
        for end in ends:
            assert sim.produce(b"v", producer=producer).only.error_code == ErrorCode.NONE
            assert sim.leader().log.end == end


def test_a_failover_keeps_what_the_new_leader_has_copied(sim: Simulation) -> None:
    idempotent(sim, 0)
    assert idempotent(sim, 1).only.base_offset == 2
    sim.world.crash(1)
    assert sim.partition().leader == 2
    assert idempotent(sim, 1).only.base_offset == 2
    assert idempotent(sim, 2).only.base_offset == 3


def test_a_batch_that_the_new_leader_lacks_is_appended_once(sim: Simulation) -> None:
    sim.freeze(2, 3)
    idempotent(sim, 7, acks=LEADER)
    sim.world.crash(1)
    sim.catch_up(2, 3)
    assert [idempotent(sim, 7).only.base_offset for _ in range(2)] == [1, 1]
    assert sim.log(2) == [b"v"]


def test_with_part_of_the_history_lost_the_next_batch_is_a_gap(sim: Simulation) -> None:
    idempotent(sim, 0)
    sim.freeze(2, 3)
    idempotent(sim, 1, acks=LEADER)
    sim.world.crash(1)
    assert idempotent(sim, 2).only.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_an_idle_producer_is_forgotten(sim: Simulation) -> None:
    sim = Simulation(config={"producer.id.expiration.ms": 8_000})
    sim.topic()
    idempotent(sim, 0, epoch=3, timestamp=NOW)
    sim.advance(20 * 60_000)
    assert idempotent(sim, 77, epoch=3).only.error_code == ErrorCode.NONE
    assert idempotent(sim, 78, epoch=2).only.error_code == ErrorCode.INVALID_PRODUCER_EPOCH


def test_deleting_records_does_not_delete_what_is_known_of_their_producer(sim: Simulation) -> None:
    idempotent(sim, 0)
    sim.leader().advance_start(2)
    sim.world.settle()
    assert idempotent(sim, 2).only.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert offsets(idempotent(sim, 0).only)[::2] == (1, 2)
    assert idempotent(sim, 1).only.base_offset == 2


def test_a_duplicate_waits_for_the_batch_that_it_repeats(sim: Simulation) -> None:
    sim.freeze(2, 3)
    idempotent(sim, 0, acks=LEADER)
    again = idempotent(sim, 0)
    assert not again.answered
    sim.catch_up(2, 3)
    assert again.only.base_offset == 1
