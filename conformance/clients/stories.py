"""The stories every client is put to: what it does, step by step, and what must be true at the broker then.

A story names the needs that not every client can meet; the rest is data (steps.py).  Verdicts judge by the
broker's own truth first, and by what the client was told second.  Topics and groups have files of their own,
which add to the same list.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from conformance.clients.play import Scene
from conformance.clients.steps import (
    AwaitEnd,
    Lookup,
    Make,
    Open,
    Pause,
    Produce,
    Resume,
    Seek,
    Step,
    Take,
    Transact,
)
from conformance.clients.verbs import Need, Record, Sending

Verdict = Callable[[Scene], None]


@dataclass(frozen=True)
class Story:
    """A sentence, what it needs, what to do, and whether it went well."""

    name: str
    steps: tuple[Step, ...]
    needs: tuple[Need, ...]
    verdict: Verdict

    @property
    def slug(self) -> str:
        """The name as a test id."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


STORIES: list[Story] = []


def story(name: str, *steps: Step, needs: tuple[Need, ...] = ()) -> Callable[[Verdict], Verdict]:
    """Put a story on the list; the decorated function is its verdict."""

    def listed(verdict: Verdict) -> Verdict:
        STORIES.append(Story(name, steps, needs, verdict))
        return verdict

    return listed


def records(*values: str, partition: int | None = 0) -> tuple[Record, ...]:
    """Records that are nothing but their values."""
    return tuple(Record(value.encode(), partition=partition) for value in values)


def values(found: list[Record]) -> list[bytes | None]:
    """The values of what was received, in that order."""
    return [record.value for record in found]


def sorted_values(found: list[Record]) -> list[bytes]:
    """The values where their order is nobody's promise, as across partitions."""
    return sorted(record.value or b"" for record in found)


ABC = records("a", "b", "c")


@story(
    "a record sent with acks 0 is stored though nobody says so",
    Make("orders"),
    Produce("orders", ABC, Sending(acks="0")),
    AwaitEnd("orders", 3),
)
def _(scene: Scene) -> None:
    assert scene.values("orders") == [b"a", b"b", b"c"]


def _acknowledged(acks: Literal["1", "all"]) -> None:
    @story(
        f"acks {acks} tells the offsets of what was stored",
        Make("orders"),
        Produce("orders", ABC, Sending(acks=acks)),
        Produce("orders", records("d"), Sending(acks=acks), into="later"),
        AwaitEnd("orders", 4),  # acks 1 is an answer before the followers have it, so before it is visible
    )
    def _(scene: Scene) -> None:
        assert scene.values("orders") == [b"a", b"b", b"c", b"d"]
        # None: a client that is never told its offsets (kcat) has only the broker to vouch for it.
        assert scene.offsets["sent"] in ([0, 1, 2], None)
        assert scene.offsets["later"] in ([3], None)


_acknowledged("1")
_acknowledged("all")

# Enough, and repetitive enough, that a codec shrinks it and a client sends it compressed.
COMPRESSIBLE = tuple(Record(b"to be or not to be, " * 20 + str(i).encode()) for i in range(50))


def _compressed(codec: Literal["none", "gzip", "snappy", "lz4", "zstd"], *needs: Need) -> None:
    @story(
        f"records sent with codec {codec} come back as they were",
        Make("orders"),
        Produce("orders", COMPRESSIBLE, Sending(codec=codec)),
        Open("reader", "orders"),
        Take("reader", len(COMPRESSIBLE)),
        needs=needs,
    )
    def _(scene: Scene) -> None:
        assert values(scene.seen["seen"]) == [record.value for record in COMPRESSIBLE]
        assert scene.values("orders") == [record.value for record in COMPRESSIBLE]


_compressed("none")
_compressed("gzip", Need.GZIP)
_compressed("snappy", Need.SNAPPY)
_compressed("lz4", Need.LZ4)
_compressed("zstd", Need.ZSTD)

