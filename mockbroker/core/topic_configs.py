"""The 37 configs of a topic, and what they come to for one topic on one broker.

A topic's override counts before the broker's own setting of the like name.  Compaction itself is not here:
`compact` in the cleanup policy is what other modules ask about (records need keys, offsets may be missing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mockbroker.core.broker_config import BrokerConfig
from mockbroker.core.image import ConfigKind, Image
from mockbroker.core.setting_facts import BROKER_SETTINGS, Fact
from mockbroker.core.setting_values import LONG_MAX, Check, ValueType, at_least, between
from mockbroker.core.settings import ACTED_ON, Setting, Standing
from mockbroker.records.compression import Codec


class TopicSetting(Setting[Any]):
    """One config of topics.  `fallback` is the broker setting that counts where a topic says nothing."""

    __slots__ = ("fallback", "standing")

    def __init__(
        self, fact: Fact, check: Check | None, doc: str, fallback: str | None, standing: Standing
    ) -> None:
        super().__init__(fact, check, doc)
        self.fallback = fallback
        self.standing = standing


TOPIC_SETTINGS: dict[str, TopicSetting] = {}


def _like(name: str, broker_name: str, standing: Standing, doc: str) -> None:
    """A topic config with the type, the default and the bounds of a broker setting."""
    like = BROKER_SETTINGS[broker_name]
    check = ACTED_ON[broker_name].check if broker_name in ACTED_ON else None
    TOPIC_SETTINGS[name] = TopicSetting(like._replace(name=name), check, doc, broker_name, standing)


def _own(name: str, type_: ValueType, default: str, doc: str, check: Check | None = None) -> None:
    """A topic config that brokers have no setting for, and that mockbroker does not act on."""
    fact = Fact(name, type_, default, read_only=False)
    TOPIC_SETTINGS[name] = TopicSetting(fact, check, doc, None, Standing.NOT_YET)


# What mockbroker acts on.
_like("cleanup.policy", "log.cleanup.policy", Standing.ACTED_ON,
      "What becomes of old records: deleted, compacted to the newest of each key, or both.")  # fmt: skip
_like("compression.type", "compression.type", Standing.ACTED_ON,
      "How batches are compressed in the log; producer leaves them as they come.")  # fmt: skip
_like("max.message.bytes", "message.max.bytes", Standing.ACTED_ON,
      "The largest record batch, compressed, that is accepted.")  # fmt: skip
_like("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", Standing.ACTED_ON,
      "How far a record's time may lie after the broker's.")  # fmt: skip
_like("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", Standing.ACTED_ON,
      "How far a record's time may lie before the broker's.")  # fmt: skip
_like("message.timestamp.type", "log.message.timestamp.type", Standing.ACTED_ON,
      "Whether a record bears the time of its producer or the time of its append.")  # fmt: skip
_like("min.insync.replicas", "min.insync.replicas", Standing.ACTED_ON,
      "How many replicas must be in sync for acks=all to be accepted.")  # fmt: skip
_like("retention.bytes", "log.retention.bytes", Standing.ACTED_ON,
      "How many bytes of a partition are kept; below 0 there is no limit.")  # fmt: skip
_like("retention.ms", "log.retention.ms", Standing.ACTED_ON, "How long records are kept; -1 is for ever.")
_like(
    "segment.bytes", "log.segment.bytes", Standing.ACTED_ON, "The size at which a log begins a new segment."
)
_like("segment.ms", "log.roll.ms", Standing.ACTED_ON, "The age at which a log begins a new segment.")
_like("unclean.leader.election.enable", "unclean.leader.election.enable", Standing.ACTED_ON,
      "Whether a replica that is out of sync may lead when nobody else is left.")  # fmt: skip

# What no client can see the effect of: there is no disk to tune.
_like("file.delete.delay.ms", "log.segment.delete.delay.ms", Standing.UNSEEN,
      "How long the files of a deleted segment stay on disk.")  # fmt: skip
_like(
    "flush.messages",
    "log.flush.interval.messages",
    Standing.UNSEEN,
    "After how many records a log is synced.",
)
_like("flush.ms", "log.flush.interval.ms", Standing.UNSEEN, "After how long a log is synced.")
_like("index.interval.bytes", "log.index.interval.bytes", Standing.UNSEEN, "How dense the offset index is.")
_like("preallocate", "log.preallocate", Standing.UNSEEN, "Whether segment files are made in full size.")
_like("segment.index.bytes", "log.index.size.max.bytes", Standing.UNSEEN, "How large an offset index may be.")

# What Kafka acts on and mockbroker does not yet: only the default is true here.
_like("compression.gzip.level", "compression.gzip.level", Standing.NOT_YET, "The level of gzip.")
_like("compression.lz4.level", "compression.lz4.level", Standing.NOT_YET, "The level of lz4.")
_like("compression.zstd.level", "compression.zstd.level", Standing.NOT_YET, "The level of zstd.")
_like("delete.retention.ms", "log.cleaner.delete.retention.ms", Standing.NOT_YET,
      "How long compaction leaves a tombstone for readers to see.")  # fmt: skip
_like("local.retention.bytes", "log.local.retention.bytes", Standing.NOT_YET,
      "How many bytes stay on the broker when segments are tiered; -2 is as retention.bytes.")  # fmt: skip
_like("local.retention.ms", "log.local.retention.ms", Standing.NOT_YET,
      "How long records stay on the broker when segments are tiered; -2 is as retention.ms.")  # fmt: skip
_like("max.decompressed.message.bytes", "max.decompressed.message.bytes", Standing.NOT_YET,
      "How large a batch may be once decompressed.")  # fmt: skip
_like("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", Standing.NOT_YET,
      "After how long a record must have been compacted.")  # fmt: skip
_like("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", Standing.NOT_YET,
      "How much of a log must be new before it is compacted.")  # fmt: skip
_like("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", Standing.NOT_YET,
      "How long a record is safe from compaction.")  # fmt: skip
_like("remote.copy.lag.bytes", "log.remote.copy.lag.bytes", Standing.NOT_YET,
      "How far tiering stays behind the end of a log, in bytes.")  # fmt: skip
_like("remote.copy.lag.ms", "log.remote.copy.lag.ms", Standing.NOT_YET,
      "How far tiering stays behind the end of a log, in time.")  # fmt: skip
_like("segment.jitter.ms", "log.roll.jitter.ms", Standing.NOT_YET, "How much sooner a segment may be rolled.")
_own("errors.deadletterqueue.group.enable", ValueType.BOOLEAN, "false",
     "Whether share groups may put records that nobody could process here.")  # fmt: skip
_own("follower.replication.throttled.replicas", ValueType.LIST, "", "Replicas whose fetching is throttled.")
_own("leader.replication.throttled.replicas", ValueType.LIST, "", "Replicas whose feeding is throttled.")
_own(
    "remote.log.copy.disable", ValueType.BOOLEAN, "false", "Whether tiering stops at what is tiered already."
)
_own(
    "remote.log.delete.on.disable",
    ValueType.BOOLEAN,
    "false",
    "Whether the end of tiering deletes what is tiered.",
)
_own("remote.storage.enable", ValueType.BOOLEAN, "false", "Whether segments move to remote storage.")

# Bounds that no setting of a broker lends: Kafka looks at them first, so a bad value is answered as such.
for _name, _check in {
    "min.cleanable.dirty.ratio": between(0, 1),
    "delete.retention.ms": at_least(0),
    "file.delete.delay.ms": at_least(0),
    "flush.messages": at_least(1),
    "flush.ms": at_least(0),
    "index.interval.bytes": at_least(0),
    "max.compaction.lag.ms": at_least(1),
    "min.compaction.lag.ms": at_least(0),
    # Unlike a broker, a topic may say 0: keep nothing.
    "retention.ms": at_least(-1),
    "segment.index.bytes": at_least(4),
    "segment.jitter.ms": at_least(0),
}.items():
    TOPIC_SETTINGS[_name].check = _check

TOPIC_SETTINGS = dict(sorted(TOPIC_SETTINGS.items()))

# What a setting is when the broker's own is without a value: topics always have one.
_WHEN_UNSET: dict[str, object] = {"flush.ms": LONG_MAX, "segment.jitter.ms": 0}

_NOTHING: Mapping[str, str] = MappingProxyType({})

_CODECS = {
    "producer": None,
    "uncompressed": Codec.NONE,
    "gzip": Codec.GZIP,
    "snappy": Codec.SNAPPY,
    "lz4": Codec.LZ4,
    "zstd": Codec.ZSTD,
}


@dataclass(slots=True)
class TopicConfig:
    """What the configs of one topic come to on one broker.  A limit below 0 is none, as in Kafka."""

    cleanup_policy: frozenset[str]
    # None: as the producer sent it.
    compression: Codec | None
    max_message_bytes: int
    min_insync_replicas: int
    log_append_time: bool
    timestamp_before_max_ms: int
    timestamp_after_max_ms: int
    segment_bytes: int
    segment_ms: int
    retention_ms: int
    retention_bytes: int
    unclean_leader_election: bool

    @property
    def compacted(self) -> bool:
        """Whether records need keys."""
        return "compact" in self.cleanup_policy

    @property
    def deleted(self) -> bool:
        """Whether retention by time and size applies."""
        return "delete" in self.cleanup_policy


def value_of(name: str, broker_config: BrokerConfig, overrides: Mapping[str, str]) -> Any:
    """The value in force of one topic config, in the topic config's own unit."""
    setting = TOPIC_SETTINGS[name]
    if name in overrides:
        return setting.read(overrides[name])
    if setting.fallback is None:
        return setting.default
    value = broker_config.first_of(setting.fallback)
    return _WHEN_UNSET.get(name) if value is None else value


