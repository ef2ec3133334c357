"""An answer that is not here yet, and what to do when it comes.

A handler that must wait returns a Ticket; whoever moves the world resolves it.  A ticket knows in words
what it waits for, because a parked caller is not on any stack.  It knows nothing of tasks or sockets:
the shell decides how to wait, the simulation just looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, Union

T = TypeVar("T")
U = TypeVar("U")


class Disconnect:
    """An outcome that says: close this connection instead of answering.

    `reason` is for the log and the history; nothing of it reaches the client.  With `reset` the client sees a
    connection that broke, and not one that ended.
    """

    __slots__ = ("reason", "reset")

    def __init__(self, reason: str, *, reset: bool = False) -> None:
        self.reason = reason
        self.reset = reset

    def __repr__(self) -> str:
        return f"Disconnect({self.reason!r})"


class Ticket(Generic[T]):
    """A promise of one outcome, resolved exactly once, inside some later step of the world."""

    __slots__ = ("_done", "_listeners", "_outcome", "_why", "abandoned", "follows")

    def __init__(self, why: str | Callable[[], str]) -> None:
        self._why = why
        self._done = False
        self._outcome: T
        self._listeners: list[Callable[[T], None]] = []
        self.abandoned = False
        # The ticket whose outcome this one waits for, where it is not resolved by whoever made it.
        self.follows: Ticket[Any] | None = None

    @property
    def done(self) -> bool:
        """Whether the outcome is here."""
        return self._done

    @property
    def result(self) -> T:
        """The outcome; only to be asked once `done`."""
        assert self._done, f"nothing has arrived yet: {self.why}"
        return self._outcome

    @property
    def why(self) -> str:
        """What this answer waits for, as a sentence for people."""
        return self._why if isinstance(self._why, str) else self._why()

    def resolve(self, outcome: T) -> None:
        """Hand over the outcome.  A second time is a bug of ours."""
        assert not self._done, f"answered twice: {self.why}"
        self._done = True
        self._outcome = outcome
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(outcome)

    def when_done(self, listener: Callable[[T], None]) -> None:
        """Call `listener` with the outcome: at once if it is here, else the moment it arrives."""
        if self._done:
            listener(self._outcome)
        else:
            self._listeners.append(listener)

    def abandon(self) -> None:
        """The asker is gone.  What was asked still happens; only nobody will read the answer."""
        self.abandoned = True
        if self.follows is not None:
            self.follows.abandon()

    def __repr__(self) -> str:
        return f"<Ticket {'done' if self._done else 'waiting'}: {self.why}>"


Reply = Union[T, Ticket[T]]  # noqa: UP007 - a subscriptable alias with a type variable


def then(reply: Reply[T], follow: Callable[[T], Reply[U]]) -> Reply[U]:
    """Apply `follow` to the outcome of `reply`, now or when it arrives, and flatten what it returns."""
    if not isinstance(reply, Ticket):
        return follow(reply)
    if reply.done:
        return follow(reply.result)
    later: Ticket[U] = Ticket(lambda: reply.why if later.follows is None else later.follows.why)
    later.follows = reply

    def arrived(outcome: T) -> None:
        following = follow(outcome)
        later.follows = None
        if isinstance(following, Ticket):
            later.follows = following
            if later.abandoned:
                following.abandon()
            following.when_done(later.resolve)
        else:
            later.resolve(following)

    reply.when_done(arrived)
    return later
