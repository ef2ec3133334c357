import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.groups.coordination import check_group_id, coordinator_partition, java_string_hash
from mockbroker.protocol.errors import ErrorCode, KafkaError


@pytest.mark.parametrize(
    ("group", "partition"),
    [
        ("group-1", 49),
        ("my-group", 12),
        ("test", 48),
        ("polygenelubricants", 0),  # its hash is -2^31, which has no positive counterpart
        ("\U0001d4b3group", 29),  # a surrogate pair
    ],
)
def test_groups_belong_where_kafka_puts_them(group: str, partition: int) -> None:
    assert coordinator_partition(group, 50) == partition


def test_the_hash_is_javas() -> None:
    assert java_string_hash("") == 0
    assert java_string_hash("Aa") == java_string_hash("BB") == 2112
    assert java_string_hash("polygenelubricants") == -(2**31)


@given(st.text(), st.integers(1, 1000))
def test_every_group_has_a_partition(group: str, partitions: int) -> None:
    assert 0 <= coordinator_partition(group, partitions) < partitions


def test_members_cannot_belong_to_a_group_without_a_name() -> None:
    check_group_id("g")
    with pytest.raises(KafkaError) as refused:
        check_group_id("")
    assert refused.value.code is ErrorCode.INVALID_GROUP_ID
