"""The story of one record, from the entries of the ledger and what the logs hold now.

A fate is a value: it stays as it was when it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.ledger.contents import is_replaced, records_in
from mockbroker.ledger.entries import Ack
from mockbroker.ledger.logs import holds
from mockbroker.ledger.readers import Readers

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World
    from mockbroker.ledger.book import Ledger
    from mockbroker.ledger.entries import Committed, Sent, Served, Written

ACKS_ALL = -1

# What became of a stored record, as far as the logs of the living brokers say.
STORED, LOST, DELETED, NOWHERE, UNSEEN = "stored", "lost", "deleted", "never stored", "not replicated"


@dataclass(frozen=True, slots=True)
class Reading:
    """Records that were in an answer to a fetch: offsets from `start` up to, and not including, `end`.

    `group`, `member` and `generation` are known where one member with this client id owned the partition; else
    None.  `heard` is False when the answer did not reach the client.  `at` is in seconds since the cluster's start.
    """

    topic: str
    partition: int
    start: int
    end: int
    client_id: str
    at: float
    isolation: str
    heard: bool
    group: str | None
    member: str | None
    generation: int | None

    def __str__(self) -> str:
        whom = (
            "" if self.member is None else f" ({self.member} of {self.group}, generation {self.generation})"
        )
        lost = "" if self.heard else ", and the answer did not arrive"
        last = self.end - 1
        where = f"{self.topic}-{self.partition}@{self.start}" + (f"-{last}" if last > self.start else "")
        return f"{self.at * 1_000:.1f} ms  {where} served to {self.client_id}{whom}{lost}"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one record.

    `state` is "stored", "not replicated" (no consumer may see it yet), "lost" (no leader has it any more),
    "deleted" (by retention or on purpose), or "never stored".  `ack` says what the producer was told, and `why`;
    `duplicate` that the record was there already when it came, and was known by its producer's sequence.  Times are
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
    duplicate: bool
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    served: tuple[str, ...]
    committed_by: tuple[str, ...]
    # All of it in order, one sentence each, with the seconds since the cluster's start.
    story: tuple[tuple[float, str], ...]

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
        lines = [f"{where}{key}: {self.state}"]
        lines += [f"  {seconds * 1_000:10.1f} ms  {what}" for seconds, what in self.story]
        if self.offset >= 0:
            lines.append(f"         in the end  held by {_brokers(self.replicas)}")
        return "\n".join(lines)


def _brokers(ids: tuple[int, ...]) -> str:
    return "broker " + ", ".join(map(str, ids)) if ids else "no broker"


class Teller:
    """Tells fates: reads the ledger and the logs, and changes neither."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger
        self._readers = Readers(
            {group: world.chronicle.of(group) for group in world.chronicle.groups()}, ledger.joined
        )

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
        for sent in self._ledger.attempts():
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
        """Records that were acknowledged and that no leader has any more, nor the same record sent again."""
        sent = [one for one in self._ledger.attempts() if one.stored and topic in (None, one.place[0])]
        present = [one for one in sent if self.state(one) in (STORED, UNSEEN)]
        return [
            self._fate(one, one.base_offset + at, key, value)
            for one in sent
            if one.acked and self.state(one) == LOST and not is_replaced(one, present)
            for at, key, value in self._records(one)
        ]

    def unacked(self, topic: str | None = None) -> list[Fate]:
        """Records that are stored although their producer was not told so."""
        doubtful = (
            sent for sent in self._ledger.attempts() if sent.ack in (Ack.LOST, Ack.REFUSED) and sent.stored
        )
        there = (sent for sent in doubtful if topic in (None, sent.place[0]))
        return [
            self._fate(sent, sent.base_offset + at, key, value)
            for sent in there
            if self.state(sent) in (STORED, UNSEEN)
            for at, key, value in self._records(sent)
        ]

    def served(self, topic: str, partition: int | None = None, group: str | None = None) -> list[Reading]:
        """What was served of a topic, to anybody or to the members of one group."""
        return [
            reading
            for one in self._ledger.served
            if one.place[0] == topic and partition in (None, one.place[1])
            if group is None or group == self._readers.group_of(one)
            for reading in [self._reading(one)]
        ]

    def _reading(self, served: Served) -> Reading:
        owners = self._readers.owners(served)
        owner = owners[0] if len(owners) == 1 else None
        return Reading(
            topic=served.place[0],
            partition=served.place[1],
            start=served.start,
            end=served.end,
            client_id=served.client_id,
            at=self._seconds(served.at_us),
            isolation="committed" if served.committed_only else "uncommitted",
            heard=not served.lost,
            group=self._readers.group_of(served),
            member=None if owner is None else owner.id,
            generation=None if owner is None else owner.generation,
        )

    # -- one batch --------------------------------------------------------------------------------

    def state(self, sent: Sent | Written) -> str:
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
            # Out of reach and not gone, as long as one copy has it that may come back.
            deleted = any(sent.end_offset <= replica.log.start for replica in replicas)
            return STORED if holding else DELETED if deleted else LOST
        leading = [replica for replica in holding if replica.broker.id == leader]
        if leading:
            return STORED if leading[0].high_watermark >= sent.end_offset else UNSEEN
        log = next((replica.log for replica in replicas if replica.broker.id == leader), None)
        return DELETED if log is not None and sent.end_offset <= log.start else LOST

    def _replicas(self, sent: Sent | Written) -> list[Replica]:
        return [
            node.replicas[sent.place] for node in self._world.nodes.values() if sent.place in node.replicas
        ]

    def _records(self, sent: Sent) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """Each record's place in its batch, its key and its value; nothing where the bytes are forgotten."""
        for at, record in enumerate(records_in(sent)):
            key = None if record.key is None else bytes(record.key)
            yield at, key, None if record.value is None else bytes(record.value)

    def _fate(self, sent: Sent, offset: int, key: bytes | None, value: bytes | None) -> Fate:
        served = list(_covering(self._ledger.served, sent, offset))
        commits = self._first_commits(sent, offset)
        story = [*_of_the_batch(sent)]
        story += [(one.at_us, f"served to {self._reader(one)}") for one in served]
        story += [(one.at_us, f"covered by a commit of {_committer(one)}") for one in commits]
        return Fate(
            topic=sent.place[0],
            partition=sent.place[1],
            key=key,
            value=value,
            offset=offset,
            producer=sent.client_id or "a client without a name",
            sent_at=self._seconds(sent.at_us),
            state=self.state(sent),
            ack=sent.ack.value,
            duplicate=sent.duplicate,
            why=sent.why,
            leader=sent.leader,
            leader_epoch=sent.leader_epoch,
            replicas=tuple(r.broker.id for r in self._replicas(sent) if _has(r, sent)),
            served=tuple(f"{self._reader(one)} at {self._seconds(one.at_us):.3f} s" for one in served),
            committed_by=tuple(f"{_committer(one)} at {self._seconds(one.at_us):.3f} s" for one in commits),
            story=tuple(
                (self._seconds(at_us), what) for at_us, what in sorted(story, key=lambda step: step[0])
            ),
        )

    def _first_commits(self, sent: Sent, offset: int) -> list[Committed]:
        """The first commit of each group that is beyond this offset."""
        first: dict[str, Committed] = {}
        for commit in self._ledger.committed:
            after = commit.at_us >= sent.appended_us
            if commit.place == sent.place and commit.offset > offset >= 0 and not commit.error and after:
                first.setdefault(commit.group, commit)
        return list(first.values())

    def _reader(self, served: Served) -> str:
        """Who got it, as far as that is known."""
        owners = self._readers.owners(served)
        whom = f" ({owners[0]})" if len(owners) == 1 else ""
        return f"{served.client_id}{whom}" + (", and the answer did not arrive" if served.lost else "")

    def _seconds(self, at_us: int) -> float:
        return (at_us - self._world.history.started_us) / 1_000_000


