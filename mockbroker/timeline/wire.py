"""The lines of a wire log: each decoded request as it comes, each answer as it leaves, secrets left out.

Plain text around JSON, for people with a pager and for scripts with a regular expression.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mockbroker.core.event import REQUEST
from mockbroker.timeline.plain import value
from mockbroker.timeline.reading import Names, clean, message_of
from mockbroker.timeline.sentences import sentence

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.event import Begun, Event


def asked_line(begun: Begun, names: Names, started_us: int) -> str:
    """A request that has come."""
    return _line(begun.at_us - started_us, begun.broker, ">", begun.call, value(begun.call.body, names))


def happened_line(event: Event, names: Names, started_us: int) -> str:
    """An answer, or anything else that happened."""
    at_us = event.at_us - started_us
    if event.kind == REQUEST and event.call is not None:
        message = message_of(event.response)
        said = sentence(event, names).answered if message is None else value(message, names)
        return _line(at_us, event.broker, "<", event.call, said)
    who = "" if event.peer is None else f" {clean(event.client_id) or '-'} c{event.connection}"
    where = "test" if event.broker < 0 else f"broker {event.broker}"
    return f"{at_us / 1_000:.1f} {where}{who} * {clean(event.act, 400)}"


def _line(at_us: int, broker: int, way: str, call: Call[Any], said: Any) -> str:
    who = f"{clean(call.client_id) or '-'} c{call.peer.ordinal}"
    what = f"{call.api.title} v{call.version} #{call.correlation_id}"
    return f"{at_us / 1_000:.1f} broker {broker} {who} {way} {what} {json.dumps(said)}"
