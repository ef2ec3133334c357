"""`@message` and `@struct`: a class body of annotated defaults becomes a protocol message.

One class serves every version of a message.  Each field has a default: what a reader finds when the
version lacks the field, and what a writer may leave unsaid.  Hundreds of these are declared, so making a
class is cheap: annotations are only looked into when a codec is compiled, constructors when first called.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar, Union, dataclass_transform, get_args, get_origin

from mockbroker.protocol.types import BOOL, STRING, VERSION_MAX, Nullable, Tag, Versions, Wire
from mockbroker.protocol.types import versions as parse_versions

T = TypeVar("T")

EVERY_VERSION = Versions(0, VERSION_MAX)
MISSING: Any = object()


class Field:
    """One field as the codecs see it: exactly one of `wire`, `struct` and `element` is set."""

    __slots__ = ("default", "element", "name", "nullable", "struct", "tag", "versions", "wire")

    def __init__(self, name: str, default: Any) -> None:
        self.name = name
        self.default = default
        self.versions = EVERY_VERSION
        self.nullable: Versions | None = None
        self.tag: int | None = None
        self.wire: Wire | None = None
        self.struct: type[Struct] | None = None
        self.element: Field | None = None

    def null_in(self, version: int) -> bool:
        """Whether the wire has a null for this field in this version."""
        return self.nullable is not None and version in self.nullable

    def __repr__(self) -> str:
        what = self.wire or (self.struct.__name__ if self.struct else [self.element])
        return f"<{self.name} {what} {self.versions}>"


class Schema:
    """What a message says about itself besides its fields."""

    __slots__ = ("api_key", "flexible", "versions")

    def __init__(self, api_key: int, versions: Versions, flexible: Versions | None) -> None:
        self.api_key = api_key
        self.versions = versions
        self.flexible = flexible

    def is_flexible(self, version: int) -> bool:
        """Flexible versions have compact lengths and tagged fields."""
        return self.flexible is not None and version in self.flexible


class Struct:
    """What all messages and their parts can do.  Declarations become subclasses of it, with slots."""

    __slots__ = ()
    # Annotation and default of each field, as declared; what is made of them, once asked for; and for whole
    # messages what `@message` said.
    declared: ClassVar[dict[str, tuple[Any, Any]]] = {}
    fields: ClassVar[tuple[Field, ...] | None] = None
    schema: ClassVar[Schema | None] = None

    def __init__(self, **values: Any) -> None:
        # The first construction replaces this with a constructor written for the class.
        cls = type(self)
        cls.__init__ = _constructor(cls)  # type: ignore[method-assign]  # that is the point of it
        cls.__init__(self, **values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.declared)

    __hash__ = None  # type: ignore[assignment]  # mutable, as every other record of changeable things

    def __repr__(self) -> str:
        """Only what differs from the defaults, and blobs by their size: this is read in failure reports."""
        told = [
            f"{name}={_brief(value)}"
            for name, (_, default) in self.declared.items()
            if (value := getattr(self, name)) != default
        ]
        return f"{type(self).__name__}({', '.join(told)})"


def _brief(value: object) -> str:
    if isinstance(value, memoryview | bytearray) or (isinstance(value, bytes) and len(value) > 32):
        return f"<{len(value)} bytes>"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_brief, value)) + "]"
    return repr(value)


def _constructor(cls: type[Struct]) -> Callable[..., None]:
    """A keyword-only `__init__` with every default in place; mutable defaults are made anew each time."""
    names: dict[str, Any] = {"MISSING": MISSING}
    parameters, body = [], []
    for name, (_, default) in cls.declared.items():
        if isinstance(default, list | Struct):
            names[f"new_{name}"] = type(default)
            parameters.append(f"{name}=MISSING")
            body.append(f" self.{name} = new_{name}() if {name} is MISSING else {name}")
        else:
            names[f"default_{name}"] = default
            parameters.append(f"{name}=default_{name}")
            body.append(f" self.{name} = {name}")
    head = f"def __init__(self, *, {', '.join(parameters)}):" if parameters else "def __init__(self):"
    exec("\n".join([head, *(body or [" pass"])]), names)  # noqa: S102 - the source is made of field names only
    constructor: Callable[..., None] = names["__init__"]
    constructor.__qualname__ = f"{cls.__name__}.__init__"
    return constructor


def _slotted(cls: type[Any]) -> type[Any]:
    """The declaration again, with slots, which a class body with defaults cannot have."""
    hints: dict[str, Any] = cls.__annotations__
    space = {name: value for name, value in vars(cls).items() if name not in hints}
    for left_behind in (
        "__dict__",
        "__weakref__",
        "__annotate_func__",
        "__annotations__",
        "__annotations_cache__",
    ):
        space.pop(left_behind, None)
    space["declared"] = {name: (hint, getattr(cls, name)) for name, hint in hints.items()}
    space["__slots__"] = tuple(hints)
    return type(cls.__name__, (Struct,), space)


@dataclass_transform(kw_only_default=True)
def struct(cls: type[T]) -> type[T]:
    """Declare a part of a message."""
    return _slotted(cls)


@dataclass_transform(kw_only_default=True)
def message(*, api: int, versions: str, flexible: str | None) -> Callable[[type[T]], type[T]]:
    """Declare a message: its API key, the versions it exists in, and those that are flexible (or None)."""

    def declare(cls: type[T]) -> type[T]:
        made = _slotted(cls)
        made.schema = Schema(api, parse_versions(versions), parse_versions(flexible) if flexible else None)
        return made

    return declare


def schema_of(message_type: type[Any]) -> Schema:
    """The message's key, versions and flexible versions."""
    schema: Schema | None = getattr(message_type, "schema", None)
    assert schema is not None, f"{message_type!r} is not declared with @message"
    return schema


