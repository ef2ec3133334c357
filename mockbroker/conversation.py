"""One connection's state, and the straight line that a call takes to its answer.

Bytes become calls, `exchange` takes a call through admission, faults, handler and history, and `seal` makes
bytes of what came out.  Sans I/O: the server, the tests and the simulations all use it as it is.  Knows
neither sockets nor tasks, and no API: what Kafka refuses without an answer is a `Disconnect` with a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mockbroker.core import settings
from mockbroker.core.call import Call
from mockbroker.core.outcomes import Altered, Refused
from mockbroker.core.ticket import Disconnect, Reply, Ticket, then
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode
from mockbroker.protocol.errors import KafkaError, MalformedMessage
from mockbroker.protocol.frames import FrameReader
from mockbroker.protocol.headers import read_header, seal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockbroker.core.call import Peer
    from mockbroker.core.node import Node
    from mockbroker.faults.network import Network
    from mockbroker.protocol.errors import ErrorCode
    from mockbroker.protocol.frames import Frame
    from mockbroker.protocol.headers import Parts, RequestHeader

_APIS = {int(api): api for api in Api}
_requests: dict[Api, type[Any]] = {}


def _request_of(api: Api) -> type[Any]:
    """The class of an API's request; remembered, because finding a module takes longer than decoding."""
    request = _requests.get(api)
    if request is None:
        request = _requests[api] = api.request
    return request


def _finish(refused: Refused, call: Call[Any], response: Any) -> Any:
    """The answer to a call that is refused, in part or as a whole, as its API does that."""
    error, part = refused.error, refused.part
    refuse = HANDLERS[call.api].refuse
    if part is None:
        return refuse(call, error)
    return part.finish(response, error, lambda taken: refuse(taken, error))


class FaultHook(Protocol):
    """What a test does to calls on their way.  False when there is nothing to be done, and then not asked."""

    @property
    def network(self) -> Network | None:
        """What it does to the connections themselves, if anything."""
        return None

    def __bool__(self) -> bool:
        """Whether any rule is armed."""

    def end(self) -> None:
        """The cluster ends: nothing is met any more, and what is held goes on."""

    def before(self, call: Call[Any], node: Node) -> Reply[Any]:
        """What is to become of the call instead of an answer, or None; nothing has happened yet."""

    def after(self, call: Call[Any], node: Node, response: Any) -> Reply[Any]:
        """What is to become of the call, `response` if nothing else; everything has happened already."""


