"""A record batch (format v2) as it is stored: immutable bytes, and what their header says.

Offset and leader epoch lie outside the checksum, so a batch is placed into a log by a new head of 16 bytes;
everything else is copied once and then shared by all replicas.  Does not know logs, topics or limits, and
looks at records only when asked to (`iter_records`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.compression import Codec, decompress
from mockbroker.records.crc import Buffer, crc32c
from mockbroker.records.record import Record, read_records
from mockbroker.records.refused import RecordsRefused

MAGIC = 2
NO_TIMESTAMP = -1
NO_SEQUENCE = -1
INT32_MAX = 2**31 - 1

# base_offset, batch_length, leader_epoch | magic, crc | attributes, last_offset_delta, base_timestamp,
# max_timestamp, producer_id, producer_epoch, base_sequence, count
HEADER = struct.Struct(">qiibIHiqqqhii")
HEADER_BYTES = HEADER.size
_PLACE = struct.Struct(">qii")
_PLACE_BYTES = _PLACE.size
_MAGIC_AND_CRC = struct.Struct(">bI")
_CHECKED = struct.Struct(">Hiqqqhii")
_CHECKED_FROM = 21

# `batch_length` counts what follows it.  Kafka calls a shorter entry than the smallest of format v0 corrupt.
_LENGTH_FROM, _MAGIC_FROM = 8, 16
# The second of two bytes of attributes, the first of which means nothing yet.
_ATTRIBUTES_LOW = 22
_LENGTH_OVERHEAD = 12
_ENTRY_LENGTH_MIN = 14

CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20

_CODECS = tuple(Codec)


@dataclass(slots=True, eq=False)
class Batch:
    """One stored batch. Its fields are the header's; `data` is the whole of it, header included."""

    data: Buffer = field(repr=False)
    size: int
    base_offset: int
    last_offset: int
    leader_epoch: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int

    @classmethod
    def parse(cls, view: Buffer) -> Batch:
        """The batch that `view` begins with, by its header alone; the view is kept, not copied."""
        try:
            base, length, epoch, magic, _, attributes, delta, *rest = HEADER.unpack_from(view)
        except struct.error:
            # An entry of an old format may be shorter than our header, and is refused for its format.
            magic = view[_MAGIC_FROM] if len(view) > _MAGIC_FROM else MAGIC
            base = length = epoch = attributes = delta = 0
            rest = []
        if magic != MAGIC:
            if magic in {0, 1}:
                raise KafkaError(ErrorCode.INVALID_RECORD, f"message format v{magic}, expected v2")
            raise RecordsRefused(ErrorCode.CORRUPT_MESSAGE, f"unknown message format {magic}")
        size = length + _LENGTH_OVERHEAD
        if not HEADER_BYTES <= size <= len(view):
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"no batch of {size} bytes in {len(view)} bytes")
        if size < len(view):
            view = memoryview(view)[:size]
        return cls(view, size, base, base + delta, epoch, attributes, delta, *rest)

    @classmethod
    def unchecked(cls, data: Buffer) -> Batch:
        """A batch out of any bytes that are long enough for a header, be they ever so wrong.

        For those who want to put a broken batch into a log: nothing is believed but the size of `data`, and
        offsets are counted from a last offset delta that makes sense.
        """
        assert len(data) >= HEADER_BYTES, f"a header takes {HEADER_BYTES} bytes, there are {len(data)}"
        base, _, epoch, _, _, attributes, delta, *rest = HEADER.unpack_from(data)
        delta = max(delta, 0)
        return cls(data, len(data), base, base + delta, epoch, attributes, delta, *rest)

    @classmethod
    def assemble(
        cls,
        body: Buffer,
        *,
        count: int,
        attributes: int,
        last_offset_delta: int,
        base_timestamp: int,
        max_timestamp: int,
        base_offset: int = 0,
        leader_epoch: int = -1,
        producer_id: int = -1,
        producer_epoch: int = -1,
        base_sequence: int = NO_SEQUENCE,
    ) -> Batch:
        """A batch around `body`, records that are compressed already as the attributes say."""
        fields = (
            attributes,
            last_offset_delta,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            count,
        )
        checked = _CHECKED.pack(*fields) + body
        size = _CHECKED_FROM + len(checked)
        head = _PLACE.pack(base_offset, size - _LENGTH_OVERHEAD, leader_epoch)
        data = b"".join((head, _MAGIC_AND_CRC.pack(MAGIC, crc32c(checked)), checked))
        return cls(data, size, base_offset, base_offset + last_offset_delta, leader_epoch, *fields)

    @property
    def body(self) -> memoryview:
        """The record area as it is stored."""
        return memoryview(self.data)[HEADER_BYTES:]

    @property
    def has_known_codec(self) -> bool:
        """Whether the codec is one of those that there are."""
        return self.attributes & CODEC_MASK in _CODECS

    @property
    def codec(self) -> Codec:
        """What the records are compressed with."""
        try:
            return _CODECS[self.attributes & CODEC_MASK]
        except IndexError:
            # Kafka has no better word for a codec that does not exist, and clients see this code.
            raise KafkaError(
                ErrorCode.UNKNOWN_SERVER_ERROR, f"no codec {self.attributes & CODEC_MASK}"
            ) from None

    @property
    def log_append_time(self) -> bool:
        """Whether `max_timestamp`, set by the broker, is the timestamp of every record."""
        return bool(self.attributes & LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)

    @property
    def next_offset(self) -> int:
        """Where the next batch of the log begins."""
        return self.last_offset + 1

    @property
    def last_sequence(self) -> int:
        """The sequence number of the last record; sequences wrap from 2^31-1 to 0."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return add_sequence(self.base_sequence, self.last_offset_delta)

    def check_crc(self) -> None:
        """CORRUPT_MESSAGE when the bytes are not those that the producer counted together."""
        view = memoryview(self.data)
        told = int.from_bytes(view[_CHECKED_FROM - 4 : _CHECKED_FROM], "big")
        if crc32c(view[_CHECKED_FROM:]) != told:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, "the checksum of the batch does not match")

    def place(self, offset: int, leader_epoch: int) -> Batch:
        """The same batch at its place in a log."""
        head = _PLACE.pack(offset, self.size - _LENGTH_OVERHEAD, leader_epoch)
        return Batch(
            b"".join((head, memoryview(self.data)[_PLACE_BYTES:])),
            self.size,
            offset,
            offset + self.last_offset_delta,
            leader_epoch,
            self.attributes,
            self.last_offset_delta,
            self.base_timestamp,
            self.max_timestamp,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            self.count,
        )

    def with_log_append_time(self, now_ms: int) -> Batch:
        """The same batch, stamped by the broker. The records' own timestamps stay in it, unseen."""
        return self.remade(attributes=self.attributes | LOG_APPEND_TIME, max_timestamp=now_ms)

    def with_max_timestamp(self, timestamp: int) -> Batch:
        """The same batch with the producer's timestamps, of which `timestamp` is the greatest."""
        return self.remade(attributes=self.attributes & ~LOG_APPEND_TIME, max_timestamp=timestamp)

    def remade(
        self,
        *,
        attributes: int | None = None,
        base_timestamp: int | None = None,
        max_timestamp: int | None = None,
        body: Buffer | None = None,
        count: int | None = None,
    ) -> Batch:
        """The same batch but for what is given, with a new checksum."""
        return Batch.assemble(
            self.body if body is None else body,
            count=self.count if count is None else count,
            attributes=self.attributes if attributes is None else attributes,
            last_offset_delta=self.last_offset_delta,
            base_timestamp=self.base_timestamp if base_timestamp is None else base_timestamp,
            max_timestamp=self.max_timestamp if max_timestamp is None else max_timestamp,
            base_offset=self.base_offset,
            leader_epoch=self.leader_epoch,
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            base_sequence=self.base_sequence,
        )


