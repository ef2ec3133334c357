import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import CONTROL, LOG_APPEND_TIME, Batch, iter_records
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.records.compression import Codec
from mockbroker.records.record import write_record
from mockbroker.records.refused import RecordsRefused
from mockbroker.records.validate import validate_produced
from mockbroker.records.varints import varint
from tests.records.judging import at, code, keyed, refusal, rules, stamps
from tests.records.samples import (
    BY_JAVA,
    NOW,
    altered,
    batch_of,
    numbered,
    record_lists,
    with_body,
)

CODECS = list(Codec)
REAL_CODECS = CODECS[1:]


# What is accepted


@pytest.mark.parametrize("codec", CODECS)
def test_what_kafkas_own_library_writes_is_stored_untouched(codec: Codec) -> None:
    batch = Batch.parse(BY_JAVA[codec])
    assert validate_produced(batch, rules()) is batch


@given(record_lists, st.sampled_from(CODECS))
def test_every_honest_batch_is_stored_untouched(records: list[NewRecord], codec: Codec) -> None:
    batch = build_batch(records, now_ms=NOW, codec=codec)
    assert validate_produced(batch, rules(timestamp_after_max_ms=2**63 - 1)) is batch


def test_a_bare_snappy_block_is_stored_untouched() -> None:
    batch = batch_of(b"value")
    raw = batch.remade(attributes=Codec.SNAPPY, body=bytes(cramjam.snappy.compress_raw(bytes(batch.body))))
    assert validate_produced(raw, rules()) is raw


@pytest.mark.parametrize("deltas", [[0, 1, 3], [0, 0, 1], [1, 2, 3]])
def test_uncompressed_offsets_out_of_order_are_stored_as_sent(deltas: list[int]) -> None:
    batch = numbered(deltas)
    assert validate_produced(batch, rules()) is batch


def test_attribute_bits_without_a_meaning_are_stored_as_sent() -> None:
    batch = altered(batch_of(b"x"), attributes=0xFFC0)
    assert validate_produced(batch, rules()) is batch


def test_an_epoch_without_a_producer_is_no_matter() -> None:
    batch = altered(batch_of(b"x"), producer_epoch=3, base_sequence=5)
    assert validate_produced(batch, rules()) is batch


# Rows 10 to 12: the batch as a whole


def test_row_10_a_base_offset_is_the_brokers_to_give() -> None:
    assert code(altered(batch_of(b"x"), base_offset=1)) is ErrorCode.INVALID_RECORD


def test_row_11_the_size_limit_is_inclusive_and_counts_the_whole_batch_as_sent() -> None:
    batch = batch_of(b"x" * 500, codec=Codec.GZIP)
    assert batch.size < 500
    assert validate_produced(batch, rules(max_message_bytes=batch.size)) is batch
    assert code(batch, max_message_bytes=batch.size - 1) is ErrorCode.MESSAGE_TOO_LARGE


def test_row_12_a_wrong_checksum_is_corrupt() -> None:
    damaged = bytearray(batch_of(b"x").data)
    damaged[-1] ^= 1
    assert code(Batch.parse(damaged)) is ErrorCode.CORRUPT_MESSAGE


# Row 13: the header, and whether the content is what it says


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.GZIP])
@pytest.mark.parametrize(
    ("count", "last_offset_delta"),
    [(0, 1), (-1, 1), (5, 1), (3, 1), (1, 1), (2, 5), (2, -1), (0, -1), (5, 4), (1, 0)],
)
def test_row_13_counts_that_disagree_are_refused(codec: Codec, count: int, last_offset_delta: int) -> None:
    batch = altered(batch_of(b"one", b"two", codec=codec), count=count, last_offset_delta=last_offset_delta)
    assert code(batch) is ErrorCode.INVALID_RECORD


def test_row_13_a_batch_of_nothing_is_refused() -> None:
    empty = altered(with_body(batch_of(b"x"), b""), count=0, last_offset_delta=-1)
    assert code(empty) is ErrorCode.INVALID_RECORD


def test_row_13_clients_send_no_control_batches() -> None:
    assert code(altered(batch_of(b"x"), attributes=CONTROL)) is ErrorCode.INVALID_RECORD


def test_row_13_a_producer_id_needs_a_sequence() -> None:
    assert code(altered(batch_of(b"x"), producer_id=5, producer_epoch=0)) is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec", CODECS)
def test_row_13_bytes_left_over_and_malformed_records_are_refused(codec: Codec) -> None:
    good = batch_of(b"x")
    assert code(with_body(good, bytes(good.body) + b"\0", codec)) is ErrorCode.INVALID_RECORD
    assert code(with_body(good, b"\x02\xff", codec)) is ErrorCode.INVALID_RECORD
    assert code(with_body(good, b"", codec)) is ErrorCode.INVALID_RECORD


