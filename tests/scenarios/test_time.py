"""Broker time jumps over session timeouts: the silent are gone, and the living do not notice."""

from __future__ import annotations

import os
from dataclasses import replace

from mockbroker import Cluster
from tests.scenarios.clients import Library, Membership
from tests.scenarios.workers import workers

SESSION_MS = 45_000
PARTITIONS = 6
# Whether the living are taken for dead is a question of moments; the soak session asks it often.
ROUNDS = 200 if os.environ.get("MOCKBROKER_SOAK") else 3


def test_a_jump_of_45_seconds_takes_the_silent_member_and_nobody_else(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=PARTITIONS)
    how = Membership(mockbroker.bootstrap, "orders", "billing", "a", session_ms=SESSION_MS)
    with workers(library, how, replace(how, name="b")):
        living = set(group.wait_stable(members=2).assignment)
        for _ in range(ROUNDS):
            silent = group.join_ghost(topics=["orders"])
            assert group.wait_stable(members=3).assignment.keys() == {*living, silent.id}
            silent.silence()
            mockbroker.clock.advance("45s")
            found = group.wait_stable(members=2)
            assert found.assignment.keys() == living
            assert len(found.assignment.owners) == PARTITIONS
            assert f"{silent.client_id}-" in group.history()[-1].reason
