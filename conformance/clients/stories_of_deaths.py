"""The stories of deaths: a member that is killed, a coordinator and a leader that crash at the worst moment.

They are added to the one list of stories.py.  What a client does about a lost coordinator is its own affair
(some join again, some just go on), so verdicts hold it to the outcome: who owns what, what was read, what is
committed.
"""

from __future__ import annotations

from conformance.clients.play import Scene
from conformance.clients.steps import (
    AwaitCrash,
    Commit,
    Consume,
    CrashCoordinator,
    CrashCoordinatorWhen,
    CrashLeaderWhen,
    Join,
    Kill,
    Leave,
    Make,
    Produce,
    Settle,
)
from conformance.clients.stories import ABC, records, story, values
from conformance.clients.stories_of_groups import BILLING
from conformance.clients.verbs import Joining, Need, Record, Sending

SHARED = Joining("billing", "orders")
ONE_EACH = tuple(Record(b"%d" % partition, partition=partition) for partition in range(4))


def _read_everything(scene: Scene) -> None:
    assert set(values(scene.seen["seen"])) == {record.value for record in ONE_EACH}


@story(
    "what a killed member owned goes to the one that is left",
    Make("orders", partitions=4),
    Join("ann", SHARED),
    Join("bob", SHARED, mortal=True),
    Settle(("ann", "bob"), "orders", into="both"),
    Kill("bob"),
    Settle(("ann",), "orders", into="alone"),
    Produce("orders", ONE_EACH),
    Consume(("ann",), 4),
)
def _(scene: Scene) -> None:
    assert scene.settled["both"].partitions("bob")
    assert scene.settled["alone"].partitions("ann") == set(range(4))
    _read_everything(scene)


@story(
    "a stable group outlives its coordinator",
    Make("orders", partitions=4),
    Join("ann", SHARED),
    Join("bob", SHARED),
    Settle(("ann", "bob"), "orders", into="before"),
    CrashCoordinator("billing"),
    Produce("orders", ONE_EACH),
    Consume(("ann", "bob"), 4),
    # Somebody new makes everybody turn to the successor; without that, the quiet might be that of a dead group.
    Join("cho", SHARED),
    Settle(("ann", "bob", "cho"), "orders", into="after"),
    needs=(Need.DEATHS, Need.READING_ON),
)
def _(scene: Scene) -> None:
    _read_everything(scene)
    assert sorted(map(len, scene.settled["after"].owned.values())) == [1, 1, 2]


@story(
    "a coordinator that dies while members join leaves them to join at its successor",
    Make("orders", partitions=4),
    Join("ann", SHARED),
    Settle(("ann",), "orders", into="one"),
    CrashCoordinatorWhen("billing", "joining"),
    Join("bob", SHARED),
    Settle(("ann", "bob"), "orders", into="both"),
    AwaitCrash(),
    Produce("orders", ONE_EACH),
    Consume(("ann", "bob"), 4),
    needs=(Need.DEATHS, Need.READING_ON),
)
def _(scene: Scene) -> None:
    both = scene.settled["both"]
    assert [len(both.owned[name]) for name in ("ann", "bob")] == [2, 2]
    _read_everything(scene)


@story(
    "a commit whose coordinator dies before it answers is committed in the end",
    Make("orders"),
    Produce("orders", ABC),
    Join("ann", BILLING),
    Consume(("ann",), 3, into="first"),
    CrashCoordinatorWhen("billing", "committing"),
    Commit("ann", ((0, 2),), stubborn=True),
    AwaitCrash(),
    Leave("ann", unheard=True),
    Join("bob", BILLING),
    Consume(("bob",), 1, into="rest"),
    needs=(Need.COMMIT, Need.DEATHS),
)
def _(scene: Scene) -> None:
    assert scene.committed("billing", "orders") == {0: 2}
    assert values(scene.seen["rest"]) == [b"c"]


# Ten sends and a death in the fifth: a client that runs anew for each of them has nine runs without one.
LOADS = tuple(records(*(f"{load}.{number}" for number in range(20))) for load in range(10))
SENT = [record.value for load in LOADS for record in load]


def _loaded(promise: str, how: Sending, *needs: Need) -> None:
    @story(
        f"a leader dies under load and {promise}",
        Make("orders"),
        CrashLeaderWhen("orders", end_offset=90),
        *(Produce("orders", load, how) for load in LOADS),
        AwaitCrash(),
        needs=(*needs, Need.DEATHS),
    )
    def _(scene: Scene) -> None:
        stored = scene.values("orders")
        assert set(SENT) <= set(stored), "every send was acknowledged, and some of it is lost"
        if how.idempotent:
            assert stored == SENT


_loaded("no acknowledged record is lost", Sending())
_loaded("an idempotent producer stores each once, in order", Sending(idempotent=True), Need.IDEMPOTENCE)
