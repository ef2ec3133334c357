import pytest

from mockbroker.core.groups.classic import ClassicGroup, State
from mockbroker.core.groups.consumer_protocol import Subscription, write_subscription
from mockbroker.core.groups.member import Member
from mockbroker.core.ticket import Ticket
from mockbroker.protocol.errors import ErrorCode, KafkaError


def member(id: str, *protocols: str, instance_id: str | None = None, timeout_ms: int = 1000) -> Member:
    wants = write_subscription(Subscription(topics=[f"topic-of-{id}"]))
    return Member(
        id,
        instance_id,
        client_id="c",
        client_host="/h",
        rebalance_timeout_ms=timeout_ms,
        session_timeout_ms=1000,
        protocols=[(name, wants) for name in protocols],
    )


def group_of(*members: Member, protocol_type: str = "consumer") -> ClassicGroup:
    group = ClassicGroup("g")
    for one in members:
        group.add(one, protocol_type)
    return group


def refused(group: ClassicGroup, member_id: str, instance_id: str | None) -> ErrorCode:
    with pytest.raises(KafkaError) as error:
        group.check_member(member_id, instance_id)
    return error.value.code


def test_the_protocol_that_most_members_like_best_among_the_common_ones_is_chosen() -> None:
    group = group_of(member("a", "x", "y"), member("b", "y", "x"), member("c", "own", "y", "x"))
    assert group.common_protocols() == {"x", "y"}
    assert group.vote() == "y"


def test_a_tied_vote_goes_to_the_first_who_joined() -> None:
    assert group_of(member("a", "x", "y"), member("b", "y", "x")).vote() == "x"
    assert group_of(member("b", "y", "x"), member("a", "x", "y")).vote() == "y"


def test_the_first_member_leads_and_the_next_one_inherits() -> None:
    group = group_of(member("a", "x"), member("b", "x"))
    assert group.leader == "a"
    group.remove("a")
    assert group.leader == "b"


def test_a_leader_that_rejoined_stays_and_one_that_did_not_is_replaced() -> None:
    a, b = member("a", "x"), member("b", "x")
    group = group_of(a, b)
    assert not group.elect_leader()
    b.joining = Ticket("b joins")
    assert group.elect_leader()
    assert group.leader == "b"
    a.joining = Ticket("a joins")
    assert group.elect_leader()
    assert group.leader == "b"


def test_newcomers_must_share_a_protocol_with_everybody() -> None:
    group = group_of(member("a", "x", "y"), member("b", "y"))
    group.state = State.STABLE
    assert group.accepts("consumer", [("y", b"")])
    assert not group.accepts("consumer", [("x", b"")])
    assert not group.accepts("connect", [("y", b"")])
    group = ClassicGroup("empty")
    assert group.accepts("connect", [("z", b"")])
    assert not group.accepts("", [("z", b"")])
    assert not group.accepts("connect", [])


def test_an_unknown_instance_is_found_out_before_a_fenced_one_and_that_before_an_unknown_member() -> None:
    group = group_of(member("a", "x", instance_id="i"))
    assert refused(group, "a", "j") is ErrorCode.UNKNOWN_MEMBER_ID
    assert refused(group, "b", "i") is ErrorCode.FENCED_INSTANCE_ID
    assert refused(group, "b", None) is ErrorCode.UNKNOWN_MEMBER_ID
    assert group.check_member("a", "i") is group.check_member("a", None)


def test_a_rebalance_waits_for_the_slowest_member() -> None:
    assert group_of(member("a", "x", timeout_ms=5), member("b", "x", timeout_ms=9)).rebalance_timeout_ms == 9
    assert ClassicGroup("g").rebalance_timeout_ms == 0


def test_a_static_members_new_id_takes_the_place_of_the_old_one() -> None:
    group = group_of(member("a", "x", "y", instance_id="i"), member("b", "y", "x"))
    group.members["a"].assignment = b"mine"
    group.unsynced = {"a": None}
    twin = group.replace_static("i", "a2")
    assert (group.leader, list(group.members), group.static, group.unsynced) == (
        "a2", ["a2", "b"], {"i": "a2"}, {"a2": None},
    )  # fmt: skip
    assert twin.assignment == b"mine"
    assert group.vote() == "x"


def test_generations_count_up_and_an_empty_group_has_no_protocol() -> None:
    group = group_of(member("a", "x"))
    group.enter(State.PREPARING, 1)
    group.begin_generation(2)
    assert (group.generation, group.protocol, group.state, group.since_ms) == (1, "x", State.COMPLETING, 2)
    group.enter(State.PREPARING, 3)
    group.remove("a")
    group.begin_generation(4)
    assert (group.generation, group.protocol, group.state) == (2, None, State.EMPTY)


def test_states_follow_each_other_as_drawn() -> None:
    with pytest.raises(AssertionError, match="cannot become Stable"):
        ClassicGroup("g").enter(State.STABLE, 0)


def test_a_consumer_group_subscribes_what_its_members_say() -> None:
    group = group_of(member("a", "x"), member("b", "x"))
    assert group.subscribes("anything"), "before the first vote nobody can know"
    group.protocol = "x"
    group.read_subscriptions()
    assert group.subscribed_topics == frozenset({"topic-of-a", "topic-of-b"})
    assert not group.subscribes("anything")


def test_bytes_that_make_no_sense_may_mean_any_topic() -> None:
    group = group_of(member("a", "x"))
    group.protocol = "x"
    group.members["a"].protocols = [("x", b"\0\0garbage")]
    group.read_subscriptions()
    assert group.subscribes("anything")
    other = group_of(member("a", "x"), protocol_type="connect")
    assert not other.subscribes("anything")


def test_what_a_successor_reads_is_what_was_written() -> None:
    group = group_of(member("a", "x", "y", instance_id="i"), member("b", "x", "y"))
    group.enter(State.PREPARING, 1)
    group.begin_generation(2)
    written = group.record({"a": b"mine"})
    loaded = ClassicGroup.loaded(written)
    assert loaded.state is State.STABLE
    assert loaded.record({m.id: m.assignment for m in loaded.members.values()}) == written
    assert (loaded.leader, loaded.static, loaded.generation, loaded.protocol) == ("a", {"i": "a"}, 1, "x")
    assert [name for name, _ in loaded.members["b"].protocols] == ["x"], "the others were not written"


def test_a_group_without_members_is_loaded_empty() -> None:
    loaded = ClassicGroup.loaded(ClassicGroup("g").record({}))
    assert (loaded.state, loaded.protocol_type, loaded.since_ms) == (State.EMPTY, None, None)
