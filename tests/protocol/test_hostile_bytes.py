"""Bytes from somebody who is broken or means harm: one kind of error, no hang, no memory."""

import contextlib
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.compile_encoder import varint
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.messages.configs import ListConfigResourcesRequest
from mockbroker.protocol.messages.fetch import FetchRequest
from mockbroker.protocol.messages.groups import DescribeGroupsRequest, HeartbeatRequest
from mockbroker.protocol.messages.metadata import ApiVersionsResponse, FindCoordinatorRequest, MetadataRequest
from mockbroker.protocol.messages.sasl import SaslAuthenticateRequest
from mockbroker.protocol.schema import Field, schema_of
from mockbroker.protocol.source import ELEMENTS_MAX, TAGS_MAX, smallest_struct
from tests.protocol.declared import VERSIONS, arrays_of, name, sample

# The most memory that decoding may take, for each byte that came and in all.
BYTES_PER_BYTE = 64
BYTES_AT_LEAST = 32 * 1024

# The largest counts, compact and plain, and negative ones.
HUGE_COUNTS = [
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\x0f",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xfe",
]


def bodies(message_type: type[Any], version: int) -> bytes:
    """A body with something in every field."""
    return b"".join(encode(sample(message_type), version))


def bit_flips(body: bytes) -> Iterator[bytes]:
    """One bit of each byte the other way, and each byte at its two extremes."""
    for at, byte in enumerate(body):
        for other in (byte ^ 1 << at % 8, 0x00, 0xFF):
            yield body[:at] + bytes((other,)) + body[at + 1 :]


def survives(message_type: type[Any], version: int, body: bytes) -> None:
    """Decoding ends in a message or in the one error there is; anything else fails the test."""
    with contextlib.suppress(MalformedMessage):
        decode(message_type, version, body)


@pytest.mark.parametrize(("message_type", "version"), VERSIONS, ids=name)
def test_a_message_cut_short_anywhere_is_malformed(message_type: type[Any], version: int) -> None:
    body = bodies(message_type, version)
    for length in range(len(body)):
        with pytest.raises(MalformedMessage):
            decode(message_type, version, body[:length])


@pytest.mark.parametrize(("message_type", "version"), VERSIONS, ids=name)
def test_a_damaged_message_is_malformed_or_another_message(message_type: type[Any], version: int) -> None:
    for damaged in bit_flips(bodies(message_type, version)):
        survives(message_type, version, damaged)


@pytest.mark.parametrize(("message_type", "version"), VERSIONS, ids=name)
def test_a_huge_count_anywhere_costs_nothing(message_type: type[Any], version: int) -> None:
    body = bodies(message_type, version)
    attacks = [body[:at] + count + body[at + 1 :] for at in range(len(body)) for count in HUGE_COUNTS]
    survives(message_type, version, attacks[0] if attacks else b"")
    tracemalloc.start()
    try:
        for attack in attacks:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            survives(message_type, version, attack)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < BYTES_PER_BYTE * len(attack) + BYTES_AT_LEAST
    finally:
        tracemalloc.stop()


def crowded(message_type: type[Any], way: tuple[Field, ...], count: int) -> Any:
    """A message in which one array has many elements, and everything else is as small as it can be."""
    message = message_type()
    parent = message
    for field in way[:-1]:
        if field.element is not None:
            assert field.element.struct is not None
            child = field.element.struct()
            setattr(parent, field.name, [child])
        else:
            assert field.struct is not None
            child = field.struct()
            setattr(parent, field.name, child)
        parent = child
    element = way[-1].element
    assert element is not None
    small = element.struct() if element.struct else "" if element.wire and not element.wire.size else 0
    setattr(parent, way[-1].name, [small] * count)
    return message


@pytest.mark.parametrize(("message_type", "version"), VERSIONS, ids=name)
def test_many_tiny_elements_stay_in_proportion(message_type: type[Any], version: int) -> None:
    for way in arrays_of(message_type, version):
        body = b"".join(encode(crowded(message_type, way, 300), version))
        decode(message_type, version, body)
        tracemalloc.start()
        message = decode(message_type, version, body)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert message is not None
        assert peak < BYTES_PER_BYTE * len(body) + 1024, way


@pytest.mark.parametrize(("message_type", "version"), VERSIONS, ids=name)
def test_the_smallest_size_of_a_message_is_known_exactly(message_type: type[Any], version: int) -> None:
    """Counts are held against it: one byte too little lets nonsense in, one too much keeps sense out."""
    flexible = schema_of(message_type).is_flexible(version)
    size = sum(map(len, encode(message_type(), version)))
    assert smallest_struct(message_type, version, flexible=flexible) == max(1, size)


