"""Cases 124-128: members with a name that outlives them, and groups that are full."""

from __future__ import annotations

from typing import Any

from conformance.cases.brokers import TIGHT
from conformance.cases.groups import Member, joining
from conformance.cases.stage import Stage, case


def _static(it: Stage, **more: Any) -> Member:
    """The only member of a stable group, by the name "one"."""
    member = Member(it.line(), it.group(), group_instance_id="one", **more)
    member.join()
    member.ask_to_sync(of={member.member_id: b"all"}, group_instance_id="one")
    member.line.hear()
    return member


@case("124", "A static member that starts again keeps its place, and its old id is fenced")
def _(it: Stage) -> None:
    old = _static(it)
    new = Member(it.line(), old.group, group_instance_id="one")
    new.join()
    new.ask_to_sync(group_instance_id="one")
    new.line.hear()
    me = old.as_member() | {"group_instance_id": "one"}
    old.line.ask("Heartbeat", 3, **me)
    old.line.ask("SyncGroup", 3, **me)
    old.line.ask("JoinGroup", 5, **joining(old.group, member_id=old.member_id, group_instance_id="one"))
    old.line.ask(
        "LeaveGroup",
        3,
        group_id=old.group,
        members=[{"member_id": old.member_id, "group_instance_id": "one"}],
    )
    old.line.ask("Heartbeat", 3, **me | {"group_instance_id": "two"})
    new.line.ask("Heartbeat", 3, **new.as_member() | {"group_instance_id": "one"})
    it.ask("DescribeGroups", 5, groups=[old.group])


@case("124a", "A static member whose metadata is new but whose protocol is not keeps its place")
def _(it: Stage) -> None:
    old = _static(it)
    new = Member(it.line(), old.group, group_instance_id="one", metadata=b"anew")
    new.join()
    new.ask_to_sync(group_instance_id="one")
    new.line.hear()


@case("125", "A leader that starts again is told whether to assign")
def _(it: Stage) -> None:
    for version in (9, 5):
        group = it.group(f"group-{version}")
        old = Member(it.line(), group, group_instance_id="one")
        old.join(version)
        old.ask_to_sync(of={old.member_id: b"all"}, group_instance_id="one")
        old.line.hear()
        new = Member(it.line(), group, group_instance_id="one")
        new.join(version)


@case("126", "A static member that leaves by its name is gone")
def _(it: Stage) -> None:
    old = _static(it)
    it.ask("LeaveGroup", 3, group_id=old.group, members=[{"member_id": "", "group_instance_id": "one"}])
    it.ask("LeaveGroup", 3, group_id=old.group, members=[{"member_id": "", "group_instance_id": "one"}])
    it.ask("DescribeGroups", 5, groups=[old.group])


@case("127", "A static id in a join with another member id")
def _(it: Stage) -> None:
    old = _static(it)
    for version in (5, 9):
        it.ask("JoinGroup", version, **joining(old.group, member_id="other", group_instance_id="one"))
        it.ask("JoinGroup", version, **joining(old.group, member_id="other", group_instance_id="two"))
    old.line.ask("Heartbeat", 3, **old.as_member() | {"group_instance_id": "one"})


@case("128", "A group that is full takes nobody", on=TIGHT)
def _(it: Stage) -> None:
    group = it.group()
    members = [Member(it.line(), group, metadata=name) for name in (b"a", b"b")]
    for member in members:
        member.ask_to_join(3)
        member.line.expect_nothing("it waits")
    it.brokers.let_pass(3_500)
    for member in members:
        member.hear_join()
    it.ask("JoinGroup", 3, **joining(group))
    it.ask("JoinGroup", 5, **joining(group))
    members[0].heartbeat()
