"""Verdicts about groups: who owned what, and whose word was taken.

Pure functions of a case, like all checkers.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mockbroker.checkers.consuming import where
from mockbroker.checkers.producing import EXAMPLES
from mockbroker.checkers.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Committed, Place

# What a coordinator says to members of the past.
STALE = frozenset({"ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID", "STALE_MEMBER_EPOCH"})


def partition_owned_twice(case: Case) -> Verdict:
    """One partition in the assignments of two members of one generation (I5)."""
    about = "two members of one generation owned the same partition"
    twice: list[str] = []
    generations = 0
    for group, past in case.generations.items():
        for generation in past:
            generations += bool(generation.members)
            owners: dict[Place, list[str]] = defaultdict(list)
            for member, owned in generation.members.items():
                for topic, indexes in (owned or {}).items():
                    for index in indexes:
                        owners[topic, index].append(member)
            twice += [
                f"{place[0]}-{place[1]} in generation {generation.generation} of {group}: {' and '.join(members)}"
                for place, members in sorted(owners.items())
                if len(members) > 1
            ]
    if twice:
        return Verdict("partition_owned_twice", Outcome.VIOLATED, about, tuple(twice[:EXAMPLES]))
    if not generations:
        return Verdict("partition_owned_twice", Outcome.NOT_EXERCISED, about, ("no group had members",))
    return Verdict("partition_owned_twice", Outcome.PROVED, about, (f"{generations} generations",))


def zombie_commit(case: Case) -> Verdict:
    """A commit of a generation that was over, taken all the same (I6); the refused ones are the proof."""
    about = "a member of the past has committed"
    taken: list[tuple[Committed, int]] = []
    refused = [commit for commit in case.committed if commit.error in STALE]
    newest: dict[str, int] = {}
    for commit in case.committed:
        if commit.error or not commit.by_member:
            continue
        known = newest.get(commit.group, -1)
        if commit.generation < known:
            taken.append((commit, known))
        newest[commit.group] = max(known, commit.generation)
    if taken:
        evidence = tuple(
            f"{commit.client_id} committed {where(commit.place, commit.offset)} of {commit.group} in generation "
            f"{commit.generation} at {case.at(commit.at_us)}, after generation {known} had"
            for commit, known in taken[:EXAMPLES]
        )
        return Verdict("zombie_commit", Outcome.VIOLATED, about, evidence)
    if not refused:
        return Verdict("zombie_commit", Outcome.NOT_EXERCISED, about, ("no member of the past tried",))
    first = refused[0]
    evidence = (
        f"{len(refused)} refused, the first of {first.client_id} at {case.at(first.at_us)} ({first.error})",
    )
    return Verdict("zombie_commit", Outcome.PROVED, about, evidence)


def committed_backwards(case: Case) -> Verdict:
    """A member's commit that lies before an earlier one of its group (I7): a seek, or a lost place."""
    about = "a group's committed offset has gone back"
    newest: dict[tuple[str, Place], Committed] = {}
    back: list[tuple[Committed, Committed]] = []
    commits = 0
    for commit in case.committed:
        if commit.error or not commit.by_member:
            continue
        commits += 1
        key = (commit.group, commit.place)
        known = newest.get(key)
        if known is not None and commit.offset < known.offset:
            back.append((known, commit))
        newest[key] = commit
    if back:
        evidence = tuple(
            f"{after.group} went from {where(before.place, before.offset)} to {after.offset}, by {after.client_id} at "
            f"{case.at(after.at_us)}"
            for before, after in back[:EXAMPLES]
        )
        return Verdict("committed_backwards", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not commits:
        return Verdict("committed_backwards", Outcome.NOT_EXERCISED, about, ("no member committed",))
    return Verdict("committed_backwards", Outcome.PROVED, about, (f"{commits} commits, all forward",))
