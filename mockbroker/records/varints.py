"""Zig-zag varints, the numbers inside records: strict and bounded.

A varint has at most 5 bytes and 32 bits, a varlong 10 and 64.  Longer ones, and those that the data ends
in, are malformed records; a short number written with needless bytes is read, as Kafka does.
"""

from __future__ import annotations

from mockbroker.protocol.errors import ErrorCode, KafkaError

VARINT_BITS = 32
VARLONG_BITS = 64
_ONE_BYTE = [bytes((n,)) for n in range(128)]


def malformed(why: str) -> KafkaError:
    """The refusal of a record that breaks its own format."""
    return KafkaError(ErrorCode.INVALID_RECORD, f"malformed record: {why}")


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The 32-bit number at `at`, and where the next thing begins."""
    zigzag, at = read_unsigned(data, at, VARINT_BITS)
    return (zigzag >> 1) ^ -(zigzag & 1), at


def read_varlong(data: bytes, at: int) -> tuple[int, int]:
    """The 64-bit number at `at`, and where the next thing begins."""
    zigzag, at = read_unsigned(data, at, VARLONG_BITS)
    return (zigzag >> 1) ^ -(zigzag & 1), at


def read_unsigned(data: bytes, at: int, bits: int) -> tuple[int, int]:
    """The bare number at `at`, before its zig-zag is undone, of at most `bits` bits."""
    try:
        byte = data[at]
        if byte < 128:
            return byte, at + 1
        number = byte & 127
        for shift in range(7, bits, 7):
            at += 1
            byte = data[at]
            number |= (byte & 127) << shift
            if byte < 128:
                if number >> bits:
                    break
                return number, at + 1
    except IndexError:
        raise malformed("the data ends in a number") from None
    raise malformed(f"a number of more than {bits} bits")


def varint(value: int) -> bytes:
    """`value` as a zig-zag varint (or varlong: short numbers look the same)."""
    zigzag = value << 1 if value >= 0 else ~(value << 1)
    if zigzag < 128:
        return _ONE_BYTE[zigzag]
    assert zigzag >> VARLONG_BITS == 0, value
    encoded = bytearray()
    while zigzag > 127:
        encoded.append(zigzag & 127 | 128)
        zigzag >>= 7
    encoded.append(zigzag)
    return bytes(encoded)
