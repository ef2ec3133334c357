"""A TCP proxy in front of one broker, with the two ways of spoiling a connection that Sarama's tests ask for.

`latency` delays what the broker sends, `reset_peer` resets a connection on which the broker sends anything;
a proxy that is disabled hangs up and listens no longer.  Knows no Kafka.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass, field

import trio
import trio.testing

CHUNK_BYTES = 64 * 1024
# Linger for no time at all: closing then sends RST.
RESET = struct.pack("ii", 1, 0)


@dataclass
class ToxicProxy:
    """One broker's front door."""

    name: str
    listen: tuple[str, int]
    upstream: tuple[str, int]
    nursery: trio.Nursery
    # How long what the broker sends is on its way, toxics apart.
    distance_ms: int = 0
    # The attributes of each toxic by its type; a second one of the type replaces the first.
    toxics: dict[str, dict[str, int]] = field(default_factory=dict)
    _open: trio.CancelScope | None = None

    @property
    def enabled(self) -> bool:
        return self._open is not None

    async def enable(self) -> None:
        """Listen, if it does not."""
        if self._open is None:
            self._open = await self.nursery.start(self._serve)

    async def disable(self) -> None:
        """Hang up on everybody and listen no longer."""
        if self._open is not None:
            self._open.cancel()
            self._open = None
            await trio.testing.wait_all_tasks_blocked()

    async def reset(self) -> None:
        """As it was in the beginning."""
        self.toxics.clear()
        await self.enable()

    async def _serve(self, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        host, port = self.listen
        with trio.CancelScope() as scope:
            listeners = await trio.open_tcp_listeners(port, host=host)
            async with trio.open_nursery() as nursery:
                await nursery.start(trio.serve_listeners, self._connect, listeners)
                task_status.started(scope)

    async def _connect(self, client: trio.SocketStream) -> None:
        # A broker that is down refuses, and its client is hung up on.
        with contextlib.suppress(OSError):
            broker = await trio.open_tcp_stream(*self.upstream)
            async with client, broker, trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, client, broker, False, nursery.cancel_scope)
                nursery.start_soon(self._pump, broker, client, True, nursery.cancel_scope)

    async def _pump(
        self, source: trio.SocketStream, drain: trio.SocketStream, toxic: bool, over: trio.CancelScope
    ) -> None:
        """Pass on what comes until one side ends, which ends the other."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some(CHUNK_BYTES):
                if toxic and "reset_peer" in self.toxics:
                    drain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    break
                if toxic:
                    latency_ms = self.toxics.get("latency", {}).get("latency", 0)
                    await trio.sleep((self.distance_ms + latency_ms) / 1_000)
                await drain.send_all(data)
        over.cancel()
