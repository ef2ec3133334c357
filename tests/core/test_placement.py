from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core.image import BrokerImage
from mockbroker.core.naming import Collisions, check_name, fault_of_name
from mockbroker.core.placement import Placer
from mockbroker.protocol.errors import ErrorCode, KafkaError


def broker(id: int, rack: str | None = None, *, fenced: bool = False) -> BrokerImage:
    return BrokerImage(id, "localhost", 0, rack, 1, fenced)


def brokers(count: int) -> list[BrokerImage]:
    return [broker(id) for id in range(1, count + 1)]


def test_leaders_take_turns_and_followers_move_on() -> None:
    assert Placer(brokers(3)).place(6, 2) == [[1, 2], [2, 3], [3, 1], [1, 3], [2, 1], [3, 2]]


def test_a_single_broker_holds_everything() -> None:
    assert Placer(brokers(1)).place(3, 1) == [[1], [1], [1]]


def test_placement_can_start_anywhere_and_go_on_where_it_stopped() -> None:
    placer = Placer(brokers(3))
    assert placer.place(1, 1, start=2) == [[3]]
    assert placer.place(4, 3)[2:] == placer.place(2, 3, first=2)


def test_replicas_stand_in_different_racks() -> None:
    placer = Placer([broker(1, "a"), broker(2, "a"), broker(3, "b"), broker(4, "b")])
    rack = {1: "a", 2: "a", 3: "b", 4: "b"}
    for replicas in placer.place(12, 2):
        assert {rack[id] for id in replicas} == {"a", "b"}


def test_the_dead_are_placed_last_and_never_lead() -> None:
    placer = Placer([broker(1, fenced=True), broker(2), broker(3)])
    for replicas in placer.place(4, 3):
        assert replicas[-1] == 1


@pytest.mark.parametrize(
    ("alive", "replication"),
    [([True, True], 3), ([False, False], 1)],
)
def test_too_few_brokers_are_said_so(alive: list[bool], replication: int) -> None:
    placer = Placer([broker(id, fenced=not well) for id, well in enumerate(alive)])
    with pytest.raises(KafkaError) as refused:
        placer.place(1, replication)
    assert refused.value.code == ErrorCode.INVALID_REPLICATION_FACTOR


@given(
    racks=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=8),
    dead=st.sets(st.integers(0, 7)),
    partitions=st.integers(1, 40),
    start=st.integers(0, 9),
    data=st.data(),
)
def test_placement_is_fair(
    racks: list[str | None], dead: set[int], partitions: int, start: int, data: st.DataObject
) -> None:
    everybody = [broker(id, rack, fenced=id in dead) for id, rack in enumerate(racks)]
    living = {b.id for b in everybody if not b.fenced}
    if not living:
        return
    replication = data.draw(st.integers(1, len(racks)))
    placed = Placer(everybody).place(partitions, replication, start=start)
    leaders = Counter(replicas[0] for replicas in placed)
    assert max(leaders.values()) - min(leaders.get(id, 0) for id in living) <= 1
    racks_alive = len({racks[id] for id in living})
    for replicas in placed:
        assert len(set(replicas)) == replication
        present = [id for id in replicas if id in living]
        assert len(present) == min(replication, len(living))
        assert len({racks[id] for id in present}) >= min(len(present), racks_alive)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 249, "...", "__internal"])
def test_legal_names_have_no_fault(name: str) -> None:
    assert fault_of_name(name) is None


def test_only_names_with_dots_or_underscores_collide() -> None:
    collisions = Collisions(["a.b", "plain"])
    check_name("plain", collisions)
    check_name("a.b", collisions)
    with pytest.raises(KafkaError, match=r"collides with existing topic: a\.b"):
        check_name("a_b", collisions)
