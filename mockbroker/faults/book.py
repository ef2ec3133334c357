"""The book of faults: the rules in force, in the order in which they were armed.

The first rule that matches and is due acts, one for each call and place.  An empty book is false, and then
nobody asks it anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.faults.acting import NEED_AN_ANSWER, act
from mockbroker.faults.checks import Checker
from mockbroker.faults.data import read, written
from mockbroker.faults.fault import Fault
from mockbroker.faults.gate import Gate
from mockbroker.faults.matching import look, look_at_message
from mockbroker.faults.network import Network
from mockbroker.faults.roads import Roads
from mockbroker.faults.rule import Kind, Place, Rule

if TYPE_CHECKING:
    from collections.abc import Collection

    from mockbroker.core.call import Call
    from mockbroker.core.links import Message
    from mockbroker.core.node import Node
    from mockbroker.core.world import World
    from mockbroker.protocol.apis import Api

# Rules that were removed without ever having acted; more of them than that nobody reads.
FORGOTTEN_AFTER = 1_000


class FaultBook:
    """What a test does to the calls and messages of one world."""

    def __init__(self, world: World, served: Collection[Api]) -> None:
        self._world = world
        self._roads = Roads(world)
        self.network = Network(world)
        self.checker = Checker(served, world.nodes)
        # Names are unique, so that a rule can be spoken of.
        self._faults: dict[str, Fault] = {}
        # The same, by place; what is asked with every request is this.
        self._on: list[Fault] = []
        self._after: list[Fault] = []
        self._between: list[Fault] = []
        self._any = False
        # Removed, and never hit.
        self._in_vain: list[Fault] = []

    def __bool__(self) -> bool:
        return self._any

    def __len__(self) -> int:
        return len(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults.values()))

    # -- arming -----------------------------------------------------------------------------------

    def arm(self, rule: Rule) -> Fault:
        """Put a rule in force, behind all others.  Raises UsageError if another one has its name."""
        rule = self._named(rule)
        # A generator of its own, so that one rule's luck does not depend on another's.
        chance = type(self._world.random)(self._world.random.getrandbits(64))
        fault = (
            Gate(rule, chance, self._world, self.remove)
            if rule.action.kind is Kind.HOLD
            else Fault(rule, chance)
        )
        self._faults[rule.name] = fault
        self._sort()
        self._world.history.act(f"arm {rule}")
        if rule.place is Place.NETWORK:
            self.network.arm(fault)
        return fault

    def _named(self, rule: Rule) -> Rule:
        if rule.name in self._faults:
            raise UsageError(
                f"a fault named {rule.name!r} is armed already: remove() it, or give another name"
            )
        if rule.name:
            return rule
        name, number = str(rule), 1
        while name in self._faults:
            number += 1
            name = f"{rule} ({number})"
        return replace(rule, name=name)

    def remove(self, fault: Fault) -> None:
        """Take a rule out of force; a gate lets go of all that it holds."""
        if self._faults.get(fault.name) is not fault:
            return
        del self._faults[fault.name]
        fault.armed = False
        self._sort()
        if not fault.hits and not fault.rule.optional:
            self._in_vain = [*self._in_vain, fault][-FORGOTTEN_AFTER:]
        if isinstance(fault, Gate):
            fault.release()
        self._world.history.act(f"remove {fault.rule}")
        if fault.rule.place is Place.NETWORK:
            self.network.remove(fault)

    def clear(self) -> None:
        """Take all rules out of force."""
        for fault in self:
            self.remove(fault)

    def end(self) -> None:
        """The cluster ends: no rule acts any more, and gates let go.  What each has to say for itself stays."""
        self._on, self._after, self._between = [], [], []
        self._any = False
        self._world.links.between = None
        self.network.end()
        for fault in self:
            if isinstance(fault, Gate):
                fault.release()

    def forget(self) -> None:
        """As if there had never been any."""
        self.clear()
        self._in_vain = []

    def unfired(self) -> list[Fault]:
        """The rules that never acted, armed or removed, and were not meant to be optional."""
        armed = [fault for fault in self if not fault.hits and not fault.rule.optional]
        return [*self._in_vain, *armed]

    def dump(self) -> dict[str, Any]:
        """The rules in force as plain data."""
        return {"faults": [written(fault.rule) for fault in self]}

    def load(self, data: object) -> list[Fault]:
        """Arm the rules that `data` has; all of them, or none if one of them makes no sense."""
        rules = read(data, self.checker)
        taken = [name for name in (rule.name for rule in rules) if name and name in self._faults]
        named = [rule.name for rule in rules if rule.name]
        taken += [name for name in dict.fromkeys(named) if named.count(name) > 1]
        if taken:
            raise UsageError(f"the name {taken[0]!r} is taken: every fault needs a name of its own")
        return [self.arm(rule) for rule in rules]

    def _sort(self) -> None:
        on, after, between = [], [], []
        for fault in self._faults.values():
            place, kind = fault.rule.place, fault.rule.action.kind
            if place is Place.NETWORK:
                continue  # it is asked for connections, not for requests
            if place is Place.BETWEEN:
                between.append(fault)
            elif place is Place.AFTER or kind is Kind.THROTTLE:
                after.append(fault)  # whoever is throttled is served first
            else:
                on.append(fault)
        self._on, self._after, self._between = on, after, between
        self._any = bool(on or after)
        self._world.links.between = self._meet_message if between else None

    # -- calls ------------------------------------------------------------------------------------

    def before(self, call: Call[Any], node: Node) -> Any:
        """What becomes of a call before it is handled; None for nothing."""
        return self._meet(self._on, call, node, None) if self._on else None

    def after(self, call: Call[Any], node: Node, response: Any) -> Any:
        """What becomes of an answer; itself, if nothing."""
        return self._meet(self._after, call, node, response) if self._after else response

    def _meet(self, faults: list[Fault], call: Call[Any], node: Node, response: Any) -> Any:
        title = call.api.title
        acting = None
        for fault in faults:
            if not fault.about(title):
                continue
            seen = look(fault.rule, call, node)
            if acting is not None:
                fault.shadowed += seen.matches and not fault.spent
            elif seen.matches and fault.rule.action.kind in NEED_AN_ANSWER and not _fits(fault, response):
                fault.unanswered += 1
            elif fault.acts_on(seen, call):
                acting = fault, seen
        if acting is None:
            return response
        outcome = act(acting[0], call, node, acting[1], response)
        # That was a step, too, though no handler may have run in it: somebody may be waiting for just this.
        self._world.settle()
        return outcome

    # -- messages ---------------------------------------------------------------------------------

    def _meet_message(self, message: Message) -> bool:
        """Whether a message may travel; what may not is lost, late or held."""
        acting = None
        for fault in self._between:
            if not fault.about(message.name):
                continue
            seen = look_at_message(fault.rule, message)
            if acting is not None:
                fault.shadowed += seen.matches and not fault.spent
            elif fault.acts_on(seen, message):
                acting = fault
        if acting is not None:
            self._roads.act(acting, message)
        return acting is None


def _fits(fault: Fault, response: Any) -> bool:
    """Whether there is an answer that can be changed as this fault wants it."""
    throttles = fault.rule.action.kind is Kind.THROTTLE
    return response is not None and (not throttles or hasattr(response, "throttle_time_ms"))
