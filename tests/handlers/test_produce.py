"""Produce as a real broker answers it: each refusal with its code, its offsets and its log start."""

from __future__ import annotations

import pytest

from mockbroker.core.world import SIMULATION_START_MS as NOW
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import (
    ProducePartition,
    ProduceRequest,
    ProduceResponse,
    ProduceTopic,
)
from mockbroker.records.batch import CONTROL, LOG_APPEND_TIME, TRANSACTIONAL, Batch
from mockbroker.records.compression import Codec
from tests.core.simulation import ALL, LEADER, NONE, TOPIC, Simulation, batch_of
from tests.handlers.produced import AT_THE_LOG, NOWHERE, orders_from_1, refusal
from tests.records.samples import altered, legacy_entry, numbered, reheaded, with_body

HOUR_MS = 3_600_000


@pytest.fixture
def sim() -> Simulation:
    return orders_from_1()


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


def test_a_topic_named_twice_is_answered_once_and_the_last_entry_counts(sim: Simulation) -> None:
    topics = [
        ProduceTopic(name=TOPIC, partition_data=[ProducePartition(index=0, records=batch_of(value).data)])
        for value in (b"first", b"last")
    ]
    assert sim.ask(ProduceRequest(acks=ALL, topic_data=topics), to=1, version=9).only.base_offset == 1
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


# -- what a batch must be -----------------------------------------------------------------------------


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
    ids=[
        "none",
        "negative",
        "more",
        "fewer",
        "far",
        "back",
        "control",
        "control of a producer",
        "no sequence",
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
    ids=["two", "nothing", "stray bytes", "cut off", "too long", "format 0", "format 1", "magic 1"],
)
def test_anything_but_one_whole_batch_is_invalid(sim: Simulation, data: bytes) -> None:
    assert refusal(sim.produce(batch=data)) == (ErrorCode.INVALID_RECORD, NOWHERE)


@pytest.mark.parametrize(
    "data",
    [reheaded(GOOD, length=10), reheaded(GOOD, length=-1), reheaded(GOOD, magic=3)],
    ids=["too short", "negative", "magic 3"],
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
