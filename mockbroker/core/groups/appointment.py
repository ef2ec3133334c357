"""An action at a later time, on a coordinator that may pause or lose its office in between.

A timer whose time comes while its broker is paused acts only when the broker goes on; by then it may have
been called off or put off.  An appointment looks again before it acts.  What is to be done is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.core.node import Node


class Appointment:
    """One action, `delay_ms` of broker time from now."""

    __slots__ = ("_act", "_clock", "_due_ms", "_standing", "_timer")

    def __init__(self, node: Node, delay_ms: int, act: Callable[[], None]) -> None:
        self._act = act
        self._clock = node.clock
        self._due_ms = node.clock.now + delay_ms
        self._standing = True
        self._timer = node.call_in(delay_ms, self._keep)

    def _keep(self) -> None:
        if self._standing and self._clock.now >= self._due_ms:
            self._standing = False
            self._act()

    def cancel(self) -> None:
        """Call it off; `move` makes a new appointment of it."""
        self._standing = False
        self._timer.cancel()

    def move(self, due_ms: int) -> None:
        """Put it off (or bring it forward) to another time."""
        self._standing = True
        self._due_ms = due_ms
        self._timer.move(due_ms)