def _has(replica: Replica, sent: Sent | Written) -> bool:
    """Whether this copy has the batch or what deletion has left of it, and not another one at the same offset."""
    return sent.end_offset > replica.log.start and holds(replica.log, sent)


def _covering(entries: Iterable[Served], sent: Sent, offset: int) -> Iterator[Served]:
    """The reads that had this record in them, and not an earlier one that was at its offset."""
    return (
        one
        for one in entries
        if one.place == sent.place and one.topic_id == sent.topic_id
        if one.start <= offset < one.end and one.at_us >= sent.appended_us
    )


def _committer(commit: Committed) -> str:
    who = f"by {commit.member} in generation {commit.generation}" if commit.by_member else "by"
    lost = ", which was not told so" if commit.lost else ""
    return f"{commit.group} {who} ({commit.client_id}{lost})"


def _of_the_batch(sent: Sent) -> Iterator[tuple[int, str]]:
    """What a batch went through, and when; in the order of the steps where several happened at once."""
    yield sent.at_us, f"sent by {_producer(sent)}"
    if sent.duplicate:
        yield sent.appended_us, f"known to broker {sent.leader} already: the producer's sequence says so"
    elif sent.stored:
        yield sent.appended_us, f"appended by broker {sent.leader} in epoch {sent.leader_epoch}"
    for broker, at_us in _pairs(sent.copies):
        yield at_us, f"copied by broker {broker}"
    if sent.committed_us:
        yield sent.committed_us, "committed: every in-sync replica has it"
    if sent.answered_us and sent.connection:
        yield sent.answered_us, sent.ack.value + (f" ({sent.why})" if sent.why else "")
    if (loss := sent.lost_by) is not None:
        yield loss.at_us, f"{loss}, and does not have it"
    for broker, at_us in _pairs(sent.cuts):
        yield at_us, f"cut off by broker {broker}, whose leader does not have it"


def _producer(sent: Sent) -> str:
    if not sent.connection:
        return sent.client_id
    acks = "all" if sent.acks == ACKS_ALL else sent.acks
    name = sent.client_id or "a client without a name"
    return f"{name} on connection {sent.connection}, request {sent.correlation_id}, acks={acks}"


def _pairs(flat: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip(flat[::2], flat[1::2], strict=True)
