"""A ghost's connections: requests that go the straight line of a conversation, one at a time on each.

What comes of a request is its answer, or a `Lost` where a real client would have seen its connection break.  Knows
no API, and decides nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from mockbroker.conversation import Conversation
from mockbroker.core.call import Call, Peer
from mockbroker.core.outcomes import Altered
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.protocol.apis import Api
from mockbroker.protocol.schema import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.conversation import FaultHook
    from mockbroker.core.node import Node
    from mockbroker.core.world import World

# A client's request.timeout.ms, as Java has it.
REQUEST_TIMEOUT_MS = 30_000

# What a ghost does by itself, and what the test has it do: two connections, as many clients have.
OWN, SCRIPT = 0, 1


class Lost:
    """What is left of a request whose connection broke before its answer came."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why

    def __repr__(self) -> str:
        return f"Lost({self.why!r})"


class _Errand:
    """One request, and the promise of its outcome."""

    __slots__ = ("call", "patience_ms", "reply", "ticket")

    def __init__(self, call: Call[Any], patience_ms: int) -> None:
        self.call = call
        self.patience_ms = patience_ms
        self.reply: Ticket[Any] | None = None
        self.ticket: Ticket[Any] = Ticket(self._why)

    def _why(self) -> str:
        if self.reply is None:
            return f"{self.call!r} waits for the answer to an earlier request"
        return self.reply.why


class _Wire:
    """One connection."""

    __slots__ = ("busy", "queue", "talk")

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self.busy: _Errand | None = None
        self.queue: deque[_Errand] = deque()


class Line:
    """All connections of one ghost."""

    def __init__(
        self, world: World, client_id: str, new_peer: Callable[[], Peer], faults: FaultHook | None
    ) -> None:
        self._world = world
        self._client_id = client_id
        self._new_peer = new_peer
        self._faults = faults
        self._wires: dict[tuple[int, int], _Wire] = {}
        self._correlation_id = 0

    def ask(
        self,
        node: Node,
        request: Any,
        version: int,
        *,
        lane: int = OWN,
        patience_ms: int = REQUEST_TIMEOUT_MS,
    ) -> Ticket[Any]:
        """Send a request; the ticket is resolved with the answer, with None for acks=0, or with a Lost."""
        self._correlation_id += 1
        api = Api(schema_of(type(request)).api_key)
        key = (node.id, lane)
        wire = self._wires.get(key)
        if wire is None:
            wire = self._wires[key] = _Wire(Conversation(node, self._new_peer(), self._faults))
            wire.talk.client_id = self._client_id
            self._world.history.connected(node.id, wire.talk.peer)
        call = Call(
            api,
            version,
            self._correlation_id,
            self._client_id,
            request,
            wire.talk.peer,
            arrived_ms=self._world.patience.now,
        )
        errand = _Errand(call, patience_ms)
        wire.queue.append(errand)
        self._go_on(key, wire)
        return errand.ticket

    def _go_on(self, key: tuple[int, int], wire: _Wire) -> None:
        """Send what is next, until an answer has to be waited for."""
        while self._wires.get(key) is wire and wire.busy is None and wire.queue:
            errand = wire.busy = wire.queue.popleft()
            reply = wire.talk.exchange(errand.call)
            if isinstance(reply, Ticket) and not reply.done:
                self._await(key, wire, errand, reply)
            else:
                self._came(key, wire, errand, reply.result if isinstance(reply, Ticket) else reply)

    def _await(self, key: tuple[int, int], wire: _Wire, errand: _Errand, reply: Ticket[Any]) -> None:
        errand.reply = reply
        seconds = errand.patience_ms // 1_000
        timer = self._world.patience.call_in(
            errand.patience_ms, lambda: self._break(key, wire, f"no answer within {seconds} s")
        )

        def arrived(outcome: Any) -> None:
            timer.cancel()
            self._came(key, wire, errand, outcome)

        reply.when_done(arrived)

    def _came(self, key: tuple[int, int], wire: _Wire, errand: _Errand, outcome: Any) -> None:
        if wire.busy is not errand:
            return  # the connection broke meanwhile
        altered = outcome if isinstance(outcome, Altered) else None
        if isinstance(outcome, Disconnect):
            self._break(key, wire, outcome.reason)
        elif altered is not None and altered.damage is not None:
            self._break(key, wire, "the answer was damaged")
        else:
            if self._world.witness is not None:
                self._world.witness.sent_off(errand.call)
            errand.ticket.resolve(outcome if altered is None else altered.response)
            if altered is not None and altered.ends is not None:
                self._break(key, wire, altered.ends)
            elif altered is not None and altered.mute is not None:
                altered.mute.when_done(lambda _: self._free(key, wire))
            else:
                self._free(key, wire)

    def _free(self, key: tuple[int, int], wire: _Wire) -> None:
        wire.busy = None
        if wire.queue:
            # Not here: this may be in the middle of the handling of somebody else's request.
            self._world.soon(lambda: self._go_on(key, wire))

    def _break(self, key: tuple[int, int], wire: _Wire, why: str) -> None:
        if self._wires.get(key) is not wire:
            return
        del self._wires[key]
        errands = ([] if wire.busy is None else [wire.busy]) + list(wire.queue)
        wire.busy = None
        wire.queue.clear()
        self._world.history.closed(key[0], wire.talk.peer, self._client_id, why)
        if self._world.witness is not None:
            self._world.witness.closed(wire.talk.peer)
        for errand in errands:
            if errand.reply is not None and not errand.reply.done:
                errand.reply.abandon()
            if not errand.ticket.done:
                errand.ticket.resolve(Lost(why))

    def hang_up(self, broker: int | None = None, why: str = "the ghost hung up") -> None:
        """Close the connections to one broker, or all."""
        for key, wire in list(self._wires.items()):
            if broker in (None, key[0]):
                self._break(key, wire, why)

    def waits(self) -> list[str]:
        """What the requests on their way wait for, one sentence each."""
        return [
            f"{self._client_id}: {wire.busy.ticket.why}"
            for wire in self._wires.values()
            if wire.busy is not None and not wire.busy.ticket.done
        ]