def test_row_13_a_codec_that_does_not_exist_is_an_unknown_error() -> None:
    assert code(altered(batch_of(b"x"), attributes=5)) is ErrorCode.UNKNOWN_SERVER_ERROR


@pytest.mark.parametrize("codec", REAL_CODECS)
def test_row_13_data_that_does_not_decompress_is_an_unknown_error(codec: Codec) -> None:
    garbage = batch_of(b"x").remade(attributes=codec, body=b"\xffgarbage, whatever the codec")
    assert code(garbage) is ErrorCode.UNKNOWN_SERVER_ERROR


@pytest.mark.parametrize("codec", REAL_CODECS)
@pytest.mark.parametrize("deltas", [[0, 1, 3], [0, 0, 1], [1, 2, 3]])
def test_row_13_compressed_offsets_out_of_order_are_an_unknown_error(codec: Codec, deltas: list[int]) -> None:
    assert code(numbered(deltas, codec)) is ErrorCode.UNKNOWN_SERVER_ERROR


def test_row_13_a_timestamp_beyond_64_bits_is_refused() -> None:
    body = bytearray()
    write_record(body, 0, 2, b"k", b"v")
    batch = altered(with_body(batch_of(b"x"), bytes(body)), base_timestamp=2**63 - 1)
    assert code(batch, timestamp_after_max_ms=2**63 - 1) is ErrorCode.INVALID_RECORD


def test_a_decompression_bomb_is_an_unknown_error() -> None:
    bomb = with_body(batch_of(b"x"), bytes(5_000_000), Codec.ZSTD)
    assert bomb.size < 1000
    assert code(bomb) is ErrorCode.UNKNOWN_SERVER_ERROR


# Row 14: compacted topics


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.GZIP])
def test_row_14_every_record_without_a_key_is_listed(codec: Codec) -> None:
    refused = refusal(keyed(b"a", None, None, b"", None, None, codec=codec), compacted=True)
    assert isinstance(refused, RecordsRefused)
    assert refused.code is ErrorCode.INVALID_RECORD
    assert [index for index, _ in refused.record_errors] == [1, 2, 4, 5]
    assert all("key" in text for _, text in refused.record_errors)


def test_row_14_the_message_names_at_most_three_records() -> None:
    refused = refusal(keyed(*[None] * 6), compacted=True)
    assert refused.message is not None
    assert [n for n in range(6) if f"record {n}" in refused.message] == [0, 1, 2]


def test_a_compacted_topic_takes_records_with_keys_and_another_topic_any() -> None:
    assert validate_produced(keyed(b"a", b""), rules(compacted=True)).count == 2
    assert validate_produced(keyed(None), rules()).count == 1


# Row 15: timestamps


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.LZ4])
def test_row_15_every_record_from_too_far_ahead_is_listed(codec: Codec) -> None:
    hour = 3_600_000
    refused = refusal(at(NOW, NOW + hour + 1, NOW + hour, NOW + 2 * hour, codec=codec))
    assert isinstance(refused, RecordsRefused)
    assert refused.code is ErrorCode.INVALID_TIMESTAMP
    assert refused.message
    assert [index for index, _ in refused.record_errors] == [1, 3]
    assert str(NOW + 2 * hour) in refused.record_errors[1][1]


def test_row_15_a_record_from_too_long_ago_is_refused() -> None:
    batch = at(NOW - 1001, NOW - 1000)
    refused = refusal(batch, timestamp_before_max_ms=1000)
    assert isinstance(refused, RecordsRefused)
    assert [index for index, _ in refused.record_errors] == [0]
    assert validate_produced(batch, rules()) is batch


def test_row_15_no_timestamp_is_never_wrong_and_does_not_hide_others() -> None:
    assert validate_produced(at(-1, NOW), rules(timestamp_before_max_ms=1000)).max_timestamp == NOW
    refused = refusal(at(-1, 5), timestamp_before_max_ms=1000)
    assert isinstance(refused, RecordsRefused)
    assert [index for index, _ in refused.record_errors] == [1]


@pytest.mark.parametrize("timestamp", [-1, 0, -5])
def test_row_15_old_and_negative_timestamps_are_accepted_by_default(timestamp: int) -> None:
    accepted = validate_produced(at(timestamp), rules())
    assert stamps(accepted) == [timestamp]
    assert accepted.max_timestamp == max(timestamp, -1)


