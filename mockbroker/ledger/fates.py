"""The story of one record, from the entries of the ledger and what the logs hold now.

A fate is a value: it stays as it was when it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.ledger.entries import Ack
from mockbroker.records.batch import Batch, iter_records

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World
    from mockbroker.ledger.book import Ledger
    from mockbroker.ledger.entries import Committed, Sent, Served

# What became of a stored record, as far as the logs of the living brokers say.
STORED, LOST, DELETED, NOWHERE, UNSEEN = "stored", "lost", "deleted", "never stored", "not replicated"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one record.

    `state` is "stored", "not replicated" (no consumer may see it yet), "lost" (no leader has it any more),
    "deleted" (by retention or on purpose), or "never stored".  `ack` says what the producer was told.  Times are
    seconds since the cluster's start.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    offset: int
    producer: str
    sent_at: float
    state: str
    ack: str
    why: str
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    served: tuple[str, ...]
    committed_by: tuple[str, ...]

    @property
    def acked(self) -> bool:
        """Whether the producer was told that it is stored."""
        return self.ack == Ack.ACKED.value

    @property
    def lost(self) -> bool:
        """Whether it was stored and is no more, and nobody wanted that."""
        return self.state == LOST

    def __str__(self) -> str:
        where = f"{self.topic}-{self.partition}" + (f"@{self.offset}" if self.offset >= 0 else "")
        key = "" if self.key is None else f" key={self.key!r}"
        told = self.ack + (f" ({self.why})" if self.why else "")
        lines = [f"{where}{key}: {self.state}", f"  {self.sent_at:8.3f} s sent by {self.producer}: {told}"]
        if self.offset >= 0:
            lines.append(f"           appended by broker {self.leader} in epoch {self.leader_epoch}")
            lines.append(f"           held now by {_brokers(self.replicas)}")
        lines += [f"           served to {line}" for line in self.served]
        lines += [f"           covered by a commit of {line}" for line in self.committed_by]
        return "\n".join(lines)


def _brokers(ids: tuple[int, ...]) -> str:
    return "broker " + ", ".join(map(str, ids)) if ids else "no broker"


class Teller:
    """Tells fates: reads the ledger and the logs, and changes neither."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    def fates(
        self,
        topic: str,
        *,
        key: bytes | None = None,
        value: bytes | None = None,
        partition: int | None = None,
        offset: int | None = None,
    ) -> list[Fate]:
        """The records of a topic that are like this, in the order in which they were sent."""
        found = []
        for sent in self._ledger.sent:
            if sent.place[0] != topic or (partition is not None and sent.place[1] != partition):
                continue
            if offset is not None and not sent.holds(offset):
                continue
            for at, record_key, record_value in self._records(sent):
                here = sent.base_offset + at if sent.stored else -1
                if offset is not None and here != offset:
                    continue
                if (key is None or key == record_key) and (value is None or value == record_value):
                    found.append(self._fate(sent, here, record_key, record_value))
        return found

    def lost(self, topic: str | None = None) -> list[Fate]:
        """Records that were acknowledged and that no leader has any more."""
        found = []
        for sent in self._ledger.sent:
            if sent.acked and sent.stored and topic in (None, sent.place[0]) and self.state(sent) == LOST:
                found += [self._fate(sent, sent.base_offset + at, k, v) for at, k, v in self._records(sent)]
        return found

    def unacked(self, topic: str | None = None) -> list[Fate]:
        """Records that are stored although their producer was not told so."""
        doubtful = (sent for sent in self._ledger.sent if sent.ack in (Ack.LOST, Ack.REFUSED) and sent.stored)
        there = (sent for sent in doubtful if topic in (None, sent.place[0]))
        return [
            self._fate(sent, sent.base_offset + at, key, value)
            for sent in there
            if self.state(sent) in (STORED, UNSEEN)
            for at, key, value in self._records(sent)
        ]

    # -- one batch --------------------------------------------------------------------------------

    def state(self, sent: Sent) -> str:
        """What became of a batch."""
        if not sent.stored:
            return NOWHERE
        image = self._world.controller.image.topics.get(sent.place[0])
        if image is None or image.id != sent.topic_id:
            return DELETED
        leader = image.partitions[sent.place[1]].leader
        replicas = self._replicas(sent)
        holding = [replica for replica in replicas if _has(replica, sent)]
        if leader < 0:
            return STORED if holding else LOST
        leading = [replica for replica in holding if replica.broker.id == leader]
        if leading:
            return STORED if leading[0].high_watermark >= sent.end_offset else UNSEEN
        log = next((replica.log for replica in replicas if replica.broker.id == leader), None)
        return DELETED if log is not None and sent.end_offset <= log.start else LOST

    def _replicas(self, sent: Sent) -> list[Replica]:
        return [
            node.replicas[sent.place] for node in self._world.nodes.values() if sent.place in node.replicas
        ]

    def _records(self, sent: Sent) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """Each record's place in its batch, its key and its value; nothing where the bytes are forgotten."""
        if sent.data is None:
            return
        for at, record in enumerate(iter_records(Batch.parse(sent.data))):
            key = None if record.key is None else bytes(record.key)
            yield at, key, None if record.value is None else bytes(record.value)

    def _fate(self, sent: Sent, offset: int, key: bytes | None, value: bytes | None) -> Fate:
        return Fate(
            topic=sent.place[0],
            partition=sent.place[1],
            key=key,
            value=value,
            offset=offset,
            producer=sent.client_id or "a client without a name",
            sent_at=self._seconds(sent.at_us),
            state=self.state(sent),
            ack="known already, " + sent.ack.value if sent.duplicate and sent.acked else sent.ack.value,
            why=sent.why,
            leader=sent.leader,
            leader_epoch=sent.leader_epoch,
            replicas=tuple(r.broker.id for r in self._replicas(sent) if _has(r, sent)),
            served=tuple(map(self._told, _covering(self._ledger.served, sent.place, offset))),
            committed_by=tuple(map(self._covered, self._first_commits(sent, offset))),
        )

    def _first_commits(self, sent: Sent, offset: int) -> list[Committed]:
        """The first commit of each group that is beyond this offset."""
        first: dict[str, Committed] = {}
        for commit in self._ledger.committed:
            if commit.place == sent.place and commit.offset > offset >= 0 and not commit.error:
                first.setdefault(commit.group, commit)
        return list(first.values())

    def _told(self, served: Served) -> str:
        lost = ", and the answer did not arrive" if served.lost else ""
        return f"{served.client_id} at {self._seconds(served.at_us):.3f} s{lost}"

    def _covered(self, commit: Committed) -> str:
        return f"{commit.group} by {commit.client_id} at {self._seconds(commit.at_us):.3f} s"

    def _seconds(self, at_us: int) -> float:
        return (at_us - self._world.history.started_us) / 1_000_000


def _has(replica: Replica, sent: Sent) -> bool:
    """Whether this copy has the batch, and not another one at the same offset."""
    log = replica.log
    if not log.start <= sent.base_offset < log.end:
        return False
    batches = log.read(sent.base_offset, sent.base_offset + 1, 1, at_least_one=True)
    return bool(batches) and (batches[0].base_offset, batches[0].leader_epoch) == (
        sent.base_offset,
        sent.leader_epoch,
    )


def _covering(entries: Iterable[Served], place: tuple[str, int], offset: int) -> Iterator[Served]:
    return (one for one in entries if one.place == place and one.start <= offset < one.end)
