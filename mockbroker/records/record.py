"""A record: one key, value, headers and timestamp inside a batch, and its bytes.

Reads and writes the uncompressed record area of a v2 batch.  Trusts nothing that it reads: whatever the
bytes are, the outcome is records or a `KafkaError` (INVALID_RECORD).  Does not know batches or codecs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mockbroker.records.crc import Buffer
from mockbroker.records.varints import malformed, read_varint, read_varlong, varint

Header = tuple[str, bytes | None]
HeaderToWrite = tuple[str, Buffer | None]

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

_NULL = varint(-1)
_NO_HEADERS = varint(0)


@dataclass(slots=True)
class Record:
    """One record, with what its batch says about it already added in."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    offset_delta: int
    timestamp_delta: int


def read_records(
    body: bytes,
    count: int,
    *,
    base_offset: int = 0,
    base_timestamp: int = 0,
    append_timestamp: int | None = None,
) -> Iterator[Record]:
    """The `count` records that fill `body` exactly; `append_timestamp` replaces their own timestamps."""
    at = 0
    for _ in range(count):
        length, at = read_varint(body, at)
        end = at + length
        if end > len(body):
            raise malformed(f"a record of {length} bytes, where {len(body) - at} are left")
        timestamp_delta, at = read_varlong(body, at + 1)  # the byte before it, attributes, means nothing yet
        offset_delta, at = read_varint(body, at)
        key, at = _read_bytes(body, at)
        value, at = _read_bytes(body, at)
        headers, at = _read_headers(body, at)
        if at != end:
            raise malformed(f"its length says that it ends at {end}, its content at {at}")
        timestamp = base_timestamp + timestamp_delta if append_timestamp is None else append_timestamp
        if not INT64_MIN <= timestamp <= INT64_MAX:
            raise malformed(f"its timestamp would be {timestamp}")
        yield Record(
            base_offset + offset_delta, timestamp, key, value, headers, offset_delta, timestamp_delta
        )
    if at != len(body):
        raise malformed(f"{len(body) - at} bytes are left over after {count} records")


def _read_bytes(body: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = read_varint(body, at)
    if size < 0:
        return None, at
    end = at + size  # beyond the body it cannot be where the record ends, and so is noticed there
    return body[at:end], end


def _read_headers(body: bytes, at: int) -> tuple[list[Header], int]:
    count, at = read_varint(body, at)
    # A header has two bytes at least; a count beyond that is not worth starting on.
    if not 0 <= count <= (len(body) - at) // 2:
        raise malformed(f"{count} headers in {len(body) - at} bytes")
    headers: list[Header] = []
    for _ in range(count):
        name, at = _read_bytes(body, at)
        if name is None:
            raise malformed("a header without a key")
        value, at = _read_bytes(body, at)
        # Java clients see the replacement character too where a key is no UTF-8.
        headers.append((name.decode("utf-8", "replace"), value))
    return headers, at


def write_record(
    out: bytearray,
    offset_delta: int,
    timestamp_delta: int,
    key: Buffer | None,
    value: Buffer | None,
    headers: Sequence[HeaderToWrite] = (),
) -> None:
    """Append one record to `out`."""
    head = b"\x00" + varint(timestamp_delta) + varint(offset_delta)  # no attributes
    sized_key = _NULL if key is None else varint(len(key)) + key
    sized_value = _NULL if value is None else varint(len(value)) + value
    tail = _sized_headers(headers) if headers else _NO_HEADERS
    out += varint(len(head) + len(sized_key) + len(sized_value) + len(tail))
    out += head
    out += sized_key
    out += sized_value
    out += tail


def _sized_headers(headers: Sequence[HeaderToWrite]) -> bytes:
    parts: list[Buffer] = [varint(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        parts += (varint(len(encoded)), encoded)
        parts += (_NULL,) if value is None else (varint(len(value)), value)
    return b"".join(parts)