WITH_HEADERS = (
    Record(b"paid", b"o-1", (("trace", b"t-1"), ("source", b"shop"))),
    # The same name twice is legal, and the order of headers is the application's.
    Record(b"sent", b"o-1", (("trace", b"t-2"), ("trace", b"t-3"))),
    Record(b"bare", None),
)


@story(
    "keys and headers arrive with their record, in order",
    Make("orders"),
    Produce("orders", WITH_HEADERS),
    Open("reader", "orders"),
    Take("reader", 3),
)
def _(scene: Scene) -> None:
    assert scene.seen["seen"] == list(WITH_HEADERS)


NULL_HEADER = (Record(b"paid", b"o-1", (("nothing", None), ("empty", b""))),)


@story(
    "a header may be null or empty, and the two differ",
    Make("orders"),
    Produce("orders", NULL_HEADER),
    Open("reader", "orders"),
    Take("reader", 1),
    needs=(Need.NULL_HEADER,),
)
def _(scene: Scene) -> None:
    assert scene.seen["seen"] == list(NULL_HEADER)


@story(
    "a tombstone has a key and no value",
    Make("orders"),
    Produce("orders", (Record(b"paid", b"o-1"), Record(None, b"o-1"))),
    Open("reader", "orders"),
    Take("reader", 2),
)
def _(scene: Scene) -> None:
    assert scene.values("orders") == [b"paid", None]
    assert [(record.key, record.value) for record in scene.seen["seen"]] == [
        (b"o-1", b"paid"),
        (b"o-1", None),
    ]


@story(
    "an empty value is not a tombstone",
    Make("orders"),
    Produce("orders", (Record(b"", b"o-1"), Record(None, b"o-1"))),
    Open("reader", "orders"),
    Take("reader", 2),
    needs=(Need.EMPTY,),
)
def _(scene: Scene) -> None:
    assert scene.values("orders") == [b"", None]
    assert values(scene.seen["seen"]) == [b"", None]


