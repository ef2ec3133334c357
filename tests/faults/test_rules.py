"""What rules match, in which order they act, how they count, and how they explain themselves."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.ticket import Disconnect
from mockbroker.core.usage import UsageError
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import LeaveGroupMember, LeaveGroupRequest
from mockbroker.protocol.messages.metadata import FindCoordinatorRequest
from mockbroker.protocol.messages.transactions import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
    DescribeTransactionsRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from mockbroker.waiting import WaitTimeout
from tests.faults.meddling import Meddled


def failed(sim: Meddled, count: int, **how: Any) -> list[int]:
    """Which of so many produces were answered with an error, counted from 1."""
    return [n for n in range(1, count + 1) if sim.produce(b"x", **how).only.error_code]


# -- counting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counters", "acted"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 3}, [3]),
        ({"every": 2}, [2, 4, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 2}, [2, 4]),
        ({"probability": 1.0}, [1, 2, 3, 4, 5, 6]),
        ({"probability": 1.0, "times": 1}, [1]),
    ],
)
def test_a_rule_acts_as_often_as_it_says(sim: Meddled, counters: Any, acted: list[int]) -> None:
    fault = sim.faults.on("Produce", **counters).fail("NOT_ENOUGH_REPLICAS")
    assert failed(sim, 6) == acted
    assert fault.hits == len(acted)


def test_what_does_not_match_is_not_counted(sim: Meddled) -> None:
    sim.faults.on("Produce", client_id="b", nth=2).fail("NOT_ENOUGH_REPLICAS")
    assert failed(sim, 3, client="a") == []
    assert failed(sim, 3, client="b") == [2]


def test_chance_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def run(seed: int) -> list[int]:
        sim = Meddled(seed=seed)
        sim.topic()
        sim.faults.on("Produce", probability=0.5).fail("NOT_ENOUGH_REPLICAS")
        return failed(sim, 40)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 5 < len(run(1)) < 35


def test_the_first_rule_that_matches_acts_and_no_other(sim: Meddled) -> None:
    first = sim.faults.on("Produce", nth=2).fail("NOT_ENOUGH_REPLICAS")
    second = sim.faults.on("Produce").fail("REQUEST_TIMED_OUT")
    codes = [sim.produce(b"x").only.error_code for _ in range(3)]
    late = ErrorCode.REQUEST_TIMED_OUT
    assert codes == [late, ErrorCode.NOT_ENOUGH_REPLICAS, late]
    assert (first.hits, second.hits) == (1, 2)
    assert "1 was taken by a rule armed earlier" in second.explain()


def test_a_removed_rule_does_nothing(sim: Meddled) -> None:
    fault = sim.faults.on("Produce").fail("NOT_ENOUGH_REPLICAS")
    assert failed(sim, 1) == [1]
    fault.remove()
    fault.remove()
    assert failed(sim, 1) == []
    assert not fault.armed
    with sim.faults.on("Produce").disconnect() as broken:
        assert isinstance(sim.produce(b"x").outcome, Disconnect)
        assert len(sim.faults) == 1
    assert not sim.faults
    assert broken.hits == 1


# -- matching ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matchers", "matches"),
    [
        ({"topic": "orders"}, True),
        ({"topic": ["payments", "orders"]}, True),
        ({"topic": "payments"}, False),
        ({"partition": 0}, True),
        ({"partition": {1, 2}}, False),
        ({"topic": "orders", "partition": 0, "client_id": "app"}, True),
        ({"client_id": ("other", "another")}, False),
        ({"version": 12}, True),
        ({"version": range(3, 9)}, False),
        ({"transactional_id": "t"}, False),
        ({"when": lambda call: call.body.timeout_ms == 30_000}, True),
        ({"when": lambda call: call.body.acks == 7}, False),
    ],
)
def test_matchers(sim: Meddled, matchers: Any, matches: bool) -> None:
    sim.faults.on("Produce", optional=True, **matchers).disconnect()
    assert sim.produce(b"x").closed is matches


def test_a_broker_is_matched_by_its_id(sim: Meddled) -> None:
    leader = sim.partition().leader
    other = next(id for id in sim.world.nodes if id != leader)
    sim.faults.on("Produce", broker=other).disconnect()
    assert not sim.produce(b"x").closed
    assert sim.produce(b"x", to=other).closed


@pytest.mark.parametrize(
    "api", ["JoinGroup", "JOIN_GROUP", Api.JOIN_GROUP, ("Heartbeat", "JoinGroup"), "*", None]
)
def test_apis_have_many_names(sim: Meddled, api: Any) -> None:
    sim.faults.on(api).disconnect()
    assert sim.join("g").closed


def test_members_are_matched_where_a_call_speaks_for_several(sim: Meddled) -> None:
    sim.faults.on("LeaveGroup", member_id="m2").fail("UNKNOWN_MEMBER_ID")
    body = LeaveGroupRequest(group_id="g", members=[LeaveGroupMember(member_id=m) for m in ("m1", "m2")])
    to = sim.coordinator("g")
    assert sim.ask(body, to=to).response.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    del body.members[1]
    assert sim.ask(body, to=to).response.members[0].member_id == "m1"


def test_coordinators_are_matched_by_what_they_are_asked_for(sim: Meddled) -> None:
    sim.faults.on("FindCoordinator", group="pay").fail("COORDINATOR_NOT_AVAILABLE")
    sim.faults.on("FindCoordinator", transactional_id="pay").fail("NOT_COORDINATOR")

    def ask(kind: int, version: int) -> int:
        body = FindCoordinatorRequest(key="pay", coordinator_keys=["pay"], key_type=kind)
        response = sim.ask(body, to=1, version=version).response
        code: int = response.coordinators[0].error_code if version >= 4 else response.error_code
        return code

    assert [ask(0, 3), ask(0, 6)] == [ErrorCode.COORDINATOR_NOT_AVAILABLE] * 2
    assert [ask(1, 3), ask(1, 6)] == [ErrorCode.NOT_COORDINATOR] * 2


def transactional(version: int) -> list[tuple[Any, int]]:
    """Requests that are about the transaction "pay", and orders-3 where they name partitions."""
    topics = [AddPartitionsToTxnTopic(name="orders", partitions=[3])]
    return [
        (InitProducerIdRequest(transactional_id="pay"), 4),
        (EndTxnRequest(transactional_id="pay"), 3),
        (DescribeTransactionsRequest(transactional_ids=["x", "pay"]), 0),
        (
            AddPartitionsToTxnRequest(
                v3_and_below_transactional_id="pay",
                v3_and_below_topics=topics,
                transactions=[AddPartitionsToTxnTransaction(transactional_id="pay", topics=topics)],
            ),
            version,
        ),
    ]


@pytest.mark.parametrize("version", [3, 4])
def test_transactions_are_matched_wherever_they_are_named(sim: Meddled, version: int) -> None:
    other = sim.faults.on("*", transactional_id="other").disconnect()
    rule = sim.faults.on("*", transactional_id="pay").disconnect()
    for body, at in transactional(version):
        assert sim.ask(body, to=1, version=at).closed
    assert (rule.hits, other.hits) == (4, 0)
    rule.remove()
    sim.faults.on("AddPartitionsToTxn", topic="orders", partition=4).disconnect()
    sim.faults.on("AddPartitionsToTxn", topic="orders", partition=3).disconnect()
    body, at = transactional(version)[-1]
    assert sim.ask(body, to=1, version=at).closed


def test_a_when_that_fails_names_its_rule(sim: Meddled) -> None:
    sim.faults.on("Produce", when=lambda call: call.body.nonsense, name="odd").disconnect()
    with pytest.raises(UsageError, match="the when= of the fault 'odd' raised AttributeError"):
        sim.produce(b"x")


# -- explaining -------------------------------------------------------------------------------------


def test_a_rule_that_nothing_met_says_so(sim: Meddled) -> None:
    fault = sim.faults.on("JoinGroup", group="g", nth=3).fail("NOT_COORDINATOR")
    assert fault.explain() == (
        "armed but never hit: on JoinGroup group=g nth=3; no JoinGroup request was seen"
    )


def test_a_rule_that_waits_for_the_third_has_seen_two(sim: Meddled) -> None:
    fault = sim.faults.on("JoinGroup", group="g", nth=3).fail("NOT_COORDINATOR")
    for client in ("a", "b"):
        sim.join("g", client=client)
    assert fault.explain() == (
        "armed but never hit: on JoinGroup group=g nth=3; 2 JoinGroup requests of g were seen"
    )


def test_a_misspelled_topic_is_a_near_miss(sim: Meddled) -> None:
    fault = sim.faults.after("Produce", topic="order").disconnect()
    failed(sim, 5)
    assert fault.explain() == (
        "armed but never hit: after Produce topic=order; "
        "5 Produce requests, none to topic 'order' (they were to: orders)"
    )
    fault.remove()
    assert fault.explain().startswith("removed, and never hit: after Produce")


def test_near_misses_of_several_kinds_are_told_apart(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", topic="orders", client_id="a", when=lambda _: False).disconnect()
    failed(sim, 2, client="b")
    failed(sim, 1, client="a")
    told = fault.explain()
    assert "2 Produce requests, none from client 'a' (they were from: b)" in told
    assert "1 Produce request otherwise right, and when= said no" in told


def test_requests_that_miss_in_two_ways_are_counted_only(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", topic="x", client_id="y").disconnect()
    failed(sim, 2)
    assert fault.explain().endswith("2 Produce requests were seen, and each differed in more than one way")


def test_a_rule_that_acted_says_how_often(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", every=2).fail("NOT_ENOUGH_REPLICAS")
    failed(sim, 5)
    assert fault.explain() == "hit 2 times: on Produce every=2; 5 Produce requests were seen"


def test_only_some_of_many_values_are_kept(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", client_id="nobody").disconnect()
    for number in range(40):
        sim.produce(b"x", client=f"c{number}")
    assert (
        "40 Produce requests, none from client 'nobody' (they were from: c0, c1, c2, c3, c4)"
        in fault.explain()
    )


def test_waiting_for_a_hit(sim: Meddled) -> None:
    fault = sim.faults.on("Produce", topic="order", name="typo").fail("NOT_ENOUGH_REPLICAS")
    sim.produce(b"x")
    with pytest.raises(
        WaitTimeout, match=r"'typo' to have acted 1 time; instead: armed but never hit.*orders"
    ):
        fault.wait_hit(timeout="1s")
    fine = sim.faults.on("Produce").fail("NOT_ENOUGH_REPLICAS")
    failed(sim, 3)
    assert fine.wait_hit(2) == 3


# -- strictness ---------------------------------------------------------------------------------------


def test_rules_that_never_acted_are_found_armed_or_removed(sim: Meddled) -> None:
    sim.faults.on("Fetch", name="armed").disconnect()
    with sim.faults.on("Fetch", name="removed").disconnect():
        pass
    sim.faults.on("Fetch", name="may be", optional=True).disconnect()
    sim.faults.on("Produce", name="hit").fail("NOT_ENOUGH_REPLICAS")
    sim.produce(b"x")
    assert [told.split(":")[0] for told in sim.faults.unfired()] == [
        "removed, and never hit",
        "armed but never hit",
    ]
    sim.faults.clear()
    assert len(sim.faults.unfired()) == 2
    sim.book.forget()
    assert sim.faults.unfired() == []


def test_rules_can_be_looked_through(sim: Meddled) -> None:
    one = sim.faults.on("Fetch", name="one").disconnect()
    sim.faults.after("Fetch").hold()
    assert [(type(fault).__name__, fault.name) for fault in sim.faults] == [
        ("Fault", "one"), ("Gate", "after Fetch: hold"),
    ]  # fmt: skip
    assert repr(one) == "<Fault one>"
    assert repr(sim.faults) == "<2 faults>"
    assert not one.optional


def test_names_are_unique(sim: Meddled) -> None:
    sim.faults.on("Fetch", name="x").disconnect()
    with pytest.raises(UsageError, match="a fault named 'x' is armed already"):
        sim.faults.on("Produce", name="x").disconnect()
    names = [sim.faults.on("Fetch").drop().name for _ in range(3)]
    assert names == ["on Fetch: drop", "on Fetch: drop (2)", "on Fetch: drop (3)"]


def test_arming_and_removing_is_part_of_the_story(sim: Meddled) -> None:
    sim.faults.on("Fetch", topic="orders").disconnect().remove()
    told = sim.world.history.dump()
    assert "test: arm on Fetch topic=orders: disconnect" in told
    assert "test: remove on Fetch topic=orders: disconnect" in told


# -- what makes no sense --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "matchers", "says"),
    [
        ("JoinGruop", {}, "no API named 'JoinGruop'; did you mean ['JoinGroup'"),
        (7.5, {}, "7.5 is no API: write 'JoinGroup'"),
        ("DescribeAcls", {}, "mockbroker does not serve DescribeAcls"),
        ("FollowerFetch", {}, "FollowerFetch is said between brokers: use faults.between('FollowerFetch')"),
        ("AlterPartition", {}, "faults.between('AlterPartition')"),
        ("Produce", {"group": "g"}, "group: Produce requests have none; they can be matched by topic, "),
        (
            "JoinGroup",
            {"topic": "orders"},
            "topic: JoinGroup requests have none; they can be matched by group",
        ),
        ("CreateTopics", {"partition": 1}, "partition: CreateTopics requests have none"),
        ("Produce", {"nth": 1, "every": 2}, "nth and every contradict each other"),
        ("Produce", {"nth": 1, "times": 2}, "nth and times contradict each other"),
        ("Produce", {"every": 1, "probability": 0.1}, "every and probability contradict"),
        ("Produce", {"nth": 0}, "nth=0: expected a whole number from 1 up"),
        ("Produce", {"times": True}, "times=True"),
        ("Produce", {"probability": 1.5}, "probability=1.5: expected a number above 0 and up to 1"),
        ("Produce", {"principal": "alice"}, "no security yet"),
        ("Produce", {"topics": "orders"}, "no matcher 'topics': there are"),
        ("Produce", {"topics": "orders"}, "did you mean topic?"),
        ("Produce", {"to": 1}, "to: a rule on `on` has no such matcher"),
        ("Produce", {"topic": 5}, "topic=5: expected a text"),
        ("Produce", {"partition": "0"}, "partition='0': expected a number"),
        ("Produce", {"topic": []}, "topic: none given"),
        ("Produce", {"broker": 9}, "broker=9: there are the brokers [1, 2, 3]"),
        ("Produce", {"when": True}, "when=True: expected a function"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(sim: Meddled, api: Any, matchers: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        sim.faults.on(api, **matchers)
    assert says in str(refused.value)
    assert not sim.faults


def test_an_action_that_makes_no_sense_is_refused(sim: Meddled) -> None:
    on, after = sim.faults.on("Produce"), sim.faults.after("Produce")
    for action, says in (
        (lambda: on.fail("NOT_COORDINATR"), "did you mean NOT_COORDINATOR"),
        (lambda: on.fail("NONE"), "NONE is no error"),
        (lambda: on.fail(16), "16 is no error"),  # type: ignore[arg-type]  # as who does not check types writes it
        (on.corrupt, "use faults.after(...)"),
        (lambda: on.truncate(3), "use faults.after(...)"),
        (lambda: after.truncate(-1), "from 0 up"),
        (lambda: on.delay("0s"), "at least a millisecond"),
        (lambda: on.delay("later"), "is no duration"),
    ):
        with pytest.raises(UsageError) as refused:
            action()  # type: ignore[no-untyped-call]  # they are lambdas
        assert says in str(refused.value)
    assert not sim.faults
