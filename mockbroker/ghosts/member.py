"""A ghost in a classic group: it joins, syncs, sends heartbeats, and does what a well-behaved client does next.

A machine of answers: each request has one method that hears what came of it.  By itself it acts in the step that
gives it reason to (see `look`), so that no test waits for an interval; heartbeats come by the brokers' time, and
pauses between attempts are by the clients'.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from mockbroker.core.groups.consumer_protocol import CONSUMER, parse_assignment
from mockbroker.core.usage import UsageError
from mockbroker.ghosts.assignors import COOPERATIVE_STICKY
from mockbroker.ghosts.leading import candidates, computed, partitions_in
from mockbroker.ghosts.line import SCRIPT, Line
from mockbroker.ghosts.offering import names_to_offer, offer
from mockbroker.ghosts.persevering import RETRY_BACKOFF_MS, Persevering
from mockbroker.ghosts.sight import Sight
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import (
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupMember,
    LeaveGroupRequest,
    SyncGroupAssignment,
    SyncGroupRequest,
)
from mockbroker.protocol.messages.metadata import MetadataRequest, MetadataTopic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockbroker.core.clock import Timer
    from mockbroker.core.ticket import Ticket
    from mockbroker.core.world import World
    from mockbroker.ghosts.assignors import Candidate, Place

# Heartbeats within a session, as Kafka advises: one may get lost, and another.
HEARTBEATS_PER_SESSION = 3
# What a client leaves a JoinGroup beyond the rebalance timeout before it gives the connection up (Java has it so).
JOIN_LEEWAY_MS = 5_000

_MOVED = {ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE}
_NO_LONGER = {ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION}
_NOT_NOW = {
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NETWORK_EXCEPTION,
    ErrorCode.THROTTLING_QUOTA_EXCEEDED,
}


class Phase(Enum):
    """Where a ghost stands; the values are words for people."""

    JOINING = "joining"
    SYNCING = "waiting for its assignment"
    MEMBER = "a member"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a ghost wants to be."""

    topics: tuple[str, ...]
    assignor: str | None
    instance_id: str | None
    session_timeout_ms: int
    rebalance_timeout_ms: int


