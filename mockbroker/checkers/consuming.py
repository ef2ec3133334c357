"""Verdicts about what consumers were given, and what they say that they have done.

A broker knows what it has sent and what was committed; it does not know what was processed.  So a record counts as
done when somebody tried to commit past it, and not when it was sent: what is fetched ahead and thrown away at a
rebalance is nobody's duplicate.  Redelivery, seeks and the `latest` race are things that correct clients do: they
are reported and tolerated.  Committing what nobody was given is not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mockbroker.checkers.producing import EXAMPLES, told
from mockbroker.checkers.ranges import NOTHING, served_ranges
from mockbroker.checkers.verdict import Outcome, Verdict
from mockbroker.ledger.fates import STORED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mockbroker.checkers.case import Aborted, Case
    from mockbroker.ledger.entries import Committed, Place, Resolved, Sent, Served

# A group in a partition.
Share = tuple[str, "Place"]


def commits_of(case: Case) -> Iterator[Committed]:
    """Commits of members that were kept."""
    return (commit for commit in case.committed if not commit.error and commit.by_member)


def where(place: Place, offset: int) -> str:
    """A record, as evidence has it."""
    return f"{place[0]}-{place[1]}@{offset}"


def duplicated_by_redelivery(case: Case) -> Verdict:
    """A record that was served to a group after one of its members had tried to commit past it."""
    about = "a record was served to a group again, after a member had tried to commit it"
    claims: dict[Share, list[Committed]] = defaultdict(list)
    for commit in case.committed:
        if commit.by_member:
            claims[commit.group, commit.place].append(commit)
    before: dict[Share, Served] = {}
    again: list[tuple[Served, Committed]] = []
    handovers = 0
    for served in case.heard:
        group = case.readers.group_of(served)
        if group is None:
            continue
        share = (group, served.place)
        handovers += share in before and before[share].connection != served.connection
        before[share] = served
        done = [
            claim for claim in claims[share] if claim.at_us < served.at_us and claim.offset > served.start
        ]
        if done:
            again.append((served, done[-1]))
    if again:
        evidence = tuple(_redelivered(case, *one) for one in again[:EXAMPLES])
        return Verdict("duplicated_by_redelivery", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not handovers:
        return Verdict("duplicated_by_redelivery", Outcome.NOT_EXERCISED, about, (_why_no_handover(case),))
    evidence = (f"{handovers} times another consumer or connection went on reading a partition",)
    return Verdict("duplicated_by_redelivery", Outcome.PROVED, about, evidence)


def _redelivered(case: Case, served: Served, claim: Committed) -> str:
    last = min(served.end, claim.offset) - 1
    records = where(served.place, served.start) + (f"-{last}" if last > served.start else "")
    how = f"was refused with {claim.error}" if claim.error else "was kept"
    if claim.lost:
        how = f"was not answered ({claim.error})" if claim.error else "was kept, and not answered"
    return (
        f"{records} served to {served.client_id} at {case.at(served.at_us)}; the commit of {claim.offset} by "
        f"{claim.client_id} at {case.at(claim.at_us)} {how}"
    )


def _why_no_handover(case: Case) -> str:
    unclear = sorted({one.client_id for one in case.heard if len(case.readers.groups(one.client_id)) > 1})
    if unclear:
        names = ", ".join(map(repr, unclear[:EXAMPLES]))
        return f"members of several groups have the client id {names}, so that nobody knows who read for whom"
    return "no partition was read by a second consumer"


def committed_ahead_of_delivery(case: Case) -> Verdict:
    """A member has committed past what its group was given: what lies between is skipped (at most once)."""
    about = "a member committed offsets that its group had not been given"
    reached: dict[Share, int] = {}
    ahead: list[tuple[Committed, int]] = []
    commits = 0
    for _, commit, known in sorted(_steps(case), key=lambda step: step[0]):
        for share, end in known:
            reached[share] = max(reached.get(share, 0), end)
        if commit is None:
            continue
        share = (commit.group, commit.place)
        if commit.by_member and not commit.by_test:
            commits += 1
            # Who has been given nothing commits where it began.
            if share in reached and commit.offset > reached[share]:
                ahead.append((commit, reached[share]))
        reached[share] = max(reached.get(share, 0), commit.offset)
    if ahead:
        evidence = tuple(
            f"{commit.client_id} committed {where(commit.place, commit.offset)} for {commit.group} at "
            f"{case.at(commit.at_us)}; the group had been given records up to {end - 1}"
            for commit, end in ahead[:EXAMPLES]
        )
        return Verdict("committed_ahead_of_delivery", Outcome.VIOLATED, about, evidence)
    if not commits:
        return Verdict("committed_ahead_of_delivery", Outcome.NOT_EXERCISED, about, (_who_committed(case),))
    evidence = (f"{commits} commits, none beyond what was delivered",)
    return Verdict("committed_ahead_of_delivery", Outcome.PROVED, about, evidence)


def _who_committed(case: Case) -> str:
    """Why no commit is evidence here."""
    if any(commit.by_test for commit in commits_of(case)):
        return "no application's member committed: the commits are by ghosts or by the test"
    return "no member committed"


def _steps(case: Case) -> Iterator[tuple[int, Committed | None, list[tuple[Share, int]]]]:
    """What groups came to know of their partitions, and what they committed, with the time of each.

    An offset that was looked up counts as known: consumers commit the place where they begin.
    """
    groups = case.readers.groups
    for served in case.heard:
        yield served.at_us, None, [((g, served.place), served.end) for g in groups(served.client_id)]
    for one in case.resolved:
        yield one.at_us, None, [((g, one.place), one.offset) for g in groups(one.client_id)]
    for commit in case.committed:
        if not commit.error:
            yield commit.at_us, commit, []


def never_delivered(case: Case) -> Verdict:
    """A record that was there before a consumer looked for the end, to begin behind it: the `latest` race."""
    about = "a record was stored before a consumer that begins at `latest` had its place"
    looked = [one for one in case.resolved if one.latest and _begins_there(case, one)]
    missed: list[tuple[Sent, Resolved]] = []
    for resolved in looked:
        given = served_ranges(
            served for group in case.readers.groups(resolved.client_id) for served in case.given(group)
        ).get(resolved.place, NOTHING)
        missed += [
            (sent, resolved)
            for sent, state in case.with_states()
            if sent.place == resolved.place and state == STORED and not sent.duplicate
            if sent.at_us < resolved.at_us and sent.end_offset <= resolved.offset
            if not given.covers(sent.base_offset, sent.end_offset)
        ]
    if missed:
        evidence = tuple(
            f"{told(case, sent)}, {(resolved.at_us - sent.at_us) / 1_000:.1f} ms before {resolved.client_id} was told "
            f"that the end is {resolved.offset}"
            for sent, resolved in missed[-EXAMPLES:]
        )
        return Verdict("never_delivered", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not looked:
        return Verdict("never_delivered", Outcome.NOT_EXERCISED, about, ("no consumer began at `latest`",))
    evidence = (f"{len(looked)} times a consumer began at the end, and nothing had been stored just before",)
    return Verdict("never_delivered", Outcome.PROVED, about, evidence)


def _begins_there(case: Case, resolved: Resolved) -> bool:
    """Whether a member of a group has read nothing before the end that it was told; else it only wanted to know."""
    if not case.readers.groups(resolved.client_id):
        return False
    return not any(
        one.start < resolved.offset
        for one in case.heard
        if (one.client_id, one.place) == (resolved.client_id, resolved.place)
    )


def gap_in_consumption(case: Case) -> Verdict:
    """Records that a group has passed by commits and that none of its members was given, since it began to read."""
    about = "a group has committed past records that it was never given"
    ends: dict[Share, int] = {}
    for commit in commits_of(case):
        share = (commit.group, commit.place)
        ends[share] = max(ends.get(share, 0), commit.offset)
    skipped: list[tuple[str, Sent]] = []
    for (group, place), end in ends.items():
        given = [one for one in case.given(group) if one.place == place]
        start = min((one.start for one in given), default=end)
        ranges = served_ranges(given).get(place, NOTHING)
        skipped += [
            (group, sent)
            for sent, state in case.with_states()
            if sent.place == place and state == STORED and not sent.duplicate
            if start <= sent.base_offset and sent.end_offset <= end
            if not ranges.covers(sent.base_offset, sent.end_offset)
        ]
    if skipped:
        evidence = tuple(f"{group} has passed {told(case, sent)}" for group, sent in skipped[:EXAMPLES])
        return Verdict("gap_in_consumption", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not ends:
        return Verdict("gap_in_consumption", Outcome.NOT_EXERCISED, about, ("no member committed",))
    return Verdict("gap_in_consumption", Outcome.PROVED, about, (f"{len(ends)} partitions without a gap",))


def aborted_read(case: Case) -> Verdict:
    """Records of an aborted transaction, given to a consumer that reads uncommitted ones as well (Jepsen's G1a)."""
    about = "records of an aborted transaction were given to a consumer"
    read: list[tuple[Served, Sent]] = []
    passed = 0
    for aborted in case.aborted:
        batches = _batches_of(case, aborted)
        for one in case.heard:
            there = [sent for sent in batches if one.start < sent.end_offset and sent.base_offset < one.end]
            if not there or one.place != aborted.place:
                continue
            if one.committed_only:
                passed += 1
            else:
                read.append((one, there[0]))
    if read:
        evidence = tuple(
            f"{told(case, sent)}, to {one.client_id} at {case.at(one.at_us)}, which reads with "
            "isolation.level=read_uncommitted"
            for one, sent in read[:EXAMPLES]
        )
        return Verdict("aborted_read", Outcome.VIOLATED, about, evidence, tolerated=True)
    if not passed:
        why = (
            "no transaction was aborted"
            if not case.aborted
            else "nobody read where a transaction was aborted"
        )
        return Verdict("aborted_read", Outcome.NOT_EXERCISED, about, (why,))
    evidence = (f"{passed} fetches of read_committed consumers passed aborted records",)
    return Verdict("aborted_read", Outcome.PROVED, about, evidence)


def _batches_of(case: Case, aborted: Aborted) -> list[Sent]:
    return [
        sent
        for sent in case.present()
        if sent.place == aborted.place and sent.producer_id == aborted.producer_id and sent.transactional
        if aborted.start <= sent.base_offset <= aborted.end
    ]


def not_served(case: Case, served: Iterable[Served]) -> list[Sent]:
    """Batches that are stored, that consumers can read, and that are not among what was served."""
    ranges = served_ranges(served)
    return [
        sent
        for sent, state in case.with_states()
        if state == STORED and not sent.duplicate
        if not ranges.get(sent.place, NOTHING).covers(sent.base_offset, sent.end_offset)
    ]
