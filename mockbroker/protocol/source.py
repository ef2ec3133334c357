"""What the two compilers share: a page of generated Python, and the smallest size of things on the wire.

The generated functions are flat: nested structs become nested loops in one function, because a call costs
more than anything else that a codec does.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

from mockbroker.protocol.schema import Field, Schema, fields_of

# A decoder counts the elements of all arrays of a frame: one byte on the wire can become an object of a few
# hundred bytes, so bounding the frame alone would let 100 MiB ask for all the memory there is.
ELEMENTS_MAX = 500_000

# Kafka has four tagged fields where it has most; a struct with more than this is not worth skipping through.
TAGS_MAX = 64


class Page:
    """Lines of a function under construction, with the constants it refers to."""

    def __init__(self, schema: Schema, version: int) -> None:
        assert version in schema.versions, f"API {schema.api_key} has no version {version}"
        self.version = version
        self.flexible = schema.is_flexible(version)
        self.names: dict[str, Any] = {}
        self.lines: list[str] = []
        self.indent = 1
        self.counter = 0

    def line(self, text: str) -> None:
        """Add one line at the current depth."""
        self.lines.append(" " * self.indent + text)

    @contextlib.contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Lines added inside belong to this `if`, `else` or `for`."""
        self.line(head)
        self.indent += 1
        yield
        self.indent -= 1

    def constant(self, value: Any, hint: str) -> str:
        """A name under which the function can see this object."""
        for name, known in self.names.items():
            if known is value:
                return name
        self.counter += 1
        name = f"{hint}_{self.counter}"
        self.names[name] = value
        return name

    def variable(self, hint: str) -> str:
        """A local name that nothing else uses."""
        self.counter += 1
        return f"{hint}{self.counter}"

    def packer(self, codes: str, method: str) -> str:
        """A bound method of the `struct.Struct` of these codes, shared by all places that need the same."""
        name = f"{method}_{codes.replace('?', 't')}"
        if name not in self.names:
            self.names[name] = getattr(struct.Struct(">" + codes), method)
        return name

    def compile(self, head: str, title: str) -> Callable[..., Any]:
        """The finished function."""
        text = "\n".join([head, *self.lines]) + "\n"
        exec(compile(text, f"<{title} v{self.version}>", "exec"), self.names)  # noqa: S102 - made of declarations
        function: Callable[..., Any] = self.names[head[4 : head.index("(")]]
        return function


def smallest(field: Field, version: int, *, flexible: bool) -> int:
    """The fewest bytes that a value of this field takes: what makes a count of elements plausible."""
    if field.wire is not None:
        if field.wire.size:
            return field.wire.size
        return 1 if flexible else 2 if field.wire.kind == "string" else 4
    if field.element is not None:
        return 1 if flexible else 4
    assert field.struct is not None
    if field.null_in(version):
        return 1
    return smallest_struct(field.struct, version, flexible=flexible)


def smallest_struct(struct_type: type[Any], version: int, *, flexible: bool) -> int:
    """The same for a whole struct; at least one, so that a count can never be free."""
    inside = (f for f in fields_of(struct_type) if version in f.versions and f.tag is None)
    total = sum(smallest(field, version, flexible=flexible) for field in inside)
    return max(1, total + flexible)
