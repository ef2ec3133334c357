"""The five codecs of a record batch, each bounded: `compress` and `decompress` of whole byte strings.

gzip comes from the standard library, so does zstd from Python 3.14 on; snappy, lz4 and (before) zstd come
from cramjam, an extra, imported where it is needed.  Without it batches are stored and served opaque, and
only who really needs their content meets `CompressionMissing`.  Does not know batches or records.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import mmap
import struct
import zlib
from enum import IntEnum
from typing import Any

from mockbroker.records.crc import Buffer


class Codec(IntEnum):
    """Bits 0-2 of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class CorruptCompression(ValueError):
    """Data that its codec cannot read, or that grows beyond every honest size."""


class CompressionMissing(ImportError):
    """The codec's library is not installed."""


# A batch is at most some MiB, and honest data seldom shrinks a thousandfold: more is a decompression bomb.
# Small batches are exempt from the ratio, because a test may well send a megabyte of zeros.
DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
RATIO_MAX = 1000
RATIO_FLOOR_BYTES = 4 * 1024 * 1024

# Every member of a gzip stream and frame of a zstd stream costs a copy of what follows it, so that very
# many of them would cost quadratic time.  Producers write one.
STREAM_PARTS_MAX = 256

# Snappy's densest element is a copy of 64 bytes told in 3.
SNAPPY_RATIO_MAX = 22
XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER = XERIAL_MAGIC + struct.pack(">ii", 1, 1)
XERIAL_BLOCK_BYTES = 32 * 1024

# Frame of independent 64 KiB blocks without checksums.  Java reads independent blocks only, and cramjam's
# own frames have linked ones; hence the framing by hand.  0x82 is the checksum of the two bytes before it.
LZ4_HEADER = b"\x04\x22\x4d\x18\x60\x40\x82"
LZ4_FLAGS_AT = 4
LZ4_INDEPENDENT = 0x20
LZ4_BLOCK_BYTES = 64 * 1024
LZ4_BLOCK_STORED = 0x8000_0000
LZ4_END = bytes(4)

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WBITS = 31  # zlib's word for "with a gzip header"


def compress(codec: Codec, data: Buffer) -> bytes:
    """`data` in the framing that Java clients expect of `codec`; the same bytes for the same input."""
    match codec:
        case Codec.NONE:
            return bytes(data)
        case Codec.GZIP:
            return zlib.compress(data, wbits=GZIP_WBITS)
        case Codec.SNAPPY:
            return _snappy_compress(data)
        case Codec.LZ4:
            return _lz4_compress(data)
        case Codec.ZSTD:
            standard = standard_zstd()
            return bytes(standard.compress(data) if standard else cramjam(codec).zstd.compress(data))


