"""Cases 107-128 and 138: members of classic groups who join, sync, stay alive, leave and come back.

A member has a connection of its own, since a JoinGroup that waits lets nothing by.
"""

from __future__ import annotations

from typing import Any

from conformance.cases.brokers import TIGHT
from conformance.cases.groups import Member, joining
from conformance.cases.stage import Stage, case


def _alone(it: Stage, **joins_with: Any) -> Member:
    """The only member of a new group, in Stable."""
    member = Member(it.line(), it.group(), **joins_with)
    member.join()
    member.sync(of={member.member_id: b"all"})
    return member


def _two(it: Stage, **joins_with: Any) -> tuple[Member, Member]:
    """Leader and follower of a stable group."""
    leader = Member(it.line(), it.group(), metadata=b"first", **joins_with)
    follower = Member(it.line(), leader.group, metadata=b"other", **joins_with)
    leader.join()
    leader.sync(of={leader.member_id: b"all"})
    _rebalance(leader, follower)
    return leader, follower


def _rebalance(leader: Member, other: Member) -> None:
    """Let `other` join and `leader` follow, and assign to both."""
    other.ask_to_join(3)
    leader.line.expect_nothing("nothing is pushed to the leader")
    leader.heartbeat()
    leader.join()
    other.hear_join()
    other.ask_to_sync()
    leader.sync(of={leader.member_id: b"left", other.member_id: b"right"})
    other.line.hear()


@case("107", "The first member of a new group waits for others for a while", on=TIGHT)
def _(it: Stage) -> None:
    first = Member(it.line(), it.group())
    first.ask_to_join(3)
    first.line.expect_nothing("it waits")
    it.brokers.let_pass(3_100)
    first.hear_join()


@case("108", "A member without an id gets one, and joins with it")
def _(it: Stage) -> None:
    group, line = it.group(), it.line()
    given = line.ask("JoinGroup", 4, **joining(group))["member_id"]
    # A group of which nothing is written yet may be Empty or Dead to real Kafka: it is read as of a moment before.
    (described,) = it.quietly("DescribeGroups", 5, groups=[group])["groups"]
    it.tell("who is in the group", described["members"])
    who = {"group_id": group, "member_id": given}
    line.ask("Heartbeat", 3, **who, generation_id=-1)
    line.ask("SyncGroup", 3, **who, generation_id=-1)
    line.ask("LeaveGroup", 3, group_id=group, members=[{"member_id": given}])
    line.ask("JoinGroup", 4, **joining(group, member_id=given))


@case("108a", "An id that nobody joins with is unknown after the session timeout")
def _(it: Stage) -> None:
    group, line = it.group(), it.line()
    given = line.ask("JoinGroup", 4, **joining(group, session_timeout=6_000))["member_id"]
    it.brokers.let_pass(6_500)
    line.ask("JoinGroup", 4, **joining(group, member_id=given, session_timeout=6_000))


@case("108b", "Every version of JoinGroup in its own form; before version 4 nobody needs an id first")
def _(it: Stage) -> None:
    for version in range(10):
        group = it.group(f"group-{version}")
        fields = joining(group)
        if version == 0:
            del fields["rebalance_timeout"]
        line = it.line()
        answer = line.ask("JoinGroup", version, **fields)
        if answer["error_code"] == "MEMBER_ID_REQUIRED":
            line.ask("JoinGroup", version, **fields | {"member_id": answer["member_id"]})


@case("109", "A session timeout has its bounds")
def _(it: Stage) -> None:
    group = it.group()
    for timeout in (5_000, 5_999, 1_800_001):
        it.ask("JoinGroup", 5, **joining(group, session_timeout=timeout, member_id="me"))
    for timeout in (6_000, 1_800_000):
        it.ask("JoinGroup", 3, **joining(it.group(f"group-{timeout}"), session_timeout=timeout))


