"""How one field looks on the wire, said in type annotations.

`Int32`, `Bytes` and their kin are plain `int` and `bytes` to a type checker; the wire format rides along as
metadata, and so do the versions: `Annotated[Int32, since(7)]`.  Nothing here reads or writes a byte: this
module is the vocabulary of the declarations in `messages/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

INT32_MAX = 0x7FFF_FFFF
INT32_MIN = -0x8000_0000
INT64_MAX = 0x7FFF_FFFF_FFFF_FFFF

# Open-ended version ranges end here: version numbers are int16 on the wire.
VERSION_MAX = 0x7FFF


class Wire:
    """One primitive format: its name, and where its size is fixed the `struct` code and the size in bytes."""

    __slots__ = ("code", "kind", "size")

    def __init__(self, kind: str, code: str = "", size: int = 0) -> None:
        self.kind = kind
        self.code = code
        self.size = size

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class Versions:
    """The versions, both ends included, in which a field (or its null) exists."""

    __slots__ = ("first", "last")

    def __init__(self, first: int, last: int = VERSION_MAX) -> None:
        assert 0 <= first <= last <= VERSION_MAX, (first, last)
        self.first = first
        self.last = last

    def __contains__(self, version: int) -> bool:
        return self.first <= version <= self.last

    def __repr__(self) -> str:
        return f"{self.first}+" if self.last == VERSION_MAX else f"{self.first}-{self.last}"


class Nullable:
    """The versions in which a field that is `| None` may really be null on the wire."""

    __slots__ = ("versions",)

    def __init__(self, versions: Versions) -> None:
        self.versions = versions


class Tag:
    """A tagged field: left out of the message while it holds its default, so old readers never meet it."""

    __slots__ = ("number", "versions")

    def __init__(self, number: int, versions: Versions) -> None:
        self.number = number
        self.versions = versions


def since(version: int) -> Versions:
    """The field exists from this version on."""
    return Versions(version)


def until(version: int) -> Versions:
    """The field exists up to and including this version."""
    return Versions(0, version)


def versions(text: str) -> Versions:
    """The range as Kafka writes it: `"3+"`, `"0-12"` or `"1"`."""
    first, dash, last = text.partition("-")
    if text.endswith("+"):
        return Versions(int(text[:-1]))
    return Versions(int(first), int(last if dash else first))


def nullable(since: int, until: int = VERSION_MAX) -> Nullable:
    """Null exists on the wire only in these versions; in the others null is written as empty.

    A field that is `| None` without this marker may be null in every version that has it.
    """
    return Nullable(Versions(since, until))


def tag(number: int, *, since: int) -> Tag:
    """The field is tagged, from this version on."""
    return Tag(number, Versions(since))


Int8 = Annotated[int, Wire("int8", "b", 1)]
Int16 = Annotated[int, Wire("int16", "h", 2)]
UInt16 = Annotated[int, Wire("uint16", "H", 2)]
Int32 = Annotated[int, Wire("int32", "i", 4)]
Int64 = Annotated[int, Wire("int64", "q", 8)]
Float64 = Annotated[float, Wire("float64", "d", 8)]

# Two types need no new name to a type checker; they have one so that declarations read evenly.
Bool = bool
Str = str
BOOL = Wire("bool", "?", 1)
STRING = Wire("string")

# Sixteen raw bytes.  `uuid.UUID` would cost a microsecond each and buy nothing: ids are only compared.
Uuid = Annotated[bytes, Wire("uuid", "16s", 16)]
ZERO_UUID = bytes(16)

Bytes = Annotated[bytes, Wire("bytes")]

BytesLike = bytes | bytearray | memoryview
# Record batches as one opaque run.  Decoding gives a `memoryview` of the frame: nothing is copied.
Records = Annotated[bytes | bytearray | memoryview, Wire("records")]
# The same bytes on the wire; what is sent may also be several stored batches, each by reference.
Batches = Annotated[BytesLike | Sequence[BytesLike], Wire("records")]
