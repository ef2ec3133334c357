"""The clock: timers in order, at their own instants, and only when somebody moves time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core import clock as clock_module
from mockbroker.core.clock import Clock, Timer


def test_timers_fire_in_the_order_of_their_deadlines_and_each_at_its_own_instant() -> None:
    clock = Clock(1000)
    fired: list[tuple[str, int]] = []
    for name, delay_ms in [("late", 30), ("early", 10), ("same", 30)]:
        clock.call_in(delay_ms, lambda name=name: fired.append((name, clock.now)))  # type: ignore[misc]  # mypy cannot type a default
    clock.advance(100)
    assert fired == [("early", 1010), ("late", 1030), ("same", 1030)]
    assert clock.now == 1100


def test_a_timer_set_by_a_timer_fires_within_the_same_advance() -> None:
    clock = Clock(0)
    fired: list[int] = []

    def first() -> None:
        clock.call_in(10, lambda: fired.append(clock.now))

    clock.call_in(10, first)
    clock.advance(15)
    assert fired == []
    clock.advance(100)
    assert fired == [20]


def test_a_deadline_in_the_past_is_met_at_the_next_advance() -> None:
    clock = Clock(100)
    fired: list[int] = []
    clock.call_at(50, lambda: fired.append(clock.now))
    clock.advance(0)
    assert fired == [100]


def test_the_world_settles_after_each_timer() -> None:
    story: list[str] = []
    clock = Clock(0, lambda: story.append("settled"))
    for name in ("one", "two"):
        clock.call_in(10, lambda name=name: story.append(name))  # type: ignore[misc]  # as above
    clock.advance(10)
    assert story == ["one", "settled", "two", "settled"]


def test_a_cancelled_timer_does_not_fire_and_may_be_cancelled_again() -> None:
    clock = Clock(0)
    fired: list[int] = []
    timer = clock.call_in(10, lambda: fired.append(1))
    timer.cancel()
    timer.cancel()
    clock.advance(100)
    assert fired == []
    assert clock.next_due is None


@pytest.mark.parametrize("to_ms", [5, 10, 20])
def test_a_moved_timer_fires_once_at_its_new_instant(to_ms: int) -> None:
    clock = Clock(0)
    fired: list[int] = []
    timer = clock.call_in(10, lambda: fired.append(clock.now))
    timer.move(to_ms)
    assert clock.next_due in {to_ms, 10}
    clock.advance(100)
    assert fired == [to_ms]


def test_a_timer_that_fired_or_was_cancelled_may_be_set_again() -> None:
    clock = Clock(0)
    fired: list[int] = []
    timer = clock.call_in(10, lambda: fired.append(clock.now))
    clock.advance(10)
    timer.move(20)
    clock.advance(10)
    timer.cancel()
    timer.move(30)
    assert not timer.cancelled
    clock.advance(10)
    assert fired == [10, 20, 30]


def test_whoever_sleeps_until_the_next_timer_is_told_of_an_earlier_one() -> None:
    clock = Clock(0)
    told: list[int | None] = []
    clock.on_earlier = lambda: told.append(clock.next_due)
    clock.call_in(50, lambda: None)
    clock.call_in(70, lambda: None)
    clock.call_in(20, lambda: None).move(10)
    assert told == [50, 20, 10]


def test_real_time_is_followed_unless_frozen() -> None:
    clock = Clock(1000)
    clock.follow(1010)
    clock.freeze()
    clock.follow(2000)
    assert clock.now == 1010
    clock.thaw(2000)
    clock.follow(2005)
    assert clock.now == 1015


def test_an_advance_stays_ahead_of_real_time() -> None:
    clock = Clock(1000)
    clock.advance(500)
    clock.follow(1010)
    assert clock.now == 1510


def test_a_frozen_clock_moves_when_it_is_advanced_and_goes_on_from_there() -> None:
    clock = Clock(1000)
    clock.freeze()
    clock.advance(500)
    clock.thaw(1010)
    clock.follow(1020)
    assert clock.now == 1510


def test_real_time_that_goes_back_changes_nothing() -> None:
    clock = Clock(1000)
    clock.follow(900)
    assert clock.now == 1000


def test_a_timer_that_sets_itself_again_at_once_is_a_bug_and_not_a_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "TIMERS_PER_ADVANCE_MAX", 50)
    clock = Clock(0)

    def again() -> None:
        clock.call_in(0, again)

    again()
    with pytest.raises(AssertionError, match="more than 50 timers"):
        clock.advance(1)


def test_long_waits_that_end_early_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "SWEEP_FROM", 10)
    clock = Clock(0)
    kept = clock.call_in(5, lambda: None)
    for _ in range(100):
        clock.call_in(30_000, lambda: None).cancel()
    assert len(clock._heap) < 25  # noqa: SLF001 - the pile is what this is about
    assert clock.next_due == kept.due_ms


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "move", "cancel", "advance"]), st.integers(0, 9), st.integers(0, 30)
        ),
        max_size=30,
    )
)
def test_whatever_is_moved_and_cancelled_each_armed_timer_fires_once_when_due(
    acts: list[tuple[str, int, int]],
) -> None:
    """Against a model that is a dict of deadlines."""
    clock = Clock(0)
    timers: dict[int, Timer] = {}
    due: dict[int, int] = {}
    fired: list[tuple[int, int]] = []
    for act, name, ms in acts:
        if act == "advance":
            expected = sorted(max(at, clock.now) for at in due.values() if at <= clock.now + ms)
            due = {key: at for key, at in due.items() if at > clock.now + ms}
            fired.clear()
            clock.advance(ms)
            assert sorted(at for _, at in fired) == expected
        elif act == "cancel" and name in timers:
            timers[name].cancel()
            due.pop(name, None)
        elif act == "move" and name in timers:
            timers[name].move(clock.now + ms)
            due[name] = clock.now + ms
        elif act == "set" and name not in timers:
            timers[name] = clock.call_in(ms, lambda name=name: fired.append((name, clock.now)))  # type: ignore[misc]  # as above
            due[name] = clock.now + ms
        assert clock.next_due == min(due.values(), default=None)
