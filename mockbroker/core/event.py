"""One thing that happened, with what was said: as messages at first, as bytes once the answer has left.

Words nothing but one line, and knows nothing of what happened before or after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mockbroker.core.call import Call
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode
from mockbroker.protocol.headers import is_flexible

if TYPE_CHECKING:
    from mockbroker.core.call import Peer
    from mockbroker.protocol.types import BytesLike

REQUEST, REFUSED, CONNECTED, CLOSED, ACT, NOTE, WAIT = (
    "request",
    "refused",
    "connected",
    "closed",
    "act",
    "note",
    "wait",
)

_NOTHING: Mapping[str, Any] = MappingProxyType({})

# What an event takes in memory, without what is long in it: a request and its answer as bytes, and all else.
PACKED_BYTES = 600
NOTE_BYTES = 400

# Size and correlation id; flexible answers have a byte of tags behind them.
ANSWER_HEAD_BYTES = 8


class Event:
    """One thing that happened.

    `kind` says what: a request that got its answer ("request"), one that the connection was closed for
    ("refused"), a client that came or went ("connected", "closed"), an act of the test ("act"), something
    worth knowing ("note"), a wait that ended in vain ("wait").  `at_ms` is broker time, `at_us` a stopwatch
    that nobody freezes.
    """

    __slots__ = (
        "_call", "_frame", "_parts", "_response", "act", "answer_version", "api_key", "arrived_us", "at_ms", "at_us",
        "broker", "client_id", "correlation_id", "facts", "kind", "number", "peer", "standing", "told", "touched",
        "version", "weight",
    )  # fmt: skip

    def __init__(
        self, number: int, kind: str, at_ms: int, at_us: int, broker: int, peer: Peer | None, client_id: str
    ) -> None:
        self.number = number
        self.kind = kind
        self.at_ms = at_ms
        self.at_us = at_us
        self.broker = broker
        self.peer = peer
        self.client_id = client_id
        # Of a request: since when it waited, and how its group stood after it.
        self.api_key: Api | None = None
        self.version = self.answer_version = self.correlation_id = 0
        self.arrived_us = at_us
        self.standing = ""
        self.touched: tuple[str, ...] = ()
        # What was said: as messages or, once the answer has left, as bytes.
        self._call: Call[Any] | None = None
        self._response: Any = None
        self._frame: tuple[BytesLike, int] | None = None
        self._parts: BytesLike | tuple[BytesLike, ...] | None = None
        # Of everything else: a sentence, and what it is about in a form that can be looked up.
        self.act = ""
        self.facts: Mapping[str, Any] = _NOTHING
        # What it holds on to, in bytes, and the answer as text where somebody wants that.
        self.weight = NOTE_BYTES
        self.told = ""

    def take(self, call: Call[Any], response: Any) -> None:
        """Be about this request and what came of it."""
        self.api_key = call.api
        self.version = call.version
        self.correlation_id = call.correlation_id
        self.touched = call.touched
        self._call = call
        self._response = response

    def pack(self, version: int, parts: Sequence[BytesLike]) -> None:
        """Keep the bytes of both instead of the messages.

        A message is a dozen objects that Python's garbage collector looks at again and again, as long as they
        live; bytes are none.
        """
        call = self._call
        if call is not None and call.frame is not None:
            self._frame = call.frame
            self._parts = parts[0] if len(parts) == 1 else tuple(parts)
            self.answer_version = version
            self.weight = PACKED_BYTES + len(call.frame[0]) + sum(map(len, parts))
            self._call = self._response = call.kept = None

    def opened(self) -> Event:
        """The same with its messages at hand; itself, where they are."""
        if self._frame is None:
            return self
        api = self.api_key
        assert api is not None, "only requests have frames"
        assert self.peer is not None, "and those who sent them"
        frame, at = self._frame
        body = decode(api.request, self.version, frame, at)
        size = len(frame)
        call = Call(
            api,
            self.version,
            self.correlation_id,
            self.client_id,
            body,
            self.peer,
            size=size,
            frame=self._frame,
        )
        call.touched = self.touched
        event = Event(self.number, self.kind, self.at_ms, self.at_us, self.broker, self.peer, self.client_id)
        event.take(call, self._answer(api))
        event.arrived_us = self.arrived_us
        event.standing = self.standing
        event.weight = self.weight
        event.told = self.told
        return event

    def _answer(self, api: Api) -> Any:
        assert self._parts is not None, "packed with both"
        data = b"".join(self._parts) if isinstance(self._parts, tuple) else self._parts
        tags = api is not Api.API_VERSIONS and is_flexible(api, self.answer_version)
        return decode(api.response, self.answer_version, data, ANSWER_HEAD_BYTES + tags)

    @property
    def call(self) -> Call[Any] | None:
        """The request with its body, of an event that is opened."""
        return self._call

    @property
    def response(self) -> Any:
        """What came of it, of an event that is opened."""
        return self._response

    @property
    def api(self) -> str:
        """The request's name, "Produce"; empty for everything else."""
        return "" if self.api_key is None else self.api_key.title

    @property
    def connection(self) -> int:
        """The number of the connection; 0 where there is none."""
        return 0 if self.peer is None else self.peer.ordinal

    @property
    def outcome(self) -> str:
        """What came of a request, in a word or two."""
        return self.told or _brief(self.opened().response)

    def line(self) -> str:
        """The event as one line of text, the same for the same event on every machine."""
        if self.api_key is not None:
            return (
                f"{self.at_ms} broker {self.broker} connection {self.connection} {self.client_id or '-'}: "
                f"{self.api} v{self.version} #{self.correlation_id} -> {self.outcome}"
            )
        if self.peer is not None:
            who = f"connection {self.connection} {self.client_id or '-'}"
            return f"{self.at_ms} broker {self.broker} {who}: {self.act}"
        return f"{self.at_ms} {'test' if self.broker < 0 else f'broker {self.broker}'}: {self.act}"


class Begun:
    """A request that has come and has no answer yet."""

    __slots__ = ("at_us", "broker", "call")

    def __init__(self, call: Call[Any], broker: int, at_us: int) -> None:
        self.call = call
        self.broker = broker
        self.at_us = at_us


def _brief(outcome: object) -> str:
    """The top-level error of an answer, if it has one."""
    if outcome is None:
        return "no answer"
    code = getattr(outcome, "error_code", None)
    return type(outcome).__name__ if code is None else f"{type(outcome).__name__} {code}"
