"""What brokers say to each other, and the roads it takes.

Messages between brokers bear Kafka's names.  They are queued in order and delivered by the world's settle
loop; a road may be slow or cut, and a rule may look at each message first.  This module knows who talks to
whom and in which order; it does not know what anything means.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mockbroker.core.clock import Clock

# The controller quorum is an end of links like any broker; real brokers have ids from 0 up.
CONTROLLER = -1

# One step may set this many messages in motion.  Creating 10,000 topics takes a tenth of it; a livelock all.
MESSAGES_PER_STEP_MAX = 5_000_000


class Message:
    """Anything one broker tells another; subclasses carry Kafka's names for it."""

    __slots__ = ("source", "target")

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self.target = target

    @property
    def name(self) -> str:
        """Kafka's name for it, as rules and people write it."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"{self.name} {self.source} -> {self.target}"


class Disconnected(Message):
    """The target has noticed that it is not connected to the source any more: what it asked for will not come."""

    __slots__ = ()


class Receiver(Protocol):
    """An end of links."""

    def receive(self, message: Message) -> None:
        """Act on one message."""

    def lost(self, message: Message) -> None:
        """A message from or to this end did not arrive: if it must not be missed, see to it."""


class Road:
    """One direction between two ends that somebody has meddled with."""

    __slots__ = ("breaks", "cut", "delay_ms", "free_ms")

    def __init__(self) -> None:
        self.delay_ms = 0
        self.cut = False
        # Grows with every cut, so that what was under way then does not arrive after a repair.
        self.breaks = 0
        # When the last message under way arrives: nothing overtakes it, not even on a road that is fast again.
        self.free_ms = 0


class Links:
    """All roads between brokers: instant and in order, until someone slows, cuts or rules them."""

    __slots__ = ("_clock", "_queue", "_receivers", "_roads", "between")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[Message] = deque()
        self._receivers: dict[int, Receiver] = {}
        # The remarkable ones only; all others are open and instant.
        self._roads: dict[tuple[int, int], Road] = {}
        # A rule that sees each message before it travels, and answers whether it may; None costs nothing.
        self.between: Callable[[Message], bool] | None = None

    def attach(self, end: int, receiver: Receiver) -> None:
        """Let `receiver` be what is found at `end`."""
        self._receivers[end] = receiver

    def send(self, message: Message) -> None:
        """Put a message on its road.  On a cut road it is lost, as with a broken connection."""
        if self.between is None or self.between(message):
            self.redeliver(message)

    def lose(self, message: Message) -> None:
        """A rule has taken a message away.  Both ends see a broken connection, and who has to asks again."""
        for end in {message.source: None, message.target: None}:
            self._receivers[end].lost(message)

    def breaks(self, source: int, target: int) -> int:
        """How often the road has been cut: what was sent before the last time does not arrive any more."""
        road = self._roads.get((source, target))
        return 0 if road is None else road.breaks

    def redeliver(self, message: Message) -> None:
        """Let a message travel that a rule had held back; the rule does not see it again."""
        road = self._roads.get((message.source, message.target)) if self._roads else None
        if road is None:
            self._queue.append(message)
        elif not road.cut:
            self._travel(message, road)

    def _travel(self, message: Message, road: Road) -> None:
        due_ms = max(self._clock.now + road.delay_ms, road.free_ms)
        if due_ms <= self._clock.now:
            self._queue.append(message)
            return
        road.free_ms = due_ms
        breaks = road.breaks

        def arrive() -> None:
            if road.breaks == breaks:
                self._queue.append(message)

        self._clock.call_at(due_ms, arrive)

    def cut(self, one: int, other: int) -> None:
        """Break the road between two ends, in both directions; what is on it is lost, and both ends notice."""
        ends = {(one, other), (other, one)}
        for road in map(self._road, sorted(ends)):
            road.cut = True
            road.breaks += 1
            road.free_ms = 0
        self._queue = deque(m for m in self._queue if (m.source, m.target) not in ends)
        self._queue.extend(Disconnected(source, target) for source, target in sorted(ends))

    def hang_up(self, end: int) -> None:
        """An end has died, and all others notice."""
        self._queue.extend(Disconnected(end, other) for other in self._receivers if other != end)

    def mend(self, one: int, other: int) -> None:
        """Repair the road.  What was lost stays lost: the ends must ask again."""
        for ends in ((one, other), (other, one)):
            self._road(ends).cut = False

    def connected(self, one: int, other: int) -> bool:
        """Whether a message from `one` can reach `other` now."""
        road = self._roads.get((one, other))
        return road is None or not road.cut

    def slow(self, one: int, other: int, delay_ms: int) -> None:
        """Let each message between two ends take `delay_ms` of broker time; 0 makes it instant again."""
        for ends in ((one, other), (other, one)):
            self._road(ends).delay_ms = delay_ms

    def _road(self, ends: tuple[int, int]) -> Road:
        return self._roads.setdefault(ends, Road())

    def run_to_quiet(self) -> None:
        """Deliver until nothing is on the way."""
        queue, receivers = self._queue, self._receivers
        for _ in range(MESSAGES_PER_STEP_MAX):
            if not queue:
                return
            message = queue.popleft()
            receivers[message.target].receive(message)
            queue = self._queue
        raise AssertionError(f"no quiet after {MESSAGES_PER_STEP_MAX} messages; the next is {queue[0]!r}")
