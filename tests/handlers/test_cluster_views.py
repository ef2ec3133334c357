"""DescribeCluster, DescribeTopicPartitions and ElectLeaders; cases 100, 105 and 203 of the measured list."""

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.metadata import (
    Cursor,
    DescribeClusterRequest,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from mockbroker.protocol.messages.replicas import ElectLeadersRequest, TopicPartitions
from tests.handlers.admin import Admin

PREFERRED, UNCLEAN = 0, 1


def pages(
    admin: Admin, limit: int, cursor: tuple[str, int] | None = None, topics: tuple[str, ...] = ()
) -> tuple[list[tuple[str, list[int]]], tuple[str, int] | None]:
    response = admin.ask(
        DescribeTopicPartitionsRequest(
            topics=[TopicRequest(name=name) for name in topics],
            response_partition_limit=limit,
            cursor=None if cursor is None else Cursor(topic_name=cursor[0], partition_index=cursor[1]),
        )
    )
    shown = [(topic.name, [p.partition_index for p in topic.partitions]) for topic in response.topics]
    after = response.next_cursor
    return shown, None if after is None else (after.topic_name, after.partition_index)


# -- the cluster --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_cluster_is_its_id_its_brokers_and_its_controller(version: int) -> None:
    admin = Admin(racks={1: "a", 2: "b", 3: "c"})
    described = admin.ask(DescribeClusterRequest(), version)
    assert described.cluster_id == admin.world.controller.image.cluster_id
    assert [(broker.broker_id, broker.rack) for broker in described.brokers] == [(1, "a"), (2, "b"), (3, "c")]
    assert described.controller_id in (1, 2, 3)
    assert described.cluster_authorized_operations == -(2**31)


def test_what_one_may_do_to_the_cluster_is_told_when_asked_for() -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=True)
    assert Admin().ask(request).cluster_authorized_operations == 8096


def test_a_dead_broker_is_shown_only_to_who_asks_for_the_dead() -> None:
    admin = Admin()
    admin.world.crash(3)
    assert [broker.broker_id for broker in admin.ask(DescribeClusterRequest()).brokers] == [1, 2]
    everybody = admin.ask(DescribeClusterRequest(include_fenced_brokers=True)).brokers
    assert [(broker.broker_id, broker.is_fenced) for broker in everybody] == [
        (1, False),
        (2, False),
        (3, True),
    ]


@pytest.mark.parametrize(
    ("endpoint_type", "code"),
    [(2, ErrorCode.MISMATCHED_ENDPOINT_TYPE), (7, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)],
)
def test_a_broker_is_no_other_type_of_endpoint(endpoint_type: int, code: ErrorCode) -> None:
    described = Admin().ask(DescribeClusterRequest(endpoint_type=endpoint_type))
    assert described.error_code == code
    assert described.error_message
    assert (described.cluster_id, described.controller_id, described.brokers) == ("", -1, [])
    assert described.endpoint_type == 1


# -- topics page by page ------------------------------------------------------------------------------


def test_topics_come_by_name_page_by_page() -> None:
    admin = Admin()
    admin.create("b", 3)
    admin.create("a", 2)
    admin.create("c", 1)
    first, cursor = pages(admin, 4)
    assert (first, cursor) == ([("a", [0, 1]), ("b", [0, 1])], ("b", 2))
    assert pages(admin, 4, cursor) == ([("b", [2]), ("c", [0])], None)


def test_a_page_that_ends_with_a_topic_goes_on_with_the_next() -> None:
    admin = Admin()
    admin.create("a", 2)
    admin.create("b", 1)
    assert pages(admin, 2) == ([("a", [0, 1])], ("b", 0))


def test_a_cursor_to_a_topic_that_is_gone_goes_on_behind_it() -> None:
    admin = Admin()
    admin.create("a")
    admin.create("c", 2)
    assert pages(admin, 9, ("b", 1)) == ([("c", [0, 1])], None)


@pytest.mark.parametrize("limit", [0, -5])
def test_a_page_holds_at_least_one_partition(limit: int) -> None:
    admin = Admin()
    admin.create("a", 3)
    assert pages(admin, limit) == ([("a", [0])], ("a", 1))


def test_the_broker_bounds_the_page_too() -> None:
    admin = Admin(config={"max.request.partition.size.limit": 2})
    admin.create("a", 3)
    assert pages(admin, 2000) == ([("a", [0, 1])], ("a", 2))


def test_a_named_topic_that_is_not_there_is_said_so() -> None:
    admin = Admin()
    request = DescribeTopicPartitionsRequest(topics=[TopicRequest(name="missing"), TopicRequest(name="a b")])
    response = admin.ask(request)
    assert [(topic.name, topic.error_code) for topic in response.topics] == [("a b", 17), ("missing", 3)]
    assert not admin.world.controller.image.topics


