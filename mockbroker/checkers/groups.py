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
    shared = 0
    for group, past in case.generations.items():
        for generation in past:
            shared += len(generation.members) > 1
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
    if not shared:
        why = "no generation had two members"
        return Verdict("partition_owned_twice", Outcome.NOT_EXERCISED, about, (why,))
    evidence = (f"{shared} generations with two members or more",)
    return Verdict("partition_owned_twice", Outcome.PROVED, about, evidence)


def zombie_commit(case: Case) -> Verdict:
    """A commit for a partition that belonged to somebody else by then; those that were refused are the proof (I6).

    A coordinator looks at member and generation, and not at who owns what: in its own generation a member may
    commit what was taken from it.
    """
    about = "a member has committed for a partition that was another's by then"
    taken = [
        (commit, owners)
        for commit in case.committed
        if not commit.error and commit.by_member and not commit.by_test
        if (owners := _owners_then(case, commit)) and commit.member not in owners
    ]
    if taken:
        evidence = tuple(
            f"{commit.client_id} ({commit.member}) committed {where(commit.place, commit.offset)} for {commit.group} "
            f"at {case.at(commit.at_us)}; in generation {commit.generation} it belonged to {owners[0]}"
            for commit, owners in taken[:EXAMPLES]
        )
        return Verdict("zombie_commit", Outcome.VIOLATED, about, evidence)
    refused = [commit for commit in case.committed if commit.error in STALE]
    if not refused:
        return Verdict("zombie_commit", Outcome.NOT_EXERCISED, about, ("no member of the past tried",))
    first = refused[0]
    evidence = (
        f"{len(refused)} refused, the first of {first.client_id} at {case.at(first.at_us)} ({first.error})",
    )
    return Verdict("zombie_commit", Outcome.PROVED, about, evidence)


def _owners_then(case: Case, commit: Committed) -> list[str]:
    """Who owned a partition in the generation in which somebody committed for it."""
    past = [one for one in case.generations.get(commit.group, ()) if one.at_us <= commit.at_us]
    if not past or past[-1].generation != commit.generation:
        return []
    return past[-1].owners(*commit.place)


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