def test_a_count_is_refused_when_not_even_the_smallest_elements_fit() -> None:
    three_topics = struct.pack(">i", 3) + bytes(6)
    assert len(decode(MetadataRequest, 1, three_topics).topics or ()) == 3
    with pytest.raises(MalformedMessage, match="'topics' says 3 elements, which 5 bytes cannot hold"):
        decode(MetadataRequest, 1, three_topics[:-1])
    with pytest.raises(MalformedMessage, match="'topics' says 300000 elements, which 6 bytes cannot hold"):
        decode(MetadataRequest, 1, struct.pack(">i", 300_000) + bytes(6))


def test_more_elements_than_a_message_may_have_are_refused_even_if_they_fit() -> None:
    count = ELEMENTS_MAX + 1
    body = struct.pack(">i", count) + bytes(2 * count) + b"\x00"
    with pytest.raises(MalformedMessage, match="more than 500000 elements"):
        decode(DescribeGroupsRequest, 3, body)
    fits = ELEMENTS_MAX.to_bytes(4, "big") + bytes(2 * ELEMENTS_MAX) + b"\x00"
    assert len(decode(DescribeGroupsRequest, 3, fits).groups) == ELEMENTS_MAX


@pytest.mark.parametrize("count", [-2, -(1 << 31)])
def test_a_count_below_null_is_malformed(count: int) -> None:
    with pytest.raises(MalformedMessage, match=f"'topics' says {count} elements"):
        decode(MetadataRequest, 1, struct.pack(">i", count))


def test_a_length_below_null_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="'group_instance_id' has the length -2"):
        decode(HeartbeatRequest, 3, b"\x00\x01g" + bytes(4) + b"\x00\x01m" + struct.pack(">h", -2))


def test_null_where_there_is_none_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="'key' is null"):
        decode(FindCoordinatorRequest, 0, b"\xff\xff")
    with pytest.raises(MalformedMessage, match="'key' is null"):
        decode(FindCoordinatorRequest, 3, b"\x00\x00\x00")
    with pytest.raises(MalformedMessage, match="'auth_bytes' is null"):
        decode(SaslAuthenticateRequest, 0, b"\xff\xff\xff\xff")


def test_a_string_that_is_not_utf8_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="not UTF-8"):
        decode(FindCoordinatorRequest, 0, b"\x00\x02\xc3\x28")


def test_anything_but_zero_is_true_as_in_kafka() -> None:
    body = b"\x00\x00\x00\x00\x07"
    assert decode(MetadataRequest, 4, body).allow_auto_topic_creation is True


@pytest.mark.parametrize("overlong", [b"\x80\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x1f", b"\x80" * 10])
def test_a_varint_of_more_than_32_bits_is_malformed(overlong: bytes) -> None:
    with pytest.raises(MalformedMessage, match="varint"):
        decode(FindCoordinatorRequest, 3, overlong)


def with_tags(tags: list[tuple[int, bytes]]) -> bytes:
    """An ApiVersions response of version 3 that ends in these tagged fields."""
    told = b"".join(varint(number) + varint(len(payload)) + payload for number, payload in tags)
    return b"\x00\x00" + b"\x01" + bytes(4) + varint(len(tags)) + told


def test_an_unknown_tagged_field_is_skipped_by_its_length() -> None:
    response = decode(ApiVersionsResponse, 3, with_tags([(1, struct.pack(">q", 5)), (9, b"from the future")]))
    assert response.finalized_features_epoch == 5
    assert response == ApiVersionsResponse(finalized_features_epoch=5)


@pytest.mark.parametrize("payload", [b"", b"\x00" * 7, b"\x00" * 9])
def test_a_tagged_field_of_the_wrong_length_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode(ApiVersionsResponse, 3, with_tags([(1, payload)]))


def test_a_tagged_field_that_says_more_than_there_is_is_malformed() -> None:
    body = b"\x00\x00\x01" + bytes(4) + b"\x01\x63\xff\x7f" + b"short"
    with pytest.raises(MalformedMessage, match="tagged field 99 says 16383 bytes, but 5 are left"):
        decode(ApiVersionsResponse, 3, body)


def test_a_struct_has_no_more_tagged_fields_than_anyone_needs() -> None:
    most = [(100 + number, b"") for number in range(TAGS_MAX)]
    decode(ApiVersionsResponse, 3, with_tags(most))
    with pytest.raises(MalformedMessage, match="65 tagged fields"):
        decode(ApiVersionsResponse, 3, with_tags([*most, (1000, b"")]))


@given(st.sampled_from(VERSIONS), st.binary(max_size=300))
def test_noise_is_malformed_or_a_message(which: tuple[type[Any], int], noise: bytes) -> None:
    survives(*which, noise)


def test_an_empty_body_is_a_message_only_where_nothing_has_to_be_said() -> None:
    assert decode(ListConfigResourcesRequest, 0, b"\x00") == ListConfigResourcesRequest()
    with pytest.raises(MalformedMessage):
        decode(FetchRequest, schema_of(FetchRequest).versions.last, b"")
