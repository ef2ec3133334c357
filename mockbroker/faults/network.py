"""The network as rules have it: what befalls connections, whatever goes over them.

Lines are clients' connections, doors are brokers' listeners; the server has them, and this says what is to become
of them.  A line is judged when it is opened, and again when its client has said who it is.  Moves no byte itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from mockbroker.core.links import CONTROLLER
from mockbroker.core.ticket import Ticket
from mockbroker.faults.matching import Seen
from mockbroker.faults.rule import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mockbroker.core.world import World
    from mockbroker.faults.fault import Fault

# A slow line moves in steps of this length: short enough to look like a stream, long enough to cost little.
STEP_MS = 50


class Line(Protocol):
    """A client's connection to a broker."""

    trouble: Trouble | None

    @property
    def broker(self) -> int:
        """Which broker it leads to."""

    @property
    def client(self) -> str | None:
        """The client id, None before the first request."""

    def reset(self) -> None:
        """Break it."""


class Door(Protocol):
    """What clients of a broker knock at."""

    def refuse(self) -> None:
        """Let nobody in any more; who is in stays."""

    def admit(self) -> None:
        """Let them in again."""


class Wires(Protocol):
    """All lines and doors that there are."""

    @property
    def connections(self) -> Sequence[Line]:
        """The open lines."""

    @property
    def listeners(self) -> Mapping[int, Door]:
        """The doors by broker."""


