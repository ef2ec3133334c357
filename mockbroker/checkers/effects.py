"""Verdicts about what an application says that it has done: the effect of each record, once.

At-least-once delivery has effects happen twice, and a commit ahead of the work has them not happen at all: both are
reported and tolerated, for only the test knows what was promised.  The evidence says how it came about, as far as
the brokers have seen: who was given the record, and whether it was committed before it was done again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

from mockbroker.checkers.consuming import where
from mockbroker.checkers.producing import EXAMPLES
from mockbroker.checkers.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Committed, Effect, Place, Served

_NONE_RECORDED = "no effect was recorded: `cluster.effects.done(topic, partition, offset)` does it"


def effect_twice(case: Case) -> Verdict:
    """An effect of one kind that has happened to one record more than once."""
    about = "the effect of a record has happened more than once"
    done: dict[tuple[Place, int, str], list[Effect]] = defaultdict(list)
    for effect in case.effects:
        done[effect.place, effect.offset, effect.what].append(effect)
    twice = [effects for effects in done.values() if len(effects) > 1]
    if twice:
        evidence = _examples([_how_twice(case, effects) for effects in twice[:EXAMPLES]], len(twice))
        return Verdict("effect_twice", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not done:
        return Verdict("effect_twice", Outcome.NOT_EXERCISED, about, (_NONE_RECORDED,))
    again = _served_again(case, {(place, offset) for place, offset, _ in done})
    evidence = (f"{len(done)} effects, each once; {again or 'none'} of their records served more than once",)
    outcome = Outcome.PROVED if again else Outcome.NOT_EXERCISED
    return Verdict("effect_twice", outcome, about, evidence)


def effect_missing(case: Case) -> Verdict:
    """A record that consumers can read, of a topic with effects, and that has none."""
    about = "a committed record has had no effect"
    if not case.effects:
        return Verdict("effect_missing", Outcome.NOT_EXERCISED, about, (_NONE_RECORDED,))
    missing = without_effect(case)
    if missing:
        evidence = missing_told(case, missing)
        return Verdict("effect_missing", Outcome.VIOLATED, about, evidence, tolerated=True)
    evidence = (
        f"{sum(len(one.keys) for one in case.readable.values())} committed records have their effect",
    )
    return Verdict("effect_missing", Outcome.PROVED, about, evidence)


def without_effect(case: Case) -> list[tuple[Place, int]]:
    """The committed records without an effect.

    Those are left out whose effect may have been forgotten for newer ones.
    """
    done = {(effect.place, effect.offset) for effect in case.effects}
    return [
        (place, offset)
        for place, found in case.readable.items()
        for offset in found.keys
        if (place, offset) not in done and offset > case.effects_forgotten.get(place, -1)
    ]


def missing_told(case: Case, missing: Sequence[tuple[Place, int]]) -> tuple[str, ...]:
    """Evidence for records without an effect: three at most."""
    return _examples([_how_missing(case, *one) for one in missing[:EXAMPLES]], len(missing))


def record_told(case: Case, place: Place, offset: int) -> str:
    """A record by its place, and by its key where it has one."""
    found = case.readable.get(place)
    key = None if found is None else found.keys.get(offset)
    return where(place, offset) + ("" if key is None else f" key={key!r}")


def passed(case: Case, place: Place, offset: int) -> str:
    """Who has committed past a record first, in a few words; "" for nobody."""
    for one in case.committed:
        if one.place == place and one.offset > offset and not one.error:
            return f"{one.group} had committed {one.offset} at {case.at(one.at_us)}"
    return ""


def _examples(told: list[str], total: int) -> tuple[str, ...]:
    return (*told, f"and {total - len(told)} more") if total > len(told) else tuple(told)


def _how_missing(case: Case, place: Place, offset: int) -> str:
    given = _deliveries(case, place, offset)
    served = f"served to {given[0].client_id} at {case.at(given[0].at_us)}" if given else "never served"
    commit = passed(case, place, offset)
    fate = f"{commit}, so that nobody will be given it again" if commit else "no group has committed past it"
    return f"{record_told(case, place, offset)} has had no effect: {served}; {fate}"


def _how_twice(case: Case, effects: Sequence[Effect]) -> str:
    first, second = effects[0], effects[1]
    times = ", ".join(case.at(effect.at_us) for effect in effects[:EXAMPLES])
    what = repr(first.what) if first.what else "its effect"
    head = f"{record_told(case, first.place, first.offset)}: {what} happened {len(effects)} times ({times})"
    return "; ".join([head, *_reasons(case, first, second)])


def _reasons(case: Case, first: Effect, second: Effect) -> Iterator[str]:
    """Why something was done again, as far as the brokers know."""
    yield _claim(case, second)
    given = [one for one in _deliveries(case, first.place, first.offset) if one.at_us <= second.at_us]
    if len(given) > 1:
        readers = ", ".join(f"to {one.client_id} at {case.at(one.at_us)}" for one in given[-EXAMPLES:])
        yield f"it was served {readers}"
    else:
        yield f"it had been served {'once' if given else 'to nobody'} by then"
    groups = {group for one in given for group in case.readers.groups(one.client_id)}
    for group in sorted(groups):
        begun = [
            str(one.generation)
            for one in case.generations.get(group, ())
            if first.at_us < one.at_us <= second.at_us
        ]
        if begun:
            numbers = f"generation{'s' * (len(begun) > 1)} {', '.join(begun[-EXAMPLES:])}"
            yield f"{numbers} of {group} began between the two"


def _claim(case: Case, second: Effect) -> str:
    """Whether the record had been committed before it was done again."""
    claims = [
        one
        for one in case.committed
        if one.place == second.place and one.offset > second.offset and one.at_us <= second.at_us
    ]
    kept = [one for one in claims if not one.error]
    if kept:
        return f"its offset was committed before the second ({_commit(case, kept[-1])})"
    if claims:
        return f"its offset was not committed before the second ({_commit(case, claims[-1])})"
    return "its offset was not committed before the second, and nobody had tried to"


def _commit(case: Case, one: Committed) -> str:
    how = f"was refused with {one.error}" if one.error else "was kept"
    if one.lost:
        how = f"was not answered, and not kept ({one.error})" if one.error else "was kept, and not answered"
    return f"the commit of {one.offset} by {one.client_id} for {one.group} at {case.at(one.at_us)} {how}"


def _served_again(case: Case, records: set[tuple[Place, int]]) -> int:
    """How many of these records were in two answers to fetches or more."""
    starts: dict[Place, list[int]] = defaultdict(list)
    ends: dict[Place, list[int]] = defaultdict(list)
    for one in case.heard:
        starts[one.place].append(one.start)
        ends[one.place].append(one.end)
    for offsets in (*starts.values(), *ends.values()):
        offsets.sort()
    return sum(
        bisect_right(starts[place], offset) - bisect_right(ends[place], offset) > 1
        for place, offset in records
        if place in starts
    )


def _deliveries(case: Case, place: Place, offset: int) -> list[Served]:
    return [one for one in case.heard if one.place == place and one.start <= offset < one.end]
