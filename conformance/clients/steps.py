"""The steps of a story, as data. What they mean is play.py's business.

Topics, groups, readers and members are nicknames: the player gives each story names of its own, so that a
whole run can share one cluster.  `into` is where the verdict finds what came back.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.clients.verbs import Fatal, Joining, Moment, Record, Sending, Start

PLAINLY = Sending()


@dataclass(frozen=True)
class Make:
    """Set-up, not the client's doing: the topic exists before the story starts."""

    topic: str
    partitions: int = 1


@dataclass(frozen=True)
class Remake:
    """Behind the client's back: the topic is deleted and created again, empty."""

    topic: str
    partitions: int = 1


@dataclass(frozen=True)
class AwaitEnd:
    """Wait until the broker itself has so many offsets: for sends that nobody acknowledges."""

    topic: str
    end_offset: int
    partition: int = 0


@dataclass(frozen=True)
class Produce:
    """Send records; the offsets go to `into`, if the client learns them."""

    topic: str
    records: tuple[Record, ...]
    how: Sending = PLAINLY
    into: str = "sent"


@dataclass(frozen=True)
class Transact:
    """Send records in a transaction and end it."""

    topic: str
    records: tuple[Record, ...]
    commit: bool
    transactional_id: str = "payer"


@dataclass(frozen=True)
class Open:
    """Open a reader on partitions of a topic."""

    reader: str
    topic: str
    start: Start = "beginning"
    partitions: tuple[int, ...] = (0,)
    committed_only: bool = False


@dataclass(frozen=True)
class Take:
    """Read the next records of a reader."""

    reader: str
    count: int
    into: str = "seen"


@dataclass(frozen=True)
class Seek:
    """Move a reader."""

    reader: str
    offset: int
    partition: int = 0


@dataclass(frozen=True)
class Pause:
    """Pause one partition of a reader."""

    reader: str
    partition: int


@dataclass(frozen=True)
class Resume:
    """Resume one partition of a reader."""

    reader: str
    partition: int


@dataclass(frozen=True)
class Lookup:
    """ListOffsets of one partition."""

    topic: str
    moment: Moment
    into: str
    partition: int = 0


@dataclass(frozen=True)
class Join:
    """Start a member of a group."""

    member: str
    how: Joining
    # In a process of its own, so that it can be killed.
    mortal: bool = False


@dataclass(frozen=True)
class Settle:
    """Poll these members until each owns something, and every partition has exactly one owner."""

    members: tuple[str, ...]
    topic: str
    into: str


@dataclass(frozen=True)
class Consume:
    """Poll these members until they have received so many records between them."""

    members: tuple[str, ...]
    count: int
    into: str = "seen"


@dataclass(frozen=True)
class Commit:
    """Commit what a member has read, or these offsets of its topic.

    `stubborn`: again until it succeeds, as an application does that means it; which errors a client tells and
    which it hides by trying again is its own affair.
    """

    member: str
    offsets: tuple[tuple[int, int], ...] | None = None
    stubborn: bool = False


@dataclass(frozen=True)
class Leave:
    """Close a member.

    `unheard`: its coordinator may have just died, so that its goodbye reaches nobody; whether a client tells of
    that is its own affair.
    """

    member: str
    unheard: bool = False


@dataclass(frozen=True)
class Kill:
    """SIGKILL for a mortal member; then its session ends, in broker time."""

    member: str


@dataclass(frozen=True)
class CrashCoordinator:
    """The broker that coordinates the group dies now."""

    group: str


@dataclass(frozen=True)
class CrashCoordinatorWhen:
    """The broker that coordinates the group will die in the very step that brings this moment."""

    group: str
    moment: Fatal


@dataclass(frozen=True)
class CrashLeaderWhen:
    """The leader of partition 0 will die in the very step in which it has so many records."""

    topic: str
    end_offset: int


@dataclass(frozen=True)
class AwaitCrash:
    """The death that was ordered has happened, or does within the deadline."""


@dataclass(frozen=True)
class CreateTopic:
    """The client creates a topic."""

    topic: str
    partitions: int


@dataclass(frozen=True)
class AddPartitions:
    """The client raises a topic's partition count."""

    topic: str
    total: int


@dataclass(frozen=True)
class DeleteTopic:
    """The client deletes a topic."""

    topic: str


@dataclass(frozen=True)
class Describe:
    """The client describes a topic until it has so many partitions (None: until it is gone).

    Until, because a controller answers before every broker's metadata shows what it did.
    """

    topic: str
    partitions: int | None
    into: str = "described"


Step = (
    Make
    | Remake
    | AwaitEnd
    | Produce
    | Transact
    | Open
    | Take
    | Seek
    | Pause
    | Resume
    | Lookup
    | Join
    | Settle
    | Consume
    | Commit
    | Leave
    | Kill
    | CrashCoordinator
    | CrashCoordinatorWhen
    | AwaitCrash
    | CrashLeaderWhen
    | CreateTopic
    | AddPartitions
    | DeleteTopic
    | Describe
)
