"""One sentence for each request: what it says, that every served API has one, that none breaks on what clients send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.groups.consumer_protocol import write_assignment
from mockbroker.core.ticket import Disconnect
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.messages import (
    configs,
    fetch,
    groups,
    metadata,
    offsets,
    produce,
    topics,
    transactions,
)
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.timeline.plain import plain_event
from mockbroker.timeline.reading import Names, clean
from mockbroker.timeline.sentences import _TABLE, sentence
from mockbroker.timeline.wire import happened_line
from tests.protocol.declared import messages
from tests.timeline.evidence import Telling

ORDERS = b"o" * 16
NAMES = Names({ORDERS: "orders"})
MEMBER = "app-a-01234567-89ab-cdef-0123-456789abcdef"
DECLARED = [api for api in Api if api.declared]


def batch(count: int, base: int = 0, **more: Any) -> bytes:
    records = [NewRecord(None, b"v", (), 0)] * count
    return bytes(build_batch(records, now_ms=0, **more).place(base, 0).data)


def produced(code: int = 0, offset: int = 12) -> produce.ProduceResponse:
    part = produce.ProducedPartition(index=0, error_code=code, base_offset=offset)
    return produce.ProduceResponse(
        responses=[produce.ProducedTopic(name="orders", partition_responses=[part])]
    )


def to_produce(records: bytes, **more: Any) -> produce.ProduceRequest:
    part = produce.ProducePartition(index=0, records=records)
    return produce.ProduceRequest(
        topic_data=[produce.ProduceTopic(topic_id=ORDERS, partition_data=[part])], **more
    )


def fetched(records: Any, code: int = 0) -> fetch.FetchResponse:
    part = fetch.FetchedPartition(partition_index=0, records=records, error_code=code)
    return fetch.FetchResponse(responses=[fetch.FetchedTopic(topic="orders", partitions=[part])])


def to_fetch(offset: int, **more: Any) -> fetch.FetchRequest:
    part = fetch.FetchPartition(partition=0, fetch_offset=offset)
    return fetch.FetchRequest(topics=[fetch.FetchTopic(topic="orders", partitions=[part])], **more)


def looked_up(offset: int) -> offsets.OffsetFetchResponse:
    part = offsets.FetchedGroupOffset(partition_index=0, committed_offset=offset)
    topic = offsets.FetchedOffsetsGroupTopic(name="orders", partitions=[part])
    return offsets.OffsetFetchResponse(
        groups=[offsets.FetchedOffsetsGroup(group_id="billing", topics=[topic])]
    )


LOOK_UP = offsets.OffsetFetchRequest(
    groups=[
        offsets.OffsetFetchGroup(
            group_id="billing", topics=[offsets.OffsetFetchGroupTopic(name="orders", partition_indexes=[0])]
        )
    ]
)
LIST_LATEST = offsets.ListOffsetsRequest(
    topics=[offsets.ListOffsetsTopic(name="orders", partitions=[offsets.ListOffsetsPartition(timestamp=-1)])]
)
COMMIT = offsets.OffsetCommitRequest(
    group_id="billing",
    generation_id_or_member_epoch=3,
    topics=[
        offsets.OffsetCommitTopic(
            name="orders", partitions=[offsets.OffsetCommitPartition(committed_offset=5)]
        )
    ],
)


def listed(offset: int) -> offsets.ListOffsetsResponse:
    return offsets.ListOffsetsResponse(
        topics=[offsets.ListedTopic(name="orders", partitions=[offsets.ListedPartition(offset=offset)])]
    )


def committed(code: int = 0) -> offsets.OffsetCommitResponse:
    part = offsets.CommittedPartition(error_code=code)
    return offsets.OffsetCommitResponse(topics=[offsets.CommittedTopic(name="orders", partitions=[part])])


SAID: list[tuple[Any, Any, str]] = [
    (to_produce(batch(3), acks=-1), produced(), "Produce orders-0 3 records acks=all -> @12"),
    (to_produce(batch(1), acks=1), produced(6), "Produce orders-0 1 record acks=1 -> NOT_LEADER_OR_FOLLOWER"),
    (to_produce(batch(1), acks=0), None, "Produce orders-0 1 record acks=0 -> no answer"),
    (
        to_produce(batch(1), acks=-1),
        Disconnect("broker 1 is down"),
        "Produce orders-0 1 record acks=all -> connection closed: broker 1 is down",
    ),
    (
        to_produce(batch(2, producer_id=7, producer_epoch=1, base_sequence=4), acks=-1),
        produced(),
        "Produce orders-0 2 records (producer 7/1 seq 4) acks=all -> @12",
    ),
    (to_produce(b"junk", acks=-1), produced(2), "Produce orders-0 4 bytes acks=all -> CORRUPT_MESSAGE"),
    (to_fetch(1), fetched(b""), "Fetch orders-0 @1 -> nothing"),
    (to_fetch(0, isolation_level=1), fetched(batch(1)), "Fetch orders-0 @0 read_committed -> 1 record @0"),
    (to_fetch(0), fetched([batch(2), batch(3, base=2)]), "Fetch orders-0 @0 -> 5 records @0..4"),
    (to_fetch(9), fetched(None, 1), "Fetch orders-0 @9 -> OFFSET_OUT_OF_RANGE"),
    (fetch.FetchRequest(), fetched(batch(1)), "Fetch orders-0 (as before) -> 1 record @0"),
    (LIST_LATEST, listed(1), "ListOffsets orders-0 LATEST -> 1"),
    (LOOK_UP, looked_up(-1), "OffsetFetch billing orders-0 -> nothing committed"),
    (LOOK_UP, looked_up(5), "OffsetFetch billing orders-0 -> @5"),
    (COMMIT, committed(), "OffsetCommit billing gen 3 orders-0@5 -> ok"),
    (COMMIT, committed(22), "OffsetCommit billing gen 3 orders-0@5 -> ILLEGAL_GENERATION"),
    (
        groups.JoinGroupRequest(group_id="billing"),
        groups.JoinGroupResponse(error_code=79, member_id=MEMBER),
        "JoinGroup billing (new) -> MEMBER_ID_REQUIRED app-a-01234567",
    ),
    (
        groups.JoinGroupRequest(group_id="billing", member_id=MEMBER),
        groups.JoinGroupResponse(
            generation_id=1, leader=MEMBER, member_id=MEMBER, members=[groups.JoinGroupMember()]
        ),
        "JoinGroup billing gen 1 -> leader, 1 member",
    ),
    (
        groups.SyncGroupRequest(group_id="billing", generation_id=1),
        groups.SyncGroupResponse(assignment=write_assignment({"orders": [2, 0, 1]})),
        "SyncGroup billing gen 1 -> orders 0,1,2",
    ),
    (
        groups.SyncGroupRequest(group_id="connect", generation_id=1),
        groups.SyncGroupResponse(assignment=b"\xff" * 5),
        "SyncGroup connect gen 1 -> 5 bytes",
    ),
    (
        groups.HeartbeatRequest(group_id="billing", generation_id=1),
        groups.HeartbeatResponse(error_code=27),
        "Heartbeat billing gen 1 -> REBALANCE_IN_PROGRESS",
    ),
    (
        groups.LeaveGroupRequest(group_id="billing", members=[groups.LeaveGroupMember(member_id=MEMBER)]),
        groups.LeaveGroupResponse(),
        "LeaveGroup billing app-a-01234567 -> ok",
    ),
    (
        metadata.FindCoordinatorRequest(coordinator_keys=["billing"]),
        metadata.FindCoordinatorResponse(coordinators=[metadata.Coordinator(key="billing", node_id=2)]),
        "FindCoordinator billing -> broker 2",
    ),
    (
        metadata.MetadataRequest(topics=[metadata.MetadataTopic(name="order")]),
        metadata.MetadataResponse(topics=[metadata.TopicMetadata(name="order", error_code=3)]),
        "Metadata order -> UNKNOWN_TOPIC_OR_PARTITION",
    ),
    (
        topics.CreateTopicsRequest(
            topics=[topics.CreatableTopic(name="orders", num_partitions=3, replication_factor=9)]
        ),
        topics.CreateTopicsResponse(
            topics=[topics.CreatedTopic(name="orders", error_code=38, error_message="too many")]
        ),
        "CreateTopics orders p=3 rf=9 -> INVALID_REPLICATION_FACTOR: too many",
    ),
    (
        configs.IncrementalAlterConfigsRequest(
            resources=[
                configs.IncrementalAlterConfigsResource(
                    resource_type=2,
                    resource_name="orders",
                    configs=[configs.IncrementalAlterableConfig(name="retention.ms", value="5")],
                )
            ]
        ),
        configs.IncrementalAlterConfigsResponse(),
        "IncrementalAlterConfigs topic orders: retention.ms=5 -> ok",
    ),
    (
        transactions.InitProducerIdRequest(transactional_id="payer-1"),
        transactions.InitProducerIdResponse(producer_id=7, producer_epoch=2),
        "InitProducerId transactional.id=payer-1 -> producer 7 epoch 2",
    ),
    (
        transactions.EndTxnRequest(
            transactional_id="payer-1", producer_id=7, producer_epoch=2, committed=True
        ),
        transactions.EndTxnResponse(producer_id=7, producer_epoch=3),
        "EndTxn payer-1 producer 7 epoch 2: commit -> next epoch 3",
    ),
    (
        transactions.TxnOffsetCommitRequest(transactional_id="payer-1", group_id="billing", producer_id=7),
        transactions.TxnOffsetCommitResponse(),
        "TxnOffsetCommit payer-1 producer 7 epoch 0: billing -> ok",
    ),
]


@pytest.mark.parametrize(("request_", "response", "told"), SAID, ids=[told for *_, told in SAID])
def test_a_request_and_its_answer_are_one_sentence(request_: Any, response: Any, told: str) -> None:
    assert str(sentence(Telling().said("app", request_, response), NAMES)) == told


@pytest.mark.parametrize("api", HANDLERS, ids=lambda api: api.title)
def test_every_served_api_has_a_sentence(api: Api) -> None:
    assert api in _TABLE


def test_an_api_without_a_sentence_says_what_it_is_about() -> None:
    api = Api.CONSUMER_GROUP_HEARTBEAT
    event = Telling().said("app", api.request(group_id="billing"), api.response())
    assert str(sentence(event, NAMES)) == "ConsumerGroupHeartbeat billing -> ok"


@given(st.data())
def test_whatever_a_client_sends_is_told_in_printable_characters(data: st.DataObject) -> None:
    api = data.draw(st.sampled_from(DECLARED))
    event = Telling().said("\x1b[31m", data.draw(messages(api.request)), data.draw(messages(api.response)))
    told = sentence(event, Names())
    assert told.asked.startswith(api.title)
    assert str(told).isprintable()
    assert plain_event(event, Names(), 0)["api"] == api.title
    assert happened_line(event, Names(), 0).isprintable()


def test_a_name_is_cut_in_the_middle_and_control_characters_are_spelled_out() -> None:
    assert clean("a\x1b[31m\n\u202eb") == "a\\x1b[31m\\n\\u202eb"
    assert clean("x" * 100, 20) == "x" * 11 + "…" + "x" * 8
    assert clean(b"\xff\x00") == "\\xff\\x00"
