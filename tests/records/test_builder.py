import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import Batch, iter_records
from mockbroker.records.builder import (
    ControlType,
    Marker,
    NewRecord,
    build_batch,
    build_control_batch,
    read_marker,
    rebuild_batch,
)
from mockbroker.records.compression import Codec
from mockbroker.records.record import write_record
from tests.records.samples import ABOUT_JAVA, BY_JAVA, NOW, batch_of, record_lists, with_body


@given(record_lists, st.sampled_from(list(Codec)), st.booleans())
def test_a_built_batch_reads_back(records: list[NewRecord], codec: Codec, log_append_time: bool) -> None:
    batch = build_batch(records, now_ms=NOW, codec=codec, base_offset=50, log_append_time=log_append_time)
    read = list(iter_records(Batch.parse(batch.data)))
    batch.check_crc()
    assert [record.offset for record in read] == [*range(50, 50 + len(records))]
    stamps = [NOW if log_append_time else record.timestamp for record in records]
    assert [NewRecord(r.key, r.value, r.headers, r.timestamp) for r in read] == [
        record._replace(timestamp=stamp) for record, stamp in zip(records, stamps, strict=True)
    ]
    assert batch.max_timestamp == max(stamp for stamp in stamps if stamp is not None)


def test_a_batch_is_byte_for_byte_what_kafkas_library_writes() -> None:
    ours = build_batch(ABOUT_JAVA, now_ms=0, producer_id=4000, producer_epoch=1, base_sequence=2**31 - 2)
    assert ours.data == BY_JAVA[Codec.NONE]


def test_the_fields_of_a_built_batch_are_those_of_its_bytes() -> None:
    built = build_batch(
        [(b"k", b"v", (), None)],
        now_ms=NOW,
        base_offset=9,
        leader_epoch=4,
        producer_id=3,
        producer_epoch=2,
        base_sequence=1,
        transactional=True,
    )
    read = Batch.parse(built.data)
    assert read.is_transactional
    assert not read.is_control
    assert read.base_timestamp == NOW
    for name in Batch.__slots__:
        assert getattr(read, name) == getattr(built, name), name


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (ControlType.ABORT, "20 00 00 00 08 00000000 0c 0000 00000009 00"),
        (ControlType.COMMIT, "20 00 00 00 08 00000001 0c 0000 00000009 00"),
    ],
)
def test_a_marker_says_how_a_transaction_ended(kind: ControlType, record: str) -> None:
    batch = build_control_batch(kind, producer_id=7, producer_epoch=2, coordinator_epoch=9, timestamp=77)
    assert batch.is_control
    assert batch.is_transactional
    assert (batch.count, batch.base_sequence, batch.last_sequence, batch.max_timestamp) == (1, -1, -1, 77)
    assert bytes(batch.body) == bytes.fromhex(record)
    assert read_marker(batch) == Marker(kind, 9)


def control_batch(key: bytes | None, value: bytes | None) -> Batch:
    body = bytearray()
    write_record(body, 0, 0, key, value)
    marker = build_control_batch(
        ControlType.ABORT, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp=NOW
    )
    return with_body(marker, bytes(body))


def test_another_kind_of_control_record_is_no_marker() -> None:
    assert read_marker(control_batch(bytes([0, 0, 0, 2]), b"a leader changed")) is None


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"\0", b""), (bytes(4), b"\0\0")])
def test_a_control_record_that_is_too_short_is_refused(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(KafkaError) as refused:
        read_marker(control_batch(key, value))
    assert refused.value.code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec", list(Codec))
def test_a_rebuilt_batch_keeps_its_place_and_the_records_that_stay(codec: Codec) -> None:
    batch = build_batch(
        [NewRecord(b"%d" % n, b"v", (), NOW + n) for n in range(4)],
        now_ms=NOW,
        codec=codec,
        producer_id=5,
        producer_epoch=0,
        base_sequence=10,
    ).place(100, 3)
    kept = [record for record in iter_records(batch) if record.offset in {100, 102}]
    rebuilt = rebuild_batch(batch, kept)
    rebuilt.check_crc()
    assert list(iter_records(rebuilt)) == kept
    assert (rebuilt.count, rebuilt.codec, rebuilt.max_timestamp) == (2, codec, NOW + 2)
    assert (rebuilt.base_offset, rebuilt.last_offset, rebuilt.leader_epoch) == (100, 103, 3)
    assert (rebuilt.producer_id, rebuilt.base_sequence, rebuilt.last_sequence) == (5, 10, 13)


def test_an_emptied_batch_keeps_its_offsets_its_sequence_and_its_time() -> None:
    batch = batch_of(b"a", b"b", codec=Codec.GZIP).place(10, 1)
    emptied = rebuild_batch(batch, [])
    assert (emptied.size, emptied.count, emptied.last_offset, emptied.max_timestamp) == (61, 0, 11, NOW)
    assert list(iter_records(Batch.parse(emptied.data))) == []


def test_a_batch_is_rebuilt_under_another_codec() -> None:
    batch = batch_of(b"a" * 100, b"b" * 100)
    rebuilt = rebuild_batch(batch, iter_records(batch), codec=Codec.GZIP)
    assert rebuilt.codec is Codec.GZIP
    assert list(iter_records(rebuilt)) == list(iter_records(batch))
