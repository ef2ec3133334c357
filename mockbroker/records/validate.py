"""May these produced records be appended, and as what?  Kafka's rules for a batch, in Kafka's order.

Answers with the batch to place (timestamps or codec changed where the topic says so) or with the refusal.
Does not know the topic: its settings come as `AppendRules`.  Not here: who may write, which sequence is next.
"""

from __future__ import annotations

from dataclasses import dataclass

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import (
    CODEC_MASK,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    Batch,
)
from mockbroker.records.compression import (
    Codec,
    CompressionMissing,
    CorruptCompression,
    compress,
    decompress,
)
from mockbroker.records.record import INT64_MAX, INT64_MIN, Record, read_records, write_record
from mockbroker.records.refused import RecordsRefused
from mockbroker.records.survey import Survey, survey
from mockbroker.records.varints import malformed

NO_LIMIT_MS = INT64_MAX

# Kafka's sentence names three of the bad records, and the list beside it names all.
_NAMED_IN_MESSAGE = 3


@dataclass(slots=True)
class AppendRules:
    """What a topic asks of the records appended to it, with Kafka's defaults, and what time it is."""

    now_ms: int
    max_message_bytes: int = 1024 * 1024 + 12
    segment_bytes: int = 1024 * 1024 * 1024
    compacted: bool = False
    log_append_time: bool = False
    timestamp_before_max_ms: int = NO_LIMIT_MS
    timestamp_after_max_ms: int = 3_600_000
    compression: Codec | None = None  # None keeps the producer's

    def too_old(self, timestamp: int) -> bool:
        return self.now_ms - timestamp > self.timestamp_before_max_ms

    def too_new(self, timestamp: int) -> bool:
        return timestamp - self.now_ms > self.timestamp_after_max_ms


def validate_produced(batch: Batch, rules: AppendRules) -> Batch:
    """The batch to place into the log, or a `KafkaError` (with what to tell in it: `RecordsRefused`)."""
    if batch.base_offset:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"base offset {batch.base_offset} from a client")
    if batch.size > rules.max_message_bytes:
        raise too_large(batch, rules)
    batch.check_crc()
    codec = batch.codec
    check_header(batch)
    target = codec if rules.compression is None else rules.compression
    try:
        batch, newest = with_content(batch, target, rules)
    except CorruptCompression as corrupt:
        # Kafka fails on it rather than refusing it, and that is the code for it.
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, str(corrupt)) from corrupt
    except CompressionMissing:
        if target != codec or needs_content(batch, rules):
            raise
        newest = batch.max_timestamp
    if batch.size > rules.segment_bytes:
        raise KafkaError(ErrorCode.RECORD_LIST_TOO_LARGE, f"{batch.size} bytes do not fit a segment")
    return stamped(batch, newest, rules)


def with_content(batch: Batch, target: Codec, rules: AppendRules) -> tuple[Batch, int]:
    """The batch under its codec in the log, and its newest timestamp, when its records are as they may be."""
    codec = batch.codec
    body = decompress(codec, batch.body)
    looked = survey(body, batch.count)
    oldest, newest = timestamps(batch, looked)
    if suspicious(batch, looked, oldest, newest, rules):
        refuse_bad_records(batch, body, rules)
    if target != codec:
        batch = recompressed(batch, body, target, in_order=looked.in_order)
        if batch.size > rules.max_message_bytes:
            raise too_large(batch, rules)
    elif codec and not looked.in_order:
        # Kafka means to renumber them, has not kept what they contain, and fails: again its own failure.
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "compressed records with offsets out of order")
    return batch, newest


def too_large(batch: Batch, rules: AppendRules) -> KafkaError:
    """The refusal of a batch beyond the topic's limit."""
    return KafkaError(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"a batch of {batch.size} bytes, at most {rules.max_message_bytes} may be",
    )


def check_header(batch: Batch) -> None:
    """INVALID_RECORD for what a producer may not say in the header of a batch."""
    if batch.count <= 0 or batch.count != batch.last_offset_delta + 1:
        why = f"{batch.count} records with a last offset delta of {batch.last_offset_delta}"
    elif batch.is_control:
        why = "a control batch from a client"
    elif batch.producer_id >= 0 and batch.base_sequence <= NO_SEQUENCE:
        why = f"producer {batch.producer_id} without a sequence number"
    else:
        return
    raise KafkaError(ErrorCode.INVALID_RECORD, why)


