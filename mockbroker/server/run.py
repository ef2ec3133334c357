"""Serves a world over TCP: a listener per broker, real time, one nursery; until cancelled.

This is the whole shell.  `async with` a nursery, `await nursery.start(serve, world)`, and there is a
cluster that any Kafka client can use; `Server.control` is how a test gives orders to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from mockbroker.server.bugs import BrokerBug, raise_bugs
from mockbroker.server.farewell import say_goodbye
from mockbroker.server.listener import Listener
from mockbroker.server.ports import HeldPort
from mockbroker.server.shell import Shell

if TYPE_CHECKING:
    from mockbroker.conversation import FaultHook
    from mockbroker.core.world import World
    from mockbroker.server.connection import Connection

T = TypeVar("T")

# Real time from the first byte of a request to its last; a slower one is a slow loris or a dead network.
FRAME_TIMEOUT_S = 30.0
# What a socket bound to every address is reached by from this machine.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - names them, binds nothing


class Server:
    """A running server, as those see it who started it."""

    __slots__ = ("_drain_s", "_ending", "_shell", "addresses", "left", "listeners")

    def __init__(self, shell: Shell, addresses: dict[int, tuple[str, int]]) -> None:
        self._shell = shell
        self._ending = trio.Event()
        self._drain_s = 0.0
        # The connections that were still there when everything was over.
        self.left: list[Connection] = []
        # Where clients reach each broker, as the metadata tells them.
        self.addresses = addresses
        self.listeners: dict[int, Listener] = {}

    @property
    def bootstrap(self) -> str:
        """Every broker's address, as clients take it."""
        return ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses.values()
        )

    @property
    def crashes(self) -> list[BrokerBug]:
        """The bugs of ours that were met so far."""
        return self._shell.crashes

    @property
    def connections(self) -> list[Connection]:
        """Every open connection, broker by broker."""
        return [connection for listener in self.listeners.values() for connection in listener.connections]

    @property
    def faults(self) -> FaultHook | None:
        """What meets the requests of its clients."""
        return self._shell.faults

    def end(self, drain_s: float = 0.0) -> None:
        """End in peace: whoever waits is answered, and has `drain_s` to hang up; then `serve` returns."""
        self._drain_s = drain_s
        self._ending.set()

    async def until_ended(self) -> None:
        """Wait for `end`, and say goodbye."""
        await self._ending.wait()
        self.left = await say_goodbye(self._shell, lambda: self.connections, self._drain_s)

    def next_ordinal(self) -> int:
        """A number for a connection that is none of a socket's."""
        self._shell.met += 1
        return self._shell.met

    def real_ms(self) -> int:
        """What the timekeeper calls real time: the argument for `Clock.thaw`."""
        return self._shell.timekeeper.real_ms()

    def control(self, act: Callable[..., T], *args: Any) -> T:
        """Run `act` as one step of the world, in the task or callback that calls this."""
        return self._shell.control(act, *args)

    def raise_bugs(self) -> None:
        """Raise what went wrong on our side, with the requests that met it."""
        raise_bugs(self.crashes)


async def serve(
    world: World,
    *,
    host: str = "127.0.0.1",
    ports: Mapping[int, int] | None = None,
    advertise: str | None = None,
    faults: FaultHook | None = None,
    frame_timeout_s: float = FRAME_TIMEOUT_S,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve every broker of `world` until cancelled, or until `Server.end`.

    `started` gives the Server once all ports listen.

    `ports` maps broker ids to ports; 0, or none given, has a free one chosen.  `advertise` is the host that
    metadata names, `host` itself if left out.  Raises UsageError, PortInUse among them, before it starts.
    """
    with contextlib.ExitStack() as held:
        doors: dict[int, HeldPort] = {}
        for node_id in world.nodes:
            doors[node_id] = HeldPort(host, (ports or {}).get(node_id, 0))
            held.callback(doors[node_id].close)
        named = advertise or _EVERYWHERE.get(host, host)
        addresses = {node_id: (named, door.port) for node_id, door in doors.items()}
        shell = Shell(world, faults, frame_timeout_s)
        server = Server(shell, addresses)
        # Before anything else: no broker may ever have told a client another address.
        for node_id, address in addresses.items():
            world.set_address(node_id, *address)
        async with trio.open_nursery() as nursery:
            for node_id, door in doors.items():
                server.listeners[node_id] = Listener(shell, world.nodes[node_id], door, nursery)
            if shell.network is not None:
                shell.network.wires = server
            held.pop_all()  # from here on the listeners see to their ports
            await _serve(shell, server, nursery, task_status)


async def _serve(
    shell: Shell, server: Server, nursery: trio.Nursery, task_status: trio.TaskStatus[Server]
) -> None:
    """Listen, say so, and let everything run until the end, or until somebody cancels it all."""
    try:
        for listener in server.listeners.values():
            listener.open()
            nursery.start_soon(listener.run)
            nursery.start_soon(listener.watch)
        nursery.start_soon(shell.timekeeper.run)
        task_status.started(server)
        await server.until_ended()
        nursery.cancel_scope.cancel()
    finally:
        for listener in server.listeners.values():
            listener.close()
