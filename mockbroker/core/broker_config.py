"""One broker's settings in force: what it was started with, what was altered since, and Kafka's defaults.

Reads are typed and remembered until something changes: `config[settings.NUM_PARTITIONS]` is a dict lookup.
Knows the order in which sources count; does not know which alterations are allowed (config_rules.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, TypeVar

from mockbroker.core import settings
from mockbroker.core.image import ConfigKind, Image
from mockbroker.core.setting_facts import BROKER_SETTINGS
from mockbroker.core.setting_values import BadValue, write_value
from mockbroker.core.settings import Setting, Standing
from mockbroker.core.usage import UsageError

T = TypeVar("T")

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ConfigSource(IntEnum):
    """Where a value comes from, by the protocol's numbers."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5


# Kafka keeps some times under several names, the finer unit first: (name, milliseconds per unit).
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_FAMILIES: tuple[tuple[tuple[str, int], ...], ...] = (
    (("log.retention.ms", 1), ("log.retention.minutes", _MINUTE_MS), ("log.retention.hours", _HOUR_MS)),
    (("log.roll.ms", 1), ("log.roll.hours", _HOUR_MS)),
    (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", _HOUR_MS)),
    (("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
)
SYNONYMS = {name: family for family in _FAMILIES for name, _ in family}


def synonyms_of(name: str) -> tuple[tuple[str, int], ...]:
    """The names under which a broker looks for a value, in order, each with its factor."""
    return SYNONYMS.get(name, ((name, 1),))


class BrokerConfig:
    """The settings of one broker.

    `started_with` is what the user gave, checked by `check_started_with`; `rack` and the id come from the
    cluster.  With `friendly`, settings that only make tests slow begin where tests want them.
    """

    def __init__(
        self,
        broker_id: int,
        started_with: Mapping[str, object] = _NOTHING,
        *,
        rack: str | None = None,
        friendly: bool = True,
    ) -> None:
        self.broker_id = broker_id
        given = {"node.id": str(broker_id), "broker.id": str(broker_id)} | (
            {} if rack is None else {"broker.rack": rack}
        )
        # To a client a friendly value looks like a line in this broker's properties file, which it is.
        eased = {
            s.name: s.friendly for s in settings.ACTED_ON.values() if friendly and s.friendly is not None
        }
        started = check_started_with(started_with)
        self.static: Mapping[str, str] = {**settings.TRUE_HERE, **eased, **started, **given}
        self.dynamic: Mapping[str, str] = _NOTHING
        self.dynamic_default: Mapping[str, str] = _NOTHING
        self._values: dict[str, Any] = {}
        # Room for what others work out from these settings; emptied whenever one of them changes.
        self.derived: dict[str, Any] = {}

    def heed(self, image: Image) -> bool:
        """Take over the alterations that this image has.  True when anything changed."""
        dynamic = image.configs.get((ConfigKind.BROKER, str(self.broker_id)), _NOTHING)
        default = image.configs.get((ConfigKind.BROKER, ""), _NOTHING)
        if dynamic == self.dynamic and default == self.dynamic_default:
            return False
        self.dynamic, self.dynamic_default = dynamic, default
        self._values.clear()
        self.derived.clear()
        return True

    def __getitem__(self, setting: Setting[T]) -> T:
        try:
            value: T = self._values[setting.name]
        except KeyError:
            text = self.text(setting.name)
            value = self._values[setting.name] = setting.default if text is None else setting.read(text)
        return value

    def text(self, name: str) -> str | None:
        """What some source says about this very name, the strongest first; None where only a default does."""
        for layer in (self.dynamic, self.dynamic_default, self.static):
            if name in layer:
                return layer[name]
        return None

    def first_of(self, name: str) -> object:
        """The value of a setting or of its synonyms, whichever is set first, in the unit of `name`."""
        for synonym, factor in synonyms_of(name):
            value = self[settings.setting(synonym)]
            if value is not None:
                # -1 means no limit in every unit.
                return value * factor if factor != 1 and value >= 0 else value
        return None

    def sources(self) -> tuple[tuple[ConfigSource, Mapping[str, str]], ...]:
        """The layers above the defaults, the strongest first."""
        return (
            (ConfigSource.DYNAMIC_BROKER, self.dynamic),
            (ConfigSource.DYNAMIC_DEFAULT_BROKER, self.dynamic_default),
            (ConfigSource.STATIC_BROKER, self.static),
        )


def check_started_with(given: Mapping[str, object]) -> dict[str, str]:
    """The broker settings a user gave, as text.  Raises UsageError at the first that cannot be honoured."""
    return {name: _check_one(name, value) for name, value in given.items()}


def _check_one(name: str, value: object) -> str:
    if name not in BROKER_SETTINGS:
        hint = settings.nearest(name, list(BROKER_SETTINGS))
        raise UsageError(f"Kafka has no broker setting named {name!r}{hint}")
    standing = settings.standing(name)
    if standing is Standing.GIVEN:
        raise UsageError(
            f"{name} follows from the cluster's own arguments: give {settings.GIVEN[name]} instead"
        )
    text = write_value(tuple(value) if isinstance(value, list) else value)
    setting = settings.setting(name)
    if text is None:
        raise UsageError(f"{name} needs a value: expected {setting.type.name.lower()}, got None")
    try:
        meant = setting.read(text)
    except BadValue as bad:
        wanted = setting.type.name.lower()
        raise UsageError(f"broker setting {name}: expected {wanted}, got {text!r}: {bad.reason}") from None
    if standing is Standing.NOT_YET and meant != settings.only_value(setting):
        raise UsageError(
            f"{name} is known to Kafka, but mockbroker does not act on it yet: "
            f"leave it at {write_value(settings.only_value(setting))!r}"
        )
    return text
