"""DescribeQuorum and ListConfigResources, answered as three nodes of Kafka 4.4.0 answered the same questions."""

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.cluster import (
    DescribeQuorumPartition,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    DescribeQuorumTopic,
)
from mockbroker.protocol.messages.configs import ListConfigResourcesRequest
from tests.handlers.admin import Admin

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
METADATA = "__cluster_metadata"


def quorum(admin: Admin, *asked: tuple[str, int], version: int = 2) -> DescribeQuorumResponse:
    topics = [
        DescribeQuorumTopic(topic_name=name, partitions=[DescribeQuorumPartition(partition_index=index)])
        for name, index in asked
    ]
    response: DescribeQuorumResponse = admin.ask(DescribeQuorumRequest(topics=topics), version)
    return response


def resources(admin: Admin, *types: int, version: int = 1) -> list[tuple[int, str]]:
    response = admin.ask(ListConfigResourcesRequest(resource_types=list(types)), version)
    assert response.error_code == ErrorCode.NONE
    return [(resource.resource_type, resource.resource_name) for resource in response.config_resources]


# -- the quorum ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2])
def test_every_broker_votes_and_has_all_the_metadata(version: int) -> None:
    admin = Admin()
    admin.create("orders")
    (partition,) = quorum(admin, (METADATA, 0), version=version).topics[0].partitions
    assert (partition.error_code, partition.leader_id, partition.leader_epoch) == (ErrorCode.NONE, 1, 1)
    assert [(v.replica_id, v.log_end_offset) for v in partition.current_voters] == [
        (id, partition.high_watermark) for id in (1, 2, 3)
    ]
    times = {v.last_caught_up_timestamp for v in partition.current_voters}
    assert times == {admin.world.clock.now if version >= 1 else -1}


def test_what_changes_the_metadata_moves_its_high_watermark() -> None:
    admin = Admin()
    before = quorum(admin, (METADATA, 0)).topics[0].partitions[0].high_watermark
    admin.create("orders")
    assert quorum(admin, (METADATA, 0)).topics[0].partitions[0].high_watermark > before


def test_a_voter_that_is_cut_off_stays_behind_and_is_seen_to() -> None:
    admin = Admin()
    admin.world.isolate(3)
    admin.create("orders")
    (partition,) = quorum(admin, (METADATA, 0)).topics[0].partitions
    last = partition.current_voters[-1]
    assert (last.replica_id, last.last_fetch_timestamp) == (3, -1)
    assert last.log_end_offset < partition.high_watermark


def test_another_controller_leads_in_another_epoch() -> None:
    admin = Admin()
    admin.world.crash(1)
    request = DescribeQuorumRequest(
        topics=[DescribeQuorumTopic(topic_name=METADATA, partitions=[DescribeQuorumPartition()])]
    )
    (partition,) = admin.ask(request, broker=2).topics[0].partitions
    assert (partition.leader_id, partition.leader_epoch) == (2, 2)


@pytest.mark.parametrize("asked", [("orders", 0), (METADATA, 1)])
def test_nothing_else_has_a_quorum(asked: tuple[str, int]) -> None:
    response = quorum(Admin(), asked)
    (partition,) = response.topics[0].partitions
    assert (response.error_code, response.nodes) == (ErrorCode.NONE, [])
    assert (partition.partition_index, partition.leader_id, partition.current_voters) == (asked[1], 0, [])
    assert partition.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert partition.error_message == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION.text


def test_one_wrong_question_spoils_the_answer_to_the_right_one() -> None:
    response = quorum(Admin(), (METADATA, 0), ("orders", 0))
    assert [topic.partitions[0].error_code for topic in response.topics] == [
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    ] * 2


def test_who_asks_nothing_is_told_nothing() -> None:
    assert quorum(Admin()) == DescribeQuorumResponse()


def test_out_of_the_controllers_reach_the_question_times_out() -> None:
    admin = Admin()
    admin.world.isolate(1)
    ticket = admin.begin(DescribeQuorumRequest())
    admin.world.patience.advance(30_000)
    assert ticket.result.error_code == ErrorCode.REQUEST_TIMED_OUT


# -- what has configs ---------------------------------------------------------------------------------


def test_who_asks_for_no_type_gets_all_of_them() -> None:
    admin = Admin()
    admin.create("orders")
    loggers = [(BROKER_LOGGER, id) for id in "123"]
    assert resources(admin) == [*loggers, *((BROKER, id) for id in "123"), (TOPIC, "orders")]


@pytest.mark.parametrize(
    ("types", "found"),
    [
        ((TOPIC,), [(TOPIC, "a")]),
        ((TOPIC, BROKER, TOPIC), [(BROKER, "1"), (TOPIC, "a")]),
        ((GROUP, CLIENT_METRICS), []),
    ],
)
def test_types_are_a_set(types: tuple[int, ...], found: list[tuple[int, str]]) -> None:
    admin = Admin(brokers=1)
    admin.create("a")
    assert resources(admin, *types) == found


def test_the_first_version_knew_client_metrics_only() -> None:
    assert resources(Admin(), version=0) == []


@pytest.mark.parametrize("types", [[0], [99], [TOPIC, 99]])
def test_a_type_that_does_not_exist_is_of_a_version_to_come(types: list[int]) -> None:
    response = Admin().ask(ListConfigResourcesRequest(resource_types=types))
    assert (response.error_code, response.config_resources) == (ErrorCode.UNSUPPORTED_VERSION, [])
