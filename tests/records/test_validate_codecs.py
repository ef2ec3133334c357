import sys
from typing import Any

import pytest

from mockbroker.protocol.errors import ErrorCode
from mockbroker.records.batch import LOG_APPEND_TIME, Batch, iter_records
from mockbroker.records.compression import Codec, CompressionMissing
from mockbroker.records.validate import validate_produced
from tests.records.judging import at, code, rules
from tests.records.samples import NOW, altered, batch_of, numbered

CODECS = list(Codec)

# Whose codec


@pytest.mark.parametrize("target", CODECS)
@pytest.mark.parametrize("sent", CODECS)
def test_a_topics_codec_is_what_is_stored(sent: Codec, target: Codec) -> None:
    batch = altered(
        batch_of(b"a" * 50, b"b" * 50, codec=sent), producer_id=3, producer_epoch=1, base_sequence=9
    )
    stored = validate_produced(batch, rules(compression=target))
    stored.check_crc()
    assert stored.codec is target
    assert list(iter_records(stored)) == list(iter_records(batch))
    assert (stored.producer_id, stored.producer_epoch, stored.last_sequence) == (3, 1, 10)
    assert (stored is batch) == (sent is target)


@pytest.mark.parametrize("sent", [Codec.NONE, Codec.LZ4])
def test_a_recompressed_batch_is_numbered_anew(sent: Codec) -> None:
    stored = validate_produced(numbered([0, 0, 4], sent), rules(compression=Codec.GZIP))
    assert [record.offset for record in iter_records(stored)] == [0, 1, 2]
    assert [record.value for record in iter_records(stored)] == [b"0", b"0", b"4"]


def test_a_recompressed_batch_must_keep_to_the_limit_too() -> None:
    batch = batch_of(b"x" * 500, codec=Codec.GZIP)
    assert code(batch, compression=Codec.NONE, max_message_bytes=400) is ErrorCode.MESSAGE_TOO_LARGE


def test_a_recompressed_batch_is_stamped_as_well() -> None:
    stored = validate_produced(at(5, 6), rules(compression=Codec.GZIP, log_append_time=True))
    assert (stored.codec, stored.log_append_time, stored.max_timestamp) == (Codec.GZIP, True, NOW)


# Without the libraries for a codec


@pytest.fixture
def opaque(monkeypatch: pytest.MonkeyPatch) -> Batch:
    """A batch that cannot be decompressed here."""
    batch = batch_of(b"x", codec=Codec.LZ4)
    monkeypatch.setitem(sys.modules, "cramjam", None)
    return batch


def test_a_batch_that_nobody_can_read_here_is_stored_as_it_is(opaque: Batch) -> None:
    assert validate_produced(opaque, rules()) is opaque
    assert validate_produced(opaque, rules(log_append_time=True)).max_timestamp == NOW


def test_its_header_is_judged_all_the_same(opaque: Batch) -> None:
    assert code(altered(opaque, count=2)) is ErrorCode.INVALID_RECORD
    assert code(opaque, segment_bytes=50) is ErrorCode.RECORD_LIST_TOO_LARGE


@pytest.mark.parametrize(
    "settings",
    [
        {"compacted": True},
        {"compression": Codec.GZIP},
        {"timestamp_before_max_ms": 1000},
        {"timestamp_after_max_ms": -1},
    ],
)
def test_where_its_content_matters_the_error_says_what_to_install(
    opaque: Batch, settings: dict[str, Any]
) -> None:
    with pytest.raises(CompressionMissing, match="install"):
        validate_produced(opaque, rules(**settings))


def test_a_claim_that_cannot_be_checked_is_not_accepted(opaque: Batch) -> None:
    with pytest.raises(CompressionMissing):
        validate_produced(altered(opaque, attributes=LOG_APPEND_TIME | Codec.LZ4), rules())
