"""Cases 159-183: transactional ids, and how their transactions begin and end, on one node."""

from __future__ import annotations

from typing import Any

from conformance.cases.brokers import TIGHT
from conformance.cases.groups import Member
from conformance.cases.produce import at, end_of
from conformance.cases.stage import Stage, case
from conformance.cases.transactions import Payer

COMMITTED = 1

_LAST_EPOCH = 32_766


def _fetch(it: Stage, topic: str, offset: int = 0, *, isolation: int = COMMITTED) -> None:
    it.ask("Fetch", 12, **at(topic, offset), isolation_level=isolation)


@case("80", "A reader of what is committed stops before an open transaction")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.add(topic)
    payer.write(topic, 0)
    for isolation in (0, 1):
        _fetch(it, topic, isolation=isolation)
        end_of(it, topic)
    payer.end(commit=True)
    payer.rest()
    for isolation in (0, 1):
        _fetch(it, topic, isolation=isolation)


@case("81", "What was aborted is listed for the reader to leave out", also=(169,))
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.paid(topic, 0, commit=False)
    payer.paid(topic, 1)
    payer.paid(topic, 2, commit=False)
    for offset in range(7):
        _fetch(it, topic, offset)
    _fetch(it, topic, isolation=0)


@case("82", "The end of a transaction takes an offset of its own")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.paid(topic)
    payer.paid(topic, 1)
    end_of(it, topic)
    for offset in (1, 2, 3, 4):
        _fetch(it, topic, offset)


@case("159", "Each InitProducerId brings the next epoch, and shuts out the one before")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    for version in (4, 5, 2, 1, 0):
        payer.init(version)
    for epoch in (0, 3, 9):
        for version in (0, 1, 2, 3):
            payer.end(commit=True, version=version, producer_epoch=epoch)
            payer.add(topic, version=version, producer_epoch=epoch)
    for version in (0, 1, 2, 3, 4):
        payer.add_offsets("group", version, producer_epoch=0)
    payer.end(commit=True, version=4, producer_epoch=0)
    payer.end(commit=True, version=5, producer_epoch=0)


@case("160", "A new owner has the open transaction aborted, and comes back")
def _(it: Stage) -> None:
    topic = it.topic()
    old = Payer(it).began()
    old.add(topic)
    old.write(topic, 0)
    new = Payer(it, old.name)
    new.init()
    new.rest()
    new.init()
    it.ask("DescribeTransactions", 0, transactional_ids=[old.name])
    old.write(topic, 1)
    old.end(commit=True)
    old.add(topic)
    _fetch(it, topic)


@case("162", "Time-outs and names that no transaction may have")
def _(it: Stage) -> None:
    payer = Payer(it)
    for timeout in (0, -1, 900_001, 900_000, 1):
        payer.init(timeout=timeout)
    fields = {"transaction_timeout": 60_000, "producer_id": -1, "producer_epoch": -1}
    it.ask("InitProducerId", 4, transactional_id="", **fields)
    payer.init(id=7)
    payer.init(epoch=3)
    other = Payer(it)
    other.init(id=987_654, epoch=3)


@case("163", "Whoever names its epoch keeps it, if it is still its own", also=(183,))
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    id, first = payer.id, payer.epoch
    for _ in range(2):
        payer.init(id=id, epoch=first)
    payer.init(id=id, epoch=first + 1)
    for epoch in (first, first + 5):
        for version in (3, 4):
            payer.init(version, id=id, epoch=epoch)
    payer.init(id=id + 1_000_000, epoch=first + 2)
    for other in (id + 1_000_000, id + 2_000_000):
        payer.end(commit=True, producer_id=other)
        payer.add(topic, producer_id=other)
        payer.add_offsets("group", producer_id=other)
    for name in ("", it.name("nobody")):
        payer.end(commit=True, transactional_id=name)
        payer.add(topic, transactional_id=name)
        payer.add_offsets("group", transactional_id=name)


