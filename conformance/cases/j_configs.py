"""Cases 189 and 190: settings altered one by one or all at once, and where each value comes from.

Only the settings that a case sets are compared when a topic's are described: which others there are hangs
on the release, and has tests of its own.
"""

from __future__ import annotations

from typing import Any

from conformance.cases.stage import Stage, case

_TOPIC, _BROKER, _GROUP = 2, 4, 32
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)


def _alter(
    it: Stage, name: str, *changes: tuple[str, int, str | None], kind: int = _TOPIC, **more: Any
) -> None:
    configs = [{"name": key, "config_operation": what, "value": value} for key, what, value in changes]
    given = [{"resource_type": kind, "resource_name": name, "configs": configs}]
    it.ask("IncrementalAlterConfigs", 1, resources=given, **more)
    it.brokers.let_pass(500)  # the controller has it, the broker that will be asked hears of it


def _describe(it: Stage, name: str, *keys: str, kind: int = _TOPIC, version: int = 4, **more: Any) -> None:
    asked = [{"resource_type": kind, "resource_name": name, "configuration_keys": list(keys)}]
    it.ask("DescribeConfigs", version, resources=asked, **more)


@case("189", "A setting is set, deleted, appended to and subtracted from, where that makes sense")
def _(it: Stage) -> None:
    topic = it.topic()
    _alter(it, topic, ("retention.ms", _SET, "1000"), ("cleanup.policy", _APPEND, "compact"))
    _describe(it, topic, "retention.ms", "cleanup.policy")
    _alter(it, topic, ("cleanup.policy", _SUBTRACT, "delete"))
    _describe(it, topic, "cleanup.policy")
    _alter(it, topic, ("retention.ms", _DELETE, None), ("cleanup.policy", _DELETE, None))
    _describe(it, topic, "retention.ms", "cleanup.policy")
    _describe(it, topic, "no.such.thing")


@case("189a", "Changes that make no sense")
def _(it: Stage) -> None:
    topic = it.topic()
    _alter(it, topic, ("retention.ms", _APPEND, "1000"))
    _alter(it, topic, ("no.such.thing", _SET, "1"))
    _alter(it, topic, ("retention.ms", _SET, "soon"))
    _alter(it, topic, ("retention.ms", _SET, None))
    _alter(it, topic, ("retention.ms", _SET, "1"), ("retention.ms", _SET, "2"))
    _alter(it, topic, ("retention.ms", 9, "1"))
    _alter(it, it.name("nobody"), ("retention.ms", _SET, "1"))
    _alter(it, topic, ("retention.ms", _SET, "1"), kind=77)
    _alter(it, topic, ("retention.ms", _SET, "77"), validate_only=True)
    _describe(it, topic, "retention.ms")


@case("189b", "The old way to alter wipes what it does not name")
def _(it: Stage) -> None:
    topic = it.topic(retention_ms=1000, segment_bytes=2_000_000)
    configs = [{"name": "retention.ms", "value": "3000"}]
    given = [{"resource_type": _TOPIC, "resource_name": topic, "configs": configs}]
    for version in (0, 2):
        it.ask("AlterConfigs", version, resources=given)
    it.brokers.let_pass(500)
    _describe(it, topic, "retention.ms", "segment.bytes")


@case("190", "A value names its sources, the nearest first")
def _(it: Stage) -> None:
    topic = it.topic(retention_ms=777)
    for version in range(1, 5):
        _describe(it, topic, "retention.ms", "segment.bytes", version=version, include_synonyms=True)
    _describe(it, topic, "retention.ms")
    _describe(it, it.name("nobody"), "retention.ms")
    _describe(it, "", "retention.ms")
    _describe(it, topic, "retention.ms", kind=77)


@case("190a", "Settings of brokers")
def _(it: Stage) -> None:
    _describe(it, "1", "group.max.size", "num.partitions", "broker.id", kind=_BROKER, include_synonyms=True)
    _describe(it, "9", "group.max.size", kind=_BROKER)
    _describe(it, "one", "group.max.size", kind=_BROKER)
    _alter(it, "1", ("broker.id", _SET, "7"), kind=_BROKER)
    _alter(it, "9", ("message.max.bytes", _SET, "7000000"), kind=_BROKER)
    _alter(it, "one", ("message.max.bytes", _SET, "7000000"), kind=_BROKER)
