"""Which partition a key belongs to: the hash that Kafka's own clients use, so that tests and apps agree.

Knows no topics.  Kafka's sticky choice for records without a key is left out:
a test wants to know where to look.
"""

from __future__ import annotations

_SEED = 0x9747B28C
_M = 0x5BD1E995
_WORD = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Murmur2 with Kafka's seed, as an unsigned number."""
    length = len(data)
    h = (_SEED ^ length) & _WORD
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _WORD
        k = (k ^ k >> 24) * _M & _WORD
        h = (h * _M & _WORD) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _WORD
    h = (h ^ h >> 13) * _M & _WORD
    return h ^ h >> 15


def partition_for(key: bytes | None, partitions: int) -> int:
    """The partition of a key; records without one go to partition 0, so that tests know where to look."""
    if key is None:
        return 0
    return (murmur2(key) & 0x7FFFFFFF) % partitions
