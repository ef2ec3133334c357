"""Topics made, grown and deleted; cases 185 to 187 of the list measured on a real broker."""

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.topics import (
    CreatableTopicConfig,
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
    CreateTopicsRequest,
    DeleteTopicsRequest,
    DeleteTopicState,
)
from mockbroker.protocol.types import ZERO_UUID
from tests.handlers.admin import Admin, codes, wanted


def test_a_created_topic_is_told_with_its_numbers_its_configs_and_its_id() -> None:
    admin = Admin()
    made = admin.create("orders", 6, 3, retention_ms="1000")
    assert (made.error_code, made.error_message) == (0, None)
    assert (made.num_partitions, made.replication_factor, len(made.configs or [])) == (6, 3, 37)
    assert admin.world.controller.image.topics["orders"].id == made.topic_id
    retention = next(config for config in made.configs or [] if config.name == "retention.ms")
    assert (retention.value, retention.config_source, retention.read_only) == ("1000", 1, False)


def test_every_broker_hears_of_a_new_topic_whichever_was_asked() -> None:
    admin = Admin()
    admin.ask(CreateTopicsRequest(topics=[wanted("orders", 3, 3)]), broker=2)
    assert all("orders" in node.image.topics for node in admin.world.nodes.values())
    assert [admin.world.nodes[id].leader_of("orders", id - 1).leading for id in (1, 2, 3)] == [True] * 3


@pytest.mark.parametrize("version", range(2, 8))
def test_minus_one_takes_the_brokers_defaults_in_every_version(version: int) -> None:
    admin = Admin(config={"num.partitions": 4, "default.replication.factor": 2})
    assert admin.create("orders", -1, -1, version=version).error_code == 0
    assert [len(replicas) for replicas in admin.replicas("orders")] == [2, 2, 2, 2]


def test_validate_only_answers_the_same_and_makes_nothing() -> None:
    admin = Admin()
    request = CreateTopicsRequest(topics=[wanted("orders", 6, 3)], validate_only=True)
    (result,) = admin.ask(request).topics
    assert (result.error_code, result.num_partitions, len(result.configs)) == (0, 6, 37)
    assert result.topic_id != ZERO_UUID
    assert not admin.world.controller.image.topics


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "é", "x" * 250])
def test_an_illegal_name_is_refused(name: str) -> None:
    made = Admin().create(name)
    assert made.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert made.error_message
    assert made.error_message.startswith("Topic name is invalid")


def test_the_longest_name_is_taken() -> None:
    assert Admin().create("x" * 249).error_code == 0


def test_names_that_metrics_cannot_tell_apart_collide() -> None:
    admin = Admin()
    admin.create("a.b")
    assert admin.create("a_b").error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert admin.create("a.b").error_code == ErrorCode.TOPIC_ALREADY_EXISTS
    assert admin.create("ab").error_code == 0


def test_names_that_collide_within_one_request_are_not_both_made() -> None:
    request = CreateTopicsRequest(topics=[wanted("a.b"), wanted("a_b")])
    assert codes(Admin().ask(request).topics) == [ErrorCode.NONE, ErrorCode.INVALID_TOPIC_EXCEPTION]


def test_a_topic_named_twice_is_answered_once_and_not_made() -> None:
    admin = Admin()
    request = CreateTopicsRequest(topics=[wanted("twice"), wanted("once"), wanted("twice")])
    results = admin.ask(request).topics
    assert [result.name for result in results] == ["twice", "once"]
    assert codes(results) == [ErrorCode.INVALID_REQUEST, ErrorCode.NONE]
    assert list(admin.world.controller.image.topics) == ["once"]


def test_the_log_of_the_quorum_is_not_for_clients_to_make() -> None:
    assert Admin().create("__cluster_metadata").error_code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("partitions", "replication", "code"),
    [
        (0, 1, ErrorCode.INVALID_PARTITIONS),
        (-2, 1, ErrorCode.INVALID_PARTITIONS),
        (1, 0, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, -2, ErrorCode.INVALID_REPLICATION_FACTOR),
        (1, 4, ErrorCode.INVALID_REPLICATION_FACTOR),
    ],
)
def test_numbers_that_make_no_topic_are_refused(partitions: int, replication: int, code: ErrorCode) -> None:
    made = Admin().create("orders", partitions, replication)
    assert (made.error_code, made.num_partitions, made.replication_factor) == (code, -1, -1)
    assert made.topic_id == ZERO_UUID


