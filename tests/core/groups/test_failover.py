from mockbroker.core.broker_config import BrokerConfig
from mockbroker.core.links import Message
from mockbroker.core.messages import LoadCoordinator
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.offsets import OffsetCommitPartition, OffsetCommitRequest, OffsetCommitTopic
from tests.core.groups.desk import (
    GROUP,
    SESSION_MS,
    TOPIC,
    Client,
    Desk,
    error_of_commit,
    gather,
    share,
    stable,
)

E = ErrorCode


class Holding:
    """A rule between brokers that keeps coordinators from loading, for as long as a test wants."""

    def __init__(self, desk: Desk) -> None:
        self._links = desk.world.links
        self._settle = desk.world.settle
        self._held: list[Message] = []
        self._links.between = self._look

    def _look(self, message: Message) -> bool:
        if isinstance(message, LoadCoordinator):
            self._held.append(message)
            return False
        return True

    def release(self) -> None:
        self._links.between = None
        for message in self._held:
            self._links.redeliver(message)
        self._settle()


def test_a_successor_knows_members_generation_assignment_and_offsets() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b", instance_id="i")
    assignment = stable(desk, a, b)
    a.commit(42)
    desk.fail_over()
    assert (a.heartbeat(), b.heartbeat()) == (E.NONE, E.NONE)
    assert (a.sync().answer.assignment, b.sync().answer.assignment) == tuple(assignment.values())
    assert (desk.committed(), desk.state(), desk.group().generation) == (42, "Stable", 2)
    assert desk.group().static == {"i": b.member_id}


def test_a_handed_over_group_goes_on_without_a_rebalance() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    old = desk.hand_over()
    assert desk.coordinator() is not old
    assert a.heartbeat() is E.NONE


def test_the_old_coordinator_says_that_it_is_none() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    old = desk.hand_over()
    part = OffsetCommitPartition(partition_index=0, committed_offset=1)
    wanted = OffsetCommitRequest(group_id=GROUP, topics=[OffsetCommitTopic(name=TOPIC, partitions=[part])])
    assert error_of_commit(desk.ask(wanted, 9, node=old)) is E.NOT_COORDINATOR


def test_while_a_coordinator_loads_heartbeats_are_fine_and_all_else_has_to_wait() -> None:
    desk = Desk()
    a = Client(desk)
    assignment = stable(desk, a)
    holding = Holding(desk)
    desk.hand_over()
    assert (a.heartbeat(), a.heartbeat(generation=99)) == (E.NONE, E.NONE)
    assert a.join().error is a.sync().error is E.COORDINATOR_LOAD_IN_PROGRESS
    assert a.leave().error is a.commit(1) is E.COORDINATOR_LOAD_IN_PROGRESS
    holding.release()
    assert a.heartbeat(generation=99) is E.ILLEGAL_GENERATION
    assert a.sync().answer.assignment == assignment[a.member_id]


def test_a_rebalance_that_was_not_finished_never_was() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a)
    b.enter()
    a.join()
    new = desk.group().members
    assert (desk.state(), a.generation, len(new)) == ("CompletingRebalance", 2, 2)
    b.member_id, b.generation = list(new)[1], 2
    desk.fail_over()
    assert (desk.state(), desk.group().generation) == ("Stable", 1)
    assert a.heartbeat() is E.ILLEGAL_GENERATION
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID
    assert a.heartbeat(generation=1) is E.NONE, "the old generation goes on"


def test_the_next_rebalance_after_that_counts_on_from_what_was_written() -> None:
    desk = Desk()
    a = Client(desk)
    stable(desk, a)
    a.join()
    desk.fail_over()
    assert a.join().answer.generation_id == 2
    assert a.sync(share([a.member_id])).error is E.NONE


def test_an_id_that_was_only_handed_out_is_unknown_to_the_successor() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a)
    b.join()
    desk.fail_over()
    assert b.join().error is E.UNKNOWN_MEMBER_ID


def test_all_sessions_begin_anew_with_the_successor() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    desk.advance(SESSION_MS - 1)
    desk.fail_over()
    desk.advance(SESSION_MS - 1)
    assert a.heartbeat() is E.NONE
    desk.advance(1)
    assert a.heartbeat() is E.REBALANCE_IN_PROGRESS
    assert b.heartbeat() is E.UNKNOWN_MEMBER_ID


def test_those_who_wait_for_a_rebalance_are_sent_to_the_successor() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a)
    parked = b.enter()
    desk.hand_over()
    assert parked.error is E.NOT_COORDINATOR
    assert b.enter().error is E.UNKNOWN_MEMBER_ID


def test_those_who_wait_for_an_assignment_are_sent_to_the_successor() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    gather(desk, a, b)
    parked = b.sync()
    desk.hand_over()
    assert parked.error is E.NOT_COORDINATOR


def test_a_group_that_is_too_large_for_its_new_coordinator_is_made_to_rebalance() -> None:
    desk = Desk()
    a, b = Client(desk, "a"), Client(desk, "b")
    stable(desk, a, b)
    for node in desk.world.nodes.values():
        node.config = BrokerConfig(node.id, {"group.max.size": 1})
    desk.fail_over()
    assert desk.state() == "PreparingRebalance"


def test_a_deposed_coordinators_timers_do_nothing_any_more() -> None:
    desk = Desk()
    a, b = Client(desk, "a", session_ms=6000), Client(desk, "b", session_ms=6000)
    stable(desk, a, b)
    a.join()
    before = desk.hand_over()
    batches = len(desk.shard().replica.log.batches)
    desk.advance(5999)
    assert len(desk.shard().replica.log.batches) == batches
    assert desk.coordinator() is not before
    assert b.heartbeat() is E.NONE


def test_offsets_that_were_not_replicated_are_unknown_to_a_successor() -> None:
    desk = Desk()
    desk.commit(1)
    desk.hold_replication()
    waiting = desk.commit(2)
    desk.fail_over()
    assert not waiting.done, "its connection broke"
    assert desk.committed() == 1