def decompress(codec: Codec, data: Buffer, limit: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """What `data` stands for; `CorruptCompression` when it is unreadable or larger than allowed."""
    room = min(limit, max(RATIO_FLOOR_BYTES, RATIO_MAX * len(data)))
    match codec:
        case Codec.NONE:
            return bytes(data)
        case Codec.GZIP:
            return _gzip_decompress(data, room)
        case Codec.SNAPPY:
            return _snappy_decompress(data, room)
        case Codec.LZ4:
            return _lz4_decompress(data, room)
        case Codec.ZSTD:
            if standard := standard_zstd():
                return zstd_decompress(standard, data, room)
            return _decompress_into(codec, data, room)


def available(codec: Codec) -> bool:
    """Whether this installation can read and write `codec`."""
    try:
        match codec:
            case Codec.SNAPPY | Codec.LZ4:
                cramjam(codec)
            case Codec.ZSTD if standard_zstd() is None:
                cramjam(codec)
    except CompressionMissing:
        return False
    return True


def cramjam(codec: Codec) -> Any:
    """The cramjam package, or a sentence that says what to install."""
    try:
        return importlib.import_module("cramjam")
    except ImportError as missing:
        raise CompressionMissing(
            f"reading or writing {codec.name.lower()} needs cramjam: install mockbroker[compression]"
        ) from missing


@functools.cache
def standard_zstd() -> Any:
    """The standard library's zstd module (Python 3.14), or None."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return None


def _too_large(room: int) -> CorruptCompression:
    return CorruptCompression(f"decompresses to more than {room} bytes")


def _gzip_decompress(data: Buffer, room: int) -> bytes:
    members: list[bytes] = []
    rest: Buffer = data
    # What follows the last member and is no member is ignored, as gzip readers do.
    while not members or bytes(rest[:2]) == GZIP_MAGIC:
        if len(members) == STREAM_PARTS_MAX:
            raise CorruptCompression(f"gzip: more than {STREAM_PARTS_MAX} members")
        stream = zlib.decompressobj(wbits=GZIP_WBITS)
        try:
            member = stream.decompress(rest, room + 1)
        except zlib.error as error:
            raise CorruptCompression(f"gzip: {error}") from error
        if len(member) > room:
            raise _too_large(room)
        if not stream.eof:
            raise CorruptCompression("gzip: the stream ends early")
        room -= len(member)
        members.append(member)
        rest = stream.unused_data
    return b"".join(members)


def zstd_decompress(zstd: Any, data: Buffer, room: int) -> bytes:
    """All frames of `data`, with the module `zstd` of the standard library (or its backport)."""
    parts: list[bytes] = []
    rest: Buffer = data
    while rest or not parts:
        if len(parts) == STREAM_PARTS_MAX:
            raise CorruptCompression(f"zstd: more than {STREAM_PARTS_MAX} frames")
        stream = zstd.ZstdDecompressor()
        try:
            part = stream.decompress(rest, room + 1)
        except zstd.ZstdError as error:
            raise CorruptCompression(f"zstd: {error}") from error
        if len(part) > room:
            raise _too_large(room)
        if not stream.eof:
            raise CorruptCompression("zstd: the frame ends early")
        room -= len(part)
        parts.append(part)
        rest = stream.unused_data
    return b"".join(parts)


def _decompress_into(codec: Codec, data: Buffer, room: int) -> bytes:
    """The output of a cramjam codec, which stops where the memory that it is given ends."""
    library = cramjam(codec)
    decompress_into = getattr(library, codec.name.lower()).decompress_into
    guess = bytearray(min(room, max(16 * 1024, 8 * len(data))))
    # Corrupt, or larger than guessed?  Only the error's words would tell, so try again with all the room.
    with contextlib.suppress(library.DecompressionError):
        size = decompress_into(data, guess)
        return bytes(memoryview(guess)[:size])
    # Pages of an anonymous map cost nothing until they are written to, unlike those of a bytearray.
    with mmap.mmap(-1, room) as area:
        try:
            size = decompress_into(data, area)
        except library.DecompressionError as error:
            raise CorruptCompression(f"{codec.name.lower()}: {error} (at most {room} bytes)") from error
        return area[:size]


def _snappy_compress(data: Buffer) -> bytes:
    parts = [XERIAL_HEADER]
    raw = cramjam(Codec.SNAPPY).snappy.compress_raw
    view = memoryview(data)
    for at in range(0, len(view), XERIAL_BLOCK_BYTES):
        block = bytes(raw(view[at : at + XERIAL_BLOCK_BYTES]))
        parts += (struct.pack(">i", len(block)), block)
    return b"".join(parts)


def _snappy_decompress(data: Buffer, room: int) -> bytes:
    """Java, Go and Python clients frame their blocks the xerial way; librdkafka sends one bare block."""
    view = memoryview(data)
    if view[: len(XERIAL_MAGIC)] != XERIAL_MAGIC:
        return _snappy_block(view, room)
    at = len(XERIAL_HEADER)
    if len(view) < at:
        raise CorruptCompression("snappy: the header ends early")
    parts = []
    while at < len(view):
        size = int.from_bytes(view[at : at + 4], "big")
        at += 4
        if size > len(view) - at:
            raise CorruptCompression("snappy: a block is longer than the data")
        parts.append(_snappy_block(view[at : at + size], room))
        room -= len(parts[-1])
        at += size
    return b"".join(parts)


def _snappy_block(block: memoryview, room: int) -> bytes:
    library = cramjam(Codec.SNAPPY)
    try:
        # The block tells its size in front; whoever believes it allocates it, so it is judged first.
        size: int = library.snappy.decompress_raw_len(block)
        if size > SNAPPY_RATIO_MAX * len(block):
            raise CorruptCompression(f"snappy: {len(block)} bytes cannot stand for {size}")
        if size > room:
            raise _too_large(room)
        return bytes(library.snappy.decompress_raw(block))
    except library.DecompressionError as error:
        raise CorruptCompression(f"snappy: {error}") from error


def _lz4_decompress(data: Buffer, room: int) -> bytes:
    # A producer whose blocks hang on each other is refused by Kafka, so it is refused here.
    if len(data) > LZ4_FLAGS_AT and not data[LZ4_FLAGS_AT] & LZ4_INDEPENDENT:
        raise CorruptCompression("lz4: its blocks hang on each other, which Kafka does not read")
    return _decompress_into(Codec.LZ4, data, room)


def _lz4_compress(data: Buffer) -> bytes:
    parts = [LZ4_HEADER]
    lz4 = cramjam(Codec.LZ4).lz4
    view = memoryview(data)
    for at in range(0, len(view), LZ4_BLOCK_BYTES):
        plain = view[at : at + LZ4_BLOCK_BYTES]
        block: Buffer = bytes(lz4.compress_block(plain, store_size=False))
        size = len(block)
        if size >= len(plain):  # what does not shrink is stored as it is, and says so
            block, size = plain, len(plain) | LZ4_BLOCK_STORED
        parts += (struct.pack("<I", size), bytes(block))
    return b"".join([*parts, LZ4_END])
