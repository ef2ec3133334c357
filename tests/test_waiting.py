from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest

from mockbroker import Cluster, UsageError
from mockbroker.waiting import Condition, WaitTimeout
from tests.handles.members import RawClient, fetch_request
from tests.server.wire import VERSIONS, eventually


def exists(cluster: Cluster, topic: str) -> Condition[bool]:
    return Condition(
        f"{topic} to exist", lambda: cluster.topic(topic).exists or None, lambda: "there is no such topic"
    )


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def waiting(cluster: Cluster) -> int:
    return cluster.do(lambda: len(cluster.world.lookouts))


def test_a_wait_ends_in_the_step_that_fulfils_it(mockbroker: Cluster) -> None:
    found = list[bool]()
    thread = in_background(lambda: found.append(mockbroker.wait(exists(mockbroker, "orders"))))
    eventually(lambda: waiting(mockbroker) == 1)
    mockbroker.topic("orders").create()
    assert waiting(mockbroker) == 0
    thread.join()
    assert found == [True]


def test_several_may_wait_at_once_each_for_something_else(mockbroker: Cluster) -> None:
    done = list[str]()

    def wait_for(topic: str) -> None:
        mockbroker.wait(exists(mockbroker, topic))
        done.append(topic)

    threads = [in_background(lambda topic=topic: wait_for(topic)) for topic in "abc"]  # type: ignore[misc]  # a default binds it
    eventually(lambda: waiting(mockbroker) == 3)
    for topic, thread in zip("abc", threads, strict=True):
        mockbroker.topic(topic).create()
        thread.join()
    assert done == ["a", "b", "c"]


def test_a_condition_may_give_orders_which_are_carried_out_once_and_in_that_very_step(
    mockbroker: Cluster,
) -> None:
    mockbroker.topic("orders").create()
    appended = list[int]()

    def look() -> int | None:
        if not appended and mockbroker.topic("orders").values():
            appended.append(mockbroker.topic("orders").append(None, "at once"))
        return appended[0] if appended else None

    def act_and_see() -> list[bytes | None]:
        mockbroker.topic("orders").append(None, "the event")
        mockbroker.world.settle()
        return mockbroker.topic("orders").values()

    thread = in_background(lambda: mockbroker.wait(Condition("an event", look, lambda: "none yet")))
    eventually(lambda: waiting(mockbroker) == 1)
    assert mockbroker.do(act_and_see) == [b"the event", b"at once"]
    thread.join()
    assert appended == [1]


def test_a_condition_that_fails_to_look_fails_the_wait_and_nothing_else(mockbroker: Cluster) -> None:
    def look() -> bool:
        raise UsageError("look elsewhere")

    with pytest.raises(UsageError, match="look elsewhere"):
        mockbroker.wait(Condition("nothing", look, lambda: ""))
    assert waiting(mockbroker) == 0
    mockbroker.topic("orders").create()


def test_a_wait_that_is_given_up_leaves_nobody_looking(mockbroker: Cluster) -> None:
    with pytest.raises(WaitTimeout):
        mockbroker.wait(exists(mockbroker, "orders"), timeout=0)
    assert waiting(mockbroker) == 0


def test_a_failed_wait_is_an_assertion_that_failed() -> None:
    assert issubclass(WaitTimeout, AssertionError)


def test_a_deadline_is_the_clusters_unless_the_call_has_its_own(
    make_mockbroker: Callable[..., Cluster],
) -> None:
    cluster = make_mockbroker(wait="1ms")
    with pytest.raises(
        WaitTimeout, match=r"^waited 0\.001 s for orders to exist; instead: there is no such topic\n"
    ):
        cluster.wait(exists(cluster, "orders"))
    with pytest.raises(WaitTimeout, match=r"^waited 0 s for"):
        cluster.wait(exists(cluster, "orders"), "0s")


def report(cluster: Cluster) -> str:
    """What a wait for nothing tells, with times and ports by name."""
    with pytest.raises(WaitTimeout) as told:
        cluster.wait(Condition("godot", lambda: None, lambda: "a tree"), timeout=0)
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", str(told.value))
    return re.sub(r"(?m)^ *\d+\.\d (?=\S)", "     T.T ", text)


def test_a_report_of_a_cluster_that_nobody_has_asked_for_anything(mockbroker: Cluster) -> None:
    assert report(mockbroker) == (
        "waited 0 s for godot; instead: a tree\n"
        "no request is parked\n"
        "nothing has happened yet: no client has asked for anything"
    )  # fmt: skip


def test_a_report_says_who_waits_for_what_who_is_down_and_what_happened(mockbroker: Cluster) -> None:
    mockbroker.topic("orders").create()
    leader = mockbroker.leader_of("orders")
    with RawClient(mockbroker, leader.id, "app-a") as client:
        client.ask(VERSIONS, 3)
        client.send(fetch_request("orders", 0, 0, max_wait_ms=60_000), 11)
        eventually(lambda: "app-a" in str(mockbroker.do(parked, mockbroker)))
        mockbroker.broker(2).crash()
        mockbroker.broker(3).pause(noticed="1h")
        assert report(mockbroker) == (
            "waited 0 s for godot; instead: a tree\n"
            "broker 2 is down\n"
            "broker 3 is paused\n"
            "parked requests:\n"
            "  app-a at HOST: a fetch waits for 1 bytes, has 0: orders-0 from 0\n"
            "    t+ms who        what\n"
            "     T.T test       create orders p=1 rf=3\n"
            "     T.T app-a c1   ApiVersions test 1 -> ok\n"
            "     T.T test       broker 2: crash\n"
            "     T.T test       broker 3: pause"
        )


def parked(cluster: Cluster) -> list[str | None]:
    return [connection.waits_for() for connection in cluster.server.connections]


def test_a_report_tells_no_more_than_the_last_twelve_rows(mockbroker: Cluster) -> None:
    for _ in range(10):
        mockbroker.broker(1).crash()
        mockbroker.broker(1).restart()
    told = report(mockbroker)
    assert told.count("broker 1: ") == 12
    assert "---- 8 rows left out ----" in told


def test_a_wait_in_vain_is_part_of_the_history(mockbroker: Cluster) -> None:
    report(mockbroker)
    (vain,) = mockbroker.history.events()
    assert (vain.kind, vain.text) == ("wait", "waited 0 s in vain for godot")
