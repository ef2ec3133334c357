import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.records.varints import read_varint, read_varlong, varint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (63, "7e"),
        (-64, "7f"),
        (64, "8001"),
        (8191, "fe7f"),
        (2**31 - 1, "feffffff0f"),
        (-(2**31), "ffffffff0f"),
    ],
)
def test_a_varint_is_zig_zag_and_little_endian(value: int, encoded: str) -> None:
    assert varint(value).hex() == encoded
    assert read_varint(varint(value), 0) == (value, len(varint(value)))


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=3))
def test_every_64_bit_number_is_read_back(value: int, behind: bytes) -> None:
    assert read_varlong(varint(value) + behind, 0) == (value, len(varint(value)))


@pytest.mark.parametrize("encoded", ["", "80", "ffffffff", "ffffffff1f", "808080808000", "8080808080"])
def test_a_varint_is_at_most_five_bytes_and_32_bits(encoded: str) -> None:
    with pytest.raises(KafkaError) as refused:
        read_varint(bytes.fromhex(encoded), 0)
    assert refused.value.code is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("encoded", ["80" * 10 + "00", "ff" * 9 + "03", "ff" * 9])
def test_a_varlong_is_at_most_ten_bytes_and_64_bits(encoded: str) -> None:
    with pytest.raises(KafkaError):
        read_varlong(bytes.fromhex(encoded), 0)


def test_needless_bytes_within_the_bound_are_read_as_kafka_reads_them() -> None:
    assert read_varint(bytes.fromhex("828000"), 0) == (1, 3)
