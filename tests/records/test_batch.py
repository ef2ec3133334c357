import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import (
    HEADER_BYTES,
    Batch,
    add_sequence,
    batches,
    iter_records,
    parse_produced,
)
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.records.compression import Codec, CorruptCompression
from mockbroker.records.refused import RecordsRefused
from tests.records.samples import ABOUT_JAVA, BY_JAVA, NOW, altered, batch_of, legacy_entry, reheaded


def code_of(records: bytes | None, version: int = 9) -> ErrorCode:
    with pytest.raises(KafkaError) as refused:
        parse_produced(records, version=version)
    return refused.value.code


@pytest.mark.parametrize("codec", list(Codec))
def test_a_batch_of_kafkas_own_library_is_read(codec: Codec) -> None:
    batch = Batch.parse(BY_JAVA[codec])
    batch.check_crc()
    assert batch.codec is codec
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (4000, 1, 2**31 - 2)
    assert (batch.count, batch.last_offset, batch.last_sequence) == (3, 2, 0)
    assert (batch.base_timestamp, batch.max_timestamp) == (NOW, NOW + 100)
    assert [NewRecord(r.key, r.value, r.headers, r.timestamp) for r in iter_records(batch)] == ABOUT_JAVA


def test_parsing_keeps_the_buffer_and_placing_makes_the_one_copy() -> None:
    frame = memoryview(BY_JAVA[Codec.NONE])
    sent = Batch.parse(frame)
    assert sent.data is frame
    placed = sent.place(1000, 7)
    assert isinstance(placed.data, bytes)
    assert (placed.base_offset, placed.last_offset, placed.next_offset, placed.leader_epoch) == (
        1000,
        1002,
        1003,
        7,
    )
    assert placed.data[16:] == bytes(frame[16:])
    placed.check_crc()
    assert [record.offset for record in iter_records(placed)] == [1000, 1001, 1002]


def test_a_placed_batch_reads_as_it_says() -> None:
    placed = Batch.parse(BY_JAVA[Codec.GZIP]).place(2**40, 3)
    again = Batch.parse(placed.data)
    for name in Batch.__slots__:
        assert getattr(again, name) == getattr(placed, name), name


def test_a_batch_is_cut_out_of_what_follows_it() -> None:
    batch = Batch.parse(BY_JAVA[Codec.NONE] + b"more")
    assert bytes(batch.data) == BY_JAVA[Codec.NONE]


def test_one_changed_bit_anywhere_behind_the_checksum_is_corrupt() -> None:
    for at in range(17, len(BY_JAVA[Codec.NONE])):
        damaged = bytearray(BY_JAVA[Codec.NONE])
        damaged[at] ^= 0x10
        with pytest.raises(KafkaError) as refused:
            Batch.parse(damaged).check_crc()
        assert refused.value.code is ErrorCode.CORRUPT_MESSAGE


def test_the_brokers_time_is_every_records_time() -> None:
    stamped = batch_of(b"a", b"b", timestamp=NOW).with_log_append_time(NOW + 5)
    stamped.check_crc()
    assert stamped.log_append_time
    assert (stamped.base_timestamp, stamped.max_timestamp) == (NOW, NOW + 5)
    assert [record.timestamp for record in iter_records(stamped)] == [NOW + 5, NOW + 5]
    given_back = stamped.with_max_timestamp(NOW)
    assert not given_back.log_append_time
    assert [record.timestamp for record in iter_records(given_back)] == [NOW, NOW]


@pytest.mark.parametrize(
    ("base", "delta", "last"),
    [(0, 0, 0), (5, 2, 7), (2**31 - 1, 0, 2**31 - 1), (2**31 - 1, 1, 0), (2**31 - 2, 4, 2)],
)
def test_sequences_wrap_to_zero(base: int, delta: int, last: int) -> None:
    assert add_sequence(base, delta) == last
    batch = altered(batch_of(b"x"), base_sequence=base, last_offset_delta=delta)
    assert batch.last_sequence == last


def test_a_batch_without_a_sequence_has_no_last_one() -> None:
    assert batch_of(b"a", b"b").last_sequence == -1


def test_a_codec_that_does_not_exist_is_an_unknown_error() -> None:
    for codec in (5, 6, 7):
        with pytest.raises(KafkaError) as refused:
            _ = altered(batch_of(b"x"), attributes=codec).codec
        assert refused.value.code is ErrorCode.UNKNOWN_SERVER_ERROR


