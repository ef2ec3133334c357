"""Steps about classic groups: members who join, sync, live and leave, some with a static name; and commits.

Each member has a line of its own, which is silent while its JoinGroup or SyncGroup waits for the others.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.generated.conversation import Known, Name, Step, TopicId

# No session ends within a conversation.
SESSION_MS, REBALANCE_MS = 60_000, 120_000

MEMBERS = ("m0", "m1", "m2")
MEMBER = st.sampled_from(("m0", "m0", "m0", "m1", "m1", "m2"))
# Whom a step of another member may speak for, by mistake or to put an end to it.
GROUP = st.sampled_from(("g0", "g0", "g0", "g0", "g0", "g1"))
INSTANCES = st.sampled_from((None, None, None, None, "one", "two"))


def phrases() -> st.SearchStrategy[list[Step]]:
    """Any of them, by how often they are worth asking."""
    return st.one_of(
        *[_joins()] * 4,
        *[_enters()] * 5,
        _restarts(),
        *[_syncs()] * 3,
        *[_heartbeats()] * 2,
        *[_commits()] * 3,
        *[_reads()] * 2,
        *[_leaves()] * 2,
        *[_describes()] * 2,
        _deletes(),
    )


def _who(member: str, plus: int = 0) -> dict[str, Any]:
    return {
        "member_id": Known(f"{member}.member", ""),
        "generation_id": Known(f"{member}.generation", -1, plus),
    }


def _join(member: str, version: int, **more: Any) -> Step:
    protocols = more.pop("protocols", ("range",))
    fields = {
        "group_id": Name("g0"),
        "session_timeout": SESSION_MS,
        "rebalance_timeout": REBALANCE_MS,
        "member_id": Known(f"{member}.member", ""),
        "protocol_type": "consumer",
        "protocols": [
            {"name": name, "metadata": more.pop("metadata", member.encode())} for name in protocols
        ],
    }
    learns = {f"{member}.member": ("member_id",), f"{member}.generation": ("generation_id",)}
    return Step(member, "JoinGroup", version, fields | more, learns=learns)


def _sync(member: str, version: int, who: tuple[str, ...] = MEMBERS, **more: Any) -> Step:
    given = [
        {"member_id": Known(f"{each}.member", each), "assignment": b"to" + each.encode()} for each in who
    ]
    fields = _who(member, more.pop("plus", 0)) | {
        "group_id": Name("g0"),
        "assignments": given,
        "protocol_type": "consumer",
        "protocol_name": "range",
    }
    return Step(member, "SyncGroup", version, fields | more)


@st.composite
def _joins(draw: st.DrawFn) -> list[Step]:
    member = draw(MEMBER)
    more: dict[str, Any] = {"group_id": Name(draw(GROUP)), "group_instance_id": draw(INSTANCES)}
    wrong = draw(st.integers(0, 15))
    if wrong == 0:
        more["session_timeout"] = draw(st.sampled_from((0, 100, 3_600_000)))
    elif wrong == 1:
        more["protocol_type"] = draw(st.sampled_from(("", "connect")))
    elif wrong == 2:
        more["member_id"] = draw(st.sampled_from(("", "stranger")))
    elif wrong == 3:
        more["group_id"] = ""
    more["protocols"] = draw(_PROTOCOLS)
    if draw(st.integers(0, 5)) == 0:
        more["metadata"] = member.encode() + b"new"
    # From version 4 on a new member is given its id first, and joins with the second.
    version = draw(st.integers(2, 9))
    return [_join(member, version, **more)] * draw(st.sampled_from((1, 1, 2)))


_PROTOCOLS = st.sampled_from((("range",), ("range",), ("range",), ("range", "robin"), ("robin",), ()))


@st.composite
def _enters(draw: st.DrawFn) -> list[Step]:
    """A member joins, and everybody who should does what a rebalance asks for."""
    members = draw(st.sampled_from((("m0",), ("m0",), ("m0", "m1"), ("m1", "m0"), ("m0", "m1", "m2"))))
    version = draw(st.integers(2, 9))
    instance = (
        dict(zip(MEMBERS, ("one", "two", "three"), strict=True)) if draw(st.integers(0, 2)) == 0 else {}
    )
    steps = []
    for member in members:
        join = _join(member, version, group_instance_id=instance.get(member))
        steps += [join, join] if version >= 4 and member not in instance else [join]
    # The first of them made the first generation alone, and comes again for the others.
    if len(members) > 1:
        if draw(st.booleans()):  # it hears of the rebalance
            steps.append(_heartbeat(members[0]))
        steps.append(_join(members[0], version, group_instance_id=instance.get(members[0])))
    syncing = draw(st.integers(0, 5))
    return [*steps, *(_sync(each, syncing, group_instance_id=instance.get(each)) for each in members)]


@st.composite
def _restarts(draw: st.DrawFn) -> list[Step]:
    """A static member starts again under another id, and its old self speaks once more."""
    old, new = draw(st.sampled_from((("m0", "m1"), ("m1", "m0"), ("m0", "m2"))))
    join = _join(old, draw(st.integers(5, 9)), group_instance_id="one", member_id="")
    sync = _sync(old, draw(st.integers(3, 5)), (old,), group_instance_id="one")
    again = _join(new, draw(st.integers(5, 9)), group_instance_id="one", member_id="")
    ghost = _heartbeat(old, group_instance_id="one")
    haunting = draw(st.sampled_from(([ghost], [sync], [ghost, sync], [])))
    return [join, sync, again, _sync(new, 3, (new,), group_instance_id="one"), *haunting]


@st.composite
def _syncs(draw: st.DrawFn) -> list[Step]:
    who = draw(st.sampled_from((MEMBERS, MEMBERS, ("m0",), ())))
    more: dict[str, Any] = {"plus": draw(_PLUS), "group_instance_id": draw(INSTANCES)}
    if draw(st.integers(0, 7)) == 0:
        more["protocol_name"] = draw(st.sampled_from((None, "robin")))
    return [_sync(draw(MEMBER), draw(st.integers(0, 5)), who, **more)]


_PLUS = st.sampled_from((0, 0, 0, 0, 0, 0, 1, -1))


def _heartbeat(member: str, version: int = 3, plus: int = 0, **more: Any) -> Step:
    fields = {"group_id": Name("g0"), "group_instance_id": None} | _who(member, plus)
    return Step(member, "Heartbeat", version, fields | more)


@st.composite
def _heartbeats(draw: st.DrawFn) -> list[Step]:
    member = draw(MEMBER)
    more = {"group_id": Name(draw(GROUP)), "group_instance_id": draw(INSTANCES)}
    return [_heartbeat(member, draw(st.integers(0, 4)), draw(_PLUS), **more)]


@st.composite
def _leaves(draw: st.DrawFn) -> list[Step]:
    version, by = draw(st.integers(0, 5)), draw(MEMBER)
    who = [Known(f"{draw(MEMBER)}.member", "stranger") for _ in range(draw(st.sampled_from((1, 1, 2))))]
    given = [
        {
            "member_id": each,
            "group_instance_id": draw(INSTANCES),
            "reason": draw(st.sampled_from((None, "bye"))),
        }
        for each in who
    ]
    fields = {"group_id": Name(draw(GROUP)), "member_id": who[0], "members": given}
    return [Step(draw(st.sampled_from((by, "admin"))), "LeaveGroup", version, fields)]


@st.composite
def _commits(draw: st.DrawFn) -> list[Step]:
    member = draw(MEMBER)
    who = draw(st.sampled_from(("member", "member", "member", "nobody", "half")))
    generation = Known(f"{member}.generation", -1, draw(_PLUS))
    parts = [
        {
            "partition_index": draw(st.sampled_from((0, 0, 1, 7))),
            "committed_offset": draw(st.sampled_from((0, 1, 5, -1))),
            "committed_leader_epoch": draw(st.sampled_from((-1, 0, 3))),
            "committed_metadata": draw(st.sampled_from(("", "m", None))),
        }
        for _ in range(draw(st.sampled_from((1, 1, 2))))
    ]
    if draw(st.integers(0, 7)) == 0:
        parts[-1] |= {"committed_metadata": "x" * 4097}
    topic = draw(st.sampled_from(("t0", "t0", "t1", "nobody")))
    fields = {
        "group_id": Name(draw(GROUP)),
        "generation_id_or_member_epoch": -1 if who == "nobody" else generation,
        "member_id": Known(f"{member}.member", "") if who == "member" else "",
        "group_instance_id": draw(INSTANCES),
        "retention_time_ms": -1,
        "topics": [{"name": Name(topic), "topic_id": TopicId(topic), "partitions": parts}],
    }
    return [Step(draw(st.sampled_from((member, "admin"))), "OffsetCommit", draw(st.integers(2, 10)), fields)]


@st.composite
def _reads(draw: st.DrawFn) -> list[Step]:
    topic, group = draw(st.sampled_from(("t0", "t0", "t1", "nobody"))), Name(draw(GROUP))
    version = draw(st.integers(1, 10))
    asked = {"name": Name(topic), "topic_id": TopicId(topic), "partition_indexes": [0, 1]}
    topics = draw(st.sampled_from(([asked], [asked], []) if version < 2 else ([asked], [asked], [], None)))
    groups = [{"group_id": group, "topics": topics, "member_id": None, "member_epoch": -1}]
    fields = {"group_id": group, "topics": topics, "groups": groups, "require_stable": draw(st.booleans())}
    return [Step("admin", "OffsetFetch", version, fields)]


@st.composite
def _describes(draw: st.DrawFn) -> list[Step]:
    several = st.lists(st.sampled_from(("g0", "g0", "g1", "nobody", "")), min_size=2, max_size=4)
    fields = {"groups": [*map(Name, draw(st.one_of(GROUP.map(lambda one: [one]), several)))]}
    return [Step("admin", "DescribeGroups", draw(st.integers(0, 6)), fields)]


@st.composite
def _deletes(draw: st.DrawFn) -> list[Step]:
    group = Name(draw(GROUP))
    if draw(st.booleans()):
        return [Step("admin", "DeleteGroups", draw(st.integers(0, 2)), {"groups_names": [group]})]
    topic = Name(draw(st.sampled_from(("t0", "t1", "nobody"))))
    parts = [{"partition_index": draw(st.sampled_from((0, 1, 7)))}]
    fields = {"group_id": group, "topics": [{"name": topic, "partitions": parts}]}
    return [Step("admin", "OffsetDelete", 0, fields)]
