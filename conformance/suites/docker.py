"""What Sarama's tests take for `docker`: stop, start and read the logs of one broker of toxic_cluster.py.

The cluster's address is in MOCKBROKER_TOXIC_CLUSTER.  Anything else that is asked for is an error, as it would be for a
container that does not exist.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request

ADDRESS = "MOCKBROKER_TOXIC_CLUSTER"


def main() -> None:
    """`docker compose stop kafka-3`, `... start kafka-3`, `... logs --since TIME kafka-3`."""
    match sys.argv[1:]:
        case ["compose", ("stop" | "start") as verb, service]:
            _ask("POST", service, verb)
        case ["compose", "logs", "--since", _, service]:
            print("\n".join(json.loads(_ask("GET", service, "logs"))))
        case other:
            sys.exit(f"no such command here: docker {' '.join(other)}")


def _ask(method: str, service: str, verb: str) -> bytes:
    url = f"{os.environ[ADDRESS]}/brokers/{service.removeprefix('kafka-')}/{verb}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:  # noqa: S310  # our own
        data: bytes = answer.read()
    return data


if __name__ == "__main__":
    main()
