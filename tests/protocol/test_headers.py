"""Request headers in, response headers out."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.headers import (
    RequestHeader,
    is_flexible,
    read_header,
    response_head,
    seal,
    seal_parts,
    write_request,
)
from mockbroker.protocol.messages.fetch import FetchedPartition, FetchedTopic, FetchResponse
from mockbroker.protocol.messages.metadata import ApiVersionsResponse, MetadataRequest, MetadataResponse

SPOKEN = [(api, version) for api in Api if api.declared for version in (api.versions[0], api.versions[1])]


@given(st.sampled_from(SPOKEN), st.integers(-(2**31), 2**31 - 1), st.text(max_size=20))
@settings(max_examples=50)
def test_a_header_survives_the_way_there_and_back(
    spoken: tuple[Api, int], correlation_id: int, client_id: str
) -> None:
    header = RequestHeader(*spoken, correlation_id, client_id)
    frame = write_request(header, [b"body"])
    read, body = read_header(frame)
    assert read == header
    assert frame[body:] == b"body"


def test_the_body_begins_after_the_header() -> None:
    frame = write_request(RequestHeader(Api.METADATA, 12, 7, "me"), encode(MetadataRequest(topics=None), 12))
    header, body = read_header(frame)
    assert decode(MetadataRequest, header.api_version, frame, body).topics is None


def test_a_client_id_that_is_null_reads_as_empty() -> None:
    frame = struct.pack(">hhih", Api.FETCH, 4, 1, -1)
    assert read_header(frame) == (RequestHeader(Api.FETCH, 4, 1, ""), 10)


def test_the_client_id_keeps_its_long_length_in_flexible_versions() -> None:
    frame = struct.pack(">hhih", Api.METADATA, 9, 1, 2) + b"me" + b"\x00"
    assert read_header(frame) == (RequestHeader(Api.METADATA, 9, 1, "me"), len(frame))


def test_tags_in_a_header_are_skipped_even_the_same_one_twice() -> None:
    frame = struct.pack(">hhih", Api.METADATA, 9, 1, -1) + b"\x02" + b"\x05\x01x" + b"\x05\x01y" + b"body"
    assert frame[read_header(frame)[1] :] == b"body"


@pytest.mark.parametrize("key", [95, 999, -1, Api.VOTE])
def test_a_key_without_messages_is_read_in_the_oldest_layout(key: int) -> None:
    header, _ = read_header(struct.pack(">hhih", key, 3, 42, 1) + b"x")
    assert header == RequestHeader(key, 3, 42, "x")


@pytest.mark.parametrize(("version", "flexible"), [(-1, False), (2, False), (3, True), (99, True)])
def test_a_version_that_nobody_serves_has_a_header_nonetheless(version: int, flexible: bool) -> None:
    frame = struct.pack(">hhih", Api.API_VERSIONS, version, 1, -1) + b"\x00" * flexible
    assert read_header(frame) == (RequestHeader(Api.API_VERSIONS, version, 1, ""), len(frame))


def test_controlled_shutdown_version_0_has_no_client_id() -> None:
    frame = struct.pack(">hhi", Api.CONTROLLED_SHUTDOWN, 0, 5) + b"body"
    assert read_header(frame) == (RequestHeader(Api.CONTROLLED_SHUTDOWN, 0, 5, ""), 8)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00",
        struct.pack(">hhi", 3, 1, 1),
        struct.pack(">hhih", 3, 1, 1, 5) + b"abc",
        struct.pack(">hhih", 3, 1, 1, -2),
        struct.pack(">hhih", 3, 1, 1, 2) + b"\xc3\x28",
        struct.pack(">hhih", 3, 9, 1, -1),
        struct.pack(">hhih", 3, 9, 1, -1) + b"\x01\x00\x7f",
        struct.pack(">hhih", 3, 9, 1, -1) + b"\xff\xff\xff\xff\xff\xff",
    ],
    ids=["empty", "short", "no-client-id", "cut", "negative", "not-utf8", "no-tags", "tag-beyond", "varint"],
)
def test_a_broken_header_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_header(frame)


@given(st.binary(max_size=60))
def test_noise_is_a_header_or_malformed(noise: bytes) -> None:
    try:
        _, body = read_header(noise)
    except MalformedMessage:
        return
    assert body <= len(noise)


def test_api_versions_is_always_answered_behind_the_oldest_header() -> None:
    assert response_head(Api.API_VERSIONS, 3, 7) == b"\x00\x00\x00\x04\x00\x00\x00\x07"
    assert response_head(Api.METADATA, 9, 7) == b"\x00\x00\x00\x05\x00\x00\x00\x07\x00"
    assert response_head(Api.METADATA, 8, 7) == b"\x00\x00\x00\x04\x00\x00\x00\x07"


def test_a_refused_api_versions_request_is_answered_in_version_0() -> None:
    parts = seal_parts(Api.API_VERSIONS, 99, 3, encode(ApiVersionsResponse(error_code=35), 0))
    assert b"".join(parts) == b"\x00\x00\x00\x0a\x00\x00\x00\x03\x00\x23\x00\x00\x00\x00"


def test_a_sealed_response_begins_with_its_own_size() -> None:
    blob = bytes(10_000)
    response = FetchResponse(responses=[FetchedTopic(partitions=[FetchedPartition(records=blob)])])
    parts = seal(Api.FETCH, 12, 9, response)
    whole = b"".join(parts)
    assert struct.unpack_from(">ii", whole) == (len(whole) - 4, 9)
    assert any(part is blob for part in parts)
    assert decode(FetchResponse, 12, whole, 9).responses[0].partitions[0].records == blob


def test_a_large_first_part_is_not_copied_for_the_sake_of_the_header() -> None:
    large = MetadataResponse(cluster_id="x" * 10_000)
    head, body = seal(Api.METADATA, 9, 1, large)
    assert len(head) == 9
    assert decode(MetadataResponse, 9, body) == large


def test_only_declared_apis_are_flexible() -> None:
    assert not is_flexible(Api.SASL_HANDSHAKE, 1)
    assert not is_flexible(Api.LEADER_AND_ISR, 7)
    assert not is_flexible(12345, 0)
    assert is_flexible(Api.DESCRIBE_CLUSTER, 0)
