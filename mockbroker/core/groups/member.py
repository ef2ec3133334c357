"""One member of a classic group: who it is, what it can speak, and which of its answers are still due.

Knows nothing of states or other members.  Its parked requests are tickets; answering one twice is
impossible, because answering takes it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.groups.records import MemberRecord
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import JoinGroupResponse, SyncGroupResponse

if TYPE_CHECKING:
    from mockbroker.core.groups.appointment import Appointment
    from mockbroker.core.ticket import Ticket

# (name, metadata) in the member's order of preference.
Protocols = list[tuple[str, bytes]]


class Member:
    """A member.  A static one (KIP-345) has an `instance_id`, and keeps its place when it restarts."""

    __slots__ = (
        "assignment", "client_host", "client_id", "id", "instance_id", "is_new", "joining", "protocols",
        "rebalance_timeout_ms", "session", "session_timeout_ms", "syncing",
    )  # fmt: skip

    def __init__(
        self, id: str, instance_id: str | None, *, client_id: str, client_host: str,
        rebalance_timeout_ms: int, session_timeout_ms: int, protocols: Protocols, assignment: bytes = b"",
    ) -> None:  # fmt: skip
        self.id = id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocols = protocols
        self.assignment = assignment
        # New until its first JoinGroup is answered: it cannot heartbeat yet, so even parked it may expire.
        self.is_new = False
        self.joining: Ticket[JoinGroupResponse] | None = None
        self.syncing: Ticket[SyncGroupResponse] | None = None
        self.session: Appointment | None = None

    @classmethod
    def loaded(cls, record: MemberRecord, protocol: str | None) -> Member:
        """A member as the log knows it: of its protocols only the chosen one was written."""
        return cls(
            record.member_id,
            record.instance_id,
            client_id=record.client_id,
            client_host=record.client_host,
            rebalance_timeout_ms=record.rebalance_timeout_ms,
            session_timeout_ms=record.session_timeout_ms,
            protocols=[(protocol or "", record.subscription)],
            assignment=record.assignment,
        )

    def record(self, protocol: str, assignment: bytes) -> MemberRecord:
        """What a successor of the coordinator is to know of this member."""
        return MemberRecord(
            member_id=self.id,
            instance_id=self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            session_timeout_ms=self.session_timeout_ms,
            subscription=self.metadata(protocol),
            assignment=assignment,
        )

    def renamed(self, id: str) -> Member:
        """The same member under another id: a static one that started again."""
        twin = Member(
            id,
            self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            session_timeout_ms=self.session_timeout_ms,
            protocols=self.protocols,
            assignment=self.assignment,
        )
        twin.is_new = self.is_new
        return twin

    @property
    def is_static(self) -> bool:
        """Whether it keeps its place through a restart."""
        return self.instance_id is not None

    @property
    def outlives_its_session(self) -> bool:
        """Whether its session timer may run out without harm: while it waits for us it cannot heartbeat."""
        return not self.is_new and (self.joining is not None or self.syncing is not None)

    def metadata(self, protocol: str) -> bytes:
        """What it said for this protocol; empty when it does not speak it."""
        return next((metadata for name, metadata in self.protocols if name == protocol), b"")

    def answer_join(self, response: JoinGroupResponse) -> None:
        """Answer the parked JoinGroup, if there is one."""
        ticket, self.joining = self.joining, None
        if ticket is not None:
            ticket.resolve(response)

    def answer_sync(self, response: SyncGroupResponse) -> bool:
        """Answer the parked SyncGroup, and say whether there was one."""
        ticket, self.syncing = self.syncing, None
        if ticket is not None:
            ticket.resolve(response)
        return ticket is not None

    def refuse(self, code: ErrorCode, member_id: str | None = None) -> None:
        """Answer whatever is parked with an error.  `member_id`: the id that the JoinGroup answer bears."""
        said = self.id if member_id is None else member_id
        self.answer_join(JoinGroupResponse(error_code=code, member_id=said, protocol_name=None))
        self.answer_sync(SyncGroupResponse(error_code=code))

    def __repr__(self) -> str:
        return f"<Member {self.id}>"
