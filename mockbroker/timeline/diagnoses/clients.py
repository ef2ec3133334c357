"""Clients that speak otherwise than this cluster does, and clients that wait for an answer that never comes.

Goes by what connections were closed for, and by answers that were swallowed.
"""

from __future__ import annotations

from mockbroker.core.event import REFUSED, Begun, Event
from mockbroker.timeline.diagnoses.finding import Diagnosis, numbers
from mockbroker.timeline.evidence import Evidence, span
from mockbroker.timeline.reading import clean
from mockbroker.timeline.sentences import question

# What the reason of a refusal says where the bytes look like another protocol, and what to do then.
_OTHER_PROTOCOLS = {
    "TLS": (
        "a TLS handshake",
        "The listener is PLAINTEXT: set security.protocol=PLAINTEXT, or leave the TLS settings out.",
    ),
    "HTTP": (
        "HTTP",
        "This is a Kafka port: something (a REST client, a health check, a proxy) was given the wrong address.",
    ),
    "SSH": ("SSH", "This is a Kafka port: something was given the wrong address."),
}


def _refused(evidence: Evidence, *kinds: str) -> dict[tuple[str, str], list[Event]]:
    """Refusals of these kinds, by who and why."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in evidence.events:
        if event.kind == REFUSED and event.facts.get("wrong") in kinds:
            found.setdefault((event.client_id, event.act), []).append(event)
    return found


def _times(events: list[Event]) -> str:
    return "" if len(events) == 1 else f" ({len(events)} times)"


def wrong_listener(evidence: Evidence) -> list[Diagnosis]:
    """Bytes that are no Kafka: TLS, HTTP, or something else."""
    by_protocol: dict[str, list[Event]] = {}
    for events in _refused(evidence, "not kafka").values():
        name = next((name for name in _OTHER_PROTOCOLS if name in events[0].act), "")
        by_protocol.setdefault(name, []).extend(events)
    found = []
    for name, events in by_protocol.items():
        spoken, advice = _OTHER_PROTOCOLS.get(
            name, (f"what is no Kafka request ({clean(events[0].act, 160)})", "")
        )
        who = f"{events[0].peer} (connection {events[0].connection})"
        text = f"A client at {who} sent {spoken} to broker {events[0].broker}{_times(events)}."
        found.append(Diagnosis(text, advice, numbers(events)))
    return found


def version_out_of_range(evidence: Evidence) -> list[Diagnosis]:
    """A request in a version that was never offered."""
    return [
        Diagnosis(
            f"{clean(who) or 'A client'} sent {clean(why, 160)}; the connection was closed{_times(events)}.",
            "The client ignores what ApiVersions offers: let it negotiate (no api.version setting), or update it.",
            numbers(events),
        )
        for (who, why), events in _refused(evidence, "version").items()
    ]


def not_implemented(evidence: Evidence) -> list[Diagnosis]:
    """An API that is not served."""
    return [
        Diagnosis(
            f"{clean(who) or 'A client'} asked for {clean(why, 160)}; the connection was closed{_times(events)}.",
            "`mockbroker apis` lists what is served; a client that asks for more does not heed ApiVersions.",
            numbers(events),
        )
        for (who, why), events in _refused(evidence, "unserved api", "unknown api").items()
    ]


def owed_an_answer(evidence: Evidence) -> list[Diagnosis]:
    """Clients that still wait for an answer which a rule of the test keeps from them."""
    why = {parked.connection: parked.why for parked in evidence.parked}
    # Of those at a gate, the gate tells.
    gates = {gate.name for gate in evidence.gates if gate.held}
    return [
        _owed(begun, why.get(begun.call.peer.ordinal, ""), evidence)
        for begun in evidence.open
        if begun.call.touched and begun.call.touched[-1] not in gates
    ]


def _owed(begun: Begun, why: str, evidence: Evidence) -> Diagnosis:
    call = begun.call
    waited = span((evidence.now_us - begun.at_us) / 1_000)
    reason = f": {clean(why, 200)}" if why else ""
    return Diagnosis(
        f"{clean(call.client_id) or 'A client'} (c{call.peer.ordinal}) has waited {waited} for the answer to "
        f"{question(call, None, evidence.names)}, which fault {clean(call.touched[-1], 80)} keeps from it{reason}.",
        "It goes on when its own request timeout is over, or when the fault lets go; disconnect() lets it notice "
        "at once.",
    )
