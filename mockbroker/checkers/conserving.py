"""Conservation: what was read of one topic is in another one, each record once and nothing else.

Which input an output was made of only the test can say.  All else is judged by what consumers of committed records
can read, so that the output of an aborted transaction counts for nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockbroker.checkers.consuming import where
from mockbroker.checkers.effects import passed, record_told
from mockbroker.checkers.producing import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Place


@dataclass(frozen=True, slots=True)
class Output:
    """A committed record of the output, and partition and offset of the input that it was made of, if any."""

    place: Place
    offset: int
    key: bytes | None
    producer_id: int
    source: tuple[int, int] | None


@dataclass(frozen=True)
class Flow:
    """From one topic into another.  The records of the first are in the case, as `readable`.

    `writers` are transactional ids by producer id.  `committed` is what the group has committed, by partition.
    """

    topic: str
    outputs: Sequence[Output]
    writers: Mapping[int, str] = field(default_factory=dict)
    group: str | None = None
    committed: Mapping[int, int] = field(default_factory=dict)


def not_conserved(case: Case, flow: Flow) -> list[str]:
    """What is wrong, three examples of each kind; nothing where all was conserved."""
    made: dict[tuple[Place, int], list[Output]] = defaultdict(list)
    nowhere: list[Output] = []
    for output in flow.outputs:
        source = None if output.source is None else ((flow.topic, output.source[0]), output.source[1])
        if source is None or not _was_there(case, *source):
            nowhere.append(output)
        else:
            made[source].append(output)
    inputs = [(place, offset) for place, found in case.readable.items() for offset in found.keys]
    twice = [one for one in made.items() if len(one[1]) > 1]
    missing = [one for one in inputs if one not in made]
    unlike = list(_uncommitted(case, flow, made))
    found = [
        *_kind(
            "twice in the committed output",
            len(twice),
            [_twice(case, flow, *one) for one in twice[:EXAMPLES]],
        ),
        *_kind(
            "missing from the committed output",
            len(missing),
            [_missing(case, *o) for o in missing[:EXAMPLES]],
        ),
        *_kind("from nowhere", len(nowhere), [_nowhere(case, flow, one) for one in nowhere[:EXAMPLES]]),
        *_kind("not as the group has committed", len(unlike), unlike[:EXAMPLES]),
    ]
    if found and case.dropped:
        found.append(f"the ledger has forgotten its oldest {case.dropped} batches, and who sent them")
    return found


def _was_there(case: Case, place: Place, offset: int) -> bool:
    """Whether it is an input, or may have been one that retention has deleted."""
    found = case.readable.get(place)
    return found is not None and (0 <= offset < found.start or offset in found.keys)


def _kind(what: str, total: int, told: list[str]) -> Iterator[str]:
    if told:
        more = f"; and {total - len(told)} more" if total > len(told) else ""
        yield f"{total} {what}: {'; '.join(told)}{more}"


def _twice(case: Case, flow: Flow, source: tuple[Place, int], outputs: Sequence[Output]) -> str:
    told = " and ".join(_output(case, flow, one) for one in outputs[:EXAMPLES])
    return f"{record_told(case, *source)} became {len(outputs)} records, {told}"


def _missing(case: Case, place: Place, offset: int) -> str:
    commit = passed(case, place, offset)
    return f"{record_told(case, place, offset)}, and {commit or 'no group has committed past it'}"


def _nowhere(case: Case, flow: Flow, one: Output) -> str:
    if one.source is None:
        return f"{_output(case, flow, one)} has no source"
    place = (flow.topic, one.source[0])
    return f"{_output(case, flow, one)} says {where(place, one.source[1])}, and no committed record is there"


def _output(case: Case, flow: Flow, one: Output) -> str:
    """An output, and who wrote it: the transactional id where there is one, else the client."""
    key = "" if one.key is None else f" key={one.key!r}"
    sent = next((s for s in case.sent if s.place == one.place and s.holds(one.offset)), None)
    writer = f" from {sent.client_id or '?'} at {case.at(sent.at_us)}" if sent is not None else ""
    if one.producer_id >= 0:
        name = flow.writers.get(one.producer_id)
        epoch = f":{sent.producer_epoch}" if sent is not None else ""
        producer = f"producer {one.producer_id}{epoch}"
        writer += f" ({producer})" if name is None else f" (transactional id {name!r}, {producer})"
    return f"{where(one.place, one.offset)}{key}{writer}"


def _uncommitted(case: Case, flow: Flow, made: Mapping[tuple[Place, int], object]) -> Iterator[str]:
    """Where the group has committed less than was transformed, or more."""
    if flow.group is None:
        return
    for place, found in sorted(case.readable.items()):
        committed = flow.committed.get(place[1], 0)
        less = [offset for offset in found.keys if offset >= committed and (place, offset) in made]
        more = [offset for offset in found.keys if offset < committed and (place, offset) not in made]
        name = f"{flow.group} has committed {committed} of {place[0]}-{place[1]}"
        if less:
            yield f"{name}, and {record_told(case, place, less[0])} is transformed ({len(less)} such)"
        if more:
            yield f"{name}, and {record_told(case, place, more[0])} is not transformed ({len(more)} such)"
        if committed > found.end:
            yield f"{name}, which ends at {found.end}"
