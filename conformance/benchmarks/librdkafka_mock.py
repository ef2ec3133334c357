"""librdkafka's mock cluster in a process of its own, until standard input is closed.

The mock lives inside a client, and its brokers are C threads.  A holder lets every peer be measured by the
same client from the outside, with the same settings.  Prints one line of JSON when it serves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from confluent_kafka import Producer

BROKERS = 3

# The mock says at every start that it ignores the address which librdkafka insists on.
SETTINGS: Mapping[str, str | int] = {
    "bootstrap.servers": "ignored",
    "test.mock.num.brokers": BROKERS,
    "log_level": 3,
}


def open_mock() -> Producer:
    """A client with a cluster in it; the cluster goes with the client."""
    return Producer(dict(SETTINGS))


def bootstrap_of(client: Producer) -> str:
    """Where the mock's brokers listen, as they tell themselves."""
    brokers = client.list_topics(timeout=10).brokers.values()
    return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


def main() -> None:
    """Serve until whoever started this lets go."""
    mock = open_mock()
    print(json.dumps({"event": "ready", "bootstrap": bootstrap_of(mock)}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
