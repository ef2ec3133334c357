"""Produce as a real broker answers it: each refusal with its code, its offsets and its log start."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.world import SIMULATION_START_MS as NOW
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import (
    ProducedPartition,
    ProducePartition,
    ProduceRequest,
    ProduceResponse,
    ProduceTopic,
)
from mockbroker.records.batch import CONTROL, LOG_APPEND_TIME, TRANSACTIONAL, Batch
from mockbroker.records.compression import Codec
from tests.core.simulation import ALL, LEADER, NONE, TOPIC, Asked, Simulation, batch_of
from tests.records.samples import altered, legacy_entry, numbered, reheaded, with_body

HOUR_MS = 3_600_000

# What an answer says of a log that the batch did not reach, and of one that refused it (it began at 1).
NOWHERE = (-1, -1, -1)
AT_THE_LOG = (-1, -1, 1)


@pytest.fixture
def sim() -> Simulation:
    """`orders` on three brokers, whose log starts at 1, so that a real log start is not mistaken for none."""
    simulation = Simulation()
    simulation.topic(min_insync_replicas="2")
    simulation.produce(b"deleted")
    simulation.leader().advance_start(1)
    simulation.world.settle()
    return simulation


def offsets(answer: ProducedPartition) -> tuple[int, int, int]:
    return answer.base_offset, answer.log_append_time_ms, answer.log_start_offset


def refusal(asked: Asked) -> tuple[int, tuple[int, int, int]]:
    return asked.only.error_code, offsets(asked.only)


def bad_crc(batch: Batch) -> bytes:
    return bytes(batch.data[:-1]) + bytes([batch.data[-1] ^ 1])


# -- acks ---------------------------------------------------------------------------------------------


def test_records_get_consecutive_offsets_and_the_leaders_epoch(sim: Simulation) -> None:
    answers = [sim.produce(*[b"v"] * count, leader_epoch=99).only for count in (1, 3, 1)]
    assert [answer.base_offset for answer in answers] == [1, 2, 5]
    assert {answer.log_append_time_ms for answer in answers} == {-1}
    stored = sim.leader().log.batches[-2:]
    assert [batch.leader_epoch for batch in stored] == [0, 0]
    for batch in stored:
        batch.check_crc()


def test_acks_0_is_not_answered_and_the_connection_goes_on(sim: Simulation) -> None:
    asked = sim.produce(b"v", acks=NONE)
    assert asked.answered
    assert asked.outcome is None
    assert sim.log(1) == [b"v"]
    assert sim.produce(b"w").only.base_offset == 2


@pytest.mark.parametrize("how", ["unknown topic", "bad crc", "non-leader", "gap"])
def test_acks_0_that_fails_closes_the_connection(sim: Simulation, how: str) -> None:
    sim.produce(b"first", producer=(5, 0, 0))
    asked = {
        "unknown topic": lambda: sim.produce(b"v", acks=NONE, topic="nothing", to=1),
        "bad crc": lambda: sim.produce(acks=NONE, batch=bad_crc(batch_of(b"v"))),
        "non-leader": lambda: sim.produce(b"v", acks=NONE, to=2),
        "gap": lambda: sim.produce(b"v", acks=NONE, producer=(5, 0, 7)),
    }[how]()
    assert asked.closed


def test_acks_0_with_a_duplicate_is_no_failure(sim: Simulation) -> None:
    for _ in range(2):
        assert not sim.produce(b"v", acks=NONE, producer=(5, 0, 0)).closed
    assert sim.log(1) == [b"v"]


def test_acks_0_appends_to_the_good_partition_and_closes_for_the_bad_one(sim: Simulation) -> None:
    good, bad = batch_of(b"good").data, bad_crc(batch_of(b"bad"))
    sim.topic("two", [[1, 2], [1, 2]])
    parts = [ProducePartition(index=0, records=good), ProducePartition(index=1, records=bad)]
    body = ProduceRequest(acks=NONE, topic_data=[ProduceTopic(name="two", partition_data=parts)])
    assert sim.ask(body, to=1, version=9).closed
    assert sim.log(1, "two") == [b"good"]


def test_other_acks_are_refused_after_what_comes_first_and_before_the_rest(sim: Simulation) -> None:
    good = bytes(batch_of(b"v").data)
    assert refusal(sim.produce(b"v", acks=2)) == (ErrorCode.INVALID_REQUIRED_ACKS, NOWHERE)
    assert (
        refusal(sim.produce(b"v", acks=2, topic="nothing", to=1))[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    )
    assert refusal(sim.produce(acks=2, batch=good + good))[0] == ErrorCode.INVALID_RECORD
    assert refusal(sim.produce(acks=2, batch=bad_crc(batch_of(b"v"))))[0] == ErrorCode.INVALID_REQUIRED_ACKS


# -- where to -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("topic", "index"), [("nothing", 0), ("", 0), ("a b", 0), (TOPIC, 1), (TOPIC, -1)])
def test_an_unknown_place_is_told_so(sim: Simulation, topic: str, index: int) -> None:
    asked = sim.produce(b"v", topic=topic, index=index, to=1)
    assert refusal(asked) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, NOWHERE)


@pytest.mark.parametrize("topic_id", [bytes(16), b"x" * 16])
def test_an_unknown_topic_id_is_told_so(sim: Simulation, topic_id: bytes) -> None:
    part = ProducePartition(index=0, records=batch_of(b"v").data)
    body = ProduceRequest(acks=ALL, topic_data=[ProduceTopic(topic_id=topic_id, partition_data=[part])])
    assert refusal(sim.ask(body, to=1, version=13)) == (ErrorCode.UNKNOWN_TOPIC_ID, NOWHERE)


def test_version_13_goes_by_topic_id(sim: Simulation) -> None:
    asked = sim.produce(b"v", version=13)
    assert asked.only.base_offset == 1
    assert asked.response.responses[0].topic_id == sim.topic_id()


def test_partitions_are_independent(sim: Simulation) -> None:
    parts = [
        ProducePartition(index=3, records=batch_of(b"bad").data),
        ProducePartition(index=0, records=batch_of(b"good").data),
    ]
    body = ProduceRequest(acks=LEADER, topic_data=[ProduceTopic(name=TOPIC, partition_data=parts)])
    response = sim.ask(body, to=1, version=9).response
    codes = [part.error_code for part in response.responses[0].partition_responses]
    assert codes == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE]


def test_of_a_partition_named_twice_only_the_last_entry_counts(sim: Simulation) -> None:
    parts = [ProducePartition(index=0, records=batch_of(value).data) for value in (b"first", b"last")]
    body = ProduceRequest(acks=ALL, topic_data=[ProduceTopic(name=TOPIC, partition_data=parts)])
    assert sim.ask(body, to=1, version=9).only.base_offset == 1
    assert sim.log(1) == [b"last"]


def test_nothing_asked_is_nothing_answered(sim: Simulation) -> None:
    response: ProduceResponse = sim.ask(ProduceRequest(acks=ALL), to=1, version=9).response
    assert response.responses == []


@pytest.mark.parametrize("broker", [2, 4])
@pytest.mark.parametrize("version", [12, 13])
def test_who_does_not_lead_names_the_leader(broker: int, version: int) -> None:
    sim = Simulation(4, racks={1: "r1"})
    sim.topic()
    asked = sim.produce(b"v", to=broker, version=version)
    assert refusal(asked) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, NOWHERE)
    leader = asked.only.current_leader
    assert (leader.leader_id, leader.leader_epoch) == (1, 0)
    (endpoint,) = asked.response.node_endpoints
    assert (endpoint.node_id, endpoint.host, endpoint.port, endpoint.rack) == (1, "broker-1", 9091, "r1")


def test_version_9_has_no_words_for_the_leader(sim: Simulation) -> None:
    asked = sim.produce(b"v", to=2, version=9)
    assert asked.only.current_leader.leader_id == -1
    assert asked.response.node_endpoints == []


def test_without_a_leader_the_hint_has_its_epoch_and_no_address(sim: Simulation) -> None:
    for broker in (3, 2, 1):
        sim.world.crash(broker)
    sim.world.restart(3)
    # Which is no longer trusted: the last two to be in sync have yet to come back.
    assert sim.partition().leader == -1
    asked = sim.produce(b"v", to=3)
    assert asked.only.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    leader = asked.only.current_leader
    assert (leader.leader_id, leader.leader_epoch) == (-1, sim.partition().leader_epoch)
    assert asked.response.node_endpoints == []


def test_internal_topics_are_for_the_admin_client_only(sim: Simulation) -> None:
    sim.topic("__consumer_offsets", [[1]])
    refused = sim.produce(b"v", topic="__consumer_offsets")
    assert refusal(refused) == (ErrorCode.INVALID_TOPIC_EXCEPTION, NOWHERE)
    admitted = sim.produce(b"v", topic="__consumer_offsets", client="__admin_client")
    assert admitted.only.error_code == ErrorCode.NONE


# -- what a batch must be ----------------------------------------------------------------------------


def test_a_bad_checksum_is_corrupt_and_leaves_nothing(sim: Simulation) -> None:
    asked = sim.produce(batch=bad_crc(batch_of(b"v")))
    assert refusal(asked) == (ErrorCode.CORRUPT_MESSAGE, NOWHERE)
    assert asked.only.error_message is None
    assert sim.leader().log.end == 1


def test_a_base_offset_from_a_client_is_invalid(sim: Simulation) -> None:
    asked = sim.produce(b"v", base_offset=5)
    assert refusal(asked) == (ErrorCode.INVALID_RECORD, AT_THE_LOG)
    assert asked.only.record_errors == []
    assert asked.only.error_message is None


GOOD = batch_of(b"v", b"w")


@pytest.mark.parametrize(
    "batch",
    [
        altered(GOOD, count=0),
        altered(GOOD, count=-1),
        altered(GOOD, count=5),
        altered(GOOD, count=1),
        altered(GOOD, last_offset_delta=5),
        altered(GOOD, last_offset_delta=-1),
        altered(GOOD, attributes=CONTROL),
        altered(GOOD, attributes=CONTROL, producer_id=5, producer_epoch=0, base_sequence=0),
        altered(GOOD, producer_id=5, producer_epoch=0, base_sequence=-1),
    ],
)
def test_a_header_that_is_not_true_is_invalid(sim: Simulation, batch: Batch) -> None:
    assert refusal(sim.produce(batch=batch)) == (ErrorCode.INVALID_RECORD, AT_THE_LOG)


def test_offset_deltas_may_be_wrong_where_nobody_looks(sim: Simulation) -> None:
    assert sim.produce(batch=numbered([0, 1, 3])).only.error_code == ErrorCode.NONE
    asked = sim.produce(batch=numbered([0, 1, 3], Codec.GZIP))
    assert refusal(asked) == (ErrorCode.UNKNOWN_SERVER_ERROR, AT_THE_LOG)


WHOLE = bytes(GOOD.data)


@pytest.mark.parametrize(
    "data",
    [
        WHOLE + WHOLE,
        b"",
        b"0123456789",
        WHOLE[:-1],
        reheaded(GOOD, length=len(WHOLE)),
        legacy_entry(0),
        legacy_entry(1),
        reheaded(GOOD, magic=1),
    ],
)
def test_anything_but_one_whole_batch_is_invalid(sim: Simulation, data: bytes) -> None:
    assert refusal(sim.produce(batch=data)) == (ErrorCode.INVALID_RECORD, NOWHERE)


@pytest.mark.parametrize(
    "data", [reheaded(GOOD, length=10), reheaded(GOOD, length=-1), reheaded(GOOD, magic=3)]
)
def test_what_cannot_be_a_batch_is_corrupt_and_told_so(sim: Simulation, data: bytes) -> None:
    asked = sim.produce(batch=data)
    assert refusal(asked) == (ErrorCode.CORRUPT_MESSAGE, NOWHERE)
    assert asked.only.error_message


def test_what_follows_a_batch_must_look_like_one(sim: Simulation) -> None:
    assert refusal(sim.produce(batch=WHOLE + bytes(12))) == (ErrorCode.CORRUPT_MESSAGE, NOWHERE)


def test_the_beginning_of_another_batch_is_ignored(sim: Simulation) -> None:
    assert sim.produce(batch=WHOLE + WHOLE[:40]).only.error_code == ErrorCode.NONE


def test_a_batch_may_be_exactly_as_large_as_the_topic_says(sim: Simulation) -> None:
    batch = batch_of(bytes(1000))
    sim.configure(max_message_bytes=str(batch.size))
    assert sim.produce(batch=batch).only.error_code == ErrorCode.NONE
    asked = sim.produce(bytes(1001))
    assert refusal(asked) == (ErrorCode.MESSAGE_TOO_LARGE, NOWHERE)


def test_compressed_it_is_the_compressed_size_that_counts(sim: Simulation) -> None:
    sim.configure(max_message_bytes="500")
    assert sim.produce(bytes(5000), codec=Codec.GZIP).only.error_code == ErrorCode.NONE


def test_zstd_is_for_those_who_know_it(sim: Simulation) -> None:
    batch = batch_of(b"v", codec=Codec.ZSTD)
    refused = sim.produce(batch=batch, version=6)
    assert refusal(refused) == (ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, NOWHERE)
    assert sim.produce(batch=batch, version=7).only.error_code == ErrorCode.NONE


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD, 5])
def test_what_cannot_be_decompressed_is_an_unknown_error(sim: Simulation, codec: int) -> None:
    broken = altered(with_body(GOOD, b"garbage" * 9), attributes=codec)
    assert refusal(sim.produce(batch=broken)) == (ErrorCode.UNKNOWN_SERVER_ERROR, AT_THE_LOG)


def test_a_transactional_batch_without_a_transactional_id_is_not_authorized(sim: Simulation) -> None:
    for attributes in (TRANSACTIONAL, TRANSACTIONAL | CONTROL):
        batch = altered(GOOD, attributes=attributes, producer_id=5, producer_epoch=0, base_sequence=0)
        expected = (ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NOWHERE)
        assert refusal(sim.produce(batch=batch)) == expected


# -- what a topic asks of records --------------------------------------------------------------------


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.GZIP])
def test_a_compacted_topic_lists_every_record_without_a_key(sim: Simulation, codec: Codec) -> None:
    sim.topic("compacted", cleanup_policy="compact")
    batch = batch_of(*[b"v"] * 6, key=None, codec=codec)
    asked = sim.produce(batch=batch, topic="compacted")
    assert refusal(asked) == (ErrorCode.INVALID_RECORD, (-1, -1, 0))
    assert [error.batch_index for error in asked.only.record_errors] == list(range(6))
    assert asked.only.error_message
    older = sim.produce(batch=batch, topic="compacted", version=7).only
    assert (older.error_code, older.record_errors) == (ErrorCode.INVALID_RECORD, [])


def test_a_record_from_the_future_is_refused(sim: Simulation) -> None:
    asked = sim.produce(b"v", timestamp=NOW + HOUR_MS + 1)
    assert refusal(asked) == (ErrorCode.INVALID_TIMESTAMP, AT_THE_LOG)
    assert [error.batch_index for error in asked.only.record_errors] == [0]
    assert sim.produce(b"v", timestamp=NOW + HOUR_MS).only.error_code == ErrorCode.NONE


@pytest.mark.parametrize("timestamp", [-1, 0, -5])
def test_a_record_may_have_no_time_or_a_strange_one(sim: Simulation, timestamp: int) -> None:
    assert sim.produce(b"v", timestamp=timestamp).only.error_code == ErrorCode.NONE


def test_append_time_is_the_brokers(sim: Simulation) -> None:
    sim.topic("stamped", message_timestamp_type="LogAppendTime")
    answer = sim.produce(b"v", topic="stamped", timestamp=NOW - 5).only
    assert answer.log_append_time_ms == NOW
    (stored,) = sim.leader("stamped").log.batches
    assert (stored.base_timestamp, stored.max_timestamp) == (NOW - 5, NOW)
    assert stored.attributes & LOG_APPEND_TIME
    stored.check_crc()
    refused = sim.produce(b"v", topic="stamped", log_append_time=True)
    assert refused.only.error_code == ErrorCode.INVALID_TIMESTAMP


def test_a_topic_compresses_as_it_is_configured(sim: Simulation) -> None:
    sim.topic("zipped", compression_type="gzip")
    sim.produce(b"v", topic="zipped", codec=Codec.LZ4)
    sim.topic("plain", compression_type="uncompressed")
    sim.produce(b"v", topic="plain", codec=Codec.GZIP)
    assert sim.leader("zipped").log.batches[0].codec == Codec.GZIP
    assert sim.leader("plain").log.batches[0].codec == Codec.NONE


# -- idempotence --------------------------------------------------------------------------------------


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
    for producer in [(-1, 0, 4), (4712, -1, 0)]:
        for _ in range(2):
            assert sim.produce(b"v", producer=producer).only.error_code == ErrorCode.NONE
    assert sim.leader().log.end == 6


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


# -- acks=all -----------------------------------------------------------------------------------------


def shrink(sim: Simulation, *brokers: int) -> None:
    """Take brokers out of the ISR."""
    for broker in brokers:
        sim.world.crash(broker)


@pytest.mark.parametrize("producer", [(-1, -1, -1), (5, 0, 0)])
def test_with_too_few_in_sync_nothing_is_written(sim: Simulation, producer: tuple[int, int, int]) -> None:
    shrink(sim, 2, 3)
    assert refusal(sim.produce(b"v", producer=producer)) == (ErrorCode.NOT_ENOUGH_REPLICAS, AT_THE_LOG)
    assert sim.leader().log.end == 1


def test_a_single_replica_is_enough_where_there_is_only_one(sim: Simulation) -> None:
    sim.topic("single", [[1]], min_insync_replicas="2")
    assert sim.produce(b"v", topic="single").only.error_code == ErrorCode.NONE


def test_patience_ends_and_the_record_stays(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v", patience_ms=1500)
    sim.wait(1499)
    assert not asked.answered
    sim.wait(1)
    assert refusal(asked) == (ErrorCode.REQUEST_TIMED_OUT, (1, -1, 1))
    sim.catch_up(2, 3)
    assert sim.read(1) == [b"v"]


def test_one_who_waits_while_too_many_leave_runs_out_of_patience(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v", patience_ms=1500)
    sim.advance(30_001)
    assert sim.partition().isr == (1,)
    assert not asked.answered
    assert sim.leader().high_watermark == 1
    sim.wait(1500)
    assert refusal(asked) == (ErrorCode.REQUEST_TIMED_OUT, (1, -1, 1))
    assert sim.log(1) == [b"v"]


def test_with_too_few_in_sync_acks_1_writes_what_nobody_sees_yet(sim: Simulation) -> None:
    shrink(sim, 2, 3)
    assert sim.produce(b"v", acks=LEADER).only.base_offset == 1
    assert sim.leader().high_watermark == 1
    assert sim.read(1) == []
    sim.world.restart(2)
    assert sim.read(1) == [b"v"]


def test_a_slow_follower_is_waited_for_until_it_leaves_the_isr(sim: Simulation) -> None:
    sim.freeze(3)
    asked = sim.produce(b"v")
    sim.advance(29_999)
    assert not asked.answered
    sim.advance(1)
    assert sim.partition().isr == (1, 2)
    assert offsets(asked.only) == (1, -1, 1)


def test_one_who_waits_is_told_at_once_that_leadership_moved(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v")
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    assert refusal(asked) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, (1, -1, 1))
    leader = asked.only.current_leader
    assert (leader.leader_id, leader.leader_epoch) == (2, 1)
    assert [endpoint.node_id for endpoint in asked.response.node_endpoints] == [2]


def test_a_duplicate_waits_for_the_batch_that_it_repeats(sim: Simulation) -> None:
    sim.freeze(2, 3)
    idempotent(sim, 0, acks=LEADER)
    again = idempotent(sim, 0)
    assert not again.answered
    sim.catch_up(2, 3)
    assert again.only.base_offset == 1


def test_each_partition_of_a_request_is_waited_for(sim: Simulation) -> None:
    sim.topic("two", [[1, 2], [1, 3]])
    sim.freeze(2, topic="two")
    sim.freeze(3, topic="two", index=1)
    parts = [ProducePartition(index=index, records=batch_of(b"v").data) for index in (0, 1)]
    body = ProduceRequest(
        acks=ALL, timeout_ms=1000, topic_data=[ProduceTopic(name="two", partition_data=parts)]
    )
    asked = sim.ask(body, to=1, version=9)
    sim.catch_up(2, topic="two")
    assert not asked.answered
    sim.wait(1000)
    codes = [part.error_code for part in asked.response.responses[0].partition_responses]
    assert codes == [ErrorCode.NONE, ErrorCode.REQUEST_TIMED_OUT]


def test_a_topic_that_is_deleted_under_a_waiting_produce_ends_the_wait(sim: Simulation) -> None:
    sim.freeze(2, 3)
    asked = sim.produce(b"v")
    sim.delete()
    assert asked.only.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
