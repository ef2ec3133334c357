"""Which function answers which API, in which versions.

A handler is two functions: the answer, and `refuse`, the same request answered with one error in its shape.
Whoever must refuse a request (authentication, a fault, a shutdown) needs to know no API.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.protocol.apis import Api
from mockbroker.protocol.schema import schema_of

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply
    from mockbroker.protocol.errors import KafkaError

Answer = Callable[["Call[Any]", "Node"], "Reply[Any]"]
Refuse = Callable[["Call[Any]", "KafkaError"], Any]
A = TypeVar("A", bound=Callable[..., Any])


@dataclass(slots=True, frozen=True)
class Handler:
    """How one API is answered.

    `advertised_from` differs from `min_version` only where Kafka tells clients of more than it serves.
    `simplified` says what is refused or left out that a Kafka of this release does; most have nothing to say.
    """

    api: Api
    answer: Answer
    refuse: Refuse
    min_version: int
    max_version: int
    advertised_from: int
    simplified: str = ""

    def serves(self, version: int) -> bool:
        """Whether this version is answered."""
        return self.min_version <= version <= self.max_version


HANDLERS: dict[Api, Handler] = {}


def answers(
    request: type[Any],
    *,
    versions: str,
    refuse: Refuse,
    advertised_from: int | None = None,
    simplified: str = "",
) -> Callable[[A], A]:
    """Register a function as the answer to `request` in `versions` ("3-13"); see Handler for the rest."""
    first, _, last = versions.partition("-")
    api = Api(schema_of(request).api_key)

    def register(answer: A) -> A:
        assert api not in HANDLERS, f"{api.title} has a handler already"
        low, high = int(first), int(last or first)
        first_told = low if advertised_from is None else advertised_from
        HANDLERS[api] = Handler(api, answer, refuse, low, high, first_told, simplified)
        return answer

    return register
