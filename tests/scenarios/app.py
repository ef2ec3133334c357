"""A worker as a process of its own, to be killed: `python -m tests.scenarios.app LIBRARY BOOTSTRAP NAME SESSION_MS`."""

from __future__ import annotations

import sys

from tests.scenarios.clients import LIBRARIES, Membership
from tests.scenarios.workers import Worker

if __name__ == "__main__":
    library, bootstrap, name, session_ms = sys.argv[1:]
    Worker(
        LIBRARIES[library], Membership(bootstrap, "orders", "billing", name, session_ms=int(session_ms))
    ).run()
