"""What the ledger notes: batches that were sent, ranges that were served, offsets that were committed.

An entry is kept for a batch and for a range, never for a record, so that a fast producer costs as many entries as it
sends requests.  Times are microseconds of the history's stopwatch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockbroker.protocol.types import BytesLike
    from mockbroker.records.batch import Batch

# A partition.
Place = tuple[str, int]

# Who wrote what no client wrote.
TESTER = "test"


class Ack(Enum):
    """What the producer was told of a batch."""

    PENDING = "not answered yet"
    ACKED = "acknowledged"
    LOST = "written, and the answer did not leave"
    REFUSED = "refused"
    NONE = "acks=0: nobody waits for an answer"


@dataclass(frozen=True, slots=True)
class Election:
    """A leader was chosen; `unclean` when it was not known to have every committed record."""

    at_us: int
    leader: int
    epoch: int
    unclean: bool

    def __str__(self) -> str:
        how = "uncleanly" if self.unclean else "cleanly"
        return f"broker {self.leader} was chosen {how} to lead in epoch {self.epoch}"


@dataclass(slots=True, eq=False)
class Sent:
    """One batch on its way from a producer into a log.  `base_offset` -1: it is in none."""

    at_us: int
    client_id: str
    connection: int
    correlation_id: int
    place: Place
    topic_id: bytes
    acks: int
    count: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1
    transactional: bool = False
    ack: Ack = Ack.PENDING
    # Why it was refused, or what kept the answer from leaving.
    why: str = ""
    answered_us: int = 0
    base_offset: int = -1
    leader: int = -1
    leader_epoch: int = -1
    appended_us: int = 0
    # It had been there already: the producer's sequence said so; and where it had, if that is still known.
    duplicate: bool = False
    original: Sent | None = field(default=None, repr=False)
    # A broker and a time, and so on: who copied it, and who has cut it off again.
    copies: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()
    # When the high watermark passed it, 0 for not yet.
    committed_us: int = 0
    # The election whose winner did not have it, while no later one has brought it back.
    loss: Election | None = None
    # Its number among all that concerns transactions: what came first has the smaller one.
    order: int = 0
    # The bytes, as long as the ledger can afford them: who asks by key needs them after the log has lost them.
    data: BytesLike | None = field(default=None, repr=False)

    @property
    def end_offset(self) -> int:
        """The offset behind its last record."""
        return self.base_offset + self.count

    @property
    def stored(self) -> bool:
        """Whether a leader has appended it."""
        return self.base_offset >= 0

    @property
    def acked(self) -> bool:
        """Whether the producer was told that it is stored."""
        return self.ack is Ack.ACKED

    @property
    def producer(self) -> tuple[int, int, int]:
        """Producer id, epoch and first sequence, which a batch that comes again has again."""
        return self.producer_id, self.producer_epoch, self.base_sequence

    @property
    def lost_by(self) -> Election | None:
        """The election that took it out of the log, if one has."""
        return (self.original or self).loss

    def holds(self, offset: int) -> bool:
        """Whether a record of it has this offset."""
        return self.stored and self.base_offset <= offset < self.end_offset

    def describe(self, batch: Batch) -> None:
        """Say what is in it, by the header of the batch."""
        self.count = batch.last_offset_delta + 1
        self.producer_id, self.producer_epoch = batch.producer_id, batch.producer_epoch
        self.base_sequence, self.transactional = batch.base_sequence, batch.is_transactional
        self.data = batch.data

    def unheard(self, why: str) -> None:
        """The producer was told nothing, whatever was meant for it."""
        self.ack = Ack.LOST if self.stored else Ack.REFUSED
        self.why = why


@dataclass(slots=True, eq=False)
class Served:
    """Records that were sent to a consumer: offsets from `start` up to `end`."""

    at_us: int
    client_id: str
    connection: int
    broker: int
    place: Place
    start: int
    end: int
    committed_only: bool
    # What bounded the reader: the last stable offset and the high watermark when they were sent.
    last_stable: int = -1
    high_watermark: int = -1
    # The answer did not leave the broker whole.
    lost: bool = False
    topic_id: bytes = b""

    def unheard(self, why: str) -> None:
        """The consumer has not got them."""
        self.lost = bool(why)


@dataclass(slots=True, eq=False)
class Committed:
    """An offset that a group's coordinator was asked to keep.  `error` "": it has kept it."""

    at_us: int
    client_id: str
    connection: int
    group: str
    member: str
    generation: int
    place: Place
    offset: int
    error: str = ""
    # The client was not told.
    lost: bool = False
    # Set where the test has moved the group, or a ghost has by its order.
    by_test: bool = False

    @property
    def by_member(self) -> bool:
        """Whether a member says that it has come so far, and not an outsider where the group is to go on."""
        return self.generation >= 0

    def unheard(self, why: str) -> None:
        """The client was not told."""
        self.lost = bool(why)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A client was told an offset that it had looked up; with `latest`, where the partition ends."""

    at_us: int
    client_id: str
    place: Place
    offset: int
    latest: bool = True


@dataclass(frozen=True, slots=True)
class Joined:
    """A member of a group and the client that it is."""

    at_us: int
    group: str
    member: str
    client_id: str
    connection: int


@dataclass(frozen=True, slots=True)
class Effect:
    """An application has done what a record asks for; `what` names the kind, "" where there is one kind only."""

    at_us: int
    place: Place
    offset: int
    what: str = ""


@dataclass(slots=True, eq=False)
class Ended:
    """An EndTxn and its answer.  `error` "": it is done.

    `asked` and `order` are the numbers of the request and of the answer among all that concerns transactions.
    """

    asked: int
    order: int
    at_us: int
    broker: int
    client_id: str
    connection: int
    correlation_id: int
    transactional_id: str
    producer_id: int
    epoch: int
    commit: bool
    # Whether the next transaction has the next epoch (KIP-890).
    bumps: bool = False
    error: str = ""
    # The producer was not told.
    lost: bool = False

    def unheard(self, why: str) -> None:
        """The producer was not told."""
        self.lost = bool(why)


@dataclass(slots=True, eq=False)
class Decided:
    """A coordinator has written how a transaction ends; `epoch` is that of its markers.

    `complete`: every partition has said that it has its marker.
    """

    order: int
    at_us: int
    transactional_id: str
    producer_id: int
    epoch: int
    commit: bool
    complete: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a transaction has in a log beside records: a marker, or offsets of a group (`commit` None)."""

    order: int
    at_us: int
    place: Place
    topic_id: bytes
    producer_id: int
    producer_epoch: int
    base_offset: int
    end_offset: int
    leader_epoch: int
    commit: bool | None = None

    @property
    def stored(self) -> bool:
        """A leader has appended it, or it would not be here."""
        return True
