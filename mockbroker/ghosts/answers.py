"""What came of a request that a test had a ghost send: an answer, an error, a broken connection, or nothing yet.

A gate may hold the request, or replication may take its time, so an answer is an object that can be looked at later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.ghosts.line import Lost
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.ticket import Ticket


class Answer:
    """The answer to one request of a ghost."""

    __slots__ = ("_code_in", "_ticket", "what")

    def __init__(self, what: str, ticket: Ticket[Any], code_in: Callable[[Any], int]) -> None:
        self.what = what
        self._ticket = ticket
        self._code_in = code_in

    @property
    def done(self) -> bool:
        """Whether anything came of it yet."""
        return self._ticket.done

    @property
    def lost(self) -> bool:
        """Whether the connection broke before the answer came; what was asked may have happened all the same."""
        return self.done and isinstance(self._ticket.result, Lost)

    @property
    def response(self) -> Any:
        """The answer as it came; None before, for acks=0, and when it was lost."""
        return self._ticket.result if self.done and not self.lost else None

    @property
    def error(self) -> str | None:
        """The name of the error that it tells, or None."""
        response = self.response
        code = ErrorCode.NONE if response is None else ErrorCode(self._code_in(response))
        return None if code is ErrorCode.NONE else code.name

    def checked(self) -> Answer:
        """The same, or a KafkaError if the broker has refused what was asked."""
        if self.error is not None:
            raise KafkaError(ErrorCode[self.error], f"{self.what} was refused: {self.error}")
        return self

    def __repr__(self) -> str:
        if not self.done:
            return f"<{self.what}: {self._ticket.why}>"
        if self.lost:
            return f"<{self.what}: no answer, {self._ticket.result.why}>"
        return f"<{self.what}: {self.error or 'done'}>"


def first_error(response: Any) -> int:
    """The first error code of an answer that has one for each partition."""
    codes = [int(part.error_code) for topic in response.topics for part in topic.partitions]
    return next((code for code in codes if code), int(ErrorCode.NONE))
