"""A fault or a gate in force, as a test holds it: how often it has acted, what it holds, and its end.

Each is a context manager whose end removes it; a gate lets go of what it holds then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from mockbroker.core.usage import UsageError
from mockbroker.faults.checks import error_named
from mockbroker.faults.gate import Gate as CoreGate
from mockbroker.faults.gate import Held
from mockbroker.faults.rule import Place
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from types import TracebackType

    from mockbroker.core.durations import Duration
    from mockbroker.faults.book import FaultBook
    from mockbroker.faults.fault import Fault as CoreFault
    from mockbroker.handles.door import BlockingDoor, Door, TrioDoor
    from mockbroker.protocol.errors import ErrorCode


class FaultControls:
    """A rule in force.

    >>> fault = cluster.faults.after("Produce", topic="orders", nth=1).disconnect()
    """

    def __init__(self, door: Door, book: FaultBook, fault: CoreFault) -> None:
        self._at = door
        self._book = book
        self._core = fault

    @property
    def name(self) -> str:
        """Its name: as given, or its description."""
        return self._core.name

    @property
    def hits(self) -> int:
        """How often it has acted.

        >>> fault.hits
        1
        """
        return self._core.hits

    @property
    def armed(self) -> bool:
        """Whether it is in force: until `remove`, the end of its `with` block, or a gate's lease."""
        return self._core.armed

    @property
    def optional(self) -> bool:
        """Whether it may be armed and never act without that being a mistake."""
        return self._core.rule.optional

    def explain(self) -> str:
        """What it waits for, how often it has acted, and what it nearly met.

        >>> fault.explain()
        "armed but never hit: on Produce topic=order; 5 Produce requests, none to topic 'order' (they were to: orders)"
        """
        return self._at.do(self._core.explain)

    def remove(self) -> None:
        """Take it out of force; a gate lets go of all that it holds.  Twice is fine.

        >>> fault.remove()
        """
        self._at.do(self._book.remove, self._core)

    def _hit(self, n: int) -> Condition[int]:
        core = self._core
        if n < 1:
            raise UsageError(f"wait_hit({n}): expected a number from 1 up")
        return Condition(
            f"the fault {core.name!r} to have acted {n} time{'' if n == 1 else 's'}",
            lambda: core.hits if core.hits >= n else None,
            core.explain,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Fault(FaultControls):
    """A rule in force, with waits that block."""

    _at: BlockingDoor

    def wait_hit(self, n: int = 1, *, timeout: Duration | None = None) -> int:
        """Wait until it has acted `n` times since it was armed; gives how often it has.

        Raises WaitTimeout after `timeout` (the cluster's `wait` by default), with what it nearly met.

        >>> fault.wait_hit()
        1
        """
        return self._at.wait(self._hit(n), timeout)


class TrioFault(FaultControls):
    """A rule in force, with waits that are awaited."""

    _at: TrioDoor

    async def wait_hit(self, n: int = 1, *, timeout: Duration | None = None) -> int:  # noqa: ASYNC109 - the wait explains itself when it ends
        """Wait until it has acted `n` times; see `Fault.wait_hit`."""
        return await self._at.wait(self._hit(n), timeout)


class GateControls(FaultControls):
    """A rule that holds what it meets, until it is let go.

    >>> gate = cluster.faults.on("SyncGroup", group="billing").hold()
    """

    _core: CoreGate

    @property
    def arrived(self) -> list[Held]:
        """What it holds now, oldest first, and how much waits behind each on the same connection.

        >>> [held.client_id for held in gate.arrived]
        ['app-a', 'app-b']
        """
        return self._at.do(self._look)

    def _look(self) -> list[Held]:
        self._core.renew()
        return [self._with_what_waits(held) for held in self._core.held()]

    def _with_what_waits(self, held: Held) -> Held:
        for connection in self._at.server.connections if held.connection else ():
            if connection.conversation.peer.ordinal == held.connection:
                behind, unread = connection.conversation.waiting, connection.unread_bytes()
                return replace(held, behind=behind, unread_bytes=unread)
        return held

    def release(self, *which: Held | str, rearm: bool = False) -> int:
        """Let go of what it holds, and give how many that were.

        Without arguments everything goes, and the gate stays open: what comes later is not held, unless
        `rearm` says so.  With some of `arrived`, or client ids, these go, in this order, and the gate keeps
        holding.

        >>> gate.release()
        2
        """

        def release() -> int:
            count = self._core.release(self._numbers(which) if which else None)
            if not which and not rearm:
                self._book.remove(self._core)
            return count

        return self._at.do(release)

    def release_one(self) -> int:
        """Let go of the one that it has held longest, if there is one, and keep holding.

        >>> gate.release_one()
        1
        """
        return self._at.do(lambda: self._core.release([held.number for held in self._core.held()[:1]]))

    def fail(self, error: str | ErrorCode, *which: Held | str) -> int:
        """Answer what it holds, or these, with an error, and keep holding.

        >>> gate.fail("REBALANCE_IN_PROGRESS")
        1
        """
        code = error_named(error)
        if self._core.rule.place is Place.BETWEEN:
            raise UsageError(
                "fail: a message between brokers has no error to be answered with; use disconnect()"
            )
        return self._at.do(lambda: self._core.fail(code, self._numbers(which) if which else None))

    def disconnect(self, *which: Held | str) -> int:
        """Break the connections of what it holds, or of these, and keep holding.

        >>> gate.disconnect()
        1
        """
        return self._at.do(lambda: self._core.break_off(self._numbers(which) if which else None))

    def _numbers(self, which: Collection[Held | str]) -> list[int]:
        held = self._core.held()
        numbers = []
        for one in which:
            found = [h.number for h in held if one in (h, h.client_id)]
            if not found:
                there = ", ".join(map(str, held)) or "nothing"
                raise UsageError(f"the gate {self.name!r} does not hold {one}: it holds {there}")
            numbers += found
        return list(dict.fromkeys(numbers))

    def _holding(self, n: int) -> Condition[list[Held]]:
        if n < 1:
            raise UsageError(f"wait_arrived({n}): expected a number from 1 up")

        def look() -> list[Held] | None:
            held = self._core.held()
            return self._look() if len(held) >= n else None

        return Condition(f"the gate {self.name!r} to hold {n}", look, self._core.explain)


class Gate(GateControls, Fault):
    """A rule that holds, with waits that block."""

    _at: BlockingDoor

    def wait_arrived(self, n: int = 1, *, timeout: Duration | None = None) -> list[Held]:
        """Wait until it holds `n` at once, and give them, oldest first.

        Raises WaitTimeout after `timeout` (the cluster's `wait` by default), with what it holds instead.

        >>> gate.wait_arrived()[0].api
        'SyncGroup'
        """
        return self._at.wait(self._holding(n), timeout)


class TrioGate(GateControls, TrioFault):
    """A rule that holds, with waits that are awaited."""

    _at: TrioDoor

    async def wait_arrived(self, n: int = 1, *, timeout: Duration | None = None) -> list[Held]:  # noqa: ASYNC109 - the wait explains itself when it ends
        """Wait until it holds `n` at once; see `Gate.wait_arrived`."""
        return await self._at.wait(self._holding(n), timeout)
