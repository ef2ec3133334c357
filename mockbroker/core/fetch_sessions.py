"""Fetch sessions (KIP-227): a client names its partitions once, and then both sides only tell what is new.

A broker keeps a bounded number of them.  Knows which partitions a session has and what it last told about
each; does not know records, and reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mockbroker.core.node import Node

FINAL_EPOCH = -1
INITIAL_EPOCH = 0
EPOCH_MAX = 2**31 - 1
SESSION_ID_MAX = 2**31 - 1

# A session that nobody has used for so long may make room for another
# (Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS).
EVICTABLE_AFTER_MS = 120_000

# Topic, by id where the session goes by ids and else by name, and partition.
Place = tuple[str | bytes, int]


@dataclass(slots=True)
class Wanted:
    """What a client wants of one partition, and what it was last told.

    `topic` is the name, "" when the id that was asked for means nothing here.
    """

    place: Place
    topic: str
    topic_id: bytes
    index: int
    offset: int
    max_bytes: int
    leader_epoch: int
    last_epoch: int
    told_high_watermark: int = -1
    told_log_start: int = -1

    def want_anew(self, other: Wanted) -> None:
        """Take over what the client changed."""
        self.offset = other.offset
        self.max_bytes = other.max_bytes
        self.leader_epoch = other.leader_epoch
        self.last_epoch = other.last_epoch

    def is_news(self, *, high_watermark: int, log_start: int, failed: bool) -> bool:
        """Whether an answer without records still says something new; remembers that it was told."""
        news = failed or high_watermark != self.told_high_watermark or log_start != self.told_log_start
        # After an error the next success is news, whatever it says.
        self.told_high_watermark = -1 if failed else high_watermark
        self.told_log_start = log_start
        return news


@dataclass(slots=True)
class FetchSession:
    """One client's session.  `by_id`: its partitions are named by topic id (Fetch v13+)."""

    id: int
    by_id: bool
    wanted: dict[Place, Wanted]
    epoch: int
    used_ms: int

    def served(self, places: Iterable[Place]) -> None:
        """These partitions go to the end of the line, so that each gets its turn."""
        for place in places:
            found = self.wanted.pop(place, None)
            if found is not None:
                self.wanted[place] = found


@dataclass(slots=True)
class FetchPlan:
    """What one fetch is to read, and as part of which session; `session` None is a fetch without one."""

    wanted: list[Wanted]
    session: FetchSession | None
    incremental: bool

    @property
    def session_id(self) -> int:
        """The id to answer with: 0 for no session, or none any more."""
        if self.session is None or (self.incremental and not self.session.wanted):
            return 0
        return self.session.id


class FetchSessions:
    """The sessions of one broker."""

    __slots__ = ("_node", "_sessions")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sessions: dict[int, FetchSession] = {}

    def plan(
        self, session_id: int, epoch: int, wanted: list[Wanted], forgotten: list[Place], *, by_id: bool
    ) -> FetchPlan:
        """Decide what a fetch means.  Raises FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH or
        FETCH_SESSION_TOPIC_ID_ERROR; the session, if there is one, survives that unchanged.
        """
        if epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._sessions.pop(session_id, None)
            # One may begin without partitions; only one that has lost them all ends.
            session = self._open(wanted, by_id=by_id) if epoch == INITIAL_EPOCH else None
            return FetchPlan(list(session.wanted.values()) if session else wanted, session, incremental=False)
        session = self._sessions.get(session_id)
        if session is None:
            raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != epoch:
            raise KafkaError(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        if session.by_id != by_id:
            raise KafkaError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        self._update(session, wanted, forgotten)
        return FetchPlan(list(session.wanted.values()), session, incremental=True)

    def standing(self, session_id: int, epoch: int) -> list[Wanted]:
        """What a session has, if a fetch with this epoch would be the next of it; nothing else knows of it."""
        session = self._sessions.get(session_id)
        if session is None or session.epoch != epoch or epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            return []
        return list(session.wanted.values())

    def told_otherwise(self, session_id: int, places: Iterable[Place]) -> None:
        """A client heard an error of these places instead of what was read: next time everything is news."""
        session = self._sessions.get(session_id)
        for place in places:
            if session is not None and (want := session.wanted.get(place)) is not None:
                want.told_high_watermark = -1

    def _update(self, session: FetchSession, wanted: list[Wanted], forgotten: list[Place]) -> None:
        for place in forgotten:
            session.wanted.pop(place, None)
        for want in wanted:
            known = session.wanted.get(want.place)
            if known is None:
                session.wanted[want.place] = want
            else:
                known.want_anew(want)
        session.epoch = 1 if session.epoch == EPOCH_MAX else session.epoch + 1
        session.used_ms = self._node.clock.now
        if not session.wanted:
            del self._sessions[session.id]

    def _open(self, wanted: list[Wanted], *, by_id: bool) -> FetchSession | None:
        now_ms = self._node.clock.now
        if len(self._sessions) >= self._node.config[settings.MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS]:
            oldest = min(self._sessions.values(), key=lambda s: s.used_ms, default=None)
            if oldest is None or now_ms - oldest.used_ms <= EVICTABLE_AFTER_MS:
                return None
            del self._sessions[oldest.id]
        session_id = self._node.world.random.randint(1, SESSION_ID_MAX)
        while session_id in self._sessions:
            session_id = self._node.world.random.randint(1, SESSION_ID_MAX)
        by_place = {want.place: want for want in wanted}
        session = self._sessions[session_id] = FetchSession(session_id, by_id, by_place, 1, now_ms)
        return session
