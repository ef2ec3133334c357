"""The states of a transactional id, and which may follow which (KIP-98, KIP-890).

`PrepareEpochFence` is never written, in Kafka neither: an abort that shuts a producer out is a PrepareAbort with the
next epoch.  Admins may name it.
"""

from __future__ import annotations

from enum import IntEnum


class TxnState(IntEnum):
    """Kafka's numbers, as they are written to `__transaction_state`."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def title(self) -> str:
        """The name that admins and tests see: "CompleteAbort"."""
        return "".join(word.capitalize() for word in self.name.split("_"))


_EMPTY, _ONGOING = TxnState.EMPTY, TxnState.ONGOING
_COMPLETE = (TxnState.COMPLETE_COMMIT, TxnState.COMPLETE_ABORT)

# States in which the coordinator is busy telling partitions how the transaction ended.
PREPARED = (TxnState.PREPARE_COMMIT, TxnState.PREPARE_ABORT)

# States in which no partition has anything open.
AT_REST = (_EMPTY, *_COMPLETE)

# What may come before each state.
MAY_FOLLOW: dict[TxnState, tuple[TxnState, ...]] = {
    _EMPTY: AT_REST,
    _ONGOING: (_ONGOING, *AT_REST),
    TxnState.PREPARE_COMMIT: (_ONGOING,),
    # Whoever does not know whether anything was begun may abort nothing (KIP-890).
    TxnState.PREPARE_ABORT: (_ONGOING, TxnState.PREPARE_EPOCH_FENCE, *AT_REST),
    TxnState.COMPLETE_COMMIT: (TxnState.PREPARE_COMMIT,),
    TxnState.COMPLETE_ABORT: (TxnState.PREPARE_ABORT,),
    TxnState.DEAD: AT_REST,
    TxnState.PREPARE_EPOCH_FENCE: (_ONGOING,),
}


def outcome_of(prepared: TxnState) -> TxnState:
    """The state in which a prepared transaction ends."""
    assert prepared in PREPARED, prepared
    return TxnState.COMPLETE_COMMIT if prepared is TxnState.PREPARE_COMMIT else TxnState.COMPLETE_ABORT
