from random import Random
from typing import Any

import pytest

from mockbroker.core.call import Call, Peer
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.core.links import CONTROLLER
from mockbroker.core.ticket import Ticket
from mockbroker.core.world import World
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.metadata import FindCoordinatorRequest, FindCoordinatorResponse

E = ErrorCode
GROUP, TRANSACTION, SHARE = 0, 1, 2


def cluster(brokers: int = 3, *, friendly: bool = True, **config: object) -> World:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return World(brokers=range(1, brokers + 1), random=Random(1), friendly=friendly, config=named)


def find(
    world: World, *keys: str, version: int = 6, kind: int = GROUP, broker: int = 1
) -> FindCoordinatorResponse:
    """Ask a broker, over the real encodings."""
    key = keys[0] if keys else ""
    body = FindCoordinatorRequest(key=key, key_type=kind, coordinator_keys=list(keys))
    seen = decode(FindCoordinatorRequest, version, b"".join(encode(body, version)))
    call: Call[Any] = Call(Api.FIND_COORDINATOR, version, 1, "app", seen, Peer())
    handler = HANDLERS[Api.FIND_COORDINATOR]
    try:
        reply = handler.answer(call, world.nodes[broker])
    except KafkaError as refused:
        reply = handler.refuse(call, refused)
    world.settle()
    response = reply.result if isinstance(reply, Ticket) else reply
    return decode(FindCoordinatorResponse, version, b"".join(encode(response, version)))


def test_the_first_question_makes_the_topic_and_tests_are_answered_at_once() -> None:
    world = cluster()
    (found,) = find(world, "billing").coordinators
    assert (found.error_code, found.key, found.error_message) == (E.NONE, "billing", "")
    assert (found.host, found.port) == ("localhost", 0)
    topic = world.controller.image.topics[OFFSETS_TOPIC]
    assert (topic.internal, len(topic.partitions)) == (True, 50)
    assert all(len(partition.replicas) == 3 for partition in topic.partitions)
    assert world.nodes[found.node_id].group_shard("billing").groups == {}
    assert world.controller.image.topic_overrides(OFFSETS_TOPIC)["cleanup.policy"] == "compact"


@pytest.mark.parametrize("version", [1, 3, 4, 6])
def test_kafka_itself_answers_the_first_question_with_come_again(version: int) -> None:
    world = cluster(friendly=False)
    answer = find(world, "billing", version=version)
    told: Any = answer.coordinators[0] if version >= 4 else answer
    assert (told.error_code, told.node_id, told.host, told.port) == (E.COORDINATOR_NOT_AVAILABLE, -1, "", -1)
    assert told.error_message == ("" if version >= 4 else E.COORDINATOR_NOT_AVAILABLE.text)
    assert find(world, "billing").coordinators[0].error_code == E.NONE


def test_every_broker_names_the_same_coordinator() -> None:
    world = cluster()
    assert len({find(world, "billing", broker=id).coordinators[0].node_id for id in world.nodes}) == 1


def test_the_vectors_of_real_groups_lead_to_the_leaders_of_their_partitions() -> None:
    world = cluster()
    groups = {"group-1": 49, "my-group": 12, "test": 48, "polygenelubricants": 0, "": 0}
    answers = find(world, *groups).coordinators
    partitions = world.controller.image.topics[OFFSETS_TOPIC].partitions
    assert {a.key: a.node_id for a in answers} == {key: partitions[at].leader for key, at in groups.items()}


@pytest.mark.parametrize("version", range(4))
def test_older_versions_ask_for_one_key(version: int) -> None:
    answer = find(cluster(), "billing", version=version)
    assert (answer.error_code, answer.node_id in (1, 2, 3)) == (E.NONE, True)
    assert answer.error_message == ("NONE" if version else "")


def test_a_small_cluster_has_as_many_replicas_as_it_has_brokers() -> None:
    world = cluster(1)
    assert find(world, "billing").coordinators[0].node_id == 1
    assert world.controller.image.topics[OFFSETS_TOPIC].partitions[0].replicas == (1,)


def test_kafka_itself_never_finds_three_brokers_among_one() -> None:
    world = cluster(1, friendly=False)
    for _ in range(3):
        assert find(world, "billing").coordinators[0].error_code == E.COORDINATOR_NOT_AVAILABLE
    assert OFFSETS_TOPIC not in world.controller.image.topics


def test_the_settings_shape_the_topic() -> None:
    world = cluster(offsets_topic_num_partitions=5, offsets_topic_replication_factor=2)
    find(world, "billing")
    partitions = world.controller.image.topics[OFFSETS_TOPIC].partitions
    assert [len(partition.replicas) for partition in partitions] == [2] * 5


def test_without_a_leader_there_is_no_coordinator() -> None:
    world = cluster(offsets_topic_replication_factor=1)
    coordinator = find(world, "billing").coordinators[0].node_id
    world.crash(coordinator)
    world.settle()
    (told,) = find(world, "billing", broker=coordinator % 3 + 1).coordinators
    assert (told.error_code, told.node_id) == (E.COORDINATOR_NOT_AVAILABLE, -1)


def test_a_broker_that_cannot_reach_the_controller_waits_and_then_says_so() -> None:
    world = cluster()
    world.links.cut(1, CONTROLLER)
    call: Call[Any] = Call(Api.FIND_COORDINATOR, 0, 1, "app", FindCoordinatorRequest(key="billing"), Peer())
    reply = HANDLERS[Api.FIND_COORDINATOR].answer(call, world.nodes[1])
    world.settle()
    assert isinstance(reply, Ticket)
    assert not reply.done
    world.patience.advance(30_000)
    assert reply.result.error_code == E.COORDINATOR_NOT_AVAILABLE


def test_what_has_no_coordinator_here_is_refused_with_a_message() -> None:
    world = cluster()
    (told,) = find(world, "key", kind=SHARE).coordinators
    assert told.error_code == E.UNSUPPORTED_VERSION
    assert "mockbroker has no" in (told.error_message or "")


def test_a_transactional_id_is_looked_after_by_a_leader_of_its_own_topic() -> None:
    world = cluster()
    (told,) = find(world, "payer-1", kind=TRANSACTION).coordinators
    assert told.error_code == E.NONE
    assert world.nodes[told.node_id].transaction_shard("payer-1").transactions == {}


def test_kinds_that_do_not_exist_are_invalid() -> None:
    world = cluster()
    (told,) = find(world, "key", kind=9).coordinators
    assert (told.error_code, told.error_message) == (E.INVALID_REQUEST, E.INVALID_REQUEST.text)
    assert find(world, "key", kind=SHARE, version=5).coordinators[0].error_code == E.INVALID_REQUEST
    assert find(world, "key", kind=9, version=2).error_code == E.INVALID_REQUEST
