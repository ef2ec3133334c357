"""Writes conversations: Hypothesis strategies of steps, most of which are right, with wrong ones among them.

Steps stand alone: what they need to know of earlier ones they say in symbols, so that a conversation from
which a step was taken out still makes sense, and a failing one shrinks.  What two brokers would answer
differently by chance alone is not written: short waits, requests that race, what changes on its own.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from kio.index import load_request_schema

from conformance.cases import codec
from conformance.cases.codec import Answer
from conformance.generated import asking_groups, asking_logs, asking_transactions
from conformance.generated.conversation import DEATH, KINDS, Conversation, Step

# A phrase is a step, or a few that belong together; a conversation has so many at most.
PHRASES_MAX = 16


@st.composite
def conversations(draw: st.DrawFn, deaths_in_100: int = 0) -> Conversation:
    """Conversations about logs, groups, transactions, and all of these; in so many of 100 the broker dies once."""
    of = draw(st.sampled_from((_LOGS, _GROUPS, _TRANSACTIONS, _PAID, _ALL)))
    # A list of Hypothesis' own is seldom longer than six, whatever it may be.
    phrases = [draw(of) for _ in range(draw(st.integers(1, PHRASES_MAX)))]
    if of in (_TRANSACTIONS, _PAID):
        phrases.insert(0, draw(asking_transactions.beginnings()))
    if draw(st.integers(0, 99)) < deaths_in_100:
        phrases.insert(draw(st.integers(0, len(phrases))), [Step("broker", DEATH, 0, {})])
    steps = [_fitting(step) for phrase in phrases for step in phrase]
    topics = {"t0": "plain", "t1": draw(st.sampled_from(list(KINDS)))}
    return Conversation(topics, tuple(_without_deviations(steps)))


_LOGS, _GROUPS, _TRANSACTIONS = (
    asking.phrases() for asking in (asking_logs, asking_groups, asking_transactions)
)
_PAID = st.one_of(_TRANSACTIONS, _TRANSACTIONS, _LOGS)
_ALL = st.one_of(_LOGS, _GROUPS, _TRANSACTIONS)


def _without_deviations(steps: list[Step]) -> Iterator[Step]:
    """Leave out what is known to differ, with a reason that `conformance.cases.deviations` gives.

    That is the record with the largest time where records were deleted.
    """
    deleted = False
    for step in steps:
        deleted |= step.api == "DeleteRecords"
        if not (deleted and step.api == "ListOffsets" and _asks_for_largest_time(step)):
            yield step


def _asks_for_largest_time(step: Step) -> bool:
    return any(part["timestamp"] == -3 for topic in step.fields["topics"] for part in topic["partitions"])


def _fitting(step: Step) -> Step:
    """A step without the fields that its version does not have yet, or has no more."""
    if step.api == DEATH:
        return step
    schema: type = load_request_schema(codec.key_of(step.api), step.version)
    return dataclasses.replace(step, fields=_had_by(schema, step.fields))


def _had_by(schema: type, fields: Answer) -> Answer:
    kept = {name: fields[name] for name in _hints(schema) if name in fields}
    return {name: _inside(_hints(schema)[name], given) for name, given in kept.items()}


def _inside(hint: Any, given: Any) -> Any:
    inner: Any = next((each for each in _kinds_in(hint) if dataclasses.is_dataclass(each)), None)
    if inner is None:
        return given
    if isinstance(given, list):
        return [_had_by(inner, each) for each in given]
    return _had_by(inner, given) if isinstance(given, dict) else given


def _kinds_in(hint: Any) -> list[Any]:
    return [hint, *(kind for option in typing.get_args(hint) for kind in _kinds_in(option))]


@functools.cache
def _hints(schema: type) -> dict[str, Any]:
    return typing.get_type_hints(schema)
