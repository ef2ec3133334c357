"""Requests to bytes and bytes to answers, by kio: an implementation that has nothing of mockbroker's.

A request is an API's name, a version and kio's field names; what is not given has Kafka's default, or is
empty.  An answer is plain data: dictionaries, lists, numbers; error codes by name, durations and times in
milliseconds.  What kio does not know (Kafka 4.4's additions, broken requests) is sent as raw bytes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import io
import re
import struct
import types
import typing
import uuid
from functools import cache
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.schema.index import api_key_map
from kio.serial import entity_reader, entity_writer

Answer = dict[str, Any]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_EMPTY: dict[type, Any] = {
    bool: False,
    int: 0,
    float: 0.0,
    str: "",
    bytes: b"",
    dt.timedelta: dt.timedelta(0),
}


def key_of(api: str) -> int:
    """The number of an API, by Kafka's name for it: "ListOffsets" is 2."""
    return _keys()[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", api).lower()]


@cache
def _keys() -> dict[str, int]:
    return {name: int(key) for key, name in api_key_map.items()}


def header(key: int, version: int, correlation_id: int, client_id: str | None, *, flexible: bool) -> bytes:
    """A request header; the client id keeps its old form in flexible versions."""
    name = b"" if client_id is None else client_id.encode()
    length = -1 if client_id is None else len(name)
    return struct.pack(">hhih", key, version, correlation_id, length) + name + (b"\0" if flexible else b"")


def is_flexible(api: str, version: int) -> bool:
    """Whether requests of this version carry tagged fields."""
    return bool(load_request_schema(key_of(api), version).__flexible__)


def request(api: str, version: int, correlation_id: int, client_id: str | None, fields: Answer) -> bytes:
    """A whole request, without its length."""
    schema: Any = load_request_schema(key_of(api), version)
    body = io.BytesIO()
    entity_writer(schema)(body, _entity(schema, fields))
    head = header(key_of(api), version, correlation_id, client_id, flexible=bool(schema.__flexible__))
    return head + body.getvalue()


def answer(api: str, version: int, frame: bytes) -> Answer:
    """What an answer says, its correlation id left out.  Bytes that nobody reads are an error."""
    schema: Any = load_response_schema(key_of(api), version)
    at = 4
    if schema.__header_schema__.__flexible__:
        assert frame[at] == 0, "Kafka puts no tagged fields into response headers"
        at += 1
    if api == "DescribeTransactions":
        return _described_transactions(frame[at:])
    entity, size = entity_reader(schema)(frame, at)
    assert at + size == len(frame), f"{len(frame) - at - size} bytes follow the answer of {api} v{version}"
    read: Answer = _plain(entity)
    return read


def _described_transactions(body: bytes) -> Answer:
    """By hand, because kio knows no time before 1970, and -1 stands for none."""
    data = io.BytesIO(body)

    def number(size: int) -> int:
        return int.from_bytes(data.read(size), "big", signed=True)

    def length() -> int:
        value = shift = 0
        while True:
            (byte,) = data.read(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value - 1

    def text() -> str:
        return data.read(length()).decode()

    def topic() -> Answer:
        named = {"topic": text(), "partitions": [number(4) for _ in range(length())]}
        data.read(1)
        return named

    def transaction() -> Answer:
        told: Answer = {"error_code": ErrorCode(number(2)).name.upper(), "transactional_id": text()}
        told |= {"transaction_state": text(), "transaction_timeout": number(4)}
        told |= {"transaction_start_time": number(8), "producer_id": number(8), "producer_epoch": number(2)}
        told["topics"] = [topic() for _ in range(length())]
        data.read(1)
        return told

    answer = {"throttle_time": number(4), "transaction_states": [transaction() for _ in range(length())]}
    assert data.read() == b"\0", "an answer ends with its tagged fields, of which there are none"
    return answer


@cache
def _hints(schema: type) -> dict[str, Any]:
    return typing.get_type_hints(schema)


def _entity(schema: Any, given: Answer) -> Any:
    """One of kio's objects from what a story gives; a field that it does not have is the story's error."""
    hints, values, left = _hints(schema), {}, dict(given)
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        if field.name in left:
            values[field.name] = _value(hint, left.pop(field.name))
        elif field.default is dataclasses.MISSING:
            values[field.name] = _empty(hint)
    if left:
        names = [field.name for field in dataclasses.fields(schema)]
        raise ValueError(f"{schema.__name__} v{schema.__version__} has no {sorted(left)}; it has {names}")
    return schema(**values)


def _value(hint: Any, given: Any) -> Any:
    if given is None:
        return None
    options = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        inner = next(option for option in options if option is not type(None))
        return _value(inner, given)
    if typing.get_origin(hint) is tuple:
        return tuple(_value(options[0], each) for each in given)
    if dataclasses.is_dataclass(hint):
        return _entity(hint, given)
    if issubclass(hint, dt.timedelta):
        return dt.timedelta(milliseconds=given)
    if issubclass(hint, dt.datetime):
        return _EPOCH + dt.timedelta(milliseconds=given)
    return given


def _empty(hint: Any) -> Any:
    options = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return None
    if typing.get_origin(hint) is tuple:
        return ()
    if options:
        raise ValueError(f"no empty value for {hint}")
    if dataclasses.is_dataclass(hint):
        return _entity(hint, {})
    return next(value for kind, value in _EMPTY.items() if issubclass(hint, kind))


def _plain(value: Any) -> Any:
    """Plain data of one of kio's objects."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, enum.Enum):
        return value.name.upper()
    if isinstance(value, dt.timedelta):
        return round(value / _MILLISECOND)
    if isinstance(value, dt.datetime):
        return round((value - _EPOCH) / _MILLISECOND)
    if isinstance(value, uuid.UUID):
        return str(value)
    return value
