"""The broker settings that mockbroker acts on, as typed constants, and how far it goes along with the rest.

`node.config[settings.NUM_PARTITIONS]` is an int to the reader and to mypy.  Type, default and read-only
stand once, in setting_facts.py; here stands what the code needs: bounds, and what each one does.
A setting that Kafka knows and mockbroker does not is never accepted in silence: see `Standing`.
"""

from __future__ import annotations

import difflib
from enum import Enum
from typing import Any, Generic, TypeVar

from mockbroker.core.setting_facts import BROKER_SETTINGS, Fact
from mockbroker.core.setting_values import (
    BadValue,
    Check,
    at_least,
    items_of,
    one_of,
    read_value,
    write_value,
)

T = TypeVar("T")


class Standing(Enum):
    """How far mockbroker goes along with a setting."""

    # It does what Kafka does.
    ACTED_ON = "acted on as Kafka does"
    # It tunes disks, threads or buffers: a client cannot tell what it is set to, so any value is honoured.
    UNSEEN = "not seen by clients"
    # The cluster's own arguments decide it.
    GIVEN = "given by the cluster"
    # Kafka would act on it, mockbroker does not yet: only its default is true, or what TRUE_HERE says.
    NOT_YET = "not acted on yet"


class Setting(Generic[T]):
    """One setting: its name, how its value is read, and what it does in a sentence.

    `friendly`, where it is not None, is what tests get unless they ask for Kafka's defaults.
    """

    __slots__ = ("check", "default", "doc", "friendly", "name", "read_only", "type")

    def __init__(self, fact: Fact, check: Check | None, doc: str, friendly: str | None = None) -> None:
        self.name = fact.name
        self.type = fact.type
        self.read_only = fact.read_only
        self.check = check
        self.doc = doc
        self.friendly = friendly
        # None for the few settings that have no default: T is an optional type there.
        self.default: T = None if fact.default is None else self.read(fact.default)  # type: ignore[assignment]  # see above

    def read(self, text: str) -> T:
        """The value that this text stands for; raises BadValue."""
        value: T = read_value(self.name, self.type, text)
        wrong = None if self.check is None else self.check(value)
        if wrong is not None:
            raise BadValue(self.name, write_value(value), wrong)
        return value

    def __repr__(self) -> str:
        return f"<Setting {self.name}>"


ACTED_ON: dict[str, Setting[Any]] = {}


def _acts(name: str, check: Check | None, doc: str, friendly: str | None = None) -> Setting[Any]:
    setting: Setting[Any] = Setting(BROKER_SETTINGS[name], check, doc, friendly)
    ACTED_ON[name] = setting
    return setting


def _unlimited_or(bound: int) -> Check:
    return lambda value: None if value == -1 or value >= bound else f"Value must be -1 or at least {bound}"


# The broker and its cluster.

