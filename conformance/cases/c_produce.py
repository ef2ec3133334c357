"""Cases 29-50: what a broker takes into its logs, what it refuses, and what it says of both.

Behind every refusal the end of the log is asked for, since a refused batch leaves no trace.
"""

from __future__ import annotations

import uuid

from conformance.cases import batches
from conformance.cases.batches import batch
from conformance.cases.brokers import THREE
from conformance.cases.produce import at, end_of, to
from conformance.cases.stage import Stage, case

ONE_RECORD = batch(b"paid")
BROKEN = batch(b"paid", crc=1)


@case("29", "acks=2 is refused on each partition that is otherwise in order")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    for version in (3, 9, 12):
        it.ask("Produce", version, **to(topic, {0: ONE_RECORD, 1: ONE_RECORD}, acks=2))
    it.ask("Produce", 9, **to(it.name("nobody"), ONE_RECORD, acks=2))
    it.ask("Produce", 9, **to(topic, {0: ONE_RECORD * 2, 1: BROKEN}, acks=2))
    end_of(it, topic)


@case("30", "acks=0 is answered with no bytes, and the next request as ever")
def _(it: Stage) -> None:
    topic, line = it.topic(), it.line()
    line.send("Produce", 9, **to(topic, ONE_RECORD, acks=0))
    line.forget()
    line.ask("Metadata", 9, topics=[])
    end_of(it, topic)


@case("31", "acks=0 that fails ends the connection, and what could be appended is in the log")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    for what, fields in (
        ("an unknown topic", to(it.name("nobody"), ONE_RECORD, acks=0)),
        ("a broken batch", to(topic, BROKEN, acks=0)),
        ("one broken of two", to(topic, {0: ONE_RECORD, 1: BROKEN}, acks=0)),
    ):
        line = it.line()
        line.send("Produce", 9, **fields)
        line.forget()
        line.expect_close(what)
    end_of(it, topic)
    end_of(it, topic, 1)


@case("32", "A wrong checksum is a corrupt message, and nothing is appended")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (3, 8, 12):
        it.ask("Produce", version, **to(topic, BROKEN))
    end_of(it, topic)


@case("33", "A batch that claims another base offset than 0 is invalid")
def _(it: Stage) -> None:
    topic = it.topic()
    it.ask("Produce", 9, **to(topic, batch(b"paid", base_offset=5)))
    end_of(it, topic)


@case("34", "The count of records and the last offset delta must agree")
def _(it: Stage) -> None:
    topic = it.topic()
    two = (b"a", b"b")
    for count in (0, -1, 5, 3, 1):
        it.ask("Produce", 9, **to(topic, batch(*two, count=count)))
    for last in (5, -1, 0):
        it.ask("Produce", 9, **to(topic, batch(*two, last_offset_delta=last)))
    for count in (0, 3, 1):
        it.ask("Produce", 9, **to(topic, batch(*two, count=count, codec=batches.GZIP)))
    end_of(it, topic)


@case(
    "34a", "Offset deltas that are not consecutive are taken as they are, and refused in a compressed batch"
)
def _(it: Stage) -> None:
    topic = it.topic()
    for deltas in ((0, 1, 3), (0, 0, 1), (1, 2, 3)):
        for codec in (batches.NONE, batches.GZIP):
            sent = batch(b"a", b"b", b"c", deltas=deltas, last_offset_delta=2, codec=codec)
            it.ask("Produce", 9, **to(topic, sent))
    end_of(it, topic)
    it.ask("Fetch", 12, **at(topic))


@case("35", "Clients do not write control batches")
def _(it: Stage) -> None:
    topic = it.topic()
    it.ask("Produce", 9, **to(topic, batch(b"paid", attributes=batches.CONTROL)))
    it.ask("Produce", 9, **to(topic, batch(b"paid", attributes=batches.CONTROL, producer=(7777, 0, 0))))
    both = batches.CONTROL | batches.TRANSACTIONAL
    it.ask("Produce", 9, **to(topic, batch(b"paid", attributes=both, producer=(7777, 0, 0))))
    end_of(it, topic)


