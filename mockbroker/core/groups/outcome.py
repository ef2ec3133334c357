"""What an operation on a group decided: an answer, records to write, and what follows once they are safe.

An operation does not write; the shard does, in one place.  `reply` may be a ticket that the operation, or
somebody later, resolves; `stored` learns how the writing ended, and is told None when nothing was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from mockbroker.core.ticket import Reply, Ticket

if TYPE_CHECKING:
    from mockbroker.core.groups.records import GroupRecord
    from mockbroker.protocol.errors import KafkaError

T = TypeVar("T")


def _nothing_follows(error: KafkaError | None) -> None:
    """Whoever cares about the records finds out by other ways."""


class Outcome(Generic[T]):
    """The decision about one request."""

    __slots__ = ("records", "reply", "stored")

    def __init__(
        self,
        reply: Reply[T],
        records: Sequence[GroupRecord] = (),
        stored: Callable[[KafkaError | None], None] = _nothing_follows,
    ) -> None:
        self.reply = reply
        self.records = records
        self.stored = stored


def once_stored(
    records: Sequence[GroupRecord], why: str, answer: Callable[[KafkaError | None], T]
) -> Outcome[T]:
    """An outcome whose answer leaves only when its records are committed; at once when there are none."""
    if not records:
        return Outcome(answer(None))
    ticket: Ticket[T] = Ticket(why)
    return Outcome(ticket, records, lambda error: ticket.resolve(answer(error)))
