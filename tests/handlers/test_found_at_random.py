"""What only random questions to a real broker brought up: things that are wrong together, or seldom asked."""

from __future__ import annotations

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.groups import (
    DeleteGroupsRequest,
    DescribeGroupsRequest,
    ListGroupsRequest,
    OffsetDeletePartition,
    OffsetDeleteRequest,
    OffsetDeleteTopic,
)
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.records.batch import LOG_APPEND_TIME, TRANSACTIONAL, iter_records
from mockbroker.records.compression import Codec
from tests.core.groups.desk import GROUP, Client, Desk
from tests.core.groups.desk import TOPIC as GROUPS_TOPIC
from tests.core.simulation import ALL, LEADER, NONE, TOPIC, Simulation, batch_of, values_in

E = ErrorCode


@pytest.fixture
def sim() -> Simulation:
    sim = Simulation(brokers=1)
    sim.topic(TOPIC, [[1], [1]])
    return sim


# -- produce ------------------------------------------------------------------------------------------

GOOD = bytes(batch_of(b"good").data)
TRANSACTIONAL_BATCH = bytes(batch_of(b"bad").remade(attributes=TRANSACTIONAL).data)
NO_SUCH_CODEC = bytes(batch_of(b"bad").remade(attributes=5).data)
NO_SUCH_FORMAT = GOOD[:16] + b"\3" + GOOD[17:]


def producing(*records: bytes, topic: str = TOPIC, acks: int = ALL) -> ProduceRequest:
    """A batch for each partition from 0 up."""
    parts = [ProducePartition(index=index, records=given) for index, given in enumerate(records)]
    return ProduceRequest(
        acks=acks, timeout_ms=1_000, topic_data=[ProduceTopic(name=topic, partition_data=parts)]
    )


