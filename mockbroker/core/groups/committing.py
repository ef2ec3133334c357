"""OffsetCommit, OffsetDelete and expiry: who may move a group's offsets, and when they are forgotten.

A member commits with its generation; outsiders may while the group is empty.  Everything here decides and
returns records; offsets change when the shard replays them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.offsets import BROKERS_RETENTION, OffsetToCommit, Place, is_expired
from mockbroker.core.groups.outcome import Outcome, once_stored
from mockbroker.core.groups.rebalancing import Records, keep_alive
from mockbroker.core.groups.records import GroupRemoved, OffsetCommitted, OffsetRemoved
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.shard import GroupShard

_MINUTE_MS = 60_000

# One verdict per partition, in the order of the request.
Verdicts = list[ErrorCode]


@dataclass(frozen=True, slots=True)
class Deletion:
    """How an OffsetDelete ended: with one error for all, or with a verdict for each."""

    verdicts: Verdicts
    error: KafkaError | None


@dataclass(frozen=True, slots=True)
class Committer:
    """Who commits.  `generation` -1: nobody in particular, such as an administrator."""

    group_id: str
    member_id: str = ""
    instance_id: str | None = None
    generation: int = -1
    # From v9 on (KIP-848) a client understands that a group is missing; older ones are told of a generation.
    understands_missing_group: bool = True
    retention_ms: int = BROKERS_RETENTION


def commit(shard: GroupShard, who: Committer, offsets: Sequence[OffsetToCommit]) -> Outcome[Verdicts]:
    """Store these offsets, or raise the KafkaError that holds for all of them."""
    group = shard.groups.get(who.group_id)
    if group is None:
        _check_missing_group(who)
    else:
        member = check_commit(group, who)
        if member is not None and group.state in (State.STABLE, State.PREPARING):
            keep_alive(shard, group, member)
    return _stored(shard, who, offsets, "OffsetCommit")


def commit_in_transaction(
    shard: GroupShard, who: Committer, offsets: Sequence[OffsetToCommit]
) -> Outcome[Verdicts]:
    """The same for a transaction, of which a member's generation is asked only when it names one (KIP-447)."""
    group = shard.groups.get(who.group_id)
    if group is None:
        _check_missing_group(who)
    else:
        _check_transactional(group, who)
    return _stored(shard, who, offsets, "TxnOffsetCommit")


def _check_transactional(group: ClassicGroup, who: Committer) -> None:
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if who.generation < 0 and not who.member_id and who.instance_id is None:
        return
    group.check_member(who.member_id, who.instance_id)
    group.check_generation(who.generation)


def _stored(
    shard: GroupShard, who: Committer, offsets: Sequence[OffsetToCommit], request: str
) -> Outcome[Verdicts]:
    """Records for all offsets that may be stored, and a verdict for each."""
    size_max = shard.setting(settings.OFFSET_METADATA_MAX_BYTES)
    verdicts = [
        ErrorCode.OFFSET_METADATA_TOO_LARGE if offset.metadata_size > size_max else ErrorCode.NONE
        for offset in offsets
    ]
    records = [
        offset.record(who.group_id, shard.clock.now, who.retention_ms)
        for offset, verdict in zip(offsets, verdicts, strict=True)
        if verdict is ErrorCode.NONE
    ]

    if not records and who.group_id not in shard.groups:
        shard.begin_unseen(who.group_id)

    def answer(error: KafkaError | None) -> Verdicts:
        # Nobody can say which of them are in the log; all of them have failed then.
        return verdicts if error is None else [error.code] * len(verdicts)

    return once_stored(
        records, f"{request} of {who.group_id}: waiting for its records to be replicated", answer
    )


def _check_missing_group(who: Committer) -> None:
    """A group that only stores offsets begins with its first commit; members belong to groups that exist."""
    if who.generation >= 0:
        missing = (
            ErrorCode.GROUP_ID_NOT_FOUND if who.understands_missing_group else ErrorCode.ILLEGAL_GENERATION
        )
        raise KafkaError(missing)


