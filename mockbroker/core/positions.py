"""Who has fetched what, and in which order: how a test knows that a consumer has found its place.

Kept for people; no decision reads it.  Counts fetches instead of reading a clock, for broker time may stand
still while clients go on.  Bounded by the partitions and client ids that there are.
"""

from __future__ import annotations

NEVER = -1

# Client ids of one partition that are remembered; a test has a handful.
CLIENTS_MAX = 1_000


class Positions:
    """The number of the newest fetch of each partition by each client id; `count` is the next number."""

    __slots__ = ("_fetched", "count")

    def __init__(self) -> None:
        self.count = 0
        self._fetched: dict[tuple[str, int], dict[str, int]] = {}

    def note(self, topic: str, index: int, client_id: str) -> None:
        """A client fetched from a partition, at an offset that there is."""
        clients = self._fetched.get((topic, index))
        if clients is None:
            clients = self._fetched[topic, index] = {}
        elif len(clients) >= CLIENTS_MAX and client_id not in clients:
            del clients[next(iter(clients))]
        clients[client_id] = self.count
        self.count += 1

    def fetched(self, place: tuple[str, int], client_id: str) -> int:
        """The number of a client's newest fetch from a partition; NEVER if there is none."""
        return self._fetched.get(place, {}).get(client_id, NEVER)

    def forget(self) -> None:
        """Nobody has fetched anything; numbers go on, so that what was compared with them stays right."""
        self._fetched.clear()
