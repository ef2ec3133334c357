"""Waits with a name: a produce that waits for its followers, a fetch that waits for records.

Each is told what moved and counts only that; it does not go looking.  Patience, which ends a wait, follows
the clients' time and never the brokers', so that frozen broker time does not hang every client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mockbroker.core.clock import Timer
    from mockbroker.core.node import Node
    from mockbroker.core.replica import Replica

R = TypeVar("R")


@dataclass(slots=True)
class Written:
    """Records that wait to be replicated, and how to tell their partition's answer that they were not."""

    replica: Replica
    leader_epoch: int
    end: int
    fail: Callable[[ErrorCode], None]

    def verdict(self) -> ErrorCode | None:
        """NONE when committed, an error when they cannot be any more, None when it is still open."""
        if not self.replica.leading or self.replica.leader_epoch != self.leader_epoch:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        if self.replica.high_watermark < self.end:
            return None
        if not self.replica.enough_in_sync():
            return ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        return ErrorCode.NONE


class DelayedProduce(Generic[R]):
    """An acks=all produce waiting until every partition's records are committed, or patience ends."""

    def __init__(self, node: Node, written: list[Written], response: R, *, patience_ms: int) -> None:
        self._node = node
        self._waiting = written
        self._response = response
        self._timer: Timer | None = None
        self.ticket: Ticket[R] = Ticket(self._why)
        for one in written:
            one.replica.watch(self)
        # Most are committed within this very step; only what is left after it needs a timer.
        node.world.when_settled(lambda: self._be_patient(patience_ms))

    def _why(self) -> str:
        places = ", ".join(
            f"{w.replica.topic}-{w.replica.index} up to offset {w.end - 1}" for w in self._waiting
        )
        return f"a produce waits for the in-sync replicas to have {places}"

    def _be_patient(self, patience_ms: int) -> None:
        for one in list(self._waiting):
            self.progress(one.replica)
        if not self.ticket.done:
            self._timer = self._node.patient_in(patience_ms, self._give_up)

    def progress(self, replica: Replica) -> None:
        """A replica moved: settle those records of it that can be settled."""
        still = []
        for one in self._waiting:
            verdict = self._verdict(one) if one.replica is replica else None
            if verdict is None:
                still.append(one)
            elif verdict != ErrorCode.NONE:
                one.fail(verdict)
        self._waiting = still
        if not any(one.replica is replica for one in still):
            replica.unwatch(self)
        if not still:
            self._answer()

    def _verdict(self, one: Written) -> ErrorCode | None:
        verdict = one.verdict()
        lost = verdict == ErrorCode.NOT_LEADER_OR_FOLLOWER
        if lost and self._node.image.topic_by_id(one.replica.topic_id) is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return verdict

    def _give_up(self) -> None:
        for one in self._waiting:
            one.replica.unwatch(self)
            one.fail(ErrorCode.REQUEST_TIMED_OUT)
        self._waiting = []
        self._answer()

    def _answer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.ticket.done:
            self.ticket.resolve(self._response)


class LowWatermark(Protocol):
    """One partition's answer to a deletion of records."""

    low_watermark: int
    error_code: int


class DelayedDelete(Generic[R]):
    """A deletion of records waiting until every live replica begins where it should."""

    def __init__(
        self, node: Node, moved: Iterable[tuple[Replica, int, LowWatermark]], response: R, *, patience_ms: int
    ) -> None:
        self._waiting = list(moved)
        self._response = response
        self.ticket: Ticket[R] = Ticket("every live replica to have deleted its records")
        self._timer = node.patient_in(patience_ms, self._give_up)
        for replica, _, _ in list(self._waiting):
            replica.watch(self)
            self.progress(replica)

    def progress(self, replica: Replica) -> None:
        """A replica moved: settle its deletion if it is done, or cannot be any more."""
        still = []
        for one, start, answer in self._waiting:
            if one is not replica:
                still.append((one, start, answer))
            elif one.leadership is None:
                answer.error_code = ErrorCode.NOT_LEADER_OR_FOLLOWER
                answer.low_watermark = -1
            elif one.leadership.low_watermark >= start:
                answer.low_watermark = one.leadership.low_watermark
            else:
                still.append((one, start, answer))
        self._waiting = still
        if not still and not self.ticket.done:
            self._answer()

    def _give_up(self) -> None:
        for _, _, answer in self._waiting:
            answer.error_code = ErrorCode.REQUEST_TIMED_OUT
            answer.low_watermark = -1
        self._answer()

    def _answer(self) -> None:
        self._timer.cancel()
        for replica, _, _ in self._waiting:
            replica.unwatch(self)
        self.ticket.resolve(self._response)


@dataclass(slots=True)
class Reading:
    """One partition of a waiting fetch: from where it reads, and how much of it counts."""

    replica: Replica
    leader_epoch: int
    offset: int
    max_bytes: int
    isolation: int

    def available(self) -> int:
        """Bytes that it could get now."""
        visible = self.replica.visible_end(self.isolation)
        return (
            min(self.replica.log.size_between(self.offset, visible), self.max_bytes)
            if visible > self.offset
            else 0
        )

    def disturbed(self) -> bool:
        """Whether there is nothing to wait for any more.

        That is so in another term, in another role and when an end was cut away; and where a segment has
        ended since, for a fetch reads from one at a time and will not get more.  Records that were deleted at
        the log's start hasten nothing, in Kafka neither.
        """
        log = self.replica.log
        if self.replica.leader_epoch != self.leader_epoch or self.offset > log.end:
            return True
        following = log.segments.next_base(self.offset)
        return following is not None and following <= self.replica.visible_end(self.isolation)


class DelayedFetch(Generic[R]):
    """A fetch waiting for `min_bytes` of records that it may see, or for its patience to end."""

    def __init__(
        self,
        node: Node,
        readings: Iterable[Reading],
        read: Callable[[], R],
        *,
        min_bytes: int,
        patience_ms: int,
    ) -> None:
        self._node = node
        self._read = read
        self._min_bytes = min_bytes
        self._readings = {id(r.replica): r for r in readings}
        self._counted = {key: r.available() for key, r in self._readings.items()}
        self.ticket: Ticket[R] = Ticket(self._why)
        for reading in self._readings.values():
            reading.replica.watch(self)
        self._timer = node.patient_in(patience_ms, self._answer)

    def _why(self) -> str:
        places = ", ".join(
            f"{r.replica.topic}-{r.replica.index} from {r.offset}" for r in self._readings.values()
        )
        return f"a fetch waits for {self._min_bytes} bytes, has {sum(self._counted.values())}: {places or 'nothing'}"

    def progress(self, replica: Replica) -> None:
        """A replica moved: count what that brought, answer when it is enough."""
        reading = self._readings[id(replica)]
        self._counted[id(replica)] = reading.available()
        if reading.disturbed() or sum(self._counted.values()) >= self._min_bytes:
            self._answer()

    def _answer(self) -> None:
        self._timer.cancel()
        for reading in self._readings.values():
            reading.replica.unwatch(self)
        if not self.ticket.done:
            self.ticket.resolve(self._read())
