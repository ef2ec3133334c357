"""Verdicts about transactions: whether all of one ended as was decided, and as its producer was told.

What a producer takes for one transaction lies between two answers to its EndTxn; what the brokers take for
one, between two decisions.  A late EndTxn of the transaction before makes the two differ where both have one
epoch (Jepsen, 2024), and that is found here.  Whatever has no marker yet is not judged.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mockbroker.checkers.producing import EXAMPLES
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.ledger.contents import is_replaced
from mockbroker.ledger.entries import Sent, Written
from mockbroker.ledger.fates import DELETED, LOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Decided, Ended, Place

# The fates of a part: as decided, not yet, and the rest are told.
GOOD, WAITING = "", "waiting"


class Part(NamedTuple):
    """Records or offsets of a transaction in one partition."""

    entry: Sent | Written
    state: str

    def __str__(self) -> str:
        place = self.entry.place
        return f"{place[0]}-{place[1]}@{self.entry.base_offset}"


class Mark(NamedTuple):
    """A marker, and what became of it."""

    entry: Written
    state: str


class Transaction(NamedTuple):
    """A decision, and what it was about."""

    entry: Decided
    parts: list[Part]


T = TypeVar("T", Part, Transaction)

# Transactional id, producer id, epoch.
Identity = tuple[str, int, int]


def _order(one: Part | Mark | Transaction) -> int:
    return one.entry.order


def _between(entries: list[T], after: int, until: int) -> list[T]:
    """Those with a number above `after` and not above `until`; they are in order."""
    return entries[bisect_right(entries, after, key=_order) : bisect_right(entries, until, key=_order)]


def how(*, commit: bool) -> str:
    """The way in which something ended."""
    return "committed" if commit else "aborted"


@dataclass(frozen=True)
class Book:
    """A case, by producer id."""

    case: Case

    @cached_property
    def parts(self) -> dict[int, list[Part]]:
        """Acknowledged records of transactions and offsets of groups, in their order."""
        case, found = self.case, defaultdict[int, list[Part]](list)
        known = {(sent.place, sent.base_offset) for sent in case.sent if sent.duplicate and sent.acked}
        for sent, state in case.with_states():
            told = sent.acked or (sent.place, sent.base_offset) in known
            if sent.transactional and sent.stored and not sent.duplicate and told and state != DELETED:
                found[sent.producer_id].append(Part(sent, state))
        for one, state in zip(case.written, case.written_states, strict=True):
            if one.commit is None and state != DELETED:
                found[one.producer_id].append(Part(one, state))
        for parts in found.values():
            parts.sort(key=_order)
        return found

    @cached_property
    def marks(self) -> dict[tuple[int, Place], list[Mark]]:
        """Markers, in their order."""
        found: dict[tuple[int, Place], list[Mark]] = defaultdict(list)
        for one, state in zip(self.case.written, self.case.written_states, strict=True):
            if one.commit is not None:
                found[one.producer_id, one.place].append(Mark(one, state))
        return found

    @cached_property
    def present(self) -> list[Sent]:
        """What a leader has."""
        return self.case.present()

    def gone(self, part: Part) -> bool:
        """Whether no leader has it, nor the same records sent again."""
        entry = part.entry
        lost = part.state == LOST
        return lost and not (isinstance(entry, Sent) and is_replaced(entry, self.present))

    def end_of(self, part: Part) -> tuple[bool | None, bool]:
        """How the log says that a part ended, None for not yet; and whether a marker of it was lost."""
        entry, lost = part.entry, False
        marks = self.marks.get((entry.producer_id, entry.place), [])
        for mark, state in islice(marks, bisect_right(marks, entry.order, key=_order), None):
            if state != LOST:
                return mark.commit, lost
            lost = True
        return None, lost

    def within(self, producer_id: int, epochs: tuple[int, ...], after: int, until: int) -> list[Part]:
        """The parts of a producer that were written between two numbers."""
        parts = _between(self.parts.get(producer_id, []), after, until)
        return [part for part in parts if part.entry.producer_epoch in epochs]

    @cached_property
    def transactions(self) -> list[Transaction]:
        """Each decision and what it was about, as far as all of that is remembered."""
        found: list[Transaction] = []
        before: dict[int, int] = {}
        for one in self.case.decided:
            after = before.get(one.producer_id, 0)
            before[one.producer_id] = one.order
            if after >= self.case.since:
                # A marker has the epoch of its transaction, or the one after it.
                epochs = (one.epoch, one.epoch - 1)
                found.append(Transaction(one, self.within(one.producer_id, epochs, after, one.order)))
        return found

    @cached_property
    def _by_identity(self) -> dict[Identity, list[Transaction]]:
        found: dict[Identity, list[Transaction]] = defaultdict(list)
        for one in self.transactions:
            entry = one.entry
            found[entry.transactional_id, entry.producer_id, entry.epoch].append(one)
        return found

    def told(self) -> Iterator[tuple[Ended, list[Part], list[Transaction]]]:
        """Each end that a producer was told of, its parts as the producer sees it, and what was decided."""
        before: dict[Identity, Ended] = {}
        for end in self.case.ended:
            if end.error or end.lost:
                continue
            identity = (end.transactional_id, end.producer_id, end.epoch)
            last = before.get(identity)
            if last is not None and _overtaken(end, last):
                continue
            after = 0 if last is None else last.order
            before[identity] = end
            if after < self.case.since:
                continue
            parts = self.within(end.producer_id, (end.epoch,), after, end.order)
            marked = end.epoch + 1 if end.bumps else end.epoch
            decided = self._by_identity.get((end.transactional_id, end.producer_id, marked), [])
            yield end, parts, _between(decided, after, end.order)


def _overtaken(end: Ended, other: Ended) -> bool:
    """Whether an end was asked for before another one that was answered first: nobody waits for it any more."""
    if end.asked < other.asked:
        return True
    sent, then = ((one.connection, one.correlation_id) for one in (end, other))
    return end.broker == other.broker and sent < then


def torn_transaction(case: Case) -> Verdict:
    """A transaction that ended in one way, and parts of it in another, or not at all."""
    about = "a transaction was decided in one way, and a part of it ended in another or is gone"
    book = Book(case)
    torn: list[str] = []
    whole = waiting = 0
    for decided, parts in book.transactions:
        fates = [(part, _fate(book, decided, part)) for part in parts]
        bad = [f"{part} {fate}" for part, fate in fates if fate not in (GOOD, WAITING)]
        late = any(fate == WAITING for _, fate in fates)
        if bad:
            torn.append(f"{_named(case, decided)}: {', '.join(bad[:EXAMPLES])}")
        waiting += late and not bad
        whole += len({part.entry.place for part in parts}) > 1 and not late and not bad
    torn += _torn_by_the_past(book)
    if torn:
        return Verdict("torn_transaction", Outcome.VIOLATED, about, tuple(torn[:EXAMPLES]))
    besides = _forgotten(case)
    if waiting:
        besides = (f"of {waiting} more not all markers have arrived yet", *besides)
    if not whole:
        why = "no transaction with parts in several partitions has ended"
        return Verdict("torn_transaction", Outcome.NOT_EXERCISED, about, (why, *besides))
    evidence = (f"{whole} transactions in several partitions ended in one way everywhere", *besides)
    return Verdict("torn_transaction", Outcome.PROVED, about, evidence)


def _fate(book: Book, decided: Decided, part: Part) -> str:
    """What is wrong with a part of a transaction, or GOOD, or WAITING."""
    if book.gone(part):
        return "is gone" if decided.commit else GOOD
    commit, lost = book.end_of(part)
    if commit is None:
        if not lost or not decided.complete:
            return WAITING
        return "has lost its marker" if decided.commit else GOOD
    return GOOD if commit is decided.commit else f"was {how(commit=commit)}"


def _torn_by_the_past(book: Book) -> Iterator[str]:
    """Transactions of which an end that was asked for before has taken a part away."""
    for end, _, ends in book.told():
        for decided, its in ends:
            if decided.commit is not end.commit and its:
                yield (
                    f"{_asked(book.case, end)}, and {', '.join(map(str, its[:EXAMPLES]))} had been "
                    f"{how(commit=decided.commit)} at {book.case.at(decided.at_us)} by an end of before"
                )


def lost_transaction(case: Case) -> Verdict:
    """A transaction whose producer was told that it is committed, and of which nothing is there."""
    about = "a producer was told that its transaction is committed, and nothing of it is"
    book = Book(case)
    lost: list[str] = []
    kept = 0
    for end, parts, ends in book.told():
        if not end.commit or not parts:
            continue
        decided = [one for one, _ in ends if one.commit]
        if any(_is_there(book, part, decided) for part in parts):
            kept += 1
        else:
            lost.append(f"{_asked(case, end)}: {', '.join(_what(book, part) for part in parts[:EXAMPLES])}")
    if lost:
        return Verdict("lost_transaction", Outcome.VIOLATED, about, tuple(lost[:EXAMPLES]))
    if not kept:
        why = "no producer was told that a transaction with something in it is committed"
        return Verdict("lost_transaction", Outcome.NOT_EXERCISED, about, (why, *_forgotten(case)))
    evidence = (f"{kept} committed transactions are there", *_forgotten(case))
    return Verdict("lost_transaction", Outcome.PROVED, about, evidence)


def _forgotten(case: Case) -> tuple[str, ...]:
    return ("the oldest transactions are forgotten, and not judged",) if case.since else ()


def _is_there(book: Book, part: Part, decided: list[Decided]) -> bool:
    """Whether a part is committed, or will be."""
    if book.gone(part):
        return False
    commit, lost = book.end_of(part)
    if commit is None:
        return any(not lost or not one.complete for one in decided)
    return commit


def _what(book: Book, part: Part) -> str:
    if book.gone(part):
        return f"{part} is gone"
    commit, lost = book.end_of(part)
    if commit is not None:
        return f"{part} was {how(commit=commit)}"
    return f"{part} has lost its marker" if lost else f"of {part} nothing was decided"


def _named(case: Case, one: Decided) -> str:
    who = f"{one.transactional_id} (producer {one.producer_id}:{one.epoch})"
    return f"{who} was to be {how(commit=one.commit)} at {case.at(one.at_us)}"


def _asked(case: Case, end: Ended) -> str:
    who = f"{end.transactional_id} (producer {end.producer_id}:{end.epoch}, {end.client_id or '?'})"
    return f"{who} was told at {case.at(end.at_us)} that its transaction is {how(commit=end.commit)}"
