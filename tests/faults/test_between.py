"""Rules for messages between brokers: what is held, late or lost, and how brokers get over it."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.core.links import CONTROLLER, Message
from mockbroker.core.messages import (
    AddPartitionsToTxn,
    AddPartitionsToTxnResponse,
    WriteTxnMarkers,
    WriteTxnMarkersResponse,
)
from mockbroker.core.usage import UsageError
from mockbroker.faults.checks import message_types
from mockbroker.faults.matching import look_at_message
from mockbroker.faults.rule import Action, Kind, Place, Rule
from mockbroker.protocol.errors import ErrorCode
from tests.faults.meddling import Meddled


@pytest.fixture
def sim() -> Meddled:
    """Broker 1 leads orders-0; 2 and 3 follow."""
    sim = Meddled()
    sim.topic("orders", ((1, 2, 3),))
    return sim


# -- gates ------------------------------------------------------------------------------------------


def test_a_held_fetch_holds_back_what_needs_every_replica(sim: Meddled) -> None:
    gate = sim.faults.between("FollowerFetch", source=2, topic="orders", partition=0).hold()
    # Whatever follower 2 had asked before is answered with the first record; its next fetch is held.
    first = sim.produce(b"1")
    assert not first.answered
    (held,) = gate.wait_arrived()
    assert (held.api, held.source, held.broker) == ("FollowerFetch", 2, 1)
    assert str(held) == "FollowerFetch from 2 to 1"
    gate.release()
    assert first.only.error_code == 0


def test_metadata_that_is_held_makes_a_broker_stale(sim: Meddled) -> None:
    gate = sim.faults.between("MetadataUpdate", to=2).hold()
    sim.world.controller.move_leader("orders", 0, 2, unclean=False)
    sim.world.settle()
    assert sim.produce(b"x", to=2).only.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert gate.arrived[0].source == CONTROLLER
    gate.release_one()
    assert sim.produce(b"x", to=2).only.error_code == 0


def test_a_coordinator_that_is_not_let_load_keeps_loading(sim: Meddled) -> None:
    first = sim.coordinator("g")
    gate = sim.faults.between("LoadCoordinator").hold()
    sim.world.crash(first)
    assert sim.join("g").response.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    gate.release()
    assert sim.join("g").response.error_code == ErrorCode.MEMBER_ID_REQUIRED


def test_messages_go_in_the_order_in_which_they_came(sim: Meddled) -> None:
    gate = sim.faults.between("MetadataUpdate", to=3).hold()
    for name in ("a", "b", "c"):
        sim.topic(name, ((1,),))
    assert len(gate.arrived) == 3
    seen = []
    for _ in range(3):
        gate.release_one()
        seen.append(len(sim.world.nodes[3].image.topics))
    assert seen == [2, 3, 4]


@pytest.mark.parametrize("trouble", ["cut", "crash"])
def test_messages_on_a_broken_road_are_gone(sim: Meddled, trouble: str) -> None:
    gate = sim.faults.between("FollowerFetch", source=2).hold()
    sim.produce(b"1")
    assert gate.arrived
    gate_closed = sim.faults.between("FollowerFetch", source=3, optional=True).hold()
    if trouble == "cut":
        sim.world.isolate(2)
    else:
        sim.world.crash(2)
    assert gate.arrived == []
    gate_closed.release()
    gate.release()
    if trouble == "cut":
        sim.world.heal(2)
    else:
        sim.world.restart(2)
    assert sim.log(2) == [b"1"]


def test_a_held_message_may_be_lost_and_cannot_be_failed(sim: Meddled) -> None:
    gate = sim.faults.between("FollowerFetch", source=2, nth=1).hold()
    asked = sim.produce(b"1")
    with pytest.raises(UsageError, match="no error to be answered with; use disconnect"):
        gate.fail("NOT_COORDINATOR")
    gate.disconnect()
    assert not asked.answered
    sim.advance(1_000)
    assert asked.only.error_code == 0


# -- delays -----------------------------------------------------------------------------------------


def test_a_delay_between_brokers_is_in_their_own_time(sim: Meddled) -> None:
    sim.faults.between("FollowerFetchResponse", to=2).delay("800ms")
    asked = sim.produce(b"1")
    sim.wait(10_000)
    assert not asked.answered
    sim.advance(799)
    assert not asked.answered
    sim.advance(1)
    assert sim.log(2) == [b"1"]
    assert asked.only.error_code == 0


def test_late_messages_do_not_overtake_each_other(sim: Meddled) -> None:
    fault = sim.faults.between("MetadataUpdate", to=3).delay("100ms")
    sim.topic("a", ((1,),))
    sim.advance(50)
    sim.topic("b", ((1,),))
    assert fault.hits == 2
    sim.advance(50)
    assert list(sim.world.nodes[3].image.topics) == ["orders", "a"]
    sim.advance(50)
    assert list(sim.world.nodes[3].image.topics) == ["orders", "a", "b"]


# -- losses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ("FollowerFetch", {"source": 2}),
        ("FollowerFetchResponse", {"to": 2}),
        (("FollowerFetch", "FollowerFetchResponse"), {"topic": "orders"}),
    ],
)
def test_a_follower_asks_again_for_what_was_lost(sim: Meddled, message: Any, where: Any) -> None:
    fault = sim.faults.between(message, times=2, **where).drop()
    asked = sim.produce(b"1")
    assert not asked.answered
    assert fault.hits >= 1
    sim.advance(999)
    assert not asked.answered
    sim.advance(2_001)
    assert fault.hits == 2
    assert asked.only.error_code == 0
    assert sim.log(2) == sim.log(3) == [b"1"]


def test_a_loss_that_goes_on_shrinks_the_isr_and_its_end_lets_the_follower_back(sim: Meddled) -> None:
    fault = sim.faults.between("FollowerFetch", source=2).drop()
    sim.produce(b"1")
    sim.advance(31_000)
    assert sim.partition().isr == (1, 3)
    fault.remove()
    sim.advance(1_000)
    assert set(sim.partition().isr) == {1, 2, 3}


@pytest.mark.parametrize("message", ["AlterPartition", "AlterPartitionResponse"])
def test_a_leader_asks_the_controller_again(sim: Meddled, message: str) -> None:
    sim.freeze(2)
    sim.produce(b"1")
    fault = sim.faults.between(message, times=3).drop()
    # With the answer its consequences would be told by metadata, too.
    stale = sim.faults.between("MetadataUpdate", to=1).hold()
    sim.advance(31_000)
    assert fault.hits == 3
    stale.release()
    assert sim.partition().isr == (1, 3)
    assert sim.leader().isr == (1, 3)
    sim.catch_up(2)
    assert set(sim.leader().isr) == {1, 2, 3}


def test_a_broker_is_told_again_what_it_did_not_hear(sim: Meddled) -> None:
    fault = sim.faults.between("MetadataUpdate", to=3, times=4).drop()
    for name in ("a", "b"):
        sim.topic(name, ((1,),))
    assert "a" not in sim.world.nodes[3].image.topics
    sim.advance(1_000)
    assert fault.hits == 4
    assert sim.world.nodes[3].image is sim.world.controller.image


@pytest.mark.parametrize("message", ["BrokerRegistration", "BrokerHeartbeat"])
def test_a_broker_makes_itself_heard_again(sim: Meddled, message: str) -> None:
    if message == "BrokerRegistration":
        sim.world.crash(2)
    else:
        sim.world.isolate(2)
    fault = sim.faults.between(message, source=2, times=2).drop()
    if message == "BrokerRegistration":
        sim.world.restart(2)
    else:
        sim.world.heal(2)
    assert not sim.world.controller.image.alive(2)
    sim.advance(4_000)
    assert fault.hits == 2
    assert sim.world.controller.image.alive(2)


def test_losses_are_told(sim: Meddled) -> None:
    sim.faults.between("FollowerFetch", source=2, nth=1, name="hole").drop()
    sim.produce(b"1")
    assert "fault hole: FollowerFetch 2 -> 1 is lost" in sim.world.history.dump()


def test_without_rules_nothing_is_in_the_way_of_messages(sim: Meddled) -> None:
    def is_ruled() -> bool:
        return sim.world.links.between is not None

    assert not is_ruled()
    with sim.faults.between("FollowerFetch", optional=True).drop():
        assert is_ruled()
    assert not is_ruled()


# -- what makes no sense --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "matchers", "says"),
    [
        ("FolowerFetch", {}, "did you mean FollowerFetch"),
        ("JoinGroup", {}, "for what clients send, use faults.on('JoinGroup')"),
        ("FollowerFetch", {"broker": 1}, "say which with source= or to="),
        ("FollowerFetch", {"group": "g"}, "group: a rule on `between` has no such matcher"),
        ("FollowerFetch", {"to": 9}, "to=9: there are the brokers [1, 2, 3]"),
        (
            "MetadataUpdate",
            {"topic": "orders"},
            "MetadataUpdate messages have none; match them by source= and to=",
        ),
        ("FollowerFetch", {"sauce": 1}, "did you mean source?"),
    ],
)
def test_a_rule_between_brokers_that_makes_no_sense_is_refused(
    sim: Meddled, message: Any, matchers: Any, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        sim.faults.between(message, **matchers)
    assert says in str(refused.value)


def test_actions_that_mean_nothing_between_brokers_are_refused(sim: Meddled) -> None:
    between = sim.faults.between("FollowerFetch")
    for action in (
        lambda: between.fail("NOT_COORDINATOR"), between.disconnect, between.corrupt,
        lambda: between.truncate(1), lambda: between.throttle("1s"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="means nothing between brokers"):
            action()  # type: ignore[no-untyped-call]  # some are lambdas
    for message in ("LoadCoordinator", "*"):
        with pytest.raises(UsageError, match="cannot get lost: hold"):
            sim.faults.between(message).drop()


def test_the_controller_has_a_name(sim: Meddled) -> None:
    gate = sim.faults.between("*", to="controller").hold()
    sim.freeze(2)
    sim.produce(b"1")
    sim.advance(31_000)
    assert [held.api for held in gate.arrived] == ["AlterPartition"]


def test_messages_about_transactions_are_matched_by_what_they_are_about() -> None:
    def seen(message: Message, **where: Any) -> bool:
        rule = Rule(Place.BETWEEN, (), Action(Kind.DROP), {name: (value,) for name, value in where.items()})
        return look_at_message(rule, message).matches

    marker = WriteTxnMarkers(
        1, 2, "payer", producer=(1, 0), commit=True, topic="orders", index=3, coordinator_index=0,
        coordinator_epoch=0, round=1, version=2,
    )  # fmt: skip
    places = (("orders", 3), ("invoices", 0))
    asked = AddPartitionsToTxn(
        1, 2, "payer", (1, 0), places, add=True, answered=lambda _: None, lost=lambda: None
    )
    answered = AddPartitionsToTxnResponse(asked, {})
    for message in (marker, WriteTxnMarkersResponse(marker, ErrorCode.NONE), asked, answered):
        assert seen(message, transactional_id="payer", topic="orders", partition=3)
        assert not seen(message, transactional_id="other")
        # Both are there, and not together.
        assert not seen(message, topic="invoices", partition=3)


def test_every_message_of_the_core_can_be_named() -> None:
    assert {"FollowerFetch", "AlterPartition", "MetadataUpdate", "LoadCoordinator"} <= set(message_types())
    assert "Message" not in message_types()
