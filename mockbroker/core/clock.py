"""Time as a number that moves only when it is told to.

A Clock is a heap of timers.  It does not read any real clock: the timekeeper pushes real time into it, a
simulation or a test advances it, a frozen one stays.  Timers fire in deadline order, each at its own
instant, and after each one the world settles, so that a long jump is a sequence of small steps.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

# One advance may cross this many deadlines; more is a timer that re-arms itself without making time pass.
TIMERS_PER_ADVANCE_MAX = 5_000_000

# Below this many dead timers sweeping costs more than it frees.
SWEEP_FROM = 1_000


class Timer:
    """One action at one instant; may be cancelled, or moved as often as you like."""

    __slots__ = ("_action", "_clock", "armed", "cancelled", "due_ms")

    def __init__(self, clock: Clock, due_ms: int, action: Callable[[], None]) -> None:
        self._clock = clock
        self._action = action
        self.due_ms = due_ms
        self.armed = True
        # Known also of one that has fired: what it set off may still be waiting for its turn.
        self.cancelled = False

    def cancel(self) -> None:
        """Never fire.  Cancelling twice, or after firing, does nothing."""
        self.cancelled = True
        if self.armed:
            self.armed = False
            self._clock.forget_one()

    def move(self, due_ms: int) -> None:
        """Fire at `due_ms` instead.  Later is free: the heap finds out when the old instant comes."""
        earlier = not self.armed or due_ms < self.due_ms
        self.armed = True
        self.cancelled = False
        self.due_ms = due_ms
        if earlier:
            self._clock.push(self)

    def fire(self) -> None:
        """Run the action, once."""
        self.armed = False
        self._action()


class Clock:
    """Milliseconds since the epoch, and what is to happen when.

    `after_timer` runs after each timer (the world settles there); `on_earlier` is told when a timer was set
    that is due before all others, so that whoever sleeps until `next_due` can wake up.
    """

    __slots__ = ("_dead", "_heap", "_order", "after_timer", "frozen", "lead_ms", "now", "on_earlier")

    def __init__(self, now_ms: int, after_timer: Callable[[], None] = lambda: None) -> None:
        self.now = now_ms
        self.frozen = False
        # How far this clock is ahead of the real time that is pushed into it.
        self.lead_ms = 0
        self.after_timer = after_timer
        self.on_earlier: Callable[[], None] = lambda: None
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = 0
        self._dead = 0

    def call_at(self, due_ms: int, action: Callable[[], None]) -> Timer:
        """Run `action` when this clock reaches `due_ms` (at the next advance, if that is already past)."""
        timer = Timer(self, due_ms, action)
        self.push(timer)
        return timer

    def call_in(self, delay_ms: int, action: Callable[[], None]) -> Timer:
        """Run `action` after `delay_ms` of this clock's time."""
        return self.call_at(self.now + delay_ms, action)

    @property
    def next_due(self) -> int | None:
        """The instant of the earliest armed timer, or None."""
        heap = self._heap
        while heap:
            due_ms, _, timer = heap[0]
            if timer.armed and timer.due_ms == due_ms:
                return due_ms
            heapq.heappop(heap)
            if timer.armed and timer.due_ms > due_ms:
                self._order += 1
                heapq.heappush(heap, (timer.due_ms, self._order, timer))
        return None

    def advance_to(self, now_ms: int) -> None:
        """Move to `now_ms`, firing what is due on the way, in deadline order.  Going back is ignored."""
        for _ in range(TIMERS_PER_ADVANCE_MAX):
            due_ms = self.next_due
            if due_ms is None or due_ms > now_ms:
                self.now = max(self.now, now_ms)
                return
            timer = heapq.heappop(self._heap)[2]
            self.now = max(self.now, due_ms)
            timer.fire()
            self.after_timer()
        raise AssertionError(f"more than {TIMERS_PER_ADVANCE_MAX} timers fired in one advance")

    def advance(self, duration_ms: int) -> None:
        """Move forward by `duration_ms`, beyond real time if real time drives this clock."""
        assert duration_ms >= 0, "time does not go back"
        self.lead_ms += duration_ms
        self.advance_to(self.now + duration_ms)

    def follow(self, real_ms: int) -> None:
        """Real time says `real_ms`: go along, unless frozen."""
        if not self.frozen and real_ms + self.lead_ms > self.now:
            self.advance_to(real_ms + self.lead_ms)

    def freeze(self) -> None:
        """Stand still until `thaw`; only `advance` moves a frozen clock."""
        self.frozen = True

    def thaw(self, real_ms: int) -> None:
        """Follow real time again, from where this clock stands now."""
        self.frozen = False
        self.lead_ms = self.now - real_ms

    def forget_one(self) -> None:
        """A timer on the heap will not fire.  Once most are like that, sweep: long waits seldom run out."""
        self._dead += 1
        if self._dead > SWEEP_FROM and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].armed]
            heapq.heapify(self._heap)
            self._dead = 0

    def push(self, timer: Timer) -> None:
        """Put a timer on the heap (again, when it was moved to an earlier instant)."""
        earliest = not self._heap or timer.due_ms < self._heap[0][0]
        # The running number keeps timers of one instant in the order in which they were set.
        self._order += 1
        heapq.heappush(self._heap, (timer.due_ms, self._order, timer))
        if earliest:
            self.on_earlier()
