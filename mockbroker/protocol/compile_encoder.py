"""Writes the encoder of one (message, version).

The generated function collects small pieces and joins them once; record blobs go into the list of parts as
the objects they are, so a stored batch travels from the log to the socket without being copied.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from mockbroker.protocol.schema import Field, Schema, fields_of, schema_of
from mockbroker.protocol.source import Page
from mockbroker.protocol.types import BytesLike

# Arrays of this many numbers or fewer are written by a ready-made packer.
SHORT = 16

# Record blobs smaller than this are joined to their neighbours: a copy is cheaper than one more buffer.
JOIN_BELOW = 4096


def compile_encoder(message_type: type[Any], version: int) -> Callable[[Any], list[bytes | memoryview]]:
    """A function of the message that returns its parts."""
    return EncoderPage(schema_of(message_type), version).whole(message_type)


class EncoderPage(Page):
    """The function under construction.

    In the generated code `out` are the small pieces, `add` appends to them, `n` is the length about to be
    written, and `parts` is what is finished.
    """

    def __init__(self, schema: Schema, version: int) -> None:
        super().__init__(schema, version)
        self.names.update(HELPERS)
        # Values of fixed size that wait to be packed together, each with its `struct` code.
        self.run: list[tuple[str, str]] = []

    def whole(self, message_type: type[Any]) -> Callable[[Any], list[bytes | memoryview]]:
        """The function for one message."""
        self.line("out = []")
        self.line("add = out.append")
        head = len(self.lines)
        self.struct(message_type, "m")
        self.flush()
        if any("place(" in line for line in self.lines):
            self.lines.insert(head, " parts = []")
            with self.block("if out:"):
                self.line('parts.append(b"".join(out))')
            self.line("return parts")
        else:
            self.line('return [b"".join(out)]')
        return self.compile("def encoder(m):", f"encoder of {message_type.__name__}")

    def struct(self, struct_type: type[Any], value: str) -> None:
        """Write every field that the version has, in order, tagged ones last."""
        tagged = []
        for field in fields_of(struct_type):
            if self.version in field.versions:
                if field.tag is None:
                    self.field(field, f"{value}.{field.name}")
                else:
                    tagged.append(field)
        if self.flexible:
            self.tags(sorted(tagged, key=lambda field: field.tag or 0), value)

    def field(self, field: Field, value: str) -> None:
        """One value."""
        if field.wire is None:
            if field.element is not None:
                self.array(field, field.element, value)
            else:
                self.inner(field, value)
        elif field.wire.size:
            self.run.append((value, field.wire.code))
        elif field.wire.kind == "records":
            self.records(field, value)
        else:
            self.text(field, value)

    def flush(self) -> None:
        """Write the fixed-size values met so far with one call."""
        if self.run:
            self.line(f"add({self.packed()})")
            self.run.clear()

    def packed(self, more: str = "", code: str = "") -> str:
        """The call that packs what is waiting, with one more value if asked.  An `x` is a zero byte."""
        values = [value for value, _ in self.run if value]
        codes = "".join(code for _, code in self.run) + code
        return f"{self.packer(codes, 'pack')}({', '.join([*values, more] if more else values)})"

    def length(self, code: str) -> None:
        """Write the length in `n`; for a compact one `n` is already length + 1, and one byte is the rule."""
        if not self.flexible:
            self.run.append(("n", code))
            self.flush()
        elif self.run:
            self.line(f"add({self.packed('n', 'B')} if n < 128 else {self.packed()} + varint(n))")
            self.run.clear()
        else:
            self.line("add(SMALL[n] if n < 128 else varint(n))")

    def null_or(self, field: Field, value: str, measure: str) -> None:
        """Set `n`, from a value that may be null.  Where the version has no null, empty takes its place."""
        if field.nullable is None:
            self.line(f"n = {measure}")
            return
        null = "0" if self.flexible else "-1"
        if not field.null_in(self.version):
            null = "1" if self.flexible else "0"
        self.line(f"n = {null} if {value} is None else {measure}")

    def counted(self, value: str) -> str:
        """The length of a value as the wire says it."""
        return f"len({value}) + 1" if self.flexible else f"len({value})"

    def text(self, field: Field, value: str) -> None:
        """A string or bytes: length, then content."""
        assert field.wire is not None
        is_string = field.wire.kind == "string"
        content = f"{value}.encode()" if is_string else value
        if field.nullable is None:
            self.line(f"v = {content}")
        else:
            self.line(f'v = b"" if {value} is None else {content}')
        self.null_or(field, value, self.counted("v"))
        self.length("h" if is_string else "i")
        self.line("add(v)")

    def records(self, field: Field, value: str) -> None:
        """A blob, or several: their total length, then each by reference."""
        self.line(f"v = {value}")
        self.null_or(field, "v", "size_of(v) + 1" if self.flexible else "size_of(v)")
        self.length("i")
        with self.block("if v:"):
            self.line("place(v, out, parts)")

    def inner(self, field: Field, value: str) -> None:
        """A struct inside a struct."""
        assert field.struct is not None
        name = self.variable("o")
        if not field.null_in(self.version):
            self.line(f"{name} = {value}")
            self.struct(field.struct, name)
            return
        self.flush()
        self.line(f"{name} = {value}")
        with self.block(f"if {name} is None:"):
            self.line(r'add(b"\xff")')
        with self.block("else:"):
            self.line(r'add(b"\x01")')
            self.struct(field.struct, name)
            self.flush()

    def array(self, field: Field, element: Field, value: str) -> None:
        """A count, then the elements."""
        items = self.variable("a")
        self.line(f"{items} = {value}")
        self.null_or(field, items, self.counted(items))
        if element.wire is not None and len(element.wire.code) == 1:
            self.numbers(field, element.wire.code, items)
            return
        self.length("i")
        item = self.variable("o")
        some = items if field.nullable is None else f"{items} or ()"
        with self.block(f"for {item} in {some}:"):
            if element.struct is not None:
                self.struct(element.struct, item)
            else:
                self.field(element, item)
            self.flush()

    def numbers(self, field: Field, code: str, items: str) -> None:
        """An array of numbers, with its count, in one call when it is short."""
        ready = f"packers_{code}_{'compact' if self.flexible else 'plain'}"
        if ready not in self.names:
            self.names[ready] = _packers(code, "B" if self.flexible else "i")
        self.flush()
        long = f"long_numbers({items}, '{code}', {self.flexible})"
        count = "n - 1" if self.flexible else "n"
        short = f"add({ready}[{count}](n, *{items}) if n <= {SHORT} else {long})"
        if field.nullable is None:
            self.line(short)
            return
        with self.block(f"if not {items}:"):
            self.length("i")
        with self.block("else:"):
            self.line(short)

    def tags(self, tagged: list[Field], value: str) -> None:
        """Tagged fields that differ from their defaults.  Nearly always there are none: one zero byte."""
        if not tagged:
            self.run.append(("", "x"))
            return
        self.flush()
        told = []
        for field in tagged:
            name = self.variable("g")
            self.line(f"{name} = {value}.{field.name}")
            told.append((field, name, f"({self.differs(field, name)})"))
        with self.block(f"if {' or '.join(differs for _, _, differs in told)}:"):
            self.line(f"add(SMALL[{' + '.join(differs for _, _, differs in told)}])")
            for field, name, differs in told:
                with self.block(f"if {differs}:"):
                    self.tagged(field, name)
        with self.block("else:"):
            self.line(r'add(b"\x00")')

    def differs(self, field: Field, name: str) -> str:
        """Whether a tagged field has something to say, as an expression that is True or False.

        A struct is compared field by field in place: calling its `__eq__` would take longer than all else.
        """
        if field.default is None:
            return f"{name} is not None"
        if isinstance(field.default, list):
            return f"len({name}) > 0"
        if field.struct is None:
            return f"{name} != {self.constant(field.default, 'default')}"
        inside = ((f"{name}.{f.name}", f.default) for f in fields_of(field.struct))
        return " or ".join(f"{place} != {self.constant(default, 'default')}" for place, default in inside)

    def tagged(self, field: Field, name: str) -> None:
        """Number, size and payload; the size is known only when the payload is written."""
        mark = self.variable("k")
        self.line(f"{mark} = len(out)")
        self.field(field, name)
        self.flush()
        self.line(f"out[{mark}:] = tagged({field.tag}, out[{mark}:])")


def _packers(code: str, count: str) -> list[Callable[..., bytes]]:
    """How to write a count and 0, 1, 2 ... numbers."""
    return [struct.Struct(f">{count}{n}{code}").pack for n in range(SHORT + 1)]


def varint(value: int) -> bytes:
    """An unsigned varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def long_numbers(items: Sequence[float], code: str, flexible: bool) -> bytes:
    """A count and many numbers."""
    count = varint(len(items) + 1) if flexible else struct.pack(">i", len(items))
    return count + struct.pack(f">{len(items)}{code}", *items)


def tagged(number: int, pieces: list[bytes]) -> list[bytes]:
    """The pieces of a payload, with its number and size before them."""
    return [varint(number) + varint(sum(map(len, pieces))), *pieces]


def size_of(records: BytesLike | Sequence[BytesLike]) -> int:
    """How many bytes of records there are, in one blob or several."""
    return sum(map(len, records)) if isinstance(records, list | tuple) else len(records)


def place(records: BytesLike | Sequence[BytesLike], out: list[Any], parts: list[Any]) -> None:
    """Put records where they belong: large blobs among the parts as they are, small ones among the pieces."""
    for blob in records if isinstance(records, list | tuple) else (records,):
        if len(blob) < JOIN_BELOW:
            out.append(blob)
            continue
        if out:
            parts.append(b"".join(out))
            out.clear()
        parts.append(blob)


# Varints of one byte, which nearly all are.
SMALL = [bytes((value,)) for value in range(128)]

HELPERS: dict[str, Any] = {
    "SMALL": SMALL,
    **{helper.__name__: helper for helper in (varint, long_numbers, tagged, size_of, place)},
}
