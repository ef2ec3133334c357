"""Which alterations of configs are allowed, and what comes of them.

Answers as Kafka does, error for error; where Kafka would act on a config and mockbroker cannot yet, it says
so instead of storing it.  Pure: takes overrides, gives overrides or raises; knows neither image nor wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from mockbroker.core import settings
from mockbroker.core.setting_facts import BROKER_SETTINGS
from mockbroker.core.setting_values import BadValue, ValueType, write_value
from mockbroker.core.settings import Setting, Standing
from mockbroker.core.topic_configs import TOPIC_SETTINGS
from mockbroker.protocol.errors import ErrorCode, KafkaError

# A value is a string of the metadata log, whose length is an int16.
VALUE_LENGTH_MAX = 32767


class Operation(IntEnum):
    """What an incremental alteration does to one config."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Alteration(NamedTuple):
    """One config to be altered."""

    name: str
    operation: Operation
    value: str


def altered(
    overrides: Mapping[str, str], alterations: Iterable[Alteration], types: Mapping[str, ValueType],
    otherwise: Mapping[str, str],
) -> dict[str, str]:  # fmt: skip
    """The overrides after all alterations.

    `types` are the types of all configs there are, `otherwise` is what a list is where nothing overrides it.
    """
    after = dict(overrides)
    for name, operation, value in alterations:
        match operation:
            case Operation.SET:
                after[name] = value
            case Operation.DELETE:
                after.pop(name, None)
            case _:
                _check_is_list(name, operation, types)
                was = after.get(name, otherwise.get(name, ""))
                after[name] = _spliced(was, operation, value)
    return after


def _check_is_list(name: str, operation: Operation, types: Mapping[str, ValueType]) -> None:
    if types.get(name) is not ValueType.LIST:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG, f"Can't {operation.name} to key {name} because its type is not LIST."
        )


def _spliced(was: str, operation: Operation, value: str) -> str:
    """A list with items added that it lacks, or taken out."""
    before = [item for item in was.split(",") if item]
    items = [item.strip() for item in value.split(",")]
    if operation is Operation.APPEND:
        return ",".join([*before, *(item for item in dict.fromkeys(items) if item not in before)])
    return ",".join(item for item in before if item not in items)


def check_topic_overrides(overrides: Mapping[str, str | None]) -> None:
    """Raise KafkaError 40 unless a topic may have exactly these overrides."""
    unset = [name for name, value in overrides.items() if value is None]
    if unset:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG, f"Null value not supported for topic configs: {','.join(unset)}"
        )
    for name in overrides:
        if name not in TOPIC_SETTINGS:
            hint = settings.nearest(name, list(TOPIC_SETTINGS))
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Unknown topic config name: {name}{hint}")
    for name, value in overrides.items():
        setting = TOPIC_SETTINGS[name]
        _check_value(setting, setting.standing, value or "", ErrorCode.INVALID_CONFIG)


def check_broker_overrides(
    before: Mapping[str, str],
    after: Mapping[str, str],
    touched: Iterable[str],
    *,
    cluster_wide: bool,
    elr: bool = True,
) -> None:
    """Raise KafkaError unless a broker's overrides (or everybody's) may change from `before` to `after`.

    `touched` are the names that the request speaks of, changed or not.  A bad value of a broker's is 42,
    not the 40 that it would be for a topic: Kafka's clients have come to expect it (KAFKA-13609).
    With `elr` all brokers have one min.insync.replicas, as the controller counts by it who is safe to elect.
    """
    names = dict.fromkeys([*touched, *(name for name in before if name not in after)])
    for name in names:
        _check_broker_name(name)
        if elr and name == "min.insync.replicas" and not cluster_wide:
            raise KafkaError(
                ErrorCode.INVALID_CONFIG, f"Broker-level {name} cannot be altered while ELR is enabled."
            )
        if name in after:
            setting = settings.setting(name)
            _check_value(setting, settings.standing(name), after[name], ErrorCode.INVALID_REQUEST)
        elif elr and name == "min.insync.replicas":
            raise KafkaError(
                ErrorCode.INVALID_CONFIG, f"Cluster-level {name} cannot be removed while ELR is enabled."
            )


def _check_broker_name(name: str) -> None:
    if name not in BROKER_SETTINGS:
        # Kafka stores what it does not know, for plugins that may.  There are none here to read it.
        hint = settings.nearest(name, list(BROKER_SETTINGS))
        raise KafkaError(ErrorCode.INVALID_CONFIG, f"Unknown config name: {name}{hint}")
    if BROKER_SETTINGS[name].read_only or settings.standing(name) is Standing.GIVEN:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Cannot update these configs dynamically: [{name}]")


def _check_value(setting: Setting[object], standing: Standing, text: str, when_bad: ErrorCode) -> None:
    if len(text) > VALUE_LENGTH_MAX:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG,
            f"The value of {setting.name} has {len(text)} characters; {VALUE_LENGTH_MAX} can be stored.",
        )
    try:
        value = setting.read(text)
    except BadValue as bad:
        raise KafkaError(when_bad, str(bad)) from None
    if standing is Standing.NOT_YET and value != settings.only_value(setting):
        raise KafkaError(
            ErrorCode.INVALID_CONFIG,
            f"{setting.name} is known to Kafka, but mockbroker does not act on it yet: "
            f"only {write_value(settings.only_value(setting))!r} is accepted.",
        )
