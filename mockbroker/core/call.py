"""One request being answered, and who asks.

A Call is what a handler sees: the decoded body and where it came from.  Frames, sockets and versions of
encodings stay outside; `version` is here because what Kafka answers depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from mockbroker.core.event import Event
    from mockbroker.protocol.apis import Api
    from mockbroker.protocol.types import BytesLike

B = TypeVar("B")


class Peer:
    """The other end of a connection, as far as a broker can know it."""

    __slots__ = ("gone", "host", "listener", "ordinal", "port", "software")

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, ordinal: int = 0, listener: str = "PLAINTEXT"
    ) -> None:
        self.host = host
        self.port = port
        self.ordinal = ordinal
        self.listener = listener
        # Name and version as the client gave them in ApiVersions v3+ (KIP-511); "" until it did.
        self.software = ""
        # Set once the connection is over.
        self.gone = False

    def __repr__(self) -> str:
        return f"{self.host}:{self.port}"


class Call(Generic[B]):
    """One request on its way to an answer."""

    __slots__ = (
        "api", "arrived_ms", "body", "carved_from", "client_id", "correlation_id", "frame", "kept", "peer", "size",
        "touched", "version",
    )  # fmt: skip

    def __init__(
        self,
        api: Api,
        version: int,
        correlation_id: int,
        client_id: str,
        body: B,
        peer: Peer,
        *,
        size: int = 0,
        arrived_ms: int = 0,
        frame: tuple[BytesLike, int] | None = None,
    ) -> None:
        self.api = api
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.body = body
        self.peer = peer
        # The bytes that it came in, and when that was, by the clients' time.
        self.size = size
        self.arrived_ms = arrived_ms
        # The bytes that `body` was decoded from, and where it begins in them, if it was.
        self.frame = frame
        # The call that was sent, if this is only a part of it.
        self.carved_from: Call[B] | None = None
        # Where the history keeps it, once it is over.
        self.kept: Event | None = None
        # The names of the rules that acted on it.
        self.touched: tuple[str, ...] = ()

    def with_body(self, body: B) -> Call[B]:
        """The same call, asking something else."""
        call = Call(
            self.api,
            self.version,
            self.correlation_id,
            self.client_id,
            body,
            self.peer,
            size=self.size,
            arrived_ms=self.arrived_ms,
        )
        call.carved_from = self.carved_from or self
        return call

    @property
    def whole(self) -> Call[B]:
        """The call as it was sent: itself, unless it is a part of one."""
        return self.carved_from or self

    def __repr__(self) -> str:
        return f"{self.api.title} v{self.version} #{self.correlation_id} from {self.client_id or '?'} at {self.peer}"