class TestWhatAProduceRequestMayHave:
    """Row 5 and 6 of Kafka's checks, and what a live broker answered."""

    def test_one_whole_batch(self) -> None:
        assert parse_produced(memoryview(BY_JAVA[Codec.NONE]), version=9).count == 3

    @pytest.mark.parametrize("left", [1, 11, 16, 60, 100])
    def test_the_beginning_of_a_second_one_is_ignored(self, left: int) -> None:
        batch = parse_produced(BY_JAVA[Codec.NONE] + BY_JAVA[Codec.NONE][:left], version=9)
        assert bytes(batch.data) == BY_JAVA[Codec.NONE]

    def test_two_batches_are_refused(self) -> None:
        assert code_of(BY_JAVA[Codec.NONE] * 2) is ErrorCode.INVALID_RECORD

    @pytest.mark.parametrize("records", [None, b"", b"stray byte", BY_JAVA[Codec.NONE][:-1]])
    def test_no_whole_batch_is_refused(self, records: bytes | None) -> None:
        assert code_of(records) is ErrorCode.INVALID_RECORD

    def test_a_length_beyond_the_records_is_no_whole_batch(self) -> None:
        assert code_of(reheaded(batch_of(b"x"), length=2**31 - 1)) is ErrorCode.INVALID_RECORD

    @pytest.mark.parametrize("length", [13, 10, 0, -1, -(2**31)])
    def test_a_length_below_every_entry_is_corrupt_and_says_so(self, length: int) -> None:
        with pytest.raises(RecordsRefused, match=str(length)) as refused:
            parse_produced(reheaded(batch_of(b"x"), length=length), version=9)
        assert refused.value.code is ErrorCode.CORRUPT_MESSAGE

    @pytest.mark.parametrize("length", [14, 48])
    def test_a_length_below_a_header_is_corrupt(self, length: int) -> None:
        assert code_of(reheaded(batch_of(b"x"), length=length)[: length + 12]) is ErrorCode.CORRUPT_MESSAGE

    def test_zeros_behind_the_batch_are_corrupt(self) -> None:
        with pytest.raises(KafkaError) as refused:
            parse_produced(BY_JAVA[Codec.NONE] + bytes(12), version=9)
        assert refused.value.code is ErrorCode.CORRUPT_MESSAGE
        assert not isinstance(refused.value, RecordsRefused), "Kafka has a message only for a first batch"

    @pytest.mark.parametrize("magic", [3, -1])
    def test_an_unknown_format_is_corrupt_and_says_so(self, magic: int) -> None:
        records = reheaded(batch_of(b"x"), magic=magic)
        with pytest.raises(RecordsRefused, match="format") as refused:
            parse_produced(records, version=9)
        assert refused.value.code is ErrorCode.CORRUPT_MESSAGE
        with pytest.raises(RecordsRefused, match="format"):
            Batch.parse(records)

    @pytest.mark.parametrize("records", [legacy_entry(0), legacy_entry(1), reheaded(batch_of(b"x"), magic=1)])
    def test_an_old_format_is_refused(self, records: bytes) -> None:
        assert code_of(records) is ErrorCode.INVALID_RECORD

    def test_zstd_needs_produce_v7(self) -> None:
        assert code_of(BY_JAVA[Codec.ZSTD], version=6) is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
        assert parse_produced(BY_JAVA[Codec.ZSTD], version=7).codec is Codec.ZSTD


def test_batches_are_found_one_after_the_other_up_to_a_partial_one() -> None:
    first = batch_of(b"a", b"b").place(0, 1)
    second = batch_of(b"c").place(2, 1)
    together = bytes(first.data) + bytes(second.data)
    assert [batch.base_offset for batch in batches(together)] == [0, 2]
    assert [batch.base_offset for batch in batches(together[:-1])] == [0]
    assert list(batches(b"")) == []


@given(st.sampled_from(list(Codec)), st.data())
def test_damage_gives_a_batch_or_one_of_two_errors(codec: Codec, data: st.DataObject) -> None:
    damaged = bytearray(BY_JAVA[codec])
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        batch = parse_produced(damaged[: data.draw(st.integers(0, len(damaged)))], version=9)
        assert batch.size >= HEADER_BYTES
        list(iter_records(batch))
    except (KafkaError, CorruptCompression):
        pass


@given(st.binary(max_size=100))
def test_garbage_gives_no_other_error(data: bytes) -> None:
    for attempt in (
        Batch.parse,
        lambda view: list(batches(view)),
        lambda view: parse_produced(view, version=9),
    ):
        with contextlib.suppress(KafkaError):
            attempt(data)


def test_a_batch_shows_its_header_and_not_its_bytes() -> None:
    shown = repr(build_batch([NewRecord(None, b"secret")], now_ms=NOW))
    assert "count=1" in shown
    assert "secret" not in shown
