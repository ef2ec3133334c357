"""Writes the decoder of one (message, version).

The generated function walks the buffer once.  Indexing and `unpack_from` check the end themselves; slices do
not, but the position only grows, so one comparison after the last field catches every slice that ran over.
What must be checked before is what allocates: element counts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.schema import Field, Schema, Struct, fields_of, schema_of
from mockbroker.protocol.source import ELEMENTS_MAX, TAGS_MAX, Page, smallest
from mockbroker.protocol.types import BytesLike, Wire

# How to make a value of what lies between a start and `e`.
READ = {"string": 'str(b[{}:e], "utf-8")', "bytes": "bytes(b[{}:e])", "records": "view[{}:e]"}

# Arrays of this many numbers or fewer are read by a ready-made unpacker.
SHORT = 16


def compile_decoder(message_type: type[Any], version: int) -> Callable[[Any, int], Any]:
    """A function of (buffer, position) that returns the message."""
    return DecoderPage(schema_of(message_type), version).whole(message_type)


class DecoderPage(Page):
    """The function under construction.

    In the generated code `b` is the buffer, `p` the position in it, `n` the length just read, `e` the end of
    what it measures, and `left` how many elements the frame may still have.
    """

    def __init__(self, schema: Schema, version: int) -> None:
        super().__init__(schema, version)
        self.names.update(HELPERS)
        # Fields of fixed size that wait to be read together: target, `struct` code, size.
        self.run: list[tuple[str, str, int]] = []

    def whole(self, message_type: type[Any]) -> Callable[[Any, int], Any]:
        """The function for one message."""
        self.line("end = len(b)")
        self.line(f"left = {ELEMENTS_MAX}")
        self.line("view = memoryview(b)")
        message = self.struct(message_type)
        with self.block("if p > end:"):
            self.line("raise IndexError")
        self.line(f"return {message}")
        if not any("view[" in line for line in self.lines):
            self.lines.remove(" view = memoryview(b)")
        return self.compile("def decoder(b, p):", f"decoder of {message_type.__name__}")

    def struct(self, struct_type: type[Any]) -> str:
        """Read a struct into a new variable."""
        target = self.variable("o")
        self.line(f"{target} = new({self.constant(struct_type, struct_type.__name__)})")
        tagged = []
        for field in fields_of(struct_type):
            if self.version not in field.versions:
                self.default(field, f"{target}.{field.name}")
            elif field.tag is None:
                self.field(field, f"{target}.{field.name}")
            else:
                tagged.append(field)
                self.default(field, f"{target}.{field.name}")
        self.flush()
        if self.flexible:
            self.tags(tagged, target)
        return target

    def default(self, field: Field, target: str) -> None:
        """What a reader finds when the message says nothing."""
        if isinstance(field.default, list):
            self.line(f"{target} = []")
        elif isinstance(field.default, Struct):
            self.line(f"{target} = {self.constant(type(field.default), 'make')}()")
        else:
            literal = repr(field.default)
            short = isinstance(field.default, int | str | None) and len(literal) < 30
            self.line(f"{target} = {literal if short else self.constant(field.default, 'default')}")

    def tags(self, tagged: list[Field], target: str) -> None:
        """The end of a flexible struct.  Nearly always one zero byte."""
        if not tagged:
            self.line("p = skip_tags(b, p) if b[p] else p + 1")
            return
        number, stop = self.variable("t"), self.variable("s")
        with self.block("if b[p]:"):
            self.line("n, p = tag_count(b, p)")
            with self.block("for _ in range(n):"):
                self.line(f"{number}, {stop}, p = tag_head(b, p)")
                word = "if"
                for field in tagged:
                    with self.block(f"{word} {number} == {field.tag}:"):
                        self.field(field, f"{target}.{field.name}")
                        self.flush()
                    word = "elif"
                with self.block("else:"):
                    self.line(f"p = {stop}")
                with self.block(f"if p != {stop}:"):
                    self.line(f"raise odd_tag({number})")
        with self.block("else:"):
            self.line("p += 1")

    def field(self, field: Field, target: str) -> None:
        """One value that is there."""
        if field.wire is None:
            if field.element is not None:
                self.array(field, field.element, target)
            else:
                self.inner(field, target)
        elif field.wire.size:
            self.run.append((target, field.wire.code, field.wire.size))
        else:
            self.sized(field, field.wire, target)

    def flush(self, *, back: int = 0) -> None:
        """Read the fixed-size fields met so far with one call; stay `back` bytes before their end."""
        if not self.run:
            return
        targets = ", ".join(target for target, _, _ in self.run)
        codes = "".join(code for _, code, _ in self.run)
        size = sum(size for _, _, size in self.run)
        self.line(f"{targets}, = {self.packer(codes, 'unpack_from')}(b, p)")
        if size - back:
            self.line(f"p += {size - back}")
        self.run.clear()

    def length(self, code: str, size: int) -> None:
        """Leave a length or count in `n`, -1 for null.  A compact one leaves `p` at its last byte, after
        which `p + n` is the end of what it measures: an addition less for every string.
        """
        if not self.flexible:
            self.run.append(("n", code, size))
            self.flush()
            return
        if self.run:
            self.run.append(("n", "B", 1))
            self.flush(back=1)
        else:
            self.line("n = b[p]")
        with self.block("if n > 127:"):
            self.line("n, p = wide(b, p)")

    def null(self, field: Field, target: str) -> None:
        """A length says null, or something below it."""
        what = self.constant(field.name, "name")
        if not field.null_in(self.version):
            self.line(f"raise no_null({what})")
            return
        self.line(f"{target} = None")
        if self.flexible:
            self.line("p += 1")
        else:
            with self.block("if n != -1:"):
                self.line(f"raise bad_length({what}, n)")

    def sized(self, field: Field, wire: Wire, target: str) -> None:
        """Strings and bytes are copied out of the frame; records stay in it.  `e` is where they end."""
        self.length(*(("h", 2) if wire.kind == "string" else ("i", 4)))
        start, null = ("p + 1", "not n") if self.flexible else ("p", "n < 0")
        with self.block(f"if {null}:"):
            self.null(field, target)
        with self.block("else:"):
            self.line("e = p + n")
            self.line(f"{target} = {READ[wire.kind].format(start)}")
            self.line("p = e")

    def inner(self, field: Field, target: str) -> None:
        """A struct inside a struct; where it may be null, a byte below zero says so."""
        assert field.struct is not None
        if not field.null_in(self.version):
            self.flush()
            self.line(f"{target} = {self.struct(field.struct)}")
            return
        self.run.append(("n", "b", 1))
        self.flush()
        with self.block("if n < 0:"):
            self.line(f"{target} = None")
        with self.block("else:"):
            self.line(f"{target} = {self.struct(field.struct)}")

    def array(self, field: Field, element: Field, target: str) -> None:
        """A count, checked against the bytes that are left before anything is made, then the elements."""
        self.length("i", 4)
        if self.flexible:
            self.line("p += 1")
            self.line("n -= 1")
        if field.null_in(self.version):
            with self.block("if n == -1:"):
                self.line(f"{target} = None")
            with self.block("else:"):
                self.elements(element, target)
        else:
            self.elements(element, target)

    def elements(self, element: Field, target: str) -> None:
        """The elements themselves, `n` of them."""
        size = smallest(element, self.version, flexible=self.flexible)
        what = self.constant(element.name, "name")
        with self.block(f"if not 0 <= n * {size} <= end - p:"):
            self.line(f"raise bad_count({what}, n, end - p)")
        self.line("left -= n")
        with self.block("if left < 0:"):
            self.line("raise too_many()")
        if element.wire is not None and len(element.wire.code) == 1:
            self.numbers(element.wire.code, size, target)
            return
        items = self.variable("a")
        self.line(f"{target} = {items} = []")
        with self.block("for _ in range(n):"):
            if element.struct is not None:
                self.line(f"{items}.append({self.struct(element.struct)})")
            else:
                value = self.variable("v")
                self.field(element, value)
                self.flush()
                self.line(f"{items}.append({value})")

    def numbers(self, code: str, size: int, target: str) -> None:
        """An array of numbers in one call."""
        ready = f"unpackers_{code}"
        if ready not in self.names:
            self.names[ready] = _unpackers(code)
        self.line(
            f'{target} = list({ready}[n](b, p) if n <= {SHORT} else unpack_from(f">{{n}}{code}", b, p))'
        )
        self.line(f"p += n * {size}" if size > 1 else "p += n")


_unpackers_by_code: dict[str, list[Callable[..., tuple[int, ...]]]] = {}


def _unpackers(code: str) -> list[Callable[..., tuple[int, ...]]]:
    """How to read 0, 1, 2 ... numbers: making the format anew each time would cost more than the reading."""
    if code not in _unpackers_by_code:
        _unpackers_by_code[code] = [struct.Struct(f">{n}{code}").unpack_from for n in range(SHORT + 1)]
    return _unpackers_by_code[code]


def wide(b: BytesLike, p: int) -> tuple[int, int]:
    """An unsigned varint of more than one byte: its value, and the place of its last byte."""
    value = 0
    for shift in range(0, 35, 7):
        byte = b[p]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFF_FFFF:
                break
            return value, p
        p += 1
    raise MalformedMessage("a varint does not end within 32 bits")


def tag_count(b: BytesLike, p: int) -> tuple[int, int]:
    """How many tagged fields follow, and where."""
    count, p = wide(b, p)
    if count > TAGS_MAX:
        raise MalformedMessage(
            f"{count} tagged fields in one struct, and {TAGS_MAX} is the most that is taken"
        )
    return count, p + 1


def tag_head(b: BytesLike, p: int) -> tuple[int, int, int]:
    """The number of a tagged field, where its payload ends, and where it begins."""
    number, p = wide(b, p)
    size, p = wide(b, p + 1)
    stop = p + 1 + size
    if stop > len(b):
        raise MalformedMessage(f"tagged field {number} says {size} bytes, but {len(b) - p - 1} are left")
    return number, stop, p + 1


def skip_tags(b: BytesLike, p: int) -> int:
    """Pass over tagged fields that this version does not know."""
    count, p = tag_count(b, p)
    for _ in range(count):
        _, p, _ = tag_head(b, p)
    return p


def odd_tag(number: int) -> MalformedMessage:
    """A known tagged field is not as long as it said."""
    return MalformedMessage(f"tagged field {number} is not as long as it says")


def no_null(name: str) -> MalformedMessage:
    """Null, or a negative length, where the version has no null."""
    return MalformedMessage(f"{name!r} is null, which this version does not allow")


def bad_length(name: str, length: int) -> MalformedMessage:
    """A length below null."""
    return MalformedMessage(f"{name!r} has the length {length}")


def bad_count(name: str, count: int, left: int) -> MalformedMessage:
    """More elements than the rest of the frame can hold, or fewer than none."""
    return MalformedMessage(f"{name!r} says {count} elements, which {left} bytes cannot hold")


def too_many() -> MalformedMessage:
    """Plausible, but not reasonable."""
    return MalformedMessage(f"more than {ELEMENTS_MAX} elements in one message")


HELPERS: dict[str, Any] = {
    "new": object.__new__,
    "unpack_from": struct.unpack_from,
    **{
        helper.__name__: helper
        for helper in (
            wide,
            tag_count,
            tag_head,
            skip_tags,
            odd_tag,
            no_null,
            bad_length,
            bad_count,
            too_many,
        )
    },
}
