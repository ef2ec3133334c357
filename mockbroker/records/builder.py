"""Batches from records: what the broker itself writes, and what it writes anew.

Coordinators append records, transactions append markers, compaction keeps some records of a batch, a topic's
`compression.type` asks for another codec.  Does not know who asks, and where the batch will be placed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import (
    CODEC_MASK,
    CONTROL,
    LOG_APPEND_TIME,
    NO_SEQUENCE,
    TRANSACTIONAL,
    Batch,
    iter_records,
)
from mockbroker.records.compression import Codec, compress
from mockbroker.records.crc import Buffer
from mockbroker.records.record import HeaderToWrite, Record, write_record


class NewRecord(NamedTuple):
    """A record that has no place yet. Without a timestamp it takes the time of the batch."""

    key: Buffer | None = None
    value: Buffer | None = None
    headers: Sequence[HeaderToWrite] = ()
    timestamp: int | None = None


# A plain tuple in the order of NewRecord's fields does as well.
RecordToWrite = NewRecord | tuple[Buffer | None, Buffer | None, Sequence[HeaderToWrite], int | None]


class ControlType(IntEnum):
    """What a control record says; the others that Kafka has are for its own quorum."""

    ABORT = 0
    COMMIT = 1


class Marker(NamedTuple):
    """The content of a transaction marker."""

    type: ControlType
    coordinator_epoch: int


_CONTROL_KEY = struct.Struct(">hh")  # version, type
_MARKER_VALUE = struct.Struct(">hi")  # version, coordinator epoch


def build_batch(
    records: Sequence[RecordToWrite],
    *,
    now_ms: int,
    base_offset: int = 0,
    leader_epoch: int = -1,
    codec: Codec = Codec.NONE,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
    transactional: bool = False,
    log_append_time: bool = False,
) -> Batch:
    """A batch of `records`, which there must be."""
    assert records, "a batch begins with a record"
    body = bytearray()
    first = records[0][3]
    max_timestamp = base_timestamp = now_ms if first is None else first
    for delta, (key, value, headers, given) in enumerate(records):
        timestamp = now_ms if given is None else given
        max_timestamp = max(max_timestamp, timestamp)
        write_record(body, delta, timestamp - base_timestamp, key, value, headers)
    return Batch.assemble(
        compress(codec, body) if codec else body,
        count=len(records),
        attributes=codec | LOG_APPEND_TIME * log_append_time | TRANSACTIONAL * transactional,
        last_offset_delta=len(records) - 1,
        base_timestamp=base_timestamp,
        max_timestamp=now_ms if log_append_time else max_timestamp,
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
    )


def rebuild_batch(batch: Batch, records: Iterable[Record], *, codec: Codec | None = None) -> Batch:
    """`batch` with only these of its records, at their old offsets, perhaps under another codec.

    Offsets and sequences of the batch stay, even when its last record or all are gone: whoever reads the
    log must still learn how far it went and what the producer sent last.
    """
    body = bytearray()
    count = 0
    newest: int | None = None
    for record in records:
        write_record(
            body, record.offset_delta, record.timestamp_delta, record.key, record.value, record.headers
        )
        count += 1
        newest = record.timestamp if newest is None else max(newest, record.timestamp)
    # An emptied batch keeps the time that it had: retention goes by it.
    max_timestamp = batch.max_timestamp if newest is None else newest
    # And it has no codec, since none makes something of no bytes.
    target = Codec.NONE if not count else batch.codec if codec is None else codec
    return batch.remade(
        attributes=batch.attributes & ~CODEC_MASK | target,
        max_timestamp=max_timestamp,
        body=compress(target, body),
        count=count,
    )


def build_control_batch(
    kind: ControlType, *, producer_id: int, producer_epoch: int, coordinator_epoch: int, timestamp: int
) -> Batch:
    """The marker that ends a producer's transaction in one partition."""
    body = bytearray()
    write_record(body, 0, 0, _CONTROL_KEY.pack(0, kind), _MARKER_VALUE.pack(0, coordinator_epoch))
    return Batch.assemble(
        body,
        count=1,
        attributes=TRANSACTIONAL | CONTROL,
        last_offset_delta=0,
        base_timestamp=timestamp,
        max_timestamp=timestamp,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
    )


def read_marker(batch: Batch) -> Marker | None:
    """What a control batch says; None for a kind that has nothing to do with transactions."""
    assert batch.is_control, batch
    record = next(iter_records(batch))
    try:
        _, kind = _CONTROL_KEY.unpack_from(record.key or b"")
        if kind not in set(ControlType):
            return None
        _, coordinator_epoch = _MARKER_VALUE.unpack_from(record.value or b"")
    except struct.error:
        raise KafkaError(ErrorCode.INVALID_RECORD, "a control record that is too short") from None
    return Marker(ControlType(kind), coordinator_epoch)
