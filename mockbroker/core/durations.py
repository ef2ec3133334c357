"""Stretches of time as people write them: "45s", "200ms", "7d", or a number of seconds.

Inside, every duration is a whole number of milliseconds.
"""

from __future__ import annotations

import math
import re

from mockbroker.core.usage import UsageError

Duration = str | float | int

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(duration: Duration) -> int:
    """Milliseconds of "45s", "200ms", "7d", or of a number of seconds.

    >>> duration_ms("1.5s")
    1500
    >>> duration_ms(2)
    2000
    """
    if isinstance(duration, int | float) and not isinstance(duration, bool):
        if not 0 <= duration < math.inf:
            raise UsageError(f"{duration!r} is no duration: give a number of seconds from 0 up")
        return round(duration * 1_000)
    read = _DURATION.fullmatch(duration.strip()) if isinstance(duration, str) else None
    if read is None:
        raise UsageError(
            f"{duration!r} is no duration: write '45s', '200ms', '2m', '1h', '7d', or a number of seconds"
        )
    return round(float(read[1]) * _UNIT_MS[read[2]])
