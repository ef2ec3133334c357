"""All checkers, in the order in which a report has them.

Producers and their transactions first, then consumers, then groups, then what the application says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.checkers import consuming, effects, groups, producing, transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockbroker.checkers.case import Case
    from mockbroker.checkers.verdict import Verdict

CHECKERS: tuple[Callable[[Case], Verdict], ...] = (
    producing.acked_lost,
    producing.unacked_stored,
    producing.duplicated_by_retry,
    producing.out_of_order,
    producing.zombie_write,
    transactions.torn_transaction,
    transactions.lost_transaction,
    consuming.duplicated_by_redelivery,
    consuming.committed_ahead_of_delivery,
    consuming.never_delivered,
    consuming.gap_in_consumption,
    consuming.aborted_read,
    groups.partition_owned_twice,
    groups.zombie_commit,
    groups.committed_backwards,
    effects.effect_twice,
    effects.effect_missing,
)


def verdicts(case: Case) -> list[Verdict]:
    """What every checker says."""
    return [check(case) for check in CHECKERS]
