import contextlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.groups import records
from mockbroker.core.groups.records import (
    GroupMetadata,
    GroupRecord,
    GroupRemoved,
    MemberRecord,
    OffsetCommitted,
    OffsetRemoved,
    encode_record,
    parse_record,
)
from mockbroker.protocol.codec import encode
from mockbroker.protocol.schema import schema_of
from tests.protocol.test_against_kafka_definitions import kafka_layout, our_layout, within

MEMBER = MemberRecord("m-1", "i-1", "c", "/127.0.0.1", 60_000, 10_000, b"wants", b"gets")
GROUP = GroupMetadata("g", 3, "consumer", "range", "m-1", 77, (MEMBER,))
OFFSET = OffsetCommitted("g", "t", 3, 42, 5, "note", 77)

texts = st.text(max_size=8)
int32s = st.integers(-(2**31), 2**31 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
members = st.builds(
    MemberRecord,
    texts,
    st.none() | texts,
    texts,
    texts,
    st.integers(0, 2**31 - 1),
    int32s,
    st.binary(),
    st.binary(),
)
groups = st.builds(
    GroupMetadata,
    texts,
    int32s,
    texts,
    st.none() | texts,
    st.none() | texts,
    int64s,
    st.lists(members).map(tuple),
)
# No layout has room for both an expiry time and what came after it (leader epoch, topic id).
offsets = st.builds(
    OffsetCommitted,
    texts,
    texts,
    int32s,
    int64s,
    int32s,
    texts,
    int64s,
    topic_id=st.binary(min_size=16, max_size=16),
) | st.builds(
    OffsetCommitted, texts, texts, int32s, int64s, st.just(-1), texts, int64s, st.integers(0, 2**63 - 1)
)
removals = st.builds(GroupRemoved, texts) | st.builds(OffsetRemoved, texts, texts, int32s)


@given(groups | offsets | removals)
def test_what_is_written_is_read(record: GroupRecord) -> None:
    assert parse_record(*encode_record(record)) == record


def test_an_offset_is_written_as_kafka_4_4_writes_it() -> None:
    key, value = encode_record(OFFSET)
    assert key == b"\0\1\0\1g\0\1t\0\0\0\3"
    assert value == (
        b"\0\4\0\0\0\0\0\0\0\x2a\0\0\0\5\5note\0\0\0\0\0\0\0\x4d\0"  # no tagged fields
    )


def test_a_topic_id_rides_along_as_a_tagged_field() -> None:
    value = encode_record(replace(OFFSET, topic_id=bytes(range(16))))[1]
    assert value is not None
    assert value.endswith(b"\1\0\x10" + bytes(range(16)))


def test_an_offset_with_an_expiry_time_is_written_in_the_layout_that_has_one() -> None:
    value = encode_record(replace(OFFSET, leader_epoch=-1, expire_timestamp_ms=99))[1]
    assert value == b"\0\1\0\0\0\0\0\0\0\x2a\0\4note\0\0\0\0\0\0\0\x4d\0\0\0\0\0\0\0\x63"


def test_a_group_is_written_as_kafka_4_4_writes_it() -> None:
    key, value = encode_record(GROUP)
    assert key == b"\0\2\0\1g"
    assert value == (
        b"\0\3\0\x08consumer\0\0\0\3\0\5range\0\3m-1\0\0\0\0\0\0\0\x4d\0\0\0\1"
        b"\0\3m-1\0\3i-1\0\1c\0\x0a/127.0.0.1\0\0\xea\x60\0\0\x27\x10"
        b"\0\0\0\5wants\0\0\0\4gets"
    )  # fmt: skip


def test_a_removal_is_a_key_without_a_value() -> None:
    assert encode_record(GroupRemoved("g")) == (encode_record(GROUP)[0], None)
    assert encode_record(OffsetRemoved("g", "t", 3)) == (encode_record(OFFSET)[0], None)


@pytest.mark.parametrize("layout", range(5))
def test_offsets_of_every_older_layout_are_read(layout: int) -> None:
    body = records.OffsetCommitValue(
        offset=42, leader_epoch=5, metadata="note", commit_timestamp=77, expire_timestamp=99
    )
    value = bytes([0, layout]) + b"".join(encode(body, layout))
    read = parse_record(encode_record(OFFSET)[0], value)
    assert read == replace(
        OFFSET, leader_epoch=5 if layout >= 3 else -1, expire_timestamp_ms=99 if layout == 1 else -1
    )


@pytest.mark.parametrize("layout", range(5))
def test_groups_of_every_older_layout_are_read(layout: int) -> None:
    member = records.MemberValue(
        member_id="m-1", group_instance_id="i-1", client_id="c", client_host="/127.0.0.1",
        rebalance_timeout=60_000, session_timeout=10_000, subscription=b"wants", assignment=b"gets",
    )  # fmt: skip
    body = records.GroupMetadataValue(
        protocol_type="consumer",
        generation=3,
        protocol="range",
        leader="m-1",
        current_state_timestamp=77,
        members=[member],
    )
    read = parse_record(encode_record(GROUP)[0], bytes([0, layout]) + b"".join(encode(body, layout)))
    expected = replace(
        MEMBER,
        instance_id="i-1" if layout >= 3 else None,
        rebalance_timeout_ms=60_000 if layout >= 1 else 10_000,  # v0 has one timeout for both
    )
    assert read == replace(GROUP, members=(expected,), state_timestamp_ms=77 if layout >= 2 else -1)


def test_the_oldest_key_type_of_offsets_is_read() -> None:
    key, value = encode_record(OFFSET)
    assert parse_record(b"\0\0" + key[2:], value) == OFFSET


def test_records_of_unknown_types_are_left_alone() -> None:
    assert parse_record(b"\0\3\0\1g", b"\0\0anything") is None


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\5" + bytes(40), b"\xff\xff", b"\0\4\0"])
def test_nonsense_of_a_known_type_is_a_value_error(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_record(encode_record(OFFSET)[0], value)


@given(st.binary(max_size=40), st.none() | st.binary(max_size=60))
def test_of_whatever_bytes_nothing_but_a_value_error_comes(key: bytes, value: bytes | None) -> None:
    with contextlib.suppress(ValueError):
        parse_record(key, value)


@cache
def coordinator_jar() -> zipfile.ZipFile:
    """The library with Kafka's own definitions of these records."""
    folder = Path(os.environ.get("MOCKBROKER_CACHE", Path.home() / ".cache" / "mockbroker")) / "definitions"
    library = folder / "kafka-group-coordinator-4.4.0.jar"
    maven = shutil.which("mvn")
    if not library.exists() and maven is not None:
        wanted = "-Dartifact=org.apache.kafka:kafka-group-coordinator:4.4.0"
        command = [maven, "-q", "-B", "dependency:copy", wanted, f"-DoutputDirectory={folder}"]
        subprocess.run(command, capture_output=True, check=False, timeout=300)
    if not library.exists():
        pytest.skip("Kafka's record definitions are not here, and mvn could not fetch them")
    return zipfile.ZipFile(library)


@pytest.mark.parametrize(
    "layout",
    [
        records.OffsetCommitKey,
        records.OffsetCommitValue,
        records.GroupMetadataKey,
        records.GroupMetadataValue,
    ],
)
def test_a_record_is_laid_out_as_kafka_defines_it(layout: type[Any]) -> None:
    text = coordinator_jar().read(f"common/message/{layout.__name__}.json").decode()
    kafkas = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))
    common = {struct["name"]: struct["fields"] for struct in kafkas.get("commonStructs", [])}
    ours = schema_of(layout)
    assert ours.api_key == kafkas["apiKey"]
    for version in range(ours.versions.last + 1):
        assert within(kafkas["validVersions"], version)
        assert ours.is_flexible(version) == within(kafkas["flexibleVersions"], version)
        assert our_layout(layout, version) == kafka_layout(kafkas["fields"], common, version)
    assert not within(kafkas["validVersions"], ours.versions.last + 1)
