"""What the protocol tests share: every declared message, and ways to fill one.

`MESSAGES` and `VERSIONS` are for parametrising; `messages()` is a Hypothesis strategy derived from a
declaration; `sample()` is one message with something in every field; `as_seen_by()` is what is left of a
message after a round trip through one version.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from mockbroker.protocol.apis import Api
from mockbroker.protocol.schema import Field, fields_of, schema_of

MESSAGES: list[type[Any]] = [kind for api in Api if api.declared for kind in (api.request, api.response)]


def versions_of(message_type: type[Any]) -> range:
    """Every declared version."""
    versions = schema_of(message_type).versions
    return range(versions.first, versions.last + 1)


VERSIONS = [(kind, version) for kind in MESSAGES for version in versions_of(kind)]


def name(value: object) -> str:
    """A readable test id."""
    return value.__name__ if isinstance(value, type) else f"v{value}"


INTEGERS = {code: 8 * size for code, size in {"b": 1, "h": 2, "i": 4, "q": 8}.items()}
TEXT = st.one_of(st.text(max_size=5), st.sampled_from(["orders", "é" * 70, "x" * 127, "x" * 126]))


def values(field: Field, *, plausible: bool) -> st.SearchStrategy[Any]:
    """Values of one field, null included where any version has it."""
    some = _some(field, plausible=plausible)
    return st.none() | some if field.nullable is not None else some


def _some(field: Field, *, plausible: bool) -> st.SearchStrategy[Any]:
    if field.element is not None:
        numbers = field.element.wire is not None and field.element.wire.size
        return st.lists(values(field.element, plausible=plausible), max_size=40 if numbers else 2)
    if field.struct is not None:
        return messages(field.struct, plausible=plausible)
    assert field.wire is not None
    match field.wire.kind, field.wire.code:
        case "string", _:
            return TEXT
        case "bytes" | "records", _:
            return st.binary(max_size=8) | st.sampled_from([b"\x00" * 200, b"r" * 5000])
        case "uuid", _:
            return st.sampled_from([bytes(16), bytes(range(16))])
        case "bool", _:
            return st.booleans()
        case "float64", _:
            return st.floats(allow_nan=False)
        case "uint16", _:
            return st.integers(0, 0xFFFF)
    if plausible and field.name.endswith("error_code"):
        return st.integers(-1, 133)
    if plausible and (field.name.endswith("_ms") or "time" in field.name):
        return st.integers(0, 4_000_000_000_000 if field.wire.code == "q" else 0x7FFF_FFFF)
    bits = INTEGERS[field.wire.code]
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


_strategies: dict[tuple[type[Any], bool], st.SearchStrategy[Any]] = {}


def messages(struct_type: type[Any], *, plausible: bool = False) -> st.SearchStrategy[Any]:
    """Messages with anything in any field, whatever the version.

    Plausible ones have error codes that Kafka 4.3 knows and times that a calendar knows, for oracles that
    are choosy about these.
    """
    if (struct_type, plausible) not in _strategies:
        fields = {field.name: values(field, plausible=plausible) for field in fields_of(struct_type)}
        _strategies[struct_type, plausible] = st.builds(struct_type, **fields)
    return _strategies[struct_type, plausible]


def sample(struct_type: type[Any], *, elements: int = 1) -> Any:
    """One message with something in every field, nothing null, and arrays of this many elements."""
    return struct_type(**{field.name: _sample(field, elements) for field in fields_of(struct_type)})


def _sample(field: Field, elements: int) -> Any:
    if field.element is not None:
        return [_sample(field.element, elements) for _ in range(elements)]
    if field.struct is not None:
        return sample(field.struct, elements=elements)
    assert field.wire is not None
    if field.wire.kind in {"bytes", "records"}:
        return b"some bytes"
    known = {"string": "orders", "uuid": bytes(range(16)), "bool": True, "float64": 1.5}
    return known.get(field.wire.kind, 7)


def as_seen_by(version: int, message: Any) -> Any:
    """The message as a peer of this version knows it: what the version lacks is at its default."""
    fields = fields_of(type(message))
    return type(message)(
        **{
            field.name: _as_seen(field, version, getattr(message, field.name))
            for field in fields
            if version in field.versions
        }
    )


def _as_seen(field: Field, version: int, value: Any) -> Any:
    if value is None:
        if field.null_in(version):
            return None
        return [] if field.element is not None else "" if field.wire and field.wire.kind == "string" else b""
    if field.element is not None:
        return [_as_seen(field.element, version, each) for each in value]
    return as_seen_by(version, value) if field.struct is not None else value


def arrays_of(struct_type: type[Any], version: int) -> Iterator[tuple[Field, ...]]:
    """The way to every array inside a message of this version, nested ones included."""
    for field in fields_of(struct_type):
        if version not in field.versions:
            continue
        inside = field.element.struct if field.element is not None else field.struct
        if field.element is not None:
            yield (field,)
        if inside is not None:
            for way in arrays_of(inside, version):
                yield (field, *way)
