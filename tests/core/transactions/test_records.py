"""What a coordinator writes is what Kafka 4.4.0 writes, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.transactions.records import (
    TransactionRecord,
    TransactionRemoved,
    encode_record,
    parse_record,
)
from mockbroker.core.transactions.states import TxnState
from mockbroker.protocol.errors import MalformedMessage

KEY = bytes.fromhex("00000002") + b"t1"

# Written by Apache Kafka 4.4.0 for a producer that began, wrote to one partition and committed.
WRITTEN = {
    "0001000000000000000000000000ea600000000001a216e39d2fffffffffffffffff0100080000000000000000": TransactionRecord(
        "t1", 0, 0, 60_000, TxnState.EMPTY, (), -1, 1795680345391, previous_producer_id=0
    ),
    "0001000000000000000000000000ea600102076f7264657273020000000000000001a216e39d4c000001a216e39d4c0100080000"
    "000000000000": TransactionRecord(
        "t1", 0, 0, 60_000, TxnState.ONGOING, (("orders", 0),), 1795680345420, 1795680345420,
        previous_producer_id=0,
    ),
    "0001000000000000000000000000ea600401000001a216e39d7b000001a216e39d4c0100080000000000000000": TransactionRecord(
        "t1", 0, 0, 60_000, TxnState.COMPLETE_COMMIT, (), 1795680345420, 1795680345467, previous_producer_id=0
    ),
}  # fmt: skip

RECORDS = st.builds(
    TransactionRecord,
    transactional_id=st.text(max_size=5),
    producer_id=st.integers(-1, 2**40),
    epoch=st.integers(-1, 2**15 - 1),
    timeout_ms=st.integers(0, 900_000),
    state=st.sampled_from(list(TxnState)[1:7]),
    partitions=st.lists(st.sampled_from([("a", 0), ("a", 1), ("b", 7)]), unique=True).map(
        lambda places: tuple(sorted(places))
    ),
    started_ms=st.integers(-1, 2**40),
    updated_ms=st.integers(-1, 2**40),
    previous_producer_id=st.integers(-1, 2**40),
    next_producer_id=st.integers(-1, 2**40),
    client_version=st.integers(0, 2),
)


@pytest.mark.parametrize("written", WRITTEN)
def test_kafkas_bytes_are_read_and_written(written: str) -> None:
    value, record = bytes.fromhex(written), WRITTEN[written]
    assert parse_record(KEY, value) == record
    assert encode_record(record, 2) == (KEY, value)


@given(RECORDS)
def test_what_is_written_is_read(record: TransactionRecord) -> None:
    assert parse_record(*encode_record(record, 2)) == record


def test_an_id_is_forgotten_by_a_key_without_a_value() -> None:
    assert encode_record(TransactionRemoved("t1"), 2) == (KEY, None)
    assert parse_record(KEY, None) == TransactionRemoved("t1")


def test_the_first_layout_is_read() -> None:
    value = bytes.fromhex("0000000000000000000700030000ea6001000000010001610000000100000002"
                          "00000000000000640000000000000032")  # fmt: skip
    assert parse_record(KEY, value) == TransactionRecord(
        "t1", 7, 3, 60_000, TxnState.ONGOING, (("a", 2),), started_ms=50, updated_ms=100
    )


def test_a_key_of_another_kind_is_left_alone() -> None:
    assert parse_record(b"\x00\x09whatever", b"") is None


@pytest.mark.parametrize("value", [b"", b"\x00\x02", b"\x00\x01\x00"])
def test_a_value_that_makes_no_sense_is_malformed(value: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_record(KEY, value)
