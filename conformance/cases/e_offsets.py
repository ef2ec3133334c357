"""Cases 83-87: ListOffsets and OffsetForLeaderEpoch, the offsets behind times and epochs."""

from __future__ import annotations

from typing import Any

from conformance.cases.batches import batch
from conformance.cases.codec import Answer
from conformance.cases.produce import in_list, to
from conformance.cases.stage import Stage, case

_SPECIAL = (-1, -2, -3, -4, -5, -6)


def _listed(it: Stage, version: int, topics: list[dict[str, Any]], **more: Any) -> Answer:
    for topic in topics if version >= 4 else ():
        topic["partitions"] = [{"current_leader_epoch": -1} | part for part in topic["partitions"]]
    fields: dict[str, Any] = {"replica_id": -1, "topics": topics} | more
    return it.ask("ListOffsets", version, **fields)


@case("83", "An empty log has a start and an end, and nothing with a time")
def _(it: Stage) -> None:
    topic = it.topic()
    for timestamp in (*_SPECIAL, 0):
        _listed(it, 11, in_list(topic, timestamp))


@case("83a", "Earliest, latest, largest time, and what is local or tiered")
def _(it: Stage) -> None:
    topic = it.topic()
    zero = it.zero_ms
    for times in ((zero, zero + 50), (zero + 50, zero + 20), (zero + 30,)):
        it.quietly("Produce", 9, **to(topic, batch(*[b"x"] * len(times), timestamps=times)))
    for timestamp in _SPECIAL:
        _listed(it, 11, in_list(topic, timestamp))
    parts = [{"partition_index": 0, "offset": 2}]
    it.quietly("DeleteRecords", 2, topics=[{"name": topic, "partitions": parts}], timeout=5_000)
    for timestamp in _SPECIAL:
        _listed(it, 11, in_list(topic, timestamp))


@case("83b", "Every version of ListOffsets answers in its own form")
def _(it: Stage) -> None:
    topic = it.topic()
    it.quietly("Produce", 9, **to(topic, batch(b"x", timestamp=it.zero_ms)))
    for version in range(1, 12):
        for timestamp in (-1, -2, it.zero_ms):
            _listed(it, version, in_list(topic, timestamp))


@case("84", "A time finds the first record at it or later")
def _(it: Stage) -> None:
    topic = it.topic()
    zero = it.zero_ms
    for times in ((zero + 10, zero + 30, zero + 20), (zero + 40,), (zero + 5,)):
        it.quietly("Produce", 9, **to(topic, batch(*[b"x"] * len(times), timestamps=times)))
    for after in (0, 5, 10, 11, 25, 31, 40, 41):
        _listed(it, 7, in_list(topic, zero + after))


@case("84a", "Within compressed batches too")
def _(it: Stage) -> None:
    topic = it.topic()
    zero = it.zero_ms
    sent = batch(b"a", b"b", b"c", timestamps=(zero, zero + 20, zero + 10), codec=1)
    it.quietly("Produce", 9, **to(topic, sent))
    for after in (0, 1, 20, 21):
        _listed(it, 7, in_list(topic, zero + after))
    _listed(it, 7, in_list(topic, -3))


@case("85", "Without transactions both isolation levels end at the same offset")
def _(it: Stage) -> None:
    topic = it.topic()
    it.quietly("Produce", 9, **to(topic, batch(b"x")))
    for isolation_level in (0, 1):
        _listed(it, 5, in_list(topic, -1), isolation_level=isolation_level)


@case("87", "A partition that is named twice is an invalid request, once")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    twice = [{"partition_index": index, "timestamp": -1} for index in (0, 0, 1)]
    _listed(it, 6, [{"name": topic, "partitions": twice}])
    _listed(it, 6, in_list(topic, -1) + in_list(topic, -2))


@case("87a", "Special times need their version")
def _(it: Stage) -> None:
    topic = it.topic()
    for version, timestamp in ((6, -3), (7, -4), (8, -5), (10, -6), (11, -7), (1, -100)):
        _listed(it, version, in_list(topic, timestamp))
    _listed(it, 7, in_list(it.name("nobody"), -1))
    _listed(it, 7, in_list(topic, -1, 7))


@case("104a", "An epoch ends where the next one begins, and an unknown one nowhere")
def _(it: Stage) -> None:
    topic = it.topic()
    it.quietly("Produce", 9, **to(topic, batch(b"a", b"b")))
    for version in (2, 3, 4):
        for epoch in (0, -1, 1, -5):
            asked: dict[str, Any] = {"partition": 0, "leader_epoch": epoch, "current_leader_epoch": -1}
            more: dict[str, Any] = {"replica_id": -1} if version >= 3 else {}
            it.ask("OffsetForLeaderEpoch", version, topics=[{"topic": topic, "partitions": [asked]}], **more)
    asked = {"partition": 7, "leader_epoch": 0, "current_leader_epoch": -1}
    it.ask("OffsetForLeaderEpoch", 4, replica_id=-1, topics=[{"topic": topic, "partitions": [asked]}])
    asked = {"partition": 0, "leader_epoch": 0, "current_leader_epoch": -1}
    it.ask(
        "OffsetForLeaderEpoch", 4, replica_id=-1, topics=[{"topic": it.name("nobody"), "partitions": [asked]}]
    )