NODE_ID: Setting[int] = _acts("node.id", None, "The number of this broker.")
BROKER_RACK: Setting[str | None] = _acts("broker.rack", None, "The rack that this broker stands in.")
BROKER_SESSION_TIMEOUT_MS: Setting[int] = _acts(
    "broker.session.timeout.ms",
    at_least(1),
    "How long the controller hears nothing from a broker before it counts it as dead.",
)
REPLICA_LAG_TIME_MAX_MS: Setting[int] = _acts(
    "replica.lag.time.max.ms",
    at_least(1),
    "How long a follower may lag behind its leader before it is out of sync.",
)
REPLICA_SELECTOR_CLASS: Setting[str | None] = _acts(
    "replica.selector.class",
    one_of("", "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
    "Who chooses the replica that a consumer fetches from: the leader, or the nearest by rack (KIP-392).",
)
UNCLEAN_LEADER_ELECTION_ENABLE: Setting[bool] = _acts(
    "unclean.leader.election.enable",
    None,
    "Whether a replica that is out of sync may become leader when nobody else is left, at the cost of data.",
)
AUTO_LEADER_REBALANCE_ENABLE: Setting[bool] = _acts(
    "auto.leader.rebalance.enable",
    None,
    "Whether preferred replicas are made leaders again from time to time.",
)
LEADER_IMBALANCE_CHECK_INTERVAL_SECONDS: Setting[int] = _acts(
    "leader.imbalance.check.interval.seconds", at_least(1), "How often that is looked at."
)

# Topics and how they are made.

AUTO_CREATE_TOPICS_ENABLE: Setting[bool] = _acts(
    "auto.create.topics.enable", None, "Whether asking for the metadata of an unknown topic creates it."
)
DELETE_TOPIC_ENABLE: Setting[bool] = _acts("delete.topic.enable", None, "Whether topics may be deleted.")
NUM_PARTITIONS: Setting[int] = _acts(
    "num.partitions", at_least(1), "How many partitions a topic gets when nobody says so."
)
DEFAULT_REPLICATION_FACTOR: Setting[int] = _acts(
    "default.replication.factor", at_least(1), "How many replicas a partition gets when nobody says so."
)
MIN_INSYNC_REPLICAS: Setting[int] = _acts(
    "min.insync.replicas", at_least(1), "How many replicas must be in sync for acks=all to be accepted."
)
MAX_REQUEST_PARTITION_SIZE_LIMIT: Setting[int] = _acts(
    "max.request.partition.size.limit",
    at_least(1),
    "How many partitions one answer to DescribeTopicPartitions describes at most.",
)

# Records and logs.

MESSAGE_MAX_BYTES: Setting[int] = _acts(
    "message.max.bytes", at_least(0), "The largest record batch, compressed, that is accepted."
)
COMPRESSION_TYPE: Setting[str] = _acts(
    "compression.type",
    one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    "How batches are compressed in the log; producer leaves them as they come.",
)
LOG_CLEANUP_POLICY: Setting[tuple[str, ...]] = _acts(
    "log.cleanup.policy",
    items_of("compact", "delete"),
    "Whether old records are deleted, or all but the newest of each key compacted away.",
)
LOG_MESSAGE_TIMESTAMP_TYPE: Setting[str] = _acts(
    "log.message.timestamp.type",
    one_of("CreateTime", "LogAppendTime"),
    "Whether a record bears the time of its producer or the time of its append.",
)
LOG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS: Setting[int] = _acts(
    "log.message.timestamp.before.max.ms",
    at_least(0),
    "How far a record's time may lie before the broker's.",
)
LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS: Setting[int] = _acts(
    "log.message.timestamp.after.max.ms",
    at_least(0),
    "How far a record's time may lie after the broker's.",
)
LOG_SEGMENT_BYTES: Setting[int] = _acts(
    "log.segment.bytes", at_least(1024 * 1024), "The size at which a log begins a new segment."
)
LOG_ROLL_MS: Setting[int | None] = _acts(
    "log.roll.ms", at_least(1), "The age at which a log begins a new segment; log.roll.hours where not set."
)
LOG_ROLL_HOURS: Setting[int] = _acts(
    "log.roll.hours", at_least(1), "The age in hours at which a log begins a new segment."
)
LOG_RETENTION_MS: Setting[int | None] = _acts(
    "log.retention.ms", _unlimited_or(1), "How long records are kept; log.retention.minutes where not set."
)
LOG_RETENTION_MINUTES: Setting[int | None] = _acts(
    "log.retention.minutes", _unlimited_or(1), "How many minutes records are kept; log.retention.hours else."
)
LOG_RETENTION_HOURS: Setting[int] = _acts(
    "log.retention.hours", _unlimited_or(1), "How many hours records are kept."
)
LOG_RETENTION_BYTES: Setting[int] = _acts(
    "log.retention.bytes", None, "How many bytes of a partition are kept; below 0 there is no limit."
)
LOG_RETENTION_CHECK_INTERVAL_MS: Setting[int] = _acts(
    "log.retention.check.interval.ms", at_least(1), "How often logs are looked at for records to delete."
)
PRODUCER_ID_EXPIRATION_MS: Setting[int] = _acts(
    "producer.id.expiration.ms", at_least(1), "How long a partition remembers a producer that sends nothing."
)

# Transactions.

TRANSACTION_MAX_TIMEOUT_MS: Setting[int] = _acts(
    "transaction.max.timeout.ms",
    at_least(1),
    "The longest timeout that a client may want for its transactions.",
)
TRANSACTION_ABORT_CHECK_INTERVAL_MS: Setting[int] = _acts(
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    at_least(1),
    "How often a coordinator looks for transactions that have been open for too long.",
)
TRANSACTIONAL_ID_EXPIRATION_MS: Setting[int] = _acts(
    "transactional.id.expiration.ms",
    at_least(1),
    "How long a transactional id without a transaction is remembered.",
)
TRANSACTIONAL_ID_CHECK_INTERVAL_MS: Setting[int] = _acts(
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    at_least(1),
    "How often a coordinator looks for transactional ids to forget.",
)
TRANSACTION_STATE_LOG_NUM_PARTITIONS: Setting[int] = _acts(
    "transaction.state.log.num.partitions",
    at_least(1),
    "How many partitions __transaction_state is created with.",
)
TRANSACTION_STATE_LOG_REPLICATION_FACTOR: Setting[int] = _acts(
    "transaction.state.log.replication.factor",
    at_least(1),
    "How many replicas __transaction_state is created with.",
)
TRANSACTION_STATE_LOG_MIN_ISR: Setting[int] = _acts(
    "transaction.state.log.min.isr",
    at_least(1),
    "How many replicas must be in sync to write to __transaction_state.",
)
TRANSACTION_PARTITION_VERIFICATION: Setting[bool] = _acts(
    "transaction.partition.verification.enable",
    None,
    "Whether a leader asks the coordinator before a transaction begins in its partition.",
)
ADD_PARTITIONS_RETRY_BACKOFF_MS: Setting[int] = _acts(
    "add.partitions.to.txn.retry.backoff.ms",
    at_least(0),
    "How long a leader waits before it asks a busy coordinator again.",
)
ADD_PARTITIONS_RETRY_BACKOFF_MAX_MS: Setting[int] = _acts(
    "add.partitions.to.txn.retry.backoff.max.ms",
    at_least(0),
    "For how long a leader goes on asking a busy coordinator.",
)

# Connections and requests.

SOCKET_REQUEST_MAX_BYTES: Setting[int] = _acts(
    "socket.request.max.bytes", at_least(1), "The largest request; a larger one closes the connection."
)
MAX_CONNECTIONS: Setting[int] = _acts(
    "max.connections", at_least(0), "How many connections a broker holds at a time."
)
CONNECTIONS_MAX_IDLE_MS: Setting[int] = _acts(
    "connections.max.idle.ms", None, "How long a silent connection is kept open."
)
FETCH_MAX_BYTES: Setting[int] = _acts(
    "fetch.max.bytes", at_least(1024), "How much one fetch answers at most."
)
MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS: Setting[int] = _acts(
    "max.incremental.fetch.session.cache.slots", at_least(0), "How many fetch sessions a broker remembers."
)

# Groups.

GROUP_MIN_SESSION_TIMEOUT_MS: Setting[int] = _acts(
    "group.min.session.timeout.ms", at_least(0), "The shortest session that a member may ask for."
)
GROUP_MAX_SESSION_TIMEOUT_MS: Setting[int] = _acts(
    "group.max.session.timeout.ms", at_least(0), "The longest session that a member may ask for."
)
GROUP_INITIAL_REBALANCE_DELAY_MS: Setting[int] = _acts(
    "group.initial.rebalance.delay.ms",
    at_least(0),
    "How long an empty group waits for more members before its first rebalance.",
    # Kafka's 3 s spare real groups a rebalance or two; a test waits them in vain, every time.
    friendly="0",
)
GROUP_MAX_SIZE: Setting[int] = _acts("group.max.size", at_least(1), "How many members a group may have.")
OFFSETS_TOPIC_NUM_PARTITIONS: Setting[int] = _acts(
    "offsets.topic.num.partitions", at_least(1), "How many partitions __consumer_offsets is created with."
)
OFFSETS_TOPIC_REPLICATION_FACTOR: Setting[int] = _acts(
    "offsets.topic.replication.factor", at_least(1), "How many replicas __consumer_offsets is created with."
)
OFFSETS_COMMIT_TIMEOUT_MS: Setting[int] = _acts(
    "offsets.commit.timeout.ms", at_least(1), "How long a commit waits for the replicas of its record."
)
OFFSETS_RETENTION_MINUTES: Setting[int] = _acts(
    "offsets.retention.minutes", at_least(1), "How long offsets outlive the last member of their group."
)
OFFSETS_RETENTION_CHECK_INTERVAL_MS: Setting[int] = _acts(
    "offsets.retention.check.interval.ms", at_least(1), "How often offsets are looked at for expired ones."
)
OFFSET_METADATA_MAX_BYTES: Setting[int] = _acts(
    "offset.metadata.max.bytes", at_least(0), "The longest text that may be committed with an offset."
)

UNSEEN = frozenset(
    [
        "background.threads",
        "delete.records.purgatory.purge.interval.requests",
        "fetch.purgatory.purge.interval.requests",
        "group.coordinator.background.threads",
        "group.coordinator.cached.buffer.max.bytes",
        "group.coordinator.threads",
        "log.dir",
        "log.dirs",
        "log.flush.interval.messages",
        "log.flush.interval.ms",
        "log.flush.offset.checkpoint.interval.ms",
        "log.flush.scheduler.interval.ms",
        "log.flush.start.offset.checkpoint.interval.ms",
        "log.index.interval.bytes",
        "log.index.size.max.bytes",
        "log.preallocate",
        "log.segment.delete.delay.ms",
        "num.io.threads",
        "num.network.threads",
        "num.recovery.threads.per.data.dir",
        "num.replica.alter.log.dirs.threads",
        "num.replica.fetchers",
        "offsets.load.buffer.size",
        "producer.purgatory.purge.interval.requests",
        "replica.high.watermark.checkpoint.interval.ms",
        "replica.socket.receive.buffer.bytes",
        "socket.receive.buffer.bytes",
        "socket.send.buffer.bytes",
    ]
)

GIVEN = {
    "advertised.listeners": "advertise",
    "broker.id": "brokers",
    "broker.rack": "racks",
    "listeners": "host and ports",
    "node.id": "brokers",
    "process.roles": "brokers",
}

# What is true in mockbroker where Kafka's default is not; nothing else can be asked for yet.
TRUE_HERE = {
    "group.coordinator.rebalance.protocols": "classic",
    "log.cleaner.enable": "false",
}

# Only what is acted on has bounds; the rest is read by type alone.
_SHORT_OF_ACTING = {
    name: Setting[Any](fact, None, "") for name, fact in BROKER_SETTINGS.items() if name not in ACTED_ON
}


def standing(name: str) -> Standing:
    """How far mockbroker goes along with a setting that Kafka knows."""
    if name in GIVEN:
        return Standing.GIVEN
    if name in ACTED_ON:
        return Standing.ACTED_ON
    return Standing.UNSEEN if name in UNSEEN else Standing.NOT_YET


def setting(name: str) -> Setting[Any]:
    """The setting of this name, acted on or not; KeyError where Kafka knows none."""
    return ACTED_ON.get(name) or _SHORT_OF_ACTING[name]


def only_value(of: Setting[Any]) -> Any:
    """The one value that a setting which is not acted on yet may have."""
    return of.read(TRUE_HERE[of.name]) if of.name in TRUE_HERE else of.default


def nearest(name: str, known: list[str]) -> str:
    """A clause that names what may have been meant, or nothing."""
    near = difflib.get_close_matches(name.lower().replace("_", "."), known, n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
