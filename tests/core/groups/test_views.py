from mockbroker.core.groups.views import GENERATIONS_MAX
from tests.core.groups.desk import GROUP, TOPIC, Client, Desk, stable


def test_a_group_can_be_looked_at() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b", instance_id="i")
    stable(desk, a, b)
    a.commit(42)
    seen = desk.shard().view(GROUP)
    assert seen is not None
    assert (seen.state, seen.generation, seen.protocol_type, seen.protocol) == (
        "Stable",
        2,
        "consumer",
        "range",
    )
    assert seen.leader == a.member_id
    assert [(m.id, m.instance_id, m.client_id, m.host) for m in seen.members] == [
        (a.member_id, None, "a", "127.0.0.1"),
        (b.member_id, "i", "b", "127.0.0.1"),
    ]
    assert [m.subscription for m in seen.members] == [(TOPIC,), (TOPIC,)]
    assert [m.assignment for m in seen.members] == [{TOPIC: [0, 2]}, {TOPIC: [1, 3]}]
    assert {place: offset.offset for place, offset in seen.committed.items()} == {(TOPIC, 0): 42}


def test_there_is_nothing_to_see_of_a_group_that_is_not_there() -> None:
    assert Desk().shard().view(GROUP) is None


def test_what_only_members_understand_is_not_guessed_at() -> None:
    desk = Desk()
    a = Client(desk, "a", protocol_type="connect", protocols={"range": b"?"})
    a.enter()
    a.sync({a.member_id: b"?"}, protocol_type="connect")
    b = Client(desk, "b", group="other", protocols={"range": b"\0\0?"})
    b.enter()
    b.sync({b.member_id: b"\0\0?"})
    for group in (GROUP, "other"):
        seen = desk.shard(group).view(group)
        assert seen is not None
        assert (seen.members[0].subscription, seen.members[0].assignment) == (None, None)


def test_the_generations_of_a_group_are_remembered_across_failovers() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    first = desk.fail_over()
    desk.advance(1000)
    a.leave()
    b.join()
    b.sync({b.member_id: b""})
    b.leave()
    told = list(desk.world.chronicle.of(GROUP))
    assert [(g.generation, g.reason) for g in told] == [
        (2, f"{b.member_id} joined"),
        (3, f"{a.member_id} left"),
        (4, f"{b.member_id} left"),
    ]
    assert told[0].members == {a.member_id: {TOPIC: [0, 2]}, b.member_id: {TOPIC: [1, 3]}}
    assert told[2].members == {}
    assert told[0].coordinator == first.id != told[1].coordinator
    assert told[1].at_ms == told[0].at_ms + 1000


def test_the_memory_of_generations_is_bounded() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    for _ in range(GENERATIONS_MAX + 1):
        a.join()
        a.sync({a.member_id: b""})
    told = desk.world.chronicle.of(GROUP)
    assert (len(told), told[-1].generation) == (GENERATIONS_MAX, a.generation)


def test_whoever_asks_is_told_of_every_change() -> None:
    desk = Desk()
    told: list[str] = []
    desk.shard().on_change.append(told.append)
    a = Client(desk)
    for act in (a.join, a.join, a.sync, lambda: a.commit(1), a.leave):
        told.clear()
        act()
        assert GROUP in told
