"""What is known of batches, reads, commits and elections.

A fact is about a batch or a range, so that there are few of them.  Facts are filled in while things happen and are
copied for those who read them; `number` orders them all, `at_us` is the history's stopwatch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from mockbroker.core.groups.views import Partitions
    from mockbroker.records.batch import Batch
    from mockbroker.records.crc import Buffer

# Who sent what no client sent, and who wrote the markers that end transactions.
THE_TEST, THE_COORDINATOR = "test", "transaction coordinator"

ACKS_NONE, ACKS_ALL = 0, -1


class Place(NamedTuple):
    """One partition of one topic; a topic made anew under its name is another."""

    topic: str
    partition: int
    topic_id: bytes

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Loss:
    """The election that put an end to a batch: the new leader did not have it."""

    leader: int
    epoch: int
    unclean: bool
    at_us: int


@dataclass(slots=True, eq=False)
class Sending:
    """One batch that somebody sent to a partition, and what has become of it."""

    number: int
    at_us: int
    place: Place
    client_id: str = THE_TEST
    connection: int = 0
    correlation_id: int = 0
    broker: int = -1
    acks: int = 1
    # Whether the test did it, by itself or through a ghost: then no client is to blame.
    by_test: bool = False
    # What was sent: as it is stored, or as it came.  Neither, once it is too much to keep.
    batch: Batch | None = None
    raw: Buffer | None = None
    # Where it is, if it went anywhere; `duplicate`: where it had been already.
    base_offset: int = -1
    last_offset: int = -1
    leader_epoch: int = -1
    appended_us: int | None = None
    duplicate: bool = False
    copies: tuple[tuple[int, int], ...] = ()
    committed_us: int | None = None
    cuts: tuple[tuple[int, int], ...] = ()
    loss: Loss | None = None
    # What its sender was told, None for nothing so far; `unheard` is why it did not hear it.
    code: int | None = None
    answered_us: int | None = None
    unheard: str = ""

    @property
    def stored(self) -> bool:
        """Whether this sending put records into a log."""
        return self.base_offset >= 0 and not self.duplicate

    @property
    def acked(self) -> bool:
        """Whether its sender was told that it is stored, as far as a broker can know."""
        return self.code == ErrorCode.NONE and not self.unheard and self.acks != ACKS_NONE

    @property
    def failed(self) -> bool:
        """Whether its sender has reason to believe that it failed: an error, or no answer at all."""
        return self.acks != ACKS_NONE and (bool(self.unheard) or self.code not in (None, ErrorCode.NONE))

    @property
    def is_data(self) -> bool:
        """Whether it holds records of a producer, and not the marker of a transaction."""
        return self.batch is None or not self.batch.is_control

    @property
    def producer(self) -> tuple[int, int, int]:
        """Producer id, epoch and first sequence; -1 for producers that are not idempotent."""
        batch = self.batch
        return (
            (-1, -1, -1) if batch is None else (batch.producer_id, batch.producer_epoch, batch.base_sequence)
        )

    def __str__(self) -> str:
        if self.base_offset < 0:
            return f"a batch for {self.place}"
        if self.base_offset == self.last_offset:
            return f"{self.place}@{self.base_offset}"
        return f"{self.place}@{self.base_offset}-{self.last_offset}"


@dataclass(slots=True, eq=False)
class Served:
    """Records that were in the answer to a fetch: from `start` up to, and not including, `end`."""

    number: int
    at_us: int
    place: Place
    start: int
    end: int
    client_id: str = ""
    connection: int = 0
    broker: int = -1
    committed_only: bool = False
    by_test: bool = False
    unheard: str = ""


@dataclass(slots=True, eq=False)
class Commit:
    """One offset that somebody wanted to keep for a group; `code` None: nothing came of it.

    `by_hand`: the test moved the group, and no client has.
    """

    number: int
    at_us: int
    group: str
    topic: str
    partition: int
    offset: int
    code: int | None = ErrorCode.NONE
    member: str = ""
    generation: int = -1
    client_id: str = THE_TEST
    by_test: bool = False
    by_hand: bool = False
    transactional: bool = False
    unheard: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the group is there now."""
        return self.code == ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of a group that began to work, and who got what in it."""

    number: int
    at_us: int
    group: str
    generation: int
    coordinator: int
    reason: str
    members: Mapping[str, Partitions | None]
    client_ids: Mapping[str, str]

    def owners(self, topic: str, partition: int) -> list[str]:
        """The members that were given this partition."""
        return [
            member
            for member, given in self.members.items()
            if given is not None and partition in given.get(topic, ())
        ]


@dataclass(frozen=True, slots=True)
class Told:
    """An offset that a client was told: by a group's commits (-1: none), or looked up ("latest", "earliest", ...)."""

    number: int
    at_us: int
    client_id: str
    topic: str
    partition: int
    offset: int
    kind: str
    group: str = ""


@dataclass(slots=True)
class Reader:
    """Where a client has read one partition: the first offset that it asked for, and the highest."""

    first: int
    highest: int


@dataclass(frozen=True, slots=True)
class Election:
    """A leader was chosen; `unclean` when it was not known to have every committed record."""

    number: int
    at_us: int
    place: Place
    leader: int
    epoch: int
    unclean: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """Records below `start` were deleted."""

    number: int
    at_us: int
    place: Place
    start: int
    why: str
