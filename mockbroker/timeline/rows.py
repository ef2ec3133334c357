"""The rows of a timeline: who asked for what, and when; routine folded, silence named, the end shown.

A failure is read by a person who has never seen this cluster, so a row is worth its line or it is folded into
another one; what a diagnosis speaks of always stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.core.event import ACT, CLOSED, CONNECTED, REFUSED, REQUEST, WAIT
from mockbroker.protocol.apis import Api
from mockbroker.timeline.evidence import Evidence, span
from mockbroker.timeline.places import counted
from mockbroker.timeline.reading import clean, errors, message_of
from mockbroker.timeline.sentences import faults_of, question, sentence

if TYPE_CHECKING:
    from mockbroker.core.event import Event
    from mockbroker.timeline.reading import Names

# As much as fits on a screen beside a traceback.
ROWS_MAX = 50
# A failure is told from its end; nobody scrolls further back than this, and telling costs time.
EVENTS_READ_MAX = 20_000

# As many parked requests are told with a wait that ended in vain.
PARKED_MAX = 8

# Silence of this length has a line of its own.
QUIET_US = 1_000_000
# An answer that took longer than this says how long.
WAITED_US = 100_000

# What clients do all the time; without errors it is folded.
_ROUTINE = frozenset({Api.HEARTBEAT, Api.METADATA, Api.API_VERSIONS, Api.FIND_COORDINATOR})
# The same failure over and over is folded when it was told so many rows ago or fewer.
_RECENT_ROWS = 6

WHO_WIDTH, ASKED_WIDTH, ANSWERED_WIDTH, LINE_MAX = 14, 42, 28, 180


@dataclass(slots=True)
class Row:
    """One line: the first event of its kind in a stretch, and how many more of it there were."""

    at_us: int
    who: str = ""
    where: str = ""
    asked: str = ""
    answered: str = ""
    standing: str = ""
    routine: bool = False
    failed: bool = False
    count: int = 1
    until_us: int = 0
    numbers: list[int] = field(default_factory=list)
    # A line by itself: silence, rows left out; and what belongs below it.
    plain: str = ""
    below: Sequence[str] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What rows must have in common to be one."""
        return self.who, self.asked, self.answered


def rows_of(evidence: Evidence) -> list[Row]:
    """All rows of the newest events, folded."""
    folding = _Folding()
    for event in list(evidence.events)[-EVENTS_READ_MAX:]:
        row = row_of(event, evidence.names)
        if row is not None:
            folding.add(row)
    rows = [*folding.finished(), *_unanswered(evidence)]
    return sorted(rows, key=lambda row: row.at_us)


def _unanswered(evidence: Evidence) -> Iterator[Row]:
    """Requests that are still owed an answer; a consumer's long poll is no news unless a rule holds it."""
    for begun in evidence.open:
        call = begun.call
        if call.api is not Api.FETCH or call.touched:
            row = Row(begun.at_us, clean(call.client_id, WHO_WIDTH) or "?", f"c{call.peer.ordinal}")
            row.asked = question(call, None, evidence.names)
            row.answered = f"no answer yet{faults_of(call)}"
            yield row


def row_of(event: Event, names: Names) -> Row | None:
    """An event as a row, or None where it is not worth one."""
    if event.kind == CONNECTED or (event.kind == CLOSED and not event.client_id):
        return None
    told = sentence(event, names)
    row = Row(event.at_us, asked=told.asked, answered=told.answered, numbers=[event.number])
    row.until_us = event.at_us
    if event.peer is not None:
        row.who = clean(event.client_id, WHO_WIDTH) or "?"
        row.where = f"c{event.connection}"
    elif event.kind == ACT and event.broker >= 0:
        row.who = "test"
        row.asked = f"broker {event.broker}: {told.asked}"
    elif event.kind in (ACT, WAIT):
        row.who = "test"
    row.routine = event.kind == CLOSED or _is_routine(event)
    row.failed = event.kind == REFUSED or bool(errors(event.response))
    if event.kind == REFUSED:
        row.answered = "connection closed"
    if event.kind == WAIT:
        row.plain = f"the test {clean(event.act, 160)}"
        parked = [str(one) for one in event.facts.get("parked", ())]
        more = len(parked) - PARKED_MAX
        row.below = [*parked[:PARKED_MAX], *([f"... and {more} more"] if more > 0 else [])]
    row.standing = event.standing
    if event.kind == REQUEST and event.at_us - event.arrived_us > WAITED_US and not row.routine:
        row.answered += f"  (after {span((event.at_us - event.arrived_us) / 1_000)})"
    return row


