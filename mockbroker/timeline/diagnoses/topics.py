"""Topics that are not there.

Goes by what clients were told about them; a topic that was made later is nobody's trouble any more.
"""

from __future__ import annotations

import difflib

from mockbroker.core.event import REQUEST, Event
from mockbroker.protocol.apis import Api
from mockbroker.timeline.diagnoses.finding import Diagnosis, numbers
from mockbroker.timeline.evidence import Evidence
from mockbroker.timeline.reading import clean, message_of, structs

_UNKNOWN = 3


def unknown_topic(evidence: Evidence) -> list[Diagnosis]:
    """Clients that asked for a topic in vain, and still would."""
    asked: dict[tuple[str, str], list[Event]] = {}
    for event in evidence.events:
        if event.kind == REQUEST and event.api in ("Metadata", "DescribeTopicPartitions"):
            for part in structs(message_of(event.response)):
                if getattr(part, "error_code", 0) == _UNKNOWN and (name := evidence.names.of(part)):
                    asked.setdefault((event.client_id, name), []).append(event)
    return [
        _unknown(client, topic, events, evidence)
        for (client, topic), events in asked.items()
        if topic not in evidence.topics
    ]


def _unknown(client: str, topic: str, events: list[Event], evidence: Evidence) -> Diagnosis:
    times = "" if len(events) == 1 else f", {len(events)} times"
    why = (
        _forbids(events[-1])
        if evidence.auto_create
        else "auto.create.topics.enable=false does not let it be created"
    )
    near = difflib.get_close_matches(topic, evidence.topics, 1)
    there = ", ".join(clean(name) for name in sorted(evidence.topics)[:5]) or "none"
    meant = f"Did you mean {clean(near[0])}?" if near else f"There are: {there}."
    return Diagnosis(
        f"{clean(client) or 'A client'} asked for topic {clean(topic)!r}{times}; there is none, and {why}.",
        f"{meant} Make it with cluster.topic({clean(topic)!r}).create() or Cluster(topics=...).",
        numbers(events),
    )


def _forbids(event: Event) -> str:
    call = event.call
    if call is not None and call.api is Api.METADATA and not call.body.allow_auto_topic_creation:
        return "the client does not ask for it to be created"
    return "it was not created"