@case("36", "A partition takes one whole batch; half a second one behind it is ignored")
def _(it: Stage) -> None:
    topic = it.topic()
    for records in (
        ONE_RECORD * 2,
        b"",
        b"ten bytes.",
        ONE_RECORD[:-1],
        batch(b"paid", length=500),
        batch(b"paid", length=10),
        batch(b"paid", length=-1),
        ONE_RECORD + ONE_RECORD[:30],
        ONE_RECORD + bytes(5),
        ONE_RECORD + bytes(12),
    ):
        it.ask("Produce", 9, **to(topic, records))
    end_of(it, topic)


@case("36a", "Null records")
def _(it: Stage) -> None:
    line = it.line()
    line.send("Produce", 9, **to(it.topic(), None))
    line.expect_nothing("null records", seconds=1.0)


@case("37", "Message formats before the present one are invalid, and later ones corrupt")
def _(it: Stage) -> None:
    topic = it.topic()
    for records in (
        batches.legacy(b"paid", 0),
        batches.legacy(b"paid", 1),
        batch(b"paid", magic=0),
        batch(b"paid", magic=1),
        batch(b"paid", magic=3),
        batch(b"paid", magic=-1),
    ):
        it.ask("Produce", 9, **to(topic, records))
    end_of(it, topic)


@case("38", "A batch may be as large as max.message.bytes and no larger, by its compressed size")
def _(it: Stage) -> None:
    topic = it.topic(max_message_bytes=200)
    room = 200 - len(batch(b"")) - 2  # a longer value has a longer length twice
    for size in (room - 1, room, room + 1):
        sent = batch(b"x" * size)
        it.tell("bytes sent", len(sent))
        it.ask("Produce", 9, **to(topic, sent))
    it.ask("Produce", 9, **to(topic, batch(b"x" * 1000, codec=batches.GZIP)))
    end_of(it, topic)


@case("39", "zstd needs version 7")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (3, 6, 7, 9):
        it.ask("Produce", version, **to(topic, batch(b"paid", codec=batches.ZSTD)))
    end_of(it, topic)


@case("39a", "Codecs that nobody knows, and what does not decompress, are an unknown server error")
def _(it: Stage) -> None:
    topic = it.topic()
    for codec in (5, 6, 7):
        it.ask("Produce", 9, **to(topic, batch(b"paid", attributes=codec)))
    for codec in (batches.GZIP, batches.SNAPPY, batches.LZ4, batches.ZSTD):
        it.ask("Produce", 9, **to(topic, batch(b"paid", codec=codec, body=b"no such thing")))
    end_of(it, topic)


@case("39b", "LZ4 blocks that hang on each other do not decompress")
def _(it: Stage) -> None:
    topic = it.topic()
    linked = batches.framed_lz4(batch(b"paid")[61:], linked=True)
    it.ask("Produce", 9, **to(topic, batch(b"paid", codec=batches.LZ4, body=linked)))


@case("40", "A compacted topic needs keys, and is told which records have none")
def _(it: Stage) -> None:
    topic = it.topic(cleanup_policy="compact")
    mixed = ((b"k", b"1"), (None, b"2"), (b"k", b"3"), (None, b"4"))
    for version in (7, 8, 9):
        it.ask("Produce", version, **to(topic, batch(*mixed)))
    it.ask("Produce", 9, **to(topic, batch(*mixed, codec=batches.GZIP)))
    it.ask("Produce", 9, **to(topic, batch(*[b"no key"] * 6)))
    it.ask("Produce", 9, **to(topic, batch((b"k", b"1"), (b"", b"2"))))
    end_of(it, topic)


