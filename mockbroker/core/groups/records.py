"""What `__consumer_offsets` says, and the bytes that say it.

A key begins with the number of its record type, a value with the number of its layout.  Layouts are
declared as messages and written exactly as Kafka 4.4 writes them; older ones are read.  A record whose type
is not known here is left alone, as Kafka leaves it, so that newer logs can be loaded.
"""

# No `from __future__ import annotations`: declarations need their annotations at run time.
from dataclasses import dataclass
from typing import Annotated

from mockbroker.core.numbered import number_of, open_numbered, seal_numbered
from mockbroker.protocol.codec import decode
from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import (
    ZERO_UUID,
    Bytes,
    Int32,
    Int64,
    Str,
    Uuid,
    since,
    tag,
    versions,
)

# Key types 0 and 1 have the same fields; 0 is that of very old brokers.

LEGACY_OFFSET_COMMIT = 0
OFFSET_COMMIT = 1
GROUP_METADATA = 2

# Layouts that Kafka 4.4 writes.  Offsets with an expiry time stay at 1, the only one that has room for it.
OFFSET_COMMIT_VALUE = 4
OFFSET_COMMIT_VALUE_EXPIRING = 1
GROUP_METADATA_VALUE = 3

NO_EXPIRY = -1
NO_TIMESTAMP = -1


@message(api=OFFSET_COMMIT, versions="0", flexible=None)
class OffsetCommitKey:
    """Which offset: one partition as one group sees it."""

    group: Str = ""
    topic: Str = ""
    partition: Int32 = 0


@message(api=OFFSET_COMMIT, versions="0-4", flexible="4+")
class OffsetCommitValue:
    """A committed offset.  v1 expiry time - v3 leader epoch, expiry gone - v4 topic id (KIP-848)."""

    offset: Int64 = 0
    leader_epoch: Annotated[Int32, since(3)] = -1
    metadata: Str = ""
    commit_timestamp: Int64 = 0
    expire_timestamp: Annotated[Int64, versions("1")] = NO_EXPIRY
    topic_id: Annotated[Uuid, tag(0, since=4)] = ZERO_UUID


@message(api=GROUP_METADATA, versions="0", flexible=None)
class GroupMetadataKey:
    """Which group."""

    group: Str = ""


@struct
class MemberValue:
    """One member as the last finished rebalance left it."""

    member_id: Str = ""
    group_instance_id: Annotated[str | None, since(3)] = None
    client_id: Str = ""
    client_host: Str = ""
    rebalance_timeout: Annotated[Int32, since(1)] = -1
    session_timeout: Int32 = 0
    subscription: Bytes = b""
    assignment: Bytes = b""


@message(api=GROUP_METADATA, versions="0-4", flexible="4+")
class GroupMetadataValue:
    """A classic group.  v1 rebalance timeouts - v2 when the state changed - v3 static members."""

    protocol_type: Str = ""
    generation: Int32 = 0
    protocol: str | None = ""
    leader: str | None = ""
    current_state_timestamp: Annotated[Int64, since(2)] = NO_TIMESTAMP
    members: list[MemberValue] = []  # noqa: RUF012 - a declaration: every message gets its own list


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member, as it survives its coordinator."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """A classic group, as it survives its coordinator.  `protocol_type` "": it never had members."""

    group_id: str
    generation: int = 0
    protocol_type: str = ""
    protocol: str | None = None
    leader: str | None = None
    state_timestamp_ms: int = NO_TIMESTAMP
    members: tuple[MemberRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupRemoved:
    """The group is no more."""

    group_id: str


@dataclass(frozen=True, slots=True)
class OffsetCommitted:
    """A group has come so far in one partition."""

    group_id: str
    topic: str
    index: int
    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp_ms: int = 0
    expire_timestamp_ms: int = NO_EXPIRY
    topic_id: bytes = ZERO_UUID


@dataclass(frozen=True, slots=True)
class OffsetRemoved:
    """The group's offset in one partition is forgotten."""

    group_id: str
    topic: str
    index: int


GroupRecord = GroupMetadata | GroupRemoved | OffsetCommitted | OffsetRemoved


