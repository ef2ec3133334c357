"""Requests that Kafka refuses in a way of its own, which only asking a real broker tells."""

from typing import Any

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.metadata import ApiVersionsRequest, MetadataRequest, MetadataTopic
from mockbroker.protocol.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.core.simulation import Simulation

TOPIC = "orders"


@pytest.fixture
def sim() -> Simulation:
    sim = Simulation(brokers=1)
    sim.topic(TOPIC, [[1]])
    return sim


def fetching(index: int, **more: Any) -> FetchRequest:
    parts = [FetchPartition(partition=at, partition_max_bytes=1_000) for at in range(index + 1)]
    return FetchRequest(max_bytes=1_000, topics=[FetchTopic(topic=TOPIC, partitions=parts)], **more)


@pytest.mark.parametrize("version", [10, 12, 13])
def test_a_topic_without_id_and_name_spoils_the_whole_metadata_request(sim: Simulation, version: int) -> None:
    topics = [MetadataTopic(name=TOPIC), MetadataTopic(name=None)]
    answer = sim.ask(MetadataRequest(topics=topics), to=1, version=version).response
    code = ErrorCode.INVALID_REQUEST if version < 12 else ErrorCode.UNKNOWN_SERVER_ERROR
    assert [(topic.name, topic.error_code) for topic in answer.topics] == [(TOPIC, code), ("", code)]
    assert (answer.brokers, answer.cluster_id, answer.controller_id) == ([], None, -1)


@pytest.mark.parametrize(
    ("here", "node_id", "code"),
    [
        (False, -1, ErrorCode.NONE),
        (True, 1, ErrorCode.NONE),
        (True, 2, ErrorCode.REBOOTSTRAP_REQUIRED),
        (True, -2, ErrorCode.REBOOTSTRAP_REQUIRED),
        (True, -1, ErrorCode.INVALID_REQUEST),
        (False, 1, ErrorCode.INVALID_REQUEST),
    ],
)
def test_who_says_where_it_is_says_both_cluster_and_node(
    sim: Simulation, here: bool, node_id: int, code: ErrorCode
) -> None:
    cluster_id = sim.world.controller.image.cluster_id if here else None
    request = ApiVersionsRequest(
        client_software_name="test", client_software_version="1", cluster_id=cluster_id, node_id=node_id
    )
    assert sim.ask(request, to=1, version=5).response.error_code == code


def test_an_unknown_partition_does_not_hasten_a_fetch_that_waits_for_another(sim: Simulation) -> None:
    waiting = sim.ask(fetching(1, max_wait_ms=500, min_bytes=1), to=1, version=12)
    assert not waiting.answered
    sim.wait(500)
    (topic,) = waiting.response.responses
    codes = [partition.error_code for partition in topic.partitions]
    assert codes == [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    # Null would say that the partition was read, by somebody who sees everything.
    assert [partition.aborted_transactions for partition in topic.partitions] == [None, []]


@pytest.mark.parametrize(("version", "partitions"), [(6, 1), (12, 1), (16, 0)])
def test_an_unknown_isolation_level_spoils_the_whole_fetch(
    sim: Simulation, version: int, partitions: int
) -> None:
    answer = sim.ask(fetching(0, isolation_level=7), to=1, version=version).response
    assert sum(len(topic.partitions) for topic in answer.responses) == partitions
    assert answer.error_code == (ErrorCode.UNKNOWN_SERVER_ERROR if version >= 7 else ErrorCode.NONE)


def test_a_refused_session_says_nothing_of_its_partitions(sim: Simulation) -> None:
    answer = sim.ask(fetching(0, session_id=12_345, session_epoch=1), to=1, version=12).response
    assert (answer.error_code, answer.responses) == (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, [])


@pytest.mark.parametrize(("epoch", "code"), [(-1, ErrorCode.NONE), (-2, ErrorCode.FENCED_LEADER_EPOCH)])
def test_only_minus_one_is_no_leader_epoch_for_listing_offsets(
    sim: Simulation, epoch: int, code: ErrorCode
) -> None:
    part = ListOffsetsPartition(current_leader_epoch=epoch, timestamp=-1)
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name=TOPIC, partitions=[part])])
    assert sim.ask(request, to=1, version=6).only.error_code == code
