"""Configs as they are shown: each with its value, where that comes from, and what it would be otherwise.

Follows Kafka in what counts as the source, oddities included (see `_synonyms`).  Pure: takes configs, gives
entries; it does not know who may see them or how an answer is laid out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mockbroker.core import settings
from mockbroker.core.broker_config import BrokerConfig, ConfigSource, synonyms_of
from mockbroker.core.setting_facts import BROKER_SETTINGS
from mockbroker.core.setting_values import ValueType, write_value
from mockbroker.core.topic_configs import TOPIC_SETTINGS, value_of


class Synonym(NamedTuple):
    """One place that has a say in a value."""

    name: str
    value: str | None
    source: ConfigSource


class Entry(NamedTuple):
    """One config as it is shown."""

    name: str
    value: str | None
    read_only: bool
    source: ConfigSource
    sensitive: bool
    synonyms: tuple[Synonym, ...]
    type: ValueType
    doc: str


def describe_topic(
    config: BrokerConfig, overrides: Mapping[str, str], keys: Iterable[str] | None
) -> list[Entry]:
    """The configs of a topic by name; `keys` None is all of them, and unknown ones are passed over."""
    entries = []
    for name in _chosen(TOPIC_SETTINGS, keys):
        setting = TOPIC_SETTINGS[name]
        value = write_value(value_of(name, config, overrides))
        synonyms = () if setting.fallback is None else _synonyms(config, setting.fallback)
        if name in overrides:
            synonyms = (Synonym(name, value, ConfigSource.TOPIC), *synonyms)
        entries.append(
            Entry(name, value, False, _source(synonyms), False, synonyms, setting.type, setting.doc)
        )
    return entries


def describe_broker(
    config: BrokerConfig, shown: Mapping[str, str], keys: Iterable[str] | None
) -> list[Entry]:
    """The settings of a broker by name.  `shown` are those that follow from where it listens."""
    entries = []
    for name in _chosen(BROKER_SETTINGS, keys):
        synonyms = _synonyms(config, name)
        value = write_value(config[settings.setting(name)])
        if name in shown:
            value = shown[name]
            synonyms = (Synonym(name, value, ConfigSource.STATIC_BROKER), *synonyms)
        entries.append(_broker_entry(name, value, synonyms))
    return entries


def describe_all_brokers(config: BrokerConfig, keys: Iterable[str] | None) -> list[Entry]:
    """What was altered for all brokers at once: nothing else can be said of no broker in particular."""
    entries = []
    for name in _chosen(config.dynamic_default, keys):
        synonyms = (Synonym(name, config.dynamic_default[name], ConfigSource.DYNAMIC_DEFAULT_BROKER),)
        entries.append(_broker_entry(name, config.dynamic_default[name], synonyms))
    return entries


def _broker_entry(name: str, value: str | None, synonyms: tuple[Synonym, ...]) -> Entry:
    fact = BROKER_SETTINGS[name]
    sensitive = fact.type is ValueType.PASSWORD
    doc = settings.setting(name).doc or f"Known to Kafka; in mockbroker: {settings.standing(name).value}."
    if sensitive:
        value, synonyms = None, tuple(synonym._replace(value=None) for synonym in synonyms)
    return Entry(name, value, fact.read_only, _source(synonyms), sensitive, synonyms, fact.type, doc)


def _chosen(known: Mapping[str, object], keys: Iterable[str] | None) -> list[str]:
    wanted = None if keys is None else set(keys)
    return [name for name in sorted(known) if wanted is None or name in wanted]


def _source(synonyms: tuple[Synonym, ...]) -> ConfigSource:
    return synonyms[0].source if synonyms else ConfigSource.DEFAULT


def _synonyms(config: BrokerConfig, name: str) -> tuple[Synonym, ...]:
    """What a broker's layers say about a setting and its like in other units, the strongest first.

    Kafka drops everything before the first entry of the very name that was asked for: log.retention.hours
    alone is not reported as a synonym of log.retention.ms, but it is behind a value of log.retention.ms.
    """
    found = [
        Synonym(synonym, layer[synonym], source)
        for source, layer in config.sources()
        for synonym, _ in synonyms_of(name)
        if synonym in layer
    ]
    for synonym, _ in synonyms_of(name):
        default = BROKER_SETTINGS[synonym].default
        if default is not None:
            found.append(Synonym(synonym, default, ConfigSource.DEFAULT))
    first = next((at for at, synonym in enumerate(found) if synonym.name == name), len(found))
    return tuple(found[first:])