@case("41", "Times too far from the broker's are invalid, and it says which; no time at all is fine")
def _(it: Stage) -> None:
    topic = it.topic(message_timestamp_after_max_ms=3_600_000, message_timestamp_before_max_ms=7_200_000)
    soon, late = it.zero_ms + 20_000_000, it.zero_ms - 90_000_000
    for version in (7, 9):
        it.ask("Produce", version, **to(topic, batch(b"a", b"b", timestamps=(it.zero_ms, soon))))
    it.ask("Produce", 9, **to(topic, batch(b"a", b"b", timestamps=(late, late))))
    it.ask("Produce", 9, **to(topic, batch(b"a", b"b", timestamps=(soon, soon), codec=batches.GZIP)))
    for fine in (-1, it.zero_ms):
        it.ask("Produce", 9, **to(topic, batch(b"a", timestamp=fine)))
    end_of(it, topic)


@case("41a", "Of null keys and bad times in one batch both are listed, as bad times")
def _(it: Stage) -> None:
    topic = it.topic(cleanup_policy="compact", message_timestamp_after_max_ms=3_600_000)
    soon = it.zero_ms + 20_000_000
    sent = batch((None, b"a"), (b"k", b"b"), (None, b"c"), timestamps=(it.zero_ms, soon, soon))
    it.ask("Produce", 9, **to(topic, sent))


@case("41b", "A wrong largest time in the header is corrected, checksum and all")
def _(it: Stage) -> None:
    topic = it.topic()
    sent = batch(b"a", b"b", timestamps=(it.zero_ms, it.zero_ms + 9), max_timestamp=it.zero_ms + 5_000)
    it.ask("Produce", 9, **to(topic, sent))
    for fine in (0, -5):
        it.ask("Produce", 9, **to(topic, batch(b"a", timestamp=fine)))
    it.ask("Fetch", 12, **at(topic))


@case("42", "On a topic of append times the broker's clock is what is answered, stored and found")
def _(it: Stage) -> None:
    topic = it.topic(message_timestamp_type="LogAppendTime")
    it.ask("Produce", 9, **to(topic, batch(b"a", b"b", timestamps=(it.zero_ms, it.zero_ms + 9))))
    it.ask("Produce", 9, **to(topic, batch(b"a", timestamp=it.zero_ms, codec=batches.GZIP)))
    it.ask("Fetch", 12, **at(topic))
    it.ask("Produce", 9, **to(topic, batch(b"a", attributes=batches.LOG_APPEND_TIME)))


@case("42a", "A client's mark of append time is taken off where the topic's times are the clients'")
def _(it: Stage) -> None:
    topic = it.topic()
    marked = batches.LOG_APPEND_TIME
    it.ask("Produce", 9, **to(topic, batch(b"a", timestamp=it.zero_ms, attributes=marked)))
    it.ask("Produce", 9, **to(topic, batch(b"a", attributes=marked)))
    it.ask("Fetch", 12, **at(topic))


@case("43", "Offsets follow each other, the leader's epoch is stamped, the checksum stays right")
def _(it: Stage) -> None:
    topic = it.topic()
    for values in ((b"a",), (b"b", b"c", b"d"), (b"e",)):
        it.ask("Produce", 9, **to(topic, batch(*values, leader_epoch=99, timestamp=it.zero_ms)))
    it.ask("Fetch", 12, **at(topic))


@case("44", "A topic may ask for a codec of its own")
def _(it: Stage) -> None:
    for wanted in ("gzip", "uncompressed", "zstd"):
        topic = it.topic(f"as-{wanted}", compression_type=wanted)
        it.ask("Produce", 9, **to(topic, batch(b"a", b"b", codec=batches.LZ4, timestamp=it.zero_ms)))
        for version in (4, 12):
            it.ask("Fetch", version, **at(topic))