@case("164", "One partition that is missing keeps all others out")
def _(it: Stage) -> None:
    topic, missing = it.topic(partitions=2), it.name("missing")
    payer = Payer(it).began()
    payer.add_all([{"name": topic, "partitions": [0, 1, 7]}, {"name": missing, "partitions": [0]}])
    it.ask("DescribeTransactions", 0, transactional_ids=[payer.name])
    payer.add_all([{"name": topic, "partitions": [0]}, {"name": "__transaction_state", "partitions": [0]}])
    payer.add_all([{"name": topic, "partitions": [0, 1]}])
    payer.add_all([{"name": topic, "partitions": [1]}])
    payer.add_all([])


@case("165", "Nobody writes in a transaction that the coordinator does not know of")
def _(it: Stage) -> None:
    topic, other = it.topic(), it.topic("other")
    payer = Payer(it).began()
    for version in (3, 7, 8, 9, 10, 11):
        payer.write(topic, 0, version=version)
    payer.write(topic, 0, transactional_id=None)
    payer.write(topic, 0, producer_epoch=9)
    payer.write(topic, 0, transactional_id=it.name("nobody"))
    payer.write(topic, 0, transactional_id="")
    payer.add(topic)
    payer.write(topic, 5)
    payer.write(topic, 0)
    payer.write(other, 0)
    payer.write(topic, 1, transactional_id=it.name("somebody"))
    end_of(it, topic)


@case("166", "A transaction ends once, and the same way however often one asks")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    for commit in (True, False):
        payer.end(commit=commit)
    for first in (True, False):
        payer.add(topic)
        payer.write(topic, 0 if first else 1)
        payer.end(commit=first)
        payer.rest()
        for commit in (first, first, not first):
            payer.end(commit=commit)
    _fetch(it, topic)


@case("170", "Offsets of a transaction count when it is committed")
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group()
    payer = Payer(it).began()
    for version in (0, 2, 3, 4):
        payer.keep(group, topic, 5, version=version)
    _committed(it, group, topic)
    for commit, offset in ((False, 6), (True, 7)):
        payer.add_offsets(group)
        payer.keep(group, topic, offset)
        _committed(it, group, topic)
        _committed(it, group, topic, stable=True)
        payer.end(commit=commit)
        payer.rest()
        it.until(lambda: _is_stable(it, group, topic), "the group knows the end")
        _committed(it, group, topic, stable=True)
    payer.add_offsets(group)
    payer.keep(group, topic, 8)
    part = {"partition_index": 0, "committed_offset": 20, "committed_metadata": ""}
    plain: dict[str, Any] = {"group_id": group, "generation_id_or_member_epoch": -1, "member_id": ""}
    it.ask("OffsetCommit", 7, **plain, topics=[{"name": topic, "partitions": [part]}])
    _committed(it, group, topic)
    _committed(it, group, topic, stable=True)
    payer.end(commit=False)


def _committed(it: Stage, group: str, topic: str, *, stable: bool = False) -> None:
    topics = [{"name": topic, "partition_indexes": [0]}]
    it.ask("OffsetFetch", 7, group_id=group, topics=topics, require_stable=stable)


def _is_stable(it: Stage, group: str, topic: str) -> bool:
    topics = [{"name": topic, "partition_indexes": [0]}]
    answer = it.quietly("OffsetFetch", 7, group_id=group, topics=topics, require_stable=True)
    return bool(answer["topics"][0]["partitions"][0]["error_code"] == "NONE")


