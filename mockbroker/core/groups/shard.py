"""The groups of one partition of `__consumer_offsets`, on the broker that leads it.

Operations decide, `carry_out` writes what they decided, `replay` alone changes what a successor would
know.  Here is the frame; the rules are in the modules beside it.  It does not know frames or sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mockbroker.core import settings
from mockbroker.core.groups import committing, joining, membership, syncing
from mockbroker.core.groups.appointment import Appointment
from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.offsets import OffsetBook, OffsetToCommit, Place
from mockbroker.core.groups.outcome import Outcome
from mockbroker.core.groups.rebalancing import Records, keep_alive, prepare
from mockbroker.core.groups.records import (
    GroupMetadata,
    GroupRecord,
    GroupRemoved,
    OffsetCommitted,
    encode_record,
    parse_record,
)
from mockbroker.core.groups.views import GroupView, generation_of, view
from mockbroker.core.shard import Shard
from mockbroker.core.ticket import then
from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import LeaveGroupResponse, LeftMember

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mockbroker.core.call import Call
    from mockbroker.core.clock import Clock
    from mockbroker.core.groups.committing import Committer, Deletion, Verdicts
    from mockbroker.core.node import Node
    from mockbroker.core.producers import Verification
    from mockbroker.core.replica import Replica
    from mockbroker.core.settings import Setting
    from mockbroker.core.ticket import Reply
    from mockbroker.protocol.messages.groups import (
        HeartbeatRequest,
        HeartbeatResponse,
        JoinGroupRequest,
        JoinGroupResponse,
        LeaveGroupMember,
        SyncGroupRequest,
        SyncGroupResponse,
    )
    from mockbroker.records.record import Record

T = TypeVar("T")


class GroupShard(Shard):
    """A group coordinator's share of the groups."""

    def __init__(self, node: Node, replica: Replica) -> None:
        super().__init__(node, replica)
        self.groups: dict[str, ClassicGroup] = {}
        # Groups that began without a record, and where the log ended then: see `begin_unseen`.
        self._unseen: dict[str, int] = {}
        self.offsets = OffsetBook()
        # Told the id of every group that an operation, a timer or a commit may have changed.
        self.on_change: list[Callable[[str], None]] = []
        self._scan: Appointment | None = None

    # -- what the rules need ----------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The brokers' time: sessions, rebalances and retention all count by it."""
        return self.node.clock

    @property
    def patience_ms(self) -> int:
        """offsets.commit.timeout.ms: how long a commit waits for its replicas."""
        return self.setting(settings.OFFSETS_COMMIT_TIMEOUT_MS)

    def setting(self, setting: Setting[T]) -> T:
        """A broker setting in force."""
        return self.node.config[setting]

    def after(self, delay_ms: int, action: Callable[[], Records]) -> Appointment:
        """Do something later, and write what it decides; not at all once this shard has closed."""

        def act() -> None:
            if self.open:
                self.keep(action())

        return Appointment(self.node, delay_ms, act)

    def new_uuid(self) -> str:
        """A random (version 4) UUID as text, for member ids."""
        raw = bytearray(self.node.world.new_id())
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        text = raw.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def note_generation(self, group: ClassicGroup) -> None:
        """A generation begins to work: remember it for people."""
        world = self.node.world
        now_us = world.history.stopwatch()
        entry = generation_of(group, self.clock.now, now_us, self.node.id, world.positions.count)
        world.chronicle.of(group.id).append(entry)

    # -- writing and replaying --------------------------------------------------------------------

    def carry_out(self, group_id: str, outcome: Outcome[T]) -> Reply[T]:
        """Write what an operation decided; its answer is its own affair."""
        self._write(outcome.records, outcome.stored)
        self._changed(group_id)
        return outcome.reply

    def keep(self, records: Records) -> None:
        """Write records that nobody waits for: what timers decide.

        Where they cannot be written the group goes on in memory, and a successor finds an older state.
        """
        self._write(records, lambda _: None)
        for group_id in dict.fromkeys(record.group_id for record in records):
            self._changed(group_id)

    def _write(self, records: Sequence[GroupRecord], stored: Callable[[KafkaError | None], None]) -> None:
        self.write([encode_record(record) for record in records], stored)

    def _changed(self, group_id: str) -> None:
        for tell in self.on_change:
            tell(group_id)

    def replay(self, record: Record, offset: int) -> None:
        """Fold one record in."""
        said = None if record.key is None else parse_record(record.key, record.value)
        if said is None:
            return
        if isinstance(said, GroupMetadata):
            # While it lives, a group in memory is the source of its records and knows more than they say.
            if self.loading or said.group_id not in self.groups:
                self._take_in(ClassicGroup.loaded(said))
        elif isinstance(said, GroupRemoved):
            self._bury(said.group_id)
        else:
            if isinstance(said, OffsetCommitted) and said.group_id not in self.groups:
                self._take_in(ClassicGroup(said.group_id))
            self.offsets.replay(said, offset)

    def replay_in_transaction(self, producer_id: int, record: Record, offset: int) -> None:
        """Fold in an offset of an open transaction.  Its group begins with it, if there was none."""
        said = None if record.key is None else parse_record(record.key, record.value)
        if not isinstance(said, OffsetCommitted):
            return
        if said.group_id not in self.groups:
            self._take_in(ClassicGroup(said.group_id))
        self.offsets.replay_in_transaction(producer_id, said, offset)

    def replay_marker(self, producer_id: int, offset: int, *, commit: bool) -> None:
        """A transaction has ended: its offsets count now, or never."""
        ended = self.offsets.replay_marker(producer_id, offset, commit=commit)
        if ended and not self.loading and self.node.witness is not None:
            group_ids = dict.fromkeys(said.group_id for said in ended)
            self.node.witness.transaction_ended(group_ids, producer_id, committed=commit)
        for said in ended:
            self._changed(said.group_id)

    def _take_in(self, group: ClassicGroup) -> None:
        self.groups[group.id] = group
        self._arm_scan()

    def _bury(self, group_id: str) -> None:
        group = self.groups.pop(group_id, None)
        self._unseen.pop(group_id, None)
        if group is not None and not self.loading:
            self._dissolve(group)
            group.enter(State.DEAD, self.clock.now)

    def begin_unseen(self, group_id: str) -> None:
        """Begin a group of which nothing is written.

        Kafka's readers see the groups as they were at the committed end of the partition, so this one is
        there for those who change groups, and not for those who look, until anything is written behind it.
        """
        self._take_in(ClassicGroup(group_id))
        self._unseen[group_id] = self.replica.log.end

    def seen(self, group_id: str) -> ClassicGroup | None:
        """The group, if there is one that readers see."""
        return None if group_id in self._unseen else self.groups.get(group_id)

    def committed(self, end_offset: int) -> None:
        """The high watermark moved: readers see the groups that began, and the offsets, below it."""
        if self._unseen:
            self._unseen = {id: began for id, began in self._unseen.items() if began >= end_offset}
        moved = self.offsets.settle(end_offset)
        if moved and self.node.witness is not None:
            self.node.witness.offsets_moved(moved)
        for group_id in list(self.groups) if moved and self.on_change else ():
            self._changed(group_id)

    # -- life -------------------------------------------------------------------------------------

    def loaded(self) -> None:
        """Everybody who was a member is given a full session to be heard of; no rebalance is remembered."""
        for group in list(self.groups.values()):
            for member in group.members.values():
                keep_alive(self, group, member)
            if len(group.members) > self.setting(settings.GROUP_MAX_SIZE):
                # The limit was lowered since; joining again is how the last ones find out.
                self.keep(prepare(self, group, "the loaded group is larger than group.max.size"))
        self._arm_scan()

    def unloaded(self) -> None:
        """Another broker coordinates now: send everybody there."""
        for group in self.groups.values():
            self._dissolve(group)
        if self._scan is not None:
            self._scan.cancel()

    def _dissolve(self, group: ClassicGroup) -> None:
        for timer in (group.join_timer, group.sync_timer, *group.pending.values()):
            if timer is not None:
                timer.cancel()
        group.pending.clear()
        for member in list(group.members.values()):
            if member.session is not None:
                member.session.cancel()
            member.refuse(ErrorCode.NOT_COORDINATOR)

    # -- requests ---------------------------------------------------------------------------------

    def join_group(self, call: Call[JoinGroupRequest]) -> Reply[JoinGroupResponse]:
        """JoinGroup; see `joining`."""
        group = self.groups.get(call.body.group_id)
        if group is None:
            if call.body.member_id:
                raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
            group = self._create(call.body.group_id)
        return self.carry_out(group.id, joining.join(self, group, call))

    def _create(self, group_id: str) -> ClassicGroup:
        """Every group begins as a record, so that even an id that was only handed out has a group."""
        refusals: list[KafkaError] = []
        empty = GroupMetadata(group_id, state_timestamp_ms=self.clock.now)
        self._write([empty], lambda error: refusals.append(error) if error is not None else None)
        if refusals:
            raise refusals[0]
        return self.groups[group_id]

    def sync_group(self, body: SyncGroupRequest) -> Reply[SyncGroupResponse]:
        """SyncGroup; see `syncing`."""
        group = self._members_group(body.group_id)
        return self.carry_out(group.id, syncing.sync(self, group, body))

    def heartbeat(self, body: HeartbeatRequest) -> HeartbeatResponse:
        """Heartbeat; see `membership`."""
        return membership.heartbeat(self, self._members_group(body.group_id), body)

    def leave_group(self, group_id: str, leaving: Sequence[LeaveGroupMember]) -> Reply[LeaveGroupResponse]:
        """LeaveGroup; see `membership`.  From a group that is missing nobody can leave."""
        group = self.groups.get(group_id)
        if group is None:
            unknown = ErrorCode.UNKNOWN_MEMBER_ID
            return LeaveGroupResponse(
                members=[
                    LeftMember(
                        member_id=m.member_id, group_instance_id=m.group_instance_id, error_code=unknown
                    )
                    for m in leaving
                ]
            )
        return self.carry_out(group_id, membership.leave(self, group, leaving))

    def _members_group(self, group_id: str) -> ClassicGroup:
        """The group that a member speaks of; where there is none, it is the member that is called unknown."""
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        return group

    def commit_offsets(self, who: Committer, offsets: Sequence[OffsetToCommit]) -> Reply[Verdicts]:
        """OffsetCommit; see `committing`.  One verdict per offset, in order."""
        reply = self.carry_out(who.group_id, committing.commit(self, who, offsets))
        if (witness := self.node.witness) is None:
            return reply
        world, call = self.node.world, self.node.world.serving

        def tell(verdicts: Verdicts) -> Verdicts:
            world.on_behalf_of(call, lambda: witness.commits(who, offsets, verdicts))
            return verdicts

        return then(reply, tell)

    def commit_in_transaction(
        self,
        who: Committer,
        offsets: Sequence[OffsetToCommit],
        producer: tuple[int, int],
        verified: Verification | None,
    ) -> Reply[Verdicts]:
        """TxnOffsetCommit; see `committing`.  The transaction has been asked already, which `verified` stands for."""
        outcome = committing.commit_in_transaction(self, who, offsets)
        producers = self.replica.producers
        if outcome.records:
            if self.node.verifies_transactions:
                producers.check_verified(*producer, verified)
            producers.check_epoch(*producer)
        self.write([encode_record(record) for record in outcome.records], outcome.stored, producer)
        self._changed(who.group_id)
        if self.node.witness is not None:
            self.node.witness.commits_in_transaction(who, offsets, producer[0])
        return outcome.reply

    def committed_offsets(self, group_id: str) -> Mapping[Place, OffsetCommitted]:
        """What OffsetFetch may tell: offsets that are replicated."""
        return self.offsets.safe(group_id)

    def delete_offsets(self, group_id: str, places: Sequence[Place]) -> Reply[Deletion]:
        """OffsetDelete; see `committing`.  One verdict per place, in order."""
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
        return self.carry_out(group_id, committing.delete_offsets(self, group, places))

    def delete_group(self, group_id: str) -> Reply[ErrorCode]:
        """One group of a DeleteGroups; see `committing`."""
        return self.carry_out(group_id, committing.delete_group(self, group_id))

    # -- retention --------------------------------------------------------------------------------

    def _arm_scan(self) -> None:
        """Look for expired offsets from time to time, while there are groups that could have some."""
        if self.groups and self._scan is None and not self.loading:
            interval_ms = self.setting(settings.OFFSETS_RETENTION_CHECK_INTERVAL_MS)
            self._scan = self.after(interval_ms, self._look_for_expired)

    def _look_for_expired(self) -> Records:
        self._scan = None
        self.keep([record for group in self.groups.values() for record in committing.expired(self, group)])
        self._arm_scan()
        return []

    def forget_topic(self, topic: str) -> None:
        """The topic was deleted: nobody has come anywhere in it."""
        self.keep(list(self.offsets.holders_of(topic)))

    # -- what a test may do and see ---------------------------------------------------------------

    def view(self, group_id: str) -> GroupView | None:
        """The group as it is now, or None."""
        group = self.groups.get(group_id)
        return None if group is None else view(group, self.offsets.safe(group_id))

    def expire(self, group_id: str, member_id: str) -> None:
        """End a member's session now.  `member_id` may be an instance id."""
        self._force(group_id, lambda group: membership.expire(self, group, member_id))

    def evict(self, group_id: str, member_id: str) -> None:
        """End the rebalance timeout of a member now."""
        self._force(group_id, lambda group: membership.evict(self, group, member_id))

    def expire_offsets(self, group_id: str) -> None:
        """Let the retention of everything that could expire in this group be over now."""
        self._force(group_id, lambda group: committing.expired(self, group, all_due=True))

    def set_offset(self, group_id: str, topic: str, index: int, offset: int) -> None:
        """Put a group somewhere, whoever its members are."""
        moved = OffsetToCommit(topic, index, offset).record(group_id, self.clock.now, -1)
        self.keep([moved])
        if self.node.witness is not None:
            self.node.witness.moved_by_hand(group_id, topic, index, offset)

    def _force(self, group_id: str, act: Callable[[ClassicGroup], Records]) -> None:
        group = self.groups.get(group_id)
        if group is None:
            raise UsageError(
                f"broker {self.node.id} knows no group {group_id!r}: it coordinates {sorted(self.groups)}"
            )
        self.carry_out(group_id, Outcome(None, act(group)))
