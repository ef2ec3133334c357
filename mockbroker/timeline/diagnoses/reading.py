"""Consumers that do not get what the test expects: the `latest` race, open transactions, control records.

Goes by where each consumer asked to begin, and by where the logs stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mockbroker.core.event import ACT, REQUEST, Event
from mockbroker.protocol.apis import Api
from mockbroker.timeline.diagnoses.finding import Diagnosis
from mockbroker.timeline.evidence import Evidence, OpenTransaction, Place, span
from mockbroker.timeline.places import counted, listed, places
from mockbroker.timeline.reading import clean, message_of, stored
from mockbroker.timeline.sentences_data import READ_COMMITTED

LATEST = -1


class Appended(NamedTuple):
    """Records that came into a log: from `first` to `last`, by an act of the test or a producer."""

    event: Event
    first: int
    last: int


class Resolved(NamedTuple):
    """A consumer asked where to begin and was told `offset`."""

    event: Event
    offset: int


def appends(evidence: Evidence) -> dict[Place, list[Appended]]:
    """What came into each log, in order."""
    found: dict[Place, list[Appended]] = {}
    for event in evidence.events:
        for place, appended in _appended(event, evidence):
            found.setdefault(place, []).append(appended)
    return found


def _appended(event: Event, evidence: Evidence) -> Iterator[tuple[Place, Appended]]:
    if event.kind == ACT and "offset" in event.facts:
        facts = event.facts
        yield (facts["topic"], facts["partition"]), Appended(event, facts["offset"], facts["offset"])
    if event.call is None or event.call.api is not Api.PRODUCE:
        return
    sent = {place.key: place.part for place in places(event.call.body, evidence.names)}
    for place in places(message_of(event.response), evidence.names):
        if place.part.error_code == 0 and place.key in sent and place.part.base_offset >= 0:
            count = sum(batch.count for batch in stored(sent[place.key].records))
            first = place.part.base_offset
            yield place.key, Appended(event, first, first + max(count, 1) - 1)


def latest_race(evidence: Evidence) -> list[Diagnosis]:
    """Records that were appended before a consumer found out where `latest` is."""
    found, logs = [], appends(evidence)
    for (client, place), (resolved, group) in _began_at_latest(evidence).items():
        early = [
            one
            for one in logs.get(place, ())
            if one.last < resolved.offset and one.event.number < resolved.event.number
        ]
        if early:
            found.append(_race(client, place, group, resolved, early))
    return found


def _race(client: str, place: Place, group: str, resolved: Resolved, early: list[Appended]) -> Diagnosis:
    name = f"{clean(place[0])}-{place[1]}"
    first, last = early[0].first, early[-1].last
    many = last > first
    which = f"{name}@{first}" + (f"..{last}" if many else "")
    earlier = span((resolved.event.at_us - early[-1].event.at_us) / 1_000)
    who = f"group {clean(group)}" if group else clean(client) or "a consumer"
    what = (
        f"{which} {'were' if many else 'was'} appended{' up to' if many else ''} {earlier} BEFORE {who} "
        f"resolved auto.offset.reset=latest to {resolved.offset}."
    )
    return Diagnosis(
        what,
        f"The record{'s' if many else ''} will never be delivered. "
        "Use group.wait_positioned() before producing, or `earliest`.",
        (early[-1].event.number, resolved.event.number),
    )


def _began_at_latest(evidence: Evidence) -> dict[tuple[str, Place], tuple[Resolved, str]]:
    """Consumers that began at the end of a partition, and for which group.

    Whoever asks for the end without having asked for a commit, or without fetching from there, may just want to
    know how far it is.
    """
    uncommitted: dict[tuple[str, Place], str] = {}
    listed_at: dict[tuple[str, Place], Resolved] = {}
    began: dict[tuple[str, Place], tuple[Resolved, str]] = {}
    for event in evidence.events:
        if event.kind != REQUEST or event.call is None:
            continue
        if event.call.api is Api.OFFSET_FETCH:
            for place, group, offset in _commits_told(event, evidence):
                uncommitted.pop((event.client_id, place), None)
                if offset < 0:
                    uncommitted[event.client_id, place] = group
        elif event.call.api is Api.LIST_OFFSETS:
            for place, offset in _latest_told(event, evidence):
                key = event.client_id, place
                listed_at[key] = Resolved(event, offset)
                if key in uncommitted:
                    began[key] = listed_at[key], uncommitted[key]
        elif event.call.api is Api.FETCH:
            for asked in places(event.call.body, evidence.names):
                key = event.client_id, asked.key
                # Only the first fetch tells where a consumer began.
                told = listed_at.pop(key, None)
                if told is not None and told.offset == asked.part.fetch_offset:
                    began.setdefault(key, (told, ""))
    return began


def _commits_told(event: Event, evidence: Evidence) -> Iterator[tuple[Place, str, int]]:
    assert event.call is not None
    message = message_of(event.response)
    for group in getattr(message, "groups", ()) or ([message] if message is not None else []):
        name = getattr(group, "group_id", "") or event.call.body.group_id
        for place in places(group, evidence.names):
            if place.part.error_code == 0:
                yield place.key, name, place.part.committed_offset


def _latest_told(event: Event, evidence: Evidence) -> Iterator[tuple[Place, int]]:
    assert event.call is not None
    wanted = {
        place.key for place in places(event.call.body, evidence.names) if place.part.timestamp == LATEST
    }
    for place in places(message_of(event.response), evidence.names):
        if place.key in wanted and place.part.error_code == 0:
            old = place.part.old_style_offsets
            yield place.key, old[0] if old else place.part.offset


def held_by_transaction(evidence: Evidence) -> list[Diagnosis]:
    """Readers of committed records that stand before an open transaction."""
    found = []
    for (client, place), event in _waiting_readers(evidence).items():
        partition = evidence.partitions.get(place)
        if partition is None or not partition.last_stable < partition.high_watermark:
            continue
        held = partition.high_watermark - partition.last_stable
        whose = listed(_transaction(one) for one in partition.transactions) or "a transaction"
        found.append(
            Diagnosis(
                f"{clean(client) or 'A consumer'} reads {partition.name} with read_committed and stands at "
                f"{partition.last_stable}, the last stable offset: {counted(held, 'offset')} up to "
                f"{partition.high_watermark} {'is' if held == 1 else 'are'} held back by {whose}.",
                "They are delivered when that transaction is committed or aborted.",
                (event.number,),
            )
        )
    return found


def _transaction(one: OpenTransaction) -> str:
    return f"the open transaction of producer {one.producer_id} that began at {one.first_offset}"


def _waiting_readers(evidence: Evidence) -> dict[tuple[str, Place], Event]:
    """Consumers with read_committed whose last fetch of a partition brought nothing."""
    found: dict[tuple[str, Place], Event] = {}
    for event in evidence.events:
        if event.call is None or event.call.api is not Api.FETCH:
            continue
        if event.call.body.isolation_level != READ_COMMITTED:
            continue
        for place in places(event.call.body, evidence.names):
            found[event.client_id, place.key] = event
        for place in places(message_of(event.response), evidence.names):
            if place.part.records:
                found.pop((event.client_id, place.key), None)
    return found


def control_record_last(evidence: Evidence) -> list[Diagnosis]:
    """Groups that have committed all there is to read, and lag by control records only."""
    found = []
    for group in evidence.groups.values():
        for place, offset in group.committed.items():
            partition = evidence.partitions.get(place)
            if partition is None or not offset < partition.high_watermark:
                continue
            if all(at in partition.markers for at in range(offset, partition.high_watermark)):
                behind = partition.high_watermark - offset
                found.append(
                    Diagnosis(
                        f"Group {clean(group.id)} has committed {partition.name}@{offset} and lags by {behind}: "
                        f"what is left is {counted(behind, 'control record')} (the end of a transaction), "
                        "which no consumer is ever given.",
                        "Offsets are no count of records: wait for the records, not for the end offset.",
                    )
                )
    return found
