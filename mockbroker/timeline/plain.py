"""An event as plain data, for JSON lines and for the page: everything that was said, within bounds.

Secrets are left out, records are summed up, long values are cut and say so.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from mockbroker.core.event import REQUEST
from mockbroker.core.history import EVENTS_MAX
from mockbroker.protocol.schema import Struct
from mockbroker.protocol.types import ZERO_UUID
from mockbroker.records.batch import Batch, iter_records
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.reading import REDACTED, Names, errors, groups, is_secret, message_of, stored, topics
from mockbroker.timeline.sentences import sentence

if TYPE_CHECKING:
    from mockbroker.core.event import Event

# What a value of bytes or text, and a list, may have in a line.
CHARACTERS_MAX = 500
ITEMS_MAX = 200
KEYS_MAX = 10
DEPTH_MAX = 12

# Whatever could let somebody in.
_SECRETS = frozenset({"auth_bytes", "salted_password", "salt", "hmac", "password", "scram_credentials"})


def jsonl(evidence: Evidence, newest: int = EVENTS_MAX) -> str:
    """The history, one event a line; only so many of the newest."""
    return "".join(
        json.dumps(plain_event(event, evidence.names, evidence.started_us), ensure_ascii=True) + "\n"
        for event in list(evidence.events)[-newest:]
    )


def plain_event(event: Event, names: Names, started_us: int) -> dict[str, Any]:
    """One event: when, who, what, and what was said."""
    told: dict[str, Any] = {
        "number": event.number,
        "t_ms": round((event.at_us - started_us) / 1_000, 3),
        "broker_time_ms": event.at_ms,
        "kind": event.kind,
        "text": str(sentence(event, names)),
    }
    if event.broker >= 0:
        told["broker"] = event.broker
    if event.peer is not None:
        told |= {"client_id": event.client_id, "connection": event.connection, "peer": str(event.peer)}
    if named := groups(event):
        told["groups"] = named
    if about := topics(event, names):
        told["topics"] = about[:ITEMS_MAX]
    if event.kind == REQUEST:
        told |= _said(event, names)
    elif event.facts:
        told["facts"] = {name: value(fact, names) for name, fact in event.facts.items()}
    return told


def _said(event: Event, names: Names) -> dict[str, Any]:
    assert event.call is not None
    told: dict[str, Any] = {
        "api": event.api,
        "version": event.version,
        "correlation_id": event.correlation_id,
        "took_ms": round((event.at_us - event.arrived_us) / 1_000, 3),
        "errors": errors(event.response),
        "request": value(event.call.body, names),
        "response": value(message_of(event.response), names),
    }
    if event.standing:
        told["group_state"] = event.standing
    if event.call.touched:
        told["faults"] = list(event.call.touched)
    return told


def value(given: Any, names: Names, depth: int = 0) -> Any:
    """Any part of a message as plain data."""
    if given is None or isinstance(given, bool | int | float):
        return given
    if isinstance(given, str):
        return (
            given if len(given) <= CHARACTERS_MAX else f"{given[:CHARACTERS_MAX]}… ({len(given)} characters)"
        )
    if isinstance(given, bytes | bytearray | memoryview):
        return _bytes(bytes(given[:CHARACTERS_MAX]), len(given))
    if depth > DEPTH_MAX:
        return "…"
    if isinstance(given, list | tuple):
        told = [value(item, names, depth + 1) for item in given[:ITEMS_MAX]]
        return told if len(given) <= ITEMS_MAX else [*told, f"… ({len(given)} in all)"]
    if isinstance(given, Struct):
        return _struct(given, names, depth)
    return str(given)


def _bytes(data: bytes, size: int) -> Any:
    """Text where it is text, else base64; with the size of what was cut."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if data and not text.isprintable():
        text = ""
    if text or not data:
        return text if size == len(data) else {"text": text, "bytes": size}
    return {"base64": base64.b64encode(data).decode("ascii"), "bytes": size}


def _struct(given: Struct, names: Names, depth: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, (_, default) in given.declared.items():
        part = getattr(given, name)
        if name in _SECRETS:
            told[name] = REDACTED if part else ""
        elif name == "value" and is_secret(getattr(given, "name", "")):
            told[name] = REDACTED
        elif name == "records":
            told[name] = records(part)
        elif name == "topic_id" or name.endswith("directory_id"):
            if part != ZERO_UUID:
                told[name] = bytes(part).hex()
                told.setdefault("topic_name", names.of(given))
        elif part != default or depth == 0:
            told[name] = value(part, names, depth + 1)
    return told


def records(given: Any) -> Any:
    """Stored batches, summed up: where they lie and the first of their keys."""
    if not given:
        return None
    found = stored(given)
    size = sum(map(len, given)) if isinstance(given, list | tuple) else len(given)
    return {"bytes": size, "batches": [_batch(batch) for batch in found[:ITEMS_MAX]]}


def _batch(batch: Batch) -> dict[str, Any]:
    told: dict[str, Any] = {
        "base_offset": batch.base_offset,
        "last_offset": batch.last_offset,
        "records": batch.count,
    }
    if batch.producer_id >= 0:
        told |= {
            "producer_id": batch.producer_id,
            "producer_epoch": batch.producer_epoch,
            "base_sequence": batch.base_sequence,
        }
    if batch.is_control:
        return told | {"control": True}
    return told | {"keys": _keys(batch)}


def _keys(batch: Batch) -> Any:
    keys: list[Any] = []
    try:
        for record in iter_records(batch):
            if len(keys) == KEYS_MAX:
                return [*keys, "…"]
            keys.append(None if record.key is None else _bytes(bytes(record.key[:100]), len(record.key)))
    except Exception as unreadable:  # noqa: BLE001 - a client may store anything, and this is only told
        return f"cannot be read: {type(unreadable).__name__}"
    return keys
