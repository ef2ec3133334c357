"""A consumer that starts at `latest`, and from when on it misses nothing."""

from __future__ import annotations

import pytest

from mockbroker import Cluster
from tests.scenarios.clients import Library, Membership
from tests.scenarios.workers import Worker, workers


@pytest.mark.parametrize("frozen", [False, True], ids=["time-runs", "time-stands-still"])
def test_what_is_appended_once_the_group_is_positioned_is_delivered(
    mockbroker: Cluster, library: Library, frozen: bool
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=3)
    for partition in range(3):
        topic.append(None, "too early", partition=partition)
    if frozen:
        mockbroker.clock.freeze()
    with Worker(library, Membership(mockbroker.bootstrap, "orders", "billing", "a", reset="latest")) as app:
        group.wait_positioned()
        for partition in range(3):
            topic.append(None, f"o-{partition}", partition=partition)
        group.wait_committed("orders", dict.fromkeys(range(3), 2))
    assert sorted(app.values) == [b"o-0", b"o-1", b"o-2"]


def test_a_group_that_has_grown_is_positioned_again(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=4)
    a, b = (
        Membership(mockbroker.bootstrap, "orders", "billing", name, reset="latest") for name in ("a", "b")
    )
    with workers(library, a) as first:
        group.wait_positioned()
        with workers(library, b) as second:
            group.wait_stable(members=2)
            group.wait_positioned()
            for partition in range(4):
                topic.append(None, f"o-{partition}", partition=partition)
            group.wait_committed("orders", dict.fromkeys(range(4), 1))
    received = [value for app in (*first, *second) for value in app.values]
    assert sorted(received) == [b"o-0", b"o-1", b"o-2", b"o-3"]
