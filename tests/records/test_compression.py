import contextlib
import gzip
import random
import struct
import sys
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.records import compression
from mockbroker.records.compression import (
    RATIO_FLOOR_BYTES,
    STREAM_PARTS_MAX,
    XERIAL_HEADER,
    Codec,
    CompressionMissing,
    CorruptCompression,
    available,
    compress,
    decompress,
)

CODECS = list(Codec)
REAL_CODECS = CODECS[1:]
FROM_CRAMJAM = [Codec.SNAPPY, Codec.LZ4, *([] if compression.standard_zstd() else [Codec.ZSTD])]


@given(st.sampled_from(CODECS), st.binary(max_size=500))
def test_what_is_compressed_comes_back(codec: Codec, data: bytes) -> None:
    assert decompress(codec, memoryview(compress(codec, memoryview(data)))) == data


@pytest.mark.parametrize("codec", CODECS)
def test_data_of_many_blocks_comes_back(codec: Codec) -> None:
    data = b"".join(b"%d," % (n * n) for n in range(30_000)) + random.Random(1).randbytes(100_000)
    assert decompress(codec, compress(codec, data)) == data


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_input_gives_the_same_bytes(codec: Codec) -> None:
    assert compress(codec, b"again" * 100) == compress(codec, b"again" * 100)


def test_concatenated_gzip_members_are_one_stream() -> None:
    assert decompress(Codec.GZIP, gzip.compress(b"one ") + gzip.compress(b"two") + bytes(3)) == b"one two"


def test_a_bare_snappy_block_is_read_like_a_framed_one() -> None:
    data = b"hello hello hello"
    assert decompress(Codec.SNAPPY, bytes(cramjam.snappy.compress_raw(data))) == data
    assert compress(Codec.SNAPPY, data).startswith(XERIAL_HEADER)


def test_lz4_is_written_in_independent_blocks_because_java_reads_no_others() -> None:
    flags = compress(Codec.LZ4, b"x" * 200_000)[4]
    assert flags & 0x20


def test_lz4_blocks_that_do_not_shrink_are_stored_because_java_reads_none_above_64_kib() -> None:
    frame = compress(Codec.LZ4, random.Random(1).randbytes(64 * 1024))
    assert struct.unpack_from("<I", frame, 7)[0] == 0x8000_0000 | 64 * 1024


def test_lz4_frames_with_linked_blocks_are_refused_because_kafka_refuses_them() -> None:
    frame = bytes(cramjam.lz4.compress(b"x" * 200_000))
    assert not frame[4] & 0x20
    with pytest.raises(CorruptCompression, match="hang on each other"):
        decompress(Codec.LZ4, frame)


def test_zstd_frames_need_not_tell_their_size() -> None:
    stream = cramjam.zstd.Compressor()
    stream.compress(b"streamed " * 1000)
    assert decompress(Codec.ZSTD, bytes(stream.finish())) == b"streamed " * 1000


@given(st.sampled_from(REAL_CODECS), st.binary(max_size=60))
def test_garbage_is_corrupt_and_nothing_else(codec: Codec, data: bytes) -> None:
    with contextlib.suppress(CorruptCompression):
        decompress(codec, data)


@given(st.sampled_from(REAL_CODECS), st.data())
def test_damaged_data_is_corrupt_or_is_read(codec: Codec, data: st.DataObject) -> None:
    damaged = bytearray(compress(codec, b"some text, some text, some text"))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(CorruptCompression):
        decompress(codec, damaged)


@pytest.mark.parametrize("codec", REAL_CODECS)
def test_truncated_data_is_corrupt(codec: Codec) -> None:
    whole = compress(codec, b"some text, some text, some text")
    for size in range(1, len(whole) - 4):  # a gzip trailer and an lz4 end mark are four bytes
        if whole[:size] == XERIAL_HEADER:
            continue  # a snappy stream of no blocks
        with pytest.raises(CorruptCompression):
            decompress(codec, whole[:size])


@pytest.mark.parametrize("codec", REAL_CODECS)
def test_a_bomb_is_stopped_at_the_limit(codec: Codec) -> None:
    bomb = compress(codec, bytes(300_000))
    assert decompress(codec, bomb, limit=300_000) == bytes(300_000)
    with pytest.raises(CorruptCompression):
        decompress(codec, bomb, limit=299_999)


def test_a_bomb_is_stopped_by_its_ratio_before_the_limit() -> None:
    bomb = compress(Codec.ZSTD, bytes(RATIO_FLOOR_BYTES + 1))
    assert len(bomb) * 1000 < RATIO_FLOOR_BYTES
    with pytest.raises(CorruptCompression):
        decompress(Codec.ZSTD, bomb)


def test_a_small_batch_may_shrink_more_than_a_thousandfold() -> None:
    data = bytes(1024 * 1024)
    assert len(compress(Codec.ZSTD, data)) * 1000 < len(data)
    assert decompress(Codec.ZSTD, compress(Codec.ZSTD, data)) == data


def test_a_gzip_bomb_of_many_members_counts_as_one() -> None:
    member = gzip.compress(bytes(1000))
    with pytest.raises(CorruptCompression):
        decompress(Codec.GZIP, member * 11, limit=10_000)
    with pytest.raises(CorruptCompression, match="members"):
        decompress(Codec.GZIP, gzip.compress(b"") * (STREAM_PARTS_MAX + 1))


@pytest.mark.parametrize("claimed", [2**32 - 1, 1_000_000])
def test_a_snappy_block_that_claims_the_impossible_is_not_believed(claimed: int) -> None:
    size = bytearray()
    while claimed > 127:
        size.append(claimed & 127 | 128)
        claimed >>= 7
    with pytest.raises(CorruptCompression, match="cannot stand for"):
        decompress(Codec.SNAPPY, bytes([*size, claimed, 0, 0]))


def test_a_snappy_block_longer_than_the_data_is_corrupt() -> None:
    with pytest.raises(CorruptCompression):
        decompress(Codec.SNAPPY, XERIAL_HEADER + struct.pack(">I", 2**31) + b"x")


def test_a_zstd_window_of_gigabytes_is_not_allocated() -> None:
    with pytest.raises(CorruptCompression):
        decompress(Codec.ZSTD, b"\x28\xb5\x2f\xfd\x00" + b"\xa8" + b"\x01\x00\x00")


@pytest.mark.parametrize("codec", FROM_CRAMJAM)
def test_without_the_extra_the_error_says_what_to_install(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed = compress(codec, b"data")
    monkeypatch.setitem(sys.modules, "cramjam", None)
    assert not available(codec)
    for attempt in (compress, decompress):
        with pytest.raises(CompressionMissing, match=r"install mockbroker\[compression\]"):
            attempt(codec, compressed)


def test_gzip_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cramjam", None)
    assert available(Codec.GZIP)
    assert available(Codec.NONE)
    assert zlib.decompress(compress(Codec.GZIP, b"data"), wbits=31) == b"data"
