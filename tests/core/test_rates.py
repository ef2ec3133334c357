from __future__ import annotations

import pytest

from mockbroker.core.rates import bytes_per_s
from mockbroker.core.usage import UsageError


@pytest.mark.parametrize(
    ("given", "bytes_in_a_second"),
    [("10 KiB/s", 10_240), ("1.5MB/s", 1_500_000), ("500 B/s", 500), ("2 kB/s", 2_000), (300, 300), (1.0, 1)],
)
def test_rates_are_written_as_people_write_them(given: str | float, bytes_in_a_second: int) -> None:
    assert bytes_per_s(given) == bytes_in_a_second


@pytest.mark.parametrize(
    "given", ["", "10", "10 KiB", "-1 B/s", "ten B/s", 0, -1, 0.5, "0 B/s", float("inf"), True, None]
)
def test_what_is_no_rate_is_refused(given: object) -> None:
    with pytest.raises(UsageError, match=r"is no rate|at least one byte"):
        bytes_per_s(given)  # type: ignore[arg-type]  # the point
