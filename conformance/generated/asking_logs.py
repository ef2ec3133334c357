"""Steps about logs: write, right or wrong, once or again; read, with sessions and long polls; look around."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.cases import batches
from conformance.generated.conversation import PARTITIONS, Known, Name, Records, Several, Step, Time, TopicId

# Longer than any conversation, so that a wait ends by what another line does, or not at all.
LONG_MS = 60_000

LINES = st.sampled_from(("line_0", "line_0", "line_1", "line_2"))
TOPICS = st.sampled_from(("t0", "t1", "t0", "t1", "t0", "t1", "t0", "t1", "t0", "nobody"))
INDEXES = st.sampled_from((0, 0, 0, 0, 0, 0, 0, 1, 1, PARTITIONS))
OFFSETS = st.sampled_from((0, 0, 0, 1, 2, 3, 4, 7, -1))
# Few, so that some are the same.
SMALL = st.sampled_from((0, 10, 10, 20, 30))
VALUES = st.sampled_from((b"a", b"b", b"", None, (b"k", b"v"), (b"k", None), (b"l", b"w"), b"x" * 150))


def phrases() -> st.SearchStrategy[list[Step]]:
    """Any of them, by how often they are worth asking."""
    return st.one_of(
        *[_produces()] * 4,
        *[_counted_produces()] * 4,
        *[_fetches()] * 3,
        *[_session_fetches()] * 3,
        *[_lists()] * 3,
        _long_polls(),
        _epochs(),
        _deletes_records(),
        _producer_ids(),
        _metadata(),
        _topic_changes(),
    )


def _alone(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    return steps.map(lambda step: [step])


def _to(records: dict[str, dict[int, Any]], acks: int) -> dict[str, Any]:
    """A Produce of these records, by topic and partition."""
    data = [
        {
            "name": Name(topic),
            "topic_id": TopicId(topic),
            "partition_data": [{"index": index, "records": given} for index, given in parts.items()],
        }
        for topic, parts in records.items()
    ]
    return {"acks": acks, "timeout": LONG_MS, "transactional_id": None, "topic_data": data}


# What can be wrong with a batch, beside nothing.  Null records are never answered by Kafka.
_FLAWS: list[dict[str, Any]] = [
    *[{}] * 24,
    {"crc": 1},
    {"magic": 1},
    {"magic": 3},
    {"count": 7},
    {"count": 0},
    {"last_offset_delta": 9},
    {"last_offset_delta": -1},
    {"attributes": batches.TRANSACTIONAL},
    {"attributes": batches.CONTROL},
    {"attributes": batches.LOG_APPEND_TIME},
    {"base_offset": 3},
    {"leader_epoch": 5},
    {"max_timestamp": Time(90)},
    {"codec": 5},
    {"body": b""},
    {"body": b"\1\2\3"},
    {"timestamp": -5},
    {"timestamp": 1_000_000_000_000},
    {"timestamp": 9_000_000_000_000},
]


@st.composite
def _batches(draw: st.DrawFn, /, **producer: Any) -> Records:
    values = tuple(draw(st.lists(VALUES, min_size=1, max_size=3)))
    more: dict[str, Any] = {"timestamps": [Time(draw(SMALL)) for _ in values]}
    more["codec"] = draw(st.sampled_from((0, 0, 0, 1, 2, 3, 4)))
    flaw = draw(st.sampled_from(_FLAWS))
    if "timestamp" in flaw:
        del more["timestamps"]
    if "body" in flaw:
        more["codec"] = 0
    return Records(values, more | producer | flaw)


@st.composite
def _produces(draw: st.DrawFn) -> list[Step]:
    acks = draw(st.sampled_from((-1, -1, -1, 1, 1, 0, 2)))
    topics = draw(st.lists(TOPICS, min_size=1, max_size=draw(st.sampled_from((1, 1, 2))), unique=True))
    records = {topic: draw(_records()) for topic in topics}
    version = draw(st.integers(3, 13))
    steps = [Step(draw(LINES), "Produce", version, _to(records, acks), silent=acks == 0)]
    # What has been written is looked at now and then.
    return steps + draw(st.sampled_from(([], [], _look_at(topics[0]))))


@st.composite
def _records(draw: st.DrawFn) -> dict[int, Records | Several]:
    """Records for partitions of a topic: a batch each, as it must be, or now and then one more."""
    found: dict[int, Records | Several] = {}
    for index in draw(st.lists(INDEXES, min_size=1, max_size=3, unique=True)):
        several = tuple(draw(_batches()) for _ in range(draw(st.sampled_from((1,) * 11 + (2,)))))
        found[index] = several[0] if len(several) == 1 else Several(several)
    return found


def _look_at(topic: str) -> list[Step]:
    """Read it all, and ask for the newest record."""
    part = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20}
    fetched: dict[str, Any] = {"max_wait": 0, "min_bytes": 1, "max_bytes": 1 << 20}
    fetched["topics"] = [{"topic": Name(topic), "partitions": [part | {"current_leader_epoch": -1}]}]
    newest = {"partition_index": 0, "timestamp": -3, "current_leader_epoch": -1}
    listed = {"replica_id": -1, "topics": [{"name": Name(topic), "partitions": [newest]}]}
    return [
        Step("line_0", "Fetch", 12, {"replica_id": -1, "session_epoch": -1} | fetched),
        Step("line_0", "ListOffsets", 7, listed),
    ]


@st.composite
def _counted_produces(draw: st.DrawFn) -> list[Step]:
    """Batches of an idempotent producer: the next one, or one before it, or one too far."""
    producer, topic, index = draw(st.sampled_from(("p0", "p0", "p1"))), draw(TOPICS), draw(INDEXES)
    producer_id = Known(f"{producer}.id", 7_000 if producer == "p0" else 7_001)
    line, version, steps = draw(LINES), draw(st.integers(3, 13)), []
    for _ in range(draw(st.integers(1, 4))):
        epoch = draw(st.sampled_from((0, 0, 0, 0, 0, 0, 1)))
        key = f"{producer}.{epoch}.{topic}.{index}"
        sequence = Known(key, 0, draw(st.sampled_from((0, 0, 0, 0, -1, -1, -2, -3, 1, 2))))
        if draw(st.integers(0, 9)) == 0:
            records = draw(_batches(producer=(producer_id, epoch, sequence)))
        else:
            values = tuple(draw(st.lists(VALUES, min_size=1, max_size=draw(st.sampled_from((1, 1, 2))))))
            more = {"producer": (producer_id, epoch, sequence), "timestamp": Time(draw(SMALL))}
            records = Records(values, more)
        fields = _to({topic: {index: records}}, draw(st.sampled_from((-1, -1, -1, 1))))
        counts = (sequence, len(records.values))
        steps.append(Step(line, "Produce", version, fields, counts=counts))
    return steps


@st.composite
def _asked_of(draw: st.DrawFn, topic: str) -> dict[str, Any]:
    """One topic of a Fetch."""
    parts = [
        {
            "partition": index,
            "fetch_offset": draw(OFFSETS),
            "partition_max_bytes": draw(st.sampled_from((1 << 20, 1 << 20, 1 << 20, 1, 100, 0))),
            "current_leader_epoch": draw(st.sampled_from((-1, -1, -1, -1, -1, 0, 0, 1))),
            "last_fetched_epoch": draw(st.sampled_from((-1, -1, -1, -1, -1, -1, -1, 0, 0, 1))),
        }
        for index in draw(st.lists(INDEXES, min_size=1, max_size=2, unique=True))
    ]
    return {"topic": Name(topic), "topic_id": TopicId(topic), "partitions": parts}


@st.composite
def _fetched(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(TOPICS, min_size=1, max_size=2, unique=True))
    return {
        "replica_id": -1,
        "max_wait": 0,
        "min_bytes": draw(st.sampled_from((1, 1, 0, 100))),
        "max_bytes": draw(st.sampled_from((1 << 20, 1 << 20, 1, 300))),
        "isolation_level": draw(st.sampled_from((0, 0, 1))),
        "session_epoch": -1,
        "topics": [draw(_asked_of(name)) for name in names],
    }


@st.composite
def _fetches(draw: st.DrawFn) -> list[Step]:
    return [Step(draw(LINES), "Fetch", draw(st.integers(4, 17)), draw(_fetched()))]


@st.composite
def _session_fetches(draw: st.DrawFn) -> list[Step]:
    """A session from its beginning: partitions are added, asked for again and forgotten, and records come."""
    line, version = draw(LINES), draw(st.sampled_from((7, 11, 12, 13, 16, 17)))
    session = Known("session", 0)
    given = draw(_fetched()) | {"session_epoch": 0}
    steps = [Step(line, "Fetch", version, given, learns={"session": ("session_id",)})]
    # Nobody counts on the way; a wrong one is refused, and the next one is right again.
    for epoch in range(1, draw(st.integers(2, 5))):
        fields = draw(_fetched())
        act = draw(st.sampled_from(("same", "same", "change", "forget", "produce", "wrong")))
        if act != "change":
            fields["topics"] = []
        if act == "produce":
            steps += draw(_produces())
        if act == "forget":
            gone = draw(st.sampled_from(("t0", "t1")))
            fields["forgotten_topics_data"] = [
                {"topic": Name(gone), "topic_id": TopicId(gone), "partitions": [0, 1]}
            ]
        fields |= {"session_id": session, "session_epoch": epoch}
        if act == "wrong":
            wrong = fields | {"session_epoch": draw(st.sampled_from((epoch + 1, epoch - 1, -1)))}
            steps.append(Step(line, "Fetch", version, wrong))
        steps.append(Step(line, "Fetch", draw(st.sampled_from((version,) * 9 + (12,))), fields))
    return steps


@st.composite
def _long_polls(draw: st.DrawFn) -> list[Step]:
    """A fetch that waits, if there is nothing yet; it is on a line that waits for nothing else."""
    fields = draw(_fetched()) | {
        "max_wait": LONG_MS,
        "min_bytes": draw(st.sampled_from((1, 1, 150))),
    }
    return [Step("poll", "Fetch", draw(st.integers(4, 17)), fields)]


@st.composite
def _lists(draw: st.DrawFn) -> list[Step]:
    timestamps = st.one_of(
        st.sampled_from((-1, -1, -2, -2, -3, -3, -4, -5, -6, -9)), st.builds(Time, SMALL), st.just(0)
    )
    parts = [
        {"partition_index": index, "timestamp": draw(timestamps), "current_leader_epoch": draw(_EPOCHS)}
        for index in draw(st.lists(INDEXES, min_size=1, max_size=2))
    ]
    topics = [{"name": Name(draw(TOPICS)), "partitions": parts}]
    fields = {"replica_id": -1, "isolation_level": draw(st.sampled_from((0, 0, 1))), "topics": topics}
    return [Step(draw(LINES), "ListOffsets", draw(st.integers(1, 11)), fields)]


_EPOCHS = st.sampled_from((-1, -1, -1, 0, 1))


@st.composite
def _epochs(draw: st.DrawFn) -> list[Step]:
    part = {"partition": draw(INDEXES), "current_leader_epoch": draw(_EPOCHS), "leader_epoch": draw(_EPOCHS)}
    topics = [{"topic": Name(draw(TOPICS)), "partitions": [part]}]
    version = draw(st.integers(2, 4))
    return [Step(draw(LINES), "OffsetForLeaderEpoch", version, {"replica_id": -1, "topics": topics})]


@st.composite
def _deletes_records(draw: st.DrawFn) -> list[Step]:
    parts = [{"partition_index": draw(INDEXES), "offset": draw(st.sampled_from((1, 2, 3, 0, -1, 9)))}]
    fields = {"topics": [{"name": Name(draw(TOPICS)), "partitions": parts}], "timeout": LONG_MS}
    return [Step(draw(LINES), "DeleteRecords", draw(st.integers(0, 2)), fields)]


@st.composite
def _producer_ids(draw: st.DrawFn) -> list[Step]:
    producer = draw(st.sampled_from(("p0", "p1")))
    given = draw(st.sampled_from(((-1, -1), (-1, -1), (-1, -1), (7, 0), (-1, 0))))
    fields = {
        "transactional_id": None,
        "transaction_timeout": LONG_MS,
        "producer_id": given[0],
        "producer_epoch": given[1],
    }
    learns = {f"{producer}.id": ("producer_id",)}
    return [Step(draw(LINES), "InitProducerId", draw(st.integers(0, 5)), fields, learns=learns)]


@st.composite
def _metadata(draw: st.DrawFn) -> list[Step]:
    version, topic = draw(st.integers(0, 13)), draw(TOPICS)
    by_id = version >= 12 and draw(st.booleans())
    named = {"name": None, "topic_id": TopicId(topic)} if by_id else {"name": Name(topic), "topic_id": None}
    fields = {"topics": [named], "allow_auto_topic_creation": False}
    return [Step(draw(LINES), "Metadata", version, fields)]


@st.composite
def _topic_changes(draw: st.DrawFn) -> list[Step]:
    name, act = draw(st.sampled_from(("t0", "t1", "t2", "t2"))), draw(st.sampled_from(_CHANGES))
    only_asks = draw(st.sampled_from((False, False, True)))
    fields: dict[str, Any] = {"timeout": LONG_MS, "validate_only": only_asks}
    if act == "CreateTopics":
        config = draw(st.sampled_from(([], [], [{"name": "retention.ms", "value": "x"}])))
        topic = {"num_partitions": draw(st.sampled_from((2, 2, 0, -1))), "replication_factor": 1}
        topics = [{"name": Name(name), "configs": config} | topic]
        return [Step(draw(LINES), act, draw(st.integers(2, 7)), fields | {"topics": topics})]
    if act == "CreatePartitions":
        topics = [{"name": Name(name), "count": draw(st.sampled_from((1, 2, 3, 3))), "assignments": None}]
        return [Step(draw(LINES), act, draw(st.integers(0, 3)), fields | {"topics": topics})]
    fields |= {"topics": [{"name": Name(name), "topic_id": None}], "topic_names": [Name(name)]}
    return [Step(draw(LINES), act, draw(st.integers(1, 6)), fields)]


_CHANGES = ("CreateTopics", "CreateTopics", "CreatePartitions", "DeleteTopics")
