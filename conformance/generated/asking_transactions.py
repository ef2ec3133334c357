"""Steps about transactions: two ids, of either protocol, that begin, write, commit offsets and end; and look around.

Each id has a line of its own.  A step knows its producer id and epoch as the last answer gave them, now and then one
off; whoever asks for the id anew, which is what a second producer does, shuts the first one out.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.cases.batches import TRANSACTIONAL
from conformance.generated.conversation import PARTITIONS, Known, Name, Next, Records, Step, Time, TopicId

# No transaction times out within a conversation.
TIMEOUT_MS = 60_000
# From this version on a Produce adds its partitions itself, and an EndTxn gives the next epoch (KIP-890).
PRODUCE_ADDS, END_BUMPS = 12, 5

PAYER = st.sampled_from(("x0", "x0", "x0", "x1"))
TOPICS = st.sampled_from(("t0",) * 12 + ("t1",) * 3 + ("nobody",))
INDEXES = st.sampled_from((0,) * 16 + (1, 1, PARTITIONS))
GROUP = st.sampled_from(("g0", "g0", "g1"))
# Mostly right.
PLUS = st.sampled_from((0,) * 12 + (1, -1))


def phrases() -> st.SearchStrategy[list[Step]]:
    """Any of them, by how often they are worth asking."""
    return st.one_of(
        *[_wholes()] * 4,
        *[_begins()] * 2,
        *[_adds()] * 2,
        *[_writes()] * 3,
        _adds_offsets(),
        *[_keeps()] * 2,
        *[_ends()] * 3,
        *[_reads()] * 3,
        *[_tells()] * 2,
        _finds(),
    )


@st.composite
def beginnings(draw: st.DrawFn) -> list[Step]:
    """What most conversations about transactions begin with, for little else is answered without it."""
    payers = draw(st.sampled_from((("x0",), ("x0",), ("x0",), ("x0", "x1"), ())))
    return [_begin(payer, draw(st.integers(0, 5))) for payer in payers]


def _who(payer: str, plus: int = 0) -> dict[str, Any]:
    return {
        "transactional_id": Name(payer),
        "producer_id": Known(f"{payer}.id", 8_000),
        "producer_epoch": Known(f"{payer}.epoch", 0, plus),
    }


_LEARNS = {"id": ("producer_id",), "epoch": ("producer_epoch",)}


def _learns(payer: str) -> dict[str, tuple[str, ...]]:
    return {f"{payer}.{what}": path for what, path in _LEARNS.items()}


def _begin(payer: str, version: int, **more: Any) -> Step:
    fields = {
        "transactional_id": Name(payer),
        "transaction_timeout": TIMEOUT_MS,
        "producer_id": -1,
        "producer_epoch": -1,
    }
    return Step(payer, "InitProducerId", version, fields | more, learns=_learns(payer))


@st.composite
def _begins(draw: st.DrawFn) -> list[Step]:
    payer, version = draw(PAYER), draw(st.integers(0, 5))
    more: dict[str, Any] = {}
    if version >= 3 and draw(st.integers(0, 2)) == 0:
        # KIP-360: a producer that goes on after an error names itself.
        more = _who(payer, draw(PLUS))
    if draw(st.integers(0, 9)) == 0:
        more["transaction_timeout"] = draw(st.sampled_from((0, -1, 900_000, 900_001)))
    if draw(st.integers(0, 19)) == 0:
        more["transactional_id"] = ""
    # An open transaction is aborted first, and whoever asks has to come again.
    return [_begin(payer, version, **more)] * draw(st.sampled_from((1, 1, 2)))


def _add(payer: str, version: int, parts: dict[str, list[int]], plus: int = 0) -> Step:
    topics = [{"name": Name(topic), "partitions": indexes} for topic, indexes in parts.items()]
    fields = {f"v3_and_below_{name}": value for name, value in _who(payer, plus).items()}
    return Step(payer, "AddPartitionsToTxn", version, fields | {"v3_and_below_topics": topics})


@st.composite
def _adds(draw: st.DrawFn) -> list[Step]:
    topics = draw(st.lists(TOPICS, min_size=1, max_size=2, unique=True))
    parts = {topic: draw(st.lists(INDEXES, min_size=1, max_size=2, unique=True)) for topic in topics}
    return [_add(draw(PAYER), draw(st.integers(0, 3)), parts, draw(PLUS))]


def _write(payer: str, version: int, topic: str, index: int, *values: Any, **more: Any) -> Step:
    """A batch of a transaction; `plus` is off its sequence, `epoch_plus` its epoch, `attributes` its kind."""
    who = _who(payer, more.get("epoch_plus", 0))
    sequence = Next(payer, f"{topic}.{index}", more.get("plus", 0))
    batch = {
        "producer": (who["producer_id"], who["producer_epoch"], sequence),
        "timestamp": Time(10),
        "attributes": more.get("attributes", TRANSACTIONAL),
    }
    data = {"index": index, "records": Records(values, batch)}
    fields = {
        "acks": -1,
        "timeout": TIMEOUT_MS,
        "transactional_id": Name(payer) if more.get("named", True) else None,
        "topic_data": [{"name": Name(topic), "topic_id": TopicId(topic), "partition_data": [data]}],
    }
    return Step(f"{payer}p", "Produce", version, fields, counts=(sequence, len(values)))


@st.composite
def _writes(draw: st.DrawFn) -> list[Step]:
    payer, topic, index, version = draw(PAYER), draw(TOPICS), draw(INDEXES), draw(st.integers(3, 13))
    more: dict[str, Any] = {"plus": draw(PLUS), "epoch_plus": draw(PLUS)}
    wrong = draw(st.integers(0, 11))
    if wrong == 0:
        more["attributes"] = 0
    elif wrong == 1:
        more["named"] = False
    values = draw(st.lists(st.sampled_from((b"a", (b"k", b"v"))), min_size=1, max_size=2))
    return [_write(payer, version, topic, index, *values, **more)] * draw(st.sampled_from((1, 1, 1, 2)))


def _add_offsets(payer: str, version: int, group: str, plus: int = 0) -> Step:
    return Step(payer, "AddOffsetsToTxn", version, _who(payer, plus) | {"group_id": Name(group)})


@st.composite
def _adds_offsets(draw: st.DrawFn) -> list[Step]:
    return [_add_offsets(draw(PAYER), draw(st.integers(0, 4)), draw(GROUP), draw(PLUS))]


def _keep(payer: str, version: int, group: str, topic: str, **more: Any) -> Step:
    part = {
        "partition_index": more.get("index", 0),
        "committed_offset": more.get("offset", 1),
        "committed_leader_epoch": -1,
        "committed_metadata": more.get("metadata", ""),
    }
    fields = _who(payer, more.get("plus", 0)) | {
        "group_id": Name(group),
        "generation_id": -1,
        "member_id": "",
        "group_instance_id": None,
        "topics": [{"name": Name(topic), "partitions": [part]}],
    }
    return Step(f"{payer}p", "TxnOffsetCommit", version, fields | more.get("member", {}))


@st.composite
def _keeps(draw: st.DrawFn) -> list[Step]:
    payer, group = draw(PAYER), draw(GROUP)
    more: dict[str, Any] = {
        "plus": draw(PLUS),
        "index": draw(st.sampled_from((0, 0, 1, 7))),
        "offset": draw(st.sampled_from((0, 1, 2, 5))),
        "metadata": draw(st.sampled_from(("", "m", None))),
    }
    if draw(st.integers(0, 3)) == 0:
        member = draw(st.sampled_from(("m0", "m1", "stranger")))
        more["member"] = {
            "member_id": Known(f"{member}.member", member),
            "generation_id": Known(f"{member}.generation", 0, draw(PLUS)),
        }
    topic = draw(st.sampled_from(("t0", "t0", "t1", "nobody")))
    return [_keep(payer, draw(st.integers(0, 5)), group, topic, **more)]


def _end(payer: str, version: int, *, commit: bool, plus: int = 0) -> Step:
    # The answer's epoch is there from version 5 on.
    learns = _learns(payer) if version >= END_BUMPS else {}
    return Step(payer, "EndTxn", version, _who(payer, plus) | {"committed": commit}, learns=learns)


@st.composite
def _ends(draw: st.DrawFn) -> list[Step]:
    end = _end(draw(PAYER), draw(st.integers(0, 5)), commit=draw(st.booleans()), plus=draw(PLUS))
    return [end] * draw(st.sampled_from((1, 1, 1, 2)))


@st.composite
def _wholes(draw: st.DrawFn) -> list[Step]:
    """A transaction from its beginning, mostly to its end, as a client of either protocol has it."""
    payer, topic, index = draw(PAYER), draw(st.sampled_from(("t0", "t0", "t1"))), draw(INDEXES)
    bumping = draw(st.booleans())
    steps = [_begin(payer, draw(st.integers(0, 5)))] if draw(st.integers(0, 2)) else []
    if not bumping:
        steps.append(_add(payer, draw(st.integers(0, 3)), {topic: [index]}))
    versions = st.integers(PRODUCE_ADDS, 13) if bumping else st.integers(3, PRODUCE_ADDS - 1)
    steps += [_write(payer, draw(versions), topic, index, b"a", b"b") for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        group = draw(GROUP)
        if not bumping:
            steps.append(_add_offsets(payer, draw(st.integers(0, 3)), group))
        steps.append(_keep(payer, 5 if bumping else draw(st.integers(0, 4)), group, topic))
    if draw(st.integers(0, 3)):
        ending = END_BUMPS if bumping else draw(st.integers(0, END_BUMPS - 1))
        steps.append(_end(payer, ending, commit=draw(st.booleans())))
    return steps


def _reads() -> st.SearchStrategy[list[Step]]:
    """What readers of committed records see, and what groups have committed."""
    return st.one_of(_fetches(), _fetches(), _lists(), _reads_offsets())


@st.composite
def _fetches(draw: st.DrawFn) -> list[Step]:
    topic = draw(st.sampled_from(("t0", "t0", "t1")))
    part = {
        "partition": draw(INDEXES),
        "fetch_offset": draw(st.sampled_from((0, 0, 0, 1, 3))),
        "log_start_offset": -1,
        "partition_max_bytes": 1 << 20,
        "current_leader_epoch": -1,
        "last_fetched_epoch": -1,
    }
    fields = {
        "replica_id": -1,
        "max_wait": 0,
        "min_bytes": 1,
        "max_bytes": 1 << 20,
        "session_epoch": -1,
        "isolation_level": draw(st.sampled_from((1, 1, 0))),
        "topics": [{"topic": Name(topic), "topic_id": TopicId(topic), "partitions": [part]}],
    }
    return [Step("reader", "Fetch", draw(st.integers(4, 17)), fields)]


@st.composite
def _lists(draw: st.DrawFn) -> list[Step]:
    asked = {"partition_index": draw(INDEXES), "timestamp": draw(st.sampled_from((-1, -1, -2, -3)))}
    topics = [
        {
            "name": Name(draw(st.sampled_from(("t0", "t1")))),
            "partitions": [asked | {"current_leader_epoch": -1}],
        }
    ]
    fields = {"replica_id": -1, "isolation_level": draw(st.sampled_from((1, 1, 0))), "topics": topics}
    return [Step("reader", "ListOffsets", draw(st.integers(2, 11)), fields)]


@st.composite
def _reads_offsets(draw: st.DrawFn) -> list[Step]:
    group, topic = Name(draw(GROUP)), draw(st.sampled_from(("t0", "t0", "t1")))
    asked = {"name": Name(topic), "topic_id": TopicId(topic), "partition_indexes": [0, 1]}
    topics = draw(st.sampled_from(([asked], [asked], None)))
    groups = [{"group_id": group, "topics": topics, "member_id": None, "member_epoch": -1}]
    fields = {"group_id": group, "topics": topics, "groups": groups, "require_stable": draw(st.booleans())}
    return [Step("reader", "OffsetFetch", draw(st.integers(2, 10)), fields)]


def _tells() -> st.SearchStrategy[list[Step]]:
    """What administrators are told."""
    return st.one_of(_describes(), _lists_all(), _describes_producers())


@st.composite
def _describes(draw: st.DrawFn) -> list[Step]:
    ids = [Name(draw(PAYER)), *map(Name, draw(st.sampled_from(((), ("nobody",), ("x1",)))))]
    return [Step("admin", "DescribeTransactions", 0, {"transactional_ids": ids})]


@st.composite
def _lists_all(draw: st.DrawFn) -> list[Step]:
    states = draw(st.sampled_from(([], [], ["Ongoing"], ["Empty", "CompleteCommit"], ["Nonsense"])))
    # Those of other conversations are none of ours.
    mine = {"producer_id_filters": [Known(f"{draw(PAYER)}.id", 8_000)], "duration_filter": -1}
    return [Step("admin", "ListTransactions", draw(st.integers(0, 1)), {"state_filters": states, **mine})]


@st.composite
def _describes_producers(draw: st.DrawFn) -> list[Step]:
    asked = {"name": Name(draw(TOPICS)), "partition_indexes": [draw(INDEXES)]}
    return [Step("admin", "DescribeProducers", 0, {"topics": [asked]})]


@st.composite
def _finds(draw: st.DrawFn) -> list[Step]:
    keys = [Name(draw(PAYER))]
    fields = {"key": keys[0], "key_type": 1, "coordinator_keys": keys}
    return [Step("admin", "FindCoordinator", draw(st.integers(1, 6)), fields)]