def check_commit(group: ClassicGroup, who: Committer) -> Member | None:
    """Let the current generation pass, and outsiders while there is no generation to disturb."""
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if who.generation < 0 and group.state is State.EMPTY:
        return None
    if who.generation < 0 and not who.member_id and who.instance_id is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
    member = group.check_member(who.member_id, who.instance_id)
    group.check_generation(who.generation)
    if group.state is State.COMPLETING:
        # It has the new generation and not yet its partitions, so what it commits was another's a moment ago.
        raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    return member


def delete_offsets(shard: GroupShard, group: ClassicGroup, places: Sequence[Place]) -> Outcome[Deletion]:
    """Forget offsets of topics that nobody in the group subscribes."""
    if group.state is State.DEAD:
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
    if group.state is not State.EMPTY and not group.is_consumer:
        raise KafkaError(ErrorCode.NON_EMPTY_GROUP)
    known = shard.offsets.places(group.id)
    verdicts = [
        ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if group.subscribes(topic) else ErrorCode.NONE
        for topic, _ in places
    ]
    records = [
        OffsetRemoved(group.id, *place)
        for place, verdict in zip(places, verdicts, strict=True)
        if verdict is ErrorCode.NONE and place in known
    ]

    def answer(error: KafkaError | None) -> Deletion:
        return Deletion(verdicts, error)

    return once_stored(
        records, f"OffsetDelete of {group.id}: waiting for its records to be replicated", answer
    )


def delete_group(shard: GroupShard, group_id: str) -> Outcome[ErrorCode]:
    """Remove a group that has no members, with all its offsets."""
    group = shard.groups.get(group_id)
    if group is None or group.state is State.DEAD:
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
    if group.state is not State.EMPTY:
        raise KafkaError(ErrorCode.NON_EMPTY_GROUP)
    records: Records = [OffsetRemoved(group_id, *place) for place in shard.offsets.places(group_id)]
    records.append(GroupRemoved(group_id))

    def answer(error: KafkaError | None) -> ErrorCode:
        return ErrorCode.NONE if error is None else error.code

    return once_stored(
        records, f"DeleteGroups of {group_id}: waiting for its records to be replicated", answer
    )


# -- expiry -------------------------------------------------------------------------------------------


def expired(shard: GroupShard, group: ClassicGroup, *, all_due: bool = False) -> Records:
    """The removals that are due in one group; the group itself, once nothing of it is left.

    `all_due`: as if every retention had just passed, which a test may wish.
    """
    now_ms = shard.clock.now
    retention_ms = shard.setting(settings.OFFSETS_RETENTION_MINUTES) * _MINUTE_MS
    counts_from = _retention_counts_from(group)
    written = shard.offsets.written(group.id)
    moving = shard.offsets.open_places(group.id)
    records: Records = [
        OffsetRemoved(group.id, *place)
        for place, offset in written.items()
        if counts_from is not None
        and place not in moving
        and not group.subscribes(place[0])
        and (all_due or is_expired(offset, counts_from(offset), now_ms, retention_ms))
    ]
    if group.state is State.EMPTY and len(records) == len(written) and not moving:
        records.append(GroupRemoved(group.id))
    return records


def _retention_counts_from(group: ClassicGroup) -> Callable[[OffsetCommitted], int] | None:
    """From when an offset's retention counts; None while nothing expires (KIP-211).

    A group without members: since it lost them.  A consumer group with members: since the commit, for topics
    that none of them wants.  A group that only stores offsets: since the commit.
    """
    if group.protocol_type is None:
        return lambda offset: offset.commit_timestamp_ms
    if group.state is State.EMPTY:
        since_ms = group.since_ms
        return lambda offset: offset.commit_timestamp_ms if since_ms is None else since_ms
    if group.is_consumer and group.subscribed_topics is not None and group.state is State.STABLE:
        return lambda offset: offset.commit_timestamp_ms
    return None
