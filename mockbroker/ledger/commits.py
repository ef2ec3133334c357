"""The part of the ledger that is about groups: which offsets coordinators were asked to keep, and which they have kept.

What a committer was told and what became of its commit are two things: a record that was not replicated in time may be
replicated later, also under another coordinator.  Bounded like the rest; knows no logs and no records.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mockbroker.core.groups.records import OffsetCommitted
from mockbroker.ghosts.company import SOFTWARE as GHOST
from mockbroker.ledger import requests
from mockbroker.ledger.entries import TESTER, Committed
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mockbroker.core.call import Call
    from mockbroker.core.groups.committing import Committer
    from mockbroker.core.groups.offsets import OffsetRecord, OffsetToCommit
    from mockbroker.core.world import World
    from mockbroker.ledger.requests import NameOf, Pending

# Commits of which nobody knows whether they will be kept; the oldest are taken to be refused.
DOUBTFUL_MAX = 1_000

# These are told of a commit whose record may be in the log, and one that nobody has answered may be, too.
_PERHAPS = {
    ErrorCode.COORDINATOR_NOT_AVAILABLE.name,
    ErrorCode.NOT_COORDINATOR.name,
    ErrorCode.REQUEST_TIMED_OUT.name,
}

_What = tuple[str, str, int, int]


class Commits:
    """Commits of all groups, oldest first."""

    def __init__(self, world: World, name_of: NameOf, entries_max: int) -> None:
        self._world = world
        self._name_of = name_of
        self.all: deque[Committed] = deque(maxlen=entries_max)
        # Those that will be kept with a transaction, by group and producer id.
        self._in_transaction: dict[tuple[str, int], list[Committed]] = {}
        self._doubtful: dict[_What, Committed] = {}

    @property
    def _now_us(self) -> int:
        return self._world.history.stopwatch()

    def kept(
        self,
        who: Committer,
        offsets: Sequence[OffsetToCommit],
        verdicts: Sequence[ErrorCode],
        pending: Pending | None,
    ) -> None:
        """A group's offsets were moved, where the verdict is NONE; who waits for that is still to be told.

        Where it is that nobody knows, they may be moved before anybody has heard that.
        """
        call = self._world.serving
        made: list[Committed] = []
        for offset, verdict in zip(offsets, verdicts, strict=True):
            what = (who.group_id, offset.topic, offset.index, offset.offset)
            if verdict.name in _PERHAPS:
                doubtful = self._entry(who, offset, call)
                doubtful.error = verdict.name
                self._doubt(doubtful)
                made.append(doubtful)
            elif verdict is ErrorCode.NONE and not self._settle(what):
                made.append(self._entry(who, offset, call))
        self.all += made
        if pending is not None:
            pending.committed = (*pending.committed, *made)

    def _entry(self, who: Committer, offset: OffsetToCommit, call: Call[Any] | None) -> Committed:
        return Committed(
            self._now_us, TESTER if call is None else call.client_id, 0 if call is None else call.peer.ordinal,
            who.group_id, who.member_id, who.generation, (offset.topic, offset.index), offset.offset,
            by_test=call is None or call.peer.software == GHOST,
        )  # fmt: skip

    def answered(self, pending: Pending, message: Any, lost: str) -> None:
        """A commit has its answer; what it has not moved is noted now."""
        call = pending.call
        codes = {} if message is None else requests.commit_codes(call, message, self._name_of)
        moved = {commit.place: commit for commit in pending.committed}
        for topic, index, offset in requests.to_commit(call, self._name_of):
            place, code = (topic, index), codes.get((topic, index))
            if (commit := moved.get(place)) is not None:
                commit.lost = bool(lost) or (code != ErrorCode.NONE and not commit.error)
            elif code != ErrorCode.NONE:  # what belongs to a transaction moves when that is committed
                why = lost if code is None else ErrorCode(code).name
                body = call.body
                refused = Committed(
                    self._now_us, call.client_id, call.peer.ordinal, body.group_id, body.member_id,
                    body.generation_id_or_member_epoch, place, offset, why or "nothing came of it",
                    lost=bool(lost), by_test=call.peer.software == GHOST,
                )  # fmt: skip
                self.all.append(refused)
                if code is None or refused.error in _PERHAPS:
                    self._doubt(refused)

    def _doubt(self, commit: Committed) -> None:
        self._doubtful[commit.group, *commit.place, commit.offset] = commit
        if len(self._doubtful) > DOUBTFUL_MAX:
            del self._doubtful[next(iter(self._doubtful))]

    def _settle(self, what: _What) -> bool:
        """Whether this is a commit that seemed to be refused: it was kept, and its committer was not told."""
        commit = self._doubtful.pop(what, None)
        if commit is None:
            return False
        commit.error, commit.lost = "", True
        # In the order in which offsets have moved; if it was forgotten meanwhile, it has moved all the same.
        with suppress(ValueError):
            self.all.remove(commit)
        commit.at_us = self._now_us
        self.all.append(commit)
        return True

    def moved(self, records: Iterable[OffsetRecord]) -> None:
        """These are replicated now."""
        for record in records if self._doubtful else ():
            if isinstance(record, OffsetCommitted):
                self._settle((record.group_id, record.topic, record.index, record.offset))

    def in_transaction(self, who: Committer, offsets: Sequence[OffsetToCommit], producer_id: int) -> None:
        """They will be moved when the producer's transaction is committed."""
        call = self._world.serving
        waiting = self._in_transaction.setdefault((who.group_id, producer_id), [])
        waiting += [self._entry(who, offset, call) for offset in offsets]

    def transaction_ended(self, group_ids: Iterable[str], producer_id: int, *, committed: bool) -> None:
        """Offsets that were to move with a transaction have moved, or never will."""
        for group_id in group_ids:
            for commit in self._in_transaction.pop((group_id, producer_id), ()):
                if committed:
                    commit.at_us = self._now_us
                    self.all.append(commit)

    def moved_by_hand(self, group_id: str, topic: str, index: int, offset: int) -> None:
        """A test has put a group somewhere."""
        self.all.append(
            Committed(self._now_us, TESTER, 0, group_id, "", -1, (topic, index), offset, by_test=True)
        )
