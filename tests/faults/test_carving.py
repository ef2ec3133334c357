"""An error for a part of a request: the handler serves the rest, and there is one answer, in order."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.replica import Replica
from mockbroker.core.ticket import Disconnect
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from mockbroker.protocol.messages.groups import DeleteGroupsRequest, DescribeGroupsRequest
from mockbroker.protocol.messages.metadata import FindCoordinatorRequest, MetadataRequest, MetadataTopic
from mockbroker.protocol.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
    OffsetFetchGroup,
    OffsetFetchGroupTopic,
    OffsetFetchRequest,
    OffsetFetchTopic,
    OffsetForLeaderEpochPartition,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochTopic,
)
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.messages.topics import (
    CreatableTopic,
    CreateTopicsRequest,
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
    DeleteTopicsRequest,
    DeleteTopicState,
)
from tests.core.simulation import batch_of
from tests.faults.meddling import Meddled

NOT_LEADER = ErrorCode.NOT_LEADER_OR_FOLLOWER


@pytest.fixture
def sim() -> Meddled:
    """One broker that leads everything: orders 0-2 and payments 0-1."""
    sim = Meddled(brokers=1)
    sim.topic("orders", ((1,), (1,), (1,)))
    sim.topic("payments", ((1,), (1,)))
    return sim


def end(sim: Meddled, topic: str, index: int) -> int:
    replica: Replica = sim.replica(1, topic, index)
    return replica.log.end


PLACES = [("payments", 1), ("orders", 2), ("orders", 0), ("orders", 1)]


def grouped(places: list[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, index in places:
        found.setdefault(topic, []).append(index)
    return found


def producing(sim: Meddled, places: list[tuple[str, int]] = PLACES, acks: int = -1) -> ProduceRequest:
    return ProduceRequest(
        acks=acks,
        timeout_ms=1000,
        topic_data=[
            ProduceTopic(
                name=topic,
                topic_id=sim.topic_id(topic),
                partition_data=[
                    ProducePartition(index=i, records=bytes(batch_of(b"x").data)) for i in indexes
                ],
            )
            for topic, indexes in grouped(places).items()
        ],
    )


def produced(response: Any, sim: Meddled, version: int) -> list[tuple[str, int, int]]:
    names = {sim.topic_id(name): name for name in ("orders", "payments")}
    return [
        (t.name if version < 13 else names[t.topic_id], p.index, p.error_code)
        for t in response.responses
        for p in t.partition_responses
    ]


@pytest.mark.parametrize("version", [9, 13])
def test_a_produce_is_refused_where_the_rule_says_so_and_served_elsewhere(sim: Meddled, version: int) -> None:
    fault = sim.faults.on("Produce", topic="orders", partition=(0, 1)).fail(NOT_LEADER)
    response = sim.ask(producing(sim), to=1, version=version).response
    assert produced(response, sim, version) == [
        ("payments", 1, 0), ("orders", 2, 0), ("orders", 0, NOT_LEADER), ("orders", 1, NOT_LEADER),
    ]  # fmt: skip
    assert [end(sim, *place) for place in PLACES] == [1, 1, 0, 0]
    assert fault.hits == 1


@pytest.mark.parametrize("version", [9, 13])
def test_after_the_append_the_answer_denies_it_for_some_partitions(sim: Meddled, version: int) -> None:
    sim.faults.after("Produce", topic="orders", partition=2).fail("REQUEST_TIMED_OUT")
    response = sim.ask(producing(sim), to=1, version=version).response
    assert produced(response, sim, version) == [
        ("payments", 1, 0), ("orders", 2, ErrorCode.REQUEST_TIMED_OUT), ("orders", 0, 0), ("orders", 1, 0),
    ]  # fmt: skip
    assert [end(sim, *place) for place in PLACES] == [1, 1, 1, 1]


def test_a_partition_that_is_not_in_the_request_is_not_carved_out_of_it(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", topic="orders", partition=7).fail(NOT_LEADER)
    assert {code for *_, code in produced(sim.ask(producing(sim), to=1, version=9).response, sim, 9)} == {0}
    assert fault.hits == 0
    assert "none with partition 7 (they had: 2, 0, 1)" in fault.explain()


def test_a_part_that_fails_without_acks_closes_the_connection_and_the_rest_is_stored(sim: Meddled) -> None:
    sim.faults.on("Produce", partition=0).fail(NOT_LEADER)
    assert isinstance(sim.ask(producing(sim, acks=0), to=1).outcome, Disconnect)
    assert [end(sim, *place) for place in PLACES] == [1, 1, 0, 1]


def test_a_produce_that_waits_for_replicas_is_put_together_when_it_has_them() -> None:
    sim = Meddled(brokers=2)
    sim.topic("orders", ((1, 2), (1, 2)))
    sim.freeze(2, topic="orders", index=0)
    sim.faults.on("Produce", partition=1).fail(NOT_LEADER)
    asked = sim.ask(producing(sim, [("orders", 1), ("orders", 0)]), to=1, version=9)
    assert not asked.answered
    sim.catch_up(2, topic="orders", index=0)
    codes = [p.error_code for t in asked.response.responses for p in t.partition_responses]
    assert codes == [NOT_LEADER, 0]


# -- the other APIs with partitions -------------------------------------------------------------------


def test_list_offsets_is_carved(sim: Meddled) -> None:
    sim.faults.on("ListOffsets", topic="orders", partition=1).fail(NOT_LEADER)
    topics = [
        ListOffsetsTopic(
            name=t, partitions=[ListOffsetsPartition(partition_index=i, timestamp=-1) for i in indexes]
        )
        for t, indexes in grouped(PLACES).items()
    ]
    response = sim.ask(ListOffsetsRequest(replica_id=-1, topics=topics), to=1).response
    told = [(p.partition_index, p.error_code) for t in response.topics for p in t.partitions]
    assert told == [(1, 0), (2, 0), (0, 0), (1, NOT_LEADER)]


def test_offset_for_leader_epoch_and_delete_records_are_carved(sim: Meddled) -> None:
    sim.faults.on(("OffsetForLeaderEpoch", "DeleteRecords"), topic="orders", partition=0).fail(NOT_LEADER)
    asked: Any = OffsetForLeaderEpochRequest(
        topics=[
            OffsetForLeaderEpochTopic(
                topic="orders", partitions=[OffsetForLeaderEpochPartition(partition=i) for i in (0, 1)]
            )
        ]
    )
    response = sim.ask(asked, to=1).response
    assert [(p.partition, p.error_code) for p in response.topics[0].partitions] == [(0, NOT_LEADER), (1, 0)]
    sim.ask(producing(sim, [("orders", 1)]), to=1)
    asked = DeleteRecordsRequest(
        topics=[
            DeleteRecordsTopic(
                name="orders",
                partitions=[DeleteRecordsPartition(partition_index=i, offset=-1) for i in (1, 0)],
            )
        ],
        timeout_ms=1000,
    )
    (topic,) = sim.ask(asked, to=1).response.topics
    assert [(p.partition_index, p.error_code) for p in topic.partitions] == [(1, 0), (0, NOT_LEADER)]
    assert sim.replica(1, "orders", 1).log.start == 1


def committing(sim: Meddled, offset: int = 5) -> OffsetCommitRequest:
    topics = [
        OffsetCommitTopic(
            name=t,
            topic_id=sim.topic_id(t),
            partitions=[OffsetCommitPartition(partition_index=i, committed_offset=offset) for i in indexes],
        )
        for t, indexes in grouped(PLACES).items()
    ]
    return OffsetCommitRequest(group_id="g", topics=topics)


@pytest.mark.parametrize("version", [8, 10])
def test_a_commit_is_carved_before_and_after(sim: Meddled, version: int) -> None:
    sim.coordinator("g")
    sim.faults.on("OffsetCommit", topic="orders", partition=0).fail("UNSTABLE_OFFSET_COMMIT")
    sim.faults.after("OffsetCommit", topic="payments").fail("REQUEST_TIMED_OUT")
    response = sim.ask(committing(sim), to=1, version=version).response
    told = [(p.partition_index, p.error_code) for t in response.topics for p in t.partitions]
    unstable, late = ErrorCode.UNSTABLE_OFFSET_COMMIT, ErrorCode.REQUEST_TIMED_OUT
    assert told == [(1, late), (2, 0), (0, unstable), (1, 0)]
    committed = sim.world.nodes[1].group_shard("g").committed_offsets("g")
    assert sorted(committed) == [("orders", 1), ("orders", 2), ("payments", 1)]


@pytest.mark.parametrize("version", [1, 5, 8, 10])
def test_fetched_offsets_are_denied_by_partition(sim: Meddled, version: int) -> None:
    sim.coordinator("g")
    sim.ask(committing(sim), to=1)
    sim.faults.on("OffsetFetch", group="g", topic="orders", partition=0).fail("UNSTABLE_OFFSET_COMMIT")
    if version < 8:
        asked = OffsetFetchRequest(
            group_id="g", topics=[OffsetFetchTopic(name="orders", partition_indexes=[1, 0])]
        )
        (topic,) = sim.ask(asked, to=1, version=version).response.topics
    else:
        wanted = OffsetFetchGroupTopic(
            name="orders", topic_id=sim.topic_id("orders"), partition_indexes=[1, 0]
        )
        asked = OffsetFetchRequest(groups=[OffsetFetchGroup(group_id="g", topics=[wanted])])
        (group,) = sim.ask(asked, to=1, version=version).response.groups
        (topic,) = group.topics
    told = [(p.partition_index, p.committed_offset, p.error_code) for p in topic.partitions]
    assert told == [(1, 5, 0), (0, -1, ErrorCode.UNSTABLE_OFFSET_COMMIT)]


def test_one_group_of_several_is_refused(sim: Meddled) -> None:
    sim.coordinator("g")
    sim.faults.on(("OffsetFetch", "DescribeGroups", "DeleteGroups", "FindCoordinator"), group="h").fail(
        "NOT_COORDINATOR"
    )
    asked: Any = OffsetFetchRequest(groups=[OffsetFetchGroup(group_id=g, topics=None) for g in ("h", "g")])
    fetched = [(g.group_id, g.error_code) for g in sim.ask(asked, to=1).response.groups]
    described = [
        (g.group_id, g.error_code)
        for g in sim.ask(DescribeGroupsRequest(groups=["h", "g"]), to=1, version=5).response.groups
    ]
    deleted = [
        (g.group_id, g.error_code)
        for g in sim.ask(DeleteGroupsRequest(groups_names=["h", "g"]), to=1).response.results
    ]
    found = [
        (c.key, c.error_code)
        for c in sim.ask(FindCoordinatorRequest(coordinator_keys=["h", "g"]), to=1).response.coordinators
    ]
    refused = ("h", ErrorCode.NOT_COORDINATOR)
    assert fetched == described == found == [refused, ("g", 0)]
    assert deleted == [refused, ("g", ErrorCode.GROUP_ID_NOT_FOUND)]


# -- topics -----------------------------------------------------------------------------------------


def described(sim: Meddled, request: MetadataRequest, version: int = 12) -> dict[str, tuple[int, list[int]]]:
    response = sim.ask(request, to=1, version=version).response
    assert [broker.node_id for broker in response.brokers] == [1]
    return {t.name: (t.error_code, [p.error_code for p in t.partitions]) for t in response.topics}


@pytest.mark.parametrize("by_id", [False, True])
def test_metadata_is_refused_by_topic_and_still_has_brokers(sim: Meddled, by_id: bool) -> None:
    sim.faults.on("Metadata", topic="orders").fail("LEADER_NOT_AVAILABLE")
    topics = [
        MetadataTopic(topic_id=sim.topic_id(name), name=None) if by_id else MetadataTopic(name=name)
        for name in ("payments", "orders")
    ]
    refused, fine = (ErrorCode.LEADER_NOT_AVAILABLE, list[int]()), (0, [0, 0])
    if by_id:
        response = sim.ask(MetadataRequest(topics=topics), to=1).response
        assert [t.error_code for t in response.topics] == [0, ErrorCode.LEADER_NOT_AVAILABLE]
    else:
        assert described(sim, MetadataRequest(topics=topics)) == {"payments": fine, "orders": refused}
        assert described(sim, MetadataRequest(topics=topics[1:])) == {"orders": refused}
    assert described(sim, MetadataRequest(topics=None))["orders"] == refused
    assert described(sim, MetadataRequest(topics=[]), version=0)["orders"] == refused


def test_metadata_is_refused_by_partition(sim: Meddled) -> None:
    sim.faults.on("Metadata", topic="orders", partition=1).fail("LEADER_NOT_AVAILABLE")
    told = described(sim, MetadataRequest(topics=None))
    assert told == {"orders": (0, [0, ErrorCode.LEADER_NOT_AVAILABLE, 0]), "payments": (0, [0, 0])}


def test_a_topic_whose_metadata_is_refused_is_not_created_on_the_way(sim: Meddled) -> None:
    sim.faults.on("Metadata", topic="new").fail("UNKNOWN_TOPIC_OR_PARTITION")
    request = MetadataRequest(topics=[MetadataTopic(name="new"), MetadataTopic(name="other")])
    assert described(sim, request)["new"] == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])
    assert "new" not in sim.world.controller.image.topics
    assert "other" in sim.world.controller.image.topics


@pytest.mark.parametrize("version", [5, 6])
def test_topics_are_made_and_deleted_but_one(sim: Meddled, version: int) -> None:
    sim.faults.on(("CreateTopics", "DeleteTopics"), topic=["a", "orders"]).fail("POLICY_VIOLATION")
    asked: Any = CreateTopicsRequest(
        topics=[CreatableTopic(name=n, num_partitions=1, replication_factor=1) for n in ("a", "b")]
    )
    made = sim.ask(asked, to=1).response.topics
    assert [(t.name, t.error_code) for t in made] == [("a", ErrorCode.POLICY_VIOLATION), ("b", 0)]
    names = ["payments", "orders"]
    asked = DeleteTopicsRequest(topics=[DeleteTopicState(name=n) for n in names], topic_names=names)
    gone = sim.ask(asked, to=1, version=version).response.responses
    assert [(t.name, t.error_code) for t in gone] == [("payments", 0), ("orders", ErrorCode.POLICY_VIOLATION)]
    assert sorted(sim.world.controller.image.topics) == ["b", "orders"]


# -- fetches, with and without sessions -----------------------------------------------------------------


def fetching(
    sim: Meddled,
    indexes: tuple[int, ...] = (0, 1, 2),
    *,
    session: tuple[int, int] = (0, -1),
    wait_ms: int = 0,
) -> FetchRequest:
    parts = [FetchPartition(partition=i, fetch_offset=0, partition_max_bytes=1 << 20) for i in indexes]
    return FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=1,
        max_bytes=1 << 20,
        session_id=session[0],
        session_epoch=session[1],
        topics=[FetchTopic(topic="orders", topic_id=sim.topic_id("orders"), partitions=parts)]
        if indexes
        else [],
    )


def read(response: Any) -> dict[int, tuple[int, bool]]:
    return {
        p.partition_index: (p.error_code, bool(p.records)) for t in response.responses for p in t.partitions
    }


@pytest.mark.parametrize("version", [4, 12, 13, 18])
def test_a_fetch_is_answered_at_once_with_the_error_of_its_part(sim: Meddled, version: int) -> None:
    sim.ask(producing(sim, [("orders", 0), ("orders", 1)]), to=1)
    sim.faults.on("Fetch", topic="orders", partition=1).fail(NOT_LEADER)
    assert read(sim.ask(fetching(sim), to=1, version=version).response) == {
        0: (0, True), 1: (NOT_LEADER, False), 2: (0, False),
    }  # fmt: skip
    waiting = sim.ask(fetching(sim, (1, 2), wait_ms=10_000), to=1, version=version)
    assert read(waiting.response)[1] == (NOT_LEADER, False)


def test_a_fetch_without_a_matcher_is_refused_by_partition_too(sim: Meddled) -> None:
    sim.faults.on("Fetch", nth=1).fail(NOT_LEADER)
    response = sim.ask(fetching(sim), to=1).response
    assert response.error_code == 0
    assert read(response) == dict.fromkeys((0, 1, 2), (NOT_LEADER, False))


def test_a_fetch_session_is_refused_as_a_whole(sim: Meddled) -> None:
    sim.faults.on("Fetch").fail("FETCH_SESSION_ID_NOT_FOUND")
    assert sim.ask(fetching(sim), to=1).response.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


@pytest.mark.parametrize("version", [12, 18])
def test_a_session_hears_of_an_error_in_what_it_need_not_name(sim: Meddled, version: int) -> None:
    first = sim.ask(fetching(sim, session=(0, 0)), to=1, version=version).response
    session, epoch = first.session_id, 1
    assert session
    fault = sim.faults.on("Fetch", topic="orders", partition=1, times=1).fail(NOT_LEADER)

    def again() -> dict[int, tuple[int, bool]]:
        nonlocal epoch
        asked = sim.ask(fetching(sim, (), session=(session, epoch), wait_ms=0), to=1, version=version)
        epoch += 1
        assert asked.response.session_id == session
        return read(asked.response)

    assert again() == {1: (NOT_LEADER, False)}
    assert fault.hits == 1
    # What comes after an error is news, though nothing has changed; and then there is none.
    assert again() == {1: (0, False)}
    assert again() == {}


def test_a_session_in_which_everything_is_carved_goes_on(sim: Meddled) -> None:
    fault = sim.faults.on("Fetch", topic="orders").fail(NOT_LEADER)
    first = sim.ask(fetching(sim, session=(0, 0)), to=1).response
    assert first.session_id
    assert set(read(first).values()) == {(NOT_LEADER, False)}
    fault.remove()
    second = sim.ask(fetching(sim, (), session=(first.session_id, 1)), to=1).response
    assert second.session_id == first.session_id
    assert read(second) == dict.fromkeys((0, 1, 2), (0, False))


def test_a_partition_that_left_its_session_is_not_met_there(sim: Meddled) -> None:
    first = sim.ask(fetching(sim, session=(0, 0)), to=1, version=12).response
    fault = sim.faults.on("Fetch", topic="orders", partition=1).fail(NOT_LEADER)
    request = fetching(sim, (), session=(first.session_id, 1))
    request.forgotten_topics_data = [ForgottenTopic(topic="orders", partitions=[1])]
    assert read(sim.ask(request, to=1, version=12).response) == {}
    assert fault.hits == 0


def test_records_that_were_fetched_are_lost_on_the_way_in_one_partition_only(sim: Meddled) -> None:
    sim.ask(producing(sim, [("orders", 0), ("orders", 1)]), to=1)
    sim.faults.after("Fetch", topic="orders", partition=0).fail("UNKNOWN_SERVER_ERROR")
    told = read(sim.ask(fetching(sim), to=1).response)
    assert told[0] == (ErrorCode.UNKNOWN_SERVER_ERROR, False)
    assert told[1] == (0, True)
