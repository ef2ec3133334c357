"""The examples of a Hypothesis test: each is a test of its own, with an end of its own.

Knows Hypothesis only where a test has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def when_example_ends(act: Callable[[], object]) -> bool:
    """Do something when the example that runs now is over; False if none does.

    What `act` raises is the failure of that example.
    """
    hypothesis: Any = sys.modules.get("hypothesis")
    if hypothesis is None or not hypothesis.currently_in_test_context():
        return False
    from importlib import import_module

    import_module("hypothesis.control").cleanup(act)
    return True


def failing() -> bool:
    """Whether an exception is on its way out of the example that ends now."""
    return sys.exc_info()[0] is not None
