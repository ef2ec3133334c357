"""Metadata as a real broker answers it: each broker tells what it was last told itself."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.links import CONTROLLER
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataTopic,
    PartitionMetadata,
    TopicMetadata,
)
from tests.core.simulation import LEADER, TOPIC, Simulation

NOT_ASKED_FOR = -(2**31)


def ask(sim: Simulation, *topics: Any, to: int = 1, version: int = 12, **how: Any) -> MetadataResponse:
    """Metadata of topics by name, or by id where bytes are given."""
    wanted = [
        MetadataTopic(name=t) if isinstance(t, str) else MetadataTopic(topic_id=t, name=None) for t in topics
    ]
    response: MetadataResponse = sim.ask(
        MetadataRequest(topics=wanted, **how), to=to, version=version
    ).response
    return response


def topic_of(sim: Simulation, topic: Any, **how: Any) -> TopicMetadata:
    (answered,) = ask(sim, topic, **how).topics
    return answered


def only(sim: Simulation, **how: Any) -> PartitionMetadata:
    (partition,) = topic_of(sim, TOPIC, **how).partitions
    return partition


def test_all_topics_or_none(sim: Simulation) -> None:
    sim.topic("__consumer_offsets", [[1]])
    everything = MetadataRequest(topics=None)
    listed = {t.name: t.is_internal for t in sim.ask(everything, to=1, version=1).response.topics}
    assert listed == {TOPIC: False, "__consumer_offsets": True}
    assert len(ask(sim, version=0).topics) == 2
    assert ask(sim, version=1).topics == []


def test_a_topic_named_twice_is_described_once(sim: Simulation) -> None:
    assert len(ask(sim, TOPIC, TOPIC).topics) == 1


def test_a_partition_is_described_whole(sim: Simulation) -> None:
    partition = only(sim)
    assert (partition.error_code, partition.leader_id, partition.leader_epoch) == (0, 1, 0)
    assert partition.replica_nodes == partition.isr_nodes == [1, 2, 3]
    assert partition.offline_replicas == []


def test_brokers_are_named_with_their_addresses_and_racks() -> None:
    sim = Simulation(2, racks={1: "r1"})
    response = ask(sim)
    brokers = [(b.node_id, b.host, b.port, b.rack) for b in response.brokers]
    assert brokers == [(1, "broker-1", 9091, "r1"), (2, "broker-2", 9092, None)]
    assert response.controller_id in {1, 2}


def test_operations_are_told_to_those_who_ask(sim: Simulation) -> None:
    response = ask(
        sim,
        TOPIC,
        version=8,
        include_cluster_authorized_operations=True,
        include_topic_authorized_operations=True,
    )
    assert response.cluster_authorized_operations == 8096
    assert response.topics[0].topic_authorized_operations == 3576
    assert ask(sim, TOPIC, version=8).cluster_authorized_operations == NOT_ASKED_FOR
    assert topic_of(sim, TOPIC, version=8).topic_authorized_operations == NOT_ASKED_FOR


@pytest.mark.parametrize("version", [0, 1, 12])
def test_an_unknown_topic_is_created_on_the_way(sim: Simulation, version: int) -> None:
    first = topic_of(sim, "new", version=version)
    assert (first.error_code, first.partitions) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])
    assert topic_of(sim, "new", version=version).error_code == ErrorCode.NONE


def test_without_leave_nothing_is_created(sim: Simulation) -> None:
    for _ in range(2):
        topic = topic_of(sim, "new", allow_auto_topic_creation=False)
        assert (topic.error_code, topic.topic_id) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, bytes(16))


def test_a_broker_may_be_set_to_create_nothing() -> None:
    sim = Simulation(config={"auto.create.topics.enable": "false"})
    for _ in range(2):
        assert topic_of(sim, "new").error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("name", ["a b", "", ".", "..", "x" * 250, "\u00e9"])
def test_a_name_that_no_topic_may_have_is_told_so(sim: Simulation, name: str) -> None:
    for _ in range(2):
        assert topic_of(sim, name).error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_a_name_that_collides_with_another_is_not_created(sim: Simulation) -> None:
    sim.topic("a.b", [[1]])
    for _ in range(2):
        assert topic_of(sim, "a_b").error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_topics_may_be_asked_for_by_id(sim: Simulation) -> None:
    assert topic_of(sim, sim.topic_id()).name == TOPIC
    unknown = topic_of(sim, b"x" * 16)
    assert (unknown.error_code, unknown.name, unknown.topic_id) == (
        ErrorCode.UNKNOWN_TOPIC_ID,
        None,
        b"x" * 16,
    )


def test_an_id_wins_over_a_wrong_name(sim: Simulation) -> None:
    asked = MetadataTopic(topic_id=sim.topic_id(), name="wrong")
    (topic,) = sim.ask(MetadataRequest(topics=[asked]), to=1, version=12).response.topics
    assert (topic.error_code, topic.name) == (ErrorCode.NONE, TOPIC)


def test_a_topic_made_anew_is_another_one(sim: Simulation) -> None:
    sim.produce(b"v")
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    before = sim.topic_id()
    sim.delete()
    assert (
        topic_of(sim, TOPIC, allow_auto_topic_creation=False).error_code
        == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    )
    sim.topic()
    assert topic_of(sim, TOPIC).topic_id != before
    assert only(sim).leader_epoch == 0
    assert sim.list_offset().offset == 0


@pytest.mark.parametrize("version", [0, 4, 12])
def test_without_anyone_to_lead_there_is_an_error_and_an_epoch(version: int) -> None:
    sim = Simulation()
    sim.topic(assignments=[[2]])
    sim.world.crash(2)
    partition = only(sim, version=version)
    assert (partition.error_code, partition.leader_id) == (ErrorCode.LEADER_NOT_AVAILABLE, -1)
    assert partition.isr_nodes == []
    if version >= 5:
        assert partition.offline_replicas == [2]
    if version >= 7:
        assert partition.leader_epoch == 1


def test_a_dead_broker_is_gone_when_its_session_is_over() -> None:
    sim = Simulation(friendly=False)
    sim.topic()
    sim.world.crash(3)
    sim.advance(8_999)
    assert len(ask(sim).brokers) == 3
    sim.advance(1)
    assert [broker.node_id for broker in ask(sim).brokers] == [1, 2]
    assert (only(sim).error_code, only(sim).offline_replicas) == (ErrorCode.NONE, [3])
    oldest = only(sim, version=0)
    assert oldest.error_code == ErrorCode.REPLICA_NOT_AVAILABLE
    assert oldest.replica_nodes == oldest.isr_nodes == [1, 2]


def test_a_broker_tells_what_it_was_told_itself(sim: Simulation) -> None:
    sim.world.links.slow(3, CONTROLLER, 100)
    sim.world.controller.move_leader(TOPIC, 0, 2, unclean=False)
    sim.world.settle()
    seen = [(only(sim, to=broker).leader_id, only(sim, to=broker).leader_epoch) for broker in (1, 2, 3)]
    assert seen == [(2, 1), (2, 1), (1, 0)]
    # Who believes the newer one is asked by the older one to come again later.
    assert sim.fetch(to=3, leader_epoch=1).only.error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
    sim.advance(100)
    assert (only(sim, to=3).leader_id, only(sim, to=3).leader_epoch) == (2, 1)


def test_out_of_the_controllers_reach_nothing_is_created(sim: Simulation) -> None:
    sim.cut_off_controller()
    for _ in range(2):
        assert topic_of(sim, "new").error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert sim.produce(b"v", acks=LEADER).only.error_code == ErrorCode.NONE
