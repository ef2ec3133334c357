"""One concise sentence for each request and its answer: "JoinGroup billing gen 1 -> leader, 1 member".

A table of APIs, and a form for those that are not in it.  What a client sent is told as it is, in printable
characters and within bounds; nothing here trusts it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mockbroker.protocol.apis import Api
from mockbroker.timeline import (
    sentences_admin,
    sentences_data,
    sentences_groups,
    sentences_transactions,
)
from mockbroker.timeline.places import listed
from mockbroker.timeline.reading import Names, clean, errors, groups_of, message_of, topics_of

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.event import Event

# (request, answer or None, version, names of topics) -> a few words.
Teller: TypeAlias = Callable[[Any, Any, Names], str]


class Sentence(NamedTuple):
    """What was asked and what came of it."""

    asked: str
    answered: str

    def __str__(self) -> str:
        return f"{self.asked} -> {self.answered}" if self.answered else self.asked


# For each API what follows its name, and what the answer comes to.
_TABLE: dict[Api, tuple[Teller, Teller]] = {
    **sentences_data.TABLE,
    **sentences_groups.TABLE,
    **sentences_admin.TABLE,
    **sentences_transactions.TABLE,
}


def sentence(event: Event, names: Names) -> Sentence:
    """An event in words."""
    if event.call is None:
        return Sentence(clean(event.act, 200), "")
    return Sentence(question(event.call, event.response, names), _answered(event, names) + _touched(event))


def question(call: Call[Any], outcome: Any, names: Names) -> str:
    """What a request asks; its answer, where there is one, may say more of it."""
    if call.api in _TABLE:
        about = _TABLE[call.api][0](call.body, message_of(outcome), names)
    else:
        about = _generic(call, outcome, names)
    return f"{call.api.title} {about}".rstrip()


def _answered(event: Event, names: Names) -> str:
    assert event.call is not None
    message = message_of(event.response)
    if message is None:
        return _unanswered(event.response)
    if event.call.api in _TABLE:
        return _TABLE[event.call.api][1](event.call.body, message, names)
    return listed(errors(message)) or "ok"


def _unanswered(outcome: Any) -> str:
    """The client got no answer: it asked for none, or something became of it."""
    if outcome is None:
        return "no answer"
    reason = getattr(outcome, "reason", "")
    kind = {"Disconnect": "connection closed"}.get(type(outcome).__name__, type(outcome).__name__.lower())
    return f"{kind}: {clean(reason, 160)}" if reason else kind


def _touched(event: Event) -> str:
    """Which rules of the test acted on it."""
    return "" if event.call is None else faults_of(event.call)


def faults_of(call: Call[Any]) -> str:
    """The rules that acted on a request, in brackets."""
    return f"  (fault: {', '.join(clean(rule, 60) for rule in call.touched)})" if call.touched else ""


def _generic(call: Call[Any], outcome: Any, names: Names) -> str:
    """What an API without a sentence of its own is about: groups and topics."""
    return listed(clean(name) for name in (*groups_of(call), *topics_of(call, outcome, names)))
