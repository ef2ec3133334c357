import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import OffsetDeleteRequest
from mockbroker.protocol.messages.offsets import (
    FetchedGroupOffset,
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
    OffsetFetchGroup,
    OffsetFetchGroupTopic,
    OffsetFetchRequest,
    OffsetFetchTopic,
)
from mockbroker.protocol.types import ZERO_UUID
from tests.core.groups.desk import GROUP, TOPIC, Client, Desk, stable

E = ErrorCode
NOTHING = FetchedGroupOffset(committed_offset=-1)


def commits(*topics: tuple[str, list[int]], topic_id: bytes = ZERO_UUID) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id=GROUP,
        topics=[
            OffsetCommitTopic(
                name=name,
                topic_id=topic_id,
                partitions=[
                    OffsetCommitPartition(partition_index=n, committed_offset=10 + n) for n in indexes
                ],
            )
            for name, indexes in topics
        ],
    )


def verdicts(answer: object) -> list[tuple[str, list[tuple[int, int]]]]:
    """Topic by topic in the order of the answer: (partition, error)."""
    topics = answer.topics  # type: ignore[attr-defined]  # any of the answers that have topics
    return [(t.name, [(p.partition_index, p.error_code) for p in t.partitions]) for t in topics]


@pytest.mark.parametrize("version", range(2, 10))
def test_what_does_not_exist_comes_first_in_the_answer(version: int) -> None:
    asked = commits((TOPIC, [0, 9, 1]), ("unheard-of", [0]))
    assert verdicts(Desk().ask(asked, version).answer) == [
        (TOPIC, [(9, 3), (0, 0), (1, 0)]),
        ("unheard-of", [(0, 3)]),
    ]


def test_topics_may_be_named_by_id() -> None:
    desk = Desk()
    topic_id = desk.world.controller.image.topics[TOPIC].id
    both = commits(("", [0, 9]), topic_id=topic_id)
    both.topics += commits(("", [0]), topic_id=b"x" * 16).topics
    answer = desk.ask(both, 10).answer
    assert [
        (t.topic_id, [(p.partition_index, p.error_code) for p in t.partitions]) for t in answer.topics
    ] == [
        (topic_id, [(9, E.UNKNOWN_TOPIC_OR_PARTITION), (0, E.NONE)]),
        (b"x" * 16, [(0, E.UNKNOWN_TOPIC_ID)]),
    ]
    assert desk.committed() == 10


def test_a_commit_of_nothing_that_exists_asks_no_coordinator() -> None:
    desk = Desk()
    elsewhere = desk.world.nodes[desk.followers()[0]]
    assert verdicts(desk.ask(commits(("unheard-of", [0])), 9, node=elsewhere).answer) == [
        ("unheard-of", [(0, 3)])
    ]
    assert desk.ask(commits(), 9, node=elsewhere).answer.topics == []
    assert verdicts(desk.ask(commits((TOPIC, [0])), 9, node=elsewhere).answer) == [(TOPIC, [(0, 16)])]


def test_what_is_wrong_with_the_whole_is_said_of_every_partition() -> None:
    desk = Desk()
    asked = commits((TOPIC, [0, 1]), ("unheard-of", [0]))
    asked.generation_id_or_member_epoch = 5
    assert verdicts(desk.ask(asked, 9).answer) == [("unheard-of", [(0, 3)]), (TOPIC, [(0, 69), (1, 69)])]


def test_too_much_metadata_is_the_trouble_of_its_partition_only() -> None:
    desk = Desk()
    asked = commits((TOPIC, [0, 1]))
    asked.topics[0].partitions[0].committed_metadata = "x" * 4097
    assert verdicts(desk.ask(asked, 9).answer) == [(TOPIC, [(0, 12), (1, 0)])]
    assert (desk.committed(), desk.committed(1)) == (-1, 11)


@pytest.mark.parametrize("version", range(1, 8))
def test_one_group_is_asked_by_older_versions(version: int) -> None:
    desk = Desk()
    asked = commits((TOPIC, [0]))
    asked.topics[0].partitions[0].committed_leader_epoch = 3
    desk.ask(asked, 9)
    wanted = OffsetFetchRequest(
        group_id=GROUP, topics=[OffsetFetchTopic(name=TOPIC, partition_indexes=[1, 0])]
    )
    answer = desk.ask(wanted, version).answer
    (topic,) = answer.topics
    assert [(p.partition_index, p.committed_offset, p.error_code) for p in topic.partitions] == [
        (1, -1, 0),
        (0, 10, 0),
    ]
    assert [p.committed_leader_epoch for p in topic.partitions] == [-1, 3 if version >= 5 else -1]
    assert [p.metadata for p in topic.partitions] == ["", ""]
    everything = desk.ask(
        OffsetFetchRequest(group_id=GROUP, topics=None if version >= 2 else []), version
    ).answer
    assert len(everything.topics) == (1 if version >= 2 else 0)


