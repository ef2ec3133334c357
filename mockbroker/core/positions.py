"""Who asked where to begin, and who has fetched since: how a test knows that a consumer has found its place.

Kept for people; no decision reads it.  Counts what it is told instead of reading a clock, for broker time may
stand still while clients go on.  Bounded by the partitions and client ids that there are.
"""

from __future__ import annotations

from typing import TypeAlias

NEVER = -1

# Client ids of one partition that are remembered; a test has a handful.
CLIENTS_MAX = 1_000

Place: TypeAlias = tuple[str, int]


class Positions:
    """For each partition and client id the numbers of the last two fetches, and of the last look for a commit."""

    __slots__ = ("_fetched", "_looked_up", "count")

    def __init__(self) -> None:
        # The number of what comes next.
        self.count = 0
        self._fetched: dict[Place, dict[str, tuple[int, int]]] = {}
        self._looked_up: dict[Place, dict[str, int]] = {}

    def note_fetch(self, place: Place, client_id: str) -> None:
        """A client fetched from a partition, at an offset that there is."""
        clients = self._fetched.get(place)
        if clients is None:
            clients = self._fetched[place] = {}
        newest = clients.pop(client_id, (NEVER, NEVER))[1]
        clients[client_id] = (newest, self.count)
        self.count += 1
        if len(clients) > CLIENTS_MAX:
            del clients[next(iter(clients))]

    def note_lookup(self, place: Place, client_id: str) -> None:
        """A client asked what its group has committed for a partition: it is about to begin there."""
        clients = self._looked_up.setdefault(place, {})
        clients.pop(client_id, None)
        clients[client_id] = self.count
        self.count += 1
        if len(clients) > CLIENTS_MAX:
            del clients[next(iter(clients))]

    def is_found(self, place: Place, client_id: str, since: int) -> bool:
        """Whether a client that got a partition at number `since` reads it from a place of its choice.

        Its first fetch after that may still be one of the time before, sent when it did not know yet.  So it
        has to be one after it asked for the commit; or, from a client that never asks, the second.
        """
        before, newest = self._fetched.get(place, {}).get(client_id, (NEVER, NEVER))
        looked_up = self._looked_up.get(place, {}).get(client_id, NEVER)
        return newest > looked_up if looked_up >= since else before >= since

    def forget(self) -> None:
        """Nobody has asked for anything; numbers go on, so that what was compared with them stays right."""
        self._fetched.clear()
        self._looked_up.clear()
