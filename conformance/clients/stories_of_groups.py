"""The stories of consumer groups: sharing, committing, taking over, coming back.

They are added to the one list of stories.py.  A verdict never assumes which member got which partition
unless the assignor promises it.
"""

from __future__ import annotations

from typing import Literal

from conformance.clients.play import Scene
from conformance.clients.steps import Commit, Consume, Join, Leave, Make, Produce, Settle
from conformance.clients.stories import ABC, records, sorted_values, story, values
from conformance.clients.verbs import Joining, Need, Record

BILLING = Joining("billing", "orders")
DEF = records("d", "e", "f")


@story(
    "a group reads a topic and its commit is where the next member starts",
    Make("orders"),
    Produce("orders", ABC),
    Join("first", BILLING),
    Consume(("first",), 3, into="first"),
    Commit("first"),
    Leave("first"),
    Produce("orders", DEF),
    Join("second", BILLING),
    Consume(("second",), 3, into="second"),
    needs=(Need.COMMIT,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["first"]) == [b"a", b"b", b"c"]
    assert values(scene.seen["second"]) == [b"d", b"e", b"f"]
    assert scene.committed("billing", "orders") == {0: 3}


@story(
    "an offset committed by hand is where the next member starts",
    Make("orders"),
    Produce("orders", ABC),
    Join("first", BILLING),
    Consume(("first",), 3, into="first"),
    Commit("first", ((0, 1),)),
    Leave("first"),
    Join("second", BILLING),
    Consume(("second",), 2, into="second"),
    needs=(Need.COMMIT,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["second"]) == [b"b", b"c"]
    assert scene.committed("billing", "orders") == {0: 1}


@story(
    "without a commit the next member reads everything again",
    Make("orders"),
    Produce("orders", ABC),
    Join("first", BILLING),
    Consume(("first",), 3, into="first"),
    Leave("first"),
    Join("second", BILLING),
    Consume(("second",), 3, into="second"),
    needs=(Need.UNCOMMITTED,),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["second"]) == [b"a", b"b", b"c"]
    assert scene.committed("billing", "orders") == {}


AUTO = Joining("billing", "orders", auto_commit=True)


@story(
    "what a member has read is committed when it leaves, if it commits by itself",
    Make("orders"),
    Produce("orders", ABC),
    Join("first", AUTO),
    Consume(("first",), 3, into="first"),
    Leave("first"),
    Produce("orders", DEF),
    Join("second", AUTO),
    Consume(("second",), 3, into="second"),
)
def _(scene: Scene) -> None:
    assert values(scene.seen["second"]) == [b"d", b"e", b"f"]
    assert scene.committed("billing", "orders")[0] >= 3  # the second one may commit on its way, too


Strategy = Literal["range", "roundrobin", "sticky", "cooperative-sticky"]
ALL = ("ann", "bob", "cho")


def _shared(strategy: Strategy, need: Need) -> None:
    joining = Joining("billing", "orders", strategy)

    @story(
        f"three members share six partitions by {strategy}, one leaves, the rest take over",
        Make("orders", partitions=6),
        Join("ann", joining),
        Settle(("ann",), "orders", into="one"),
        Join("bob", joining),
        Join("cho", joining),
        Settle(ALL, "orders", into="three"),
        Leave("bob"),
        Settle(("ann", "cho"), "orders", into="two"),
        Produce("orders", tuple(Record(b"%d" % partition, partition=partition) for partition in range(6))),
        Consume(("ann", "cho"), 6),
        needs=(need,),
    )
    def _(scene: Scene) -> None:
        assert scene.settled["one"].partitions("ann") == set(range(6))
        three, two = scene.settled["three"], scene.settled["two"]
        assert [len(three.owned[name]) for name in ALL] == [2, 2, 2]
        assert [len(two.owned[name]) for name in ("ann", "cho")] == [3, 3]
        assert sorted_values(scene.seen["seen"]) == [b"%d" % partition for partition in range(6)]
        _as_promised(strategy, scene)


def _as_promised(strategy: Strategy, scene: Scene) -> None:
    """What each assignor promises beyond fairness."""
    three, two = scene.settled["three"], scene.settled["two"]
    shares = [three.partitions(name) for name in ALL]
    if strategy == "range":
        assert sorted(map(sorted, shares)) == [[0, 1], [2, 3], [4, 5]]
    elif strategy == "roundrobin":
        assert sorted(map(sorted, shares)) == [[0, 3], [1, 4], [2, 5]]
    else:
        # Sticky: whoever stays keeps what it had and takes its part of what was left behind.
        assert three.partitions("ann") <= two.partitions("ann")
        assert three.partitions("cho") <= two.partitions("cho")


_shared("range", Need.RANGE)
_shared("roundrobin", Need.ROUND_ROBIN)
_shared("sticky", Need.STICKY)
_shared("cooperative-sticky", Need.COOPERATIVE)


@story(
    "a static member that comes back in time has its partitions and disturbs nobody",
    Make("orders", partitions=4),
    Join("ann", Joining("billing", "orders", instance="ann")),
    Join("bob", Joining("billing", "orders", instance="bob")),
    Settle(("ann", "bob"), "orders", into="before"),
    Leave("bob"),
    Join("bob", Joining("billing", "orders", instance="bob")),
    Settle(("ann", "bob"), "orders", into="after"),
    Produce("orders", tuple(Record(b"%d" % partition, partition=partition) for partition in range(4))),
    Consume(("ann", "bob"), 4),
    needs=(Need.STATIC,),
)
def _(scene: Scene) -> None:
    before, after = scene.settled["before"], scene.settled["after"]
    assert after.owned == before.owned
    assert scene.members["ann"].rebalances == before.rebalances["ann"]
    assert sorted_values(scene.seen["seen"]) == [b"%d" % partition for partition in range(4)]


@story(
    "a member that was in the middle of a topic hands over where it committed",
    Make("orders", partitions=2),
    Produce("orders", (*records("a0", "b0", "c0"), *records("a1", "b1", "c1", partition=1))),
    Join("ann", BILLING),
    Consume(("ann",), 6, into="first"),
    Commit("ann", ((0, 1), (1, 2))),
    Join("bob", BILLING),
    Settle(("ann", "bob"), "orders", into="both"),
    Leave("ann"),
    Leave("bob"),
    Join("cho", BILLING),
    Consume(("cho",), 3, into="rest"),
    needs=(Need.COMMIT,),
)
def _(scene: Scene) -> None:
    assert sorted_values(scene.seen["rest"]) == [b"b0", b"c0", b"c1"]
