"""What EndTxn and InitProducerId may do in each state: Kafka's tables for both protocols, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.transactions import ending, fencing
from mockbroker.core.transactions.ending import Ending
from mockbroker.core.transactions.fencing import Claim
from mockbroker.core.transactions.records import TransactionRecord
from mockbroker.core.transactions.states import TxnState
from mockbroker.core.transactions.transaction import EPOCH_LAST, Transaction
from mockbroker.protocol.errors import ErrorCode, KafkaError

EMPTY, ONGOING = TxnState.EMPTY, TxnState.ONGOING
PREPARE_COMMIT, PREPARE_ABORT = TxnState.PREPARE_COMMIT, TxnState.PREPARE_ABORT
COMPLETE_COMMIT, COMPLETE_ABORT = TxnState.COMPLETE_COMMIT, TxnState.COMPLETE_ABORT
FENCED, MAPPING = ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_ID_MAPPING
CONCURRENT, INVALID = ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.INVALID_TXN_STATE
DONE = ErrorCode.NONE  # it has ended that way already
NEW_ID = 99

Result = TxnState | ErrorCode


def transaction(state: TxnState, epoch: int = 5, **more: Any) -> Transaction:
    return Transaction(
        TransactionRecord("payer", 7, epoch, 60_000, state, (("orders", 0),), 100, 200, **more)
    )


def ended(of: Transaction, how: Ending) -> Result:
    try:
        transition = ending.decide(of, how, 300, lambda: NEW_ID)
    except KafkaError as refused:
        return refused.code
    return DONE if transition is None else transition.record.state


FIRST_PROTOCOL = [
    (ONGOING, PREPARE_COMMIT, PREPARE_ABORT),
    (COMPLETE_COMMIT, DONE, INVALID),
    (COMPLETE_ABORT, INVALID, DONE),
    (PREPARE_COMMIT, CONCURRENT, INVALID),
    (PREPARE_ABORT, INVALID, CONCURRENT),
    (EMPTY, INVALID, INVALID),
]


@pytest.mark.parametrize(("state", "commit", "abort"), FIRST_PROTOCOL)
def test_the_first_protocol(state: TxnState, commit: Result, abort: Result) -> None:
    assert ended(transaction(state), Ending(7, 5, commit=True)) == commit
    assert ended(transaction(state), Ending(7, 5, commit=False)) == abort
    for epoch in (4, 6):
        assert ended(transaction(state), Ending(7, epoch, commit=True)) == FENCED
    assert ended(transaction(state), Ending(8, 5, commit=True)) == MAPPING


SECOND_PROTOCOL = [
    # state, commit and abort now, commit and abort again (with the epoch before)
    (ONGOING, PREPARE_COMMIT, PREPARE_ABORT, FENCED, FENCED),
    (PREPARE_COMMIT, FENCED, FENCED, CONCURRENT, INVALID),
    (PREPARE_ABORT, FENCED, FENCED, INVALID, CONCURRENT),
    (COMPLETE_COMMIT, INVALID, PREPARE_ABORT, DONE, INVALID),
    (COMPLETE_ABORT, INVALID, PREPARE_ABORT, INVALID, DONE),
    (EMPTY, INVALID, PREPARE_ABORT, FENCED, FENCED),
]


@pytest.mark.parametrize(("state", "commit", "abort", "commit_again", "abort_again"), SECOND_PROTOCOL)
def test_the_second_protocol(
    state: TxnState, commit: Result, abort: Result, commit_again: Result, abort_again: Result
) -> None:
    assert ended(transaction(state), Ending(7, 5, commit=True, version=2)) == commit
    assert ended(transaction(state), Ending(7, 5, commit=False, version=2)) == abort
    assert ended(transaction(state), Ending(7, 4, commit=True, version=2)) == commit_again
    assert ended(transaction(state), Ending(7, 4, commit=False, version=2)) == abort_again
    assert ended(transaction(state), Ending(7, 6, commit=True, version=2)) == FENCED
    assert ended(transaction(state), Ending(7, 3, commit=True, version=2)) == FENCED


def test_each_end_brings_the_next_epoch_with_the_second_protocol_only() -> None:
    for version, epoch in ((0, 5), (2, 6)):
        transition = ending.decide(
            transaction(ONGOING), Ending(7, 5, commit=True, version=version), 300, lambda: NEW_ID
        )
        assert transition is not None
        assert transition.record.epoch == epoch
        assert ending.next_identity(transition) == (7, epoch)


def test_the_last_epoch_ends_with_a_new_producer_id() -> None:
    of = transaction(ONGOING, EPOCH_LAST)
    prepared = ending.decide(of, Ending(7, EPOCH_LAST, commit=True, version=2), 300, lambda: NEW_ID)
    assert prepared is not None
    assert ending.next_identity(prepared) == (NEW_ID, 0)
    assert (prepared.record.producer_id, prepared.record.epoch) == (
        7,
        EPOCH_LAST + 1,
    )  # what the markers carry

    of.record = prepared.record
    done = ending.complete(of, 400)
    assert (done.record.producer_id, done.record.epoch, done.record.previous_producer_id) == (NEW_ID, 0, 7)

    of.record = done.record
    again = Ending(7, EPOCH_LAST, commit=True, version=2)
    assert ended(of, again) == DONE  # the answer was lost, and the client asks with what it has


def test_while_a_change_is_under_way_everybody_has_to_wait() -> None:
    of = transaction(ONGOING)
    of.pending = PREPARE_COMMIT
    assert ended(of, Ending(7, 5, commit=True)) == CONCURRENT
    with pytest.raises(KafkaError, match="CONCURRENT"):
        fencing.grant(of, Claim(1), 300, lambda: NEW_ID)


def granted(of: Transaction, claim: Claim) -> tuple[int, int] | ErrorCode | None:
    try:
        transition = fencing.grant(of, claim, 300, lambda: NEW_ID)
    except KafkaError as refused:
        return refused.code
    return None if transition is None else (transition.record.producer_id, transition.record.epoch)


@pytest.mark.parametrize("state", [EMPTY, COMPLETE_COMMIT, COMPLETE_ABORT])
def test_a_new_owner_gets_the_next_epoch(state: TxnState) -> None:
    assert granted(transaction(state), Claim(60_000)) == (7, 6)
    assert granted(transaction(state, EPOCH_LAST), Claim(60_000)) == (NEW_ID, 0)


def test_an_open_transaction_has_to_be_aborted_first() -> None:
    assert granted(transaction(ONGOING), Claim(60_000)) is None
    assert granted(transaction(PREPARE_COMMIT), Claim(60_000)) == CONCURRENT


def test_whoever_says_who_it_is_has_to_be_right() -> None:
    of = transaction(EMPTY)
    of.last_epoch = 4
    assert granted(of, Claim(60_000, 7, 5)) == (7, 6)
    assert granted(of, Claim(60_000, 7, 4)) == (7, 5)  # its last answer was lost
    for claim in (Claim(60_000, 7, 3), Claim(60_000, 7, 6), Claim(60_000, 8, 5)):
        assert granted(of, claim) == FENCED
    rotated = transaction(EMPTY, 0, previous_producer_id=6)
    rotated.last_epoch = EPOCH_LAST
    assert granted(rotated, Claim(60_000, 6, EPOCH_LAST)) == (7, 0)


def test_only_what_may_follow_follows() -> None:
    with pytest.raises(AssertionError, match="Empty -> PrepareCommit"):
        transaction(EMPTY).to(PREPARE_COMMIT)
