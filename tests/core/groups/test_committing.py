from mockbroker.core.groups.records import OffsetCommitted, encode_record, parse_record
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import (
    DeleteGroupsRequest,
    OffsetDeletePartition,
    OffsetDeleteRequest,
    OffsetDeleteTopic,
)
from mockbroker.records.batch import iter_records
from tests.core.groups.desk import GROUP, TOPIC, Asked, Client, Desk, error_of_commit, stable

E = ErrorCode


def delete(desk: Desk, *topics: str) -> Asked:
    wanted = [
        OffsetDeleteTopic(name=topic, partitions=[OffsetDeletePartition(partition_index=0)])
        for topic in topics
    ]
    return desk.ask(OffsetDeleteRequest(group_id=GROUP, topics=wanted))


def test_what_was_committed_is_fetched() -> None:
    desk = Desk()
    desk.commit(42, metadata="note")
    fetched = desk.fetched()
    assert (fetched.committed_offset, fetched.metadata, fetched.error_code) == (42, "note", E.NONE)
    assert (fetched.committed_leader_epoch, desk.committed(1)) == (-1, -1)


def test_offsets_are_not_judged_and_no_metadata_is_empty_metadata() -> None:
    desk = Desk()
    assert error_of_commit(desk.commit(-5, metadata=None)) is E.NONE
    assert (desk.committed(), desk.fetched().metadata) == (-5, "")


def test_an_offset_is_told_only_once_it_is_replicated() -> None:
    desk = Desk()
    desk.commit(1)
    desk.hold_replication()
    waiting = desk.commit(2)
    assert (waiting.done, desk.committed()) == (False, 1)
    assert waiting.why == f"OffsetCommit of {GROUP}: waiting for its records to be replicated"
    desk.release_replication()
    assert (error_of_commit(waiting), desk.committed()) == (E.NONE, 2)


def test_an_offset_that_is_not_replicated_in_time_may_still_come_true() -> None:
    desk = Desk()
    desk.hold_replication()
    waiting = desk.commit(2)
    desk.world.patience.advance(5000)
    assert error_of_commit(waiting) is E.COORDINATOR_NOT_AVAILABLE
    assert desk.committed() == -1
    desk.release_replication()
    assert desk.committed() == 2


def test_metadata_is_measured_as_java_measures_it() -> None:
    desk = Desk()
    assert error_of_commit(desk.commit(1, metadata="é" * 4096)) is E.NONE
    assert error_of_commit(desk.commit(2, metadata="x" * 4097)) is E.OFFSET_METADATA_TOO_LARGE
    assert error_of_commit(desk.commit(3, metadata="\U0001f600" * 2049)) is E.OFFSET_METADATA_TOO_LARGE
    assert desk.committed() == 1


def test_a_commit_keeps_a_member_alive() -> None:
    desk = Desk()
    a = Client(desk, session_ms=6000)
    stable(desk, a)
    for _ in range(4):
        desk.advance(5000)
        assert a.commit(1) is E.NONE
    assert a.heartbeat() is E.NONE


def test_commits_of_another_generation_or_member_are_refused() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    assert a.commit(1, generation=0) is E.ILLEGAL_GENERATION
    assert a.commit(1, generation=2) is E.ILLEGAL_GENERATION
    a.member_id = "somebody else"
    assert a.commit(1) is E.UNKNOWN_MEMBER_ID
    assert desk.committed() == -1


def test_a_member_of_the_last_generation_may_commit_while_the_next_one_gathers() -> None:
    desk = Desk()
    a = Client(desk, "a")
    stable(desk, a)
    Client(desk, "b").enter()
    assert desk.state() == "PreparingRebalance"
    assert a.commit(7) is E.NONE
    assert desk.committed() == 7


def test_a_group_may_do_nothing_but_store_offsets() -> None:
    desk = Desk()
    desk.commit(1)
    group = desk.group()
    assert (group.state.value, group.protocol_type, group.generation) == ("Empty", None, 0)


def test_what_is_committed_can_be_read_in_the_internal_topic() -> None:
    desk = Desk()
    desk.commit(42, metadata="note", retention_time_ms=1000, version=4)
    last = list(iter_records(desk.shard().replica.log.batches[-1]))[-1]
    assert last.key is not None
    said = parse_record(last.key, last.value)
    assert isinstance(said, OffsetCommitted)
    assert (said.offset, said.expire_timestamp_ms) == (42, desk.world.clock.now + 1000)
    assert encode_record(said) == (last.key, last.value)


def test_offsets_of_topics_that_nobody_subscribes_may_be_deleted() -> None:
    desk = Desk()
    desk.make_topic("other", 1)
    desk.commit(1)
    desk.commit(2, topic="other")
    stable(desk, Client(desk))
    answer = delete(desk, TOPIC, "other", "unheard-of").answer
    assert {t.name: t.partitions[0].error_code for t in answer.topics} == {
        TOPIC: E.GROUP_SUBSCRIBED_TO_TOPIC,
        "other": E.NONE,
        "unheard-of": E.UNKNOWN_TOPIC_OR_PARTITION,
    }
    assert (desk.committed(), desk.committed(topic="other")) == (1, -1)


def test_only_consumer_groups_say_what_they_subscribe() -> None:
    desk = Desk()
    desk.commit(1)
    other = Client(desk, protocol_type="connect")
    other.enter()
    answer = delete(desk, TOPIC).answer
    assert (answer.error_code, answer.topics) == (E.NON_EMPTY_GROUP, [])


def test_deleting_an_offset_that_is_not_there_is_no_error() -> None:
    desk = Desk()
    desk.commit(1, index=1)
    assert delete(desk, TOPIC).answer.topics[0].partitions[0].error_code == E.NONE


def test_with_a_group_its_offsets_go() -> None:
    desk = Desk()
    desk.commit(1)
    desk.commit(2, index=1)
    answer = desk.ask(DeleteGroupsRequest(groups_names=[GROUP, "nobody", GROUP])).answer
    assert sorted((r.group_id, r.error_code) for r in answer.results) == [
        (GROUP, E.NONE),
        ("nobody", E.GROUP_ID_NOT_FOUND),
    ]
    assert (desk.committed(), desk.committed(1)) == (-1, -1)
    assert desk.shard().groups == {}
    desk.fail_over()
    assert desk.shard().groups == {}


def test_a_deletion_is_answered_only_once_it_is_replicated() -> None:
    desk = Desk()
    desk.commit(1)
    desk.hold_replication()
    deletion = desk.ask(DeleteGroupsRequest(groups_names=[GROUP]))
    removal = delete(desk, TOPIC)
    assert (deletion.done, desk.committed()) == (False, 1)
    assert removal.error is E.GROUP_ID_NOT_FOUND
    desk.release_replication()
    assert (deletion.answer.results[0].error_code, desk.committed()) == (E.NONE, -1)


def test_with_a_topic_the_offsets_in_it_go() -> None:
    desk = Desk()
    desk.make_topic("other", 1)
    desk.commit(1)
    desk.commit(2, topic="other")
    desk.delete_topic(TOPIC)
    assert (desk.committed(), desk.committed(topic="other")) == (-1, 2)
    desk.make_topic(TOPIC, 1)
    assert desk.committed() == -1


def test_a_test_may_put_a_group_anywhere() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    a.commit(10)
    desk.shard().set_offset(GROUP, TOPIC, 0, 3)
    desk.world.settle()
    assert (desk.committed(), desk.state()) == (3, "Stable")
