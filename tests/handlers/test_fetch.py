"""Fetch as a real broker answers it: what is given, what is refused, and what is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import (
    FetchedPartition,
    FetchPartition,
    FetchRequest,
    FetchTopic,
)
from mockbroker.records.builder import ControlType, build_control_batch
from tests.core.simulation import INT32_MAX, LEADER, TOPIC, Asked, Simulation, batch_of, values_in

READ_COMMITTED = 1
RACK_AWARE = "org.apache.kafka.common.replica.RackAwareReplicaSelector"


@pytest.fixture
def sim() -> Simulation:
    """`orders`, without a minimum of replicas, and in it two batches: offsets 0-2 and 3-4."""
    simulation = Simulation()
    simulation.topic()
    simulation.produce(b"a", b"b", b"c")
    simulation.produce(b"d", b"e")
    return simulation


def marks(part: FetchedPartition) -> tuple[int, int, int]:
    return part.high_watermark, part.last_stable_offset, part.log_start_offset


def size(part: FetchedPartition) -> int:
    return len(part.records or b"")


def fetch_all(sim: Simulation, *parts: FetchPartition, to: int = 1, version: int = 12, **how: Any) -> Asked:
    topics = [FetchTopic(topic=TOPIC, topic_id=sim.topic_id(), partitions=list(parts))]
    return sim.ask(FetchRequest(**{"min_bytes": 1, **how}, topics=topics), to=to, version=version)


# -- what is given -----------------------------------------------------------------------------------


def test_a_fetch_inside_of_a_batch_brings_the_whole_batch(sim: Simulation) -> None:
    assert sim.read(1) == [b"a", b"b", b"c", b"d", b"e"]
    assert sim.read(4) == [b"d", b"e"]


def test_the_answer_says_how_far_the_log_goes(sim: Simulation) -> None:
    part = sim.fetch().only
    assert marks(part) == (5, 5, 0)
    assert part.aborted_transactions is None
    assert part.preferred_read_replica == -1


@pytest.mark.parametrize("how", [{"partition_max_bytes": 0}, {"max_bytes": 0}, {"max_bytes": 1}])
def test_the_first_batch_is_given_whatever_the_limits(sim: Simulation, how: dict[str, Any]) -> None:
    assert sim.read(**how) == [b"a", b"b", b"c"]


def test_bytes_are_cut_exactly_at_the_limit(sim: Simulation) -> None:
    first, second = (batch.size for batch in sim.leader().log.batches)
    part = sim.fetch(partition_max_bytes=first + second - 1).only
    assert size(part) == first + second - 1
    assert values_in(part.records) == [b"a", b"b", b"c"]


def test_what_one_partition_takes_another_does_not_get() -> None:
    sim = Simulation()
    sim.topic(assignments=[[1], [1]])
    for index in (0, 1):
        sim.produce(bytes(500), index=index)
    used = sim.leader().log.batches[0].size
    parts = [FetchPartition(partition=index, partition_max_bytes=INT32_MAX) for index in (1, 0)]
    answered = fetch_all(sim, *parts, max_bytes=used + 100).response.responses[0].partitions
    # The order of the request decides, and a partition that gives nothing gives no fragment either.
    assert [(part.partition_index, size(part)) for part in answered] == [(1, used), (0, 0)]


def test_at_the_end_there_is_nothing_and_that_is_no_error(sim: Simulation) -> None:
    part = sim.fetch(5).only
    assert (part.error_code, size(part), marks(part)) == (ErrorCode.NONE, 0, (5, 5, 0))


@pytest.mark.parametrize("offset", [6, -1, 0])
def test_beyond_its_ends_a_log_has_nothing(sim: Simulation, offset: int) -> None:
    sim.leader().advance_start(1)
    part = sim.fetch(offset).only
    assert (part.error_code, marks(part)) == (ErrorCode.OFFSET_OUT_OF_RANGE, (-1, -1, -1))
    assert part.aborted_transactions is None
    assert part.records is not None
    assert size(part) == 0


def test_a_log_that_starts_inside_of_a_batch_gives_the_whole_batch(sim: Simulation) -> None:
    sim.leader().advance_start(1)
    assert sim.read(1) == [b"a", b"b", b"c", b"d", b"e"]


def test_what_is_not_replicated_is_not_seen(sim: Simulation) -> None:
    sim.freeze(2, 3)
    sim.produce(b"f", acks=LEADER)
    assert (sim.fetch(5).only.high_watermark, sim.read(5)) == (5, [])
    assert sim.list_offset().offset == 5
    assert sim.read(6) == []
    sim.catch_up(2, 3)
    assert sim.read(5) == [b"f"]


@pytest.mark.parametrize("how", [{"partition_max_bytes": -1}, {"max_bytes": -1}])
def test_a_negative_limit_is_an_unknown_error(sim: Simulation, how: dict[str, Any]) -> None:
    assert sim.fetch(**how).only.error_code == ErrorCode.UNKNOWN_SERVER_ERROR


# -- waiting -----------------------------------------------------------------------------------------


def test_a_fetch_waits_as_long_as_it_said(sim: Simulation) -> None:
    asked = sim.fetch(5, max_wait_ms=1000)
    sim.wait(999)
    assert not asked.answered
    sim.wait(1)
    assert size(asked.only) == 0


def test_a_fetch_is_woken_when_there_is_enough(sim: Simulation) -> None:
    one = batch_of(b"f").size
    asked = sim.fetch(5, max_wait_ms=1000, min_bytes=2 * one)
    sim.produce(b"f")
    assert not asked.answered
    sim.produce(b"g")
    assert values_in(asked.only.records) == [b"f", b"g"]


def test_broker_time_does_not_end_a_wait(sim: Simulation) -> None:
    asked = sim.fetch(5, max_wait_ms=1000)
    sim.advance(3_600_000)
    assert not asked.answered


def test_what_is_not_yet_committed_wakes_nobody(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.fetch(5, max_wait_ms=1000)
    sim.produce(b"f", acks=LEADER)
    assert not asked.answered
    sim.catch_up(2, 3)
    assert values_in(asked.only.records) == [b"f"]


def test_bytes_beyond_a_partitions_limit_do_not_count(sim: Simulation) -> None:
    asked = sim.fetch(5, max_wait_ms=1000, min_bytes=200, partition_max_bytes=100)
    sim.produce(bytes(500))
    assert not asked.answered


def test_who_wants_nothing_waits_for_nothing(sim: Simulation) -> None:
    assert sim.fetch(5, max_wait_ms=0).answered
    assert sim.fetch(5, max_wait_ms=1000, min_bytes=0).answered
    assert sim.fetch(9, max_wait_ms=1000).answered
    nothing = sim.ask(FetchRequest(max_wait_ms=1000, min_bytes=1), to=1).response
    assert (nothing.session_id, nothing.responses) == (0, [])


def test_a_wait_ends_when_leadership_moves(sim: Simulation) -> None:
    asked = sim.fetch(5, max_wait_ms=1000, leader_epoch=0)
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    assert asked.only.error_code == ErrorCode.FENCED_LEADER_EPOCH


def test_a_wait_ends_when_the_topic_is_deleted(sim: Simulation) -> None:
    asked = sim.fetch(5, max_wait_ms=1000)
    sim.delete()
    assert asked.only.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_a_wait_for_records_that_are_not_committed_ends_when_they_are(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.fetch(5, max_wait_ms=1000)
    sim.produce(b"f", acks=LEADER)
    assert not asked.answered
    sim.catch_up(2, 3)
    assert asked.answered


# -- epochs ------------------------------------------------------------------------------------------


def test_an_older_epoch_is_fenced_on_every_replica_and_told_who_leads(sim: Simulation) -> None:
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    for broker in (1, 2):
        asked = sim.fetch(to=broker, leader_epoch=0, version=16)
        assert asked.only.error_code == ErrorCode.FENCED_LEADER_EPOCH
        leader = asked.only.current_leader
        assert (leader.leader_id, leader.leader_epoch) == (2, 1)
        assert [endpoint.node_id for endpoint in asked.response.node_endpoints] == [2]


def test_a_newer_epoch_is_unknown_and_gets_no_hint(sim: Simulation) -> None:
    asked = sim.fetch(leader_epoch=1, version=16)
    assert asked.only.error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
    assert asked.only.current_leader.leader_id == -1
    assert asked.response.node_endpoints == []


@pytest.mark.parametrize("epoch", [-1, -2])
def test_no_epoch_is_not_checked(sim: Simulation, epoch: int) -> None:
    assert sim.fetch(leader_epoch=epoch).only.error_code == ErrorCode.NONE


def lose_a_record(sim: Simulation) -> None:
    """Acknowledged by broker 1 in epoch 0 at offset 5, and unknown to broker 2, which leads now."""
    sim.freeze(2, 3)
    sim.produce(b"lost", acks=LEADER)
    sim.world.crash(1)
    sim.catch_up(2, 3)


def test_who_read_what_was_lost_is_told_where_histories_part(sim: Simulation) -> None:
    lose_a_record(sim)
    sim.produce(b"kept")
    part = sim.fetch(6, last_epoch=0).only
    assert (part.error_code, size(part), marks(part)) == (ErrorCode.NONE, 0, (6, 6, 0))
    assert (part.diverging_epoch.epoch, part.diverging_epoch.end_offset) == (0, 5)


def test_who_did_not_read_it_reads_on(sim: Simulation) -> None:
    lose_a_record(sim)
    sim.produce(b"kept")
    part = sim.fetch(5, last_epoch=0).only
    assert (part.diverging_epoch.epoch, values_in(part.records)) == (-1, [b"kept"])


def test_beyond_the_end_in_the_right_epoch_is_divergence_too(sim: Simulation) -> None:
    part = sim.fetch(9, last_epoch=0).only
    assert (part.diverging_epoch.epoch, part.diverging_epoch.end_offset) == (0, 5)


def test_a_last_epoch_that_never_was_is_out_of_range(sim: Simulation) -> None:
    assert sim.fetch(5, last_epoch=3).only.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


# -- followers ---------------------------------------------------------------------------------------


def test_old_clients_are_served_by_leaders_only(sim: Simulation) -> None:
    part = sim.fetch(to=2, version=10).only
    assert (part.error_code, marks(part)) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, (-1, -1, -1))


def test_a_follower_serves_what_it_knows_to_be_committed(sim: Simulation) -> None:
    sim.freeze(2)
    sim.produce(b"f", acks=LEADER)
    assert sim.read(to=2) == [b"a", b"b", b"c", b"d", b"e"]
    assert sim.fetch(6, to=2).only.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_a_fetch_may_wait_at_a_follower(sim: Simulation) -> None:
    asked = sim.fetch(5, to=3, max_wait_ms=1000)
    sim.produce(b"f")
    assert values_in(asked.only.records) == [b"f"]


def test_who_holds_no_replica_says_who_leads() -> None:
    sim = Simulation(4)
    sim.topic()
    asked = sim.fetch(to=4, version=16)
    assert asked.only.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert (asked.only.current_leader.leader_id, asked.only.current_leader.leader_epoch) == (1, 0)
    assert [endpoint.node_id for endpoint in asked.response.node_endpoints] == [1]


@pytest.fixture
def racks() -> Simulation:
    """Three brokers in three racks, and a selector that looks at them."""
    config = {"replica.selector.class": RACK_AWARE}
    simulation = Simulation(config=config, racks={1: "r1", 2: "r2", 3: "r3"})
    simulation.topic()
    simulation.produce(b"a")
    return simulation


@pytest.mark.parametrize("offset", [0, 1])
def test_the_leader_names_a_replica_in_the_clients_rack(racks: Simulation, offset: int) -> None:
    part = racks.fetch(offset, rack="r2", max_wait_ms=1000).only
    assert (part.preferred_read_replica, size(part), part.high_watermark) == (2, 0, 1)


@pytest.mark.parametrize("rack", ["r1", "r9", ""])
def test_without_a_nearer_replica_the_leader_serves(racks: Simulation, rack: str) -> None:
    assert racks.read(rack=rack) == [b"a"]


def test_the_follower_serves_its_rack(racks: Simulation) -> None:
    assert racks.read(rack="r2", to=2) == [b"a"]
    assert racks.fetch(2, rack="r2", to=2).only.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_a_replica_out_of_sync_is_not_named(racks: Simulation) -> None:
    racks.world.crash(2)
    assert racks.read(rack="r2") == [b"a"]


def test_without_a_selector_nobody_is_named() -> None:
    sim = Simulation(racks={1: "r1", 2: "r2", 3: "r3"})
    sim.topic()
    sim.produce(b"a")
    assert sim.read(rack="r2") == [b"a"]


# -- topic ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic_id", [bytes(16), b"x" * 16])
def test_an_unknown_topic_id_is_told_so(sim: Simulation, topic_id: bytes) -> None:
    topic = FetchTopic(topic_id=topic_id, partitions=[FetchPartition(partition=0)])
    asked = sim.ask(FetchRequest(topics=[topic]), to=1, version=13)
    assert asked.only.error_code == ErrorCode.UNKNOWN_TOPIC_ID


@pytest.mark.parametrize(("topic", "index"), [("nothing", 0), (TOPIC, 7)])
def test_an_unknown_place_is_told_so(sim: Simulation, topic: str, index: int) -> None:
    asked = sim.fetch(topic=topic, index=index, to=1)
    assert asked.only.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


# -- transactions ------------------------------------------------------------------------------------


def transactional(sim: Simulation, producer_id: int, sequence: int = 0) -> None:
    """Append a record of an open transaction, as its leader would after the checks that need a coordinator."""
    sim.leader().append(batch_of(b"t", producer=(producer_id, 0, sequence), transactional=True))
    sim.world.settle()


def end(sim: Simulation, producer_id: int, how: ControlType) -> None:
    marker = build_control_batch(
        how, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, timestamp=0
    )
    sim.leader().append(marker)
    sim.world.settle()


def test_an_open_transaction_hides_itself_and_what_follows(sim: Simulation) -> None:
    transactional(sim, 5)
    sim.produce(b"plain")
    committed = sim.fetch(5, isolation=READ_COMMITTED).only
    assert (marks(committed), size(committed), committed.aborted_transactions) == ((7, 5, 0), 0, [])
    assert sim.read(5) == [b"t", b"plain"]
    waiting = sim.fetch(5, isolation=READ_COMMITTED, max_wait_ms=1000)
    sim.produce(b"plain")
    assert not waiting.answered
    end(sim, 5, ControlType.COMMIT)
    assert values_in(waiting.only.records) == [b"t", b"plain", b"plain"]
    assert sim.fetch(5, isolation=READ_COMMITTED).only.last_stable_offset == 9


def test_a_decision_counts_when_it_is_replicated(sim: Simulation) -> None:
    transactional(sim, 5)
    sim.freeze(2, 3)
    end(sim, 5, ControlType.COMMIT)
    assert sim.leader().last_stable_offset == 5
    sim.catch_up(2, 3)
    assert sim.leader().last_stable_offset == 7


def test_aborted_transactions_are_listed_up_to_their_marker(sim: Simulation) -> None:
    for producer_id in (5, 6):
        transactional(sim, producer_id)
    end(sim, 5, ControlType.ABORT)
    end(sim, 6, ControlType.ABORT)

    def aborted(offset: int) -> list[tuple[int, int]]:
        listed = sim.fetch(offset, isolation=READ_COMMITTED).only.aborted_transactions
        return [(one.producer_id, one.first_offset) for one in listed]

    assert aborted(0) == aborted(7) == [(5, 5), (6, 6)]
    assert aborted(8) == [(6, 6)]
    assert aborted(9) == []
    assert sim.fetch().only.aborted_transactions is None


def test_a_marker_is_given_like_any_batch(sim: Simulation) -> None:
    transactional(sim, 5)
    end(sim, 5, ControlType.COMMIT)
    stored = sim.leader().log.batches[-1]
    assert size(sim.fetch(6).only) == stored.size == 78
    assert (stored.attributes, stored.base_sequence, stored.base_offset) == (0x30, -1, 6)
