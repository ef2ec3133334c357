"""Cases 205-214: what random conversations have found, each at its shortest.

They were told to both by `conformance.generated`; what is compared is the whole answer, as everywhere.
"""

from __future__ import annotations

from conformance.cases.batches import GZIP, LOG_APPEND_TIME, TRANSACTIONAL, batch
from conformance.cases.groups import joining
from conformance.cases.produce import at, to
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
