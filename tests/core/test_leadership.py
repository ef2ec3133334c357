"""Leaders and their followers: what is committed, and who is in sync."""

from __future__ import annotations

from mockbroker.core.links import CONTROLLER, Message
from mockbroker.core.messages import AlterPartition, FollowerFetch, FollowerFetchResponse
from mockbroker.core.replica import Replica
from tests.core.simulation import LEADER, Simulation

LAG_MS = 30_000


def ends(sim: Simulation) -> list[int]:
    return [sim.replica(broker).log.end for broker in (1, 2, 3)]


def high_watermarks(sim: Simulation) -> list[int]:
    return [sim.replica(broker).high_watermark for broker in (1, 2, 3)]


def in_sync(sim: Simulation) -> set[int]:
    return set(sim.partition().isr)


# -- the high watermark ------------------------------------------------------------------------------


def test_what_everybody_in_sync_has_is_committed_within_the_step(sim: Simulation) -> None:
    sim.produce(b"v")
    assert ends(sim) == high_watermarks(sim) == [1, 1, 1]


def test_the_slowest_in_sync_decides(sim: Simulation) -> None:
    sim.freeze(3)
    sim.produce(b"v", acks=LEADER)
    assert (ends(sim), high_watermarks(sim)) == ([1, 1, 0], [0, 0, 0])


def test_a_follower_may_be_kept_behind_by_so_many_records(sim: Simulation) -> None:
    sim.replica(3).lag_records = 2
    sim.catch_up()
    sim.replica(3).following.fetch()  # type: ignore[union-attr]  # it follows
    sim.world.settle()
    for value in (b"a", b"b", b"c"):
        sim.produce(value, acks=LEADER)
    assert (ends(sim), high_watermarks(sim)) == ([3, 3, 1], [1, 1, 1])


def test_slow_roads_cost_broker_time(sim: Simulation) -> None:
    for follower in (2, 3):
        sim.world.links.slow(1, follower, 10)
    asked = sim.produce(b"v")
    # The record there, and the news that it arrived back.
    sim.advance(19)
    assert not asked.answered
    sim.advance(1)
    assert asked.only.base_offset == 0
    sim.advance(20)
    assert high_watermarks(sim) == [1, 1, 1]


def test_below_the_minimum_nothing_becomes_visible_until_enough_are_back(sim: Simulation) -> None:
    for broker in (2, 3):
        sim.world.crash(broker)
    sim.produce(b"v", acks=LEADER)
    assert sim.leader().high_watermark == 0
    sim.world.restart(3)
    assert sim.leader().high_watermark == 1


def test_a_lower_minimum_is_heeded_at_once(sim: Simulation) -> None:
    for broker in (2, 3):
        sim.world.crash(broker)
    sim.produce(b"v", acks=LEADER)
    sim.configure(min_insync_replicas="1")
    assert sim.leader().high_watermark == 1


def test_a_deposed_leader_commits_nothing_by_a_lower_minimum(sim: Simulation) -> None:
    """It hears of its end and of the new minimum at the same time."""
    sim.world.crash(3)
    sim.world.isolate(2)
    sim.freeze(2)
    sim.produce(b"lost", acks=LEADER)
    sim.world.isolate(1)
    sim.configure(min_insync_replicas="1")
    sim.world.heal(2)
    sim.produce(b"kept")
    # By now it would not wait for broker 2 any more, which had kept up with it for a while.
    sim.advance(LAG_MS)
    seen: list[int] = []
    sim.replica(1).watch(Watching(seen))
    sim.world.heal(1)
    assert sim.log(1) == [b"kept"]
    assert seen[0] == 0


class Watching:
    """Someone who notes each high watermark that a replica has."""

    def __init__(self, seen: list[int]) -> None:
        self._seen = seen

    def progress(self, replica: Replica) -> None:
        self._seen.append(replica.high_watermark)


def test_a_new_leader_calls_committed_what_it_knows_until_the_others_have_said_more(sim: Simulation) -> None:
    sim.freeze(3)
    sim.produce(b"v", acks=LEADER)
    sim.world.crash(1)
    assert (sim.partition().leader, sim.leader().log.end, sim.leader().high_watermark) == (2, 1, 0)
    assert sim.read() == []
    sim.catch_up(3)
    assert sim.read() == [b"v"]


def test_a_follower_goes_back_to_a_new_leaders_lower_watermark(sim: Simulation) -> None:
    """It read that a record is committed; the new leader, which has it, was not told so before the old one died."""
    told: list[int] = []

    def first_news_only(message: Message) -> bool:
        if isinstance(message, FollowerFetchResponse) and not message.batches:
            told.append(message.target)
            return message.target == 3
        return True

    sim.world.links.between = first_news_only
    sim.produce(b"v")
    assert high_watermarks(sim) == [1, 0, 1]
    sim.world.links.between = None
    sim.replica(3).frozen = False
    # A fourth opinion is missing: nobody but 2 and 3 is in sync, and 3 has not yet asked.
    sim.world.links.between = lambda message: not (isinstance(message, FollowerFetch) and message.target == 2)
    sim.world.crash(1)
    assert high_watermarks(sim)[1:] == [0, 1]
    sim.world.links.between = None
    sim.catch_up(3)
    assert high_watermarks(sim)[1:] == [1, 1]


