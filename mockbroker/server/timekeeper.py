"""Pushes real time into the world's two clocks, and wakes when the next timer is due.

The core has no idea what time it is.  One task sleeps until the earliest timer of both clocks; whoever is
about to run a step of the world calls `tick` first, so that `clock.now` is right in it.  A frozen broker
clock is left alone; patience, the clients' time, never freezes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import trio

from mockbroker.core.clock import Clock

# A timer may be due at the very millisecond that has already come; the clocks move on only with the next one.
NAP_MS_MIN = 1


class Timekeeper:
    """Real time, as two clocks know it."""

    __slots__ = ("_broker", "_nap", "_patience", "_pushed_ms", "_report", "_zero_ns")

    def __init__(self, broker: Clock, patience: Clock, report: Callable[[Exception, str], None]) -> None:
        self._broker = broker
        self._patience = patience
        self._report = report
        # Monotonic time, so that a machine whose clock is set meanwhile fires no session timeouts.
        # Read first and in nanoseconds, so that what this clock says is never before what `time` said earlier.
        elapsed_ns = time.monotonic_ns()
        self._zero_ns = time.time_ns() - elapsed_ns
        self._pushed_ms = 0
        self._nap: trio.CancelScope | None = None
        for clock in (broker, patience):
            # A simulation may have moved a clock before it met real time: it goes on from where it is.
            clock.lead_ms = clock.now - self.real_ms()
            clock.on_earlier = self.rearm

    def real_ms(self) -> int:
        """Milliseconds since the epoch, never going back."""
        return (self._zero_ns + time.monotonic_ns()) // 1_000_000

    def tick(self) -> None:
        """Bring both clocks up to now; runs whatever timers are due."""
        real_ms = self.real_ms()
        if real_ms == self._pushed_ms:
            return
        self._pushed_ms = real_ms
        try:
            self._broker.follow(real_ms)
            self._patience.follow(real_ms)
        except Exception as bug:  # noqa: BLE001 - whoever happens to tick must not pay for a timer's bug
            self._report(bug, f"a timer at {real_ms} ms")

    def rearm(self) -> None:
        """Sleep until what is due first now.  Called when that became earlier, or a clock was moved."""
        if self._nap is not None:
            self._nap.deadline = self._next_waking()

    async def run(self) -> None:
        """Wake for every timer, until cancelled."""
        try:
            while True:
                with trio.CancelScope(deadline=self._next_waking()) as self._nap:
                    await trio.sleep_forever()
                self.tick()
        finally:
            self._nap = None  # timers that are set after the end wake nobody

    def _next_waking(self) -> float:
        """When to wake, in trio's time; never, if nothing is due."""
        wait_ms = math.inf
        for clock in (self._broker, self._patience):
            due_ms = clock.next_due
            if due_ms is not None and not clock.frozen:
                wait_ms = min(wait_ms, max(due_ms - clock.now, NAP_MS_MIN))
        return trio.current_time() + wait_ms / 1000