def _is_routine(event: Event) -> bool:
    if event.call is None or event.call.touched or errors(event.response):
        return False
    if event.call.api is Api.FETCH:
        message = message_of(event.response)
        topics = getattr(message, "responses", ())
        return message is not None and not any(part.records for topic in topics for part in topic.partitions)
    return event.call.api in _ROUTINE


class _Folding:
    """Rows as they come, routine ones gathered until something happens."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._stretch: dict[tuple[str, str, str], Row] = {}
        self._standing: dict[str, str] = {}

    def add(self, row: Row) -> None:
        if row.routine:
            self._gather(row)
        elif (before := self._told_lately(row)) is not None:
            _count(before, row)
        else:
            self._flush()
            self._tell_change(row)
            self._rows.append(row)

    def _gather(self, row: Row) -> None:
        same = self._stretch.setdefault(row.key, row)
        if same is not row:
            _count(same, row)

    def _told_lately(self, row: Row) -> Row | None:
        if not row.failed:
            return None
        return next((r for r in reversed(self._rows[-_RECENT_ROWS:]) if r.key == row.key), None)

    def _tell_change(self, row: Row) -> None:
        """How a group stands is told where it is news."""
        group = row.asked.split(" ")[1] if row.standing else ""
        if self._standing.get(group) == row.standing:
            row.standing = ""
        elif row.standing:
            self._standing[group] = row.standing

    def _flush(self) -> None:
        for row in self._stretch.values():
            row.standing = ""
        self._rows += sorted(self._stretch.values(), key=lambda row: row.at_us)
        self._stretch.clear()

    def finished(self) -> list[Row]:
        self._flush()
        return self._rows


def _count(row: Row, another: Row) -> None:
    row.count += 1
    row.until_us = another.at_us
    row.numbers += another.numbers
    if row.where != another.where:
        row.where = ""


def with_silence(rows: Sequence[Row], now_us: int) -> list[Row]:
    """The same, with a line wherever nothing happened for a while, up to now."""
    told: list[Row] = []
    latest = rows[0].at_us if rows else now_us
    for row in rows:
        if row.at_us - latest > QUIET_US:
            quiet = span((row.at_us - latest) / 1_000)
            what = f"no further request for {quiet}"
            if row.plain:
                row.plain = f"{what}: {row.plain}"
            else:
                told.append(Row(row.at_us, plain=f"nothing for {quiet}"))
        latest = max(latest, row.at_us, row.until_us)
        told.append(row)
    if now_us - latest > QUIET_US and not (rows and rows[-1].plain):
        told.append(Row(now_us, plain=f"no further request for {span((now_us - latest) / 1_000)}"))
    return told


def newest(rows: Sequence[Row], pinned: Collection[int], limit: int = ROWS_MAX) -> list[Row]:
    """The last `limit` rows, and those before them that tell one of the `pinned` events."""
    if len(rows) <= limit:
        return list(rows)
    kept: list[Row] = []
    left_out = 0
    for position, row in enumerate(rows):
        if position >= len(rows) - limit or any(number in pinned for number in row.numbers):
            if left_out:
                kept.append(Row(row.at_us, plain=f"{counted(left_out, 'row')} left out"))
                left_out = 0
            kept.append(row)
        else:
            left_out += 1
    return kept


def lines_of(rows: Iterable[Row], evidence: Evidence) -> list[str]:
    """The rows as text, in columns with their heads."""
    told = list(rows)
    who_width = min(max((len(row.who) for row in told), default=0), WHO_WIDTH)
    asked_width = min(max((len(row.asked) for row in told if row.answered), default=0), ASKED_WIDTH)
    lines = [f"{'t+ms':>8} {'who':<{who_width + 5}} what"]
    for row in told:
        lines.append(_line(row, evidence, who_width, asked_width).rstrip())
        lines += [f"{'':14}{below}" for below in row.below]
    return lines


def _line(row: Row, evidence: Evidence, who_width: int, asked_width: int) -> str:
    if row.plain:
        return f"{'':9}---- {row.plain} ----"
    times = "" if row.count == 1 else f"  (x {row.count} until {evidence.since_start(row.until_us):.1f})"
    answered = f" -> {row.answered}" if row.answered else ""
    standing = f"[{row.standing}]" if row.standing else ""
    what = f"{row.asked:<{asked_width}}{answered}" if answered else row.asked
    what = f"{what}{times}"
    if standing:
        what = f"{what:<{asked_width + ANSWERED_WIDTH}}  {standing}"
    at = f"{evidence.since_start(row.at_us):8.1f}"
    return f"{at} {row.who:<{who_width}} {row.where:<4} {what}"[:LINE_MAX]
