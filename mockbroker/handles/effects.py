"""Effects: what an application has done, as it says itself, for brokers cannot know.

May be called from any thread, and takes no part in the brokers' loop: an application does not wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from mockbroker.core.usage import UsageError
from mockbroker.ledger.entries import Effect

if TYPE_CHECKING:
    from mockbroker.core.world import World
    from mockbroker.ledger.entries import Place

# As many as the ledger has entries of each kind.
EFFECTS_MAX = 100_000


class Effects:
    """What the application under test has done: the mail that was sent, the row that was written.

    The application, or the fake that stands for its database, says so, from whatever thread; the questions are
    `cluster.assert_effects_exactly_once` and its siblings.  The newest 100,000 effects are remembered.
    """

    def __init__(self, world: World, effects_max: int = EFFECTS_MAX) -> None:
        self._world = world
        self._max = effects_max
        self._lock = threading.Lock()
        self._done: deque[Effect] = deque()
        self._forgotten: dict[Place, int] = {}

    def done(self, topic: str, partition: int, offset: int, what: str = "") -> None:
        """The effect of this input record has happened, just now.

        `what` names the kind of effect where a record has several, such as "mail" and "row": each kind is to happen
        once.  Raises UsageError for what is no place of a record.

        >>> cluster.effects.done("orders", 0, 0, "mail")
        """
        if partition < 0 or offset < 0:
            raise UsageError(
                f"effects.done({topic!r}, {partition}, {offset}): no record is there; give partition and "
                "offset of the record that was consumed"
            )
        with self._lock:
            self._done.append(Effect(self._world.history.stopwatch(), (topic, partition), offset, what))
            if len(self._done) > self._max:
                gone = self._done.popleft()
                known = self._forgotten.get(gone.place, -1)
                self._forgotten[gone.place] = max(known, gone.offset)

    def seen(self) -> tuple[list[Effect], dict[Place, int]]:
        """All of them so far, and the newest offset of each partition of which one was forgotten."""
        with self._lock:
            return list(self._done), dict(self._forgotten)

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._done.clear()
            self._forgotten.clear()

    def __repr__(self) -> str:
        return f"<Effects: {len(self._done)}>"
