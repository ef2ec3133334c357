"""What every client can be asked to do: the records, the needs, and the three roles an adapter fills.

An adapter turns these verbs into calls of one client library and nothing more: no retries of its own, no
waiting beyond the deadline it is given, no knowledge of which broker answers.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Start = Literal["beginning", "end"] | int
Moment = Literal["earliest", "latest"] | int
Partition = tuple[str, int]
# A moment at which a coordinator's death hurts: all have joined and nobody has its share; or a commit is
# written and not yet acknowledged.
Fatal = Literal["joining", "committing"]

# One wait of a story. Long enough for a real Kafka on two busy cores to make its first group; a story that
# runs into it has failed, so nobody ever waits for it in a green run.
DEADLINE_S = 40.0
# Client timers, the one thing a broker cannot shorten. Six seconds is Kafka's smallest session by default.
SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_INTERVAL_MS = 100
RETRY_BACKOFF_MS = 20
FETCH_MAX_WAIT_MS = 100
REQUEST_TIMEOUT_MS = 15_000


class Need(enum.Enum):
    """Something that not every client can do. Only what some client lacks deserves a name here."""

    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"
    NULL_HEADER = "a header whose value is null"
    EMPTY = "telling an empty value from none when it reads"
    TIMESTAMP = "timestamps of the producer's choice"
    SEEK = "seeking while it reads"
    PAUSE = "pausing a partition"
    COMMIT = "committing when it is told to"
    UNCOMMITTED = "leaving a group without a commit"
    LASTING_PRODUCER = "a producer that lives on between sends"
    RANGE = "range assignment"
    ROUND_ROBIN = "round-robin assignment"
    STICKY = "sticky assignment"
    COOPERATIVE = "cooperative-sticky assignment"
    STATIC = "static membership"
    ADMIN = "creating and deleting topics"
    DESCRIBE = "describing a topic"
    IDEMPOTENCE = "an idempotent producer"
    TRANSACTIONS = "transactions, chosen to commit or abort"
    RESET = "resetting an offset that is out of range"
    DEATHS = "brokers that can die"
    READING_ON = "a member that reads on when a partition's leader died"


@dataclass(frozen=True)
class Record:
    """One record, to be sent or as it was received; what a sender leaves unset is the broker's to set."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = 0
    timestamp_ms: int | None = field(default=None, compare=False)
    offset: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Sending:
    """How records are produced. Hashable, so that an adapter keeps one producer for each manner."""

    acks: Literal["0", "1", "all"] = "all"
    codec: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    idempotent: bool = False


@dataclass(frozen=True)
class Joining:
    """How a member enters its group. Offsets it finds none for are read from the earliest."""

    group: str
    topic: str
    strategy: Literal["range", "roundrobin", "sticky", "cooperative-sticky"] = "range"
    instance: str | None = None
    auto_commit: bool = False


class Reader(Protocol):
    """A consumer without a group: partitions assigned by hand."""

    def take(self, count: int) -> list[Record]:
        """The next `count` records, in the order they were delivered; fewer only at the deadline."""

    def seek(self, partition: int, offset: int) -> None:
        """Go on from this offset."""

    def pause(self, partition: int) -> None:
        """Deliver nothing of this partition from now on."""

    def resume(self, partition: int) -> None:
        """Deliver it again."""

    def close(self) -> None:
        """Give the connection back."""


class Member(Protocol):
    """A consumer in a group. It only makes progress while somebody polls it, as the libraries have it."""

    # How often the client was told of an assignment that was not the one it had.
    rebalances: int

    def poll(self, timeout_s: float) -> list[Record]:
        """What arrived, waiting so long at most."""

    def assignment(self) -> frozenset[Partition]:
        """What it owns now, as (topic, partition)."""

    def commit(self, offsets: Mapping[int, int] | None = None) -> None:
        """Commit these offsets of its topic, or what it has read, and wait for the answer."""

    def leave(self) -> None:
        """Close it properly: auto-commit, goodbye and all, as the client does it."""


class Client(Protocol):
    """One client library against one cluster."""

    # What it cannot do, and why: the reason is printed with every skip.
    lacks: Mapping[Need, str]

    def produce(self, topic: str, records: Sequence[Record], how: Sending) -> list[int] | None:
        """Send, wait for what the acks promise, and say the offsets if the client learns them."""

    def transact(self, topic: str, records: Sequence[Record], transactional_id: str, *, commit: bool) -> None:
        """Send the records in one transaction, and end it one way or the other."""

    def open_reader(
        self, topic: str, partitions: Sequence[int], start: Start, *, committed_only: bool
    ) -> Reader:
        """Read these partitions. Returns once `end` means an offset."""

    def offset_at(self, topic: str, partition: int, moment: Moment) -> int | None:
        """ListOffsets: the offset at this moment, None if nothing is that young."""

    def join(self, how: Joining) -> Member:
        """Start a member; being assigned something comes later, through polls."""

    def create_topic(self, topic: str, partitions: int) -> None:
        """Create a topic."""

    def partition_count(self, topic: str) -> int | None:
        """Describe a topic: its number of partitions, None if it does not exist."""

    def add_partitions(self, topic: str, total: int) -> None:
        """Raise the number of partitions to `total`."""

    def delete_topic(self, topic: str) -> None:
        """Delete a topic."""

    def close(self) -> None:
        """Close whatever is still open."""
