"""Batches against the record layers of two clients, both ways: what one writes, the other reads."""

from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch as AiokafkaBatch
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AiokafkaBuilder
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch
from kafka.record.memory_records import MemoryRecordsBuilder as KafkaPythonBuilder

from mockbroker.records.batch import Batch, iter_records, parse_produced
from mockbroker.records.builder import (
    ControlType,
    NewRecord,
    build_batch,
    build_control_batch,
)
from mockbroker.records.compression import Codec
from mockbroker.records.validate import AppendRules, validate_produced
from tests.records.samples import NOW

RECORDS = [
    NewRecord(b"key", b"value " * 20_000, [("trace", b"\x00\xff"), ("none", None)], NOW),
    NewRecord(None, None, [], NOW + 5),
    NewRecord(b"", b"", [("\xe9", b"")], NOW - 70),
]
# kafka-python brings gzip only; the libraries for its other codecs are not what we test with.
KAFKA_PYTHON_CODECS = [Codec.NONE, Codec.GZIP]


def seen(batch: Any) -> list[NewRecord]:
    """A client's batch in our words."""
    return [NewRecord(record.key, record.value, list(record.headers), record.timestamp) for record in batch]


def read(batch: Batch) -> list[NewRecord]:
    return [
        NewRecord(record.key, record.value, record.headers, record.timestamp)
        for record in iter_records(batch)
    ]


@pytest.mark.parametrize("codec", list(Codec))
def test_aiokafka_reads_what_we_write(codec: Codec) -> None:
    batch = AiokafkaBatch(build_batch(RECORDS, now_ms=NOW, codec=codec, base_offset=10).data)
    assert batch.validate_crc()
    assert [record.offset for record in batch] == [10, 11, 12]
    assert seen(AiokafkaBatch(build_batch(RECORDS, now_ms=NOW, codec=codec).data)) == RECORDS


@pytest.mark.parametrize("codec", list(Codec))
def test_we_store_and_read_what_aiokafka_writes(codec: Codec) -> None:
    builder = AiokafkaBuilder(2, codec, 1, 7, 2, 5, 1_000_000)
    for offset, (key, value, headers, timestamp) in enumerate(RECORDS):
        assert builder.append(offset, timestamp, key, value, list(headers)) is not None
    batch = validate_produced(parse_produced(bytes(builder.build()), version=9), AppendRules(NOW))
    assert read(batch) == RECORDS
    assert (batch.codec, batch.is_transactional, batch.producer_id, batch.producer_epoch) == (
        codec,
        True,
        7,
        2,
    )
    assert (batch.base_sequence, batch.last_sequence) == (5, 7)


@pytest.mark.parametrize("codec", KAFKA_PYTHON_CODECS)
def test_kafka_python_reads_what_we_write(codec: Codec) -> None:
    ours = build_batch(
        RECORDS, now_ms=NOW, codec=codec, producer_id=7, producer_epoch=2, base_sequence=2**31 - 1
    )
    batch = KafkaPythonBatch(bytes(ours.place(10, 4).data))
    assert batch.validate_crc()
    assert (batch.base_offset, batch.last_offset, batch.leader_epoch) == (10, 12, 4)
    assert (batch.producer_id, batch.producer_epoch, batch.last_sequence) == (7, 2, ours.last_sequence)
    assert batch.max_timestamp == NOW + 5
    assert seen(batch) == RECORDS


@pytest.mark.parametrize("codec", KAFKA_PYTHON_CODECS)
def test_we_store_and_read_what_kafka_python_writes(codec: Codec) -> None:
    builder = KafkaPythonBuilder(magic=2, compression_type=int(codec), batch_size=1_000_000)
    for key, value, headers, timestamp in RECORDS:
        builder.append(timestamp, key, value, list(headers))
    builder.close()
    batch = validate_produced(parse_produced(builder.buffer(), version=9), AppendRules(NOW))
    assert read(batch) == RECORDS


def test_clients_see_the_brokers_timestamps() -> None:
    ours = build_batch(RECORDS, now_ms=NOW).with_log_append_time(NOW + 1000)
    for batch in (AiokafkaBatch(ours.data), KafkaPythonBatch(bytes(ours.data))):
        assert [record.timestamp for record in batch] == [NOW + 1000] * 3


@pytest.mark.parametrize("kind", list(ControlType))
def test_clients_read_our_markers(kind: ControlType) -> None:
    marker = build_control_batch(kind, producer_id=7, producer_epoch=2, coordinator_epoch=1, timestamp=NOW)
    assert AiokafkaBatch(marker.data).is_control_batch
    batch = KafkaPythonBatch(bytes(marker.data))
    assert batch.is_control_batch
    assert batch.is_transactional
    (record,) = batch
    assert (record.commit, record.abort) == (kind is ControlType.COMMIT, kind is ControlType.ABORT)
