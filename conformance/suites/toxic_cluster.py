"""What Sarama's tests take for a cluster in containers behind toxiproxy: five brokers, proxies, and two doors.

One door speaks the part of toxiproxy's HTTP API that the tests use; the other stops, starts and reads the logs
of a broker for the stand-in of `docker compose` (docker.py).  Prints a line of JSON when it serves, and runs
until standard input ends.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trio

from conformance.suites.toxic_proxy import ToxicProxy
from mockbroker.core.call import Call
from mockbroker.core.history import History
from mockbroker.core.world import World
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.server.run import Server, serve

BROKERS = range(1, 6)
# Where the tests look for brokers, which is where the proxies listen...
PUBLIC_HOST = "127.0.0.1"
# ...and where the brokers do: the same ports at another address of the loopback network.
HIDDEN_HOST = "127.0.0.2"
PORTS = {id: 29_090 + id for id in BROKERS}
# Brokers on a network answer one after the other, and so do these.  Sarama holds a connection's lock while a fetch
# waits there, up to 500 ms, and takes the lock of every connection in turn to find the least loaded broker before it
# asks for metadata, which the leader of a group does between JoinGroup and SyncGroup.  Where all fetches begin and end
# in the same millisecond, it comes for each lock when that connection's next fetch has just gone out: ten waits in a
# row, 5 s of the 6 that TestFuncConsumerGroupCooperative allows a rebalance.  Without a distance a quarter of its runs
# fail on a busy machine; with it 30 in a row passed, as did 22 on a real Kafka behind these proxies.
APART_MS = 4
CONFIG: dict[str, object] = {
    "default.replication.factor": 2,
    "offsets.topic.replication.factor": 2,
    "auto.create.topics.enable": False,
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
}


class ProduceHistory(History):
    """A history that keeps the answers to Produce as text, records being in none of them."""

    def record(self, broker: int, call: Call[Any], outcome: object) -> None:
        self.outcomes = call.api is Api.PRODUCE
        super().record(broker, call, outcome)


class Stage:
    """The brokers and their proxies; its methods are called in the trio thread."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.world = World(
            brokers=BROKERS,
            racks={id: str(id) for id in BROKERS},
            config=CONFIG,
            friendly=True,
            random=random.Random(random.SystemRandom().randrange(2**32)),
            now_ms=time.time_ns() // 1_000_000,
        )
        self.world.history = ProduceHistory(self.world.clock)
        self.server: Server
        self.proxies = {
            f"kafka{id}": ToxicProxy(
                f"kafka{id}", (PUBLIC_HOST, port), (HIDDEN_HOST, port), nursery, distance_ms=id * APART_MS
            )
            for id, port in PORTS.items()
        }

    async def open(self, nursery: trio.Nursery) -> None:
        """Serve the brokers, then open their front doors."""
        self.server = await nursery.start(
            partial(serve, self.world, host=HIDDEN_HOST, ports=PORTS, advertise=PUBLIC_HOST)
        )
        for proxy in self.proxies.values():
            await proxy.enable()

    async def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """One HTTP request of either door: the status, and what goes into the answer."""
        match method, path.strip("/").split("/"):
            case "POST", ["reset"]:
                for proxy in self.proxies.values():
                    await proxy.reset()
                return 204, None
            case "GET", ["proxies", name] if name in self.proxies:
                return 200, _shown(self.proxies[name])
            case "POST", ["proxies", name] if name in self.proxies:
                proxy = self.proxies[name]
                await (proxy.enable() if body["enabled"] else proxy.disable())
                return 200, _shown(proxy)
            case "POST", ["proxies", name, "toxics"] if name in self.proxies:
                if body["type"] not in {"latency", "reset_peer"}:
                    return 400, {"error": f"there is no toxic {body['type']} here"}
                self.proxies[name].toxics[body["type"]] = body["attributes"] or {}
                return 200, body
            case "POST", ["brokers", id, ("stop" | "start") as verb]:
                self._tell_broker(int(id), verb)
                return 204, None
            case "GET", ["brokers", id, "logs"]:
                events = [event for event in self.world.history.events if event.broker == int(id)]
                return 200, [event.line() + _in_java(event.outcome) for event in events]
        return 404, {"error": f"{method} {path} leads nowhere"}

    def _tell_broker(self, id: int, verb: str) -> None:
        """To stop or to start. As of a container, to ask for what is so already does nothing."""
        up = self.world.nodes[id].up
        if verb == "stop" and up:
            # A container that is stopped says goodbye: the controller need not find out.
            self.server.control(self.world.crash, id, 0)
        elif verb == "start" and not up:
            self.server.control(self.world.restart, id)


def _in_java(outcome: str) -> str:
    """What a broker in Java would have logged, of the one error that the tests look for in a log."""
    return " OutOfOrderSequenceException" if ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER.name in outcome else ""


def _shown(proxy: ToxicProxy) -> dict[str, Any]:
    return {
        "name": proxy.name,
        "listen": "{}:{}".format(*proxy.listen),
        "upstream": "{}:{}".format(*proxy.upstream),
        "enabled": proxy.enabled,
    }


class Door(BaseHTTPRequestHandler):
    """Carries requests from threads of their own into the trio thread."""

    stage: Stage
    token: trio.lowlevel.TrioToken

    def _handle(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        status, answer = trio.from_thread.run(
            self.stage.answer, self.command, self.path, body, trio_token=self.token
        )
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _handle  # noqa: N815  # the names that the base class looks for

    def log_message(self, *_: object) -> None:
        """Say nothing: what the tests ask for is no news."""


async def _run() -> None:
    async with trio.open_nursery() as nursery:
        stage = Stage(nursery)
        await stage.open(nursery)
        door = type("OpenDoor", (Door,), {"stage": stage, "token": trio.lowlevel.current_trio_token()})
        http = ThreadingHTTPServer((PUBLIC_HOST, 0), door)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        print(json.dumps({"address": f"http://{PUBLIC_HOST}:{http.server_port}"}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        await trio.to_thread.run_sync(http.shutdown)
        nursery.cancel_scope.cancel()
    stage.server.raise_bugs()


if __name__ == "__main__":
    trio.run(_run)
