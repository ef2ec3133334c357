"""How far consumers are on the way to their place: asked what is committed, looked it up, fetching from it.

Kept for people; no decision reads it.  Counts what it is told instead of reading a clock, for broker time may
stand still while clients go on.  Bounded by the partitions and client ids that there are.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, TypeVar

NEVER = -1

# Client ids of one partition that are remembered; a test has a handful.
CLIENTS_MAX = 1_000

Place: TypeAlias = tuple[str, int]
V = TypeVar("V")


class _Fetched(NamedTuple):
    """The numbers of the last two fetches."""

    before: int
    newest: int


class _Begun(NamedTuple):
    """When a client last asked for a commit, or looked for an offset in its stead; and whether it has one now."""

    number: int
    resolved: bool


class Positions:
    """What each client id has done about each partition, in numbers; `count` is the next one."""

    __slots__ = ("_begun", "_fetched", "count")

    def __init__(self) -> None:
        self.count = 0
        self._fetched: dict[Place, dict[str, _Fetched]] = {}
        self._begun: dict[Place, dict[str, _Begun]] = {}

    def note_fetch(self, place: Place, client_id: str) -> None:
        """A client fetched from a partition, at an offset that there is."""
        clients = self._fetched.setdefault(place, {})
        last = clients.get(client_id)
        _remember(clients, client_id, _Fetched(NEVER if last is None else last.newest, self.count))
        self.count += 1

    def note_commit_asked(self, place: Place, client_id: str, *, found: bool) -> None:
        """A client asked what its group has committed for a partition: it is about to begin there."""
        _remember(self._begun.setdefault(place, {}), client_id, _Begun(self.count, found))
        self.count += 1

    def note_offset_listed(self, place: Place, client_id: str) -> None:
        """A client was told an offset: if it has asked for a commit and there is none, it begins here."""
        begun = self._begun.get(place, {})
        if client_id in begun:
            _remember(begun, client_id, _Begun(self.count, resolved=True))
            self.count += 1

    def is_found(self, place: Place, client_id: str, since: int) -> bool:
        """Whether a client that got a partition at number `since` reads it from a place that is decided.

        A fetch after that may be one of the time before, sent when the client did not know yet, and overtaken
        on its way by what it sent to other brokers; only the next one is an answer to what it has been told.
        """
        before, newest = self._fetched.get(place, {}).get(client_id, _Fetched(NEVER, NEVER))
        number, resolved = self._begun.get(place, {}).get(client_id, _Begun(NEVER, resolved=False))
        if number >= since:
            return (newest if resolved else before) > number
        return before >= since

    def forget(self) -> None:
        """Nobody has asked for anything; numbers go on, so that what was compared with them stays right."""
        self._fetched.clear()
        self._begun.clear()


def _remember(clients: dict[str, V], client_id: str, what: V) -> None:
    """Keep this as the newest word of a client; the client that has been silent longest may go."""
    clients.pop(client_id, None)
    clients[client_id] = what
    if len(clients) > CLIENTS_MAX:
        del clients[next(iter(clients))]
