from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.record import Record, read_records, write_record
from tests.records.samples import MALFORMED, blobs, headers, record_bytes


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), blobs, blobs, headers), max_size=5))
def test_what_is_written_is_read_back(records: list[tuple[int, Any, Any, Any]]) -> None:
    body = bytearray()
    for delta, (stamp, key, value, headed) in enumerate(records):
        write_record(body, delta, stamp, key, value, headed)
    expected = [
        Record(100 + delta, 7 + stamp, key, value, headed, delta, stamp)
        for delta, (stamp, key, value, headed) in enumerate(records)
    ]
    assert list(read_records(bytes(body), len(records), base_offset=100, base_timestamp=7)) == expected


def test_the_brokers_timestamp_replaces_the_records_own() -> None:
    body = bytearray()
    write_record(body, 0, 5, b"k", b"v")
    (record,) = read_records(bytes(body), 1, base_timestamp=1000, append_timestamp=2000)
    assert (record.timestamp, record.timestamp_delta) == (2000, 5)


def test_any_negative_size_is_null_and_attributes_mean_nothing() -> None:
    (record,) = read_records(record_bytes(bytes.fromhex("ff 00 00 05 07 00")), 1)
    assert (record.key, record.value) == (None, None)


def test_a_header_key_that_is_no_utf8_is_shown_with_the_replacement_character() -> None:
    (record,) = read_records(record_bytes(bytes.fromhex("00 00 00 01 01 02 02 ff 01")), 1)
    assert record.headers == [("\ufffd", None)]


@pytest.mark.parametrize(("body", "count"), MALFORMED)
def test_a_malformed_record_is_refused(body: bytes, count: int) -> None:
    with pytest.raises(KafkaError) as refused:
        list(read_records(body, count))
    assert refused.value.code is ErrorCode.INVALID_RECORD


def test_a_timestamp_beyond_64_bits_is_refused() -> None:
    body = bytearray()
    write_record(body, 0, 1, None, None)
    with pytest.raises(KafkaError):
        list(read_records(bytes(body), 1, base_timestamp=2**63 - 1))
