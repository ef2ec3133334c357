"""Cases 159a-178a: who is shut out of a transaction, by every version of every request, and what is left of one."""

from __future__ import annotations

from typing import Any

from conformance.cases.brokers import SLOW
from conformance.cases.produce import end_of
from conformance.cases.stage import Stage, case
from conformance.cases.transactions import Payer

_LAST_EPOCH = 32_766


def _twin(it: Stage, old: Payer) -> Payer:
    """Another producer that has taken over the same id."""
    return Payer(it, old.name).began()


def _add_by_broker(
    it: Stage, payer: Payer, topics: Any, version: int, *, only_verify: bool, **instead: Any
) -> None:
    """AddPartitionsToTxn as brokers say it to each other."""
    one = payer.who(**instead) | {"verify_only": only_verify, "topics": topics}
    it.ask("AddPartitionsToTxn", version, node=payer.coordinator, transactions=[one])


def _places(topic: str, *parts: int) -> list[dict[str, Any]]:
    return [{"name": topic, "partitions": list(parts or (0,))}]


@case("159a", "A zombie is told so by every version of every request", since=(4, 0))
def _(it: Stage) -> None:
    topic, group, fresh = it.topic(partitions=2), it.group(), it.group("fresh")
    old = Payer(it).began()
    old.add(topic)
    old.write(topic, 0)
    old.add_offsets(group)
    old.keep(group, topic, 5)
    old_epoch = old.epoch
    _twin(it, old)
    for version in (0, 1, 2, 3):
        old.add(topic, version=version)
    for version in (0, 1, 2, 3, 4):
        old.add_offsets(group, version)
    for version in (0, 1, 2, 3, 4, 5):
        for commit in (True, False):
            old.end(commit=commit, version=version)
    for version in (3, 7, 9, 11, 12):
        for part in (0, 1):
            old.write(topic, 1 - part, part=part, version=version)
    for version in (0, 1, 2, 3, 4, 5):
        for name in (group, fresh):
            old.keep(name, topic, 6, version=version)
    for version in (3, 4, 5):
        old.init(version, id=old.id, epoch=old_epoch)
    for version in (4, 5):
        for only_verify in (True, False):
            _add_by_broker(it, old, _places(topic), version, only_verify=only_verify)


@case("164a", "Brokers ask for many transactions at once, and may only want to know", since=(4, 0))
def _(it: Stage) -> None:
    topic, missing, _ = it.topic(partitions=2), it.name("missing"), it.group()
    payer = Payer(it).began()
    for version in (4, 5):
        _add_by_broker(it, payer, _places(topic), version, only_verify=True)
    payer.add(topic)
    for version in (4, 5):
        for only_verify in (True, False):
            _add_by_broker(it, payer, _places(topic, 0, 1, 7), version, only_verify=only_verify)
        _add_by_broker(it, payer, _places(missing), version, only_verify=True)
        _add_by_broker(it, payer, _places(topic), version, only_verify=True, producer_epoch=9)
        _add_by_broker(it, payer, _places(topic), version, only_verify=True, producer_id=987_654)
        _add_by_broker(it, payer, _places(topic), version, only_verify=True, transactional_id="")
        _add_by_broker(it, payer, [], version, only_verify=False)
    both = [payer.who() | {"verify_only": only, "topics": _places(topic)} for only in (True, False)]
    both.append(payer.who(transactional_id=it.name("nobody")) | {"verify_only": True, "topics": []})
    it.ask("AddPartitionsToTxn", 5, node=payer.coordinator, transactions=both)
    _add_by_broker(it, payer, _places("__consumer_offsets"), 5, only_verify=False)
    it.ask("DescribeTransactions", 0, node=payer.coordinator, transactional_ids=[payer.name])
    payer.end(commit=False)


@case(
    "165a",
    "A coordinator's word counts for the request that asked for it, and not when a marker came between",
    on=SLOW,
    since=(4, 0),
)
def _(it: Stage) -> None:
    payer = Payer(it)
    leader, other = (node for node in (1, 2, 3) if node != payer.coordinator)
    for node, role in ((payer.coordinator, "coordinator"), (leader, "leader"), (other, "other")):
        it.call_node(node, role)
    topic = it.topic(on={0: [leader]}, min_insync_replicas=1)
    payer.began()
    payer.add(topic)
    it.brokers.spare(payer.coordinator)
    it.brokers.pause(payer.coordinator)
    waiting = it.line(leader)
    for _ in range(2):
        # The second waits in the same connection until the first is answered.
        payer.send_batch(waiting, topic, 0)
    it.brokers.let_pass(500)
    marker = {
        "producer_id": payer.id,
        "producer_epoch": payer.epoch,
        "transaction_result": False,
        "topics": [{"name": topic, "partition_indexes": [0]}],
        "coordinator_epoch": 0,
    }
    it.ask("WriteTxnMarkers", 1, node=leader, markers=[marker])
    it.brokers.resume(payer.coordinator)
    for _ in range(2):
        waiting.hear()
    end_of(it, topic, node=leader)
    payer.end(commit=False)


@case("170a", "Offsets of what is deleted do not come back with the end of the transaction", since=(4, 0))
def _(it: Stage) -> None:
    topic, other = it.topic(), it.topic("other")
    for earlier in (False, True):
        for gone in ("offset", "group", "topic"):
            _deleted(it, topic, other, gone, earlier=earlier)


