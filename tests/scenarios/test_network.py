"""The network of a real client breaks, falls silent or is slow, and what the client makes of it."""

from __future__ import annotations

import pytest

from mockbroker import Cluster
from tests.scenarios.clients import Aiokafka, Confluent, KafkaPython, Library, Membership
from tests.scenarios.workers import Worker

# Longer than any client's own patience, which is real time and which no test can shorten.
PATIENCE = "40s"


def member(cluster: Cluster) -> Membership:
    return Membership(cluster.bootstrap, "orders", "billing", "app")


def lead(cluster: Cluster) -> int:
    """Have the topic's partition led by a broker that has nothing else to do with the group."""
    coordinator = cluster.coordinator_of("billing").id
    leader = next(broker for broker in (2, 3) if broker != coordinator)
    cluster.topic("orders").partition(0).elect(leader)
    return leader


def test_a_member_whose_network_breaks_comes_back_and_reads_on(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=2)
    with Worker(library, member(mockbroker)) as app:
        group.wait_positioned(timeout=PATIENCE)
        with mockbroker.faults.network(client_id="app").partition() as fault:
            broken = fault.hits
            topic.append(None, "meanwhile", partition=0)
            fault.wait_hit(broken + 1, timeout=PATIENCE)  # what it tries next is broken, too
        group.wait_committed("orders", {0: 1}, timeout=PATIENCE)
    assert broken
    assert app.values == [b"meanwhile"]


# Not aiokafka: its stop() raises CancelledError while a fetch waits to be tried again, and leaves sockets open.
@pytest.mark.parametrize("library", [KafkaPython, Confluent], ids=["kafka-python", "confluent-kafka"])
def test_a_leader_that_vanished_is_given_up_by_the_clients_own_patience(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=1)
    leader = lead(mockbroker)
    with Worker(library, member(mockbroker)) as app:
        group.wait_positioned(timeout=PATIENCE)
        with mockbroker.faults.network(broker=leader).half_open() as fault:
            # Nobody tells the client: the old leader says nothing any more, not even that it is gone.
            topic.partition(0).elect(1)
            topic.append(None, "elsewhere")
            group.wait_committed("orders", {0: 1}, timeout=PATIENCE)
    assert fault.hits
    assert app.values == [b"elsewhere"]


# Not kafka-python: 3.0.12 does not get beyond the address that it asks first, and cannot be made.
@pytest.mark.parametrize("library", [Confluent, Aiokafka], ids=["confluent-kafka", "aiokafka"])
def test_an_address_that_accepts_and_says_nothing_keeps_nobody_from_the_others(
    mockbroker: Cluster, library: Library
) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=1)
    topic.append(None, "paid")
    silent = ({1, 2, 3} - {mockbroker.coordinator_of("billing").id, topic.partition(0).leader}).pop()
    with mockbroker.faults.network(broker=silent, optional=True).accept_then_silence():
        with Worker(library, member(mockbroker)) as app:
            group.wait_committed("orders", {0: 1}, timeout=PATIENCE)
        assert app.values == [b"paid"]


def test_over_a_slow_line_everything_arrives_in_order(mockbroker: Cluster, library: Library) -> None:
    topic, group = mockbroker.topic("orders"), mockbroker.group("billing")
    topic.create(partitions=1)
    sent = [b"%d" % number * 10_000 for number in range(8)]
    for value in sent:
        topic.append(None, value)
    with mockbroker.faults.network(client_id="app").bandwidth("400 KiB/s") as fault:
        with Worker(library, member(mockbroker)) as app:
            group.wait_committed("orders", {0: len(sent)}, timeout=PATIENCE)
        assert fault.hits
    assert app.values == sent
