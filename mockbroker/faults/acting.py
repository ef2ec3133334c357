"""What a fault does to a call, as an outcome that a conversation understands.

One function per kind of action, found in a table.  Nothing here decides whether to act.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mockbroker.core.outcomes import Altered, Refused
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.faults.carving import carve
from mockbroker.faults.gate import Gate
from mockbroker.faults.rule import Kind
from mockbroker.faults.subjects import unanswered
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import KafkaError
from mockbroker.protocol.headers import is_flexible

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.faults.fault import Fault
    from mockbroker.faults.matching import Seen

# Size and correlation id; flexible headers have a byte of tags behind them.
HEAD_BYTES = 8
# One bit in every so many bytes is flipped: whatever a client looks at, it meets one.
BYTES_PER_FLIP = 16

# Fault, call, node, what was seen, and the response if there is one already.
Act = Callable[["Fault", "Call[Any]", "Node", "Seen", Any], Any]

# What changes an answer needs one to change.
NEED_AN_ANSWER = frozenset({Kind.THROTTLE, Kind.CORRUPT, Kind.TRUNCATE})


def act(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:
    """What is to become of the call."""
    call.touched = (*call.touched, fault.name)
    return _ACTS[fault.rule.action.kind](fault, call, node, seen, response)


def _fail(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    part = carve(call, node, seen, fault.rule)
    if part is None and unanswered(call):
        return Disconnect(f"acks=0, and the fault {fault.name!r} failed it")
    return Refused(KafkaError(fault.rule.action.error), part)


def _disconnect(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    return Disconnect(f"the fault {fault.name!r} broke the connection", reset=True)


def _drop(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    node.world.history.remark(f"fault {fault.name}: {call!r} is never answered")
    return Ticket[Any](f"{call!r} is never answered: the fault {fault.name!r} dropped it")


def _delay(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    seconds = fault.rule.action.ms / 1_000
    return _later(
        node, fault.rule.action.ms, response, f"{call!r}: the fault {fault.name!r} delays it {seconds:g} s"
    )


def _throttle(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    ms = fault.rule.action.ms
    response.throttle_time_ms = max(response.throttle_time_ms, ms)
    mute = _later(
        node, ms, None, f"the fault {fault.name!r} throttles it: nothing is read for {ms / 1_000:g} s"
    )
    return Altered(response, mute=mute)


def _corrupt(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    head = HEAD_BYTES + (call.api is not Api.API_VERSIONS and is_flexible(call.api, call.version))
    first, bit = node.world.random.randrange(BYTES_PER_FLIP), 1 << node.world.random.randrange(8)

    def flip(frame: bytes) -> bytes:
        flipped = bytearray(frame)
        for at in range(head + min(first, max(len(frame) - head - 1, 0)), len(frame), BYTES_PER_FLIP):
            flipped[at] ^= bit
        return bytes(flipped)

    return Altered(response, damage=flip)


def _truncate(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    count = fault.rule.action.bytes

    def cut(frame: bytes) -> bytes:
        return frame[:count]

    return Altered(response, damage=cut, ends=f"the fault {fault.name!r} cut the answer after {count} bytes")


def _hold(fault: Fault, call: Call[Any], node: Node, seen: Seen, response: Any) -> Any:  # noqa: ARG001 - acts are alike
    assert isinstance(fault, Gate), "only gates hold"
    return fault.hold_call(call, node, response)


def _later(node: Node, ms: int, outcome: Any, why: str) -> Ticket[Any]:
    ticket: Ticket[Any] = Ticket(why)
    node.patient_in(ms, lambda: ticket.resolve(outcome))
    return ticket


_ACTS: dict[Kind, Act] = {
    Kind.FAIL: _fail,
    Kind.DISCONNECT: _disconnect,
    Kind.DROP: _drop,
    Kind.DELAY: _delay,
    Kind.THROTTLE: _throttle,
    Kind.CORRUPT: _corrupt,
    Kind.TRUNCATE: _truncate,
    Kind.HOLD: _hold,
}