# -- who is in sync ----------------------------------------------------------------------------------


def test_a_follower_that_is_behind_for_too_long_leaves(sim: Simulation) -> None:
    sim.freeze(3)
    sim.advance(10 * LAG_MS)
    # Nothing was written, so it is not behind.
    assert in_sync(sim) == {1, 2, 3}
    sim.produce(b"v", acks=LEADER)
    sim.advance(LAG_MS - 1)
    assert in_sync(sim) == {1, 2, 3}
    sim.advance(1)
    assert in_sync(sim) == {1, 2}
    assert sim.leader().high_watermark == 1


def test_one_that_keeps_up_late_but_steadily_stays() -> None:
    sim = Simulation()
    sim.topic(assignments=[[1, 2]])
    sim.world.links.slow(1, 2, 5_000)
    for n in range(12):
        sim.produce(b"%d" % n, acks=LEADER)
        sim.advance(4_000)
    # It has never had everything; but at each fetch it had what there had been at the one before.
    assert sim.replica(2).log.end < sim.replica(1).log.end
    assert in_sync(sim) == {1, 2}


def test_who_caught_up_is_back_without_a_new_epoch(sim: Simulation) -> None:
    sim.freeze(3)
    sim.produce(b"v", acks=LEADER)
    sim.advance(LAG_MS)
    sim.freeze(2)
    sim.produce(b"w", acks=LEADER)
    sim.advance(LAG_MS)
    assert (in_sync(sim), sim.partition().elr) == ({1}, (2,))
    sim.catch_up(2, 3)
    assert (in_sync(sim), sim.partition().elr, sim.partition().leader_epoch) == ({1, 2, 3}, (), 0)


def test_two_that_come_back_together_are_both_taken_back(sim: Simulation) -> None:
    """Changes are asked for one at a time, so the second has to be remembered."""
    sim.configure(min_insync_replicas="1")
    for broker in (2, 3):
        sim.world.crash(broker)
    sim.world.links.slow(1, CONTROLLER, 50)
    for broker in (2, 3):
        sim.world.restart(broker)
    assert in_sync(sim) == {1}
    sim.advance(500)
    assert in_sync(sim) == {1, 2, 3}


def test_one_that_was_asked_for_is_waited_for_until_the_controller_has_spoken(sim: Simulation) -> None:
    """Else it would be taken in without the records that were committed meanwhile, and might lead without them."""
    sim.configure(min_insync_replicas="1")
    sim.freeze(3)
    sim.produce(b"a", acks=LEADER)
    sim.advance(LAG_MS)
    assert in_sync(sim) == {1, 2}
    sim.world.links.slow(1, CONTROLLER, 50)
    sim.catch_up(3)
    sim.freeze(3)
    asked = sim.produce(b"b")
    assert not asked.answered
    sim.advance(50)
    assert in_sync(sim) == {1, 2, 3}
    assert sim.leader().high_watermark == 1


def test_a_verdict_about_an_older_change_does_not_end_the_wait_for_a_newer_one(sim: Simulation) -> None:
    """Asked for 3; then metadata came first, and 3 was asked for again: the old refusal must not count."""
    sim.configure(min_insync_replicas="1")
    held: list[Message] = []

    def hold_requests(message: Message) -> bool:
        if isinstance(message, AlterPartition):
            held.append(message)
            return False
        return True

    sim.freeze(3)
    sim.produce(b"a", acks=LEADER)
    sim.advance(LAG_MS)
    sim.world.links.between = hold_requests
    sim.catch_up(3)
    sim.world.crash(2)  # a new partition epoch, so that what is held will be refused
    sim.freeze(3)
    sim.world.links.redeliver(held[0])
    sim.world.settle()
    asked = sim.produce(b"b")
    # That it kept up lately counts for it so long; but not longer.
    sim.advance(LAG_MS)
    assert not asked.answered
    sim.world.links.between = None
    sim.world.links.redeliver(held[-1])
    sim.world.settle()
    assert in_sync(sim) == {1, 3}
    assert not asked.answered


def test_without_the_controller_nobody_leaves_and_everybody_is_waited_for(sim: Simulation) -> None:
    sim.freeze(3)
    sim.cut_off_controller()
    asked = sim.produce(b"v", patience_ms=60_000)
    sim.advance(2 * LAG_MS)
    assert in_sync(sim) == {1, 2, 3}
    assert not asked.answered
    assert sim.produce(b"w", acks=LEADER).only.base_offset == 1
    sim.bring_back_controller()
    assert in_sync(sim) == {1, 2}
    assert asked.only.base_offset == 0


def test_one_that_was_about_to_join_is_not_waited_for_for_ever(sim: Simulation) -> None:
    sim.configure(min_insync_replicas="1")
    sim.freeze(3)
    sim.produce(b"a", acks=LEADER)
    sim.advance(LAG_MS)
    # It catches up; but the controller never hears that it may join, and says no when it does.
    sim.world.links.between = lambda message: not isinstance(message, AlterPartition)
    sim.catch_up(3)
    sim.freeze(3)
    leadership = sim.leader().leadership
    assert leadership is not None
    leadership._pending = None  # noqa: SLF001 - what a refusal does
    asked = sim.produce(b"b")
    assert not asked.answered
    sim.advance(LAG_MS)
    assert asked.only.base_offset == 1
