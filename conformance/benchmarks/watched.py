"""mockbroker as a test has it, with history and ledger, in a process of its own, until standard input is closed.

`mockbroker serve` remembers nothing, so the two side by side show what remembering costs.
"""

from __future__ import annotations

import json
import sys

from mockbroker import Cluster


def main() -> None:
    """Serve until whoever started this lets go."""
    with Cluster(brokers=3) as cluster:
        print(json.dumps({"event": "ready", "bootstrap": cluster.bootstrap}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
