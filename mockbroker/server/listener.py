"""One broker's front towards its clients: accepts them, and does to them what befalls the broker.

A crashed broker refuses connections and resets those it had; restarted, it listens on the same port.  A
paused one is silent: the kernel still accepts for it, and nothing is read.  Knows nothing of requests.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import socket
from typing import TYPE_CHECKING

import trio

from mockbroker.conversation import Conversation
from mockbroker.core import settings
from mockbroker.core.call import Peer
from mockbroker.core.groups.attendance import connection_ended
from mockbroker.server.connection import Connection

if TYPE_CHECKING:
    from mockbroker.core.node import Node
    from mockbroker.server.ports import HeldPort
    from mockbroker.server.shell import Shell

log = logging.getLogger("mockbroker.server")

# Kafka's max.connections has no end by default; ours has one, or one runaway client ends the whole test run.
CONNECTIONS_MAX = 10_000
# Out of file descriptors or memory: accepting again at once would fail again at once.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
EXHAUSTED_PAUSE_S = 0.1
ACCEPTS_BETWEEN_CHECKPOINTS = 16
# How long at most between two looks for slow clients, times four.
LOOKS_APART_MAX_S = 4.0


class Listener:
    """The listener of one broker, from the server's start to its end."""

    __slots__ = (
        "_connections",
        "_listening",
        "_nursery",
        "_port",
        "_refusing",
        "_resumed",
        "_resumed_at",
        "_room",
        "node",
        "shell",
    )

    def __init__(self, shell: Shell, node: Node, port: HeldPort, nursery: trio.Nursery) -> None:
        self.shell = shell
        self.node = node
        self._port = port
        self._nursery = nursery
        # A dict, because whatever is done to all connections is done in the order in which they came.
        self._connections: dict[Connection, None] = {}
        self._listening = trio.Event()
        self._refusing = False
        self._room = trio.Event()
        self._resumed = trio.Event()
        self._resumed_at = -math.inf
        node.on_crash.append(self.shut)
        node.on_restart.append(self.open)
        node.on_resume.append(self.wake)

    @property
    def paused(self) -> bool:
        """Whether the broker is paused: then nobody reads or writes for it."""
        return self.node.paused

    @property
    def connections(self) -> list[Connection]:
        """The open connections, oldest first."""
        return list(self._connections)

    def open(self) -> None:
        """Listen, unless a fault has it that nobody is let in."""
        if not self._refusing:
            self._port.listen()
            self._listening.set()

    def refuse(self) -> None:
        """Let nobody in any more, whatever befalls the broker; who is in stays."""
        self._refusing = True
        self._stop_listening()

    def admit(self) -> None:
        """The end of `refuse`: who knocks is let in again, if the broker is there."""
        self._refusing = False
        if self.node.up:
            self.open()

    def _stop_listening(self) -> None:
        if self._listening.is_set():  # else somebody may wait for this very event
            self._listening = trio.Event()
        trio.lowlevel.notify_closing(self._port.socket)
        self._port.refuse()

    def shut(self) -> None:
        """Refuse, and reset what is there; the port stays ours."""
        self._stop_listening()
        self._reset_all()
        self.wake()  # a paused broker can crash, and those who wait for it shall notice

    def close(self) -> None:
        """End for good."""
        trio.lowlevel.notify_closing(self._port.socket)
        self._port.bury()
        self._reset_all()
        for hooks, hook in (
            (self.node.on_crash, self.shut),
            (self.node.on_restart, self.open),
            (self.node.on_resume, self.wake),
        ):
            hooks.remove(hook)

    def wake(self) -> None:
        """Told when the broker goes on: everything is where it was left."""
        self._resumed_at = trio.current_time()
        self._resumed.set()
        self._resumed = trio.Event()

    async def until_resumed(self) -> None:
        """Wait while the broker is paused."""
        while self.node.paused:
            await self._resumed.wait()

    def ended(self, connection: Connection) -> None:
        """Told by a connection that it is over."""
        del self._connections[connection]
        self._room.set()
        talk = connection.conversation
        self.shell.world.history.closed(self.node.id, talk.peer, talk.client_id, "the connection ended")
        if self.shell.world.witness is not None:
            self.shell.world.witness.closed(talk.peer)
        self.shell.observe(
            lambda: connection_ended(self.node, connection.conversation.peer.ordinal),
            f"the end of {connection}",
        )

    async def run(self) -> None:
        """Accept clients until cancelled."""
        accepted = 0
        while True:
            await self._until_open()
            try:
                sock, address = self._port.socket.accept()
            except BlockingIOError:
                accepted = 0
                await self._until_someone_knocks()
            except OSError as failed:
                await self._accept_failed(failed)
            else:
                self._welcome(sock, address)
                accepted += 1
                if accepted % ACCEPTS_BETWEEN_CHECKPOINTS == 0:
                    await trio.lowlevel.checkpoint()

    async def watch(self) -> None:
        """Give up clients that are gone or too slow, until cancelled."""
        while True:
            await trio.sleep(min(self.shell.frame_timeout_s, self._idle_s, LOOKS_APART_MAX_S) / 4)
            self.look(trio.current_time())

    def look(self, now: float) -> None:
        """Give up the clients that are gone or too slow as of `now`, in trio's time."""
        if self.paused:
            return  # its own slowness counts against nobody
        for connection in self.connections:
            connection.look(now, self._resumed_at)

    async def _until_open(self) -> None:
        """Wait until there is a listening socket, a running broker, and room for one more client."""
        limit = min(self.node.config[settings.MAX_CONNECTIONS], CONNECTIONS_MAX)
        while True:
            if not self._listening.is_set():
                await self._listening.wait()
            elif self.paused:
                await self.until_resumed()
            elif len(self._connections) >= limit:
                log.warning(
                    "broker %d holds %d connections, as many as max.connections allows; "
                    "the next one waits until one of them ends",
                    self.node.id,
                    limit,
                )
                self._room = trio.Event()
                await self._room.wait()
            else:
                return

    async def _until_someone_knocks(self) -> None:
        try:
            await trio.lowlevel.wait_readable(self._port.socket)
        except trio.ClosedResourceError:
            return  # the broker crashed; there is another socket now

    async def _accept_failed(self, failed: OSError) -> None:
        """Go on after a failed accept: mostly it is the client that was gone before it was taken in."""
        if failed.errno in _EXHAUSTED:
            log.error(
                "broker %d cannot accept connections: %s (%d are open)",
                self.node.id,
                failed,
                len(self._connections),
            )
            await trio.sleep(EXHAUSTED_PAUSE_S)
        else:
            log.debug("broker %d: accept failed: %s", self.node.id, failed)
            await trio.lowlevel.checkpoint()

    def _welcome(self, sock: socket.socket, address: tuple[str, int]) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # the client may be gone already; the first read will tell
            # Answers leave at once: with Nagle's algorithm each one may wait 40 ms for the client's ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.shell.met += 1
        peer = Peer(address[0], address[1], self.shell.met)
        self.shell.world.history.connected(self.node.id, peer)
        conversation = Conversation(self.node, peer, self.shell.faults)
        connection = Connection(sock, self, conversation, self._idle_s)
        self._connections[connection] = None
        if self.shell.network is not None and self.shell.network.armed:
            self.shell.network.opened(connection)
        self._nursery.start_soon(connection.run)

    @property
    def _idle_s(self) -> float:
        idle_ms = self.node.config[settings.CONNECTIONS_MAX_IDLE_MS]
        return idle_ms / 1000 if idle_ms >= 0 else math.inf  # negative switches it off, as in Kafka

    def _reset_all(self) -> None:
        for connection in self.connections:
            connection.reset()
