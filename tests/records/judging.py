"""What the tests of validation say often: the rules of a topic, a refusal, a batch of certain timestamps."""

from typing import Any

import pytest

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.batch import Batch, iter_records
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.records.compression import Codec
from mockbroker.records.refused import RecordsRefused
from mockbroker.records.validate import AppendRules, validate_produced
from tests.records.samples import NOW


def rules(**settings: Any) -> AppendRules:
    return AppendRules(NOW, **settings)


def refusal(batch: Batch, **settings: Any) -> KafkaError:
    with pytest.raises(KafkaError) as refused:
        validate_produced(batch, rules(**settings))
    return refused.value


def code(batch: Batch, **settings: Any) -> ErrorCode:
    """The code of a refusal that has nothing else to say to the producer."""
    refused = refusal(batch, **settings)
    assert not isinstance(refused, RecordsRefused)
    return refused.code


def stamps(batch: Batch) -> list[int]:
    return [record.timestamp for record in iter_records(batch)]


def at(*timestamps: int, codec: Codec = Codec.NONE) -> Batch:
    """A batch of records with these timestamps."""
    records = [NewRecord(b"key", b"value", (), timestamp) for timestamp in timestamps]
    return build_batch(records, now_ms=NOW, codec=codec)


def keyed(*keys: bytes | None, codec: Codec = Codec.NONE) -> Batch:
    """A batch of records with these keys."""
    return build_batch([NewRecord(key, b"value", (), NOW) for key in keys], now_ms=NOW, codec=codec)
