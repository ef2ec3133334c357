"""One connection to one broker, as a client that takes nothing for granted holds it.

Says requests, hears answers in their order, and notices when the broker hangs up.  Whatever is heard goes
into the case's transcript, unless it was asked `quietly`.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from conformance.cases import codec
from conformance.cases.codec import Answer

# A real broker that creates internal topics for the first group may take this long on a busy machine.
ANSWER_TIMEOUT_S = 40.0

# So many requests are sent before their answers are read; more would fill the sockets.
BURST = 100

CLOSED: Answer = {"connection": "closed"}
NOTHING: Answer = {"heard": "nothing"}

# What is told of each answer: the broker, the question, and what came back.
Tell = Callable[[int, str, Answer], None]


class _Asked(NamedTuple):
    api: str
    version: int
    correlation_id: int
    aloud: bool
    read_as: int


class Line:
    """A connection.  `client_id` goes into every request header."""

    def __init__(
        self, node: int, address: tuple[str, int], tell: Tell, client_id: str | None = "case"
    ) -> None:
        self.node, self.client_id = node, client_id
        self._tell = tell
        self._socket = socket.create_connection(address, timeout=ANSWER_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._asked: deque[_Asked] = deque()
        self._correlation_id = 0

    def ask(self, api: str, version: int, **fields: Any) -> Answer:
        """Send a request and hear its answer."""
        self.send(api, version, **fields)
        return self.hear()

    def quietly(self, api: str, version: int, **fields: Any) -> Answer:
        """The same for what only sets the scene: it is not compared."""
        self.send(api, version, aloud=False, **fields)
        return self.hear()

    def send(self, api: str, version: int, *, aloud: bool = True, **fields: Any) -> None:
        """Send a request; its answer is heard later, or never."""
        self.write(frame(self.packed(api, version, aloud=aloud, **fields)))

    def repeat(self, api: str, version: int, times: int, **fields: Any) -> Answer:
        """Send a request so many times, without a word of it in the transcript; the last answer."""
        data = frame(self.packed(api, version, aloud=False, **fields))
        asked = self._asked.pop()
        heard: bytes | None = b""
        while times:
            burst = min(times, BURST)
            self.write(data * burst)
            for _ in range(burst):
                heard = self._heard()
            times -= burst
        return CLOSED if heard is None else codec.answer(api, asked.read_as, heard)

    def packed(self, api: str, version: int, *, aloud: bool = True, **fields: Any) -> bytes:
        """The bytes of a request that is about to be written, and whose answer is awaited from now on."""
        self._correlation_id += 1
        data = codec.request(api, version, self._correlation_id, self.client_id, fields)
        self._asked.append(_Asked(api, version, self._correlation_id, aloud, version))
        return data

    def ask_packed(self, api: str, version: int, data: bytes) -> Answer:
        """Send a request that was put together by hand, header and all, as the first of this connection."""
        self._correlation_id += 1
        self._asked.append(_Asked(api, version, self._correlation_id, aloud=True, read_as=version))
        self.write(frame(data))
        return self.hear()

    def send_raw(self, api: str, version: int, body: bytes, *, flexible: bool, read_as: int) -> None:
        """Send a body that kio cannot write; the answer is read as that of version `read_as`."""
        self._correlation_id += 1
        head = codec.header(
            codec.key_of(api), version, self._correlation_id, self.client_id, flexible=flexible
        )
        self._asked.append(_Asked(api, version, self._correlation_id, aloud=True, read_as=read_as))
        self.write(frame(head + body))

    def write(self, data: bytes) -> None:
        """Put bytes on the wire.  A broker that has hung up already is found out by listening."""
        try:
            self._socket.sendall(data)
        except OSError:
            return

    def hear(self) -> Answer:
        """The answer to the oldest request that has none."""
        asked = self._asked.popleft()
        heard = self._heard()
        if heard is None:
            answer = CLOSED
        else:
            (correlation_id,) = struct.unpack_from(">i", heard)
            assert correlation_id == asked.correlation_id, "answers come in the order of the requests"
            answer = codec.answer(asked.api, asked.read_as, heard)
        if asked.aloud:
            self._tell(self.node, f"{asked.api} v{asked.version}", answer)
        return answer

    def expect_close(self, what: str) -> None:
        """Listen to what becomes of bytes that are no request: the broker hangs up, or says something."""
        heard = self._heard()
        self._tell(self.node, what, CLOSED if heard is None else {"bytes": heard.hex()})

    def expect_nothing(self, what: str, seconds: float = 0.3) -> None:
        """Listen for a moment: no bytes and no end of the connection."""
        self._socket.settimeout(seconds)
        try:
            heard = self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            answer = NOTHING
        except ConnectionError:
            answer = CLOSED
        else:
            answer = {"heard": "something"} if heard else CLOSED
        finally:
            self._socket.settimeout(ANSWER_TIMEOUT_S)
        self._tell(self.node, what, answer)

    def forget(self) -> None:
        """The newest request gets no answer, as is right for acks=0."""
        self._asked.pop()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _heard(self) -> bytes | None:
        """The next frame, or None when the broker hung up."""
        try:
            size = self._exactly(4)
            return None if size is None else self._exactly(*struct.unpack(">i", size))
        except ConnectionError:
            return None

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                return None
            data += more
        return data


def frame(data: bytes) -> bytes:
    """A request with its length in front."""
    return struct.pack(">i", len(data)) + data
