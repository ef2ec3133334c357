import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.records.crc import crc32c, crcmod_checksum, implementation


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_checksum_is_castagnolis_for_every_kind_of_bytes(kind: type) -> None:
    assert crc32c(kind(b"123456789")) == 0xE3069283  # the check value that CRC catalogues give


def test_the_checksum_of_nothing_is_zero() -> None:
    assert crc32c(b"") == 0


@given(st.binary(max_size=300))
def test_both_implementations_agree(data: bytes) -> None:
    assert crcmod_checksum()(memoryview(data)) == crc32c(data)


def test_without_the_fast_package_crcmod_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crc32c", None)
    implementation.cache_clear()
    try:
        assert crc32c(b"123456789") == 0xE3069283
        assert "crcmod" in str(implementation().__module__)
    finally:
        implementation.cache_clear()


def test_the_user_hears_that_crcmod_is_slow_without_its_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    crcmod_checksum()
    slow = types.ModuleType("crcmod.crcmod")
    slow.__dict__["_usingExtension"] = False
    monkeypatch.setitem(sys.modules, "crcmod.crcmod", slow)
    with pytest.warns(RuntimeWarning, match=r"crcmod-plus .* or mockbroker\[fast\]"):
        checksum = crcmod_checksum()
    assert checksum(b"123456789") == 0xE3069283
