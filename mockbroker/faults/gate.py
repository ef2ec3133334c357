"""A fault that holds what it meets until somebody lets it go.

Calls and messages wait here in the order in which they came.  What nobody waits for any more, because its
connection or its broker is gone, is gone from here, too.  A lease opens a gate whose test has vanished.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mockbroker.core.outcomes import Refused
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.faults.fault import Fault
from mockbroker.faults.subjects import member_ids, targets, unanswered
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from mockbroker.core.call import Call
    from mockbroker.core.clock import Timer
    from mockbroker.core.links import Message
    from mockbroker.core.node import Node
    from mockbroker.core.world import World
    from mockbroker.faults.rule import Rule


@dataclass(frozen=True, slots=True)
class Held:
    """Something that a gate holds.

    `api` is the request's name, or the message's; a message has a `source` and goes to `broker`.  `since` is
    when it came, in seconds since the epoch by the clients' time.  `behind` counts requests of the same
    connection that have arrived and wait for this one, `unread_bytes` what the broker has not read yet.
    """

    number: int
    api: str
    broker: int
    since: float
    client_id: str = ""
    group: str = ""
    member: str = ""
    connection: int = 0
    correlation_id: int = 0
    version: int = 0
    source: int | None = None
    behind: int = field(default=0, compare=False)
    unread_bytes: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if self.source is not None:
            return f"{self.api} from {self.source} to {self.broker}"
        whose = "".join(
            f" {word} {value}" for word, value in (("of group", self.group), ("member", self.member)) if value
        )
        told = f"{self.api}{whose} from {self.client_id or 'a client without a name'} at broker {self.broker}"
        if self.behind or self.unread_bytes:
            more = f"{self.behind} more request{'' if self.behind == 1 else 's'} and {self.unread_bytes} unread bytes"
            told += f" ({more} wait behind it on the same connection)"
        return told


class Waiting(Protocol):
    """What is held, as the gate handles it."""

    facts: Held

    @property
    def here(self) -> bool:
        """Whether anybody still waits for it."""

    def go(self) -> None:
        """Let it go on as if nothing had been."""

    def fail(self, error: KafkaError) -> None:
        """Answer it with an error."""

    def break_off(self, why: str) -> None:
        """Break its connection."""


class WaitingCall:
    """A call whose connection waits for it."""

    def __init__(self, facts: Held, call: Call[Any], node: Node, outcome: Any, why: str) -> None:
        self.facts = facts
        self.ticket: Ticket[Any] = Ticket(why)
        self._call = call
        self._node = node
        self._incarnation = node.incarnation
        # What it goes on with: nothing yet, or the answer that the handler gave.
        self._outcome = outcome

    @property
    def here(self) -> bool:
        node = self._node
        return not self.ticket.abandoned and node.up and node.incarnation == self._incarnation

    def go(self) -> None:
        self._end(self._outcome)

    def fail(self, error: KafkaError) -> None:
        none = unanswered(self._call)
        self._end(Disconnect("acks=0, and a gate failed it") if none else Refused(error))

    def break_off(self, why: str) -> None:
        self._end(Disconnect(why, reset=True))

    def _end(self, outcome: Any) -> None:
        if self._node.paused:
            self._node.patient_in(0, lambda: self.ticket.resolve(outcome))
        else:
            self.ticket.resolve(outcome)


class WaitingMessage:
    """A message between two brokers, kept off its road."""

    def __init__(self, facts: Held, message: Message, world: World) -> None:
        self.facts = facts
        self._message = message
        self._world = world
        self._then = self._circumstances()

    def _circumstances(self) -> tuple[int, ...]:
        """What must not change meanwhile, or the connection that the message was on is gone."""
        ends = (self._message.source, self._message.target)
        nodes = [self._world.nodes[end] for end in ends if end in self._world.nodes]
        return self._world.links.breaks(*ends), *(node.incarnation for node in nodes)

    @property
    def here(self) -> bool:
        return self._circumstances() == self._then

    def go(self) -> None:
        self._world.links.redeliver(self._message)

    def fail(self, error: KafkaError) -> None:
        raise AssertionError(f"{self._message!r} cannot be answered with {error}; the door checks that")

    def break_off(self, why: str) -> None:  # noqa: ARG002 - brokers are told no reasons
        self._world.links.lose(self._message)


class Gate(Fault):
    """A fault that holds."""

    def __init__(self, rule: Rule, chance: Random, world: World, disarm: Callable[[Gate], None]) -> None:
        super().__init__(rule, chance)
        self._world = world
        self._disarm = disarm
        self._waiting: list[Waiting] = []
        self._lease: Timer | None = None

    # -- what comes -------------------------------------------------------------------------------

    def hold_call(self, call: Call[Any], node: Node, outcome: Any) -> Ticket[Any]:
        """Keep a call; `outcome` is what it goes on with."""
        groups = dict.fromkeys(target.group for target in targets(call, node) if target.group)
        facts = Held(
            number=self.hits,
            api=call.api.title,
            broker=node.id,
            since=self._world.patience.now / 1_000,
            client_id=call.client_id,
            group=",".join(groups),
            member=",".join(member_ids(call)),
            connection=call.peer.ordinal,
            correlation_id=call.correlation_id,
            version=call.version,
        )
        waiting = WaitingCall(facts, call, node, outcome, f"{call!r} is held by the gate {self.name!r}")
        self._keep(waiting)
        return waiting.ticket

    def hold_message(self, message: Message) -> None:
        """Keep a message."""
        facts = Held(
            number=self.hits,
            api=message.name,
            broker=message.target,
            source=message.source,
            since=self._world.patience.now / 1_000,
        )
        self._keep(WaitingMessage(facts, message, self._world))

    def _keep(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)
        if self._lease is None or not self._lease.armed:
            self.renew()

    def renew(self) -> None:
        """The test has been heard of: its lease begins anew."""
        if self._lease is not None:
            self._lease.cancel()
        if self._waiting:
            self._lease = self._world.patience.call_in(self.rule.action.ms, self._run_out)

    def _run_out(self) -> None:
        count = len(self.held())
        lease_s = self.rule.action.ms / 1_000
        self._world.history.remark(
            f"gate {self.name}: nobody opened it for {lease_s:g} s, so it let go of {count} and is gone"
        )
        self._disarm(self)

    # -- what is here -----------------------------------------------------------------------------

    def held(self) -> list[Held]:
        """What waits here now, oldest first."""
        self._waiting = [one for one in self._waiting if one.here]
        return [one.facts for one in self._waiting]

    def explain(self) -> str:
        """As every fault, and what it holds."""
        held = ", ".join(map(str, self.held()))
        return super().explain() + (f"; it holds {held}" if held else "")

    # -- what goes --------------------------------------------------------------------------------

    def release(self, which: Sequence[int] | None = None) -> int:
        """Let those with these numbers go, in this order; all of them without."""
        return self._each(which, lambda waiting: waiting.go())

    def fail(self, error: ErrorCode, which: Sequence[int] | None = None) -> int:
        """Answer them with an error."""
        return self._each(which, lambda waiting: waiting.fail(KafkaError(error)))

    def break_off(self, which: Sequence[int] | None = None) -> int:
        """Break their connections."""
        return self._each(
            which, lambda waiting: waiting.break_off(f"the gate {self.name!r} broke the connection")
        )

    def _each(self, which: Sequence[int] | None, act: Callable[[Waiting], None]) -> int:
        self.held()
        there = {one.facts.number: one for one in self._waiting}
        going = [there[number] for number in (there if which is None else which) if number in there]
        self._waiting = [one for one in self._waiting if one not in going]
        for one in going:
            if one.here:  # who went before it may have crashed its broker
                act(one)
                # Each is a step of its own: the next one finds what this one has set in motion done.
                self._world.settle()
        self.renew()
        return len(going)