@pytest.mark.parametrize("version", range(1, 8))
def test_older_versions_say_what_is_wrong_where_they_can(version: int) -> None:
    desk = Desk()
    elsewhere = desk.world.nodes[desk.followers()[0]]
    wanted = OffsetFetchRequest(group_id=GROUP, topics=[OffsetFetchTopic(name=TOPIC, partition_indexes=[1])])
    answer = desk.ask(wanted, version, node=elsewhere).answer
    if version == 1:
        (part,) = answer.topics[0].partitions
        assert (part.committed_offset, part.error_code) == (-1, E.NOT_COORDINATOR)
    else:
        assert (answer.error_code, answer.topics) == (E.NOT_COORDINATOR, [])


@pytest.mark.parametrize("version", [8, 9])
def test_many_groups_are_answered_each_on_its_own(version: int) -> None:
    desk = Desk(offsets_topic_num_partitions=50)
    desk.ask(commits((TOPIC, [0])), 9)
    here = desk.coordinator()
    stranger = next(f"g{n}" for n in range(99) if desk.coordinator(f"g{n}") is not here)
    missing = next(f"g{n}" for n in range(99) if desk.coordinator(f"g{n}") is here)
    part = [OffsetFetchGroupTopic(name=TOPIC, partition_indexes=[0])]
    wanted = OffsetFetchRequest(
        groups=[
            OffsetFetchGroup(group_id=GROUP, topics=None, member_id="ignored", member_epoch=7),
            OffsetFetchGroup(group_id=missing, topics=part),
            OffsetFetchGroup(group_id=stranger, topics=part),
        ],
        require_stable=True,
    )
    all_, none, refused = desk.ask(wanted, version, node=here).answer.groups
    assert [p.committed_offset for p in all_.topics[0].partitions] == [10]
    assert (none.error_code, none.topics[0].partitions) == (E.NONE, [NOTHING])
    assert (refused.error_code, refused.topics) == (E.NOT_COORDINATOR, [])


def test_offsets_are_fetched_by_topic_id() -> None:
    desk = Desk()
    topic_id = desk.world.controller.image.topics[TOPIC].id
    desk.ask(commits(("", [0]), topic_id=topic_id), 10)
    asked = [OffsetFetchGroupTopic(topic_id=id, partition_indexes=[0]) for id in (topic_id, b"x" * 16)]
    groups = [OffsetFetchGroup(group_id=GROUP, topics=asked), OffsetFetchGroup(group_id=GROUP, topics=None)]
    some, all_ = desk.ask(OffsetFetchRequest(groups=groups), 10, node=desk.coordinator()).answer.groups
    assert [
        (t.topic_id, t.partitions[0].committed_offset, t.partitions[0].error_code) for t in some.topics
    ] == [
        (topic_id, 10, E.NONE),
        (b"x" * 16, -1, E.UNKNOWN_TOPIC_ID),
    ]
    assert [(t.topic_id, t.partitions[0].committed_offset) for t in all_.topics] == [(topic_id, 10)]


def test_a_namesake_of_the_topic_does_not_inherit_offsets_by_id() -> None:
    desk = Desk()
    old_id = desk.world.controller.image.topics[TOPIC].id
    desk.ask(commits(("", [0]), topic_id=old_id), 10)
    shard = desk.shard()
    kept = shard.committed_offsets(GROUP)[TOPIC, 0]
    desk.delete_topic(TOPIC)
    desk.make_topic(TOPIC, 1)
    new_id = desk.world.controller.image.topics[TOPIC].id
    shard.keep([kept])
    desk.world.settle()
    asked = [OffsetFetchGroupTopic(topic_id=new_id, partition_indexes=[0])]
    wanted = OffsetFetchRequest(groups=[OffsetFetchGroup(group_id=GROUP, topics=asked)])
    (group,) = desk.ask(wanted, 10, node=desk.coordinator()).answer.groups
    assert group.topics[0].partitions == [NOTHING]


def test_deleting_no_offsets_still_asks_whether_there_is_a_group() -> None:
    desk = Desk()
    assert desk.ask(OffsetDeleteRequest(group_id=GROUP, topics=[])).error is E.GROUP_ID_NOT_FOUND
    stable(desk, Client(desk))
    assert desk.ask(OffsetDeleteRequest(group_id=GROUP, topics=[])).error is E.NONE
