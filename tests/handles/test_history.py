"""What happened, as a test asks for it: by what it is about, as files, and by waiting for it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from mockbroker import Api, Cluster, ErrorCode, UsageError, WaitTimeout, open_cluster
from mockbroker.handles.history import Event
from tests.handles.members import RawClient, members
from tests.server.wire import VERSIONS, eventually, metadata


@pytest.fixture
def busy(mockbroker: Cluster) -> Cluster:
    """A cluster in which a member has read nothing, committed something, and asked for a topic in vain."""
    mockbroker.topic("orders").create()
    with members(mockbroker, "app-a") as (a,), RawClient(mockbroker, 2, "app-b") as b:
        a.commit("orders", {0: 1})
        b.ask(metadata("order"), 7)
    return mockbroker


def test_events_are_found_by_what_they_are_about(busy: Cluster) -> None:
    history = busy.history
    assert [event.api for event in history.events(group="billing")] == [
        "JoinGroup",
        "SyncGroup",
        "OffsetCommit",
    ]
    assert [event.api for event in history.events("Metadata", client_id="app-b")] == ["Metadata"]
    assert [event.text for event in history.events(topic="orders")] == [
        "create orders p=1 rf=3",
        "OffsetCommit billing gen 1 orders-0@1 -> ok",
    ]
    assert [event.broker for event in history.events(error="UNKNOWN_TOPIC_OR_PARTITION")] == [2]
    assert history.events("JoinGroup", broker=busy.coordinator_of("billing").id, group="billing")
    assert not history.events("JoinGroup", broker=9)


def test_an_api_and_an_error_may_be_named_in_any_of_their_ways(busy: Cluster) -> None:
    history = busy.history
    assert (
        history.events("OFFSET_COMMIT") == history.events("OffsetCommit") == history.events(Api.OFFSET_COMMIT)
    )
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert history.events(error=code) == history.events(error=code.name) != []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"api": "Joingroup"}, "no API named 'Joingroup'; did you mean"),
        ({"error": "NOT_LEADER"}, "no error named 'NOT_LEADER'"),
    ],
)
def test_a_misspelled_name_is_an_error_and_no_empty_list(
    mockbroker: Cluster, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        mockbroker.history.events(**wrong)  # type: ignore[arg-type]  # one of the two is given
    with pytest.raises(UsageError, match=said):
        mockbroker.history.wait_for(**wrong, timeout=0)  # type: ignore[arg-type]  # as above


def test_an_event_is_a_value_with_the_messages_in_it(busy: Cluster) -> None:
    (event,) = busy.history.events("OffsetCommit")
    assert (event.kind, event.version, event.client_id) == ("request", 2, "app-a")
    assert (event.groups, event.topics, event.errors, event.error) == (("billing",), ("orders",), (), None)
    assert event.request.topics[0].partitions[0].committed_offset == 1
    assert event.response.topics[0].partitions[0].error_code == 0
    assert 0 <= event.took <= event.at
    with pytest.raises(AttributeError):
        event.api = "Fetch"  # type: ignore[misc]  # that is the point


def test_a_history_has_a_length_and_may_be_walked(busy: Cluster) -> None:
    history = busy.history
    assert [event.number for event in history][:3] == [1, 2, 3]
    assert len(history) >= len(history.events("OffsetCommit"))
    assert repr(history).startswith("<History of ")
    assert history.dropped == 0


def test_a_note_is_among_the_events_and_a_place_to_look_after(busy: Cluster) -> None:
    note = busy.history.note("second deployment")
    assert (note.kind, note.text) == ("note", "second deployment")
    assert busy.history.events("ApiVersions", after=note) == []
    with RawClient(busy, 1, "app-c") as c:
        c.ask(VERSIONS, 3)
    assert [event.client_id for event in busy.history.events("ApiVersions", after=note)] == ["app-c"]


def test_a_reset_forgets_everything_and_time_begins_anew(busy: Cluster) -> None:
    number = busy.history.note("before").number
    busy.reset()
    assert len(busy.history) == 0
    after = busy.history.note("after")
    assert after.number > number
    assert after.at < 20


def test_clients_that_come_and_go_are_told(mockbroker: Cluster) -> None:
    with RawClient(mockbroker, 1, "app-a") as client:
        client.ask(VERSIONS, 3)
    eventually(lambda: mockbroker.history.events()[-1].kind == "closed")
    assert [event.kind for event in mockbroker.history] == ["connected", "request", "closed"]


# -- waiting ------------------------------------------------------------------------------------------


def test_what_has_happened_already_is_not_waited_for(busy: Cluster) -> None:
    assert busy.history.wait_for("OffsetCommit", group="billing", timeout=0).client_id == "app-a"


def test_a_wait_ends_with_the_request_it_is_for(mockbroker: Cluster) -> None:
    found = list[Event]()
    waiter = threading.Thread(
        target=lambda: found.append(
            mockbroker.history.wait_for("Metadata", error="UNKNOWN_TOPIC_OR_PARTITION")
        )
    )
    waiter.start()
    eventually(lambda: mockbroker.do(lambda: mockbroker.world.history.awaited) == 1)
    with RawClient(mockbroker, 1, "app-a") as client:
        client.ask(metadata("orders"), 7)
        waiter.join()
    assert [event.client_id for event in found] == ["app-a"]
    assert mockbroker.do(lambda: mockbroker.world.history.awaited) == 0


def test_a_wait_may_be_for_another_one(busy: Cluster) -> None:
    first = busy.history.wait_for("OffsetCommit")
    with pytest.raises(
        WaitTimeout, match=r"^waited 0 s for OffsetCommit in the history; instead: there were 0"
    ):
        busy.history.wait_for("OffsetCommit", after=first, timeout=0)


def test_a_wait_in_vain_says_what_there_was_instead(busy: Cluster) -> None:
    with pytest.raises(WaitTimeout) as told:
        busy.history.wait_for("OffsetCommit", group="billing", error="ILLEGAL_GENERATION", timeout=0)
    assert str(told.value).splitlines()[0] == (
        "waited 0 s for OffsetCommit group=billing error=ILLEGAL_GENERATION in the history; instead: there were 1 "
        "OffsetCommit requests: OffsetCommit billing gen 1 orders-0@1 -> ok"
    )
    assert busy.do(lambda: busy.world.history.awaited) == 0


def test_a_trio_test_awaits_the_same() -> None:
    async def main() -> None:
        async with open_cluster(topics={"orders": 1}) as cluster:
            cluster.topic("orders").append("o-1", "v")
            event = await cluster.history.wait_for(topic="orders")
            assert event.text == "create orders p=1 rf=3"
            with pytest.raises(WaitTimeout):
                await cluster.history.wait_for("Produce", timeout=0)

    trio.run(main)


# -- files --------------------------------------------------------------------------------------------


def test_a_dump_of_lines_has_every_event(busy: Cluster, tmp_path: Path) -> None:
    written = busy.history.dump(tmp_path / "history.jsonl")
    lines = [json.loads(line) for line in written.read_text("utf-8").splitlines()]
    assert [line["number"] for line in lines] == [event.number for event in busy.history.events()][
        : len(lines)
    ]
    assert {"act", "request", "connected"} <= {line["kind"] for line in lines}


def test_a_dump_for_people_is_a_page(busy: Cluster, tmp_path: Path) -> None:
    page = busy.history.dump(str(tmp_path / "history.html")).read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "OffsetCommit billing gen 1 orders-0@1 -\\u003e ok" in page


def test_a_dump_to_anything_else_is_refused(mockbroker: Cluster, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name a file that ends in \.jsonl or \.html"):
        mockbroker.history.dump(tmp_path / "history.txt")


def test_a_cluster_may_keep_no_history(make_mockbroker: Any) -> None:
    cluster: Cluster = make_mockbroker(history=False)
    with RawClient(cluster, 1, "app-a") as client:
        client.ask(VERSIONS, 3)
    assert len(cluster.history) == 0
    assert cluster.do(lambda: len(cluster.world.history.open)) == 0
    with pytest.raises(WaitTimeout, match=r"no history was kept \(history=False\)"):
        cluster.topic("orders").wait_records(1, timeout=0)
