"""A real Kafka cluster of combined KRaft nodes on loopback: start it, hurt it, leave nothing behind.

`with KafkaCluster(version="4.4.0", nodes=3) as kafka:` gives `kafka.bootstrap`, and crash, stop, restart,
pause and resume by node id.  Entering returns when every node serves and knows the others.  The processes
belong to a guard (guard.py) and end with the caller, whatever ends it.

`python -m conformance.against_kafka.launch --version 4.4.0 --nodes 3` prints one JSON line on stdout when the
cluster is ready, and runs until it is told to stop or its parent is gone.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from conformance.against_kafka import guard
from conformance.against_kafka.jars import kafka_jars
from conformance.against_kafka.ready import known_to

# Below Linux's ephemeral range (32768 up), where some program's outgoing connection may hold a port and
# where a probe of a closed port can connect to itself; above the ports that people give to services.
PORTS = range(15000, 32000)
# Three nodes need about 11 s on an idle machine of two cores and up to 30 s on a busy one.
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
_HEAP = "-Xmx400m"
_GUARD_GONE = "the brokers' guard process is gone, and they with it"


class KafkaFailed(RuntimeError):
    """A node did not come up, or went down by itself. Carries the end of its log."""


class KafkaCluster:
    """A running Kafka, as a context manager. `config` is laid over every node's server.properties.

    `racks`: where nodes stand, by id.
    """

    def __init__(
        self,
        version: str = "4.4.0",
        nodes: int = 1,
        config: Mapping[str, str | int | bool] | None = None,
        racks: Mapping[int, str] | None = None,
    ) -> None:
        if nodes < 1:
            raise ValueError(f"a cluster has at least one node, not {nodes}")
        self.version, self.config, self.racks = version, dict(config or {}), dict(racks or {})
        self.node_ids = tuple(range(1, nodes + 1))
        self.cluster_id = _new_cluster_id()
        self.ports: dict[int, int] = {}
        self.pids: dict[int, int] = {}
        self._controller_ports: dict[int, int] = {}
        self._jars = Path()
        self._home = Path()
        self._guard: subprocess.Popen[str] | None = None
        self._dialogue = threading.Lock()

    @property
    def bootstrap(self) -> str:
        """Every node's client listener, as clients take it."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    def __enter__(self) -> Self:
        self._jars = kafka_jars(self.version)
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._home = Path(self._heard()["home"])
            with _free_ports(2 * len(self.node_ids)) as ports:
                self.ports = dict(zip(self.node_ids, ports, strict=False))
                self._controller_ports = dict(zip(self.node_ids, ports[len(self.node_ids) :], strict=True))
                self._format()
            for node_id in self.node_ids:
                self._start(node_id)
            for node_id in self.node_ids:
                self.wait_serving(node_id)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill everything and remove the data: nobody wants a tidy shutdown of a throw-away cluster."""
        if self._guard is None:
            return
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
        self._guard.wait(STOP_TIMEOUT_S)
        self._guard.stdout.close()
        self._guard = None

    def crash(self, node_id: int) -> None:
        """SIGKILL: nothing flushed, nobody told."""
        self._signal(node_id, signal.SIGKILL)
        self._gone(node_id)

    def stop(self, node_id: int) -> None:
        """SIGTERM: the node hands its leaderships over and says goodbye."""
        self._signal(node_id, signal.SIGTERM)
        self._gone(node_id)

    def restart(self, node_id: int) -> None:
        """Start a crashed or stopped node on its old ports and data, and wait until it serves."""
        if self._tell("wait", name=self._name(node_id), seconds=0)["code"] is None:
            raise ValueError(f"node {node_id} is running: crash or stop it before restarting it")
        self._start(node_id)
        self.wait_serving(node_id)

    def pause(self, node_id: int) -> None:
        """SIGSTOP: sockets stay open and nothing answers, like a long garbage collection."""
        self._signal(node_id, signal.SIGSTOP)

    def resume(self, node_id: int) -> None:
        """SIGCONT after a pause."""
        self._signal(node_id, signal.SIGCONT)

    def wait_serving(self, node_id: int, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until this node answers Metadata with every node that should be alive."""
        wanted = {other for other in self.node_ids if other in self.pids}

        def serving() -> bool:
            if (code := self._tell("wait", name=self._name(node_id), seconds=0)["code"]) is not None:
                raise KafkaFailed(
                    f"node {node_id} of Kafka {self.version} ended with {code}:\n{self.log(node_id)}"
                )
            known = known_to(self.ports[node_id])
            return known is not None and wanted <= known.brokers

        if not _until(serving, timeout_s):
            raise KafkaFailed(f"node {node_id} does not serve after {timeout_s} s:\n{self.log(node_id)}")

    def log(self, node_id: int, last_chars: int = 4000) -> str:
        """The end of what the node wrote, for a failure's message."""
        path = self._home / f"{self._name(node_id)}.log"
        return path.read_text(errors="replace")[-last_chars:] if path.exists() else "(it wrote nothing)"

    def _name(self, node_id: int) -> str:
        if node_id not in self.node_ids:
            raise ValueError(f"no node {node_id}: this cluster has {list(self.node_ids)}")
        return f"node-{node_id}"

    def _signal(self, node_id: int, number: signal.Signals) -> None:
        if not self._tell("signal", name=self._name(node_id), number=int(number))["alive"]:
            raise ValueError(f"node {node_id} is not running: restart it first")

    def _gone(self, node_id: int) -> None:
        if self._tell("wait", name=self._name(node_id), seconds=STOP_TIMEOUT_S)["code"] is None:
            raise KafkaFailed(f"node {node_id} does not stop:\n{self.log(node_id)}")
        self.pids.pop(node_id, None)

    def _format(self) -> None:
        """Write each node's settings and make its storage, all nodes at once: it is a JVM start each."""
        names = {}
        for node_id in self.node_ids:
            settings = self._home / f"{self._name(node_id)}.properties"
            settings.write_text("".join(f"{key}={value}\n" for key, value in self._settings(node_id).items()))
            names[node_id] = f"format-{node_id}"
            tool = ["kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c", str(settings)]
            self._run_java(names[node_id], tool, log=self._home / f"{self._name(node_id)}.log")
        for node_id, name in names.items():
            if code := self._tell("wait", name=name, seconds=START_TIMEOUT_S)["code"]:
                raise KafkaFailed(f"formatting node {node_id} ended with {code}:\n{self.log(node_id)}")

    def _start(self, node_id: int) -> None:
        name = self._name(node_id)
        program = ["kafka.Kafka", str(self._home / f"{name}.properties")]
        self.pids[node_id] = self._run_java(name, program, log=self._home / f"{name}.log")

    def _run_java(self, name: str, program: list[str], log: Path) -> int:
        log4j = self._home / "log4j.properties"  # read by 3.x; 4.x goes to stderr through slf4j-simple
        log4j.write_text(
            "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n\n"
        )
        flags = [_HEAP, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        java = ["java", *flags, f"-Dlog4j.configuration=file:{log4j}", "-cp", f"{self._jars}/*", *program]
        return int(self._tell("start", name=name, argv=java, log=str(log))["pid"])

    def _settings(self, node_id: int) -> dict[str, str]:
        port, controller_port = self.ports[node_id], self._controller_ports[node_id]
        voters = ",".join(f"{other}@127.0.0.1:{at}" for other, at in self._controller_ports.items())
        copies = min(3, len(self.node_ids))
        settings: dict[str, str | int | bool] = {
            "process.roles": "broker,controller",
            "node.id": node_id,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._home / self._name(node_id)),
            "group.initial.rebalance.delay.ms": 0,
            # Fifty partitions of three replicas cost the first group 11 s here; what is asked of Kafka
            # does not hang on their number.
            "offsets.topic.num.partitions": 5,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": 5,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": min(2, copies),
        }
        if self.version.startswith("4.") and not self.version.startswith("4.0"):
            settings |= {
                "share.coordinator.state.topic.num.partitions": 5,
                "share.coordinator.state.topic.replication.factor": copies,
                "share.coordinator.state.topic.min.isr": min(2, copies),
            }
        if node_id in self.racks:
            settings["broker.rack"] = self.racks[node_id]
        return {key: _as_property(value) for key, value in (settings | self.config).items()}

    def _tell(self, do: str, **order: Any) -> dict[str, Any]:
        if self._guard is None or self._guard.stdin is None:
            raise ValueError("the cluster is not running: use it inside its `with` block")
        with self._dialogue:  # an order and its answer are one, whichever thread gives it
            try:
                self._guard.stdin.write(json.dumps({"do": do, **order}) + "\n")
                self._guard.stdin.flush()
            except BrokenPipeError:
                raise KafkaFailed(_GUARD_GONE) from None
            return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._guard is not None
        assert self._guard.stdout is not None
        line = self._guard.stdout.readline()
        if not line:
            raise KafkaFailed(_GUARD_GONE)
        answer: dict[str, Any] = json.loads(line)
        return answer


