"""Cases 129-137: what groups commit, who may, how long it lasts, and what is told of groups."""

from __future__ import annotations

from typing import Any

from conformance.cases.brokers import THREE, TIGHT
from conformance.cases.codec import Answer
from conformance.cases.groups import Member, joining
from conformance.cases.stage import Stage, case


def _parts(topic: str, offsets: dict[int, int], metadata: str | None = "") -> list[dict[str, Any]]:
    parts = [
        {"partition_index": at, "committed_offset": offset, "committed_metadata": metadata}
        for at, offset in offsets.items()
    ]
    return [{"name": topic, "partitions": parts}]


def _commit(
    it: Stage,
    group: str,
    topics: list[dict[str, Any]],
    *,
    version: int = 7,
    member: str = "",
    generation: int = -1,
    node: int = 1,
) -> Answer:
    who = {"group_id": group, "generation_id_or_member_epoch": generation, "member_id": member}
    return it.ask("OffsetCommit", version, node=node, **who, topics=topics)


def _asked(it: Stage, group: str, topic: str | None, *, version: int = 7, node: int = 1) -> Answer:
    topics = None if topic is None else [{"name": topic, "partition_indexes": [0, 1]}]
    if version >= 8:
        groups = [{"group_id": group, "topics": topics}]
        return it.ask("OffsetFetch", version, node=node, groups=groups)
    return it.ask("OffsetFetch", version, node=node, group_id=group, topics=topics)


@case("129", "Who may commit: by state, generation and member")
def _(it: Stage) -> None:
    topic, member = it.topic(), Member(it.line(), it.group())
    member.join()
    one = _parts(topic, {0: 1})
    who: dict[str, Any] = {"member": member.member_id, "generation": member.generation}
    _commit(it, member.group, one, **who)
    member.sync(of={member.member_id: b"all"})
    _commit(it, member.group, one, **who)
    _commit(it, member.group, one, member=member.member_id, generation=7)
    _commit(it, member.group, one, member=member.member_id)
    _commit(it, member.group, one)
    _commit(it, member.group, one, member="nobody", generation=1)
    _commit(it, member.group, one, generation=1)
    other = Member(it.line(), member.group, metadata=b"other")
    other.ask_to_join(3)
    other.line.expect_nothing("it waits")
    _commit(it, member.group, one, **who)
    member.join(3)
    other.hear_join()


@case("129a", "Without members anybody commits, but for those who claim to be one")
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group()
    one = _parts(topic, {0: 1})
    _commit(it, group, one, generation=3)
    _commit(it, group, one, member="me", generation=3)
    _commit(it, group, one)
    _commit(it, group, one, generation=3)
    _commit(it, group, one, member="me")
    _commit(it, it.name("another"), one, version=9, generation=3)


@case("129b", "Every version of OffsetCommit and OffsetFetch in its own form")
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group()
    for version in range(2, 10):
        _commit(it, group, _parts(topic, {0: version}), version=version)
    for version in range(1, 10):
        _asked(it, group, topic, version=version)


@case("129c", "Versions that go by topic ids")
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group()
    id = it.id_of(topic)
    part = {"partition_index": 0, "committed_offset": 7, "committed_metadata": "m"}
    who: dict[str, Any] = {"group_id": group, "generation_id_or_member_epoch": -1, "member_id": ""}
    it.ask("OffsetCommit", 10, **who, topics=[{"topic_id": id, "partitions": [part]}])
    it.ask(
        "OffsetFetch",
        10,
        groups=[{"group_id": group, "topics": [{"topic_id": id, "partition_indexes": [0, 1]}]}],
    )
    it.ask("OffsetFetch", 10, groups=[{"group_id": group, "topics": None}])


@case("130", "Metadata has a limit, and topics must exist; the others of the request are committed")
def _(it: Stage) -> None:
    topic, group = it.topic(partitions=2), it.group()
    _commit(it, group, _parts(topic, {0: 1}, "x" * 4096))
    _commit(it, group, _parts(topic, {0: 1}, "x" * 4097) + _parts(it.name("nobody"), {0: 1}))
    _commit(it, group, _parts(topic, {0: 1}, "ü" * 4096))
    _commit(it, group, _parts(topic, {1: -5, 7: 1}, None))
    _asked(it, group, topic)


@case("131", "What was never committed is -1; null asks for everything that was")
def _(it: Stage) -> None:
    topic, group = it.topic(partitions=2), it.group()
    _asked(it, group, topic)
    _asked(it, group, None)
    _commit(it, group, _parts(topic, {1: 5}, "m"))
    for version in (1, 7, 9):
        _asked(it, group, topic, version=version)
    for version in (2, 7, 9):
        _asked(it, group, None, version=version)
    _asked(it, it.name("nothing"), None)
    _asked(it, it.name("nothing"), topic)


@case("132", "Offsets of a topic that members read cannot be deleted; groups with members neither")
def _(it: Stage) -> None:
    topic, other = it.topic(), it.topic("other")
    subscription = b"\0\0" + b"\0\0\0\1" + len(topic).to_bytes(2) + topic.encode() + b"\xff\xff\xff\xff"
    member = Member(it.line(), it.group(), metadata=subscription)
    member.line.quietly("JoinGroup", 3, **joining(member.group, metadata=subscription))
    it.ask("DeleteGroups", 2, groups_names=[member.group, it.name("nothing")])
    for name in (topic, other):
        it.ask(
            "OffsetDelete",
            0,
            group_id=member.group,
            topics=[{"name": name, "partitions": [{"partition_index": 0}]}],
        )
    missing: dict[str, Any] = {"topics": [{"name": topic, "partitions": [{"partition_index": 0}]}]}
    it.ask("OffsetDelete", 0, group_id=it.name("nothing"), **missing)


