"""Makes a conversation that came out differently short: what can be left out is left out.

Hypothesis would shrink it too, but asks for hundreds of plays, and here a play costs real time.  Steps go
first, in halves and then singly, for most of a conversation has nothing to do with what went wrong; then
what lists and batches hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from conformance.generated.conversation import Conversation, Records, Several, Step

# Enough for the longest; a bound, for what fails only now and then has no end.
PLAYS_MAX = 250

StillFails = Callable[[Conversation], bool]


def shortened(conversation: Conversation, still_fails: StillFails) -> Conversation:
    """The shortest that was found and still comes out differently."""
    plays = 0

    def fails(shorter: Conversation) -> bool:
        nonlocal plays
        plays += 1
        return plays <= PLAYS_MAX and still_fails(shorter)

    conversation = _fewer_steps(conversation, fails)
    while (simpler := next(filter(fails, _simpler(conversation)), None)) is not None:
        conversation = simpler
    return _fewer_steps(conversation, fails)


def _fewer_steps(conversation: Conversation, fails: StillFails) -> Conversation:
    size = len(conversation.steps)
    while size >= 1:
        at = len(conversation.steps) - size
        while at > -size:  # from the end, as what comes after the difference matters least
            steps = conversation.steps
            left = steps[: max(at, 0)] + steps[at + size :]
            shorter = dataclasses.replace(conversation, steps=left)
            if left and len(left) < len(steps) and fails(shorter):
                conversation = shorter
            at -= size
        size //= 2
    return conversation


def _simpler(conversation: Conversation) -> Iterator[Conversation]:
    """Conversations with something less in one of the steps."""
    for number, step in enumerate(conversation.steps):
        for simpler in _simpler_steps(step):
            steps = (*conversation.steps[:number], simpler, *conversation.steps[number + 1 :])
            yield dataclasses.replace(conversation, steps=steps)


def _simpler_steps(step: Step) -> Iterator[Step]:
    for fields in _less(step.fields):
        yield dataclasses.replace(step, fields=fields)


def _less(given: Any) -> Iterator[Any]:
    """A value with one thing left out of it, somewhere."""
    match given:
        case list() if len(given) > 1:
            for at in range(len(given)):
                yield given[:at] + given[at + 1 :]
    match given:
        case list():
            for at, each in enumerate(given):
                yield from ([*given[:at], less, *given[at + 1 :]] for less in _less(each))
        case dict():
            for name, each in given.items():
                yield from (given | {name: less} for less in _less(each))
        case Records(values, more):
            yield from _less_in_batch(values, more)
        case Several((first, *others)):
            yield first
            yield from (Several((less, *others)) for less in _less(first))


def _less_in_batch(values: tuple[Any, ...], more: Mapping[str, Any]) -> Iterator[Records]:
    times = more.get("timestamps")
    for at in range(len(values) if len(values) > 1 else 0):
        fewer = {"timestamps": times[:at] + times[at + 1 :]} if times else {}
        yield Records(values[:at] + values[at + 1 :], {**more, **fewer})
    for name in more:
        yield Records(values, {other: each for other, each in more.items() if other != name})
