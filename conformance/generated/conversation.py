"""A conversation as data: who says what, in which order, with symbols for what only the brokers decide.

A step names a connection and a request.  Its fields are those of `conformance.cases.codec`, in which a
symbol may stand anywhere: a topic's made-up name, a member id that the coordinator will give.  Memory turns
symbols into values for one target, and into the words that a pasted case has for them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance.cases import batches
from conformance.cases.codec import Answer

# Topics are made in advance, a few of each kind; what a conversation calls "t0" is of the kind it says.
KINDS: dict[str, dict[str, str]] = {
    "plain": {},
    "compact": {"cleanup.policy": "compact"},
    "append-time": {"message.timestamp.type": "LogAppendTime"},
    "gzip": {"compression.type": "gzip"},
    "small": {"max.message.bytes": "200"},
    "strict": {"message.timestamp.after.max.ms": "3600000", "message.timestamp.before.max.ms": "3600000"},
}
PARTITIONS = 2
# What a step says instead of an API's name when the broker dies and comes back.
DEATH = "Death"
# An id that no topic has.
NO_SUCH_ID = uuid.UUID(int=77)


@dataclass(frozen=True)
class Name:
    """A made-up name of a topic, a group or whatever else has one."""

    label: str


@dataclass(frozen=True)
class TopicId:
    """The id of a topic by this label; one of nobody's when there is none."""

    label: str


@dataclass(frozen=True)
class Known:
    """What an answer has taught under this key, or `otherwise`; `plus` is added to what was learned."""

    key: str
    otherwise: Any
    plus: int = 0


@dataclass(frozen=True)
class Next:
    """The sequence that a producer goes on with at a place; every epoch begins a new one."""

    producer: str
    place: str
    plus: int = 0


@dataclass(frozen=True)
class Time:
    """A time that the conversation chooses."""

    after_zero_ms: int


@dataclass(frozen=True)
class Records:
    """One batch; `more` are arguments of `batches.batch`, symbols among them."""

    values: tuple[Any, ...]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Several:
    """Batches one behind the other, for the same partition."""

    batches: tuple[Records, ...]


@dataclass(frozen=True)
class Step:
    """One request.

    `learns` says where in the answer something worth knowing is: key -> path.  `counts`: what a successful
    Produce adds to a sequence, as (from which symbol on, how many).  `silent` requests have no answer.
    """

    line: str
    api: str
    version: int
    fields: Answer
    learns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts: tuple[Known | Next, int] | None = None
    silent: bool = False


@dataclass(frozen=True)
class Conversation:
    """Steps, and the kinds of the topics that they are about."""

    topics: Mapping[str, str]
    steps: tuple[Step, ...]


class _Fact(NamedTuple):
    value: Any
    words: str


class Memory:
    """What one target has said so far, and what its things are called."""

    def __init__(self, names: Mapping[str, str], ids: Mapping[str, uuid.UUID], zero_ms: int) -> None:
        """`names`: the made-up name by label.  `ids`: of topics, by label."""
        self.names, self._ids, self._zero_ms = dict(names), dict(ids), zero_ms
        self._facts: dict[str, _Fact] = {}

    def value(self, given: Any) -> Any:
        """What a symbol, or anything that symbols stand in, is for this target."""
        match given:
            case Name(label):
                return self.names.get(label, label)
            case TopicId(label):
                return self._ids.get(label, NO_SUCH_ID)
            case Known(key, otherwise, plus):
                fact = self._facts.get(key)
                known = otherwise if fact is None else fact.value
                return known + plus if plus else known
            case Next():
                return self.value(self._counted(given))
            case Time(after):
                return self._zero_ms + after
            case Records(values, more):
                return batches.batch(*values, **{name: self.value(each) for name, each in more.items()})
            case Several(several):
                return b"".join(map(self.value, several))
            case dict():
                return {name: self.value(each) for name, each in given.items()}
            case list() | tuple():
                return type(given)(self.value(each) for each in given)
        return given

    def words(self, given: Any) -> str:
        """The same as an expression of a case."""
        match given:
            case Name(label):
                return label if label in self.names else repr(label)
            case TopicId(label):
                return f"it.id_of({label})" if label in self._ids else "uuid.UUID(int=77)"
            case Known(key, otherwise, plus):
                fact = self._facts.get(key)
                known = repr(otherwise) if fact is None else fact.words
                return f"{known} + {plus}" if plus else known
            case Next():
                return self.words(self._counted(given))
            case Time(after):
                return f"it.zero_ms + {after}"
            case Records(values, more):
                given = [_literal(each) for each in values]
                return f"batch({', '.join([*given, *self._named(more)])})"
            case Several(several):
                return " + ".join(map(self.words, several))
            case dict():
                return "{" + ", ".join(f"{name!r}: {self.words(each)}" for name, each in given.items()) + "}"
            case list():
                return "[" + ", ".join(map(self.words, given)) + "]"
            case tuple():
                return "(" + "".join(f"{self.words(each)}, " for each in given) + ")"
        return _literal(given)

    def call(self, step: Step) -> str:
        """A step's request as the arguments of `Line.ask`."""
        return ", ".join([repr(step.api), str(step.version), *self._named(step.fields)])

    def _named(self, given: Mapping[str, Any]) -> list[str]:
        return [f"{name}={self.words(each)}" for name, each in given.items()]

    def learn(self, step: Step, answer: Answer, called: str) -> None:
        """Remember what a step's answer teaches; `called` is what the pasted case calls the answer."""
        for key, path in step.learns.items():
            value: Any = answer
            words = called
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
                words += f"[{name!r}]"
            # What stands for nothing teaches nothing: a refused member keeps the id that it had.
            if value not in (None, "", -1, 0) or (key.endswith(".id") and value == 0):
                self._facts[key] = _Fact(value, words)
        if step.counts is not None and _is_written(answer):
            first, count = step.counts
            known = self._counted(first) if isinstance(first, Next) else first
            end = self.value(known) + count
            if end > self.value(Known(known.key, 0)):
                self._facts[known.key] = _Fact(end, str(end))

    def _counted(self, sequence: Next) -> Known:
        epoch = self.value(Known(f"{sequence.producer}.epoch", 0))
        return Known(f"{sequence.producer}.{epoch}.{sequence.place}", 0, sequence.plus)


def _literal(value: Any) -> str:
    """A value as Python has it; of one character many times nobody wants to see every one."""
    if isinstance(value, str | bytes) and len(value) > 20 and len(set(value)) == 1:
        return f"{value[:1]!r} * {len(value)}"
    return repr(value)


def _is_written(answer: Answer) -> bool:
    """Whether a Produce of one partition went well."""
    parts = [part for topic in answer.get("responses", ()) for part in topic["partition_responses"]]
    return bool(parts) and all(part["error_code"] == "NONE" for part in parts)
