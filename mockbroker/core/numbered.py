"""Coordinator records: bodies behind two bytes that say what they are.

A key begins with the number of its record type, a value with the number of its layout.  Used for every internal
topic; does not know what the records mean.
"""

from __future__ import annotations

from typing import TypeVar

from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.schema import schema_of

T = TypeVar("T")

_NUMBER_BYTES = 2


def seal_numbered(number: int, body: object, version: int) -> bytes:
    """A body in one of its layouts behind its number: for a value they are the same, a key has one layout."""
    return number.to_bytes(_NUMBER_BYTES, "big") + b"".join(bytes(part) for part in encode(body, version))


def open_numbered(value_type: type[T], value: bytes) -> T:
    """Read a numbered value of any layout that ever was.  A newer one cannot be read."""
    layout = number_of(value)
    if layout not in schema_of(value_type).versions:
        raise MalformedMessage(f"{value_type.__name__} has no layout {layout}")
    return decode(value_type, layout, value, _NUMBER_BYTES)


def number_of(numbered: bytes) -> int:
    """The number that a key or a value begins with."""
    if len(numbered) < _NUMBER_BYTES:
        raise MalformedMessage(
            f"a coordinator's record begins with two bytes of type, not {bytes(numbered)!r}"
        )
    return int.from_bytes(numbered[:_NUMBER_BYTES], "big", signed=True)
