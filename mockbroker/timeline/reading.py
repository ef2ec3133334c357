"""What a request and its answer are about: topics, groups, errors, whatever the API.

Looks at messages by the names of their fields, so that an API that is new here is understood as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.schema import Struct
from mockbroker.protocol.types import ZERO_UUID
from mockbroker.records.batch import Batch, batches

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.event import Event

T = TypeVar("T")

# A name in a row, however long and hostile the client made it.
NAME_CHARACTERS_MAX = 48

REDACTED = "(left out: a secret)"
# Settings whose names say that their values are one.
_SECRET_WORDS = ("password", "secret", "jaas", "token", "certificate", "keystore.key")

# FindCoordinator's and the configs' numbers for what a name is the name of.
_KEY_OF_A_GROUP = 0
_RESOURCE_TOPIC = 2


def clean(text: str | bytes | None, limit: int = NAME_CHARACTERS_MAX) -> str:
    """Text that can do no harm on a terminal: printable, on one line, no longer than `limit`."""
    if text is None:
        return "null"
    if isinstance(text, bytes | bytearray | memoryview):
        text = bytes(text[: 4 * limit]).decode("utf-8", "backslashreplace")
    if len(text) > limit:
        text = f"{text[: limit - 9]}…{text[-8:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def is_secret(name: object) -> bool:
    """Whether the value of a setting of this name is nobody's business."""
    return isinstance(name, str) and any(word in name.lower() for word in _SECRET_WORDS)


def structs(value: Any) -> Iterator[Struct]:
    """A message and everything in it that has fields, outermost first."""
    if isinstance(value, Struct):
        yield value
        for name in value.declared:
            part = getattr(value, name)
            if isinstance(part, Struct | list | tuple):
                yield from structs(part)
    elif isinstance(value, list | tuple):
        for part in value:
            if not isinstance(part, Struct):
                return
            yield from structs(part)


def message_of(outcome: Any) -> Struct | None:
    """The answer in what came of a request, or None when the client got none."""
    inner = getattr(outcome, "response", outcome)
    return inner if isinstance(inner, Struct) else None


def distinct(items: Iterable[T]) -> list[T]:
    """Each once, in the order of first appearance."""
    return list(dict.fromkeys(items))


def error_name(code: int) -> str:
    """Kafka's name for an error code."""
    return ErrorCode(code).name if code in ErrorCode._value2member_map_ else f"error {code}"


def errors(outcome: Any) -> list[str]:
    """The names of the errors in an answer, each once."""
    codes = (getattr(part, "error_code", 0) for part in structs(message_of(outcome)))
    return distinct(error_name(code) for code in codes if code)


class Names:
    """Names of topics by their ids, deleted ones included as far as anybody was told."""

    def __init__(self, known: Mapping[bytes, str] | None = None) -> None:
        self._names = dict(known or {})

    def learn(self, events: Iterable[Event]) -> None:
        """What clients were told: in metadata, and when they made topics."""
        for event in events:
            if event.call is not None and event.call.api in (Api.METADATA, Api.CREATE_TOPICS):
                for part in structs(message_of(event.response)):
                    topic_id, name = getattr(part, "topic_id", ZERO_UUID), getattr(part, "name", None)
                    if topic_id != ZERO_UUID and name:
                        self._names.setdefault(topic_id, name)

    def of(self, part: Any) -> str | None:
        """The topic that a part of a message is about, if it is about one."""
        for field in ("topic", "topic_name"):
            name = getattr(part, field, None)
            if isinstance(name, str) and name:
                return name
        topic_id = getattr(part, "topic_id", ZERO_UUID)
        if topic_id != ZERO_UUID:
            return self._names.get(topic_id) or f"topic id {bytes(topic_id).hex()[:8]}"
        if getattr(part, "resource_type", None) == _RESOURCE_TOPIC:
            return str(part.resource_name)
        kind = type(part).__name__
        if "Topic" in kind and not kind.endswith(("Request", "Response", "Config")):
            name = getattr(part, "name", None)
            return name if isinstance(name, str) and name else None
        return None


def topics(event: Event, names: Names) -> list[str]:
    """The topics that an event is about."""
    if event.call is None:
        named = event.facts.get("topic")
        return [] if named is None else [named]
    return topics_of(event.call, event.response, names)


def topics_of(call: Call[Any], outcome: Any, names: Names) -> list[str]:
    """The topics that a request names; for a fetch also those it got something of."""
    found = [names.of(part) for part in structs(call.body)]
    found += getattr(call.body, "topic_names", ())
    if call.api is Api.FETCH:
        found += [names.of(part) for part in structs(message_of(outcome))]
    return distinct(name for name in found if name)


def groups(event: Event) -> list[str]:
    """The groups that an event is about."""
    if event.call is None:
        named = event.facts.get("group")
        return [] if named is None else [named]
    return groups_of(event.call)


def groups_of(call: Call[Any]) -> list[str]:
    """The groups that a request names."""
    body = call.body
    if call.api is Api.FIND_COORDINATOR:
        keys = [body.key, *body.coordinator_keys] if body.key_type == _KEY_OF_A_GROUP else []
        return distinct(key for key in keys if key)
    found = [group for part in structs(body) if isinstance(group := getattr(part, "group_id", None), str)]
    for field in ("groups", "groups_names", "group_ids"):
        found += [group for group in getattr(body, field, None) or () if isinstance(group, str)]
    return distinct(group for group in found if group)


def stored(records: Any) -> list[Batch]:
    """The batches in what was produced or fetched, as far as they can be read."""
    if records is None:
        return []
    parts = records if isinstance(records, list | tuple) else [records]
    found: list[Batch] = []
    for part in parts:
        try:
            found += batches(part)
        except Exception:  # noqa: BLE001 - a client may send anything, and this is only told
            break
    return found
