"""The page of the guide that lists everything there is to call, made of the code's own docstrings.

So it cannot say what is not so.  Knows which classes a test gets to hold, and nothing of what they do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module

TITLE = "# Everything there is to call"

PREFACE = """\
Made from the docstrings of this release. Durations are "45s", "200ms" or a number of seconds; `timeout=None` means the
cluster's `wait`. APIs and errors go by Kafka's names, "JoinGroup" or `Api.JOIN_GROUP`, "NOT_COORDINATOR" or
`ErrorCode.NOT_COORDINATOR`. In an editor the same names have longer texts, with errors and examples. Inside
`open_cluster` the same handles are there, and what waits is awaited.
"""

# What a test holds, in the order in which it comes to it.
HOMES: Mapping[str, tuple[str, ...]] = {
    "mockbroker.cluster": ("Cluster",),
    "mockbroker.handles.client_configs": ("ClientConfigs", "JavaProperties"),
    "mockbroker.handles.topics": ("Topic",),
    "mockbroker.handles.records": ("Record", "TopicPartition"),
    "mockbroker.handles.partitions": ("Partition", "ReplicaHandle"),
    "mockbroker.handles.groups": ("Group",),
    "mockbroker.handles.group_snapshot": ("GroupSnapshot", "Assignment"),
    "mockbroker.core.groups.views": ("MemberView", "Generation"),
    "mockbroker.handles.ghosts": ("Ghost", "ProducerGhost", "PayerGhost"),
    "mockbroker.handles.transactions": ("Transaction", "TransactionSnapshot"),
    "mockbroker.handles.brokers": ("Broker", "ClockHandle"),
    "mockbroker.handles.faults": ("Faults", "Matching", "MatchingMessages", "Subject"),
    "mockbroker.handles.network_faults": ("MatchingConnections", "Connections"),
    "mockbroker.handles.armed": ("Fault", "Gate"),
    "mockbroker.faults.gate": ("Held",),
    "mockbroker.handles.history": ("History", "Event"),
    "mockbroker.handles.ledger": ("Ledger",),
    "mockbroker.ledger.fates": ("Fate", "Reading"),
    "mockbroker.handles.effects": ("Effects",),
    "mockbroker.handles.verdicts": ("Report", "CheckFailed", "MockbrokerBroken"),
    "mockbroker.checkers.verdict": ("Verdict", "Outcome"),
    "mockbroker.waiting": ("WaitTimeout",),
    "mockbroker.core.usage": ("UsageError",),
    "mockbroker.protocol.errors": ("KafkaError",),
    "mockbroker.server.bugs": ("BrokerBug",),
}


def text() -> str:
    """The page."""
    sections = "\n".join(_section(held) for held in classes())
    return f"{TITLE}\n\n{PREFACE}\n{sections}"


def classes() -> list[type]:
    """Everything that a test gets to hold."""
    return [getattr(import_module(home), name) for home, names in HOMES.items() for name in names]


def members(held: type) -> Iterator[tuple[str, object]]:
    """What can be called on it or read from it, in the order of the code; its base classes' first."""
    seen: dict[str, object] = {}
    for base in reversed(held.__mro__):
        ours = vars(base) if base.__module__.startswith("mockbroker.") else {}
        seen |= {name: member for name, member in ours.items() if _is_offered(name, member)}
    yield from seen.items()


def _is_offered(name: str, member: object) -> bool:
    return not name.startswith("_") and (isinstance(member, property) or inspect.isfunction(member))


def fields_of(held: type) -> list[str]:
    """What a value is made of, or may be."""
    if issubclass(held, Enum):
        return [member.name for member in held]
    if is_dataclass(held):
        return [field.name for field in fields(held)]
    return list(getattr(held, "_fields", ()))


def first_words(told: object) -> str:
    """The first paragraph of a docstring, as one line."""
    return " ".join((inspect.getdoc(told) or "").split("\n\n")[0].split())


def _section(held: type) -> str:
    rows = [f"- `{_call(name, member)}`: {first_words(member)}" for name, member in members(held)]
    if made_of := fields_of(held):
        rows.insert(0, "- made of " + ", ".join(f"`{name}`" for name in made_of))
    return "\n".join((f"## {held.__name__}", "", *_about(held), *rows, *([""] if rows else [])))


def _about(held: type) -> Iterator[str]:
    """All that the class says of itself but examples."""
    for paragraph in (inspect.getdoc(held) or "").split("\n\n"):
        if not paragraph.lstrip().startswith(">>>"):
            yield paragraph
            yield ""


def _call(name: str, member: object) -> str:
    """How it is written: `append(key, value, *, partition=None)`, or for a property `leader`."""
    if isinstance(member, property):
        return name
    assert callable(member)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(member).parameters.values()
        if parameter.name != "self"
    ]
    return name + str(inspect.Signature(bare))