@case("171", "A member's generation is looked at from v3 on")
def _(it: Stage) -> None:
    topic, member = it.topic(), Member(it.line(), it.group())
    payer = Payer(it).began()
    payer.keep(member.group, topic, 1)
    payer.add_offsets(member.group)
    payer.keep(member.group, topic, 1, generation_id=25)
    member.join()
    who: dict[str, Any] = {"member_id": member.member_id, "generation_id": member.generation}
    payer.keep(member.group, topic, 1, **who)
    member.sync(of={member.member_id: b"all"})
    payer.keep(member.group, topic, 2, **who)
    payer.keep(member.group, topic, 3, **(who | {"generation_id": 9}))
    payer.keep(member.group, topic, 3, **(who | {"member_id": "nobody"}))
    payer.keep(member.group, topic, 4, version=2)
    payer.keep(member.group, topic, 5)
    _keep_oddities(it, payer, member.group, topic)
    payer.end(commit=True)


def _keep_oddities(it: Stage, payer: Payer, group: str, topic: str) -> None:
    long = {"partition_index": 0, "committed_offset": 1, "committed_metadata": "x" * 5_000}
    unknown = {"partition_index": 9, "committed_offset": 1, "committed_metadata": ""}
    for part in (long, unknown):
        payer.keep(group, topic, 0, topics=[{"name": topic, "partitions": [part]}])
    payer.keep(it.name("stranger"), topic, 1)
    payer.add_offsets("")
    payer.keep("", topic, 1)


@case("172", "What is open for too long is aborted, and its producer shut out", on=TIGHT)
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began(timeout=1_500)
    payer.add(topic)
    payer.write(topic, 0)
    it.brokers.let_pass(2_000, looked_for_every_ms=10_000)
    payer.rest()
    it.ask("DescribeTransactions", 0, transactional_ids=[payer.name])
    payer.end(commit=True)
    payer.add(topic)
    payer.write(topic, 1)
    payer.init(id=payer.id, epoch=payer.epoch, timeout=1_500)
    _fetch(it, topic)


@case(
    "173",
    "With the second protocol a batch joins its transaction, and each end brings an epoch",
    since=(4, 0),
)
def _(it: Stage) -> None:
    topic, other = it.topic(), it.topic("other")
    payer = Payer(it).began()
    for commit in (True, False):
        payer.write(topic, 0, version=12)
        payer.write(topic, 1, version=12)
        it.ask("DescribeTransactions", 0, transactional_ids=[payer.name])
        payer.end(commit=commit, version=5)
        payer.rest()
    payer.write(topic, 4, version=12)
    payer.write(other, 4, version=12)
    payer.write(topic, 0, version=12)
    payer.end(commit=True, version=5)
    payer.rest()
    _fetch(it, topic)


@case("174", "A repeated end gives the same epoch, and an abort of nothing another one", since=(4, 0))
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.end(commit=True, version=5)
    payer.end(commit=False, version=5)
    payer.rest()
    before = payer.epoch
    payer.write(topic, 0, version=12)
    payer.end(commit=True, version=5)
    payer.rest()
    for commit in (True, True, False):
        payer.end(commit=commit, version=5, producer_epoch=before)
    payer.end(commit=True, version=5)
    payer.end(commit=False, version=5)
    payer.rest()
    for epoch in (payer.epoch - 2, payer.epoch - 1, payer.epoch + 1):
        for commit in (True, False):
            payer.end(commit=commit, version=5, producer_epoch=epoch)
            payer.rest()


@case("175", "A batch of the transaction before comes too late", since=(4, 0))
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    before = payer.epoch
    payer.write(topic, 0, version=12)
    payer.end(commit=True, version=5)
    payer.rest()
    for version in (9, 10, 11, 12):
        payer.write(topic, 1, version=version, producer_epoch=before)
    end_of(it, topic)


@case("178", "A marker of an old coordinator is refused, and one of an old producer")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.init()
    payer.add(topic)
    payer.write(topic, 0)
    for coordinator_epoch, epoch in ((5, payer.epoch), (4, payer.epoch), (5, payer.epoch), (6, payer.epoch)):
        _mark(it, topic, payer.id, epoch, coordinator_epoch)
    _mark(it, topic, payer.id, payer.epoch - 1, 7)
    _mark(it, topic, payer.id, payer.epoch + 3, 7)
    _mark(it, it.name("missing"), payer.id, payer.epoch, 7)
    _mark(it, topic, 123_456, 0, 0)
    end_of(it, topic)


