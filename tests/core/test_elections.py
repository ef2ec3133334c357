"""Elections as functions from partition to partition: who leads, who is in sync, who is still safe to elect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mockbroker.core import elections
from mockbroker.core.elections import Rules
from mockbroker.core.image import NO_LEADER, PartitionImage

CLEAN = Rules(min_in_sync=1, unclean=False)
TWO = Rules(min_in_sync=2, unclean=False)
UNCLEAN = Rules(min_in_sync=1, unclean=True)


def partition(isr: tuple[int, ...] = (1, 2, 3), leader: int = 1, **more: tuple[int, ...]) -> PartitionImage:
    return PartitionImage(0, (1, 2, 3), isr, leader, leader_epoch=7, partition_epoch=20, **more)


def alive(*ids: int) -> Callable[[int], bool]:
    return lambda id: id in ids


def brief(of: PartitionImage) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return of.leader, of.isr, of.elr


def epochs(of: PartitionImage) -> tuple[int, int]:
    return of.leader_epoch, of.partition_epoch


def test_the_next_replica_in_list_order_leads_whatever_the_order_of_the_isr() -> None:
    elected = elections.after_change(partition((3, 2, 1)), CLEAN, alive(2, 3), isr=(3, 2))
    assert (brief(elected), epochs(elected)) == ((2, (3, 2), ()), (8, 21))


def test_a_leader_that_lives_goes_on_in_its_epoch() -> None:
    changed = elections.after_change(partition(), CLEAN, alive(1, 2), isr=(1, 2))
    assert (brief(changed), epochs(changed)) == ((1, (1, 2), ()), (7, 21))


def test_no_change_counts_no_epoch() -> None:
    before = partition()
    assert elections.after_change(before, CLEAN, alive(1, 2, 3), isr=(1, 2, 3)) is before


def test_whoever_leaves_while_too_few_are_in_sync_stays_safe() -> None:
    changed = elections.after_change(partition((1, 2)), TWO, alive(1), isr=(1,))
    assert brief(changed) == (1, (1,), (2,))
    gone = elections.after_change(changed, TWO, alive(), isr=())
    assert (brief(gone), epochs(gone)) == ((NO_LEADER, (), (1, 2)), (8, 22))


def test_whoever_leaves_while_enough_are_in_sync_does_not() -> None:
    changed = elections.after_change(partition(), TWO, alive(1, 2), isr=(1, 2))
    assert brief(changed) == (1, (1, 2), ())


def test_with_enough_in_sync_again_nobody_else_is_safe() -> None:
    changed = elections.after_change(partition((1,), elr=(2,)), TWO, alive(1, 3), isr=(1, 3))
    assert brief(changed) == (1, (1, 3), ())


def test_one_that_is_safe_is_elected_where_nobody_is_in_sync() -> None:
    waiting = partition((), NO_LEADER, elr=(2, 3))
    elected = elections.elect(waiting, waiting, TWO, alive(3))
    assert (brief(elected), elected.leader_epoch) == ((3, (3,), (2,)), 8)


@pytest.mark.parametrize("rules", [CLEAN, TWO])
def test_nobody_leads_where_nobody_is_safe(rules: Rules) -> None:
    waiting = partition((), NO_LEADER, elr=(1,))
    assert elections.elect(waiting, waiting, rules, alive(2, 3)) is waiting


def test_where_it_is_allowed_the_first_alive_leads_alone() -> None:
    waiting = partition((), NO_LEADER, elr=(1,))
    elected = elections.elect(waiting, waiting, UNCLEAN, alive(2, 3))
    assert (brief(elected), elected.leader_epoch) == ((2, (2,), ()), 8)


def test_an_election_that_may_be_unclean_is_clean_if_it_can() -> None:
    waiting = partition((), NO_LEADER, elr=(3,))
    assert elections.elect(waiting, waiting, UNCLEAN, alive(2, 3)).leader == 3


def test_who_was_killed_is_not_trusted_when_it_comes_back() -> None:
    changed = elections.after_unclean_shutdown(partition((1, 2)), 2, TWO, alive(1, 2))
    assert brief(changed) == (1, (1,), ())
    changed = elections.after_unclean_shutdown(partition((1,), elr=(2,)), 2, TWO, alive(1, 2))
    assert brief(changed) == (1, (1,), ())
    untouched = partition((1,))
    assert elections.after_unclean_shutdown(untouched, 2, TWO, alive(1, 2)) is untouched


def test_who_led_last_is_remembered_while_nobody_is_in_sync() -> None:
    gone = elections.after_change(partition((1,), elr=(2,)), TWO, alive(), isr=())
    assert (brief(gone), gone.last_known_elr) == ((NO_LEADER, (), (1, 2)), (1,))


def test_who_led_last_leads_again_even_after_it_was_killed() -> None:
    waiting = partition((), NO_LEADER, elr=(2,), last_known_elr=(2,))
    elected = elections.after_unclean_shutdown(waiting, 2, TWO, alive(2, 3))
    assert (brief(elected), elected.last_known_elr) == ((2, (2,), ()), ())


def test_one_that_was_safe_and_was_killed_does_not_lead_in_place_of_who_led_last() -> None:
    waiting = partition((), NO_LEADER, elr=(2,), last_known_elr=(1,))
    changed = elections.after_unclean_shutdown(waiting, 2, TWO, alive(2, 3))
    assert (brief(changed), changed.last_known_elr) == ((NO_LEADER, (), ()), (1,))


def test_of_two_that_were_safe_the_other_one_is_waited_for() -> None:
    waiting = partition((), NO_LEADER, elr=(1, 2))
    assert brief(elections.after_unclean_shutdown(waiting, 2, TWO, alive(2, 3))) == (NO_LEADER, (), (1,))


def test_a_leader_that_is_elected_again_leads_in_a_new_epoch() -> None:
    again = elections.elect_in_sync(partition(), 1)
    assert (again.leader, epochs(again)) == (1, (8, 21))


def test_a_leader_by_force_is_the_only_one_in_sync() -> None:
    assert brief(elections.elect_uncleanly(partition((1, 2)), 3)) == (3, (3,), ())
    assert brief(elections.elect_uncleanly(partition((1, 2)), 2)) == (2, (1, 2), ())


def test_nobody_stays_safe_when_the_rule_changes_that_made_it_so() -> None:
    assert brief(elections.forget_elr(partition((1,), elr=(2,)))) == (1, (1,), ())


def test_without_a_leader_nothing_can_be_committed_so_they_stay_safe() -> None:
    waiting = partition((), NO_LEADER, elr=(2,))
    assert elections.forget_elr(waiting) is waiting


# -- where nobody outside the ISR counts ----------------------------------------------------------------

WITHOUT = Rules(min_in_sync=2, unclean=False, elr=False)


def test_without_elr_whoever_leaves_is_not_safe_and_the_last_one_does_not_leave() -> None:
    changed = elections.after_change(partition((1, 2)), WITHOUT, alive(1), isr=(1,))
    assert brief(changed) == (1, (1,), ())
    gone = elections.after_change(changed, WITHOUT, alive(), isr=())
    assert (brief(gone), gone.last_known_elr) == ((NO_LEADER, (1,), ()), ())
    assert elections.elect(gone, gone, WITHOUT, alive(2, 3)) is gone


def test_without_elr_a_broker_stays_in_sync_whatever_it_was_killed_by() -> None:
    waiting = partition((1,), NO_LEADER)
    assert elections.after_unclean_shutdown(waiting, 1, WITHOUT, alive(1)) is waiting
    assert brief(elections.elect(waiting, waiting, WITHOUT, alive(1))) == (1, (1,), ())