class Pace:
    """How fast bytes flow over all lines that one rule slows down, each direction for itself."""

    __slots__ = ("_free_ms", "_rate", "step_bytes")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free_ms = {True: 0.0, False: 0.0}
        # As much as may move at once.
        self.step_bytes = max(1, rate * STEP_MS // 1_000)

    def due_ms(self, now_ms: int, count: int, *, inwards: bool) -> int:
        """When so many bytes that begin to flow now have arrived, behind all that was there before."""
        begins_ms = max(float(now_ms), self._free_ms[inwards])
        self._free_ms[inwards] = begins_ms + count * 1_000 / self._rate
        return math.ceil(self._free_ms[inwards])


class Trouble:
    """What has befallen one line, until that is healed: it is silent, or slow."""

    def __init__(self, world: World, fault: Fault, pace: Pace | None) -> None:
        self.fault = fault
        self.pace = pace
        self._world = world
        self._waiting: list[Ticket[None]] = []

    @property
    def silent(self) -> bool:
        """Whether nothing is read and nothing is sent."""
        return self.pace is None

    def healing(self) -> Ticket[None]:
        """When it is over."""
        return self._wait(f"the fault {self.fault.name!r} lets nothing through")

    def passing(self, count: int, *, inwards: bool) -> Ticket[None]:
        """When so many bytes are through, or everything flows freely again."""
        assert self.pace is not None, "through a silent line nothing passes"
        ticket = self._wait(f"the fault {self.fault.name!r} makes it slow")
        due_ms = self.pace.due_ms(self._world.patience.now, count, inwards=inwards)
        self._world.patience.call_at(due_ms, lambda: _over(ticket))
        return ticket

    def _wait(self, why: str) -> Ticket[None]:
        self._waiting = [one for one in self._waiting if not (one.done or one.abandoned)]
        self._waiting.append(Ticket(why))
        return self._waiting[-1]

    def heal(self) -> None:
        """It is over."""
        for ticket in self._waiting:
            _over(ticket)


def _over(ticket: Ticket[None]) -> None:
    if not ticket.done:
        ticket.resolve(None)


class Network:
    """The rules about connections that are in force, and what they have done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults: list[Fault] = []
        self._paces: dict[str, Pace] = {}
        # Whoever serves the world; a simulation has no connections.
        self.wires: Wires | None = None
        # What a connection asks when it hears from its client.
        self.armed = False

    # -- rules ------------------------------------------------------------------------------------

    def arm(self, fault: Fault) -> None:
        """Let a rule act on what is there, and from now on on what comes."""
        action = fault.rule.action
        self._faults.append(fault)
        self.armed = True
        if action.kind is Kind.BANDWIDTH:
            self._paces[fault.name] = Pace(action.rate)
        if action.kind is Kind.REFUSE:
            for broker, door in self._doors(fault):
                fault.hits += 1
                self._tell(fault, f"broker {broker} refuses connections")
                door.refuse()
        for one, other in roads(fault, self._world):
            fault.hits += 1
            self._world.part(one, other)
        if action.kind is not Kind.ACCEPT_THEN_SILENCE:
            for line in self._lines():
                self._judge(line, [fault])
        if action.kind is Kind.RESET:
            self._faults.remove(fault)  # it has done what it does
        self.armed = bool(self._faults)

    def remove(self, fault: Fault) -> None:
        """Heal what a rule has done."""
        if fault in self._faults:
            self._faults.remove(fault)
        self.armed = bool(self._faults)
        self._heal_lines(fault)
        if fault.rule.action.kind is Kind.REFUSE:
            shut = {broker for other in self._faults for broker, _ in self._doors(other)}
            for broker, door in self._doors(fault):
                if broker not in shut:
                    door.admit()
        broken = {pair for other in self._faults for pair in roads(other, self._world)}
        for pair in roads(fault, self._world):
            if pair not in broken:
                self._world.join(*pair)

    def end(self) -> None:
        """The cluster ends: lines that still stand are free again."""
        faults, self._faults, self.armed = self._faults, [], False
        for fault in faults:
            self._heal_lines(fault)

    def _heal_lines(self, fault: Fault) -> None:
        for line in self._lines():
            trouble = line.trouble
            if trouble is None or trouble.fault is not fault:
                continue
            line.trouble = None
            if fault.rule.action.kind is Kind.HALF_OPEN:
                line.reset()  # a machine that comes back knows nothing of its old connections
            else:
                self._judge(line, [one for one in self._faults if _lasting(one)])
            trouble.heal()

    # -- lines ------------------------------------------------------------------------------------

    def opened(self, line: Line) -> None:
        """A client has connected, and has not said yet who it is."""
        self._judge(line, [fault for fault in self._faults if "client_id" not in fault.rule.where])
        self._world.settle()

    def named(self, line: Line) -> None:
        """A client has said who it is."""
        self._judge(line, [fault for fault in self._faults if "client_id" in fault.rule.where])
        self._world.settle()

    def _judge(self, line: Line, faults: Sequence[Fault]) -> None:
        """Let the first rule act that is about this line."""
        for fault in faults:
            if not _about_lines(fault) or (line.client is None and "client_id" in fault.rule.where):
                continue
            seen = _look(fault, line)
            if line.trouble is not None:
                fault.shadowed += seen.matches
            elif fault.acts_on(seen, line):
                self._befall(fault, line)
                if line.trouble is None:
                    return  # it is no more

    def _befall(self, fault: Fault, line: Line) -> None:
        kind = fault.rule.action.kind
        whose = f"the connection of {line.client or 'a client'} to broker {line.broker}"
        if kind in (Kind.PARTITION, Kind.RESET):
            self._tell(fault, f"{whose} is broken")
            line.reset()
            return
        pace = self._paces[fault.name] if kind is Kind.BANDWIDTH else None
        self._tell(fault, f"{whose} is {'silent' if pace is None else 'slow'}")
        line.trouble = Trouble(self._world, fault, pace)

    def _tell(self, fault: Fault, what: str) -> None:
        self._world.history.remark(f"fault {fault.name}: {what}")

    def _lines(self) -> Sequence[Line]:
        return () if self.wires is None else list(self.wires.connections)

    def _doors(self, fault: Fault) -> Iterator[tuple[int, Door]]:
        """The doors that a rule shuts."""
        if self.wires is None or fault.rule.action.kind is not Kind.REFUSE:
            return
        for broker, door in self.wires.listeners.items():
            if broker in fault.rule.where.get("broker", self.wires.listeners):
                yield broker, door


def _lasting(fault: Fault) -> bool:
    """Whether a rule is about lines that stand already, and not about new ones only."""
    return fault.rule.action.kind is not Kind.ACCEPT_THEN_SILENCE


def _about_lines(fault: Fault) -> bool:
    between = "source" in fault.rule.where or "to" in fault.rule.where
    return fault.rule.action.kind is not Kind.REFUSE and not between


def _look(fault: Fault, line: Line) -> Seen:
    found: dict[str, Any] = {"client_id": line.client, "broker": line.broker}
    return Seen(
        tuple((m, (found[m],)) for m, accepted in fault.rule.where.items() if found[m] not in accepted)
    )


def roads(fault: Fault, world: World) -> list[tuple[int, int]]:
    """The pairs of ends between which a rule breaks the network, each once."""
    where = fault.rule.where
    if "source" not in where and "to" not in where:
        return []
    every = (CONTROLLER, *world.nodes)
    pairs = {
        (min(one, other), max(one, other))
        for one in where.get("source", every)
        for other in where.get("to", every)
        if one != other
    }
    return sorted(pairs)
