"""A fast look over the records of a batch: whether each is well formed, and what they amount to.

Answers exactly what Kafka learns by iterating over a produced batch, without making a single record.
Whoever then needs to know *which* record is bad reads them properly (`record.read_records`).

Why two ways: this runs for every record that anybody produces.  Parsing one costs about half a microsecond
in Python.  But batches are often full of records of one shape (same sizes, no headers), and then one byte
of every record makes a *column*, a slice with a stride, which the methods of `bytes` judge in C.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from mockbroker.records.varints import VARINT_BITS, VARLONG_BITS, malformed, read_unsigned, read_varint

_BELOW_128 = bytes(range(128))  # the last byte of a varint
_FROM_128 = bytes(range(128, 256))  # each byte before it

# Judging columns costs as much as parsing some records: not worth it for fewer than these.
_RUN_MIN = 8

# An attempt in vain may cost as much as some ten records, so so many are read before the next one.
_BURST = 64


class Survey(NamedTuple):
    """What the records of a batch amount to.  The timestamps are deltas."""

    oldest: int
    newest: int
    null_keys: bool
    in_order: bool  # whether the offset deltas are 0, 1, 2, ...


def survey(body: bytes, count: int) -> Survey:
    """Look over the `count` records that must fill `body` exactly; `KafkaError` where they do not."""
    at = index = 0
    null_keys = False
    in_order = True
    stamps: set[int] = set()  # in zig-zag, and few: the records of a batch are made within milliseconds
    burst = 1
    try:
        while index < count:
            burst = min(burst, count - index)
            start, at, nulls, ordered = _pass_records(body, at, index, burst, stamps)
            null_keys = null_keys or nulls
            in_order = in_order and ordered
            index += burst
            run = 0
            if count - index >= _RUN_MIN and body[at] == body[start]:
                run, run_stamps = _same_shape(body, start, at, index, count - index)
                at += run * (at - start)
                index += run
                stamps |= run_stamps
            burst = 1 if run else _BURST
    except IndexError:
        raise malformed("the data ends in a record") from None
    if at != len(body):
        raise malformed(f"{len(body) - at} bytes are left over after {count} records")
    deltas = [(stamp >> 1) ^ -(stamp & 1) for stamp in stamps] or [0]
    return Survey(min(deltas), max(deltas), null_keys, in_order)


# Numbers of one or two bytes, nearly all, are read in place: a call would cost more than all the rest.  Of a
# first byte f >= 128 and a second s they are `f + (s - 1) * 128`, which passes 16383 when s >= 128.
# Odd is negative in zig-zag, and a negative size is null.
def _pass_records(
    body: bytes, at: int, index: int, count: int, stamps: set[int]
) -> tuple[int, int, bool, bool]:
    """Where the last of `count` records begins and ends, if any has a null key, if they are in order."""
    nulls, ordered, start = 0, True, at
    for right_delta in range(index << 1, (index + count) << 1, 2):
        start = at
        size, at = body[at], at + 1
        if size > 127:
            size, at = size + ((body[at] - 1) << 7), at + 1
            if size > 16383:
                size, at = read_unsigned(body, start, VARINT_BITS)
        end = at + (size >> 1)
        stamp, at = body[at + 1], at + 2  # past the attributes, which mean nothing
        if stamp > 127:
            stamp, at = read_unsigned(body, at - 1, VARLONG_BITS)
        stamps.add(stamp)
        delta, at = body[at], at + 1
        if delta > 127:
            delta, at = delta + ((body[at] - 1) << 7), at + 1
            if delta > 16383:
                delta, at = read_unsigned(body, at - 2, VARINT_BITS)
        ordered &= delta == right_delta
        key_size, at = body[at], at + 1
        if key_size > 127:
            key_size, at = read_unsigned(body, at - 1, VARINT_BITS)
        nulls |= key_size & 1
        at += 0 if key_size & 1 else key_size >> 1
        value_size, at = body[at], at + 1
        if value_size > 127:
            value_size, at = value_size + ((body[at] - 1) << 7), at + 1
            if value_size > 16383:
                value_size, at = read_unsigned(body, at - 2, VARINT_BITS)
        at += 0 if value_size & 1 else value_size >> 1
        at = _pass_headers(body, at) if body[at] else at + 1
        if at != end or size & 1:
            raise malformed("its length and its content disagree")
    return start, at, bool(nulls), ordered


def _pass_headers(body: bytes, at: int) -> int:
    count, at = read_varint(body, at)
    # A header has two bytes at least; a count beyond that is not worth starting on.
    if not 0 <= count <= (len(body) - at) // 2:
        raise malformed(f"{count} headers in {len(body) - at} bytes")
    for _ in range(count):
        key_size, at = read_varint(body, at)
        if key_size < 0:
            raise malformed("a header without a key")
        value_size, at = read_varint(body, at + key_size)
        at += max(value_size, 0)
    return at


def _same_shape(body: bytes, start: int, end: int, index: int, left: int) -> tuple[int, set[int]]:
    """How many records after that of body[start:end] are shaped like it, and their timestamp deltas.

    Of the same shape are records of the same sizes and without headers, whose offset deltas go on counting
    from `index`; at most `left` follow.  0 is never a wrong answer: it means to go on one by one.
    """
    _, attributes_at = read_varint(body, start)
    _, delta_at = read_unsigned(body, attributes_at + 1, VARLONG_BITS)
    _, key_at = read_unsigned(body, delta_at, VARINT_BITS)
    key_size, key_from = read_varint(body, key_at)
    value_at = key_from + max(key_size, 0)
    value_size, value_from = read_varint(body, value_at)
    if value_from + max(value_size, 0) != end - 1:
        return 0, set()  # there are headers

    stride = end - start
    run = min(left, (len(body) - end) // stride)
    # These bytes are the same in every record of the run: all sizes, and the number of headers, 0.
    for at in (*range(start, attributes_at), *range(key_at, key_from), *range(value_at, value_from), end - 1):
        run -= len(_column(body, at, stride, run).lstrip(body[at : at + 1]))
    run = _counting(body, delta_at, key_at - delta_at, stride, run, index)
    return _stamped(body, attributes_at + 1, delta_at - attributes_at - 1, stride, run)


def _column(body: bytes, at: int, stride: int, run: int) -> bytes:
    """One byte of each of `run` records: the one `at` which the record before them has it."""
    return body[at + stride : at + stride * run + 1 : stride]


def _counting(body: bytes, at: int, width: int, stride: int, run: int, index: int) -> int:
    """`run`, as far as the offset deltas of that width can go on from `index`; 0 if they do not."""
    if width == 1:
        run = max(0, min(run, 64 - index))
        right = _column(body, at, stride, run) == bytes(range(index << 1, (index + run) << 1, 2))
    elif width == 2:
        firsts, seconds = _two_byte_deltas()
        run = max(0, min(run, len(firsts) - index))
        right = (
            _column(body, at, stride, run) == firsts[index : index + run]
            and _column(body, at + 1, stride, run) == seconds[index : index + run]
        )
    else:
        right = False
    return run if right else 0


@functools.cache
def _two_byte_deltas() -> tuple[bytes, bytes]:
    """First and second bytes of the offset deltas from 0 up, as far as two bytes reach."""
    return bytes((n << 1) & 127 | 128 for n in range(8192)), bytes(n >> 6 for n in range(8192))


def _stamped(body: bytes, at: int, width: int, stride: int, run: int) -> tuple[int, set[int]]:
    """`run`, as far as timestamp deltas of that width go, and the deltas."""
    firsts = _column(body, at, stride, run)
    if width == 1:
        run -= len(firsts.lstrip(_BELOW_128))
        return run, set(firsts[:run])
    if width == 2:
        run -= len(firsts.lstrip(_FROM_128))
        seconds = _column(body, at + 1, stride, run)
        run -= len(seconds.lstrip(_BELOW_128))
        pairs = set(zip(firsts[:run], seconds[:run], strict=True))
        return run, {first + ((second - 1) << 7) for first, second in pairs}
    return 0, set()  # a batch that was kept open for more than eight seconds: one by one
