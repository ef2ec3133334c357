"""Cases 63-78: what a Fetch gives back, when it waits, and what fetch sessions leave out.

A Fetch here does not wait unless the case is about waiting.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from conformance.cases.batches import batch
from conformance.cases.brokers import THREE
from conformance.cases.line import Line
from conformance.cases.produce import at, to
from conformance.cases.stage import Stage, case


def _write(it: Stage, topic: str, *values: bytes, index: int = 0, node: int = 1) -> None:
    """Append one batch, of which nothing is compared."""
    sent = batch(*values, timestamp=it.zero_ms)
    answer = it.quietly("Produce", 9, node=node, **to(topic, {index: sent}))
    assert answer["responses"][0]["partition_responses"][0]["error_code"] == "NONE", answer


@case("63", "The whole batch comes back that holds the offset")
def _(it: Stage) -> None:
    topic = it.topic()
    _write(it, topic, b"a", b"b", b"c")
    _write(it, topic, b"d")
    for version in (4, 12):
        for offset in (1, 3):
            it.ask("Fetch", version, **at(topic, offset))


@case("63a", "Every version of Fetch gives the same records in its own form")
def _(it: Stage) -> None:
    topic = it.topic()
    _write(it, topic, b"a")
    id = it.id_of(topic)
    for version in range(4, 19):
        it.ask("Fetch", version, **at(id if version >= 13 else topic))


@case("64", "The first batch comes back whatever the limit; what does not fit behind it does not")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    for index in (0, 1):
        _write(it, topic, b"x" * 5_000, index=index)
    it.ask("Fetch", 12, **at(topic, {0: 0, 1: 0}, max_bytes=100))
    it.ask("Fetch", 12, **at(topic, {1: 0, 0: 0}, max_bytes=100))
    it.ask("Fetch", 12, **at(topic, {0: 0, 1: 0}, max_bytes=8_000))
    it.ask("Fetch", 12, **at(topic, {0: 0, 1: 0}, max_bytes=20_000))


@case("65", "A limit of one partition counts once another has given data")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    for index in (0, 1):
        _write(it, topic, b"x" * 50, index=index)
    it.ask("Fetch", 12, **at(topic, {0: 0, 1: 0}, partition_max_bytes={0: 1 << 20, 1: 1}))
    it.ask("Fetch", 12, **at(topic, partition_max_bytes=0))
    it.ask("Fetch", 12, **at(topic, max_bytes=0))


@case("65a", "A limit below nothing is an unknown server error of its partition")
def _(it: Stage) -> None:
    topic = it.topic()
    _write(it, topic, b"x")
    it.ask("Fetch", 12, **at(topic, partition_max_bytes=-1))
    it.ask("Fetch", 12, **at(topic, max_bytes=-1))


@case("65b", "An isolation level that nobody knows spoils the whole fetch")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (4, 6, 12):
        it.ask("Fetch", version, **at(topic, isolation_level=7))
    it.ask("Fetch", 16, **at(it.id_of(topic), isolation_level=7))


@case("67", "At the end there is nothing; beyond it, and before the start, the offset is out of range")
def _(it: Stage) -> None:
    topic = it.topic()
    for value in (b"a", b"b", b"c"):
        _write(it, topic, value)
    for offset in (3, 4, -1):
        for version in (4, 12):
            it.ask("Fetch", version, **at(topic, offset))
    parts = [{"partition_index": 0, "offset": 2}]
    it.ask("DeleteRecords", 2, topics=[{"name": topic, "partitions": parts}], timeout=5_000)
    for offset in (1, 2):
        it.ask("Fetch", 12, **at(topic, offset))


@case("67a", "A log may begin within a batch, which comes back whole")
def _(it: Stage) -> None:
    topic = it.topic()
    _write(it, topic, b"a", b"b", b"c")
    parts = [{"partition_index": 0, "offset": 1}]
    it.ask("DeleteRecords", 2, topics=[{"name": topic, "partitions": parts}], timeout=5_000)
    for offset in (0, 1):
        it.ask("Fetch", 12, **at(topic, offset))


@case("68", "A fetch waits for enough bytes, and no longer than it says")
def _(it: Stage) -> None:
    topic, line = it.topic(), it.line()
    _write(it, topic, b"x" * 50)
    began = time.monotonic()
    line.ask("Fetch", 12, **at(topic, max_wait=600) | {"min_bytes": 1_000})
    it.tell("it has waited", time.monotonic() - began >= 0.6)
    line.send("Fetch", 12, **at(topic, max_wait=30_000) | {"min_bytes": 1_000})
    line.expect_nothing("too little is there")
    _write(it, topic, b"x" * 900)
    line.hear()


@case("69", "Nobody waits who has no reason to")
def _(it: Stage) -> None:
    topic, line = it.topic(), it.line()
    nothing: dict[str, Any] = {"topics": []}
    for what, fields in (
        ("who would not wait", at(topic)),
        ("who wants no bytes", at(topic, max_wait=3_000) | {"min_bytes": 0}),
        ("who asks for an unknown partition", at(topic, {0: 0, 7: 0}, max_wait=3_000)),
        ("who is out of range", at(topic, 7, max_wait=3_000)),
        ("who asks for no partition", at(topic, max_wait=3_000, session_epoch=-1) | nothing),
    ):
        began = time.monotonic()
        line.ask("Fetch", 12, **fields)
        it.tell(f"{what} is answered at once", time.monotonic() - began < 2)


class _Session:
    """A fetch session and what it is asked next."""

    def __init__(self, line: Line, version: int = 12) -> None:
        self._line, self._version = line, version
        self.id, self.epoch = 0, 0

    def ask(
        self,
        topic: str | uuid.UUID | None = None,
        offsets: int | Mapping[int, int] = 0,
        *,
        forget: list[dict[str, Any]] | None = None,
        **more: Any,
    ) -> None:
        """Go on with the session: name what is new or moved."""
        fields = at(topic, offsets) if topic is not None else at("") | {"topics": []}
        given = {"session_id": self.id, "session_epoch": self.epoch, "forgotten_topics_data": forget or []}
        answer = self._line.ask("Fetch", self._version, **fields | given | more)
        if answer.get("error_code") == "NONE":
            self.id = answer["session_id"]
            self.epoch += 1


@case("71", "An increment tells only of what has news")
def _(it: Stage) -> None:
    topic = it.topic(partitions=3)
    session = _Session(it.line())
    session.ask(topic, {0: 0, 1: 0, 2: 0})
    session.ask()
    _write(it, topic, b"a", index=1)
    session.ask()
    session.ask(topic, {1: 1})
    session.ask()
    _write(it, topic, b"b", index=2)
    _write(it, topic, b"c", index=0)
    session.ask()


@case("72", "A session has its id and its epoch, and survives that somebody errs in them")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    session = _Session(it.line())
    session.ask(topic, {0: 0, 1: 0})
    for epoch in (5, 2):
        session.ask(session_epoch=epoch)
    session.ask()
    session.ask(forget=[{"topic": topic, "partitions": [1]}])
    _write(it, topic, b"a", index=1)
    session.ask()
    _write(it, topic, b"a", index=0)
    session.ask()


@case("72a", "Ids and epochs that begin no session")
def _(it: Stage) -> None:
    topic, line = it.topic(), it.line()
    for version in (7, 11):
        line.ask("Fetch", version, **at(topic, session_id=12_345, session_epoch=1))
    for id, epoch in ((12_345, 1), (12_345, 0), (12_345, -1), (0, 5), (0, -7), (0, -1)):
        line.ask("Fetch", 12, **at(topic, session_id=id, session_epoch=epoch))


@case("72b", "A session of which everything is forgotten ends, and so does one that is told to")
def _(it: Stage) -> None:
    topic = it.topic()
    session = _Session(it.line())
    session.ask(topic)
    session.ask(forget=[{"topic": topic, "partitions": [0]}])
    session.ask(session_id=1)
    other = _Session(it.line())
    other.ask(topic)
    ended = other.id
    other.ask(topic, session_epoch=-1)
    other.ask(session_id=ended, session_epoch=1)


@case("73", "An error is told in every increment, and the recovery from it")
def _(it: Stage) -> None:
    topic = it.topic()
    session = _Session(it.line())
    session.ask(topic, 5)
    session.ask()
    session.ask(topic, 0)
    session.ask()


@case("74", "Who knows an older or a newer leader epoch than the leader is told so")
def _(it: Stage) -> None:
    topic = it.topic()
    id = it.id_of(topic)
    _write(it, topic, b"a")
    for epoch in (5, -1, -2, 0):
        it.ask("Fetch", 12, **at(topic, part={"current_leader_epoch": epoch}))
        it.ask("Fetch", 16, **at(id, part={"current_leader_epoch": epoch}))
        parts = [{"partition_index": 0, "timestamp": -1, "current_leader_epoch": epoch}]
        it.ask("ListOffsets", 6, replica_id=-1, topics=[{"name": topic, "partitions": parts}])
        ended = [{"partition": 0, "current_leader_epoch": epoch, "leader_epoch": 0}]
        it.ask("OffsetForLeaderEpoch", 4, replica_id=-1, topics=[{"topic": topic, "partitions": ended}])


@case("74a", "An older leader epoch is fenced by the old leader and by the new one", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [2, 1, 3]})
    id = it.id_of(topic)
    _write(it, topic, b"a", node=2)
    it.brokers.crash(2)
    it.until(lambda: it.metadata(topic)[0]["leader_id"] == 1, "1 leads")
    it.brokers.restart(2)
    it.until(lambda: len(it.metadata(topic)[0]["isr_nodes"]) == 3, "2 is back")
    it.until(lambda: it.metadata(topic, 2)[0]["leader_id"] == 1, "2 knows it")
    for node in (1, 2):
        it.ask("Fetch", 16, node=node, **at(id, part={"current_leader_epoch": 0}))
        it.ask("Fetch", 12, node=node, **at(topic, part={"current_leader_epoch": 9}))


@case("75", "Topic ids that are unknown, and names that are")
def _(it: Stage) -> None:
    topic = it.topic()
    for nobody in (uuid.UUID(int=77), uuid.UUID(int=0)):
        it.ask("Fetch", 16, **at(nobody))
    it.ask("Fetch", 12, **at(it.name("nobody")))
    it.ask("Fetch", 12, **at(topic, {7: 0}))
    it.ask("Fetch", 16, **at(it.id_of(topic), {7: 0}))


@case("75a", "A session keeps to ids, or to names")
def _(it: Stage) -> None:
    topic, line = it.topic(), it.line()
    session = _Session(line)
    session.ask(topic)
    line.ask("Fetch", 16, **at("") | {"topics": [], "session_id": session.id, "session_epoch": 1})
    session.ask()


@case("75b", "A topic of a session that is deleted is unknown, and inconsistent when it is made again")
def _(it: Stage) -> None:
    topic = it.topic()
    session = _Session(it.line(), 16)
    session.ask(it.id_of(topic))
    it.quietly("DeleteTopics", 6, timeout=10_000, topics=[{"name": topic, "topic_id": None}])
    it.until(lambda: not it.is_known(topic), "it is gone")
    session.ask()
    new = {"name": topic, "num_partitions": 1, "replication_factor": 1}
    it.quietly("CreateTopics", 7, timeout=10_000, topics=[new])
    it.until(lambda: it.is_led(topic, 1), "it is back")
    session.ask()


@case("76", "A consumer is sent to the replica in its rack, which serves it", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 2]})
    _write(it, topic, b"a")
    it.until(lambda: it.high_watermark(topic, 2) == 1, "2 knows that a is committed")
    for node, rack in ((1, "r2"), (1, "r1"), (1, "r9"), (1, "r3"), (2, "r2"), (2, "r1")):
        it.ask("Fetch", 12, node=node, **at(topic, rack_id=rack))
    it.ask("Fetch", 12, node=1, **at(topic, 1, rack_id="r2"))
    it.ask("Fetch", 12, node=2, **at(topic, 5, rack_id="r2"))


@case("77", "A follower serves consumers from version 11 on", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [1, 2]})
    id = it.id_of(topic)
    _write(it, topic, b"a")
    it.until(lambda: it.high_watermark(topic, 2) == 1, "2 knows that a is committed")
    for version in (4, 10, 11, 12):
        it.ask("Fetch", version, node=2, **at(topic))
    for node in (2, 3):
        it.ask("Fetch", 16, node=node, **at(id))
    parts = [{"partition_index": 0, "timestamp": -1, "current_leader_epoch": -1}]
    for replica in (-1, -2):
        it.ask("ListOffsets", 6, node=2, replica_id=replica, topics=[{"name": topic, "partitions": parts}])
    ended = [{"partition": 0, "current_leader_epoch": -1, "leader_epoch": 0}]
    it.ask("OffsetForLeaderEpoch", 4, node=2, replica_id=-1, topics=[{"topic": topic, "partitions": ended}])


@case("78", "Whose last epoch is not the log's learns where they part")
def _(it: Stage) -> None:
    topic = it.topic()
    _write(it, topic, b"a", b"b")
    for offset, epoch in ((2, 0), (1, 0), (5, 0), (2, 3), (0, -1)):
        it.ask("Fetch", 12, **at(topic, offset, part={"last_fetched_epoch": epoch}))
