"""Groups in trouble: commits of the past, members that fell silent, rebalances that do not end.

Goes by the answers that members got, by the generations that a group has been through, and by who has not come to
the one that is due.
"""

from __future__ import annotations

import re
from typing import Any

from mockbroker.core.event import REQUEST, Event
from mockbroker.core.groups.views import Generation
from mockbroker.protocol.apis import Api
from mockbroker.timeline.diagnoses.finding import Diagnosis
from mockbroker.timeline.evidence import Evidence, GroupFacts, MemberFacts, span
from mockbroker.timeline.places import listed, places
from mockbroker.timeline.reading import clean, errors, groups
from mockbroker.timeline.sentences import sentence
from mockbroker.timeline.sentences_groups import member

# The errors of a commit that comes from a generation, or a member, of the past.
_STALE = {"ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID"}
_SILENT = "sent no heartbeat for its session timeout"
_REBALANCING = ("PreparingRebalance", "CompletingRebalance")
_SENTENCE_MAX = 200


def zombie_commit(evidence: Evidence) -> list[Diagnosis]:
    """Commits that were refused because the group had gone on without the committer."""
    found: dict[tuple[str, str], Diagnosis] = {}
    for event in evidence.events:
        if event.call is None or event.call.api is not Api.OFFSET_COMMIT:
            continue
        stale = [name for name in errors(event.response) if name in _STALE]
        if stale:
            found[event.client_id, event.call.body.group_id] = _zombie(event, stale[0], evidence)
    return list(found.values())


def _zombie(event: Event, error: str, evidence: Evidence) -> Diagnosis:
    assert event.call is not None
    body = event.call.body
    name, generation = clean(body.group_id), body.generation_id_or_member_epoch
    offsets = listed(f"{place}@{place.part.committed_offset}" for place in places(body, evidence.names))
    group = evidence.groups.get(body.group_id, GroupFacts(body.group_id))
    later = [one for one in group.generations if one.generation > generation and one.at_ms <= event.at_ms]
    why = (
        f"generation {later[0].generation} had begun {span(event.at_ms - later[0].at_ms)} before"
        f"{_because(later[0])}"
        if later
        else f"member {member(body.member_id)} was no longer in the group"
    )
    owners = _owners(body, later[-1] if later else None, evidence)
    return Diagnosis(
        f"{clean(event.client_id) or 'A client'} committed {offsets} for group {name} in generation "
        f"{generation}, but {why}: {error}, nothing was committed.",
        f"What it had processed since its last commit is delivered again{owners}. It was out of the group: "
        "look for a poll() that took too long, or for a commit after on_revoke.",
        (event.number,),
    )


def _because(generation: Generation) -> str:
    return f" ({_names(generation.reason)})" if generation.reason else ""


def _owners(body: Any, generation: Generation | None, evidence: Evidence) -> str:
    """Who has the partitions now that were committed."""
    if generation is None:
        return ""
    owned = {
        (topic, index): owner
        for owner, partitions in generation.members.items()
        for topic, indexes in (partitions or {}).items()
        for index in indexes
    }
    now = {member(owned[place.key]) for place in places(body, evidence.names) if place.key in owned} - {
        member(body.member_id)
    }
    return f", to {listed(sorted(now))}" if now else ""


def _names(reason: str) -> str:
    """A reason with its member ids cut to what tells them apart."""
    return clean(" ".join(_short(word) for word in reason.split(" ")), _SENTENCE_MAX)


def _short(word: str) -> str:
    bare = re.sub(r"[:,]$", "", word)
    return member(bare) + word[len(bare) :] if len(bare) > 36 else word


def silent_member(evidence: Evidence) -> list[Diagnosis]:
    """Members whose session ended because they said nothing."""
    found = []
    for group in evidence.groups.values():
        for generation in group.generations:
            reason, at_ms = generation.reason, generation.at_ms
            if _SILENT not in reason or at_ms < evidence.started_ms:
                continue
            gone = reason.split(" ", 1)[0]
            found.append(_fell_silent(group, gone, at_ms, evidence))
    return found


def _fell_silent(group: GroupFacts, gone: str, at_ms: int, evidence: Evidence) -> Diagnosis:
    spoke = [event for event in evidence.events if _said_by(event, gone) and event.at_ms <= at_ms]
    told = f"Member {member(gone)} of group {clean(group.id)} sent no heartbeat for its session timeout"
    if not spoke:
        return Diagnosis(f"{told}, and was put out.")
    last = spoke[-1]
    timeout = next((e.call.body.session_timeout_ms for e in spoke if e.call and e.api == "JoinGroup"), None)
    limit = "" if timeout is None else f" (session.timeout.ms={timeout})"
    return Diagnosis(
        f"{told}{limit} and was put out; its last word was {sentence(last, evidence.names).asked} "
        f"{span(at_ms - last.at_ms)} of broker time before.",
        "Its process was gone, or stood still: its heartbeat thread too.",
        (last.number,),
    )


def _said_by(event: Event, member_id: str) -> bool:
    """Whether a member said this, or was given its name by it."""
    if event.call is None:
        return False
    named = getattr(event.call.body, "member_id", "") or getattr(event.response, "member_id", "")
    return bool(named == member_id)


def stuck_rebalance(evidence: Evidence) -> list[Diagnosis]:
    """Rebalances that wait for somebody, and for whom."""
    found = []
    for group in evidence.groups.values():
        missing = [one for one in group.members if not one.present]
        if group.state not in _REBALANCING or not missing:
            continue
        asked = "JoinGroup" if group.state == "PreparingRebalance" else "SyncGroup"
        found += [_missing(group, one, asked, evidence) for one in missing]
    return found


def _missing(group: GroupFacts, one: MemberFacts, asked: str, evidence: Evidence) -> Diagnosis:
    spoke = [
        event
        for event in evidence.events
        if event.kind == REQUEST and event.client_id == one.client_id and _of_the_group(event, group, one)
    ]
    last = ""
    if spoke:
        ago = span((evidence.now_us - spoke[-1].at_us) / 1_000)
        last = f" Its last word to the group was {sentence(spoke[-1], evidence.names)}, {ago} ago."
    return Diagnosis(
        f"The rebalance of group {clean(group.id)} ({group.state}, generation {group.generation}) waits for "
        f"{member(one.id)}, which has not sent {asked}.{last}",
        f"A consumer joins again inside poll(): is it processing, paused or dead? "
        f"group.evict({clean(one.client_id)!r}) ends the wait.",
        tuple(event.number for event in spoke[-1:]),
    )


def _of_the_group(event: Event, group: GroupFacts, one: MemberFacts) -> bool:
    return group.id in groups(event) and _said_by(event, one.id)
