"""Cases 205-219, 221-223: what random conversations have found, each at its shortest.

They were told to both by `conformance.generated`; what is compared is the whole answer, as everywhere.
"""

from __future__ import annotations

from conformance.cases.batches import GZIP, LOG_APPEND_TIME, TRANSACTIONAL, batch
from conformance.cases.groups import joining
from conformance.cases.produce import at, in_list, to
from conformance.cases.stage import Stage, case


@case("205", "A fetch tells of what does not exist behind the rest")
def _(it: Stage) -> None:
    topic, nobody = it.topic(partitions=2), it.name("nobody")
    asked = [*at(nobody)["topics"], *at(topic, {7: 0, 0: 0, 8: 0})["topics"]]
    it.ask("Fetch", 12, **at(topic) | {"topics": asked})
    it.ask("Fetch", 4, **at(topic) | {"topics": asked})


@case("206", "Who takes less than it waits for does not wait once it has that")
def _(it: Stage) -> None:
    topic = it.topic()
    it.quietly("Produce", 9, **to(topic, batch(b"v", timestamp=it.zero_ms)))
    it.ask("Fetch", 12, **at(topic, max_wait=30_000, max_bytes=1) | {"min_bytes": 10_000})


@case("207", "Where histories part there is no list of aborted transactions")
def _(it: Stage) -> None:
    it.ask("Fetch", 12, **at(it.topic(), 7, part={"last_fetched_epoch": 0}, isolation_level=1))


@case("208", "A transactional batch without the name of a transaction spoils the whole produce")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    both = {0: batch(b"good"), 1: batch(b"bad", attributes=TRANSACTIONAL), 7: batch(b"nowhere")}
    it.ask("Produce", 9, **to(topic, both))


@case("209", "A format that does not exist spoils the whole produce, whatever the topic")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    it.ask("Produce", 9, **to(topic, {0: batch(b"good"), 1: batch(b"bad", magic=3)}))
    it.ask("Produce", 9, **to(it.name("nobody"), batch(b"bad", magic=3)))


@case("210", "A codec that does not exist spoils the whole produce of versions without zstd")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    for version in (6, 7):
        it.ask("Produce", version, **to(topic, {0: batch(b"good"), 1: batch(b"bad", codec=5)}))


@case(
    "211", "A producer that claims LogAppendTime gives all its records one time, once they are recompressed"
)
def _(it: Stage) -> None:
    topic = it.topic(compression_type="gzip")
    for codec in (0, GZIP):
        times = (it.zero_ms + 12, it.zero_ms)
        sent = batch(b"a", b"b", timestamps=times, attributes=LOG_APPEND_TIME, codec=codec)
        it.ask("Produce", 9, **to(topic, sent))
    it.ask("Fetch", 12, **at(topic))


@case("212", "Deleting offsets of partitions that do not exist still looks for the group")
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group()
    parts = [{"partition_index": 7}]
    it.ask("OffsetDelete", 0, group_id=group, topics=[{"name": topic, "partitions": parts}])
    it.ask("OffsetDelete", 0, group_id=group, topics=[])


@case("213", "A handed-out id does not suit a static member, and is not repeated")
def _(it: Stage) -> None:
    line, group = it.line(), it.group()
    given = line.ask("JoinGroup", 5, **joining(group))["member_id"]
    line.ask("JoinGroup", 5, **joining(group, member_id=given, group_instance_id="one"))


@case("214", "Deleting the records that a fetch waits at does not end its wait")
def _(it: Stage) -> None:
    topic, waiting = it.topic(), it.line()
    it.quietly("Produce", 9, **to(topic, batch(b"v", timestamp=it.zero_ms)))
    waiting.send("Fetch", 12, **at(topic, max_wait=1_500) | {"min_bytes": 10_000})
    waiting.expect_nothing("too little is there")
    parts = [{"partition_index": 0, "offset": 1}]
    it.ask("DeleteRecords", 2, topics=[{"name": topic, "partitions": parts}], timeout=5_000)
    waiting.expect_nothing("Fetch waits")
    it.brokers.let_pass(1_500)
    waiting.hear()


@case(
    "215",
    "What a fetch finds missing at first is not looked for again; what goes missing later is told otherwise",
)
def _(it: Stage) -> None:
    topic, gone, line = it.topic(), it.topic("gone"), it.line()
    nobody = it.name("nobody")
    asked = [*at(nobody)["topics"], *at(gone)["topics"]]
    line.send("Fetch", 12, **at(topic, max_wait=20_000) | {"topics": asked})
    line.expect_nothing("there is nothing yet")
    it.quietly("DeleteTopics", 6, timeout=30_000, topics=[{"name": gone, "topic_id": None}])
    line.hear()


@case("216", "A session may begin without partitions, and ends when it has none the next time")
def _(it: Stage) -> None:
    topic, line = it.topic(), it.line()
    session = line.ask("Fetch", 12, **at(topic) | {"topics": [], "session_epoch": 0})["session_id"]
    line.ask("Fetch", 12, **at(topic) | {"topics": [], "session_id": session, "session_epoch": 1})


