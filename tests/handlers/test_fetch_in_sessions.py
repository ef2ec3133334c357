"""Fetch in sessions (KIP-227): what an increment tells, and when a session is not to be had."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from tests.core.simulation import INT32_MAX, TOPIC, Simulation


def in_session(
    sim: Simulation, session: tuple[int, int], *parts: int, version: int = 12, **how: Any
) -> FetchResponse:
    """Fetch as part of a session, from the end of each named partition."""
    wanted = [FetchPartition(partition=i, fetch_offset=0, partition_max_bytes=INT32_MAX) for i in parts]
    topics = [FetchTopic(topic=TOPIC, topic_id=sim.topic_id(), partitions=wanted)] if parts else []
    body = FetchRequest(session_id=session[0], session_epoch=session[1], topics=topics, **how)
    response: FetchResponse = sim.ask(body, to=1, version=version).response
    return response


def told(response: FetchResponse) -> list[tuple[int, int]]:
    return [(p.partition_index, p.error_code) for t in response.responses for p in t.partitions]


@pytest.fixture
def two() -> Simulation:
    """`orders` with two partitions."""
    simulation = Simulation()
    simulation.topic(assignments=[[1, 2], [1, 2]])
    return simulation


def test_an_increment_tells_only_what_changed(two: Simulation) -> None:
    opened = in_session(two, (0, 0), 0, 1)
    assert opened.session_id > 0
    assert told(opened) == [(0, 0), (1, 0)]
    quiet = in_session(two, (opened.session_id, 1))
    assert (quiet.session_id, told(quiet)) == (opened.session_id, [])
    two.produce(b"news", index=1)
    assert told(in_session(two, (opened.session_id, 2))) == [(1, 0)]


def test_a_wrong_epoch_or_id_is_refused_and_the_session_lives_on(two: Simulation) -> None:
    id = in_session(two, (0, 0), 0).session_id
    for session, code in [
        ((id, 5), ErrorCode.INVALID_FETCH_SESSION_EPOCH),
        ((id + 1, 1), ErrorCode.FETCH_SESSION_ID_NOT_FOUND),
        ((0, 5), ErrorCode.FETCH_SESSION_ID_NOT_FOUND),
        ((0, -7), ErrorCode.FETCH_SESSION_ID_NOT_FOUND),
    ]:
        refused = in_session(two, session)
        assert (refused.error_code, refused.session_id, refused.responses) == (code, 0, [])
    assert in_session(two, (id, 1)).error_code == ErrorCode.NONE


def test_an_unknown_id_may_begin_anew_or_do_without(two: Simulation) -> None:
    assert in_session(two, (4711, 0), 0).session_id > 0
    sessionless = in_session(two, (4711, -1), 0)
    assert (sessionless.session_id, told(sessionless)) == (0, [(0, 0)])


def test_a_session_may_be_closed(two: Simulation) -> None:
    id = in_session(two, (0, 0), 0).session_id
    assert told(in_session(two, (id, -1), 0)) == [(0, 0)]
    assert in_session(two, (id, 1)).error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_names_and_ids_do_not_mix_in_a_session(two: Simulation) -> None:
    id = in_session(two, (0, 0), 0).session_id
    assert in_session(two, (id, 1), version=13).error_code == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    assert in_session(two, (id, 1)).error_code == ErrorCode.NONE


def test_an_error_is_repeated_and_after_it_everything_is_news(two: Simulation) -> None:
    id = in_session(two, (0, 0), 0).session_id
    two.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    two.world.settle()
    version = 10
    id = in_session(two, (0, 0), 0, version=version).session_id
    for epoch in (1, 2):
        expected = [(0, ErrorCode.NOT_LEADER_OR_FOLLOWER)]
        assert told(in_session(two, (id, epoch), version=version)) == expected
    two.world.controller.move_leader(TOPIC, 0, 1, unclean=False)
    two.world.settle()
    assert told(in_session(two, (id, 3), version=version)) == [(0, 0)]
    assert told(in_session(two, (id, 4), version=version)) == []


def test_a_session_by_id_knows_that_its_topic_was_deleted_and_made_anew(two: Simulation) -> None:
    id = in_session(two, (0, 0), 0, version=13).session_id
    two.delete()
    gone = sim_fetch_nothing(two, (id, 1))
    assert told(gone) == [(0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
    two.topic(assignments=[[1, 2]])
    another = sim_fetch_nothing(two, (id, 2))
    assert told(another) == [(0, ErrorCode.INCONSISTENT_TOPIC_ID)]


def sim_fetch_nothing(sim: Simulation, session: tuple[int, int]) -> FetchResponse:
    """The next increment of a session by id."""
    body = FetchRequest(session_id=session[0], session_epoch=session[1])
    response: FetchResponse = sim.ask(body, to=1, version=13).response
    return response


def test_a_session_finds_a_topic_id_that_this_broker_hears_of_later(sim: Simulation) -> None:
    sim.world.nodes[1].pause()
    sim.topic("late", [[1]])
    wanted = [FetchPartition(partition=0, partition_max_bytes=INT32_MAX)]
    topics = [FetchTopic(topic_id=sim.topic_id("late"), partitions=wanted)]
    node, sim.world.nodes[1].paused = sim.world.nodes[1], False
    early = sim.ask(FetchRequest(session_epoch=0, topics=topics), to=1, version=13).response
    assert told(early) == [(0, ErrorCode.UNKNOWN_TOPIC_ID)]

    node.paused = True
    sim.world.resume(1)

    later = sim.ask(FetchRequest(session_id=early.session_id, session_epoch=1), to=1, version=13).response
    assert told(later) == [(0, ErrorCode.NONE)]