def encode_record(record: GroupRecord) -> tuple[bytes, bytes | None]:
    """Key and value as Kafka 4.4 writes them; a removal is a key without a value."""
    match record:
        case GroupMetadata():
            key = seal_numbered(GROUP_METADATA, GroupMetadataKey(group=record.group_id), 0)
            return key, seal_numbered(GROUP_METADATA_VALUE, _group_value(record), GROUP_METADATA_VALUE)
        case GroupRemoved():
            return seal_numbered(GROUP_METADATA, GroupMetadataKey(group=record.group_id), 0), None
        case OffsetCommitted():
            layout = (
                OFFSET_COMMIT_VALUE
                if record.expire_timestamp_ms == NO_EXPIRY
                else OFFSET_COMMIT_VALUE_EXPIRING
            )
            return _offset_key(record), seal_numbered(layout, _offset_value(record), layout)
        case OffsetRemoved():
            return _offset_key(record), None


def parse_record(key: bytes, value: bytes | None) -> GroupRecord | None:
    """What a record says, or None when it is of a type that is not known here.

    Raises MalformedMessage, a ValueError, when it is of a known type and yet makes no sense.
    """
    match number_of(key):
        case 0 | 1:
            at = decode(OffsetCommitKey, 0, key, 2)
            if value is None:
                return OffsetRemoved(at.group, at.topic, at.partition)
            return _offset_committed(at, open_numbered(OffsetCommitValue, value))
        case 2:
            group_id = decode(GroupMetadataKey, 0, key, 2).group
            return GroupRemoved(group_id) if value is None else _group_metadata(group_id, value)
        case _:
            return None


def _offset_key(record: OffsetCommitted | OffsetRemoved) -> bytes:
    key = OffsetCommitKey(group=record.group_id, topic=record.topic, partition=record.index)
    return seal_numbered(OFFSET_COMMIT, key, 0)


def _offset_value(record: OffsetCommitted) -> OffsetCommitValue:
    return OffsetCommitValue(
        offset=record.offset,
        leader_epoch=record.leader_epoch,
        metadata=record.metadata,
        commit_timestamp=record.commit_timestamp_ms,
        expire_timestamp=record.expire_timestamp_ms,
        topic_id=record.topic_id,
    )


def _offset_committed(at: OffsetCommitKey, value: OffsetCommitValue) -> OffsetCommitted:
    return OffsetCommitted(
        group_id=at.group,
        topic=at.topic,
        index=at.partition,
        offset=value.offset,
        leader_epoch=value.leader_epoch,
        metadata=value.metadata,
        commit_timestamp_ms=value.commit_timestamp,
        expire_timestamp_ms=value.expire_timestamp,
        topic_id=value.topic_id,
    )


def _group_value(record: GroupMetadata) -> GroupMetadataValue:
    return GroupMetadataValue(
        protocol_type=record.protocol_type,
        generation=record.generation,
        protocol=record.protocol,
        leader=record.leader,
        current_state_timestamp=record.state_timestamp_ms,
        members=[
            MemberValue(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.session_timeout_ms,
                subscription=member.subscription,
                assignment=member.assignment,
            )
            for member in record.members
        ],
    )


def _group_metadata(group_id: str, value: bytes) -> GroupMetadata:
    group = open_numbered(GroupMetadataValue, value)
    return GroupMetadata(
        group_id=group_id,
        generation=group.generation,
        protocol_type=group.protocol_type,
        protocol=group.protocol,
        leader=group.leader,
        state_timestamp_ms=group.current_state_timestamp,
        members=tuple(_member_record(member) for member in group.members),
    )


def _member_record(member: MemberValue) -> MemberRecord:
    # Before v1 there was one timeout for both purposes.
    rebalance_timeout = member.session_timeout if member.rebalance_timeout == -1 else member.rebalance_timeout
    return MemberRecord(
        member_id=member.member_id,
        instance_id=member.group_instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        rebalance_timeout_ms=rebalance_timeout,
        session_timeout_ms=member.session_timeout,
        subscription=member.subscription,
        assignment=member.assignment,
    )
