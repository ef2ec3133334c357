"""Cases 185-188 and 203: topics made, grown, emptied and deleted, and the cluster described."""

from __future__ import annotations

import uuid
from typing import Any

from conformance.cases.batches import batch
from conformance.cases.brokers import THREE
from conformance.cases.produce import at, end_of, to
from conformance.cases.stage import Stage, case


def _new(name: str, partitions: int = 1, replication: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "num_partitions": partitions, "replication_factor": replication, **more}


def _create(it: Stage, *topics: dict[str, Any], version: int = 7, **more: Any) -> None:
    it.ask("CreateTopics", version, topics=list(topics), timeout=10_000, **more)


@case("185", "A topic is made once, with a name, a size and settings that it may have")
def _(it: Stage) -> None:
    topic = it.topic()
    _create(it, _new(topic))
    twice = it.name("twice")
    _create(it, _new(twice), _new(twice), _new(it.name("fine")))
    for name in (".", "..", "", "a b", "x" * 250, "__cluster_metadata"):
        _create(it, _new(name))
    for partitions, replication in ((0, 1), (-2, 1), (1, 0), (1, 2), (1, -2)):
        _create(it, _new(it.name("odd"), partitions, replication))
    dotted = it.topic("a.b")
    it.call(dotted.replace(".", "_"), "a_b")
    _create(it, _new(dotted.replace(".", "_")))


@case("185a", "Settings of a new topic are judged")
def _(it: Stage) -> None:
    for key, value in (
        ("no.such.thing", "1"),
        ("retention.ms", "soon"),
        ("cleanup.policy", "burn"),
        ("retention.ms", None),
    ):
        _create(it, _new(it.name("odd"), configs=[{"name": key, "value": value}]))


@case("185b", "Replicas may be placed by hand, all of them and rightly", on=THREE)
def _(it: Stage) -> None:
    odd: tuple[dict[int, list[int]], ...] = (
        {0: [1, 2], 1: [2, 3]},
        {0: [1, 2], 1: [3]},
        {0: [1, 1]},
        {0: [1, 9]},
        {0: []},
        {1: [1]},
        {0: [-1]},
    )
    for assigned in odd:
        given = [{"partition_index": index, "broker_ids": ids} for index, ids in assigned.items()]
        _create(it, _new(it.name("placed"), -1, -1, assignments=given))
    given = [{"partition_index": 0, "broker_ids": [1]}]
    _create(it, _new(it.name("placed"), 1, 1, assignments=given))
    _create(it, _new(it.name("placed"), 1, 4))


@case("185c", "What is only validated is not made")
def _(it: Stage) -> None:
    name = it.name("maybe")
    _create(it, _new(name, 3), validate_only=True)
    it.brokers.let_pass(300)
    it.tell("it is there", it.is_known(name))
    _create(it, _new(it.topic(), 3), validate_only=True)


@case("185d", "Every version of CreateTopics in its own form, and the broker's defaults")
def _(it: Stage) -> None:
    for version in range(2, 8):
        _create(it, _new(it.name(f"v{version}")), version=version)
        _create(it, _new(it.name(f"default-{version}"), -1, -1), version=version)


@case("186", "Partitions are only ever added")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)

    def grow(count: int, name: str = topic, *, assigned: list[list[int]] | None = None, **more: Any) -> None:
        given = None if assigned is None else [{"broker_ids": ids} for ids in assigned]
        asked = [{"name": name, "count": count, "assignments": given}]
        it.ask("CreatePartitions", 3, topics=asked, timeout=10_000, **more)

    for count in (1, 2, 0, -1):
        grow(count)
    grow(3, it.name("nobody"))
    grow(3, validate_only=True)
    odd: tuple[list[list[int]], ...] = ([], [[1], [1]], [[9]], [[1, 1]], [[]])
    for assigned in odd:
        grow(3, assigned=assigned)
    grow(3)
    it.until(lambda: it.is_led(topic, 3), "there are three")
    grow(5, assigned=[[1], [1]])
    asked = [{"name": topic, "count": 7, "assignments": None}] * 2
    it.ask("CreatePartitions", 3, topics=asked, timeout=10_000)


@case("187", "A topic is deleted by name or by id, and its offsets go with it")
def _(it: Stage) -> None:
    topic, other, group = it.topic(), it.topic("other"), it.group()
    parts = [{"partition_index": 0, "committed_offset": 7}]
    who: dict[str, Any] = {"group_id": group, "generation_id_or_member_epoch": -1, "member_id": ""}
    it.quietly("OffsetCommit", 7, **who, topics=[{"name": topic, "partitions": parts}])
    id, other_id = it.id_of(topic), it.id_of(other)
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": topic, "topic_id": None}])
    it.until(lambda: not it.is_known(topic), "it is gone")
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": topic, "topic_id": None}])
    it.ask("Fetch", 12, **at(topic))
    it.ask("Fetch", 16, **at(id))
    it.ask("Produce", 9, **to(topic, batch(b"x")))
    it.until(
        lambda: not it.quietly("OffsetFetch", 7, group_id=group, topics=None)["topics"],
        "its offsets are gone",
    )
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": None, "topic_id": other_id}])
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": None, "topic_id": uuid.UUID(int=77)}])


@case("187a", "Deletions that cannot be meant")
def _(it: Stage) -> None:
    topic = it.topic()
    id = it.id_of(topic)
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": topic, "topic_id": id}])
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": None, "topic_id": None}])
    it.ask("DeleteTopics", 6, timeout=10_000, topics=[{"name": topic, "topic_id": None}] * 2)
    for version in (1, 3, 4, 5):
        it.ask(
            "DeleteTopics", version, timeout=10_000, topic_names=[it.topic(f"v{version}"), it.name("nobody")]
        )


@case("188", "Records are deleted up to an offset that there is")
def _(it: Stage) -> None:
    topic, compacted = it.topic(), it.topic("compacted", cleanup_policy="compact")
    for value in (b"a", b"b", b"c", b"d"):
        it.quietly("Produce", 9, **to(topic, batch(value)))

    def delete(offset: int, name: str = topic, index: int = 0, version: int = 2) -> None:
        parts = [{"partition_index": index, "offset": offset}]
        it.ask("DeleteRecords", version, topics=[{"name": name, "partitions": parts}], timeout=5_000)

    for offset in (5, -2, 2, 1):
        delete(offset)
    for version in (0, 1):
        delete(3, version=version)
    delete(-1)
    delete(0, compacted)
    delete(0, it.name("nobody"))
    delete(0, index=7)
    it.group()  # makes the topic
    delete(0, "__consumer_offsets")
    end_of(it, topic)
    it.ask("Fetch", 12, **at(topic, 3))


@case("203", "The cluster is described to clients, and its controllers only to those who ask one")
def _(it: Stage) -> None:
    for version in range(3):
        it.ask("DescribeCluster", version)
        it.ask("DescribeCluster", version, include_cluster_authorized_operations=True)
    for kind in (2, 7):
        it.ask("DescribeCluster", 1, endpoint_type=kind)
