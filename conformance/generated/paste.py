"""A conversation as the source of a case, ready to be pasted into `conformance/cases` and given a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.generated.conversation import KINDS, PARTITIONS, Step


@dataclass
class Paste:
    """The lines of a story, written down while it is played."""

    topics: Mapping[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    _lines: set[str] = field(default_factory=set)
    _answers: int = 0

    def silent(self, step: Step, words: str) -> None:
        """A request that has no answer."""
        self._open(step.line)
        self.body += [f"{step.line}.send({words})", f"{step.line}.forget()"]

    def dies(self) -> None:
        """The broker dies and comes back; whoever speaks then has a new connection."""
        self.body += ["it.brokers.crash(1)", "it.brokers.restart(1)"]
        self._lines.clear()

    def rests(self, transactional_id: str) -> None:
        """No transaction of this id is on its way to its end any more."""
        self.body.append(f"settled(it, {transactional_id})")

    def waits(self, step: Step, words: str) -> None:
        """A request whose answer is long in coming."""
        self._open(step.line)
        self.body += [f"{step.line}.send({words})", f'{step.line}.expect_nothing("{step.api} waits")']

    def heard(self, step: Step, words: str | None) -> str:
        """An answer: to the request that is made now, in these words, or to one that waited; its name."""
        self._answers += 1
        called = f"heard_{self._answers}"
        self._open(step.line)
        heard = f"{step.line}.ask({words})" if words is not None else f"{step.line}.hear()"
        self.body.append(f"{called} = {heard}")
        return called

    def source(self, title: str = "What this is about, in a sentence") -> str:
        """The whole case.  Answers that nothing refers to need no name."""
        lines = [f'@case("?", "{title}")', "def _(it: Stage) -> None:"]
        text = "\n".join(self.body)
        for label, kind in self.topics.items():
            if label in text:
                configs = "".join(
                    f", {key.replace('.', '_')}={value!r}" for key, value in KINDS[kind].items()
                )
                lines.append(f'    {label} = it.topic("{label}", {PARTITIONS}{configs})')
        lines += [f'    {group} = it.group("{group}")' for group in ("g0", "g1") if group in text]
        lines += [f'    {name} = it.name("{name}")' for name in ("t2", "nobody", "x0", "x1") if name in text]
        for number, line in enumerate(self.body):
            name, equals, rest = line.partition(" = ")
            needed = equals and name.startswith("heard_") and f"{name}[" in "\n".join(self.body[number + 1 :])
            lines.append("    " + (line if needed or not name.startswith("heard_") else rest))
        return "\n".join(lines) + "\n"

    def _open(self, line: str) -> None:
        if line not in self._lines:
            self._lines.add(line)
            self.body.append(f"{line} = it.line()")
