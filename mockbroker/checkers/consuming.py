"""Verdicts about what consumers were given, and what they say that they have done.

A broker knows what it has sent and what was committed; it does not know what was processed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mockbroker.checkers.producing import EXAMPLES, told
from mockbroker.checkers.ranges import NOTHING, served_ranges
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.ledger.fates import STORED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockbroker.checkers.case import Case
    from mockbroker.ledger.entries import Committed, Place, Resolved, Sent, Served


def clients_of(case: Case, group: str) -> set[str]:
    """The client ids of a group's members, as far as is known."""
    return {joined.client_id for joined in case.joined if joined.group == group}


def commits_of(case: Case, group: str | None = None) -> Iterator[Committed]:
    """Commits of members that were kept."""
    return (
        commit
        for commit in case.committed
        if not commit.error and commit.by_member and group in (None, commit.group)
    )


def where(place: Place, offset: int) -> str:
    """A record, as evidence has it."""
    return f"{place[0]}-{place[1]}@{offset}"


def duplicated_by_redelivery(case: Case) -> Verdict:
    """A record that was served to a group again, after it had been served before: at-least-once at work."""
    about = "a record was served to a group twice"
    seen: dict[tuple[str, Place], Served] = {}
    again: list[tuple[Served, Served]] = []
    groups_of = _groups_by_client(case)
    handovers = 0
    for served in case.served:
        for group in groups_of.get(served.client_id, ()):
            before = seen.get((group, served.place))
            if before is not None and before.connection != served.connection:
                handovers += 1
            if before is not None and served.start < before.end:
                again.append((before, served))
            if before is None or served.end > before.end:
                seen[group, served.place] = served
    if again:
        evidence = tuple(
            f"{where(after.place, after.start)} to {after.client_id} at {case.at(after.at_us)}, and to "
            f"{before.client_id} at {case.at(before.at_us)}{_lost_commit(case, after)}"
            for before, after in again[:EXAMPLES]
        )
        return Verdict("duplicated_by_redelivery", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not handovers:
        return Verdict(
            "duplicated_by_redelivery",
            Outcome.NOT_EXERCISED,
            about,
            ("no partition was read by a second consumer",),
        )
    return Verdict(
        "duplicated_by_redelivery", Outcome.PROVED, about, (f"{handovers} partitions changed hands",)
    )


def _groups_by_client(case: Case) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for joined in case.joined:
        groups[joined.client_id].add(joined.group)
    return groups


def _lost_commit(case: Case, served: Served) -> str:
    """The commit that would have prevented it, if there was one that failed."""
    for commit in case.committed:
        if commit.place == served.place and commit.at_us < served.at_us and commit.offset > served.start:
            if commit.error:
                return f"; a commit of {commit.offset} was refused with {commit.error}"
            if commit.lost:
                return f"; a commit of {commit.offset} was not answered"
    return ""


def committed_ahead_of_delivery(case: Case) -> Verdict:
    """A member has committed records that nobody of its group was given: what is there is skipped (at most once)."""
    about = "a member committed offsets that its group had not been given"
    groups_of = _groups_by_client(case)
    reached: dict[tuple[str, Place], int] = {}
    served = iter([*case.served, None])
    following = next(served)
    ahead: list[tuple[Committed, int]] = []
    commits = 0
    for commit in commits_of(case):
        while following is not None and following.at_us <= commit.at_us:
            for group in groups_of.get(following.client_id, ()):
                key = (group, following.place)
                reached[key] = max(reached.get(key, 0), following.end)
            following = next(served)
        commits += 1
        end = reached.get((commit.group, commit.place))
        # Who has read nothing may commit where it began.
        if end is not None and commit.offset > end:
            ahead.append((commit, end))
    if ahead:
        evidence = tuple(
            f"{commit.client_id} committed {where(commit.place, commit.offset)} at {case.at(commit.at_us)}, served up "
            f"to {end}"
            for commit, end in ahead[:EXAMPLES]
        )
        return Verdict("committed_ahead_of_delivery", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not commits:
        return Verdict("committed_ahead_of_delivery", Outcome.NOT_EXERCISED, about, ("no member committed",))
    return Verdict(
        "committed_ahead_of_delivery", Outcome.PROVED, about, (f"{commits} commits behind delivery",)
    )


def never_delivered(case: Case) -> Verdict:
    """A record that was there before a consumer looked for the end, to begin behind it: the `latest` race."""
    about = "a record was stored before a consumer that begins at `latest` had its place"
    missed: list[tuple[Sent, Resolved]] = []
    readers = _groups_by_client(case)
    ranges = served_ranges(case.served)
    looked = [resolved for resolved in case.resolved if resolved.client_id in readers]
    for resolved in looked:
        for sent, state in zip(case.sent, case.states, strict=True):
            before = sent.stored and sent.at_us < resolved.at_us and sent.end_offset <= resolved.offset
            if not before or sent.place != resolved.place or state != STORED:
                continue
            if not ranges.get(sent.place, NOTHING).covers(sent.base_offset, sent.end_offset):
                missed.append((sent, resolved))
    if missed:
        evidence = tuple(
            f"{told(case, sent)}, {(resolved.at_us - sent.at_us) / 1_000:.1f} ms before {resolved.client_id} was told "
            f"that the end is {resolved.offset}"
            for sent, resolved in missed[-EXAMPLES:]
        )
        return Verdict("never_delivered", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not looked:
        return Verdict("never_delivered", Outcome.NOT_EXERCISED, about, ("no consumer began at `latest`",))
    return Verdict("never_delivered", Outcome.PROVED, about, (f"{len(looked)} times the end was asked for",))


def gap_in_consumption(case: Case) -> Verdict:
    """Records that a group has passed by commits and that none of its members was given."""
    about = "a group has committed past records that it was never given"
    skipped: list[tuple[str, Sent]] = []
    groups_of = _groups_by_client(case)
    ends: dict[tuple[str, Place], int] = {}
    starts: dict[tuple[str, Place], int] = {}
    for commit in commits_of(case):
        key = (commit.group, commit.place)
        ends[key] = max(ends.get(key, 0), commit.offset)
    for served in case.served:
        for group in groups_of.get(served.client_id, ()):
            key = (group, served.place)
            starts[key] = min(starts.get(key, served.start), served.start)
    by_group = {
        group: served_ranges(one for one in case.served if group in groups_of.get(one.client_id, ()))
        for group, _ in ends
    }
    for (group, place), end in ends.items():
        start, ranges = starts.get((group, place), end), by_group[group].get(place, NOTHING)
        skipped += [
            (group, sent)
            for sent, state in zip(case.sent, case.states, strict=True)
            if sent.place == place
            and state == STORED
            and start <= sent.base_offset
            and sent.end_offset <= end
            if not ranges.covers(sent.base_offset, sent.end_offset)
        ]
    if skipped:
        evidence = tuple(f"{group} has passed {told(case, sent)}" for group, sent in skipped[:EXAMPLES])
        return Verdict("gap_in_consumption", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not ends:
        return Verdict("gap_in_consumption", Outcome.NOT_EXERCISED, about, ("no member committed",))
    return Verdict("gap_in_consumption", Outcome.PROVED, about, (f"{len(ends)} partitions without a gap",))


def aborted_read(case: Case) -> Verdict:
    """A consumer of committed records was given some that were not decided yet (I4; Jepsen's G1a)."""
    about = "a reader of committed records was given records of a transaction that was open"
    committed = [one for one in case.served if one.committed_only]
    beyond = [one for one in committed if 0 <= one.last_stable < one.end and _whole(case, one)]
    if beyond:
        evidence = tuple(
            f"{where(one.place, one.end - 1)} to {one.client_id} at {case.at(one.at_us)}, with the last stable offset "
            f"at {one.last_stable}"
            for one in beyond[:EXAMPLES]
        )
        return Verdict("aborted_read", Outcome.VIOLATED, about, evidence)
    if not committed or not any(sent.transactional for sent in case.sent):
        why = "no transaction met a reader of committed records"
        return Verdict("aborted_read", Outcome.NOT_EXERCISED, about, (why,))
    return Verdict(
        "aborted_read", Outcome.PROVED, about, (f"{len(committed)} fetches below the last stable offset",)
    )


def _whole(case: Case, one: Served) -> bool:
    """Whether the last batch that was sent begins beyond the limit, too: a batch across it is cut by nobody."""
    return any(
        sent.place == one.place and sent.base_offset >= one.last_stable and sent.end_offset <= one.end
        for sent in case.sent
        if sent.stored
    )