class Conversation:
    """One client's talk with one broker."""

    __slots__ = ("_faults", "_frames", "_incarnation", "client_id", "node", "peer", "waiting")

    def __init__(self, node: Node, peer: Peer, faults: FaultHook | None = None) -> None:
        self.node = node
        self.peer = peer
        # The name that the client gave in its last request, for those who look for leaked clients.
        self.client_id = ""
        self._faults = faults
        # A connection does not outlive its broker, not even if that starts again.
        self._incarnation = node.incarnation
        # How many requests have arrived that are not begun, because an earlier one is owed its answer.
        self.waiting = 0
        self._frames = FrameReader(node.config[settings.SOCKET_REQUEST_MAX_BYTES])

    @property
    def pending(self) -> bool:
        """Whether a request has begun to arrive."""
        return self._frames.pending

    def space(self) -> memoryview:
        """Where to put the next bytes that come from the client."""
        return self._frames.space()

    def received(self, count: int) -> list[Call[Any] | Disconnect]:
        """Give the calls that `count` more bytes completed.  A Disconnect is always the last one."""
        try:
            return self._opened(self._frames.received(count))
        except MalformedMessage as wrong:
            return [self._not_kafka(wrong)]

    def feed(self, data: bytes) -> list[Call[Any] | Disconnect]:
        """Give the calls that these bytes complete; for those who have bytes and no socket."""
        try:
            return self._opened(self._frames.feed(data))
        except MalformedMessage as wrong:
            return [self._not_kafka(wrong)]

    def _opened(self, frames: Iterable[Frame]) -> list[Call[Any] | Disconnect]:
        calls: list[Call[Any] | Disconnect] = []
        for frame in frames:
            calls.append(opened := self.open_call(frame))
            if isinstance(opened, Disconnect):
                return calls
        if self._frames.refusal is not None:
            calls.append(self._not_kafka(self._frames.refusal))
        return calls

    def open_call(self, frame: Frame) -> Call[Any] | Disconnect:
        """Read one frame.  Where Kafka closes the connection without a word, the Disconnect says why."""
        try:
            header, at = read_header(frame)
        except MalformedMessage as wrong:
            return self._not_kafka(wrong)
        self.client_id = header.client_id
        api = _APIS.get(header.api_key)
        if api is None:
            return self._refused(header, f"API key {header.api_key}", "Kafka has no such API", "unknown api")
        handler = HANDLERS.get(api)
        if handler is None:
            return self._refused(header, api.title, "mockbroker does not serve this API", "unserved api")
        version = header.api_version
        decoded = None
        if handler.serves(version):
            try:
                body = decode(_request_of(api), version, frame, at)
                decoded = frame, at
            except MalformedMessage as wrong:
                return self._refused(header, api.title, f"its body cannot be read ({wrong})", "unreadable")
        elif api is Api.API_VERSIONS:
            # The one request that is answered in any version: how else should a client learn the right one?
            body = _request_of(api)()
        else:
            served = f"versions {handler.min_version} to {handler.max_version} are served"
            why = f"this version was never advertised, {served}"
            return self._refused(header, api.title, why, "version")
        return Call(
            api,
            version,
            header.correlation_id,
            header.client_id,
            body,
            self.peer,
            size=len(frame),
            arrived_ms=self.node.world.patience.now,
            frame=decoded,
        )

    def exchange(self, call: Call[Any]) -> Reply[Any]:
        """Take one call to its answer.  Everything a test can interfere with happens here."""
        world = self.node.world
        world.history.arrived(self.node.id, call)
        if world.witness is not None:
            world.witness.asked(self.node.id, call)

        def go_on(refusal: Disconnect | None) -> Reply[Any]:
            return self._interfered(call) if refusal is None else refusal

        return then(self.admit(call), go_on)

    def admit(self, call: Call[Any]) -> Reply[Disconnect | None]:
        """Whether this broker takes the call now: None if it does."""
        node = self.node
        if not self.alive:
            return Disconnect(f"broker {node.id} is down")
        if not node.paused and not node.slow_ms:
            return None
        why = "is paused" if node.paused else f"is slow, by {node.slow_ms} ms"
        waiting: Ticket[Disconnect | None] = Ticket(f"{call!r} waits: broker {node.id} {why}")
        # What a node puts off while it is paused it does in order when it goes on, and never after a crash.
        node.patient_in(node.slow_ms, lambda: waiting.resolve(None))
        return waiting

    @property
    def alive(self) -> bool:
        """Whether the broker that accepted this connection still runs."""
        return self.node.up and self.node.incarnation == self._incarnation

    def _interfered(self, call: Call[Any]) -> Reply[Any]:
        """The call between the faults that meet it before and after, and into the history."""
        faults = self._faults
        if faults:
            early = faults.before(call, self.node)
            reply = then(early, lambda early: self._handled(call, early, faults))
        else:
            reply = self.answer(call)
        return then(reply, lambda response: self._recorded(call, response))

    def _handled(self, call: Call[Any], early: Any, faults: FaultHook) -> Reply[Any]:
        """The handler and what is done to its answer, unless a fault has let nothing happen."""
        if early is None:
            reply = self.answer(call)
        elif isinstance(early, Refused) and early.part is not None:
            reply = then(self.answer(early.part.rest), lambda response: _finish(early, call, response))
        elif isinstance(early, Refused):
            return _finish(early, call, None)
        else:
            return early
        return then(reply, lambda response: self._answered(call, response, faults))

    def _answered(self, call: Call[Any], response: Any, faults: FaultHook) -> Reply[Any]:
        """What leaves, once everything has happened."""
        if isinstance(response, Disconnect):
            return response

        def leave(outcome: Any) -> Any:
            return _finish(outcome, call, response) if isinstance(outcome, Refused) else outcome

        return then(faults.after(call, self.node, response), leave)

    def answer(self, call: Call[Any]) -> Reply[Any]:
        """One step of the world: the handler, then everything it set in motion."""
        if not self.alive:  # it died while a fault held the call
            return Disconnect(f"broker {self.node.id} is down")
        handler = HANDLERS[call.api]
        try:
            reply = self.node.world.on_behalf_of(call, lambda: handler.answer(call, self.node))
        except KafkaError as refused:
            reply = handler.refuse(call, refused)
        self.node.world.settle()
        return reply

    def give_up(self, call: Call[Any], error: ErrorCode) -> Any:
        """The answer to a call that nothing is waited for any more: an error, or the end of the connection."""
        if call.api is Api.PRODUCE and call.body.acks == 0:
            return self._recorded(call, Disconnect("acks=0, and what it waited for did not come"))
        return self._recorded(call, HANDLERS[call.api].refuse(call, KafkaError(error)))

    def _recorded(self, call: Call[Any], response: Any) -> Any:
        if call.kept is not None:
            return response  # it had been given up, and the client has another answer
        world = self.node.world
        world.history.record(self.node.id, call, response)
        if world.witness is not None:
            world.witness.answered(self.node.id, call, response)
        return response

    def seal(self, call: Call[Any], response: Any) -> Parts:
        """The bytes of an answer, as parts; stored batches are parts of their own, by reference."""
        version = call.version
        if call.api is Api.API_VERSIONS and not HANDLERS[call.api].serves(version):
            version = 0  # the oldest form, which a client of any age can read
        altered = response if isinstance(response, Altered) else None
        message = response if altered is None else altered.response
        parts = seal(call.api, version, call.correlation_id, message)
        if call.kept is not None:
            self.node.world.history.sealed(call.kept, version, parts)
        if altered is None or altered.damage is None:
            return parts
        return [altered.damage(b"".join(parts))]

    def _refused(self, header: RequestHeader, title: str, why: str, kind: str) -> Disconnect:
        self._note_refusal(f"{title} v{header.api_version}: {why}", wrong=kind, api=title)
        who = f"{header.client_id or 'a client without a name'} at {self.peer}"
        return Disconnect(f"{title} v{header.api_version} from {who}: {why}; connection closed")

    def _not_kafka(self, wrong: MalformedMessage) -> Disconnect:
        self._note_refusal(str(wrong), wrong="not kafka")
        return Disconnect(f"{self.client_id or 'a client'} at {self.peer} sent {wrong}; connection closed")

    def _note_refusal(self, why: str, **facts: str) -> None:
        self.node.world.history.refused(self.node.id, self.peer, self.client_id, why, **facts)
