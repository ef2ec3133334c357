"""A rule that is armed: what it has seen, when it acts, and what it has to say for itself.

Counts matches since it was armed.  Decides whether it acts; what then happens is in `acting`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mockbroker.faults.matching import Seen, agrees
from mockbroker.faults.rule import Place

if TYPE_CHECKING:
    from random import Random

    from mockbroker.faults.rule import Rule

# Values that a near miss is told with; a rule may be armed for hours beside a busy client.
VALUES_KEPT = 20
VALUES_TOLD = 5


class Fault:
    """A rule in force, until it is removed."""

    def __init__(self, rule: Rule, chance: Random) -> None:
        self.rule = rule
        self._chance = chance
        self.armed = True
        # How often it has acted, how often it could have, and how many requests of its API there were.
        self.hits = 0
        self.matched = 0
        self.seen = 0
        # What another rule took first, and what had no answer that could be meddled with.
        self.shadowed = 0
        self.unanswered = 0
        # For each matcher that was the only one to miss: what was there instead.
        self._near: dict[str, Counter[Any]] = {}
        self._nearly: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.rule.name

    @property
    def spent(self) -> bool:
        """Whether it will never act again."""
        rule = self.rule
        return (rule.nth is not None and self.matched >= rule.nth) or (
            rule.times is not None and self.hits >= rule.times
        )

    def about(self, name: str) -> bool:
        """Whether it is about requests, or messages, of this name."""
        return not self.rule.what or name in self.rule.what

    def acts_on(self, seen: Seen, subject: object) -> bool:
        """Count what was seen, and say whether this is one to act on."""
        self.seen += 1
        if not seen.matches:
            self._missed(seen)
            return False
        if not agrees(self.rule, subject):
            self._missed(Seen((("when", (False,)),)))
            return False
        if self.spent:
            return False
        self.matched += 1
        if not self._is_due():
            return False
        self.hits += 1
        return True

    def _is_due(self) -> bool:
        rule = self.rule
        if rule.nth is not None:
            return self.matched == rule.nth
        if rule.every is not None:
            return self.matched % rule.every == 0
        return rule.probability is None or self._chance.random() < rule.probability

    def _missed(self, seen: Seen) -> None:
        if len(seen.missing) == 1:
            ((matcher, found),) = seen.missing
            self._nearly[matcher] += 1
            values = self._near.setdefault(matcher, Counter())
            for value in found or (None,):
                if value in values or len(values) < VALUES_KEPT:
                    values[value] += 1

    # -- in words ---------------------------------------------------------------------------------

    def explain(self) -> str:
        """What it waits for, what it has done, and what it nearly met, as one line."""
        if self.hits:
            count = "once" if self.hits == 1 else f"{self.hits} times"
            state = f"hit {count}" + ("" if self.armed else ", and removed")
        else:
            state = "armed but never hit" if self.armed else "removed, and never hit"
        told = "; ".join(self._told())
        return f"{state}: {self.rule.subject}" + (f"; {told}" if told else "")

    def _told(self) -> list[str]:
        what = self._what()
        told = []
        if self.matched and (self.matched != self.hits or not self.hits):
            told.append(f"{_count(self.matched, what)}{self._whose()} {_were(self.matched)} seen")
        elif not self.hits and not self.seen:
            told.append(f"no {what} was seen")
        elif not self.hits and not self._near and not self.unanswered:
            told.append(
                f"{_count(self.seen, what)} {_were(self.seen)} seen, and each differed in more than one way"
            )
        if not self.hits:
            told += [self._near_miss(matcher, values) for matcher, values in self._near.items()]
        if self.shadowed:
            told.append(f"{self.shadowed} {_were(self.shadowed)} taken by a rule armed earlier")
        if self.unanswered:
            told.append(f"{_count(self.unanswered, what)} had no answer to {self.rule.action.kind.value}")
        return told

    def _what(self) -> str:
        name = " or ".join(self.rule.what)
        if self.rule.place is Place.BETWEEN:
            return f"{name} message".lstrip()
        if self.rule.place is Place.NETWORK:
            return "connection"
        return f"{name} request".lstrip()

    def _whose(self) -> str:
        """Of whom, or where, in the shortest words."""
        words = {"group": "of", "topic": "to", "client_id": "from", "broker": "at broker", "to": "to broker"}
        told = [
            f" {words[matcher]} {' or '.join(map(str, values))}"
            for matcher, values in self.rule.where.items()
            if matcher in words
        ]
        return "".join(told)

    def _near_miss(self, matcher: str, values: Counter[Any]) -> str:
        count = _count(self._nearly[matcher], self._what())
        wanted = " or ".join(map(repr, self.rule.where.get(matcher, ())))
        if matcher == "when":
            return f"{count} otherwise right, and when= said no"
        found = ", ".join(
            str(value) if value not in (None, "") else "none" for value, _ in values.most_common(VALUES_TOLD)
        )
        verb, was = _WORDS.get(matcher, (f"with {matcher}", "they had"))
        return f"{count}, none {verb} {wanted} ({was}: {found})"


_WORDS = {
    "topic": ("to topic", "they were to"),
    "group": ("of group", "they were of"),
    "client_id": ("from client", "they were from"),
    "broker": ("at broker", "they were at"),
    "source": ("from broker", "they were from"),
    "to": ("to broker", "they were to"),
}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