def _deleted(it: Stage, topic: str, other: str, gone: str, *, earlier: bool) -> None:
    group = it.group(f"group of {gone}s" + (" known before" if earlier else ""))
    where = it.topic("fleeting") if gone == "topic" else topic
    payer = Payer(it).began()
    if earlier:
        payer.add_offsets(group)
        payer.keep(group, where, 3)
        payer.end(commit=True)
        payer.rest()
    payer.add_offsets(group)
    payer.keep(group, where, 5)
    if gone == "offset":
        parts = [{"name": name, "partitions": [{"partition_index": 0}]} for name in (where, other)]
        it.ask("OffsetDelete", 0, group_id=group, topics=parts)
    elif gone == "group":
        it.ask("DeleteGroups", 2, groups_names=[group])
    else:
        it.quietly("DeleteTopics", 6, timeout=30_000, topics=[{"name": where}])
        it.until(lambda: not it.metadata(where), "the topic is gone")
        it.brokers.let_pass(1_000)  # its coordinator hears of it in its own time
    _committed(it, group, where, stable=True)
    it.ask("DescribeGroups", 5, groups=[group], include_authorized_operations=False)
    payer.end(commit=True)
    payer.rest()
    it.brokers.let_pass(300)
    _committed(it, group, where, stable=True)
    it.ask("DescribeGroups", 5, groups=[group], include_authorized_operations=False)


def _committed(it: Stage, group: str, topic: str, *, stable: bool = False) -> None:
    topics = [{"name": topic, "partition_indexes": [0]}]
    it.ask("OffsetFetch", 7, group_id=group, topics=topics, require_stable=stable)


@case("174a", "With both protocols in use a zombie may be given the epoch of its successor", since=(4, 0))
def _(it: Stage) -> None:
    topic = it.topic()
    zombie = Payer(it).began()
    zombie.write(topic, 0, version=12)
    heir = _twin(it, zombie)
    heir.add(topic)
    heir.write(topic, 0)
    heir.end(commit=False, version=3)
    heir.rest()
    it.tell("epochs of zombie and heir", [zombie.epoch, heir.epoch])
    for epoch in (zombie.epoch, heir.epoch - 1):
        zombie.end(commit=False, version=5, producer_epoch=epoch)
    it.tell("epochs of zombie and heir", [zombie.epoch, heir.epoch])


@case("176a", "The last epoch's transaction ends with another producer id", since=(4, 0))
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.use_up(_LAST_EPOCH)
    first = payer.id
    payer.write(topic, 0, version=12)
    payer.end(commit=True, version=5)
    payer.rest()
    it.tell("the same id, epoch", [payer.id == first, payer.epoch])
    for commit in (True, False):
        payer.end(commit=commit, version=5, producer_id=first, producer_epoch=_LAST_EPOCH)
    payer.write(topic, 1, version=12, producer_id=first, producer_epoch=_LAST_EPOCH)
    payer.init(id=first, epoch=_LAST_EPOCH)
    payer.write(topic, 0, version=12)
    payer.end(commit=False, version=5)


@case("176b", "Whoever is shut out at the last epoch is not given the one behind it", since=(4, 0))
def _(it: Stage) -> None:
    topic = it.topic()
    old = Payer(it).began()
    old.use_up(_LAST_EPOCH)
    first = old.id
    old.add(topic)
    old.write(topic, 0)
    twin = Payer(it, old.name)
    twin.init()
    twin.rest()
    it.ask("DescribeTransactions", 0, transactional_ids=[old.name])
    for epoch in (_LAST_EPOCH - 1, _LAST_EPOCH, _LAST_EPOCH + 1):
        old.end(commit=True, producer_id=first, producer_epoch=epoch)
    old.add(topic, producer_id=first, producer_epoch=_LAST_EPOCH)
    twin.init(id=first, epoch=_LAST_EPOCH)
    twin.init()
    it.tell("the same id, epoch", [twin.id == first, twin.epoch])


@case("178a", "From the second version on a marker says by which protocol", since=(4, 2))
def _(it: Stage) -> None:
    topic = it.topic()
    for version in (0, 1, 2):
        payer = Payer(it, it.name(f"payer {version}")).began()
        payer.init()
        payer.add(topic)
        payer.write(topic, 0)
        for epoch in (payer.epoch - 1, payer.epoch, payer.epoch + 1, payer.epoch):
            _mark(it, topic, payer, epoch, version)
    end_of(it, topic)


def _mark(it: Stage, topic: str, payer: Payer, epoch: int, version: int) -> None:
    marker = {
        "producer_id": payer.id,
        "producer_epoch": epoch,
        "transaction_result": True,
        "topics": [{"name": topic, "partition_indexes": [0, 5]}],
        "coordinator_epoch": 3,
        "transaction_version": version,
    }
    it.ask("WriteTxnMarkers", 2, markers=[marker])


@case(
    "178b",
    "Where a partition knows a newer epoch its coordinator gives up, and the id stays busy",
    since=(4, 2),
)
def _(it: Stage) -> None:
    topic = it.topic()
    payer = Payer(it).began()
    payer.add(topic)
    payer.write(topic, 0)
    _mark(it, topic, payer, payer.epoch + 5, 0)
    payer.end(commit=True)
    it.brokers.let_pass(2_000)
    it.tell("state", payer.state())
    payer.init()
    end_of(it, topic)