# Just under every client's and broker's default limit of about a megabyte.
LARGE = b"0123456789abcdef" * (900_000 // 16)


@story(
    "a record of 900 KB passes whole",
    Make("orders"),
    Produce("orders", (Record(LARGE), Record(b"next"))),
    Open("reader", "orders"),
    Take("reader", 2),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["seen"]) == [LARGE, b"next"]
    assert scene.values("orders") == [LARGE, b"next"]


KEYED = tuple(Record(f"{key}-{i}".encode(), key.encode(), partition=None) for i in range(3) for key in "pqrs")


@story(
    "records of one key share a partition",
    Make("orders", partitions=4),
    Produce("orders", KEYED),
)
def _(scene: Scene) -> None:
    stored = scene.values("orders")  # by partition and offset: the records of one key are in their order
    assert len(stored) == 12
    for key in "pqrs":
        mine = [value for value in stored if value and value.startswith(key.encode())]
        assert mine == [f"{key}-{i}".encode() for i in range(3)]


@story(
    "reading from the beginning gives every record with its offset",
    Make("orders"),
    Produce("orders", ABC),
    Open("reader", "orders", "beginning"),
    Take("reader", 3),
)
def _(scene: Scene) -> None:
    assert [(record.offset, record.value) for record in scene.seen["seen"]] == [
        (0, b"a"),
        (1, b"b"),
        (2, b"c"),
    ]


@story(
    "reading from the end gives only what comes later",
    Make("orders"),
    Produce("orders", ABC),
    Open("reader", "orders", "end"),
    Produce("orders", records("d")),
    Take("reader", 1),
)
def _(scene: Scene) -> None:
    assert [(record.offset, record.value) for record in scene.seen["seen"]] == [(3, b"d")]


@story(
    "reading from an offset starts there, inside a batch too",
    Make("orders"),
    Produce("orders", ABC),
    Open("reader", "orders", 1),
    Take("reader", 2),
)
def _(scene: Scene) -> None:
    assert [(record.offset, record.value) for record in scene.seen["seen"]] == [(1, b"b"), (2, b"c")]


@story(
    "an offset past the end is out of range and reset to the earliest",
    Make("orders"),
    Produce("orders", ABC),
    Open("reader", "orders", 1_000),
    Take("reader", 3),
    needs=(Need.RESET,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["seen"]) == [b"a", b"b", b"c"]


@story(
    "a reader that seeks back reads again",
    Make("orders"),
    Produce("orders", ABC),
    Open("reader", "orders"),
    Take("reader", 3, into="first"),
    Seek("reader", 1),
    Take("reader", 2, into="again"),
    needs=(Need.SEEK,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["first"]) == [b"a", b"b", b"c"]
    assert values(scene.seen["again"]) == [b"b", b"c"]


@story(
    "a paused partition waits while the other goes on",
    Make("orders", partitions=2),
    Open("reader", "orders", partitions=(0, 1)),
    Pause("reader", 0),
    Produce("orders", records("held", partition=0)),
    Produce("orders", records("through", partition=1)),
    Take("reader", 1, into="paused"),
    Resume("reader", 0),
    Take("reader", 1, into="resumed"),
    needs=(Need.PAUSE,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["paused"]) == [b"through"]
    assert values(scene.seen["resumed"]) == [b"held"]


@story(
    "the earliest and the latest offset of a partition can be looked up",
    Make("orders"),
    Lookup("orders", "latest", into="empty"),
    Produce("orders", ABC),
    Lookup("orders", "earliest", into="earliest"),
    Lookup("orders", "latest", into="latest"),
)
def _(scene: Scene) -> None:
    assert scene.found == {"empty": 0, "earliest": 0, "latest": 3}
    assert scene.end_offset("orders") == 3


# Ten minutes ago: an hour in the future would be refused, and a moment long past deleted by retention.
NOON = int(time.time() * 1_000) - 600_000


@story(
    "an offset is looked up by time: the first record as young as that",
    Make("orders"),
    Produce("orders", tuple(Record(b"%d" % i, timestamp_ms=NOON + 1_000 * i) for i in range(3))),
    Lookup("orders", NOON + 1_000, into="exactly"),
    Lookup("orders", NOON + 1_001, into="between"),
    Lookup("orders", NOON + 9_999, into="never"),
    Open("reader", "orders"),
    Take("reader", 3),
    needs=(Need.TIMESTAMP,),
)
def _(scene: Scene) -> None:
    assert scene.found == {"exactly": 1, "between": 2, "never": None}
    assert [record.timestamp_ms for record in scene.seen["seen"]] == [NOON, NOON + 1_000, NOON + 2_000]


@story(
    "an idempotent producer stores each record once and in order",
    Make("orders"),
    Produce("orders", COMPRESSIBLE, Sending(idempotent=True)),
    Produce("orders", ABC, Sending(idempotent=True)),
    needs=(Need.IDEMPOTENCE,),
)
def _(scene: Scene) -> None:
    assert scene.values("orders") == [record.value for record in (*COMPRESSIBLE, *ABC)]
    assert scene.end_offset("orders") == len(COMPRESSIBLE) + 3


@story(
    "a committed transaction is read, an aborted one is not",
    Make("orders"),
    Transact("orders", records("lost"), commit=False),
    Transact("orders", records("kept"), commit=True),
    Produce("orders", records("plain")),
    Open("reader", "orders", committed_only=True),
    Take("reader", 2),
    needs=(Need.TRANSACTIONS,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["seen"]) == [b"kept", b"plain"]
    assert scene.values("orders") == [b"kept", b"plain"]
    assert scene.end_offset("orders") == 5  # three records, and a marker for each transaction


@story(
    "a reader of uncommitted records sees aborted ones and no markers",
    Make("orders"),
    Transact("orders", records("lost"), commit=False),
    Produce("orders", records("plain")),
    Open("reader", "orders"),
    Take("reader", 2),
    needs=(Need.TRANSACTIONS,),
)
def _(scene: Scene) -> None:
    # Whether the marker is before or behind the plain record is open: its writing is nobody's wait.
    assert values(scene.seen["seen"]) == [b"lost", b"plain"]
