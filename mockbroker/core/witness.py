"""Someone who sees what becomes of records and offsets, and decides nothing.

The core calls it where records move: one truth test where nobody watches.  What is made of it, and how much of
it is kept, is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mockbroker.core.call import Call, Peer
    from mockbroker.core.groups.committing import Committer
    from mockbroker.core.groups.offsets import OffsetRecord, OffsetToCommit
    from mockbroker.core.image import Image
    from mockbroker.core.replica import Appended, Replica
    from mockbroker.core.transactions.records import TransactionRecord
    from mockbroker.protocol.errors import ErrorCode
    from mockbroker.records.batch import Batch

# What was read of one replica: from where, the offset behind it, and the isolation level.
Reading = tuple["Replica", int, int, int]


class Witness(Protocol):
    """Told of requests, of logs, of elections and of groups, in the order in which it happens."""

    # -- requests: on whose behalf something happens is `World.serving` ----------------------------

    def asked(self, broker: int, call: Call[Any]) -> None:
        """A request has come."""

    def answered(self, broker: int, call: Call[Any], response: Any) -> None:
        """This is what becomes of the request: an answer, or whatever there is instead of one."""

    def sent_off(self, call: Call[Any]) -> None:
        """The answer has left."""

    def crashed(self, broker: int) -> None:
        """A broker has died, and answers nothing any more of what it was asked."""

    def closed(self, peer: Peer) -> None:
        """A connection is over; what it was owed nobody will read."""

    # -- logs -------------------------------------------------------------------------------------

    def appended(self, replica: Replica, batch: Batch, place: Appended) -> None:
        """A leader has the batch in its log, or had it there before it came again."""

    def copied(self, replica: Replica, batches: Iterable[Batch]) -> None:
        """A follower has these batches now."""

    def high_watermark_moved(self, replica: Replica) -> None:
        """A leader's high watermark has moved."""

    def leads(self, replica: Replica) -> None:
        """A term begins, with the log that the new leader has."""

    def truncated(self, replica: Replica) -> None:
        """A copy has forgotten what its leader does not have."""

    def decided(self, before: Image, after: Image, topics: Iterable[str]) -> None:
        """The controller has made another image; something about these topics is new."""

    # -- readers and groups -----------------------------------------------------------------------

    def read(self, call: Call[Any], readings: Sequence[Reading]) -> None:
        """These records are in the answer to a fetch."""

    def commits(
        self, who: Committer, offsets: Sequence[OffsetToCommit], verdicts: Sequence[ErrorCode]
    ) -> None:
        """A group's offsets were moved, where the verdict is NONE."""

    def offsets_moved(self, records: Sequence[OffsetRecord]) -> None:
        """These are replicated now: also those whose committer was told that they were not, or nothing.

        A coordinator that begins tells of all that it has found.
        """

    def commits_in_transaction(
        self, who: Committer, offsets: Sequence[OffsetToCommit], producer_id: int
    ) -> None:
        """They will be moved when the producer's transaction is committed."""

    def transaction_ended(self, group_ids: Iterable[str], producer_id: int, *, committed: bool) -> None:
        """Offsets that were to move with a transaction have moved, or never will."""

    def transaction_moved(self, record: TransactionRecord) -> None:
        """A transactional id is in another state, and this is committed."""

    def moved_by_hand(self, group_id: str, topic: str, index: int, offset: int) -> None:
        """A test has put a group somewhere."""
