"""What one particular broker knows and serves, asked with hand-made requests.

A client library asks whichever broker it likes; to know that a broker really serves, and that it has heard
of a topic, that very broker has to be asked.  A process that runs, or a port that answers, proves nothing:
one that failed to bind may live on, and one that has bound may not know its cluster yet.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

# v4 is the first whose request can refuse to create the topic it asks about, and the newest brokers serve it.
_METADATA, _METADATA_VERSION = 3, 4
_API_VERSIONS, _API_VERSIONS_VERSION = 18, 0
_ASKING_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Known:
    """One broker's view: the brokers' ids, and of each topic asked for its partitions that have a leader."""

    brokers: frozenset[int]
    led: dict[str, list[int]]


def known_to(port: int, *topics: str) -> Known | None:
    """The Metadata of the broker on this port; None when it does not answer as a broker would."""
    names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in topics)
    body = struct.pack(">i", len(topics)) + names + b"\0"  # do not create topics
    try:
        return _known(_ask(port, _METADATA, _METADATA_VERSION, body))
    except (OSError, EOFError, struct.error):
        return None


def served_by(port: int) -> set[int]:
    """The keys of the APIs that the broker on this port says it serves."""
    walk = _Walk(_ask(port, _API_VERSIONS, _API_VERSIONS_VERSION, b""), at=4 + 2)  # correlation id, error
    served = set()
    for _ in range(walk.number("i")):
        served.add(walk.number("h"))
        walk.number("h"), walk.number("h")  # its first and last version
    return served


def _ask(port: int, api: int, version: int, body: bytes) -> bytes:
    """One request on a connection of its own, and the answer without its size."""
    request = struct.pack(">hhih", api, version, 1, -1) + body  # correlation id 1, no client id
    with socket.create_connection(("127.0.0.1", port), timeout=_ASKING_TIMEOUT_S) as conn:
        conn.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _exactly(conn, 4))
        return _exactly(conn, size)


def _exactly(conn: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = conn.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class _Walk:
    """Reads one field after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return int(value)

    def text(self) -> str:
        size = max(self.number("h"), 0)  # null reads as empty
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def numbers(self) -> list[int]:
        return [self.number("i") for _ in range(self.number("i"))]


def _known(frame: bytes) -> Known:
    walk = _Walk(frame, at=8)  # after the correlation id and the throttle time
    brokers = set()
    for _ in range(walk.number("i")):
        brokers.add(walk.number("i"))
        walk.text(), walk.number("i"), walk.text()  # host, port, rack
    walk.text(), walk.number("i")  # cluster id, controller
    led: dict[str, list[int]] = {}
    for _ in range(walk.number("i")):
        walk.number("h")
        name = walk.text()
        walk.number("b")  # internal or not
        led[name] = []
        for _ in range(walk.number("i")):
            walk.number("h")
            partition, leader = walk.number("i"), walk.number("i")
            walk.numbers(), walk.numbers()  # replicas, in-sync replicas
            if leader >= 0:
                led[name].append(partition)
    return Known(frozenset(brokers), led)
