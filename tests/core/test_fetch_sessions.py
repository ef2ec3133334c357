"""The cache of fetch sessions; what a session says is told in tests/handlers/test_fetch.py."""

from __future__ import annotations

import pytest

from mockbroker.core.fetch_sessions import EPOCH_MAX, EVICTABLE_AFTER_MS, FetchPlan, FetchSessions, Wanted
from mockbroker.protocol.errors import KafkaError
from tests.core.simulation import TOPIC, Simulation


@pytest.fixture
def small() -> Simulation:
    """A cluster whose brokers have room for two sessions."""
    return Simulation(1, config={"max.incremental.fetch.session.cache.slots": 2})


def wanted(*indexes: int) -> list[Wanted]:
    return [Wanted((TOPIC, index), TOPIC, bytes(16), index, 0, 1000, -1, -1) for index in indexes]


def sessions(sim: Simulation) -> FetchSessions:
    return sim.world.nodes[1].fetch_sessions


def open_one(sim: Simulation, *indexes: int) -> FetchPlan:
    return sessions(sim).plan(0, 0, wanted(*indexes), [], by_id=False)


def order(plan: FetchPlan) -> list[int]:
    return [want.index for want in plan.wanted]


def test_when_there_is_no_room_a_client_does_without(small: Simulation) -> None:
    kept = [open_one(small, 0).session_id for _ in range(2)]
    refused = open_one(small, 0)
    assert (refused.session_id, order(refused)) == (0, [0])
    for session_id in kept:
        assert sessions(small).plan(session_id, 1, [], [], by_id=False).session_id == session_id


def test_one_that_nobody_used_for_long_makes_room(small: Simulation) -> None:
    idle, used = (open_one(small, 0).session_id for _ in range(2))
    small.advance(EVICTABLE_AFTER_MS)
    sessions(small).plan(used, 1, [], [], by_id=False)
    assert open_one(small, 0).session_id == 0
    small.advance(1)
    assert open_one(small, 0).session_id > 0
    with pytest.raises(KafkaError):
        sessions(small).plan(idle, 1, [], [], by_id=False)
    assert sessions(small).plan(used, 2, [], [], by_id=False).session_id == used


def test_partitions_are_added_changed_and_forgotten(small: Simulation) -> None:
    plan = open_one(small, 0, 1)
    changed = Wanted((TOPIC, 1), TOPIC, bytes(16), 1, 40, 2000, 3, 2)
    plan = sessions(small).plan(plan.session_id, 1, [changed, *wanted(2)], [(TOPIC, 0)], by_id=False)
    assert order(plan) == [1, 2]
    now = plan.wanted[0]
    assert (now.offset, now.max_bytes, now.leader_epoch, now.last_epoch) == (40, 2000, 3, 2)


def test_a_session_without_partitions_is_over(small: Simulation) -> None:
    opened = open_one(small, 0)
    session_id = opened.session_id
    plan = sessions(small).plan(session_id, 1, [], [(TOPIC, 0)], by_id=False)
    assert plan.session_id == 0
    with pytest.raises(KafkaError):
        sessions(small).plan(session_id, 2, [], [], by_id=False)


def test_those_who_gave_records_go_to_the_end_of_the_line(small: Simulation) -> None:
    plan = open_one(small, 0, 1, 2)
    assert plan.session is not None
    plan.session.served([(TOPIC, 0), (TOPIC, 7)])
    assert order(sessions(small).plan(plan.session_id, 1, [], [], by_id=False)) == [1, 2, 0]


def test_epochs_go_round_without_0(small: Simulation) -> None:
    plan = open_one(small, 0)
    assert plan.session is not None
    plan.session.epoch = EPOCH_MAX
    sessions(small).plan(plan.session_id, EPOCH_MAX, [], [], by_id=False)
    assert sessions(small).plan(plan.session_id, 1, [], [], by_id=False).session_id > 0


def test_a_crash_forgets_all_sessions(small: Simulation) -> None:
    session_id = open_one(small, 0).session_id
    small.world.crash(1)
    small.world.restart(1)
    with pytest.raises(KafkaError):
        sessions(small).plan(session_id, 1, [], [], by_id=False)


def test_news_is_what_differs_from_what_was_told_last(small: Simulation) -> None:
    (want,) = wanted(0)
    tell = [
        (5, 0, False),
        (5, 0, False),
        (6, 0, False),
        (6, 1, False),
        (-1, -1, True),
        (-1, -1, True),
        (6, 1, False),
    ]
    news = [want.is_news(high_watermark=end, log_start=start, failed=failed) for end, start, failed in tell]
    assert news == [True, False, True, True, True, True, True]
    assert small.world.nodes[1].up