@pytest.mark.parametrize(
    "assignments",
    [
        {0: []},
        {0: [1, 1]},
        {0: [9]},
        {0: [1, 2], 1: [3]},
        {0: [1], 2: [2]},
        {-1: [1]},
    ],
)
def test_an_assignment_that_makes_no_sense_is_refused(assignments: dict[int, list[int]]) -> None:
    made = Admin().create("orders", -1, -1, assignments)
    assert made.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT


def test_an_assignment_is_followed_to_the_letter() -> None:
    admin = Admin()
    assert admin.create("orders", -1, -1, {1: [2, 3], 0: [3, 1]}).error_code == 0
    assert admin.replicas("orders") == [(3, 1), (2, 3)]


def test_an_assignment_to_the_dead_alone_is_refused() -> None:
    admin = Admin()
    admin.world.crash(3)
    assert admin.create("orders", -1, -1, {0: [3]}).error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert admin.create("orders", -1, -1, {0: [3, 1]}).error_code == 0


@pytest.mark.parametrize(("partitions", "replication"), [(1, -1), (-1, 1)])
def test_an_assignment_and_a_number_contradict_each_other(partitions: int, replication: int) -> None:
    made = Admin().create("orders", partitions, replication, {0: [1]})
    assert made.error_code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retention_ms", None),
        ("retention_ms", "soon"),
        ("retention_ms", "-2"),
        ("min_insync_replicas", "0"),
        ("cleanup_policy", "shred"),
        ("compression_type", "rar"),
        ("no_such_config", "1"),
        ("message_timestamp_type", "createtime"),
        ("max_message_bytes", "2147483648"),
    ],
)
def test_a_bad_config_is_refused(name: str, value: str | None) -> None:
    topic = wanted("orders")
    topic.configs = [CreatableTopicConfig(name=name.replace("_", "."), value=value)]
    assert codes(Admin().ask(CreateTopicsRequest(topics=[topic])).topics) == [ErrorCode.INVALID_CONFIG]


def test_a_config_that_is_not_acted_on_yet_is_refused_unless_it_changes_nothing() -> None:
    admin = Admin()
    refused = admin.create("orders", min_cleanable_dirty_ratio="0.01")
    assert refused.error_code == ErrorCode.INVALID_CONFIG
    assert "does not act on it yet" in (refused.error_message or "")
    assert admin.create("orders", min_cleanable_dirty_ratio="0.50").error_code == 0


def test_more_than_ten_thousand_partitions_in_one_request_are_against_the_policy() -> None:
    request = CreateTopicsRequest(topics=[wanted("a", 10_000), wanted("b", 1)], validate_only=True)
    assert codes(Admin().ask(request).topics) == [ErrorCode.POLICY_VIOLATION] * 2


def test_ten_thousand_topics_can_be_made_at_once() -> None:
    admin = Admin()
    request = CreateTopicsRequest(topics=[wanted(f"t-{n}") for n in range(10_000)])
    assert set(codes(admin.ask(request).topics)) == {ErrorCode.NONE}
    assert len(admin.world.nodes[3].image.topics) == 10_000


def test_out_of_the_controllers_reach_the_request_times_out() -> None:
    admin = Admin()
    admin.world.isolate(1)
    ticket = admin.begin(CreateTopicsRequest(topics=[wanted("orders")], timeout_ms=5000))
    admin.world.patience.advance(4999)
    assert not ticket.done
    admin.world.patience.advance(1)
    assert codes(ticket.result.topics) == [ErrorCode.REQUEST_TIMED_OUT]


# -- deletion -----------------------------------------------------------------------------------------


def delete(admin: Admin, *names: str, version: int = 5) -> dict[str, ErrorCode]:
    response = admin.ask(DeleteTopicsRequest(topic_names=list(names)), version)
    return {result.name: ErrorCode(result.error_code) for result in response.responses}


