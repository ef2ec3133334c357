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


class Receiver(Protocol):
    """An end of links."""

    def receive(self, message: Message) -> None:
        """Act on one message."""


class Links:
    """All roads between brokers: instant and in order, until someone slows, cuts or rules them."""

    __slots__ = ("_clock", "_cut", "_delay_ms", "_queue", "_receivers", "between")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[Message] = deque()
        self._receivers: dict[int, Receiver] = {}
        self._cut: set[tuple[int, int]] = set()
        self._delay_ms: dict[tuple[int, int], int] = {}
        # A rule that sees each message before it travels, and answers whether it may; None costs nothing.
        self.between: Callable[[Message], bool] | None = None

    def attach(self, end: int, receiver: Receiver) -> None:
        """Let `receiver` be what is found at `end`."""
        self._receivers[end] = receiver

    def send(self, message: Message) -> None:
        """Put a message on its road.  On a cut road it is lost, as with a broken connection."""
        if self.between is not None and not self.between(message):
            return
        if self._cut or self._delay_ms:
            road = (message.source, message.target)
            if road in self._cut:
                return
            if delay_ms := self._delay_ms.get(road, 0):
                self._clock.call_in(delay_ms, lambda: self._queue.append(message))
                return
        self._queue.append(message)

    def redeliver(self, message: Message) -> None:
        """Let a message travel that a rule had held back; the rule does not see it again."""
        if (message.source, message.target) not in self._cut:
            self._queue.append(message)

    def cut(self, one: int, other: int) -> None:
        """Break the road between two ends, in both directions; what is on it is lost."""
        self._cut |= {(one, other), (other, one)}
        self._queue = deque(m for m in self._queue if (m.source, m.target) not in self._cut)

    def mend(self, one: int, other: int) -> None:
        """Repair the road.  What was lost stays lost: the ends must ask again."""
        self._cut -= {(one, other), (other, one)}

    def connected(self, one: int, other: int) -> bool:
        """Whether a message from `one` can reach `other` now."""
        return (one, other) not in self._cut

    def slow(self, one: int, other: int, delay_ms: int) -> None:
        """Let each message between two ends take `delay_ms` of broker time; 0 makes it instant again."""
        for road in ((one, other), (other, one)):
            if delay_ms:
                self._delay_ms[road] = delay_ms
            else:
                self._delay_ms.pop(road, None)

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
