from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as another_murmur2

from mockbroker.handles.partitioner import murmur2, partition_for


@given(st.binary(max_size=40))
def test_a_key_hashes_as_it_does_for_other_clients(key: bytes) -> None:
    assert murmur2(key) == another_murmur2(key)


@pytest.mark.parametrize(("key", "java_hash"), [(b"21", -973_932_308), (b"foobar", -790_332_482)])
def test_a_key_goes_where_the_java_client_sends_it(key: bytes, java_hash: int) -> None:
    assert partition_for(key, 12) == (java_hash & 0x7FFFFFFF) % 12


def test_records_without_a_key_go_where_tests_look_first() -> None:
    assert partition_for(None, 6) == 0
