"""Record batches (format v2) built field by field, right or wrong on purpose, and read without trust.

Written for the cases alone: what mockbroker's own `records` does wrong must show here.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import cramjam
from crc32c import crc32c

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 8, 16, 32

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_HEAD = struct.Struct(">qiibI")
_REST = struct.Struct(">Hiqqqhii")
_HEADER_BYTES = _HEAD.size + _REST.size
# The Java client's framing of snappy: a magic, two version numbers, then blocks with their lengths.
_XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)

# A record is its value, or its key and value.
Given = bytes | None | tuple[bytes | None, bytes | None]


def batch(
    *values: Given,
    codec: int = NONE,
    attributes: int = 0,
    timestamp: int = -1,
    timestamps: Sequence[int] = (),
    max_timestamp: int | None = None,
    base_offset: int = 0,
    leader_epoch: int = -1,
    magic: int = 2,
    crc: int | None = None,
    deltas: Sequence[int] | None = None,
    last_offset_delta: int | None = None,
    count: int | None = None,
    producer: tuple[int, int, int] = (-1, -1, -1),
    body: bytes | None = None,
    length: int | None = None,
) -> bytes:
    """A batch of records.  Whatever is not given is what a good producer would write.

    `producer` is id, epoch and base sequence; `body` stands in for the (compressed) records.
    """
    times = list(timestamps) or [timestamp] * len(values)
    at = list(deltas) if deltas is not None else list(range(len(values)))
    if body is None:
        plain = b"".join(
            _record(value, delta, time - times[0])
            for value, delta, time in zip(values, at, times, strict=True)
        )
        body = compress(codec, plain)
    rest = _REST.pack(
        attributes | codec,
        (max(at, default=0) if last_offset_delta is None else last_offset_delta),
        times[0] if times else timestamp,
        max(times, default=timestamp) if max_timestamp is None else max_timestamp,
        *producer,
        len(values) if count is None else count,
    )
    checked = rest + body
    size = _HEAD.size + len(checked) - 12
    head = _HEAD.pack(
        base_offset,
        size if length is None else length,
        leader_epoch,
        magic,
        crc32c(checked) if crc is None else crc,
    )
    return head + checked


def legacy(value: bytes, magic: int) -> bytes:
    """A message of format v0 or v1, whose checksum nobody gets to look at."""
    body = struct.pack(">bb", magic, 0) + (struct.pack(">q", -1) if magic else b"")
    body += struct.pack(">i", -1) + struct.pack(">i", len(value)) + value
    return struct.pack(">qiI", 0, len(body) + 4, 0) + body


def compress(codec: int, data: bytes, *, xerial: bool = True) -> bytes:
    """The records of a batch as a producer compresses them."""
    if codec == GZIP:
        return gzip.compress(data, mtime=0)
    if codec == SNAPPY:
        block = bytes(cramjam.snappy.compress_raw(data))
        return _XERIAL + struct.pack(">i", len(block)) + block if xerial else block
    if codec == LZ4:
        # Java reads no blocks that hang on earlier ones.
        return framed_lz4(data, linked=False)
    if codec == ZSTD:
        return bytes(cramjam.zstd.compress(data))
    return data


def framed_lz4(data: bytes, *, linked: bool) -> bytes:
    """An LZ4 frame whose blocks stand alone, or hang on each other."""
    writer = cramjam.lz4.Compressor(block_linked=linked)
    writer.compress(data)
    return bytes(writer.finish())


def read(data: bytes) -> list[dict[str, Any]]:
    """What a Fetch answer's records hold: every batch with its header, its records, and a last torn one."""
    found: list[dict[str, Any]] = []
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER_BYTES:
            return [*found, {"torn": True}]
        base, length, epoch, magic, crc = _HEAD.unpack_from(data, at)
        whole = data[at : at + 12 + length]
        if len(whole) < 12 + length:
            return [*found, {"torn": True}]
        found.append(
            {
                "base_offset": base,
                "leader_epoch": epoch,
                "magic": magic,
                "crc_is_right": crc32c(whole[21:]) == crc,
            }
            | _read(whole)
        )
        at += len(whole)
    return found


def _read(whole: bytes) -> dict[str, Any]:
    attributes, last, first_ms, max_ms, producer_id, epoch, sequence, count = _REST.unpack_from(whole, 21)
    body = _decompressed(attributes & 7, whole[_HEADER_BYTES:])
    return {
        "codec": CODECS[attributes & 7],
        "attributes": attributes & ~7,
        "last_offset_delta": last,
        "base_timestamp": first_ms,
        "max_timestamp": max_ms,
        "producer_id": producer_id,
        "producer_epoch": epoch,
        "base_sequence": sequence,
        "count": count,
        "records": list(_records(body)),
    }


def _decompressed(codec: int, body: bytes) -> bytes:
    if codec == GZIP:
        return gzip.decompress(body)
    if codec == SNAPPY:
        return _unsnapped(body)
    if codec == LZ4:
        return bytes(cramjam.lz4.decompress(body))
    if codec == ZSTD:
        return bytes(cramjam.zstd.decompress(body))
    return body


def _unsnapped(body: bytes) -> bytes:
    if not body.startswith(_XERIAL[:8]):
        return bytes(cramjam.snappy.decompress_raw(body))
    plain, at = b"", len(_XERIAL)
    while at < len(body):
        (size,) = struct.unpack_from(">i", body, at)
        plain += bytes(cramjam.snappy.decompress_raw(body[at + 4 : at + 4 + size]))
        at += 4 + size
    return plain


def _record(given: Given, offset_delta: int, timestamp_delta: int) -> bytes:
    key, value = given if isinstance(given, tuple) else (None, given)
    body = b"\0" + _varint(timestamp_delta) + _varint(offset_delta) + _sized(key) + _sized(value) + _varint(0)
    return _varint(len(body)) + body


def _records(data: bytes) -> Iterator[list[Any]]:
    """Yield each record as offset delta, timestamp delta, key, value and headers."""
    at = 0

    def number() -> int:
        nonlocal at
        raw = shift = 0
        while True:
            byte = data[at]
            at += 1
            raw |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (raw >> 1) ^ -(raw & 1)

    def sized() -> str | None:
        nonlocal at
        size = number()
        if size < 0:
            return None
        at += size
        return data[at - size : at].decode("latin-1")

    while at < len(data):
        number()
        at += 1  # the attributes of a record, of which there are none yet
        time, offset = number(), number()
        key, value = sized(), sized()
        yield [offset, time, key, value, [[sized(), sized()] for _ in range(number())]]


def _varint(number: int) -> bytes:
    raw = (number << 1) ^ (number >> 63)
    out = bytearray()
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


def _sized(data: bytes | None) -> bytes:
    return _varint(-1) if data is None else _varint(len(data)) + data
