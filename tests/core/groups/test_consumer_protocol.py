import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.consumer import ConsumerProtocolAssignment, ConsumerProtocolSubscription

from mockbroker.core.groups.consumer_protocol import (
    Subscription,
    TopicPartitions,
    parse_assignment,
    parse_subscription,
    write_assignment,
    write_subscription,
)

FULL = Subscription(
    topics=["a", "b"],
    user_data=b"extra",
    owned_partitions=[TopicPartitions(topic="a", partitions=[0, 2])],
    generation_id=7,
    rack_id="r1",
)


def test_a_subscription_keeps_what_its_version_can_say() -> None:
    assert parse_subscription(write_subscription(FULL)) == FULL
    oldest = parse_subscription(write_subscription(FULL, version=0))
    assert (oldest.topics, oldest.owned_partitions, oldest.generation_id) == (["a", "b"], [], -1)


def test_an_assignment_is_partitions_by_topic() -> None:
    assert parse_assignment(write_assignment({"a": [0, 2], "b": [1]})) == {"a": [0, 2], "b": [1]}
    assert parse_assignment(b"") == {}


def test_a_topic_that_is_listed_twice_is_one_topic() -> None:
    once, more = write_assignment({"a": [0]}, version=1), write_assignment({"a": [2]}, version=1)
    both = b"\0\1\0\0\0\2" + once[6:-4] + more[6:]
    assert parse_assignment(both) == {"a": [0, 2]}


def test_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    newer = b"\0\x09" + write_subscription(FULL)[2:] + b"what comes later"
    assert parse_subscription(newer) == FULL


@pytest.mark.parametrize("version", range(4))
def test_the_bytes_are_those_of_another_client(version: int) -> None:
    theirs = ConsumerProtocolSubscription(
        topics=["a", "b"], user_data=b"extra", owned_partitions=[("a", [0, 2])], generation_id=7, rack_id="r1"
    )
    assert write_subscription(FULL, version) == theirs.encode(version=version)
    assigned = ConsumerProtocolAssignment(assigned_partitions=[("a", [0, 2])], user_data=None)
    assert write_assignment({"a": [0, 2]}, version) == assigned.encode(version=version)


@given(st.binary(max_size=80))
def test_whatever_a_client_sends_reading_it_raises_nothing_but_value_error(data: bytes) -> None:
    for parse in (parse_subscription, parse_assignment):
        with contextlib.suppress(ValueError):
            parse(data)


def test_a_huge_count_is_refused_before_anything_is_made_of_it() -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_assignment(b"\0\0\x7f\xff\xff\xff")
