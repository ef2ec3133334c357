"""What may become of a call besides its answer, as plain values.

A rule of a test says what is to happen in these words, and whoever carries calls to their answers does it.
Neither knows the other, and nothing here does anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.ticket import Ticket
    from mockbroker.protocol.errors import KafkaError

# What the API itself makes of a call that it refuses.
Refusal = Callable[["Call[Any]"], Any]


class Part(Protocol):
    """A part of a request that is refused, and what is left of it."""

    @property
    def rest(self) -> Call[Any]:
        """What the handler is to answer."""

    def finish(self, response: Any, error: KafkaError, refuse: Refusal) -> Any:
        """The answer to the whole, from the answer to the rest; `refuse` makes one of what is refused."""


class Refused:
    """An error, for all of a request or for a part of it."""

    __slots__ = ("error", "part")

    def __init__(self, error: KafkaError, part: Part | None = None) -> None:
        self.error = error
        self.part = part

    def __repr__(self) -> str:
        return f"Refused({self.error}{', in part' if self.part is not None else ''})"


class Altered:
    """An answer with something about it that is not in the message.

    `damage` is done to its bytes; after that the connection is closed for the reason `ends`, or nothing is read
    from it until `mute` is resolved.
    """

    __slots__ = ("damage", "ends", "mute", "response")

    def __init__(
        self,
        response: Any,
        *,
        damage: Callable[[bytes], bytes] | None = None,
        ends: str | None = None,
        mute: Ticket[None] | None = None,
    ) -> None:
        self.response = response
        self.damage = damage
        self.ends = ends
        self.mute = mute

    def __repr__(self) -> str:
        how = "damaged" if self.damage is not None else "then mute"
        return f"Altered({self.response!r}, {how})"
