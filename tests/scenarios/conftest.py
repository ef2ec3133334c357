"""What scenarios share: the client libraries, and patience with the sockets that they forget."""

import gc
import logging
import warnings
from collections.abc import Iterator

import pytest

from tests.scenarios.clients import LIBRARIES, Library


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    """Each of the real clients in turn."""
    return LIBRARIES[request.param]


@pytest.fixture(autouse=True)
def _forgotten_sockets() -> Iterator[None]:
    """kafka-python leaves sockets that were refused to the garbage collector; that is no business of ours.

    Collected here, or else some later test would be blamed for the warning.  The libraries' logs are kept
    short, for their tracebacks keep those sockets alive.
    """
    warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
    for name in ("kafka", "aiokafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield
    gc.collect()
