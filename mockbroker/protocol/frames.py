"""`FrameReader`: sized frames out of a stream of bytes, without doing any I/O itself.

Made for `recv_into`: receive into `space()`, then call `received(n)`.  Knows sizes, and nothing of what is
in a frame.  A size is checked before it costs anything, and memory follows what really arrives.
"""

from __future__ import annotations

import struct

from mockbroker.protocol.errors import MalformedMessage

Frame = bytes | bytearray

# Kafka's `socket.request.max.bytes`: anything larger is not Kafka talking.
FRAME_BYTES_MAX = 100 * 1024 * 1024

# Small frames, many in one read, share a buffer of this size; a frame that does not fit gets its own.
BUFFER_BYTES = 64 * 1024

# It begins with so much, and grows when a read fills it: most connections are idle, and there may be thousands.
FIRST_BUFFER_BYTES = 4 * 1024

# A frame's own buffer starts no larger than this and then doubles: announcing 100 MiB costs 1 MiB.
FIRST_STEP_BYTES = 1024 * 1024

_SIZE = struct.Struct(">i")

# What the first four bytes are when somebody speaks another protocol to this port.
_OTHERS = {
    b"GET ": "an HTTP request",
    b"POST": "an HTTP request",
    b"PUT ": "an HTTP request",
    b"HEAD": "an HTTP request",
    b"DELE": "an HTTP request",
    b"OPTI": "an HTTP request",
    b"PATC": "an HTTP request",
    b"CONN": "an HTTP request",
    b"PRI ": "an HTTP/2 connection",
    b"SSH-": "an SSH connection",
}


class FrameTooLarge(MalformedMessage):
    """A frame says that it is larger than allowed."""


class FrameReader:
    """One connection's incoming bytes, cut into frames.

    `limit` is the largest frame that is taken, that size included; it may be changed between frames (a peer
    that has not authenticated yet deserves less).
    """

    __slots__ = (
        "_buffer",
        "_end",
        "_filled",
        "_offered",
        "_own",
        "_size",
        "_start",
        "_view",
        "limit",
        "refusal",
    )

    def __init__(self, limit: int = FRAME_BYTES_MAX) -> None:
        self.limit = limit
        # Why nothing more is read, once a size made no sense.  Frames that came before it are good.
        self.refusal: MalformedMessage | None = None
        self._buffer = bytearray(FIRST_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        # The buffer of a large frame, while one is on its way: its final size, and how much is there.
        self._own: bytearray | None = None
        self._size = 0
        self._filled = 0
        self._offered: memoryview | None = None

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended: such a peer may be held to a deadline."""
        return self._own is not None or self._end > self._start

    def space(self) -> memoryview:
        """Where to receive next; never empty.  It is good until the next call of `received`."""
        if self._own is None:
            return self._view[self._end :]
        self._offered = memoryview(self._own)[self._filled :]
        return self._offered

    def received(self, count: int) -> list[Frame]:
        """That many bytes were put into `space()`: the frames that are whole now, in order.

        Raises MalformedMessage for a size that makes no sense; frames before it are given first, and then
        `refusal` says what the next call will raise.
        """
        if self.refusal is not None:
            raise self.refusal
        if self._own is not None:
            return self._received_large(count)
        self._end += count
        return self._cut()

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """The same for bytes that are here already."""
        frames: list[Frame] = []
        rest = memoryview(data)
        while rest:
            space = self.space()
            count = min(len(space), len(rest))
            assert count, "there is always space, or a receiver would wait for ever"
            space[:count] = rest[:count]
            rest = rest[count:]
            frames += self.received(count)
            if self.refusal is not None:
                break
        return frames

    def _cut(self) -> list[Frame]:
        """Take whole frames out of the shared buffer: one copy each, so that nobody pins the buffer."""
        frames: list[Frame] = []
        start, end = self._start, self._end
        while end - start >= 4:
            (size,) = _SIZE.unpack_from(self._buffer, start)
            if not 0 <= size <= self.limit:
                self.refusal = self._refused(start, size)
                break
            if start + 4 + size > end:
                if 4 + size > BUFFER_BYTES:
                    self._begin_large(size, self._view[start + 4 : end])
                    start = end
                break
            start += 4
            frames.append(bytes(self._view[start : start + size]))
            start += size
        if self.refusal is not None and not frames:
            raise self.refusal
        self._settle(start, end)
        return frames

    def _settle(self, start: int, end: int) -> None:
        """Move a half received frame to the front, so that the rest of it has room."""
        left = self._buffer[start:end]
        if end == len(self._buffer) < BUFFER_BYTES:
            self._buffer = bytearray(min(4 * end, BUFFER_BYTES))
            self._view = memoryview(self._buffer)
        if left:
            self._buffer[: len(left)] = left
        self._start, self._end = 0, len(left)

    def _begin_large(self, size: int, arrived: memoryview) -> None:
        self._size = size
        self._filled = len(arrived)
        self._own = bytearray(min(size, FIRST_STEP_BYTES))
        self._own[: self._filled] = arrived

    def _received_large(self, count: int) -> list[Frame]:
        assert self._own is not None
        self._filled += count
        assert self._filled <= len(self._own), "more bytes than there was space for"
        if self._filled < len(self._own):
            return []
        # Growing (and giving away) a bytearray needs it to be free of views; the one handed out is spent.
        if self._offered is not None:
            self._offered.release()
            self._offered = None
        if self._filled < self._size:
            self._own.extend(bytes(min(len(self._own), self._size - self._filled)))
            return []
        frame, self._own = self._own, None
        return [frame]

    def _refused(self, start: int, size: int) -> MalformedMessage:
        """What is wrong with this size, and what the bytes look like, for the person who reads the log."""
        head = bytes(self._buffer[start : start + 4])
        looks = _OTHERS.get(head)
        if head[:2] == b"\x16\x03":
            looks = "a TLS handshake: the client speaks TLS, and this listener does not"
        hint = f"; the bytes {head!r} look like {looks}" if looks else ""
        if size < 0:
            return MalformedMessage(f"a frame of {size} bytes{hint}")
        return FrameTooLarge(f"a frame of {size} bytes, and {self.limit} is the most that is taken{hint}")
