"""Which broker looks after a group: Java's string hash, modulo the partitions of an internal topic.

Every client and broker must come to the same number, so this is arithmetic and nothing else.  The
same rule serves `__transaction_state` and `__share_group_state` with other keys.
"""

from __future__ import annotations

from mockbroker.protocol.errors import ErrorCode, KafkaError

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"

_SIGN = 1 << 31
_WRAP = (1 << 32) - 1


def java_string_hash(text: str) -> int:
    """`String.hashCode()`: over UTF-16 code units, so a character beyond U+FFFF counts as two."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for at in range(0, len(units), 2):
        value = (31 * value + (units[at] << 8 | units[at + 1])) & _WRAP
    return value - (value & _SIGN) * 2


def coordinator_partition(key: str, partitions: int) -> int:
    """The partition that holds everything about `key`."""
    assert partitions > 0, "an internal topic has partitions"
    value = java_string_hash(key)
    # The one number without a positive counterpart counts as 0: Kafka's `Utils.abs`, not Java's.
    return 0 if value == -_SIGN else abs(value) % partitions


def check_group_id(group_id: str) -> None:
    """Refuse the empty group id, which requests of members may not have, though offsets may belong to it."""
    if not group_id:
        raise KafkaError(ErrorCode.INVALID_GROUP_ID)
