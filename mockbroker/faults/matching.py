"""Whether a call or a message is what a rule is about, and if not, what was missing.

A pure function of the rule and what it is shown.  Counting is the Fault's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.faults.subjects import Target, targets, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.call import Call
    from mockbroker.core.links import Message
    from mockbroker.core.node import Node
    from mockbroker.faults.rule import Rule

_OF_TARGETS = ("group", "topic", "partition")


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a look: `missing` are the matchers that found something else, with what they found.

    `chosen` says what of the call is meant, None where no matcher asked for anything in it; `whole` whether
    that is all of it.
    """

    missing: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    chosen: tuple[Target, ...] | None = None
    whole: bool = True

    @property
    def matches(self) -> bool:
        """Whether everything was as the rule wants it."""
        return not self.missing


def look(rule: Rule, call: Call[Any], node: Node) -> Seen:
    """Hold a call against the matchers of a rule."""
    missing = []
    for matcher, accepted in rule.where.items():
        if matcher not in _OF_TARGETS:
            found = values_of(matcher, call, node)
            if not any(value in accepted for value in found):
                missing.append((matcher, tuple(found)))
    wanted = {matcher: rule.where[matcher] for matcher in _OF_TARGETS if matcher in rule.where}
    if not wanted:
        return Seen(tuple(missing))
    named = targets(call, node)
    chosen = [target for target in named if _all_in(target, wanted)]
    if not chosen:
        missing += _missing(named, wanted)
    return Seen(tuple(missing), tuple(chosen), len(chosen) == len(named))


def _all_in(target: Target, wanted: dict[str, tuple[Any, ...]]) -> bool:
    return all(getattr(target, matcher) in accepted for matcher, accepted in wanted.items())


def _missing(
    named: Sequence[Target], wanted: dict[str, tuple[Any, ...]]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Which matchers kept every target from being meant."""
    missing = []
    for matcher, accepted in wanted.items():
        found = tuple(dict.fromkeys(getattr(target, matcher) for target in named))
        others = {m: a for m, a in wanted.items() if m != matcher}
        if not any(value in accepted for value in found) or any(_all_in(t, others) for t in named):
            near = tuple(dict.fromkeys(getattr(t, matcher) for t in named if _all_in(t, others)))
            missing.append((matcher, near or found))
    # Each was met somewhere, and never all of them together.
    return missing or [(matcher, ()) for matcher in wanted]


def look_at_message(rule: Rule, message: Message) -> Seen:
    """Hold a message between brokers against the matchers of a rule."""
    about: Any = getattr(message, "asked", message)
    found: dict[str, object] = {
        "source": message.source,
        "to": message.target,
        "transactional_id": getattr(about, "transactional_id", None),
    }
    missing = [
        (m, (found[m],)) for m, accepted in rule.where.items() if m in found and found[m] not in accepted
    ]
    wanted = {matcher: rule.where[matcher] for matcher in _OF_TARGETS if matcher in rule.where}
    if wanted:
        places = getattr(about, "places", None) or [
            (getattr(about, "topic", None), getattr(about, "index", None))
        ]
        named = [Target(None, *place) for place in places]
        if not any(_all_in(target, wanted) for target in named):
            missing += _missing(named, wanted)
    return Seen(tuple(missing))


def agrees(rule: Rule, subject: object) -> bool:
    """Ask the test's own function."""
    if rule.when is None:
        return True
    try:
        return bool(rule.when(subject))
    except Exception as failed:
        raise UsageError(
            f"the when= of the fault {rule.name!r} raised {failed!r} for {subject!r}"
        ) from failed