@pytest.mark.parametrize("version", range(1, 6))
def test_a_topic_is_deleted_by_its_name(version: int) -> None:
    admin = Admin()
    admin.create("orders")
    assert delete(admin, "orders", "other", version=version) == {
        "orders": ErrorCode.NONE,
        "other": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
    assert not admin.world.nodes[2].image.topics


def test_a_topic_is_deleted_by_its_id() -> None:
    admin = Admin()
    topic_id = admin.create("orders").topic_id
    request = DeleteTopicsRequest(topics=[DeleteTopicState(topic_id=topic_id)])
    (deleted,) = admin.ask(request).responses
    assert (deleted.name, deleted.topic_id, deleted.error_code) == ("orders", topic_id, 0)
    (unknown,) = admin.ask(request).responses
    assert (unknown.name, unknown.topic_id) == (None, topic_id)
    assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_ID


def test_a_topic_created_again_has_another_id() -> None:
    admin = Admin()
    first = admin.create("orders").topic_id
    delete(admin, "orders")
    assert admin.create("orders").topic_id != first


def test_a_request_that_is_not_clear_about_a_topic_deletes_nothing_of_it() -> None:
    admin = Admin()
    topic_id = admin.create("orders").topic_id
    admin.create("other")
    by_name, by_id = DeleteTopicState(name="orders"), DeleteTopicState(topic_id=topic_id)
    for unclear in (
        [by_name, by_name],
        [by_id, by_id],
        [DeleteTopicState(name="orders", topic_id=topic_id)],
        [DeleteTopicState()],
    ):
        request = DeleteTopicsRequest(topics=[*unclear, DeleteTopicState(name="other")], timeout_ms=1)
        results = {result.name: result.error_code for result in admin.ask(request).responses}
        assert len(results) == 2
        assert ErrorCode.INVALID_REQUEST in results.values()
    assert list(admin.world.controller.image.topics) == ["orders"]


def test_a_topic_named_by_name_and_by_id_is_named_twice() -> None:
    admin = Admin()
    topic_id = admin.create("orders").topic_id
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name="orders"), DeleteTopicState(topic_id=topic_id)]
    )
    assert codes(admin.ask(request).responses) == [ErrorCode.INVALID_REQUEST] * 2


@pytest.mark.parametrize(
    ("version", "code"), [(2, ErrorCode.INVALID_REQUEST), (3, ErrorCode.TOPIC_DELETION_DISABLED)]
)
def test_deletion_can_be_disabled(version: int, code: ErrorCode) -> None:
    admin = Admin(config={"delete.topic.enable": "false"})
    admin.create("orders")
    assert delete(admin, "orders", version=version) == {"orders": code}
    assert "orders" in admin.world.controller.image.topics


# -- more partitions ----------------------------------------------------------------------------------


def grow(admin: Admin, *topics: CreatePartitionsTopic, validate_only: bool = False) -> list[ErrorCode]:
    return codes(admin.ask(CreatePartitionsRequest(topics=list(topics), validate_only=validate_only)).results)


def to(name: str, count: int, assignments: list[list[int]] | None = None) -> CreatePartitionsTopic:
    by_hand = (
        None if assignments is None else [CreatePartitionsAssignment(broker_ids=ids) for ids in assignments]
    )
    return CreatePartitionsTopic(name=name, count=count, assignments=by_hand)


def test_added_partitions_are_placed_as_if_they_had_been_there_from_the_start() -> None:
    admin = Admin()
    admin.create("grown", 2, 2)
    admin.create("whole", 5, 2)
    assert grow(admin, to("grown", 5)) == [ErrorCode.NONE]
    assert admin.replicas("grown") == admin.replicas("whole")


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        (to("orders", 2), ErrorCode.INVALID_PARTITIONS),
        (to("orders", 1), ErrorCode.INVALID_PARTITIONS),
        (to("orders", -1), ErrorCode.INVALID_PARTITIONS),
        (to("other", 3), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (to("orders", 3, []), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (to("orders", 3, [[1, 2], [2, 3]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (to("orders", 3, [[1, 9]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (to("orders", 3, [[1]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (to("orders", 10_003), ErrorCode.POLICY_VIOLATION),
    ],
)
def test_partitions_are_not_added_to_no_purpose(topic: CreatePartitionsTopic, code: ErrorCode) -> None:
    admin = Admin()
    admin.create("orders", 2, 2)
    assert grow(admin, topic) == [code]
    assert len(admin.replicas("orders")) == 2


def test_partitions_are_added_by_hand_behind_those_there_are() -> None:
    admin = Admin()
    admin.create("orders", 1, 2)
    assert grow(admin, to("orders", 3, [[3, 1], [1, 3]])) == [ErrorCode.NONE]
    assert admin.replicas("orders")[1:] == [(3, 1), (1, 3)]


def test_a_growing_topic_named_twice_is_answered_once() -> None:
    admin = Admin()
    admin.create("orders")
    assert grow(admin, to("orders", 3), to("orders", 4)) == [ErrorCode.INVALID_REQUEST]


def test_growth_can_be_tried_out() -> None:
    admin = Admin()
    admin.create("orders")
    assert grow(admin, to("orders", 3), validate_only=True) == [ErrorCode.NONE]
    assert len(admin.replicas("orders")) == 1
