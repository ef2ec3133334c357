"""A client that does not give up: it asks its coordinator, finds it again when it moves, and tries once more.

What it wants is the business of subclasses.  It tries again at once as long as that makes sense, then when something
has changed, and in any case after a pause, by the clients' time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.ghosts.line import REQUEST_TIMEOUT_MS, Line, Lost
from mockbroker.ghosts.sight import Sight
from mockbroker.protocol.messages.metadata import FindCoordinatorRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.clock import Timer
    from mockbroker.core.node import Node
    from mockbroker.core.world import World

# How often in a row it tries again at once; then it waits, for a change or for retry.backoff.ms.
TRIES_AT_ONCE = 3
RETRY_BACKOFF_MS = 100


class Persevering:
    """One client of one coordinator, with one request of its own on its way at a time."""

    def __init__(self, world: World, group_id: str, line: Line) -> None:
        self.world = world
        self.group_id = group_id
        self.line = line
        self.silent = False
        # Why it is gone, in words.
        self.ended = ""
        # Its coordinator, as far as it knows.
        self.node: Node | None = None
        self._asking = False
        self._asked: Node | None = None
        self._epoch = 0
        self._unread: list[Callable[[], None]] = []
        self._tries = 0
        self._succeeded_in = -1
        self._next: Callable[[], None] | None = None
        self._backoff: Timer | None = None
        self._sight = Sight(world, group_id)

    def _resume(self) -> None:
        """Go on where it was, at whatever coordinator there is, or seek one."""
        raise AssertionError("every ghost knows what it was about")

    # -- asking and hearing -----------------------------------------------------------------------

    def _ask(
        self, node: Node, request: Any, version: int, hear: Callable[[Any], None], patience_ms: int
    ) -> None:
        """Send a request of its own; there is never a second one on its way."""
        assert not self._asking, f"{self!r} asks twice"
        self._asking = True
        self._asked = node
        self._sight.remember()
        epoch = self._epoch

        def arrived(outcome: Any) -> None:
            # Not here: this may be in the middle of the handling of somebody else's request.
            self.world.soon(lambda: self._hear(epoch, hear, outcome))

        self.line.ask(node, request, version, patience_ms=patience_ms).when_done(arrived)

    def _hear(self, epoch: int, hear: Callable[[Any], None], outcome: Any) -> None:
        if epoch != self._epoch or self.ended:
            return
        if self.silent:
            self._unread.append(lambda: self._hear(epoch, hear, outcome))
            return
        self._asking = False
        if isinstance(outcome, Lost):
            self._leave_coordinator()
        else:
            hear(outcome)

    def _ask_coordinator(
        self, request: Any, version: int, hear: Callable[[Any], None], patience_ms: int = REQUEST_TIMEOUT_MS
    ) -> None:
        assert self.node is not None, f"{self!r} knows no coordinator"
        self._ask(self.node, request, version, hear, patience_ms)

    # -- trying again -----------------------------------------------------------------------------

    def _again(self, act: Callable[[], None], *, at_once: bool = True) -> None:
        """Do something next: now, or once something has changed, or after a pause."""
        self._tries += 1
        self._next = act
        if at_once and self._tries <= TRIES_AT_ONCE:
            self.world.soon(self._go_on)
        else:
            self._backoff = self.world.patience.call_in(RETRY_BACKOFF_MS, self._go_on)

    def _succeed(self) -> None:
        """It has what it wanted.  A second time in one step counts for nothing: two that undo what the other has done
        would go round without an end, where real clients take their time.
        """
        if self._succeeded_in != self.world.step:
            self._succeeded_in = self.world.step
            self._tries = 0

    def _go_on(self) -> None:
        if self._backoff is not None:
            self._backoff.cancel()
            self._backoff = None
        if not self.silent and not self.ended and self._next is not None:
            act, self._next = self._next, None
            act()

    def _leave_coordinator(self) -> None:
        """The coordinator is not where it was: look for it, and go on there."""
        if self._asked is not None:
            self.line.hang_up(self._asked.id, "the ghost looks for its coordinator")
        self.node = None
        self._epoch += 1
        self._asking = False
        self._again(self._resume)

    def _seek(self) -> None:
        able = [node for node in self.world.nodes.values() if node.up and not node.paused]
        if not able:
            self._sight.remember()
            self._again(self._seek, at_once=False)
            return
        # Brokers that are cut off are asked last: they may not know better than to name themselves.
        node = min(able, key=lambda node: node.image.version != self.world.controller.image.version)
        request = FindCoordinatorRequest(coordinator_keys=[self.group_id])
        self._ask(node, request, 4, self._found, REQUEST_TIMEOUT_MS)

    def _found(self, response: Any) -> None:
        only = response.coordinators[0]
        if only.error_code:
            self._again(self._seek, at_once=False)
            return
        self.node = self.world.nodes[only.node_id]
        self._resume()

    def _asks_in_vain(self) -> bool:
        """Whether the broker that it has asked stands still, and others can be asked instead."""
        if self.node is None:
            return self._asked is not None and self._asked.paused
        return self._sight.has_left(self.node)
