"""Start-up: a cluster of three opened and closed within a process, and a broker process until it answers.

Within a process the libraries are imported before the clock starts: a test suite imports once and opens
often.  Only mockbroker and librdkafka's mock live in a client's process; kfake does so for Go alone.
"""

from __future__ import annotations

import subprocess
import sys
import time

from conformance.benchmarks.measure import Aim, Measure
from conformance.benchmarks.peers import ANSWER_TIMEOUT_S, OURS, Target, answering

OPENINGS = 20

# Prints one figure: the median of `OPENINGS` times in milliseconds.  A fresh interpreter, so that the
# threads and garbage of the clients that measure are not in it.
_PROGRAM = """
import statistics, time
{imports}
times = []
for _ in range({openings} + 1):
    started = time.perf_counter()
    {open_and_close}
    times.append(time.perf_counter() - started)
print(statistics.median(times[1:]) * 1_000)
"""

_WITHIN = {
    OURS: ("from mockbroker import Cluster", "with Cluster(brokers=3): pass"),
    # Its brokers are there when the client has their metadata; `del` takes cluster and client down.
    "mock": (
        "from conformance.benchmarks.librdkafka_mock import bootstrap_of, open_mock",
        "mock = open_mock(); bootstrap_of(mock); del mock",
    ),
}


def within_ms(target: Target) -> float:
    """One open and close within a process, ports bound and threads joined."""
    imports, open_and_close = _WITHIN[target.peer.name]
    program = _PROGRAM.format(imports=imports, open_and_close=open_and_close, openings=OPENINGS)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S, check=True
    )
    return float(done.stdout)


def process_ms(target: Target) -> float:
    """From no process to one whose metadata shows three brokers to a client."""
    started = time.perf_counter()
    with target.peer.open() as fresh:
        while not answering(fresh):
            pass
        return (time.perf_counter() - started) * 1_000


MEASURES = (
    Measure(
        "open and close in process", "ms", within_ms, aims=(Aim(10),), without=frozenset({"kfake", "kafka"})
    ),
    Measure("process start to metadata", "ms", process_ms, aims=(Aim(1.0, "kafka"),), rounds_max=2),
)
