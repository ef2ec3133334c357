"""How fast bytes flow, as people write it: "10 KiB/s", "1 MB/s", or a number of bytes in a second.

Inside, a rate is a whole number of bytes in a second.
"""

from __future__ import annotations

import math
import re

from mockbroker.core.usage import UsageError

Rate = str | float | int

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMG]i?)?B/s")
_UNIT = {
    None: 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000,
    "ki": 1 << 10, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30,
}  # fmt: skip


def bytes_per_s(rate: Rate) -> int:
    """Bytes in a second of "10 KiB/s", "1.5 MB/s", or of a number.  Raises UsageError.

    >>> bytes_per_s("10 KiB/s")
    10240
    """
    read = _RATE.fullmatch(rate.strip()) if isinstance(rate, str) else None
    if read is not None:
        found = float(read[1]) * _UNIT[read[2]]
    elif isinstance(rate, int | float) and not isinstance(rate, bool):
        found = float(rate)
    else:
        raise UsageError(f"{rate!r} is no rate: write '10 KiB/s', '1 MB/s', '500 B/s', or a number of bytes")
    if not 1 <= found < math.inf:
        raise UsageError(
            f"{rate!r}: at least one byte in a second must flow; to stop everything, partition()"
        )
    return round(found)
