"""Mistakes to put into mockbroker on purpose, each of a kind that a reader of the protocol makes.

They show that random conversations see: a hunt must find each of them (test_generated.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mockbroker.core.fetch_sessions import FetchSession, FetchSessions, Wanted
from mockbroker.core.groups import membership, rebalancing
from mockbroker.core.groups.classic import ClassicGroup
from mockbroker.core.groups.member import Member
from mockbroker.core.groups.offsets import OffsetBook, OffsetToCommit
from mockbroker.core.producers import Producers
from mockbroker.core.replica import Replica
from mockbroker.core.ticket import Disconnect
from mockbroker.core.transactions.transaction import Transaction
from mockbroker.handlers import fetch_reads, list_offsets, produce
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.groups import HeartbeatResponse
from mockbroker.records.batch import Batch, iter_records
from mockbroker.records.record import Record
from mockbroker.records.validate import AppendRules

Patch = pytest.MonkeyPatch


def a_duplicate_is_appended_again(patch: Patch) -> None:
    patch.setattr(Producers, "find_duplicate", lambda *_: None)


def a_gap_in_the_sequence_is_accepted(patch: Patch) -> None:
    patch.setattr(Producers, "_check_order", lambda *_: None)


def a_newer_leader_epoch_is_not_questioned(patch: Patch) -> None:
    patch.setattr(fetch_reads, "check_leader_epoch", lambda *_: None)


def a_session_repeats_what_its_client_knows(patch: Patch) -> None:
    patch.setattr(Wanted, "is_news", lambda *_, **__: True)


def a_session_forgets_nothing(patch: Patch) -> None:
    update = FetchSessions._update  # noqa: SLF001 - the place of the mistake

    def keep(sessions: FetchSessions, session: FetchSession, wanted: list[Wanted], _: Any) -> None:
        update(sessions, session, wanted, [])

    patch.setattr(FetchSessions, "_update", keep)


def the_last_of_several_newest_records_is_named(patch: Patch) -> None:
    def last(replica: Replica) -> Record | None:
        records = [record for batch in replica.log.batches for record in iter_records(batch)]
        return max(records, key=lambda record: (record.timestamp, record.offset), default=None)

    patch.setattr(list_offsets, "_newest", last)


def a_time_finds_only_later_records(patch: Patch) -> None:
    since = list_offsets._first_since  # noqa: SLF001 - the place of the mistake
    patch.setattr(list_offsets, "_first_since", lambda replica, timestamp: since(replica, timestamp + 1))


def a_compacted_topic_takes_records_without_keys(patch: Patch) -> None:
    rules = produce._rules  # noqa: SLF001 - the place of the mistake

    def lax(replica: Replica, now_ms: int) -> AppendRules:
        right = rules(replica, now_ms)
        right.compacted = False
        return right

    patch.setattr(produce, "_rules", lax)


def a_failure_with_acks_0_is_silent(patch: Patch) -> None:
    reply = produce._Producing.reply  # noqa: SLF001 - the place of the mistake

    def silent(producing: Any) -> Any:
        answer = reply(producing)
        return None if isinstance(answer, Disconnect) else answer

    patch.setattr(produce._Producing, "reply", silent)  # noqa: SLF001 - the place of the mistake


def a_stale_generation_is_accepted(patch: Patch) -> None:
    patch.setattr(ClassicGroup, "check_generation", lambda *_: None)


def everybody_is_told_to_lead(patch: Patch) -> None:
    joined = rebalancing.joined

    def lead(group: ClassicGroup, member: Member, **_: Any) -> Any:
        return joined(group, member, members=True)

    patch.setattr(rebalancing, "joined", lead)


def a_rebalance_is_not_told_in_heartbeats(patch: Patch) -> None:
    heartbeat = membership.heartbeat

    def calm(*given: Any) -> HeartbeatResponse:
        answer = heartbeat(*given)
        return HeartbeatResponse() if answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS else answer

    patch.setattr(membership, "heartbeat", calm)


def a_fenced_member_is_called_unknown(patch: Patch) -> None:
    check = ClassicGroup.check_member

    def unknown(group: ClassicGroup, member_id: str, instance_id: str | None) -> Member:
        try:
            return check(group, member_id, instance_id)
        except KafkaError:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID) from None

    patch.setattr(ClassicGroup, "check_member", unknown)


def metadata_of_an_offset_may_be_of_any_size(patch: Patch) -> None:
    patch.setattr(OffsetToCommit, "metadata_size", 0)


def readers_of_committed_records_see_open_transactions(patch: Patch) -> None:
    patch.setattr(Replica, "last_stable_offset", property(lambda replica: replica.high_watermark))


def an_aborted_transaction_is_not_listed(patch: Patch) -> None:
    end = Producers._end_transaction  # noqa: SLF001 - the place of the mistake

    def forget(producers: Producers, batch: Batch, known: Any) -> None:
        end(producers, batch, known)
        producers.aborted.clear()

    patch.setattr(Producers, "_end_transaction", forget)


def a_zombie_is_not_shut_out(patch: Patch) -> None:
    patch.setattr(Transaction, "check_epoch", lambda *_: None)


def somebody_elses_producer_id_will_do(patch: Patch) -> None:
    patch.setattr(Transaction, "check_producer", lambda *_: None)


def offsets_of_an_open_transaction_are_called_stable(patch: Patch) -> None:
    patch.setattr(OffsetBook, "is_unstable", lambda *_: False)


def a_partition_joins_a_transaction_unasked(patch: Patch) -> None:
    patch.setattr(Producers, "check_verified", lambda *_: None)
    patch.setattr(Producers, "verification", lambda *_, **__: None)


MUTATIONS: list[Callable[[Patch], None]] = [
    a_duplicate_is_appended_again,
    a_gap_in_the_sequence_is_accepted,
    a_newer_leader_epoch_is_not_questioned,
    a_session_repeats_what_its_client_knows,
    a_session_forgets_nothing,
    the_last_of_several_newest_records_is_named,
    a_time_finds_only_later_records,
    a_compacted_topic_takes_records_without_keys,
    a_failure_with_acks_0_is_silent,
    a_stale_generation_is_accepted,
    everybody_is_told_to_lead,
    a_rebalance_is_not_told_in_heartbeats,
    a_fenced_member_is_called_unknown,
    metadata_of_an_offset_may_be_of_any_size,
    readers_of_committed_records_see_open_transactions,
    an_aborted_transaction_is_not_listed,
    a_zombie_is_not_shut_out,
    somebody_elses_producer_id_will_do,
    offsets_of_an_open_transaction_are_called_stable,
    a_partition_joins_a_transaction_unasked,
]