@case("47", "Every codec is stored as it was sent, snappy in both of its framings")
def _(it: Stage) -> None:
    topic = it.topic()
    plain = batch(b"a", b"b")[61:]
    raw = batches.compress(batches.SNAPPY, plain, xerial=False)
    for codec in (batches.GZIP, batches.SNAPPY, batches.LZ4, batches.ZSTD):
        it.ask("Produce", 9, **to(topic, batch(b"a", b"b", codec=codec)))
    it.ask("Produce", 9, **to(topic, batch(b"a", b"b", codec=batches.SNAPPY, body=raw)))
    it.ask("Fetch", 12, **at(topic))


@case("47a", "A topic with a codec of its own can read all others")
def _(it: Stage) -> None:
    topic = it.topic(compression_type="gzip")
    raw = batches.compress(batches.SNAPPY, batch(b"a", b"b")[61:], xerial=False)
    for codec in (batches.NONE, batches.GZIP, batches.SNAPPY, batches.LZ4, batches.ZSTD):
        it.ask("Produce", 9, **to(topic, batch(b"a", b"b", codec=codec)))
    it.ask("Produce", 9, **to(topic, batch(b"a", b"b", codec=batches.SNAPPY, body=raw)))
    it.ask("Fetch", 12, **at(topic))


@case("48", "An unknown topic or partition is no hindrance to the others of the request")
def _(it: Stage) -> None:
    topic = it.topic()
    for name in (it.name("nobody"), "", "a b"):
        it.ask("Produce", 9, **to(name, ONE_RECORD))
    it.ask("Produce", 9, **to(topic, {-1: ONE_RECORD, 0: ONE_RECORD, 7: ONE_RECORD}))
    it.ask("Produce", 9, acks=1, timeout=1_000, topic_data=[])
    end_of(it, topic)


@case("48a", "By id an unknown topic is an unknown id")
def _(it: Stage) -> None:
    topic = it.topic()
    it.ask("Produce", 13, **to(it.id_of(topic), ONE_RECORD))
    for nobody in (uuid.UUID(int=77), uuid.UUID(int=0)):
        it.ask("Produce", 13, **to(nobody, ONE_RECORD))


@case("48b", "A partition that is named twice is answered once, for its last batch")
def _(it: Stage) -> None:
    topic = it.topic()
    parts = [{"index": 0, "records": batch(value)} for value in (b"first", b"second")]
    it.ask("Produce", 9, acks=1, timeout=1_000, topic_data=[{"name": topic, "partition_data": parts}])
    it.ask("Fetch", 12, **at(topic))


@case("49", "Clients do not write to internal topics, but for the one that says it is the admin")
def _(it: Stage) -> None:
    it.group()  # makes the topic
    it.ask("Produce", 9, **to("__consumer_offsets", ONE_RECORD))
    it.ask("Produce", 9, **to("__consumer_offsets", BROKEN, acks=2))
    it.ask("Produce", 9, **to("__cluster_metadata", ONE_RECORD))
    admin = it.line(client_id="__admin_client")
    admin.ask("Produce", 9, **to("__consumer_offsets", ONE_RECORD))
    # The removal of a group that there is not; where it lies hangs on what other cases have written.
    written = admin.quietly("Produce", 9, **to("__consumer_offsets", batch((b"\0\2\0\6nobody", None))))
    it.tell("what becomes of it", written["responses"][0]["partition_responses"][0]["error_code"])
    admin.ask("Produce", 9, **to("__cluster_metadata", ONE_RECORD))


@case("50", "Who does not lead says who does, from version 10 on", on=THREE)
def _(it: Stage) -> None:
    topic = it.topic(on={0: [2, 1], 1: [2, 3]})
    for version in (9, 10, 12):
        it.ask("Produce", version, node=1, **to(topic, {0: ONE_RECORD, 1: ONE_RECORD}))
    it.ask("Produce", 13, node=1, **to(it.id_of(topic), {0: ONE_RECORD, 1: ONE_RECORD}))
    line = it.line(1)
    line.send("Produce", 9, **to(topic, ONE_RECORD, acks=0))
    line.forget()
    line.expect_close("acks=0")
    end_of(it, topic, node=2)