@case("132a", "An empty group's offsets can be deleted, and so can the group, once")
def _(it: Stage) -> None:
    topic, group = it.topic(partitions=2), it.group()
    _commit(it, group, _parts(topic, {0: 1, 1: 2}))
    parts = [{"partition_index": 0}, {"partition_index": 7}]
    nobody = {"name": it.name("nobody"), "partitions": [{"partition_index": 0}]}
    it.ask("OffsetDelete", 0, group_id=group, topics=[{"name": topic, "partitions": parts}, nobody])
    _asked(it, group, topic)
    for version in (0, 2):
        it.ask("DeleteGroups", version, groups_names=[group])
    _asked(it, group, topic)


@case("133", "Offsets that nobody commits anew expire", on=TIGHT)
def _(it: Stage) -> None:
    topic, group = it.topic(partitions=2), it.group()
    _commit(it, group, _parts(topic, {0: 1}))
    it.brokers.let_pass(40_000)
    _asked(it, group, topic)
    it.brokers.let_pass(25_000)
    _asked(it, group, topic)
    it.ask("DescribeGroups", 6, groups=[group])


@case("134", "A group outlives its coordinator, and its members need not join again", on=THREE)
def _(it: Stage) -> None:
    topic, group = it.topic(), it.group()
    home = _coordinator(it, group)
    it.call_node(home, "coordinator")
    member = Member(it.line(home), group, session_timeout=60_000)
    member.join()
    member.sync(of={member.member_id: b"all"})
    _commit(it, group, _parts(topic, {0: 5}), member=member.member_id, generation=1, node=home)
    it.brokers.crash(home)
    next_home = _next_home(it, group, home)
    member.line = it.line(next_home)
    member.heartbeat()
    member.sync()
    _asked(it, group, topic, node=next_home)
    it.ask("DescribeGroups", 5, node=next_home, groups=[group])
    it.brokers.restart(home)
    it.until(lambda: it.is_led(topic, 1), "all are back")


@case("135", "A rebalance that its coordinator does not outlive never was", on=THREE)
def _(it: Stage) -> None:
    group = it.group()
    home = _coordinator(it, group)
    it.call_node(home, "coordinator")
    old = Member(it.line(home), group, session_timeout=60_000, metadata=b"first")
    new = Member(it.line(home), group, session_timeout=60_000, metadata=b"other")
    old.join()
    old.sync(of={old.member_id: b"all"})
    new.ask_to_join(3)
    new.line.expect_nothing("it waits")
    old.join(3)
    new.hear_join()
    it.brokers.crash(home)
    for member in (old, new):
        member.line = it.line(_next_home(it, group, home))
        member.heartbeat()
        member.sync()
    old.heartbeat(generation_id=1)
    it.brokers.restart(home)
    it.until(lambda: it.is_led("__consumer_offsets", 5), "all are back")


@case("136", "An id that was only given out does not outlive its coordinator", on=THREE)
def _(it: Stage) -> None:
    group = it.group()
    home = _coordinator(it, group)
    it.call_node(home, "coordinator")
    member = Member(it.line(home), group)
    member.ask_to_join(5)
    member.hear_join()
    it.brokers.crash(home)
    member.line = it.line(_next_home(it, group, home))
    member.ask_to_join(5)
    member.hear_join()
    it.brokers.restart(home)
    it.until(lambda: it.is_led("__consumer_offsets", 5), "all are back")


@case(
    "137",
    "Of a group that is not there one hears that it is dead, and from version 6 on that it is not found",
)
def _(it: Stage) -> None:
    it.group()
    for version in range(7):
        it.ask("DescribeGroups", version, groups=[it.name("nothing")])


@case("137a", "Groups are listed by state and type")
def _(it: Stage) -> None:
    topic, empty = it.topic(), it.group("empty")
    it.quietly(
        "OffsetCommit",
        7,
        group_id=empty,
        generation_id_or_member_epoch=-1,
        member_id="",
        topics=_parts(topic, {0: 1}),
    )
    member = Member(it.line(), it.group("stable"))
    member.join(3)
    member.sync(of={member.member_id: b"all"})
    ours = {empty, member.group}
    for states, types in (
        ([], []),
        (["Stable"], []),
        (["Empty", "stable"], []),
        ([], ["classic"]),
        ([], ["consumer"]),
    ):
        listed = it.quietly("ListGroups", 5, states_filter=states, types_filter=types)["groups"]
        found = sorted((g for g in listed if g["group_id"] in ours), key=lambda g: str(g["group_id"]))
        it.tell(f"states {states}, types {types}", found)


def _coordinator(it: Stage, group: str, node: int = 1) -> int:
    found = it.quietly("FindCoordinator", 4, node=node, coordinator_keys=[group])
    return int(found["coordinators"][0]["node_id"])


def _next_home(it: Stage, group: str, home: int) -> int:
    """Wait until another node looks after the group, and is ready to."""
    witness = next(node for node in (1, 2, 3) if node != home)
    it.until(lambda: _coordinator(it, group, witness) not in (home, -1), "another coordinator")
    found = _coordinator(it, group, witness)
    it.call_node(found, "next coordinator")
    it.until(lambda: _ready(it, group, found), "the group is loaded")
    return found


def _ready(it: Stage, group: str, node: int) -> bool:
    described = it.quietly("DescribeGroups", 5, node=node, groups=[group])
    return bool(described["groups"][0]["error_code"] == "NONE")
