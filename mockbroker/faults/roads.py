"""What a fault does to messages between brokers: lose them, hold them, or let them come late.

A lost message is one whose connection broke: its ends notice, and ask again after a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.faults.gate import Gate, Held, WaitingMessage
from mockbroker.faults.rule import Kind

if TYPE_CHECKING:
    from mockbroker.core.links import Message
    from mockbroker.core.world import World
    from mockbroker.faults.fault import Fault


class Roads:
    """The roads between brokers, as faults use them."""

    def __init__(self, world: World) -> None:
        self._world = world
        # When the last message that a fault made late arrives, by fault and road: nothing overtakes it.
        self._free_ms: dict[tuple[str, int, int], int] = {}

    def act(self, fault: Fault, message: Message) -> None:
        """Do to a message what the fault wants."""
        action = fault.rule.action
        if action.kind is Kind.HOLD:
            assert isinstance(fault, Gate), "only gates hold"
            fault.hold_message(message)
        elif action.kind is Kind.DROP:
            self._world.history.remark(f"fault {fault.name}: {message!r} is lost")
            self._world.links.lose(message)
        else:
            assert action.kind is Kind.DELAY, f"nothing else can be done to messages: {action}"
            self._delay(fault, message)

    def _delay(self, fault: Fault, message: Message) -> None:
        clock, road = self._world.clock, (fault.name, message.source, message.target)
        due_ms = max(clock.now + fault.rule.action.ms, self._free_ms.get(road, 0))
        self._free_ms[road] = due_ms
        late = WaitingMessage(Held(0, message.name, message.target, 0.0), message, self._world)

        def arrive() -> None:
            if self._free_ms.get(road) == due_ms:
                del self._free_ms[road]
            if late.here:
                late.go()

        clock.call_at(due_ms, arrive)