def test_row_15_keys_and_timestamps_are_listed_together_under_the_timestamps_code() -> None:
    records = [NewRecord(None, b"v", (), NOW), NewRecord(b"k", b"v", (), 5), NewRecord(None, b"v", (), 5)]
    batch = build_batch(records, now_ms=NOW)
    refused = refusal(batch, compacted=True, timestamp_before_max_ms=1000)
    assert isinstance(refused, RecordsRefused)
    assert refused.code is ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in refused.record_errors] == [0, 1, 2]
    assert ["key" in text for _, text in refused.record_errors] == [True, False, True]


# Row 16: segments


def test_row_16_a_batch_must_fit_a_segment() -> None:
    batch = batch_of(b"x")
    assert validate_produced(batch, rules(segment_bytes=batch.size)) is batch
    assert code(batch, segment_bytes=batch.size - 1) is ErrorCode.RECORD_LIST_TOO_LARGE


# Whose timestamps


@pytest.mark.parametrize("codec", CODECS)
def test_a_log_append_time_topic_stamps_the_batch(codec: Codec) -> None:
    stored = validate_produced(at(5, 6, codec=codec), rules(log_append_time=True))
    stored.check_crc()
    assert stored.log_append_time
    assert (stored.base_timestamp, stored.max_timestamp) == (5, NOW)
    assert stamps(stored) == [NOW, NOW]


def test_a_log_append_time_topic_does_not_look_at_timestamps() -> None:
    batch = at(0, NOW * 2)
    assert validate_produced(batch, rules(log_append_time=True, timestamp_before_max_ms=1)).count == 2


def test_a_log_append_time_topic_refuses_a_producer_that_claims_the_bit() -> None:
    refused = refusal(altered(batch_of(b"x", b"y"), attributes=LOG_APPEND_TIME), log_append_time=True)
    assert isinstance(refused, RecordsRefused)
    assert refused.code is ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in refused.record_errors] == [0, 1]


def test_on_another_topic_the_claim_is_dropped() -> None:
    stored = validate_produced(altered(at(NOW - 5, NOW), attributes=LOG_APPEND_TIME), rules())
    stored.check_crc()
    assert not stored.log_append_time
    assert stamps(stored) == [NOW - 5, NOW]


def test_what_was_claimed_stays_the_newest_timestamp() -> None:
    claiming = altered(at(NOW), attributes=LOG_APPEND_TIME, max_timestamp=NOW + 3)
    assert validate_produced(claiming, rules()).max_timestamp == NOW + 3


def test_the_claim_without_a_timestamp_is_refused() -> None:
    refused = refusal(altered(batch_of(b"x"), attributes=LOG_APPEND_TIME, max_timestamp=-1))
    assert refused.code is ErrorCode.INVALID_TIMESTAMP


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("claimed", [0, -1, NOW + 10**9])
def test_a_wrong_max_timestamp_is_put_right(codec: Codec, claimed: int) -> None:
    stored = validate_produced(
        altered(at(NOW, NOW + 7, NOW + 3, codec=codec), max_timestamp=claimed), rules()
    )
    stored.check_crc()
    assert stored.max_timestamp == NOW + 7
    assert stamps(stored) == [NOW, NOW + 7, NOW + 3]


# Whatever comes


@given(st.sampled_from(CODECS), st.data())
def test_damage_under_a_right_checksum_is_refused_or_harmless(codec: Codec, data: st.DataObject) -> None:
    body = bytearray(Batch.parse(BY_JAVA[codec]).body)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        stored = validate_produced(Batch.parse(BY_JAVA[codec]).remade(body=body), rules())
    except KafkaError:
        return
    stored.check_crc()
    assert len(list(iter_records(stored))) == stored.count


@given(st.data())
def test_any_header_under_a_right_checksum_is_refused_or_harmless(data: st.DataObject) -> None:
    int64s = st.sampled_from([-(2**63), -1, 0, NOW, 2**63 - 1])
    batch = altered(
        batch_of(b"x", b"y"),
        attributes=data.draw(st.integers(0, 0xFFFF)),
        base_timestamp=data.draw(int64s),
        max_timestamp=data.draw(int64s),
        producer_id=data.draw(int64s),
        count=data.draw(st.sampled_from([2, 2, 0, -1, 2**31 - 1])),
        last_offset_delta=data.draw(st.sampled_from([1, 1, 0, -1, 2**31 - 1])),
    )
    try:
        stored = validate_produced(batch, rules(timestamp_after_max_ms=data.draw(int64s)))
    except KafkaError:
        return
    stored.check_crc()
    assert len(list(iter_records(stored))) == 2


def test_records_of_one_byte_lengths_cannot_announce_billions() -> None:
    body = varint(6) + bytes.fromhex("00 00 00 01 01 00")
    batch = altered(with_body(batch_of(b"x"), body), count=2**31 - 1, last_offset_delta=2**31 - 2)
    assert code(batch) is ErrorCode.INVALID_RECORD