@case("110", "Who has no protocol in common with the members is not let in")
def _(it: Stage) -> None:
    member = _alone(it)
    for wrong in (
        joining(member.group, protocols=("roundrobin",)),
        joining(member.group) | {"protocol_type": "connect"},
        joining(member.group) | {"protocols": []},
        joining(member.group) | {"protocol_type": ""},
    ):
        it.ask("JoinGroup", 3, **wrong)
    member.heartbeat()


@case("110a", "Not even a lone member may change all its protocols")
def _(it: Stage) -> None:
    member = _alone(it)
    me: dict[str, Any] = {"member_id": member.member_id}
    member.line.ask("JoinGroup", 5, **joining(member.group, protocols=("roundrobin",), **me))
    member.line.ask("JoinGroup", 5, **joining(member.group, **me) | {"protocol_type": "connect"})
    member.heartbeat()


@case("110b", "A new group needs protocols, and a type")
def _(it: Stage) -> None:
    group = it.group()
    for wrong in (joining(group) | {"protocols": []}, joining(group) | {"protocol_type": ""}):
        it.ask("JoinGroup", 3, **wrong)


@case("111", "Where a group lives hangs on its name")
def _(it: Stage) -> None:
    it.group()  # makes the topic
    names = ["group-1", "my-group", "test", "polygenelubricants", "\U0001d4b3group", ""]
    it.ask("FindCoordinator", 4, coordinator_keys=names)
    for version in range(4):
        kind = {"key_type": 0} if version else {}
        it.ask("FindCoordinator", version, key="group-1", **kind)
    it.ask("FindCoordinator", 4, coordinator_keys=["a"], key_type=7)
    it.ask("FindCoordinator", 4, coordinator_keys=[])


@case("111a", "A group without a name is no group")
def _(it: Stage) -> None:
    it.group()
    it.ask("JoinGroup", 5, **joining(""))
    it.ask("SyncGroup", 3, group_id="", generation_id=1, member_id="me")
    it.ask("Heartbeat", 3, group_id="", generation_id=1, member_id="me")
    it.ask("LeaveGroup", 3, group_id="", members=[{"member_id": "me"}])
    it.ask("DescribeGroups", 5, groups=[""])


@case(
    "112",
    "Generations count from 1; only the leader hears of the members; followers wait for it",
    also=(
        113,
        116,
    ),
)
def _(it: Stage) -> None:
    leader, follower = _two(it)
    leader.heartbeat()
    follower.heartbeat()
    it.ask("DescribeGroups", 5, groups=[leader.group])


@case(
    "114",
    "A follower that joins again unchanged gets the present generation, the leader a new one",
    also=(115,),
)
def _(it: Stage) -> None:
    leader, follower = _two(it)
    follower.join()
    leader.heartbeat()
    leader.ask_to_join()
    leader.line.expect_nothing("the follower is waited for")
    follower.heartbeat()
    follower.join()
    leader.hear_join()
    follower.ask_to_sync()
    leader.sync(of={leader.member_id: b"l", follower.member_id: b"r"})
    follower.line.hear()


@case("114a", "A follower whose metadata has changed makes a new generation")
def _(it: Stage) -> None:
    leader, follower = _two(it)
    follower.ask_to_join(metadata=b"anew")
    follower.line.expect_nothing("the leader is waited for")
    leader.heartbeat()
    leader.join()
    follower.hear_join()


@case("117", "SyncGroup wants the right member, generation, protocol and moment")
def _(it: Stage) -> None:
    member = _alone(it)
    me = member.as_member()
    member.line.ask("SyncGroup", 3, **me | {"generation_id": 7})
    member.line.ask("SyncGroup", 3, **me | {"member_id": "nobody"})
    member.line.ask("SyncGroup", 3, **me | {"group_id": it.name("nothing")})
    for type, name in (("consumer", "range"), ("connect", "range"), ("consumer", "other"), (None, None)):
        member.line.ask("SyncGroup", 5, **me, protocol_type=type, protocol_name=name)
    for version in (0, 1, 2, 4):
        member.line.ask("SyncGroup", version, **me)
    other = Member(it.line(), member.group, metadata=b"other")
    other.ask_to_join(3)
    other.line.expect_nothing("it waits")
    member.sync()
    member.join(3)
    other.hear_join()


