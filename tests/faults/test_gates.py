"""Gates: what they hold, in which order it goes, and what becomes of it when nobody comes back."""

from __future__ import annotations

from typing import Any

import pytest

from mockbroker.conversation import Conversation
from mockbroker.core.call import Peer
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.core.usage import UsageError
from mockbroker.protocol.errors import ErrorCode
from mockbroker.waiting import WaitTimeout
from tests.core.simulation import NONE
from tests.faults.meddling import Meddled
from tests.server.wire import framed, produce


def stored(sim: Meddled) -> list[bytes | None]:
    return sim.log(sim.partition().leader)


def test_a_gate_holds_calls_before_anything_happens_and_lets_them_go_in_order(sim: Meddled) -> None:
    gate = sim.faults.on("Produce", topic="orders").hold()
    asked = [sim.produce(value, client=client) for value, client in ((b"1", "a"), (b"2", "b"))]
    assert [(held.api, held.client_id) for held in gate.wait_arrived(2)] == [
        ("Produce", "a"),
        ("Produce", "b"),
    ]
    assert stored(sim) == []
    assert gate.release() == 2
    assert [one.only.error_code for one in asked] == [0, 0]
    assert stored(sim) == [b"1", b"2"]
    # Open is open: what comes later is not held.
    assert sim.produce(b"3").answered
    assert not gate.armed