@pytest.mark.parametrize("cursor", [("a", -1), ("b", 0)])
def test_a_cursor_that_no_page_of_the_request_could_end_at_is_refused(cursor: tuple[str, int]) -> None:
    admin = Admin()
    admin.create("a")
    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name="a")], cursor=Cursor(topic_name=cursor[0], partition_index=cursor[1])
    )
    assert admin.ask(request).topics[0].error_code == ErrorCode.INVALID_REQUEST


def test_replicas_that_are_safe_to_elect_are_shown() -> None:
    admin = Admin(brokers=2)
    admin.create("safe", -1, -1, {0: [1, 2]}, min_insync_replicas="2")
    admin.create("plain", -1, -1, {0: [1, 2]})
    admin.world.crash(2)
    plain, safe = admin.ask(DescribeTopicPartitionsRequest()).topics
    assert (safe.partitions[0].isr_nodes, safe.partitions[0].eligible_leader_replicas) == ([1], [2])
    assert safe.partitions[0].offline_replicas == [2]
    assert plain.partitions[0].eligible_leader_replicas == []
    assert plain.topic_authorized_operations == 3576


def test_a_partition_without_a_leader_is_described_all_the_same() -> None:
    admin = Admin()
    admin.create("orders", -1, -1, {0: [3]})
    admin.world.crash(3)
    (partition,) = admin.ask(DescribeTopicPartitionsRequest()).topics[0].partitions
    assert (partition.error_code, partition.leader_id) == (ErrorCode.NONE, -1)
    assert (partition.leader_epoch, partition.replica_nodes) == (1, [3])


# -- elections ----------------------------------------------------------------------------------------


def elect(
    admin: Admin,
    election_type: int,
    partitions: list[tuple[str, list[int]]] | None,
    version: int | None = None,
) -> dict[tuple[str, int], ErrorCode]:
    wanted = (
        None
        if partitions is None
        else [TopicPartitions(topic=topic, partitions=indexes) for topic, indexes in partitions]
    )
    request = ElectLeadersRequest(election_type=election_type, topic_partitions=wanted)
    return {
        (result.topic, partition.partition_id): ErrorCode(partition.error_code)
        for result in admin.ask(request, version).replica_election_results
        for partition in result.partition_result
    }


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_preferred_leader_leads_again_after_its_return(version: int) -> None:
    admin = Admin()
    admin.create("orders", -1, -1, {0: [3, 1]})
    admin.world.crash(3)
    admin.world.restart(3)
    assert admin.world.controller.image.topics["orders"].partitions[0].leader == 1
    assert elect(admin, PREFERRED, [("orders", [0])], version) == {("orders", 0): ErrorCode.NONE}
    assert admin.world.nodes[3].leader_of("orders", 0).leading


def test_an_election_that_is_not_needed_or_not_possible_says_which() -> None:
    admin = Admin()
    admin.create("orders", -1, -1, {0: [1, 2], 1: [3, 1]})
    admin.world.crash(3)
    assert elect(admin, PREFERRED, [("orders", [0, 1, 2]), ("other", [0])]) == {
        ("orders", 0): ErrorCode.ELECTION_NOT_NEEDED,
        ("orders", 1): ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
        ("orders", 2): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("other", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }


def test_an_unclean_election_needs_a_leaderless_partition_and_somebody_alive() -> None:
    admin = Admin()
    admin.create("healthy", -1, -1, {0: [1]})
    admin.create("lost", -1, -1, {0: [3]})
    admin.world.crash(3)
    assert elect(admin, UNCLEAN, [("healthy", [0]), ("lost", [0])]) == {
        ("healthy", 0): ErrorCode.ELECTION_NOT_NEEDED,
        ("lost", 0): ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
    }


def test_asked_about_everything_what_needs_nothing_is_left_out_but_its_topic_stays() -> None:
    admin = Admin()
    admin.create("orders")
    response = admin.ask(ElectLeadersRequest(topic_partitions=None))
    assert [(r.topic, r.partition_result) for r in response.replica_election_results] == [("orders", [])]
    assert response.error_code == 0


def test_an_unknown_type_of_election_fails_as_a_whole() -> None:
    admin = Admin()
    admin.create("orders")
    request = ElectLeadersRequest(
        election_type=9, topic_partitions=[TopicPartitions(topic="orders", partitions=[0])]
    )
    response = admin.ask(request)
    assert response.error_code == ErrorCode.INVALID_REQUEST
    assert response.replica_election_results[0].partition_result[0].error_code == ErrorCode.INVALID_REQUEST


def test_a_view_is_what_this_broker_has_heard() -> None:
    admin = Admin()
    admin.world.isolate(1)
    assert [broker.broker_id for broker in admin.ask(DescribeClusterRequest()).brokers] == [1, 2, 3]
    assert [broker.broker_id for broker in admin.ask(DescribeClusterRequest(), broker=2).brokers] == [2, 3]