def _mark(
    it: Stage, topic: str, id: int, epoch: int, coordinator_epoch: int, *, commit: bool = False
) -> None:
    marker = {
        "producer_id": id,
        "producer_epoch": epoch,
        "transaction_result": commit,
        "topics": [{"name": topic, "partition_indexes": [0]}],
        "coordinator_epoch": coordinator_epoch,
    }
    it.ask("WriteTxnMarkers", 1, markers=[marker])


@case("179", "A producer with a transaction open writes nothing outside of it")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.add(topic)
    payer.write(topic, 0)
    payer.write(topic, 1, plain=True)
    payer.write(topic, 1, plain=True, transactional_id=None)
    payer.write(topic, 1)
    end_of(it, topic)


@case("180", "A hanging transaction holds back readers until an admin ends it")
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.add(topic)
    payer.write(topic, 0)
    _producers(it, topic)
    _fetch(it, topic)
    _mark(it, topic, payer.id, payer.epoch, 11)
    _producers(it, topic)
    _fetch(it, topic)


def _producers(it: Stage, topic: str) -> None:
    it.ask("DescribeProducers", 0, topics=[{"name": topic, "partition_indexes": [0, 9]}])


@case("181", "What admins may see of transactions")
def _(it: Stage) -> None:
    topic = it.topic(partitions=2)
    # The first producer id of a cluster is 0, which also stands for none.
    nameless: dict[str, Any] = {"transaction_timeout": 1, "transactional_id": None}
    nameless |= {"producer_id": -1, "producer_epoch": -1}
    it.until(lambda: it.quietly("InitProducerId", 4, **nameless)["error_code"] == "NONE", "the first id")
    payer, other = Payer(it).began(), Payer(it).began()
    payer.add(topic, 0, 1)
    it.ask("DescribeTransactions", 0, transactional_ids=[payer.name, other.name, it.name("nobody"), ""])
    mine = [payer.id, other.id]
    listed: list[dict[str, Any]] = [
        {"producer_id_filters": mine},
        {"producer_id_filters": mine, "state_filters": ["Ongoing"]},
        {"producer_id_filters": mine, "state_filters": ["ongoing", "Empty", "Nonsense"]},
        {"producer_id_filters": [payer.id]},
        {"producer_id_filters": [987_654]},
    ]
    for fields in listed:
        it.ask("ListTransactions", 0, **fields)
    for duration in (-1, 0, 3_600_000):
        it.ask("ListTransactions", 1, producer_id_filters=mine, duration_filter=duration)
    for pattern in (None, payer.name, "payer.*", "pay", "(", ""):
        it.ask(
            "ListTransactions",
            2,
            producer_id_filters=mine,
            duration_filter=-1,
            transactional_id_pattern=pattern,
        )
    payer.end(commit=False)


@case("182", "An id that nobody uses is forgotten", on=TIGHT)
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    it.brokers.let_pass(9_000, looked_for_every_ms=3_600_000)
    it.until(lambda: payer.state() == "", "it is forgotten")
    payer.add(topic)
    payer.end(commit=True)
    it.ask("DescribeTransactions", 0, transactional_ids=[payer.name])
    payer.init(id=payer.id, epoch=payer.epoch)


@case("176", "When all epochs are used up there is a new producer id")
def _(it: Stage) -> None:
    payer = Payer(it).began()
    first = payer.id
    payer.use_up(_LAST_EPOCH - 1)
    it.tell("as used up", [payer.id == first, payer.epoch])
    for _ in range(3):
        payer.init()
    payer.init(id=first, epoch=_LAST_EPOCH)
    payer.init(id=first, epoch=_LAST_EPOCH - 1)