class GhostMember(Persevering):
    """One ghost in one group."""

    def __init__(self, world: World, group_id: str, wish: Wish, line: Line, client_id: str) -> None:
        super().__init__(world, group_id, line)
        self.wish = wish
        self.client_id = client_id
        self.id = ""
        self.generation = -1
        self.phase = Phase.JOINING
        self.owned: dict[str, list[int]] = {}
        self.positions: dict[Place, int] = {}
        # What the test's author has to hear of, if that is why it is gone.
        self.failure: UsageError | None = None
        self._protocol: str | None = None
        self._names: list[str] = []
        # What an eager member had before it gave everything up; the sticky assignor wants to know.
        self._previous: list[Place] = []
        self._leads = False
        self._beat: Timer | None = None
        self._refresh: Timer | None = None

    # -- joining ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Join, and be a member from now on."""
        self._seek()

    def _resume(self) -> None:
        """Go on where it was, at whatever coordinator there is."""
        if self.node is None:
            self._seek()
        elif self.phase is Phase.MEMBER:
            self._heartbeat()
        else:
            self._join()

    def _join(self) -> None:
        assert self.node is not None, f"{self!r} knows no coordinator"
        self.phase = Phase.JOINING
        if self._protocol != COOPERATIVE_STICKY:
            self._give_up_all()
        group = self._sight.group_at(self.node)
        try:
            self._names = names_to_offer(group, self.id, self.wish.assignor, self._names)
        except UsageError as cannot:
            self._fail(str(cannot))
            return
        request = JoinGroupRequest(
            group_id=self.group_id,
            session_timeout_ms=self.wish.session_timeout_ms,
            rebalance_timeout_ms=self.wish.rebalance_timeout_ms,
            member_id=self.id,
            group_instance_id=self.wish.instance_id,
            protocol_type=CONSUMER,
            protocols=offer(
                self._names, group, self.wish.topics, self.owned, self._previous, self.generation
            ),
        )
        patience_ms = self.wish.rebalance_timeout_ms + JOIN_LEEWAY_MS
        self._ask_coordinator(request, 9, self._joined, patience_ms)

    def _joined(self, response: Any) -> None:
        code = response.error_code
        if code == ErrorCode.MEMBER_ID_REQUIRED and not self.id:
            self.id = response.member_id
            self._join()  # with the id that it was given, and without a pause: no rebalance ends before (KIP-394)
        elif code == ErrorCode.MEMBER_ID_REQUIRED:
            self.id = response.member_id
            self._again(self._join)
        elif code:
            self._refused("JoinGroup", code)
        else:
            self.id, self.generation = response.member_id, response.generation_id
            self._protocol = response.protocol_name
            self._leads = response.leader == self.id
            self.phase = Phase.SYNCING
            if self._leads and not response.skip_assignment:
                self._lead(response.members)
            else:
                self._sync([])

    def _refused(self, api: str, code: int) -> None:
        """What a client does about an error: try again, begin anew, or give up."""
        if code in _NO_LONGER:
            self._lose_place(ErrorCode(code))
            self._again(self._join)
        elif code == ErrorCode.REBALANCE_IN_PROGRESS:
            self._again(self._join)
        elif code in _MOVED:
            self._leave_coordinator()
        elif code in _NOT_NOW:
            self._again(self._resume, at_once=False)
        elif code == ErrorCode.FENCED_INSTANCE_ID:
            self._end(f"fenced: another client has taken the place of instance {self.wish.instance_id}")
        else:
            self._fail(f"its {api} was refused: {ErrorCode(code).name}")

    def _lose_place(self, code: ErrorCode) -> None:
        """The group has gone on without it: nothing is its own any more."""
        if code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.id = ""
        self._give_up_all()
        self._previous = []
        self.generation = -1

    def _give_up_all(self) -> None:
        if self.owned:
            self._previous = self.places()
        self.owned = {}
        self.positions.clear()

    def places(self) -> list[Place]:
        """What it owns, as places."""
        return sorted((topic, index) for topic, indexes in self.owned.items() for index in indexes)

    # -- leading ----------------------------------------------------------------------------------

    def _lead(self, members: Sequence[Any]) -> None:
        assert self.node is not None, f"{self!r} knows no coordinator"
        try:
            known = candidates(self._protocol or "", members)
        except UsageError as cannot:
            self.leave()
            self._fail(str(cannot))
            return
        self._sight.about_to_assign(self.node, {topic for member in known for topic in member.topics})
        self._ask_for_partitions(lambda counts: self._assign(known, counts))

    def _ask_for_partitions(self, hear: Callable[[dict[str, int]], None]) -> None:
        topics = [MetadataTopic(name=topic) for topic in sorted(self._sight.wanted)]
        request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
        self._ask_coordinator(request, 9, lambda response: hear(partitions_in(response)))

    def _assign(self, known: list[Candidate], counts: dict[str, int]) -> None:
        self.world.history.remark(
            f"{self.client_id} leads group {self.group_id} in generation {self.generation}: "
            f"its {self._protocol} assignment is computed by mockbroker",
            group=self.group_id,
            member=self.id,
        )
        if not self._sight.assigned(counts):
            self._refresh_later()
        self._sync(computed(self._protocol or "", known, counts))

    def _refresh_later(self) -> None:
        """It was told of less than there is: a client asks until it knows, and then has everything assigned anew."""
        if self._refresh is not None:
            self._refresh.cancel()
        self._refresh = self.world.patience.call_in(RETRY_BACKOFF_MS, self._refresh_is_due)

    def _refresh_is_due(self) -> None:
        if not self._leads or self.phase in (Phase.JOINING, Phase.GONE):
            return
        if self.silent or self._asking or self._next is not None:
            self._refresh_later()
        else:
            self._ask_for_partitions(self._refreshed)

    def _refreshed(self, counts: dict[str, int]) -> None:
        if self._sight.has_assigned(counts):
            self._refresh_later()
        else:
            self._join()

    # -- being a member ---------------------------------------------------------------------------

    def _sync(self, assignments: list[SyncGroupAssignment]) -> None:
        request = SyncGroupRequest(
            group_id=self.group_id,
            generation_id=self.generation,
            member_id=self.id,
            group_instance_id=self.wish.instance_id,
            protocol_type=CONSUMER,
            protocol_name=self._protocol,
            assignments=assignments,
        )
        patience_ms = self.wish.rebalance_timeout_ms + JOIN_LEEWAY_MS
        self._ask_coordinator(request, 5, self._synced, patience_ms)

    def _synced(self, response: Any) -> None:
        if response.error_code:
            self._refused("SyncGroup", response.error_code)
            return
        try:
            given = parse_assignment(bytes(response.assignment))
        except ValueError as wrong:
            self._fail(f"it cannot read the assignment that it was given: {wrong}")
            return
        before, self.owned = set(self.places()), given
        now = set(self.places())
        self.positions = {place: at for place, at in self.positions.items() if place in now}
        self.phase = Phase.MEMBER
        self._succeed()
        self._sight.begin_generation()
        self._keep_beating()
        if self._protocol == COOPERATIVE_STICKY and before - now:
            # It has given these up, and says so by joining again, so that they can be assigned (KIP-429).
            self._join()

    def _keep_beating(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        interval_ms = max(self.wish.session_timeout_ms // HEARTBEATS_PER_SESSION, 1)
        self._beat = self.world.clock.call_in(interval_ms, self._beat_is_due)

    def _beat_is_due(self) -> None:
        if self.phase is Phase.MEMBER and not self.silent:
            self._keep_beating()
            if not self._asking and self._next is None:
                self._heartbeat()

    def _heartbeat(self) -> None:
        request = HeartbeatRequest(
            group_id=self.group_id,
            generation_id=self.generation,
            member_id=self.id,
            group_instance_id=self.wish.instance_id,
        )
        self._ask_coordinator(request, 4, self._heard_heartbeat)

    def _heard_heartbeat(self, response: Any) -> None:
        if response.error_code:
            self._refused("Heartbeat", response.error_code)
        else:
            self._succeed()

    def look(self) -> bool:
        """Act, if what has happened in this step gives reason to; says whether it did."""
        if self.ended or self.silent:
            return False
        if self._asking:
            if not self._asks_in_vain():
                return False
            self._leave_coordinator()
            return True
        if self._next is not None:
            if self._backoff is None or not self._sight.changed():
                return False
            self._go_on()
            return True
        return self.phase is Phase.MEMBER and self._react()

    def _react(self) -> bool:
        assert self.node is not None, f"{self!r} is a member and knows no coordinator"
        news = self._sight.news(self.node, self.id, self.generation, leads=self._leads)
        if news is None or news in self._sight.told:
            return False
        self._sight.told.add(news)
        if news[0] == Sight.PARTITIONS:
            self._join()
        elif self._sight.has_left(self.node):
            self._leave_coordinator()
        else:
            self._heartbeat()
        return True

    # -- what a test makes it do ------------------------------------------------------------------

    def be_silent(self) -> None:
        """Send nothing more, and take no notice of anything."""
        self.silent = True
        if self._beat is not None:
            self._beat.cancel()

    def speak(self) -> None:
        """Go on, first with what came in meanwhile."""
        self.silent = False
        unread, self._unread = self._unread, []
        for hear in unread:
            hear()
        if self.phase is Phase.MEMBER:
            self._keep_beating()
        if self._asking or self.ended:
            return
        if self._next is not None:
            self.world.soon(self._go_on)  # no pause is left to be made
        elif self.phase is Phase.MEMBER:
            self._heartbeat()

    def leave(self) -> Ticket[Any] | None:
        """Say goodbye, and be gone; without a coordinator there is nobody to say it to."""
        node, member_id = self.node, self.id
        self._end("it left")
        if node is None or not node.up or not member_id:
            return None
        leaving = LeaveGroupMember(
            member_id=member_id, group_instance_id=self.wish.instance_id, reason="the ghost leaves"
        )
        request = LeaveGroupRequest(group_id=self.group_id, members=[leaving])
        # Not behind a JoinGroup that is parked.
        return self.line.ask(node, request, 5, lane=SCRIPT)

    def vanish(self) -> None:
        """Be gone without a word."""
        self._end("it was dismissed")

    def _end(self, why: str) -> None:
        self.phase = Phase.GONE
        self.ended = self.ended or why
        self.owned = {}
        self.positions.clear()
        self._epoch += 1
        self._next = None
        for timer in (self._beat, self._backoff, self._refresh):
            if timer is not None:
                timer.cancel()

    def _fail(self, why: str) -> None:
        """Be gone for a reason that the author of the test must hear of."""
        self.ended = ""
        self._end(why)
        self.failure = UsageError(f"{self.client_id} cannot be in group {self.group_id!r}: {why}")
        self.world.history.remark(f"{self.client_id} gives up: {why}", group=self.group_id)

    def __repr__(self) -> str:
        return (
            f"<ghost {self.client_id} ({self.id or 'without an id'}) in {self.group_id}: {self.phase.value}>"
        )
