"""A consume-transform-produce loop: what a client is told to do, and what it says it did.

Each pass reads some records of one topic, writes one record for each to another topic, and commits how far it has
come, all in one transaction.  The key of what is written names what it was made of, so that a judge can tell by the
logs alone whether everything was done once.  Python's loops share the pass that is here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conformance.clients.verbs import Partition, Record

# A loop that has heard of nothing for so long has come to the end, or is the victim of a story that says so.
IDLE_S = 3.0
# A poll of a loop; short, so that a rebalance is noticed soon.
POLL_S = 0.1


@dataclass(frozen=True)
class Looping:
    """A loop.  `broken`: it commits its offsets by themselves, before the transaction, as one should not."""

    group: str
    topic: str
    to: str
    transactional_id: str
    idle_ms: int = int(IDLE_S * 1_000)
    broken: bool = False


@dataclass(frozen=True)
class Looped:
    """What a loop says it did."""

    committed: int
    aborted: int
    restarted: int


class MustAbort(Exception):  # what is to be done, and no error of ours
    """The transaction cannot be committed, and the next one can begin when it is aborted."""


class MustRestart(Exception):  # the same
    """The producer cannot go on: another one has taken its id, or it has lost its place."""


class Loop(Protocol):
    """One client's part of a loop."""

    def poll(self, timeout_s: float) -> Sequence[Record]:
        """The next records, with partition and offset."""

    def run(self, outputs: Sequence[tuple[bytes, Record]], offsets: Mapping[Partition, int]) -> None:
        """One transaction: write the outputs by key, commit the offsets; raises MustAbort or MustRestart."""

    def abort(self) -> None:
        """Abort what is open; raises MustRestart when that is refused."""

    def rewind(self) -> None:
        """Go back to what is committed, for what was read since has not been done."""

    def restart(self) -> None:
        """Begin again with a new producer."""

    def close(self) -> None:
        """The end."""


def loop(client: Loop, how: Looping) -> Looped:
    """Run until nothing comes any more."""
    committed = aborted = restarted = 0
    last = time.monotonic()
    try:
        while time.monotonic() - last < how.idle_ms / 1_000:
            records = client.poll(POLL_S)
            if not records:
                continue
            last = time.monotonic()
            try:
                client.run([(key_of(record), record) for record in records], ends_of(how.topic, records))
                committed += 1
                continue
            except MustAbort:
                aborted += 1
                restarted += not _aborted(client)
            except MustRestart:
                restarted += 1
                client.restart()
            client.rewind()
    finally:
        client.close()
    return Looped(committed, aborted, restarted)


def _aborted(client: Loop) -> bool:
    try:
        client.abort()
    except MustRestart:
        client.restart()
        return False
    return True


def key_of(record: Record) -> bytes:
    """What names an input in the output that is made of it."""
    return b"%d-%d" % (record.partition or 0, record.offset or 0)


def ends_of(topic: str, records: Sequence[Record]) -> dict[Partition, int]:
    """Where to go on in each partition once these records are done."""
    ends: dict[Partition, int] = {}
    for record in records:
        place = (topic, record.partition or 0)
        ends[place] = max(ends.get(place, 0), (record.offset or 0) + 1)
    return ends
