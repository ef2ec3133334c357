"""Regular expressions that clients send, in RE2's syntax: matched in linear time, whatever they are.

Kafka takes RE2/J for them because a backtracking matcher can be kept busy for ever by a short expression.  This
is the classical simulation of an automaton: every character moves all states that are possible.  Not here: what
matches between characters (anchors, word borders), flags and Unicode classes; they are refused as invalid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mockbroker.protocol.errors import ErrorCode, KafkaError

# Expressions are bounded before they are built; RE2 has limits of the same kind.
LENGTH_MAX = 1_000
DEPTH_MAX = 100
REPEAT_MAX = 1_000
STATES_MAX = 10_000

Accepts = Callable[[str], bool]

_CLASSES: dict[str, Accepts] = {
    "d": lambda c: "0" <= c <= "9",
    "D": lambda c: not "0" <= c <= "9",
    "w": lambda c: c == "_" or (c.isascii() and c.isalnum()),
    "W": lambda c: not (c == "_" or (c.isascii() and c.isalnum())),
    "s": lambda c: c in "\t\n\f\r ",
    "S": lambda c: c not in "\t\n\f\r ",
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of an automaton: from `start` to `end`, whatever is between."""

    start: int
    end: int


class Pattern:
    """A compiled expression."""

    __slots__ = ("_accepts", "_end", "_free", "_start", "text")

    def __init__(self, text: str) -> None:
        """Raises INVALID_REGULAR_EXPRESSION with what is wrong with it."""
        if len(text) > LENGTH_MAX:
            raise _invalid(text[:40] + "...", f"it has more than {LENGTH_MAX} characters")
        self.text = text
        # By state: where it may go without a character, and with which characters to the next state.
        self._free: list[list[int]] = []
        self._accepts: list[Accepts | None] = []
        whole = _Reader(text, self).whole()
        self._start, self._end = whole.start, whole.end

    def new_state(self, accepts: Accepts | None = None) -> int:
        """A state; with `accepts` the next state follows upon such a character."""
        if len(self._free) >= STATES_MAX:
            raise _invalid(self.text, "it is too large")
        self._free.append([])
        self._accepts.append(accepts)
        return len(self._free) - 1

    def join(self, one: int, other: int) -> None:
        """Let `other` follow `one` without a character."""
        self._free[one].append(other)

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is what the expression says."""
        states = self._closure({self._start})
        for character in text:
            moved = {state + 1 for state in states if self._moves(state, character)}
            if not moved:
                return False
            states = self._closure(moved)
        return self._end in states

    def _moves(self, state: int, character: str) -> bool:
        accepts = self._accepts[state]
        return accepts is not None and accepts(character)

    def _closure(self, states: set[int]) -> set[int]:
        waiting = list(states)
        while waiting:
            for following in self._free[waiting.pop()]:
                if following not in states:
                    states.add(following)
                    waiting.append(following)
        return states


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str, pattern: Pattern) -> None:
        self._text = text
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def whole(self) -> _Part:
        part = self._alternatives()
        if self._at < len(self._text):
            raise self._wrong("a closing parenthesis without an opening one")
        return part

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise self._wrong("it ends too early")
        self._at += 1
        return character

    def _wrong(self, why: str) -> KafkaError:
        return _invalid(self._text, why)

    def _alternatives(self) -> _Part:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong("it is nested too deeply")
        pattern = self._pattern
        start, end = pattern.new_state(), pattern.new_state()
        while True:
            branch = self._sequence()
            pattern.join(start, branch.start)
            pattern.join(branch.end, end)
            if self._peek() != "|":
                break
            self._at += 1
        self._depth -= 1
        return _Part(start, end)

    def _sequence(self) -> _Part:
        start = end = self._pattern.new_state()
        while self._peek() not in ("", "|", ")"):
            began = self._at
            part = self._atom()
            part = self._repeated(part, began)
            self._pattern.join(end, part.start)
            end = part.end
        return _Part(start, end)

    def _repeated(self, part: _Part, began: int) -> _Part:
        """What follows the atom that was read from `began`: *, +, ?, {m,n}, each perhaps lazy."""
        ended = self._at
        sign = self._peek()
        if sign in ("*", "+", "?") and sign:
            self._at += 1
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        elif sign == "{" and (bounds := self._bounds()) is not None:
            low, high = bounds
        else:
            return part
        after = self._at + (self._peek() == "?")  # lazy or not, it matches the same texts
        if self._text[after : after + 1] in ("*", "+"):
            raise self._wrong("two repetitions in a row")
        built = self._times(part, (began, ended), low, high)
        self._at = after
        return built

    def _bounds(self) -> tuple[int, int | None] | None:
        """`{m}`, `{m,}` or `{m,n}`; anything else is just a brace."""
        inner, brace, _ = self._text[self._at + 1 :].partition("}")
        low, comma, high = inner.partition(",")
        if not brace or not low.isdecimal() or not (high.isdecimal() or not high):
            return None
        if int(low) > REPEAT_MAX or int(high or 0) > REPEAT_MAX or (high and int(high) < int(low)):
            raise self._wrong(f"bad bounds {{{inner}}}")
        self._at += len(inner) + 2
        return int(low), (int(high) if high else None) if comma else int(low)

    def _times(self, first: _Part, span: tuple[int, int], low: int, high: int | None) -> _Part:
        """The atom so many times; each time but the first it is read again."""
        pattern = self._pattern
        start = end = pattern.new_state()
        copies = max(low, 1) if high is None else high
        last = first
        skips = [start] if low == 0 else []
        for count in range(1, copies + 1):
            last = first if count == 1 else self._again(span)
            pattern.join(end, last.start)
            end = last.end
            if count >= low:
                skips.append(end)
        if high is None:
            pattern.join(last.end, last.start)
        done = pattern.new_state()
        for state in skips or [end]:
            pattern.join(state, done)
        return _Part(start, done)

    def _again(self, span: tuple[int, int]) -> _Part:
        kept, self._at = self._at, span[0]
        part = self._atom()
        self._at = kept
        return part

    def _atom(self) -> _Part:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return self._one(self._set())
        if character == ".":
            return self._one(lambda c: c != "\n")
        if character == "\\":
            return self._one(self._escaped())
        if character in "*+?":
            raise self._wrong("nothing to repeat")
        if character in "^$":
            raise self._wrong("anchors are not modelled; the whole text is matched anyway")
        return self._one(lambda c: c == character)

    def _one(self, accepts: Accepts) -> _Part:
        start = self._pattern.new_state(accepts)
        return _Part(start, self._pattern.new_state())

    def _group(self) -> _Part:
        if self._text.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            raise self._wrong("flags and look-around are not modelled")
        part = self._alternatives()
        if self._peek() != ")":
            raise self._wrong("a parenthesis that is not closed")
        self._at += 1
        return part

    def _escaped(self) -> Accepts:
        character = self._take()
        if character in _CLASSES:
            return _CLASSES[character]
        meant = self._literal(character)
        return lambda c: c == meant

    def _literal(self, character: str) -> str:
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character.isalnum():
            raise self._wrong(f"\\{character} is not modelled")
        return character

    def _set(self) -> Accepts:
        """`[a-z_]`, `[^0-9]`."""
        negated = self._peek() == "^"
        self._at += negated
        accepted: list[Accepts] = []
        while self._peek() != "]" or not accepted:
            accepted.append(self._member())
        self._at += 1
        return lambda c: any(accepts(c) for accepts in accepted) != negated

    def _member(self) -> Accepts:
        low = self._take()
        if low == "\\":
            character = self._take()
            if character in _CLASSES:
                return _CLASSES[character]
            low = self._literal(character)
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return lambda c: c == low
        self._at += 1
        high = self._take()
        if high == "\\":
            high = self._literal(self._take())
        if high < low:
            raise self._wrong(f"a bad range {low}-{high}")
        return lambda c: low <= c <= high


def _invalid(text: str, why: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION, f"The expression {text!r} is not valid: {why}.")