@pytest.mark.parametrize(
    ("bad", "version", "code"),
    [
        (TRANSACTIONAL_BATCH, 12, E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (NO_SUCH_FORMAT, 12, E.CORRUPT_MESSAGE),
        (NO_SUCH_CODEC, 6, E.UNKNOWN_SERVER_ERROR),
    ],
)
def test_what_kafka_looks_for_in_every_batch_spoils_the_whole_request(
    sim: Simulation, bad: bytes, version: int, code: ErrorCode
) -> None:
    answer = sim.ask(producing(GOOD, bad), to=1, version=version).response
    assert [(p.error_code, p.log_start_offset) for p in answer.responses[0].partition_responses] == [
        (code, -1),
        (code, -1),
    ]
    assert sim.log(1) == []
    assert sim.ask(producing(GOOD, bad, acks=NONE), to=1, version=version).closed


def test_an_unknown_codec_is_its_partitions_affair_once_clients_may_send_zstd(sim: Simulation) -> None:
    answer = sim.ask(producing(GOOD, NO_SUCH_CODEC), to=1, version=7).response
    assert [p.error_code for p in answer.responses[0].partition_responses] == [0, E.UNKNOWN_SERVER_ERROR]


def test_an_unknown_codec_is_found_in_the_first_batch_before_a_second_one(sim: Simulation) -> None:
    answer = sim.ask(producing(NO_SUCH_CODEC + GOOD), to=1, version=6).response
    assert answer.responses[0].partition_responses[0].error_code == E.UNKNOWN_SERVER_ERROR


def test_a_format_that_does_not_exist_is_told_before_a_topic_that_does_not(sim: Simulation) -> None:
    answer = sim.ask(producing(NO_SUCH_FORMAT, topic="nobody"), to=1).response
    assert answer.responses[0].partition_responses[0].error_code == E.CORRUPT_MESSAGE


def test_a_claim_of_append_time_gives_recompressed_records_the_one_time_of_their_header(
    sim: Simulation,
) -> None:
    sim.configure(compression_type="gzip")
    now_ms = sim.world.clock.now
    first = batch_of(b"a", b"b", timestamp=now_ms)
    claims = first.remade(attributes=LOG_APPEND_TIME, base_timestamp=now_ms - 12, max_timestamp=now_ms)
    assert sim.produce(batch=claims, acks=LEADER).only.error_code == E.NONE
    (stored,) = sim.leader().log.batches
    assert stored.codec is Codec.GZIP
    assert [record.timestamp for record in iter_records(stored)] == [now_ms, now_ms]
    assert stored.base_timestamp == now_ms


# -- fetch --------------------------------------------------------------------------------------------


def test_what_does_not_exist_is_told_behind_what_does(sim: Simulation) -> None:
    one = [FetchPartition(partition=0, partition_max_bytes=1_000)]
    two = [FetchPartition(partition=index, partition_max_bytes=1_000) for index in (7, 0)]
    topics = [FetchTopic(topic="nobody", partitions=one), FetchTopic(topic=TOPIC, partitions=two)]
    answer = sim.ask(FetchRequest(max_bytes=1_000, topics=topics), to=1, version=12).response
    told = [(topic.topic, [part.partition_index for part in topic.partitions]) for topic in answer.responses]
    assert told == [(TOPIC, [0]), ("nobody", [0]), (TOPIC, [7])]


def test_who_takes_less_than_it_waits_for_has_enough_with_that(sim: Simulation) -> None:
    sim.produce(b"v")
    asked = sim.fetch(0, max_wait_ms=60_000, min_bytes=10_000, max_bytes=1)
    assert asked.answered
    assert asked.only.records


def test_a_fetch_reads_from_one_segment_and_waits_for_no_more_of_it_than_there_is(sim: Simulation) -> None:
    sim.configure(segment_ms="1000")
    sim.produce(b"old", timestamp=5_000)
    waiting = sim.fetch(0, max_wait_ms=60_000, min_bytes=10_000)
    assert not waiting.answered
    for timestamp in (6_001, 6_002):
        sim.produce(b"new", timestamp=timestamp)
    assert values_in(waiting.only.records) == [b"old"]
    assert values_in(sim.fetch(0).only.records) == [b"old"]
    assert values_in(sim.fetch(1).only.records) == [b"new", b"new"]
    again = sim.fetch(0, max_wait_ms=60_000, min_bytes=10_000)
    assert again.answered
    assert values_in(again.only.records) == [b"old"]


@pytest.mark.parametrize(("limit", "listed"), [(1, None), (0, []), (1_000, [])])
def test_of_a_batch_that_does_not_fit_there_is_no_list_of_aborted_transactions(
    sim: Simulation, limit: int, listed: list[object] | None
) -> None:
    for index in (0, 1):
        sim.produce(b"v", index=index)
    parts = [FetchPartition(partition=at, partition_max_bytes=size) for at, size in ((0, 1_000), (1, limit))]
    request = FetchRequest(
        max_bytes=10_000, isolation_level=1, topics=[FetchTopic(topic=TOPIC, partitions=parts)]
    )
    (topic,) = sim.ask(request, to=1, version=12).response.responses
    assert topic.partitions[1].aborted_transactions == listed


def test_what_did_not_exist_when_a_wait_began_is_not_looked_for_again(sim: Simulation) -> None:
    here = FetchTopic(topic=TOPIC, partitions=[FetchPartition(partition=0, partition_max_bytes=1_000)])
    later = FetchTopic(topic="later", partitions=[FetchPartition(partition=0, partition_max_bytes=1_000)])
    request = FetchRequest(max_wait_ms=60_000, min_bytes=1, max_bytes=1_000, topics=[later, here])
    asked = sim.ask(request, to=1, version=12)
    sim.topic("later", [[1]])
    sim.produce(b"v")
    found = [(t.topic, t.partitions[0].error_code) for t in asked.response.responses]
    assert found == [(TOPIC, E.NONE), ("later", E.UNKNOWN_TOPIC_OR_PARTITION)]


def test_what_ceases_to_exist_during_a_wait_has_no_list_of_aborted_transactions(sim: Simulation) -> None:
    asked = sim.fetch(0, max_wait_ms=60_000, to=1)
    sim.delete()
    assert asked.only.error_code == E.UNKNOWN_TOPIC_OR_PARTITION
    assert asked.only.aborted_transactions is None


def test_a_session_may_begin_without_partitions_and_ends_when_it_has_lost_them(sim: Simulation) -> None:
    request = FetchRequest(max_bytes=1_000, session_epoch=0)
    session_id = sim.ask(request, to=1, version=12).response.session_id
    assert session_id > 0
    again = FetchRequest(max_bytes=1_000, session_id=session_id, session_epoch=1)
    assert sim.ask(again, to=1, version=12).response.session_id == 0


def test_the_first_answer_gives_a_session_its_order(sim: Simulation) -> None:
    sim.produce(b"v")
    asked = [FetchPartition(partition=index, partition_max_bytes=1_000) for index in (7, 0, 1)]
    opening = FetchRequest(
        max_bytes=1_000, session_epoch=0, topics=[FetchTopic(topic=TOPIC, partitions=asked)]
    )
    session_id = sim.ask(opening, to=1, version=12).response.session_id
    sim.produce(b"w", index=1)

    def order(epoch: int) -> list[int]:
        going_on = FetchRequest(max_bytes=1_000, session_id=session_id, session_epoch=epoch)
        (topic,) = sim.ask(going_on, to=1, version=12).response.responses
        return [part.partition_index for part in topic.partitions]

    assert order(1) == [0, 1, 7]  # what gave records at first was not moved, what was missing was
    sim.produce(b"x", index=1)
    assert order(2) == [0, 1, 7]


def test_no_record_has_the_largest_time_if_only_a_header_claims_it(sim: Simulation) -> None:
    sim.produce(b"v", timestamp=-5)
    assert (sim.list_offset(-3).offset, sim.list_offset(-3).timestamp) == (-1, -1)


def test_records_that_are_deleted_do_not_end_a_long_poll(sim: Simulation) -> None:
    sim.produce(b"v")
    asked = sim.fetch(0, max_wait_ms=60_000, min_bytes=10_000)
    sim.leader().advance_start(1)
    sim.world.settle()
    assert not asked.answered
    sim.wait(60_000)
    assert asked.only.error_code == E.OFFSET_OUT_OF_RANGE


def test_a_diverging_history_has_no_list_of_aborted_transactions(sim: Simulation) -> None:
    answer = sim.fetch(7, last_epoch=0, isolation=1).only
    assert answer.diverging_epoch.epoch == 0
    assert answer.aborted_transactions is None


# -- groups -------------------------------------------------------------------------------------------


def test_a_missing_group_is_told_even_if_no_partition_exists() -> None:
    parts = [OffsetDeletePartition(partition_index=77)]
    topics = [OffsetDeleteTopic(name=GROUPS_TOPIC, partitions=parts)]
    answer = Desk().ask(OffsetDeleteRequest(group_id="missing", topics=topics), 0).answer
    assert (answer.error_code, answer.topics) == (E.GROUP_ID_NOT_FOUND, [])


def test_a_handed_out_id_is_not_repeated_to_who_turns_static() -> None:
    client = Client(Desk())
    client.join()
    client.instance_id = "i"
    assert client.join().answer.member_id == ""


def test_a_commit_of_which_nothing_can_be_stored_begins_a_group_that_nobody_sees_yet() -> None:
    desk = Desk(brokers=1)
    # Names of the same hash, so both groups are in one partition of the offsets topic.
    group, neighbour = "Aa", "BB"

    def described() -> tuple[ErrorCode, str]:
        (found,) = desk.ask(DescribeGroupsRequest(groups=[group]), 6).answer.groups
        return ErrorCode(found.error_code), found.group_state

    def listed() -> list[str]:
        return [found.group_id for found in desk.ask(ListGroupsRequest()).answer.groups]

    desk.commit(1, group=group, metadata="x" * 4097)
    assert described() == (E.GROUP_ID_NOT_FOUND, "Dead")
    assert listed() == []
    # Those who change groups find it: it has no such member, while a missing group would be called missing.
    refused = desk.commit(1, group=group, generation=3).answer.topics[0].partitions[0]
    assert refused.error_code == E.UNKNOWN_MEMBER_ID
    desk.commit(1, group=neighbour)
    assert described() == (E.NONE, "Empty")
    assert listed() == [group, neighbour]


def test_a_group_that_nobody_sees_can_be_deleted_and_dies_with_its_coordinator() -> None:
    desk = Desk()
    for end in (lambda: desk.ask(DeleteGroupsRequest(groups_names=[GROUP])), desk.fail_over):
        desk.commit(1, metadata="x" * 4097)
        assert desk.state() == "Empty"
        end()
        assert GROUP not in desk.shard().groups
