"""Batches for these tests: real ones from Kafka's own library, and broken ones made of good ones.

Does not judge them.  The real ones were written once by the Java client library 4.3.1, so that what is read
here was not written here.
"""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import strategies as st

from mockbroker.records.batch import CODEC_MASK, HEADER, Batch
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.records.compression import Codec, compress
from mockbroker.records.record import write_record
from mockbroker.records.varints import varint

NOW = 1_700_000_000_000

# Three records: with a key, a value and two headers; with nulls; with empty strings.
# Producer 4000, epoch 1, first sequence 2^31-2, so that the sequence wraps inside the batch.
BY_JAVA = {
    Codec.NONE: bytes.fromhex(
        "000000000000000000000076ffffffff025317e3870000000000020000018bcfe568000000018bcfe568640000000000000f"
        "a000017ffffffe000000036a000000066b65793a76616c75652076616c75652076616c75652076616c75652076616c756504"
        "0a747261636504c3a9086e6f6e65010c0013020101000e00c80104000000"
    ),
    Codec.GZIP: bytes.fromhex(
        "000000000000000000000074ffffffff022ca798730001000000020000018bcfe568000000018bcfe568640000000000000f"
        "a000017ffffffe000000031f8b08000000000000ffcb62606060cb4eadb42a4bcc294d55c041b27095142526a7b21c5ec991"
        "979f97cac8c320ccc4c8c8c0c7708291056800000d6e6bb145000000"
    ),
    Codec.SNAPPY: bytes.fromhex(
        "000000000000000000000079ffffffff0263aebb6d0002000000020000018bcfe568000000018bcfe568640000000000000f"
        "a000017ffffffe0000000382534e415050590000000001000000010000003445386a000000066b65793a76616c7565205a06"
        "0078040a747261636504c3a9086e6f6e65010c0013020101000e00c80104000000"
    ),
    Codec.LZ4: bytes.fromhex(
        "000000000000000000000075ffffffff02bf375ac90003000000020000018bcfe568000000018bcfe568640000000000000f"
        "a000017ffffffe0000000304224d1860408235000000ff006a000000066b65793a76616c756520060004f010040a74726163"
        "6504c3a9086e6f6e65010c0013020101000e00c8010400000000000000"
    ),
    Codec.ZSTD: bytes.fromhex(
        "000000000000000000000072ffffffff02bb0ae7c80004000000020000018bcfe568000000018bcfe568640000000000000f"
        "a000017ffffffe0000000328b52ffd0058ac0100e4026a000000066b65793a76616c756520040a747261636504c3a9086e6f"
        "6e65010c0013020101000e00c801040000000100a94b1d010000"
    ),
}
ABOUT_JAVA = [
    NewRecord(b"key", b"value value value value value", [("trace", "\xe9".encode()), ("none", None)], NOW),
    NewRecord(None, None, [], NOW - 10),
    NewRecord(b"", b"", [], NOW + 100),
]


def batch_of(*values: bytes | None, codec: Codec = Codec.NONE, timestamp: int = NOW) -> Batch:
    """A batch of records that have a key, these values and one timestamp."""
    return build_batch([NewRecord(b"key", value, (), timestamp) for value in values], now_ms=NOW, codec=codec)


def altered(batch: Batch, **fields: int) -> Batch:
    """`batch` with another header, and the checksum that belongs to it."""
    names = (
        *("attributes", "last_offset_delta", "base_timestamp", "max_timestamp", "count"),
        *("producer_id", "producer_epoch", "base_sequence", "base_offset", "leader_epoch"),
    )
    header = {name: getattr(batch, name) for name in names} | fields
    return Batch.assemble(batch.body, **header)


def with_body(batch: Batch, body: bytes, codec: Codec = Codec.NONE) -> Batch:
    """`batch` with other content than its header speaks of."""
    return batch.remade(attributes=batch.attributes & ~CODEC_MASK | codec, body=compress(codec, body))


def numbered(deltas: Sequence[int], codec: Codec = Codec.NONE) -> Batch:
    """A batch whose header is right and whose records have these offset deltas."""
    body = bytearray()
    for delta in deltas:
        write_record(body, delta, 0, b"key", b"%d" % delta)
    return with_body(batch_of(*[b""] * len(deltas)), bytes(body), codec)


def reheaded(batch: Batch, *, length: int | None = None, magic: int | None = None) -> bytes:
    """The bytes of `batch` with another length or format in front; its checksum is left alone."""
    fields = list(HEADER.unpack_from(batch.data))
    fields[1] = fields[1] if length is None else length
    fields[3] = fields[3] if magic is None else magic
    return HEADER.pack(*fields) + bytes(batch.body)


def legacy_entry(magic: int) -> bytes:
    """A message of format v0 or v1 with a null key and an empty value."""
    content = struct.pack(">bb", magic, 0) + (struct.pack(">q", NOW) if magic else b"")
    content += struct.pack(">ii", -1, 0)
    return struct.pack(">qiI", 0, len(content) + 4, 0) + content


def record_bytes(body: bytes, length: int | None = None) -> bytes:
    """A record of this content, with an honest length or another."""
    return varint(len(body) if length is None else length) + body


GOOD = bytes.fromhex("00 00 00 01 01 00")  # attributes, deltas 0 and 0, null key, null value, no headers

# Record areas that are not well formed, and how many records they are said to have.
MALFORMED = [
    pytest.param(b"", 1, id="no record where one is announced"),
    pytest.param(record_bytes(GOOD) * 2, 3, id="two records where three are announced"),
    pytest.param(record_bytes(GOOD) * 2, 1, id="two records where one is announced"),
    pytest.param(record_bytes(GOOD, len(GOOD) + 1), 1, id="a length beyond the data"),
    pytest.param(record_bytes(GOOD, len(GOOD) - 1) + b"\x00", 1, id="a length below the content"),
    pytest.param(record_bytes(GOOD, -7), 1, id="a negative length"),
    pytest.param(record_bytes(GOOD + b"\x00"), 1, id="a byte behind the headers"),
    pytest.param(record_bytes(bytes.fromhex("00 00 00 08 01 00")), 1, id="a key beyond the data"),
    pytest.param(record_bytes(bytes.fromhex("00 00 00 01 08 00")), 1, id="a value beyond the data"),
    pytest.param(record_bytes(bytes.fromhex("00 00 00 01 01 01")), 1, id="a negative header count"),
    pytest.param(record_bytes(bytes.fromhex("00 00 00 01 01 fe 7f")), 1, id="a huge header count"),
    pytest.param(record_bytes(bytes.fromhex("00 00 00 01 01 02 01 01")), 1, id="a header without a key"),
    pytest.param(record_bytes(bytes.fromhex("00 00 00 01 01 02 00 04 00")), 1, id="a cut header value"),
    pytest.param(record_bytes(bytes.fromhex("00 00 ff ff ff ff 1f 01 01 00")), 1, id="33 bits of offset"),
]


blobs = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=10), blobs), max_size=3)
new_records = st.builds(
    NewRecord, blobs, blobs, headers, st.integers(min_value=-1, max_value=2**62) | st.just(NOW)
)
record_lists = st.lists(new_records, min_size=1, max_size=6)
