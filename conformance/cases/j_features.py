"""Case 220: levels of features, what may be asked of them, and what one that is turned off leaves behind.

Every case leaves the levels as it found them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conformance.cases.brokers import THREE
from conformance.cases.codec import Answer
from conformance.cases.stage import Stage, case

_METADATA, _ELR = "metadata.version", "eligible.leader.replicas.version"
_UPGRADE, _SAFE, _UNSAFE = 1, 2, 3
_IN_SYNC = "min.insync.replicas"
_BROKER, _SET, _DELETE = 4, 0, 1


def _levels(*changes: tuple[str, int, int], validate_only: bool = False) -> dict[str, Any]:
    """The fields of an UpdateFeatures of version 1 or 2; a change is a name, a level and how to get there."""
    updates = [
        {"feature": name, "max_version_level": level, "upgrade_type": way} for name, level, way in changes
    ]
    return {"timeout": 10_000, "feature_updates": updates, "validate_only": validate_only}


def _features(it: Stage) -> Answer:
    return it.quietly("ApiVersions", 4, client_software_name="case", client_software_version="1")


def _finalized(it: Stage, name: str) -> int:
    """The level of a feature as node 1 tells it; one that is off is not told of."""
    listed = {each["name"]: each["max_version_level"] for each in _features(it)["finalized_features"]}
    return int(listed.get(name, 0))


def _turn_elr(it: Stage, level: int) -> None:
    way = _UPGRADE if level else _SAFE
    it.ask("UpdateFeatures", 2, **_levels((_ELR, level, way)))
    it.until(lambda: _finalized(it, _ELR) == level, "the level is known")
    it.brokers.let_pass(500)


@contextmanager
def _without_elr(it: Stage) -> Iterator[None]:
    """The time in which the feature is off."""
    _turn_elr(it, 0)
    try:
        yield
    finally:
        it.quietly("UpdateFeatures", 2, **_levels((_ELR, 1, _UPGRADE)))
        it.until(lambda: _finalized(it, _ELR) == 1, "the level is known")
        it.brokers.let_pass(500)


@case("220", "A level may go up as far as it is known, and down where nothing is lost", since=(4, 4))
def _(it: Stage) -> None:
    for changes in (
        [],
        [(_METADATA, 33, _UPGRADE)],
        [(_METADATA, 33, _SAFE)],
        [(_METADATA, 33, 0)],
        [(_METADATA, 34, _UPGRADE)],
        [(_METADATA, 6, _SAFE)],
        [(_METADATA, 32, _UPGRADE)],
        [(_METADATA, 32, _SAFE)],
        [(_METADATA, 32, _UNSAFE)],
        [(_METADATA, -1, _SAFE)],
        [(_ELR, 1, _UPGRADE), (_ELR, 1, _SAFE)],
        [(_ELR, 2, _UPGRADE)],
        [(_ELR, 0, _UPGRADE)],
        [(_ELR, 0, 7)],
        [("nobody", 1, _UPGRADE)],
        [("nobody", 0, _UPGRADE)],
        [(_ELR, 0, _SAFE), ("nobody", 1, _UPGRADE)],
    ):
        for version in (1, 2):
            it.ask("UpdateFeatures", version, **_levels(*changes))
    it.ask("UpdateFeatures", 1, **_levels((_ELR, 0, _SAFE), validate_only=True))
    it.tell("the level that was only tried", _finalized(it, _ELR))


@case("220a", "In the oldest version nothing goes down, whatever it permits", since=(4, 4))
def _(it: Stage) -> None:
    for name, level, down in (
        (_METADATA, 33, False),
        (_METADATA, 33, True),
        (_ELR, 0, False),
        (_ELR, 0, True),
        ("nobody", 1, False),
    ):
        update = {"feature": name, "max_version_level": level, "allow_downgrade": down}
        it.ask("UpdateFeatures", 0, timeout=10_000, feature_updates=[update])


@case("220b", "A feature that is off is not told of, and turned on again it is", since=(4, 4))
def _(it: Stage) -> None:
    with _without_elr(it):
        it.tell("told of", [f["name"] for f in _features(it)["finalized_features"] if f["name"] == _ELR])
        for way in (_UPGRADE, _SAFE):
            it.ask("UpdateFeatures", 1, **_levels((_ELR, 0, way)))
        for way in (_SAFE, _UNSAFE):
            it.ask("UpdateFeatures", 1, **_levels((_ELR, 1, way)))
        _turn_elr(it, 1)
        it.tell("told of", [f["name"] for f in _features(it)["finalized_features"] if f["name"] == _ELR])


@case(
    "220c",
    "Without eligible replicas the last in sync stays in sync, and nobody else is safe",
    on=THREE,
    since=(4, 4),
)
def _(it: Stage) -> None:
    with _without_elr(it):
        topics = [it.topic(on={0: [1, 3]}, min_insync_replicas=2), it.topic("alone", on={0: [3]})]
        it.brokers.crash(3)
        # The first topic's leader may have shrunk its ISR before.
        it.until(lambda: it.metadata(topics[1])[0]["leader_id"] < 0, "3 is fenced")
        it.until(lambda: it.metadata(topics[0])[0]["isr_nodes"] == [1], "3 is out of sync")
        _described(it, *topics)
        it.brokers.restart(3)
        it.until(lambda: len(it.metadata(topics[0])[0]["isr_nodes"]) == 2, "3 is in sync again")
        it.until(lambda: it.is_led(topics[1], 1), "3 leads again")
        _described(it, *topics)


@case(
    "220d",
    "With eligible replicas there is one minimum in sync for all brokers, and without one for each",
    since=(4, 4),
)
def _(it: Stage) -> None:
    _minimum(it, "1", _SET, "2")
    _minimum(it, "", _DELETE, None)
    with _without_elr(it):
        _minimum(it, "1", _SET, "2")
        _minimum(it, "", _DELETE, None)
        _turn_elr(it, 1)
        _described_minimum(it)


def _described(it: Stage, *topics: str) -> None:
    named = [{"name": topic} for topic in topics]
    it.ask("DescribeTopicPartitions", 0, topics=named, response_partition_limit=100, cursor=None)


def _minimum(it: Stage, broker: str, operation: int, value: str | None) -> None:
    """Set or delete min.insync.replicas of a broker, or of all, and see what it is."""
    change = {"name": _IN_SYNC, "config_operation": operation, "value": value}
    changed = {"resource_type": _BROKER, "resource_name": broker, "configs": [change]}
    it.ask("IncrementalAlterConfigs", 1, resources=[changed], validate_only=False)
    it.brokers.let_pass(500)
    _described_minimum(it)


def _described_minimum(it: Stage) -> None:
    for broker in ("1", ""):
        asked = {"resource_type": _BROKER, "resource_name": broker, "configuration_keys": [_IN_SYNC]}
        it.ask("DescribeConfigs", 4, resources=[asked], include_synonyms=True)