@case("217", "The first answer gives a session its order")
def _(it: Stage) -> None:
    topic, line = it.topic(partitions=2), it.line()
    it.quietly("Produce", 9, **to(topic, {0: batch(b"v", timestamp=it.zero_ms)}))
    asked = at(topic, {7: 0, 0: 0, 1: 0}) | {"session_epoch": 0}
    session = line.ask("Fetch", 12, **asked)["session_id"]
    it.quietly("Produce", 9, **to(topic, {1: batch(b"w", timestamp=it.zero_ms)}))
    for epoch in (1, 2):
        line.ask("Fetch", 12, **at(topic) | {"topics": [], "session_id": session, "session_epoch": epoch})


@case("218", "No record has the largest time if only a header claims to have it")
def _(it: Stage) -> None:
    topic = it.topic()
    for timestamp in (-5, -1):
        it.quietly("Produce", 9, **to(topic, batch(b"v", timestamp=timestamp)))
        it.ask("ListOffsets", 7, replica_id=-1, topics=in_list(topic, -3, current_leader_epoch=-1))


def _commit(it: Stage, group: str, topic: str, metadata: str = "", generation: int = -1) -> None:
    part = {"partition_index": 0, "committed_offset": 1, "committed_metadata": metadata}
    topics = [{"name": topic, "partitions": [part]}]
    it.ask(
        "OffsetCommit",
        9,
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id="",
        topics=topics,
    )


_TOO_LARGE = "x" * 4097


@case(
    "219",
    "A commit of which nothing can be stored begins a group, which nobody sees before anything is written",
)
def _(it: Stage) -> None:
    # Names of the same hash, so both groups are in one partition of the offsets topic.
    topic, group, neighbour = it.topic(), it.group("Aa"), it.group("BB")
    _commit(it, group, topic, _TOO_LARGE, generation=3)
    _commit(it, group, topic, _TOO_LARGE)
    it.ask("DescribeGroups", 5, groups=[group])
    _commit(it, group, topic, generation=3)
    it.ask("DescribeGroups", 5, groups=[group])
    _commit(it, neighbour, topic)
    it.ask("DescribeGroups", 5, groups=[group])


@case("219a", "Who is not seen can be deleted, and joined")
def _(it: Stage) -> None:
    topic, deleted, joined = it.topic(), it.group("deleted"), it.group("joined")
    _commit(it, deleted, topic, _TOO_LARGE)
    for _ in range(2):
        it.ask("DeleteGroups", 2, groups_names=[deleted])
    _commit(it, joined, topic, _TOO_LARGE)
    it.ask("JoinGroup", 5, **joining(joined))
    it.ask("DescribeGroups", 5, groups=[joined])


@case("221", "A codec that does not exist is found in the first batch, before a second one is")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (6, 7):
        it.ask("Produce", version, **to(topic, batch(b"bad", codec=5) + batch(b"good")))


_LONG_AGO = 1_000_000_000_000


@case("222", "A fetch reads from one segment, and waits for no more of it once there is another")
def _(it: Stage) -> None:
    topic, waiting = it.topic(), it.line()
    it.quietly("Produce", 9, **to(topic, batch(b"old", timestamp=_LONG_AGO)))
    waiting.send("Fetch", 12, **at(topic, max_wait=30_000) | {"min_bytes": 10_000})
    waiting.expect_nothing("too little is there")
    # More than segment.ms later by its own time.
    it.quietly("Produce", 9, **to(topic, batch(b"new", timestamp=it.zero_ms)))
    waiting.hear()
    it.quietly("Produce", 9, **to(topic, batch(b"newer", timestamp=it.zero_ms + 1)))
    for offset in (0, 1):
        it.ask("Fetch", 12, **at(topic, offset))
    it.ask("Fetch", 12, **at(topic, max_wait=30_000) | {"min_bytes": 10_000})


@case("222a", "Records without a time, and older ones, begin no segment")
def _(it: Stage) -> None:
    timeless, backwards = it.topic("timeless"), it.topic("backwards")
    for topic, times in ((timeless, (-1, it.zero_ms)), (backwards, (it.zero_ms, _LONG_AGO, it.zero_ms + 1))):
        for time in times:
            it.quietly("Produce", 9, **to(topic, batch(b"v", timestamp=time)))
        it.ask("Fetch", 12, **at(topic))


@case("222b", "What is deleted at the start of a log moves no segment")
def _(it: Stage) -> None:
    topic = it.topic(segment_ms=60_000)
    for after in (0, 70_000, 71_000):
        it.quietly("Produce", 9, **to(topic, batch(b"v", timestamp=it.zero_ms + after)))
    it.ask("Fetch", 12, **at(topic))
    parts = [{"partition_index": 0, "offset": 1}]
    it.quietly("DeleteRecords", 2, topics=[{"name": topic, "partitions": parts}], timeout=5_000)
    it.ask("Fetch", 12, **at(topic, 1))


@case(
    "223",
    "Of a batch that does not fit there is no list of aborted transactions, and of no room an empty one",
)
def _(it: Stage) -> None:
    full, other = it.topic("full"), it.topic("other")
    for topic in (full, other):
        it.quietly("Produce", 9, **to(topic, batch(b"x" * 150, timestamp=it.zero_ms)))
    for limit, max_bytes in ((1, 1 << 20), (0, 1 << 20), (1 << 20, 300), (1 << 20, 1), (1 << 20, 1 << 20)):
        asked = [*at(full)["topics"], *at(other, partition_max_bytes=limit)["topics"]]
        it.ask("Fetch", 12, **at(full, max_bytes=max_bytes, isolation_level=1) | {"topics": asked})
