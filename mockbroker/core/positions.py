"""Who has fetched what, and when: how a test knows that a consumer has found its place.

Kept for people; no decision reads it.  Bounded by the partitions and client ids that there are.
"""

from __future__ import annotations

NEVER = -1

# Client ids of one partition that are remembered; a test has a handful.
CLIENTS_MAX = 1_000


class Positions:
    """The time of the newest fetch of each partition by each client id."""

    __slots__ = ("_fetched",)

    def __init__(self) -> None:
        self._fetched: dict[tuple[str, int], dict[str, int]] = {}

    def note(self, topic: str, index: int, client_id: str, now_ms: int) -> None:
        """A client fetched from a partition, at an offset that there is."""
        clients = self._fetched.get((topic, index))
        if clients is None:
            clients = self._fetched[topic, index] = {}
        elif len(clients) >= CLIENTS_MAX and client_id not in clients:
            del clients[next(iter(clients))]
        clients[client_id] = now_ms

    def fetched_ms(self, place: tuple[str, int], client_id: str) -> int:
        """When a client last fetched from a partition; NEVER if it did not."""
        return self._fetched.get(place, {}).get(client_id, NEVER)
