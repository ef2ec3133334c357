"""`encode` and `decode` against each other, for every declared message and version."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.compile_decoder import wide
from mockbroker.protocol.compile_encoder import varint
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.messages.fetch import FetchedPartition, FetchedTopic, FetchRequest, FetchResponse
from mockbroker.protocol.messages.groups import JoinGroupRequest, JoinGroupResponse
from mockbroker.protocol.messages.metadata import ApiVersionsResponse, MetadataRequest
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.messages.shared import LeaderIdAndEpoch
from tests.protocol.declared import MESSAGES, as_seen_by, messages, name, versions_of

# A message is written and read in each of its versions, so a few messages of each kind are many round trips.
FEW = settings(max_examples=20)


@pytest.mark.parametrize("message_type", MESSAGES, ids=name)
def test_a_message_survives_the_way_there_and_back_in_every_version(message_type: type[Any]) -> None:
    @FEW
    @given(messages(message_type))
    def round_trip(message: Any) -> None:
        for version in versions_of(message_type):
            body = b"".join(encode(message, version))
            assert decode(message_type, version, body) == as_seen_by(version, message)
            assert decode(message_type, version, bytearray(b"head" + body + b"more"), 4) == as_seen_by(
                version, message
            )

    round_trip()


def fetched(partition: FetchedPartition) -> FetchResponse:
    """A response about one partition."""
    return FetchResponse(responses=[FetchedTopic(partitions=[partition])])


def test_stored_batches_leave_as_the_objects_they_are() -> None:
    first, second = bytes(5000), memoryview(bytes(6000))
    parts = encode(fetched(FetchedPartition(records=[first, second])), 12)
    assert any(part is first for part in parts)
    assert any(part is second for part in parts)
    (partition,) = decode(FetchResponse, 12, b"".join(parts)).responses[0].partitions
    assert partition.records == bytes(11000)


def test_small_batches_are_joined_to_their_neighbours() -> None:
    (part,) = encode(fetched(FetchedPartition(records=(b"one", b"two"))), 4)
    assert b"\x00\x00\x00\x06onetwo" in bytes(part)


def test_records_are_read_in_place() -> None:
    topic = ProduceTopic(name="orders", partition_data=[ProducePartition(records=b"batch")])
    frame = bytearray(b"".join(encode(ProduceRequest(topic_data=[topic]), 9)))
    records = decode(ProduceRequest, 9, frame).topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records.obj is frame


def test_a_memoryview_can_be_decoded_too() -> None:
    body = b"".join(encode(JoinGroupRequest(group_id="g", protocol_type="consumer"), 9))
    assert decode(JoinGroupRequest, 9, memoryview(body)).group_id == "g"


def test_what_a_version_lacks_is_left_out_and_reads_as_its_default() -> None:
    request = FetchRequest(max_bytes=1, rack_id="r1", session_id=9)
    old = decode(FetchRequest, 0, b"".join(encode(request, 0)))
    assert (old.max_bytes, old.rack_id, old.session_id) == (0x7FFF_FFFF, "", 0)


def test_a_null_that_a_version_cannot_say_is_written_as_empty() -> None:
    response = JoinGroupResponse(protocol_name=None)
    assert decode(JoinGroupResponse, 7, b"".join(encode(response, 7))).protocol_name is None
    assert decode(JoinGroupResponse, 6, b"".join(encode(response, 6))).protocol_name == ""


def test_null_topics_differ_from_no_topics_where_the_version_can_tell() -> None:
    assert decode(MetadataRequest, 1, b"".join(encode(MetadataRequest(topics=None), 1))).topics is None
    assert decode(MetadataRequest, 1, b"".join(encode(MetadataRequest(topics=[]), 1))).topics == []
    assert b"".join(encode(MetadataRequest(topics=None), 0)) == b"\x00\x00\x00\x00"


def test_a_tagged_field_at_its_default_is_not_sent() -> None:
    silent = FetchedPartition()
    told = FetchedPartition(current_leader=LeaderIdAndEpoch(leader_id=2, leader_epoch=5))
    sizes = [sum(map(len, encode(fetched(partition), 12))) for partition in (silent, told)]
    assert sizes[1] - sizes[0] == len(b"\x01\x09") + 4 + 4 + 1


def test_an_answer_can_be_written_in_version_0_whatever_was_asked() -> None:
    assert encode(ApiVersionsResponse(error_code=35), 0) == [b"\x00\x23\x00\x00\x00\x00"]


@given(st.integers(0, 0xFFFF_FFFF))
@settings(max_examples=50)
def test_every_length_survives_as_a_varint(length: int) -> None:
    assert wide(varint(length), 0) == (length, len(varint(length)) - 1)


def test_a_message_of_ours_that_cannot_be_written_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="group_id"):
        encode(JoinGroupRequest(group_id=None, protocol_type="consumer"), 0)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(AssertionError, match="no version 99"):
        encode(JoinGroupRequest(), 99)


def test_bytes_after_a_message_are_ignored() -> None:
    body = b"".join(encode(JoinGroupRequest(group_id="g"), 0))
    assert decode(JoinGroupRequest, 0, body + b"leftover").group_id == "g"


def test_a_refusal_names_the_message_and_the_version() -> None:
    with pytest.raises(MalformedMessage, match="MetadataRequest v1: the bytes end in the middle"):
        decode(MetadataRequest, 1, b"\x00")