def _as_property(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _new_cluster_id() -> str:
    """Sixteen random bytes in base64url; a leading '-' would be read as an option by the storage tool."""
    while (name := base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")).startswith("-"):
        pass
    return name


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Ports nobody listens on, held until the nodes are about to start."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(PORTS, k=len(PORTS)):
            if len(ports) == count:
                break
            holder = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                holder.bind(("127.0.0.1", port))
                ports.append(port)
        yield ports


def _until(true: Callable[[], bool], timeout_s: float) -> bool:
    """Ask again and again until it is true or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def main() -> None:
    """Run a cluster until SIGTERM, SIGINT, or the end of the parent process."""
    parser = argparse.ArgumentParser(prog="python -m conformance.against_kafka.launch", description=__doc__)
    parser.add_argument("--version", default="4.4.0")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("-c", "--config", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: no orphan servers
    if wrong := [setting for setting in options.config if "=" not in setting]:
        parser.error(f"a setting is KEY=VALUE, not {wrong[0]!r}")
    config = dict(setting.split("=", 1) for setting in options.config)
    with KafkaCluster(options.version, options.nodes, config) as kafka:
        ready = {"event": "ready", "bootstrap": kafka.bootstrap, "cluster_id": kafka.cluster_id}
        nodes = {
            str(node_id): {"port": kafka.ports[node_id], "pid": pid} for node_id, pid in kafka.pids.items()
        }
        print(json.dumps(ready | {"version": kafka.version, "pid": os.getpid(), "nodes": nodes}), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
