"""What a broker does with requests that only the controller can fulfil: it passes them on (KIP-590).

A client may ask any broker.  Out of the controller's reach, the broker keeps the request until its time is
over and answers REQUEST_TIMED_OUT, in the shape that the API gives its refusals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply, then
from mockbroker.protocol.errors import ErrorCode, KafkaError

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

# request.timeout.ms of a broker: how long it tries on behalf of requests that name no time of their own.
FORWARDING_TIMEOUT_MS = 30_000


def by_controller(
    call: Call[RequestT],
    node: Node,
    act: Callable[[Controller], ResponseT],
    refuse: Callable[[Call[RequestT], KafkaError], ResponseT],
    timeout_ms: int = FORWARDING_TIMEOUT_MS,
) -> Reply[ResponseT]:
    """Let the controller make the response."""

    def answer(outcome: ResponseT | KafkaError) -> Reply[ResponseT]:
        return refuse(call, outcome) if isinstance(outcome, KafkaError) else outcome

    forwarded: Reply[ResponseT | KafkaError] = node.forward(act, max(timeout_ms, 0))
    return then(forwarded, answer)  # type: ignore[arg-type]  # mypy takes the flattened union for object


def text_of(error: KafkaError) -> str | None:
    """What an answer says about an error: its own words, or those that belong to its code.

    Of a failure that it did not expect the controller says nothing, for fear of saying too much.
    """
    if error.code is ErrorCode.UNKNOWN_SERVER_ERROR:
        return None
    return error.message or error.code.text
