"""A cluster in a process of its own, as users without Python get it: `mockbroker serve`, and its end.

Promises that the suites meet the shipped command line and nothing that a test could have patched.  A bug of
ours that was met along the way fails the `with` block, whatever the suite made of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.clients.programs import ROOT

# It starts in half a second; a machine that needs longer than this is not worth waiting for.
STOP_TIMEOUT_S = 30


class BrokerFailed(AssertionError):
    """The process did not start, or ended otherwise than it was told to. Carries the end of its log."""


@dataclass(frozen=True)
class Served:
    """Where the brokers listen, in the order of their ids."""

    addresses: tuple[str, ...]

    @property
    def bootstrap(self) -> str:
        return ",".join(self.addresses)


@contextmanager
def served(*flags: str, config: Mapping[str, str | int | bool] | None = None) -> Iterator[Served]:
    """Serve on free ports for the length of the block."""
    settings = [f"--config={name}={_text(value)}" for name, value in (config or {}).items()]
    command = [
        sys.executable,
        "-m",
        "mockbroker",
        "serve",
        "--port=0",
        "--exit-with-parent",
        *settings,
        *flags,
    ]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end tells the broker that we are gone, where signals do not
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            if ready:
                brokers = json.loads(ready)["brokers"]
                yield Served(tuple(f"{broker['host']}:{broker['port']}" for broker in brokers))
        finally:
            process.terminate()
            process.communicate(timeout=STOP_TIMEOUT_S)
        if process.returncode or not ready:
            log.seek(0)
            raise BrokerFailed(f"`mockbroker serve` ended with {process.returncode}:\n{log.read()[-4000:]}")


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
