"""A client for tests that may misbehave: it sends any bytes and reads answers one by one.

`Client` is for servers, over TCP; `framed` and `answer_in` are for conversations that have no socket.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from mockbroker.conversation import FaultHook
from mockbroker.core.new_topics import Planner, Wish
from mockbroker.core.world import World
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.headers import RequestHeader, is_flexible, write_request
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.metadata import ApiVersionsRequest, MetadataRequest, MetadataTopic
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.schema import schema_of
from mockbroker.records.builder import build_batch
from mockbroker.server.portal import Portal
from mockbroker.server.run import serve

# Long enough for the slowest machine; nothing waits for it unless it has failed already.
DEADLINE_S = 20.0

ANSWER_HEAD = struct.Struct(">ii")


def make_world(brokers: tuple[int, ...] = (1,), **config: object) -> World:
    """Make a small world; settings are spelled with underscores."""
    settings = {name.replace("_", "."): value for name, value in config.items()}
    now_ms = time.time_ns() // 1_000_000
    return World(brokers=brokers, random=random.Random(7), config=settings, now_ms=now_ms)


def start(world: World, **how: Any) -> Portal:
    """Start to serve a world; the caller closes it."""
    return Portal.start(partial(serve, world, **how))


@contextlib.contextmanager
def served(world: World, **how: Any) -> Iterator[Portal]:
    """Serve a world until the block ends; raises the bugs that were met."""
    portal = start(world, **how)
    try:
        yield portal
    finally:
        portal.close()


def framed(request: Any, version: int, *, correlation_id: int = 1, client_id: str = "test") -> bytes:
    """Give a whole request as bytes, its size first."""
    header = RequestHeader(schema_of(type(request)).api_key, version, correlation_id, client_id)
    frame = write_request(header, encode(request, version))
    return struct.pack(">i", len(frame)) + frame


def answer_in(request: Any, version: int, answer: bytes) -> tuple[int, Any]:
    """Read an answer without its size: correlation id and response."""
    api = Api(schema_of(type(request)).api_key)
    (correlation_id,) = struct.unpack_from(">i", answer)
    body = 5 if api is not Api.API_VERSIONS and is_flexible(api, version) else 4
    return correlation_id, decode(api.response, version, answer, body)


class Client:
    """One blocking connection to one broker."""

    def __init__(self, portal: Portal, broker: int = 1) -> None:
        self.socket = socket.create_connection(portal.server.addresses[broker], DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, request: Any, version: int, *, correlation_id: int = 1) -> None:
        self.socket.sendall(framed(request, version, correlation_id=correlation_id))

    def ask(self, request: Any, version: int) -> Any:
        """Send one request and read its answer."""
        self.send(request, version)
        return self.answer(request, version)[1]

    def answer(self, request: Any, version: int) -> tuple[int, Any]:
        return answer_in(request, version, self.frame())

    def frame(self) -> bytes:
        """Read the next answer, whatever it is."""
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            arrived = self.socket.recv(count - len(data))
            if not arrived:
                raise EOFError(f"{len(data)} of {count} bytes, then the end")
            data += arrived
        return bytes(data)

    def has_answer(self) -> bool:
        """Look whether an answer, or the end, is here already."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(DEADLINE_S)
        return True

    def ending(self) -> str:
        """Read on until the broker ends the connection, and say how: "closed" or "reset"."""
        try:
            while self.socket.recv(65_536):
                pass
        except ConnectionResetError:
            return "reset"
        return "closed"


def eventually(condition: Callable[[], bool]) -> None:
    """Ask until it is so.  The question itself should go through the portal: that lets the server work."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it never came true"


def open_connections(portal: Portal) -> int:
    return portal.call(lambda: len(portal.server.connections))


def parked(portal: Portal) -> int:
    """Count the connections that are owed an answer."""
    return portal.call(lambda: sum(c.parked is not None for c in portal.server.connections))


# Requests that tests send; what is in them matters to no test here.

VERSIONS = ApiVersionsRequest(client_software_name="test", client_software_version="1")


def make_topic(world: World, name: str, partitions: int = 1) -> None:
    """Create a topic, as the controller does it for a client that asks for unknown topics."""
    wish = Wish(name, partitions, len(world.nodes))
    world.controller.create_topics([Planner(world.controller.image, world.defaults).plan(wish)])
    world.settle()


def metadata(*topics: str) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataTopic(name=name) for name in topics])


def produce(topic: str, value: bytes, *, acks: int = -1, partition: int = 0) -> ProduceRequest:
    batch = build_batch([(None, value, [], 0)], now_ms=0)
    partitions = [ProducePartition(index=partition, records=batch.data)]
    return ProduceRequest(
        acks=acks, timeout_ms=5000, topic_data=[ProduceTopic(name=topic, partition_data=partitions)]
    )


def fetch(topic: str, offset: int = 0, *, max_wait_ms: int = 10_000) -> FetchRequest:
    """Make a long poll: it is parked until there is a record at `offset`, or its patience ends."""
    partitions = [FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)]
    topics = [FetchTopic(topic=topic, partitions=partitions)]
    return FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=1 << 20, topics=topics)


def fetched_bytes(response: Any) -> int:
    """Count the bytes of records in a fetch of one partition."""
    return len(response.responses[0].partitions[0].records or b"") if response.responses else 0


class Meddling(FaultHook):
    """A fault hook for tests: what to do is given as functions, and what it was asked is kept."""

    def __init__(
        self,
        before: Callable[[Any, Any], Any] = lambda _call, _node: None,
        after: Callable[[Any, Any, Any], Any] = lambda _call, _node, response: response,
    ) -> None:
        self._before = before
        self._after = after
        self.armed = True
        self.asked: list[Api] = []

    def __bool__(self) -> bool:
        return self.armed

    def end(self) -> None:
        self.armed = False

    def before(self, call: Any, node: Any) -> Any:
        self.asked.append(call.api)
        return self._before(call, node)

    def after(self, call: Any, node: Any, response: Any) -> Any:
        return self._after(call, node, response)
