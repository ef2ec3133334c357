"""Plays a conversation on one target, and keeps what was heard.

mockbroker goes first and writes the script: after which step which line speaks.  The real broker is then
listened to accordingly; what it says too early, or not at all, is in its transcript as that.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from conformance.cases import codec
from conformance.cases.batches import CONTROL
from conformance.cases.codec import Answer
from conformance.cases.line import NOTHING
from conformance.cases.normal import CHOSEN_MS, Symbols
from conformance.generated.conversation import DEATH, Conversation, Memory, Step
from conformance.generated.paste import Paste
from conformance.generated.targets import ANSWER_TIMEOUT_S, SILENCE_S, Target

# Where a record as it is read has its value, which in a control batch names the coordinator's epoch.
MARKER = 3
# Names that conversations use beside those of their topics.
OTHER_NAMES = ("g0", "g1", "t2", "nobody", "x0", "x1")
# Behind these a transaction may be on its way to its end; until then everybody is told to come back later.
ENDS_TRANSACTIONS = ("EndTxn", "InitProducerId")
CHANGES_TOPICS = ("CreateTopics", "DeleteTopics", "CreatePartitions", "IncrementalAlterConfigs")

# After each step: the lines that spoke, in this order.
Script = list[list[str]]


@dataclass
class Played:
    """What came of a conversation."""

    transcript: list[dict[str, Any]] = field(default_factory=list)
    script: Script = field(default_factory=list)
    # What a case that tells the same would look like.
    paste: Paste = field(default_factory=Paste)


def play(conversation: Conversation, on: Target, script: Script | None = None) -> Played:
    """Play it.  Without a script, the target is asked who speaks."""
    try:
        return _Play(conversation, on, script).play()
    finally:
        on.end()


class _Play:
    """One conversation on one target."""

    def __init__(self, conversation: Conversation, on: Target, script: Script | None) -> None:
        self._conversation, self._on, self._script = conversation, on, script
        made = on.begin(conversation.topics)
        # Times are chosen from long before now, so that they are never taken for the present.
        zero_ms = time.time_ns() // 1_000_000 - 2 * CHOSEN_MS
        salt = secrets.token_hex(3)
        names = {label: name for label, (name, _) in made.items()}
        names |= {label: f"{label}-{salt}" for label in OTHER_NAMES}
        ids = {label: id for label, (_, id) in made.items()}
        self._memory = Memory(names, ids, zero_ms)
        self._meant = {name: label for label, name in names.items()}
        self._symbols = Symbols(self._meant, zero_ms, {1: on.port})
        self._meant |= {str(id): f"<id of {label}>" for label, id in ids.items()}
        self._member_ids: list[str] = []
        self._asked: dict[str, tuple[Step, int]] = {}
        self._played = Played()
        self._played.paste.topics = dict(conversation.topics)

    def play(self) -> Played:
        for number, step in enumerate(self._conversation.steps):
            if step.line in self._asked:
                speakers: list[str] = []  # it waits for an answer, and says nothing meanwhile
            else:
                speakers = self._take(number, step)
            self._played.script.append(speakers)
            if self._script is not None and speakers != self._script[number]:
                break  # one difference is enough, and what follows hangs on it
        return self._played

    def _take(self, number: int, step: Step) -> list[str]:
        """Say one thing, and hear who has an answer now."""
        if step.api == DEATH:
            return self._die()
        fields = self._memory.value(step.fields)
        words = self._memory.call(step)
        self._on.send(step.line, codec.request(step.api, step.version, number, "case", fields))
        if step.silent:
            # What comes behind it on the same line is answered when it is done.
            self._played.paste.silent(step, words)
            step = Step(step.line, "Metadata", 1, {"topics": []})
            words = self._memory.call(step)
            self._on.send(step.line, codec.request(step.api, step.version, number, "case", step.fields))
        self._asked[step.line] = (step, number)
        own = self._hear_all(number, step, words)
        if step.api in ENDS_TRANSACTIONS and step.fields.get("transactional_id"):
            self._on.rest(fields["transactional_id"])
            self._played.paste.rests(self._memory.words(step.fields["transactional_id"]))
        if step.api in CHANGES_TOPICS:
            for label, name in self._memory.names.items():
                if label.startswith("t"):
                    self._on.settle(name)
        return own

    def _die(self) -> list[str]:
        """The broker dies with all its connections, so nobody has an answer to wait for."""
        self._asked.clear()
        self._played.paste.dies()
        names = self._memory.names
        topics, groups, payers = (
            [name for label, name in names.items() if label.startswith(kind)] for kind in "tgx"
        )
        self._on.die(topics, groups, payers)
        return []

    def _hear_all(self, number: int, step: Step, words: str) -> list[str]:
        expected = self._now_speaking(step) if self._script is None else self._script[number]
        speakers = [line for line in expected if self._hear(line, ANSWER_TIMEOUT_S, step, words)]
        if step.line not in expected:
            self._played.paste.waits(step, words)
        waits = step.line in self._asked
        for line in self._on.speaking(self._asked, SILENCE_S if waits else 0):
            self._hear(line, 0, step, words)
            speakers.append(line)
        return speakers

    def _now_speaking(self, step: Step) -> list[str]:
        """Who has an answer; first whoever asked, for a case can only hear what was asked before."""
        return sorted(self._on.speaking(self._asked, 0), key=lambda line: (line != step.line, line))

    def _hear(self, line: str, seconds: float, now: Step, words: str) -> bool:
        """Hear one answer and learn from it; whether there was one."""
        step, number = self._asked.pop(line)
        heard = self._on.hear(line, seconds)
        answer: Answer
        if heard is None:
            answer = NOTHING
        else:
            answer = heard if isinstance(heard, dict) else codec.answer(step.api, step.version, heard)
        called = self._played.paste.heard(step, words if step is now else None)
        self._memory.learn(step, answer, called)
        self._played.transcript.append(
            {
                "to": line,
                "asked": f"{step.api} v{step.version} of step {number + 1}",
                "answer": _of_any_coordinator(self._symbols.normal(step.api, self._in_order(answer))),
            }
        )
        return answer is not NOTHING

    def _in_order(self, answer: Answer) -> Answer:
        """By the conversation's own names, and in an order that does not hang on made-up ones.

        Members are in the order in which they were given their ids, as Kafka keeps them in a hash map;
        described groups hang on which partitions of the offsets topic their names lead to,
        which a transaction tells of.
        """
        if (given := answer.get("member_id")) and given not in self._member_ids:
            self._member_ids.append(given)
        known = {member_id: at for at, member_id in enumerate(self._member_ids)}

        def ordered(value: Any) -> Any:
            match value:
                case {"topic": "__consumer_offsets", "partitions": [_, *_]}:
                    return value | {"partitions": "<where the groups live>"}
                case dict():
                    return {name: ordered(inner) for name, inner in value.items()}
                case [{"member_id": _}, *_]:
                    members = map(ordered, value)
                    return sorted(members, key=lambda member: known.get(member["member_id"], len(known)))
                case [{"group_id": _}, *_]:
                    return sorted(map(ordered, value), key=lambda group: str(group["group_id"]))
                case list():
                    return [ordered(each) for each in value]
                case str():
                    return self._meant.get(value, value)
            return value

        found: Answer = ordered(answer)
        return found


def _of_any_coordinator(normal: Any) -> Any:
    """Without the epochs of coordinators: a broker that has died in earlier conversations counts on from there."""
    match normal:
        case {"attributes": int(attributes), "records": list(records)} if attributes & CONTROL:
            ended = [[*record[:MARKER], "<marker>", *record[MARKER + 1 :]] for record in records]
            return normal | {"records": ended}
        case dict():
            known = {"coordinator_epoch": "<its epoch>"} if normal.get("coordinator_epoch", -1) >= 0 else {}
            return {name: _of_any_coordinator(inner) for name, inner in normal.items()} | known
        case list():
            return [_of_any_coordinator(each) for each in normal]
    return normal