def timestamps(batch: Batch, looked: Survey) -> tuple[int, int]:
    """The oldest and the newest timestamp of the records, as a consumer of the sent batch would see them."""
    oldest = batch.base_timestamp + looked.oldest
    newest = batch.base_timestamp + looked.newest
    if oldest < INT64_MIN or newest > INT64_MAX:
        raise malformed("a timestamp of more than 64 bits")
    return (batch.max_timestamp, batch.max_timestamp) if batch.log_append_time else (oldest, newest)


def needs_content(batch: Batch, rules: AppendRules) -> bool:
    """Whether records that cannot be decompressed here must not be stored unseen.

    The header knows the newest timestamp, but not the oldest, and nothing of keys.
    """
    if rules.compacted or batch.log_append_time:
        return True
    if rules.log_append_time:
        return False
    return rules.timestamp_before_max_ms < NO_LIMIT_MS or rules.too_new(batch.max_timestamp)


def suspicious(batch: Batch, looked: Survey, oldest: int, newest: int, rules: AppendRules) -> bool:
    """Whether some record may be a bad one: only then they are looked at one by one."""
    return (
        batch.log_append_time
        or (rules.compacted and looked.null_keys)
        or (not rules.log_append_time and (rules.too_old(oldest) or rules.too_new(newest)))
    )


def refuse_bad_records(batch: Batch, body: bytes, rules: AppendRules) -> None:
    """`RecordsRefused` with all records that the topic does not take, if there are any."""
    append_timestamp = batch.max_timestamp if batch.log_append_time else None
    records = read_records(
        body, batch.count, base_timestamp=batch.base_timestamp, append_timestamp=append_timestamp
    )
    code = ErrorCode.INVALID_RECORD
    bad: list[tuple[int, str]] = []
    for index, record in enumerate(records):
        if rules.compacted and record.key is None:
            bad.append((index, "A compacted topic takes no record without a key."))
        elif wrong := wrong_timestamp(batch, record, rules):
            code = ErrorCode.INVALID_TIMESTAMP  # outranks the other, however many there are of either
            bad.append((index, wrong))
    if not bad:
        return
    named = "; ".join(f"record {index}: {why}" for index, why in bad[:_NAMED_IN_MESSAGE])
    raise RecordsRefused(code, f"{len(bad)} of {batch.count} records cannot be appended. {named}", bad)


def wrong_timestamp(batch: Batch, record: Record, rules: AppendRules) -> str | None:
    """Why the record's timestamp is not acceptable, or None. Having none (-1) is."""
    if not rules.log_append_time and record.timestamp != NO_TIMESTAMP:
        if rules.too_old(record.timestamp) or rules.too_new(record.timestamp):
            oldest = rules.now_ms - rules.timestamp_before_max_ms
            newest = rules.now_ms + rules.timestamp_after_max_ms
            return f"Its timestamp {record.timestamp} is not between {oldest} and {newest}."
    elif batch.log_append_time:
        # Kafka looks at the producer's claim only where the timestamp needs no other check.
        return "Only a broker may mark a batch with LogAppendTime."
    return None


def recompressed(batch: Batch, body: bytes, target: Codec, *, in_order: bool) -> Batch:
    """`batch`, whose records are `body`, with the topic's codec, and numbered anew if they need to be."""
    base_timestamp = batch.base_timestamp
    if not in_order or batch.log_append_time:
        # A producer that claims LogAppendTime gives all its records the one time of the header.
        if batch.log_append_time:
            base_timestamp = batch.max_timestamp
        anew = bytearray()
        for index, record in enumerate(read_records(body, batch.count)):
            delta = 0 if batch.log_append_time else record.timestamp_delta
            write_record(anew, index, delta, record.key, record.value, record.headers)
        body = bytes(anew)
    attributes = batch.attributes & ~CODEC_MASK | target
    return batch.remade(attributes=attributes, base_timestamp=base_timestamp, body=compress(target, body))


def stamped(batch: Batch, newest: int, rules: AppendRules) -> Batch:
    """`batch` with the timestamps that the topic keeps: the broker's, or the producer's, told rightly."""
    if rules.log_append_time:
        return batch.with_log_append_time(rules.now_ms)
    newest = max(newest, NO_TIMESTAMP)  # Kafka knows none below it
    if batch.log_append_time or batch.max_timestamp != newest:
        return batch.with_max_timestamp(newest)
    return batch