def fields_of(struct_type: type[Any]) -> tuple[Field, ...]:
    """The fields in declared order, which is wire order; tagged ones are marked and follow their numbers."""
    assert issubclass(struct_type, Struct), f"{struct_type!r} is not declared with @struct or @message"
    if struct_type.fields is None:
        struct_type.fields = tuple(
            _field(name, hint, default) for name, (hint, default) in struct_type.declared.items()
        )
    return struct_type.fields


def replace(original: T, **changes: Any) -> T:
    """A copy of a message with some fields changed; the rest is shared, not copied."""
    assert isinstance(original, Struct)
    return type(original)(**{name: getattr(original, name) for name in original.declared} | changes)


def _field(name: str, hint: Any, default: Any) -> Field:
    """Read one annotation: `Annotated[list[X] | None, since(4), nullable(since=7)]` or anything simpler."""
    field = Field(name, default)
    markers: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            markers += hint.__metadata__
            hint = hint.__origin__
            if any(isinstance(marker, Wire) for marker in markers):
                break
        elif get_origin(hint) in (Union, types.UnionType):
            (hint,) = (choice for choice in get_args(hint) if choice is not type(None))
            field.nullable = EVERY_VERSION
        else:
            break
    for marker in markers:
        _mark(field, marker)
    if field.wire is None:
        _shape(field, hint)
    return field


def _mark(field: Field, marker: Any) -> None:
    match marker:
        case Wire():
            field.wire = marker
        case Versions():
            field.versions = marker
        case Nullable():
            assert field.nullable is not None, f"{field.name}: nullable, but its type has no None"
            field.nullable = marker.versions
        case Tag():
            field.tag = marker.number
            field.versions = marker.versions
        case _:
            raise AssertionError(f"{field.name}: {marker!r} says nothing about the wire")


def _shape(field: Field, hint: Any) -> None:
    """What is left of an annotation without its markers: a list, a struct, or one of the two named types."""
    if get_origin(hint) is list:
        field.element = _field(field.name, get_args(hint)[0], None)
    elif hint is bool:
        field.wire = BOOL
    elif hint is str:
        field.wire = STRING
    else:
        assert issubclass(hint, Struct), f"{field.name}: {hint!r} has no wire format"
        field.struct = hint