@case("118", "Heartbeats by state, generation and member")
def _(it: Stage) -> None:
    member = Member(it.line(), it.group())
    member.join()
    member.heartbeat()
    member.sync(of={member.member_id: b"all"})
    for version in range(5):
        member.heartbeat(version)
    member.heartbeat(generation_id=7)
    member.heartbeat(generation_id=0)
    member.heartbeat(member_id="nobody")
    member.heartbeat(group_id=it.name("nothing"))
    other = Member(it.line(), member.group, metadata=b"other")
    other.ask_to_join(3)
    other.line.expect_nothing("it waits")
    member.heartbeat()
    member.heartbeat(generation_id=0)
    member.join(3)
    other.hear_join()


@case("119", "A member of which nothing is heard is removed, and the others are told to join again")
def _(it: Stage) -> None:
    leader, follower = _two(it, session_timeout=6_000)
    it.brokers.let_pass(3_000)
    leader.heartbeat()
    it.brokers.let_pass(3_500)
    leader.heartbeat()
    follower.heartbeat()
    leader.join()


@case("120", "Who waits in a join does not have to send heartbeats")
def _(it: Stage) -> None:
    waiting, absent = _two(it, session_timeout=6_000, rebalance_timeout=60_000)
    waiting.ask_to_join()
    waiting.line.expect_nothing("it waits for the other")
    for _ in range(3):
        it.brokers.let_pass(4_000)
        absent.heartbeat()
    absent.join()
    waiting.hear_join()


@case("121", "Who does not join again within the rebalance timeout is left behind")
def _(it: Stage) -> None:
    leader, absent = _two(it, session_timeout=30_000, rebalance_timeout=6_500)
    leader.ask_to_join()
    leader.line.expect_nothing("it waits")
    it.brokers.let_pass(7_000)
    leader.hear_join()
    absent.heartbeat()


@case("122", "A leader that never assigns is removed after the rebalance timeout")
def _(it: Stage) -> None:
    leader, follower = _two(it, session_timeout=30_000, rebalance_timeout=3_000)
    follower.ask_to_join(metadata=b"anew")
    leader.join()
    follower.hear_join()
    follower.ask_to_sync()
    it.brokers.let_pass(3_500)
    follower.line.hear()
    leader.heartbeat()
    it.ask("DescribeGroups", 5, groups=[leader.group])


@case("123", "Leaving answers for each member, and in older versions for one")
def _(it: Stage) -> None:
    leader, follower = _two(it)
    both = [{"member_id": "nobody"}, {"member_id": follower.member_id}]
    it.ask("LeaveGroup", 3, group_id=leader.group, members=both)
    leader.heartbeat()
    it.ask("LeaveGroup", 0, group_id=leader.group, member_id="nobody")
    it.ask("LeaveGroup", 2, group_id=leader.group, member_id=leader.member_id)
    it.ask("LeaveGroup", 3, group_id=it.name("nothing"), members=[{"member_id": "me"}])
    it.ask("LeaveGroup", 3, group_id=leader.group, members=[])
    it.ask("DescribeGroups", 5, groups=[leader.group])


@case("138", "The protocol that most members put first is chosen, of those that all have")
def _(it: Stage) -> None:
    group = it.group()
    members = [
        Member(it.line(), group, protocols=protocols, metadata=name)
        for name, protocols in ((b"a", ("x", "y")), (b"b", ("y", "x")), (b"c", ("y", "x", "z")))
    ]
    members[0].join(3)
    for member in members[1:]:
        member.ask_to_join(3)
        member.line.expect_nothing("it waits")
    members[0].join(3)
    for member in members[1:]:
        member.hear_join()
