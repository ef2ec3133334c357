"""The log and its table of epochs, without anyone around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.log import EpochTable, Log
from tests.core.simulation import batch_of


def log_of(*batches: tuple[int, int], start: int = 0) -> Log:
    """A log of (number of records, epoch)."""
    log = Log(start)
    for count, epoch in batches:
        log.append(batch_of(*[b"v"] * count).place(log.end, epoch))
    return log


def bases(log: Log) -> list[int]:
    return [batch.base_offset for batch in log.batches]


# -- batches ------------------------------------------------------------------------------------------


def test_reading_begins_with_the_batch_that_holds_the_offset() -> None:
    log = log_of((3, 0), (2, 0), (1, 0))
    for offset, expected in [(0, [0, 3, 5]), (2, [0, 3, 5]), (3, [3, 5]), (5, [5]), (6, [])]:
        read = log.read(offset, log.end, 10**6, at_least_one=True)
        assert [batch.base_offset for batch in read] == expected


def test_reading_ends_below_the_limit() -> None:
    log = log_of((3, 0), (2, 0), (1, 0))
    assert [batch.base_offset for batch in log.read(0, 5, 10**6, at_least_one=True)] == [0, 3]


def test_the_first_batch_may_be_larger_than_the_budget() -> None:
    log = log_of((3, 0), (2, 0))
    first, second = (batch.size for batch in log.batches)
    assert len(log.read(0, 5, 1, at_least_one=True)) == 1
    assert log.read(0, 5, 1, at_least_one=False) == []
    assert len(log.read(0, 5, first + second - 1, at_least_one=True)) == 1
    assert len(log.read(0, 5, first + second, at_least_one=True)) == 2


def test_an_offset_is_taken_once() -> None:
    log = log_of((3, 0))
    with pytest.raises(AssertionError, match="offset 2 is already taken"):
        log.append(batch_of(b"v").place(2, 0))


def test_bytes_are_counted_by_whole_batches() -> None:
    log = log_of((3, 0), (2, 0))
    first, second = (batch.size for batch in log.batches)
    assert log.size_between(0, 5) == first + second
    assert log.size_between(1, 3) == first
    assert log.size_between(3, 5) == second
    assert log.size_between(5, 5) == log.size_between(5, 0) == 0


def test_truncating_forgets_the_tail_and_its_epochs() -> None:
    log = log_of((1, 0), (1, 2), (1, 3))
    log.truncate(1)
    assert (bases(log), log.end, log.epochs.entries) == ([0], 1, [(0, 0)])
    log.append(batch_of(b"v").place(1, 5))
    assert log.size_between(0, 2) == sum(batch.size for batch in log.batches)


def test_truncating_inside_of_a_batch_forgets_all_of_it() -> None:
    log = log_of((1, 0), (3, 1))
    log.truncate(2)
    assert (bases(log), log.end, log.epochs.entries) == ([0], 1, [(0, 0)])


def test_truncating_beyond_the_end_changes_nothing() -> None:
    log = log_of((1, 0))
    log.truncate(1)
    log.truncate(7)
    assert (bases(log), log.end) == ([0], 1)


def test_a_log_truncated_below_its_start_starts_there() -> None:
    log = log_of((1, 0), (1, 0), (1, 0))
    log.advance_start(2)
    log.truncate(1)
    assert (log.start, log.end, log.batches) == (1, 1, [])


def test_a_batch_that_straddles_the_start_stays() -> None:
    log = log_of((3, 0), (2, 1))
    log.advance_start(1)
    assert (log.start, bases(log)) == (1, [0, 3])
    log.advance_start(3)
    assert (log.start, bases(log)) == (3, [3])
    log.advance_start(2)
    assert log.start == 3


def test_a_start_beyond_the_end_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="cannot start at 2: the log ends at 1"):
        log_of((1, 0)).advance_start(2)


def test_a_log_begins_anew_where_its_leader_begins() -> None:
    log = log_of((3, 0), (2, 1))
    log.restart_at(40)
    assert (log.start, log.end, log.batches, log.epochs.entries) == (40, 40, [], [])


@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "truncate", "delete", "restart"]), st.integers(0, 40)),
        max_size=25,
    )
)
def test_whatever_is_done_to_a_log_its_offsets_and_sizes_add_up(acts: list[tuple[str, int]]) -> None:
    log, epoch = Log(), 0
    for act, number in acts:
        if act == "append":
            epoch += number % 3 == 0
            log.append(batch_of(*[b"v"] * (number % 3 + 1)).place(log.end, epoch))
        elif act == "truncate":
            log.truncate(number)
        elif act == "delete":
            log.advance_start(min(number, log.end))
        elif act == "restart":
            log.restart_at(log.end + number)
        assert log.start <= log.end
        assert log.size_between(log.start, log.end) == sum(batch.size for batch in log.batches)
        following = log.start
        for batch in log.batches:
            assert batch.base_offset <= following <= batch.last_offset
            assert log.epochs.at(following) == batch.leader_epoch
            assert log.read(following, log.end, 0, at_least_one=True) == [batch]
            following = batch.last_offset + 1
        assert following == log.end


# -- epochs -------------------------------------------------------------------------------------------


def table_of(*entries: tuple[int, int]) -> EpochTable:
    table = EpochTable()
    for epoch, start in entries:
        table.begin(epoch, start)
    return table


@pytest.mark.parametrize(
    ("epoch", "answer"),
    [(0, (0, 1)), (1, (0, 1)), (2, (0, 1)), (3, (3, 2)), (4, (4, 2)), (9, (-1, -1)), (-1, (-1, -1))],
)
def test_an_epoch_ends_where_the_next_one_begins(epoch: int, answer: tuple[int, int]) -> None:
    assert table_of((0, 0), (3, 1), (4, 2)).end_of(epoch, 2) == answer


def test_an_epoch_before_all_ends_where_the_first_begins() -> None:
    assert table_of((2, 5), (4, 8)).end_of(1, 9) == (1, 5)
    assert EpochTable().end_of(1, 0) == (-1, -1)


def test_an_epoch_without_records_gives_way_to_the_next() -> None:
    assert table_of((0, 0), (1, 5), (2, 5)).entries == [(0, 0), (2, 5)]


def test_an_epoch_that_has_begun_does_not_begin_again() -> None:
    assert table_of((0, 0), (1, 5), (1, 7)).entries == [(0, 0), (1, 5)]


def test_entries_that_a_new_one_contradicts_go() -> None:
    assert table_of((0, 0), (3, 5), (2, 7)).entries == [(0, 0), (2, 7)]
    assert table_of((0, 0), (1, 5), (2, 3)).entries == [(0, 0), (2, 3)]


def test_the_epoch_that_holds_the_start_begins_there() -> None:
    table = table_of((0, 0), (1, 5), (2, 8))
    table.advance_start(6)
    assert table.entries == [(1, 6), (2, 8)]
    assert (table.at(5), table.at(6), table.at(100)) == (-1, 1, 2)


def test_epochs_that_a_leader_never_had_go() -> None:
    table = table_of((0, 0), (1, 5), (2, 8))
    table.truncate_above(1)
    assert table.entries == [(0, 0), (1, 5)]
