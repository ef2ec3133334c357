"""Histories made by hand: events, and evidence around them, for tests of what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mockbroker.core.call import Call, Peer
from mockbroker.core.clock import Clock
from mockbroker.core.event import Event
from mockbroker.core.history import History
from mockbroker.protocol.apis import Api
from mockbroker.protocol.schema import schema_of
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.reading import Names


class Telling:
    """A history that a test writes, request by request; its stopwatch goes by milliseconds."""

    def __init__(self) -> None:
        self.clock = Clock(0)
        self.history = History(self.clock)
        self._peers: dict[str, Peer] = {}
        self._correlation_id = 0

    def after(self, ms: int) -> None:
        """Let time pass."""
        self.clock.advance(ms)

    def peer(self, client: str) -> Peer:
        """The one connection of a client."""
        return self._peers.setdefault(client, Peer(ordinal=len(self._peers) + 1))

    def call(self, client: str, request: Any, *, version: int | None = None) -> Call[Any]:
        """A request of a client, that has come."""
        schema = schema_of(type(request))
        self._correlation_id += 1
        number = schema.versions.last if version is None else version
        call: Call[Any] = Call(
            Api(schema.api_key), number, self._correlation_id, client, request, self.peer(client)
        )
        self.history.arrived(1, call)
        return call

    def said(self, client: str, request: Any, response: Any, *, standing: str = "") -> Event:
        """A request of a client and its answer."""
        self.history.standing = lambda _broker, _group: standing
        self.history.record(1, self.call(client, request), response)
        return self.history.events[-1]

    def evidence(self, names: Mapping[bytes, str] | None = None, **more: Any) -> Evidence:
        """All that is known now."""
        known = Names(names)
        known.learn(self.history.events)
        return Evidence(
            events=list(self.history.events),
            now_us=self.history.stopwatch(),
            now_ms=self.clock.now,
            names=known,
            **more,
        )
