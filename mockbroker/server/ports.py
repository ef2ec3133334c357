"""One broker's port: held from the first bind to the end, whether the broker listens or lies dead.

A crashed broker refuses connections, and comes back on the port that clients know.  So while nobody
listens, a bound socket that does not listen keeps the port from everybody else.  Knows sockets only;
does not know brokers, and needs no trio.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import socket
import struct
import sys
from collections import deque

from mockbroker.core.usage import UsageError

# As many half-accepted connections as the kernel keeps for us while a broker is paused or busy.  Kafka's
# socket.listen.backlog.size is 50; a test that starts a thousand clients at once deserves more.
BACKLOG = 1024

# Twenty clusters of three: by then a client that was leaked has given up, and a process may open no more
# than 256 files on some systems.
TOMBSTONES_MAX = 60
# struct linger: on, for zero seconds; on Windows its two numbers are 16 bits wide.
_LINGER_NOT = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_tombstones: deque[HeldPort] = deque()


class PortInUse(UsageError):
    """Somebody else listens on the port that was asked for."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is already in use; stop whoever listens there, choose another port, "
            "or give port 0 to have a free one chosen"
        )
        self.host = host
        self.port = port


class HeldPort:
    """A port on one address. Bound when made; `listen` and `refuse` switch what a connecting client meets."""

    __slots__ = ("_bind_to", "_chosen", "_family", "host", "port", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self._chosen = port == 0
        self._family, self._bind_to = _resolve(host, port)
        self.socket = self._bound()
        self.port: int = self.socket.getsockname()[1]
        self._bind_to = (self._bind_to[0], self.port)

    def listen(self) -> None:
        """Accept connections from now on."""
        try:
            self.socket.listen(BACKLOG)
        except OSError as failed:
            # SO_REUSEADDR lets two sockets be bound that do not listen; the second to listen learns it here.
            raise self._explained(failed) from failed

    def refuse(self) -> None:
        """Refuse connections from now on, and keep the port.

        The listening socket has to be closed first: no system binds a second socket beside a listening one.
        The gap is a few microseconds wide, and what falls into it is told by `listen` or the bind itself.
        """
        self.socket.close()
        self.socket = self._bound()

    def close(self) -> None:
        """Give the port away."""
        self.socket.close()

    def bury(self) -> None:
        """Stop for good, but keep a port that was chosen for us from everybody for a while.

        A client that outlives its cluster keeps knocking; it shall be refused, and not meet the next cluster.
        """
        if not self._chosen:
            self.close()
            return
        try:
            self.refuse()
        except UsageError:
            return  # somebody took the port in between; then it is kept from everybody else, too
        _tombstones.append(self)
        while len(_tombstones) > TOMBSTONES_MAX:
            _tombstones.popleft().close()

    def _bound(self) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            # Elsewhere than on Windows this means "in spite of connections that linger in TIME_WAIT";
            # there it means "steal the port", and the opposite has a name of its own.
            if sys.platform == "win32":
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(self._bind_to)
        except OSError as failed:
            bound.close()
            raise self._explained(failed) from failed
        return bound

    def _explained(self, failed: OSError) -> UsageError:
        host, port = self._bind_to
        # Windows says EACCES where others say EADDRINUSE.
        if failed.errno == errno.EADDRINUSE or (sys.platform == "win32" and failed.errno == errno.EACCES):
            return PortInUse(host, port)
        if failed.errno == errno.EADDRNOTAVAIL:
            return UsageError(
                f"{self.host} is no address of this machine; listen on 127.0.0.1 or one of its own"
            )
        if failed.errno == errno.EACCES:
            return UsageError(f"port {port} needs privileges that this process lacks; choose one above 1023")
        return UsageError(f"cannot listen on {self.host} port {port}: {failed.strerror or failed}")


@atexit.register
def clear_tombstones() -> None:
    """Give all buried ports away."""
    while _tombstones:
        _tombstones.popleft().close()


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Give family and numeric address of a host to bind to, IPv4 first: clients try it first, too."""
    if not 0 <= port <= 65_535:
        raise UsageError(f"{port} is no port; give 1 to 65535, or 0 to have a free one chosen")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as failed:
        raise UsageError(f"{host!r} is no address to bind to ({failed}); 127.0.0.1 always is") from failed
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def reset(sock: socket.socket) -> None:
    """Close a connection the way a killed process's machine does: RST, nothing more is delivered."""
    # A connection that is already gone says so here (ENOTCONN, EINVAL); there is nothing left to reset.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    sock.close()