def test_calls_are_let_go_in_the_order_that_a_test_chooses(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    for client in ("a", "b", "c", "d"):
        sim.produce(client.encode(), client=client)
    first, *_, last = gate.arrived
    assert gate.release(last, first) == 2
    assert gate.release("c") == 1
    assert stored(sim) == [b"d", b"a", b"c"]
    assert gate.release_one() == 1
    assert gate.release_one() == 0
    assert stored(sim)[-1] == b"b"
    assert not sim.produce(b"e").answered
    assert gate.hits == 5


def test_a_gate_may_let_all_go_and_keep_holding(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    sim.produce(b"1")
    gate.release(rearm=True)
    assert stored(sim) == [b"1"]
    assert not sim.produce(b"2").answered


def test_a_gate_after_the_handler_holds_the_answer_only(sim: Meddled) -> None:
    with sim.faults.after("Produce").hold() as gate:
        asked = sim.produce(b"1")
        assert stored(sim) == [b"1"]
        assert not asked.answered
        assert "is held by the gate" in asked.why
        gate.wait_arrived()
    assert asked.only.base_offset == 0


def test_leaving_the_block_lets_everything_go(sim: Meddled) -> None:
    with sim.faults.on("Produce").hold():
        asked = sim.produce(b"1")
    assert asked.answered
    assert stored(sim) == [b"1"]


def test_what_is_held_may_be_failed_or_cut_off(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    first, second, third = (sim.produce(b"x", client=client) for client in ("a", "b", "c"))
    silent = sim.produce(b"x", client="d", acks=NONE)
    assert gate.fail("NOT_LEADER_OR_FOLLOWER", "a", "d") == 2
    assert gate.disconnect("b") == 1
    assert first.only.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert isinstance(second.outcome, Disconnect)
    assert second.outcome.reset
    assert silent.closed
    assert not third.answered
    assert stored(sim) == []


def test_a_held_answer_may_be_exchanged_for_an_error(sim: Meddled) -> None:
    gate = sim.faults.after("Produce").hold()
    asked = sim.produce(b"x")
    gate.fail(ErrorCode.REQUEST_TIMED_OUT)
    assert asked.only.error_code == ErrorCode.REQUEST_TIMED_OUT
    assert stored(sim) == [b"x"]


def test_a_gate_says_who_is_there_for_a_group(sim: Meddled) -> None:
    gate = sim.faults.on("JoinGroup", group="g").hold()
    sim.join("g", client="c1", member="m-1")
    (held,) = gate.arrived
    assert (held.group, held.member, held.broker) == ("g", "m-1", sim.coordinator("g"))
    assert str(held) == f"JoinGroup of group g member m-1 from c1 at broker {held.broker}"
    assert held.connection > 0
    assert held.since * 1_000 == sim.world.patience.now


# -- who is gone ------------------------------------------------------------------------------------


def test_calls_of_a_crashed_broker_are_gone(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    leader = sim.partition().leader
    asked = sim.produce(b"1")
    sim.world.crash(leader)
    sim.world.restart(leader)
    assert gate.arrived == []
    gate.release()
    assert not asked.answered
    assert stored(sim) == []


def test_a_call_whose_connection_is_closed_is_gone(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    talk = Conversation(sim.world.nodes[sim.partition().leader], Peer(), sim.book)
    (call,) = talk.feed(framed(produce("orders", b"x"), 9))
    assert not isinstance(call, Disconnect)
    reply: Any = talk.exchange(call)
    assert isinstance(reply, Ticket)
    assert len(gate.arrived) == 1
    reply.abandon()
    assert gate.arrived == []
    gate.release()
    assert stored(sim) == []


def test_the_first_to_go_may_be_the_end_of_the_next(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    leader = sim.partition().leader
    sim.produce(b"1", client="a")
    later = sim.produce(b"2", client="b")
    sim.faults.after("Produce", when=lambda _: sim.world.crash(leader), optional=True).drop()
    gate.release()
    assert not later.answered


def test_a_paused_broker_answers_when_it_goes_on(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    leader = sim.partition().leader
    asked = sim.produce(b"1", acks=1)
    sim.world.pause(leader)
    gate.release()
    sim.wait(1_000)
    assert not asked.answered
    sim.world.resume(leader)
    assert asked.answered


# -- leases -----------------------------------------------------------------------------------------


def test_a_gate_that_nobody_opens_opens_by_itself_and_says_so(sim: Meddled) -> None:
    gate = sim.faults.on("Produce", name="stuck").hold()
    asked = sim.produce(b"1")
    sim.wait(59_999)
    before = asked.answered
    sim.wait(1)
    assert (before, asked.answered) == (False, True)
    assert not gate.armed
    assert "gate stuck: nobody opened it for 60 s" in sim.world.history.dump()
    assert sim.produce(b"2").answered


def test_a_lease_begins_with_the_first_that_is_held_and_anew_with_each_word_of_the_test(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold(lease="1s")
    sim.wait(5_000)
    assert gate.armed
    asked = sim.produce(b"1")
    sim.wait(900)
    assert gate.arrived
    sim.wait(900)
    assert not asked.answered
    sim.produce(b"2", client="b")  # another arrival is no word of the test
    sim.wait(100)
    assert asked.answered


# -- what a gate is told wrongly ----------------------------------------------------------------------


def test_a_wait_in_vain_says_what_is_held(sim: Meddled) -> None:
    gate = sim.faults.on("Produce", name="door").hold()
    sim.produce(b"1", client="app-a")
    with pytest.raises(
        WaitTimeout, match=r"the gate 'door' to hold 2; instead: hit once.*Produce from app-a"
    ):
        gate.wait_arrived(2)


def test_a_gate_cannot_release_what_it_does_not_hold(sim: Meddled) -> None:
    gate = sim.faults.on("Produce", name="door").hold()
    sim.produce(b"1", client="a")
    (held,) = gate.arrived
    with pytest.raises(
        UsageError, match="the gate 'door' does not hold z: it holds Produce from a at broker"
    ):
        gate.release("z")
    gate.release(held)
    with pytest.raises(UsageError, match="it holds nothing"):
        gate.release(held)


@pytest.mark.parametrize("lease", ["0s", "soon", -1])
def test_a_lease_is_a_duration(sim: Meddled, lease: Any) -> None:
    with pytest.raises(UsageError):
        sim.faults.on("Produce").hold(lease=lease)


def test_nobody_waits_for_nothing(sim: Meddled) -> None:
    gate = sim.faults.on("Produce").hold()
    with pytest.raises(UsageError, match="from 1 up"):
        gate.wait_arrived(0)
    with pytest.raises(UsageError, match="from 1 up"):
        gate.wait_hit(0)