def resolve(broker_config: BrokerConfig, overrides: Mapping[str, str]) -> TopicConfig:
    """The typed configs of a topic with these overrides."""
    if overrides:
        return _resolve(broker_config, overrides)
    # Most topics have none, and then all of them have the same.
    plain: TopicConfig | None = broker_config.derived.get("topic config without overrides")
    if plain is None:
        plain = broker_config.derived["topic config without overrides"] = _resolve(broker_config, overrides)
    return plain


def _resolve(broker_config: BrokerConfig, overrides: Mapping[str, str]) -> TopicConfig:
    def value(name: str) -> Any:
        return value_of(name, broker_config, overrides)

    return TopicConfig(
        cleanup_policy=frozenset(value("cleanup.policy")),
        compression=_CODECS[value("compression.type")],
        max_message_bytes=value("max.message.bytes"),
        min_insync_replicas=value("min.insync.replicas"),
        log_append_time=value("message.timestamp.type") == "LogAppendTime",
        timestamp_before_max_ms=value("message.timestamp.before.max.ms"),
        timestamp_after_max_ms=value("message.timestamp.after.max.ms"),
        segment_bytes=value("segment.bytes"),
        segment_ms=value("segment.ms"),
        retention_ms=value("retention.ms"),
        retention_bytes=value("retention.bytes"),
        unclean_leader_election=value("unclean.leader.election.enable"),
    )


def topic_config(broker_config: BrokerConfig, image: Image, topic: str) -> TopicConfig:
    """The typed configs of a topic as one image has them."""
    return resolve(broker_config, image.configs.get((ConfigKind.TOPIC, topic), _NOTHING))
