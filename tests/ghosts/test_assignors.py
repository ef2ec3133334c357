"""What the assignors promise, for any members and topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.ghosts.assignors import (
    ASSIGNORS,
    COOPERATIVE_STICKY,
    Candidate,
    Shares,
    assign_cooperative,
    assign_range,
    assign_roundrobin,
    assign_sticky,
)
from mockbroker.ghosts.sticky_data import read_sticky_data, write_sticky_data

TOPICS = ("a", "b", "c")
COUNTS = st.fixed_dictionaries({topic: st.integers(0, 7) for topic in TOPICS})
SUBSCRIPTIONS = st.lists(st.sets(st.sampled_from(TOPICS)), min_size=1, max_size=5)


def named(subscriptions: Sequence[set[str]], had: Shares | None = None) -> list[Candidate]:
    return [
        Candidate(f"m{n}", sorted(topics), owned=(had or {}).get(f"m{n}", ()), generation=1)
        for n, topics in enumerate(subscriptions)
    ]


def assert_complete(shares: Shares, members: Sequence[Candidate], counts: Mapping[str, int]) -> None:
    """Each partition that somebody wants is owned once, by one that wants it."""
    wanted = {topic for member in members for topic in member.topics}
    given = sorted(place for share in shares.values() for place in share)
    assert given == sorted((topic, n) for topic in wanted for n in range(counts[topic]))
    for member in members:
        assert {topic for topic, _ in shares[member.id]} <= set(member.topics)


@pytest.mark.parametrize("name", ["range", "roundrobin", "sticky"])
@given(subscriptions=SUBSCRIPTIONS, counts=COUNTS)
def test_everything_wanted_is_owned_once_by_one_that_wants_it(
    name: str, subscriptions: list[set[str]], counts: dict[str, int]
) -> None:
    members = named(subscriptions)
    assert_complete(ASSIGNORS[name](members, counts), members, counts)


def test_range_gives_neighbours_and_the_first_ones_more() -> None:
    members = [Candidate("m2", ["a", "b"]), Candidate("m1", ["a", "b"])]
    assert assign_range(members, {"a": 3, "b": 3}) == {
        "m1": [("a", 0), ("a", 1), ("b", 0), ("b", 1)],
        "m2": [("a", 2), ("b", 2)],
    }


def test_static_members_come_first_by_their_instances() -> None:
    members = [Candidate("a", ["t"]), Candidate("z", ["t"], "i-1"), Candidate("b", ["t"], "i-0")]
    assert assign_range(members, {"t": 3}) == {"b": [("t", 0)], "z": [("t", 1)], "a": [("t", 2)]}


def test_roundrobin_goes_on_from_topic_to_topic() -> None:
    members = [Candidate("m1", ["a", "b"]), Candidate("m2", ["a", "b"])]
    assert assign_roundrobin(members, {"a": 3, "b": 3}) == {
        "m1": [("a", 0), ("a", 2), ("b", 1)],
        "m2": [("a", 1), ("b", 0), ("b", 2)],
    }


@given(size=st.integers(1, 6), counts=COUNTS)
def test_sticky_is_balanced(size: int, counts: dict[str, int]) -> None:
    shares = assign_sticky(named([set(TOPICS)] * size), counts)
    sizes = sorted(len(share) for share in shares.values())
    assert sizes[-1] - sizes[0] <= 1


@given(size=st.integers(1, 6), newcomers=st.integers(0, 3), counts=COUNTS)
def test_sticky_moves_no_more_than_balance_needs(size: int, newcomers: int, counts: dict[str, int]) -> None:
    before = assign_sticky(named([set(TOPICS)] * size), counts)
    members = named([set(TOPICS)] * (size + newcomers), before)
    after = assign_sticky(members, counts)
    assert_complete(after, members, counts)
    old, fair = {f"m{n}" for n in range(size)}, sum(counts.values()) // (size + newcomers)
    for id in old:
        # Who had more than its fair share gives up no more than what is beyond it.
        assert len(set(before[id]) & set(after[id])) >= min(len(before[id]), fair)


def assert_nobody_gets_what_another_has(shares: Shares, members: Sequence[Candidate]) -> None:
    held = {place: member.id for member in members for place in member.owned}
    for id, share in shares.items():
        assert all(held.get(place, id) == id for place in share)


@given(subscriptions=SUBSCRIPTIONS, counts=COUNTS, before=SUBSCRIPTIONS)
def test_cooperative_gives_nobody_what_another_still_has_and_is_complete_in_the_end(
    subscriptions: list[set[str]], counts: dict[str, int], before: list[set[str]]
) -> None:
    shares = assign_sticky(named(before), counts)
    members = named(subscriptions, shares)
    for _ in range(4):
        members = named(subscriptions, shares)
        shares = assign_cooperative(members, counts)
        assert_nobody_gets_what_another_has(shares, members)
    assert_complete(shares, members, counts)


@given(size=st.integers(1, 6), before=st.integers(1, 6), counts=COUNTS)
def test_where_all_want_the_same_cooperative_is_complete_the_next_time(
    size: int, before: int, counts: dict[str, int]
) -> None:
    first = assign_cooperative(
        named([set(TOPICS)] * size, assign_sticky(named([set(TOPICS)] * before), counts)), counts
    )
    members = named([set(TOPICS)] * size, first)
    second = assign_cooperative(members, counts)
    assert_complete(second, members, counts)
    assert all(set(first[id]) <= set(second[id]) for id in first)


def test_of_two_that_claim_a_partition_the_newer_generation_is_right() -> None:
    members = [
        Candidate("m1", ["t"], owned=[("t", 0)], generation=3),
        Candidate("m2", ["t"], owned=[("t", 0), ("t", 1)], generation=2),
    ]
    assert assign_sticky(members, {"t": 2}) == {"m1": [("t", 0)], "m2": [("t", 1)]}


def test_of_two_that_claim_a_partition_in_one_generation_neither_is_right() -> None:
    members = [
        Candidate("m1", ["t"], owned=[("t", 1)], generation=2),
        Candidate("m2", ["t"], owned=[("t", 1)], generation=2),
    ]
    assert assign_sticky(members, {"t": 2}) == {"m1": [("t", 0)], "m2": [("t", 1)]}


def test_what_is_gone_or_not_wanted_any_more_is_not_kept() -> None:
    members = [Candidate("m1", ["t"], owned=[("t", 5), ("other", 0), ("t", 0)])]
    assert ASSIGNORS[COOPERATIVE_STICKY](members, {"t": 1, "other": 1}) == {"m1": [("t", 0)]}


def test_the_data_of_the_sticky_assignor_is_read_as_it_was_written() -> None:
    places = [("a", 0), ("a", 3), ("b", 1)]
    data = write_sticky_data(places, 7)
    assert read_sticky_data(data) == (places, 7)
    assert read_sticky_data(data[:-4]) == (places, -1)  # from before generations were told
    assert read_sticky_data(b"") == ([], -1)
    with pytest.raises(ValueError, match="StickyData"):
        read_sticky_data(b"\x7f\xff\xff\xff")