def add_sequence(sequence: int, delta: int) -> int:
    """`delta` sequence numbers further, past 2^31-1 on from 0."""
    return (sequence + delta) & INT32_MAX


def entry_size(records: Buffer, at: int) -> int:
    """The size of the entry that begins at `at`, whatever its format; 0 when it is not there completely.

    Whatever cannot be the beginning of an entry is CORRUPT_MESSAGE, with a text for the producer.
    """
    left = len(records) - at
    if left < _LENGTH_OVERHEAD:
        return 0
    length = int.from_bytes(records[at + _LENGTH_FROM : at + _LENGTH_OVERHEAD], "big", signed=True)
    if length < _ENTRY_LENGTH_MIN:
        raise _corrupt(at, f"a record batch cannot have a length of {length}")
    if left <= _MAGIC_FROM:
        return 0
    magic = records[at + _MAGIC_FROM]
    if magic > MAGIC:
        raise _corrupt(at, f"there is no message format {magic}")
    size = length + _LENGTH_OVERHEAD
    return size if size <= left else 0


def _corrupt(at: int, why: str) -> KafkaError:
    """What cannot be the beginning of an entry; of the first one alone Kafka tells the producer more."""
    kind = KafkaError if at else RecordsRefused
    return kind(ErrorCode.CORRUPT_MESSAGE, why)


def begins_transactional(records: Buffer | None) -> bool:
    """Whether the first of these batches is one of a transaction, by a glance at it.

    Raises CORRUPT_MESSAGE for what cannot be the beginning of an entry.
    """
    if records is None or entry_size(records, 0) < HEADER_BYTES or records[_MAGIC_FROM] != MAGIC:
        return False
    return bool(records[_ATTRIBUTES_LOW] & TRANSACTIONAL)


def parse_produced(records: Buffer | None, *, version: int) -> Batch:
    """The one batch that a Produce request of `version` may have for a partition.

    Only from version 3 on: before it, clients sent message sets, which this package does not read.
    """
    assert version >= 3, version
    batch = first_batch(records)
    if version < 7 and batch.attributes & CODEC_MASK == Codec.ZSTD:
        raise KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce v7")
    # The beginning of another batch is ignored, as it is in a Fetch response; a whole one is refused.
    if records is not None and batch.size < len(records) and entry_size(records, batch.size):
        raise KafkaError(ErrorCode.INVALID_RECORD, "more than one record batch")
    return batch


def first_batch(records: Buffer | None) -> Batch:
    """The batch that these bytes begin with.  Raises KafkaError INVALID_RECORD where there is none complete."""
    size = 0 if records is None else entry_size(records, 0)
    if records is None or not size:
        raise KafkaError(ErrorCode.INVALID_RECORD, "no complete record batch")
    return Batch.parse(records if size == len(records) else memoryview(records)[:size])


def batches(view: Buffer) -> Iterator[Batch]:
    """The batches of a concatenation, up to its end or to one that is not there completely."""
    whole = memoryview(view)
    at = 0
    while size := entry_size(whole, at):
        yield Batch.parse(whole[at : at + size])
        at += size


def iter_records(batch: Batch) -> Iterator[Record]:
    """The records, decompressed, with absolute offsets and the timestamps that consumers see.

    Raises `CorruptCompression` or `KafkaError` (INVALID_RECORD) where the content cannot be read.
    """
    return read_records(
        decompress(batch.codec, batch.body),
        batch.count,
        base_offset=batch.base_offset,
        base_timestamp=batch.base_timestamp,
        append_timestamp=batch.max_timestamp if batch.log_append_time else None,
    )
