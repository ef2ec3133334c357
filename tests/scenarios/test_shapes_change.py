"""Topics change while consumers read them: more partitions, deleted and made again."""

from __future__ import annotations

import pytest

from mockbroker import Cluster
from tests.scenarios.clients import Aiokafka, Confluent, Library, Membership
from tests.scenarios.workers import Worker

# How often these clients look at the metadata again.
AGE_MS = 100


def member(cluster: Cluster) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", "a", metadata_age_ms=AGE_MS)


def test_added_partitions_find_their_consumer(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=2)
    with Worker(library, member(mockbroker)) as app:
        before = group.wait_stable(members=1)
        topic.add_partitions(4)
        grown = group.wait_stable(members=1, newer_than=before.generation)
        assert grown.assignment["a"] == topic.partitions
        for partition in range(4):
            topic.append(None, f"o-{partition}", partition=partition)
        group.wait_committed("orders", dict.fromkeys(range(4), 1))
    assert sorted(app.values) == [b"o-0", b"o-1", b"o-2", b"o-3"]


def test_a_recreated_topic_has_no_commits_and_is_read_from_its_beginning(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create()
    with Worker(library, member(mockbroker)):
        for value in ("old-1", "old-2", "old-3"):
            topic.append(None, value)
        group.wait_committed("orders", {0: 3})
    topic.recreate()
    assert group.committed == {}
    topic.append(None, "new-1")
    with Worker(library, member(mockbroker)) as app:
        group.wait_committed("orders", {0: 1})
    assert app.values == [b"new-1"]


# Not kafka-python: it fetches without topic ids, takes the new topic for the old one truncated (KIP-320), and
# goes on behind what it believes to have read.
@pytest.mark.parametrize("library", [Confluent, Aiokafka])
def test_a_consumer_that_lives_through_it_reads_the_new_topic_too(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create()
    with Worker(library, member(mockbroker)) as app:
        for value in ("old-1", "old-2", "old-3"):
            topic.append(None, value)
        group.wait_committed("orders", {0: 3})
        topic.recreate()
        topic.append(None, "new-1")
        group.wait_committed("orders", {0: 1})
    assert app.values == [b"old-1", b"old-2", b"old-3", b"new-1"]
    assert group.committed == {("orders", 0): 1}
