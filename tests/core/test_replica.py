"""Copies of one partition that parted: who truncates, where, and what becomes of deleted records."""

from __future__ import annotations

import pytest

from mockbroker.core.links import Message
from mockbroker.core.messages import FollowerFetch, FollowerFetchResponse
from tests.core.simulation import LEADER, TOPIC, Simulation

LAG_MS = 30_000


def high_watermarks(sim: Simulation) -> list[int]:
    return [sim.replica(broker).high_watermark for broker in (1, 2, 3)]


def in_sync(sim: Simulation) -> set[int]:
    return set(sim.partition().isr)


def move(sim: Simulation, leader: int) -> None:
    sim.world.controller.move_leader(TOPIC, 0, leader, unclean=False)
    sim.world.settle()


# -- where histories part ----------------------------------------------------------------------------


def test_a_deposed_leader_forgets_what_nobody_acknowledged(sim: Simulation) -> None:
    sim.produce(b"both")
    sim.world.isolate(1)
    sim.produce(b"lost", acks=LEADER, to=1)
    sim.produce(b"kept")
    assert (sim.log(1), sim.log(2)) == ([b"both", b"lost"], [b"both", b"kept"])
    sim.world.heal(1)
    assert sim.log(1) == sim.log(2) == sim.log(3) == [b"both", b"kept"]
    assert in_sync(sim) == {1, 2, 3}


def test_acknowledged_by_the_leader_alone_a_record_may_be_lost(sim: Simulation) -> None:
    sim.freeze(2, 3)
    assert sim.produce(b"lost", acks=LEADER).only.base_offset == 0
    sim.world.crash(1)
    sim.catch_up(2, 3)
    assert sim.read() == []
    sim.world.restart(1)
    sim.produce(b"kept")
    assert sim.log(1) == [b"kept"]


def test_acknowledged_by_all_a_record_survives_any_clean_election(sim: Simulation) -> None:
    sim.produce(b"v")
    for leader in (1, 2):
        sim.world.crash(leader)
        assert sim.read() == [b"v"]


def test_a_follower_does_not_truncate_by_its_watermark(sim: Simulation) -> None:
    """KIP-101: it has a committed record and has not yet heard so.  Restarted and elected, it must still have it."""
    sim.world.links.between = lambda message: bool(
        not isinstance(message, FollowerFetchResponse) or message.batches or message.target != 2
    )
    sim.world.crash(3)
    sim.produce(b"v")
    assert (sim.replica(2).log.end, sim.replica(2).high_watermark) == (1, 0)
    sim.world.links.between = None
    sim.world.isolate(2)
    sim.world.heal(2)
    sim.world.crash(1)
    assert sim.log(2) == [b"v"]


def test_logs_that_parted_several_times_are_one_again(sim: Simulation) -> None:
    """KIP-279: each of three brokers has a tail of its own, from an epoch that the others do not know."""
    sim.configure(min_insync_replicas="1", unclean_leader_election_enable="true")
    sim.produce(b"shared")
    for alone in (1, 2, 3):
        for broker, node in sim.world.nodes.items():
            if broker != alone and node.up:
                sim.world.crash(broker)
        if not sim.world.nodes[alone].up:
            sim.world.restart(alone)
        assert sim.partition().leader == alone
        sim.produce(b"of %d" % alone)
    assert [sim.log(broker) for broker in (1, 2, 3)] == [
        [b"shared", b"of %d" % broker] for broker in (1, 2, 3)
    ]
    for broker in (1, 2):
        sim.world.restart(broker)
    assert sim.log(1) == sim.log(2) == sim.log(3)
    assert sim.log(1) == [b"shared", b"of 3"]
    tables = [sim.replica(broker).log.epochs.entries for broker in (1, 2, 3)]
    assert tables[0] == tables[1] == tables[2]


def test_a_repeated_fetch_is_answered_once(sim: Simulation) -> None:
    """The answer to the older of two fetches speaks of a log that was; by it a committed record could be cut off."""
    sim.produce(b"both")
    sim.world.isolate(1)
    sim.produce(b"lost", acks=LEADER, to=1)
    held: list[Message] = []

    def hold_divergence(message: Message) -> bool:
        if isinstance(message, FollowerFetchResponse) and message.diverging is not None and not held:
            held.append(message)
            return False
        return True

    sim.world.links.between = hold_divergence
    sim.world.heal(1)
    sim.catch_up(1)
    sim.produce(b"kept")
    assert sim.replica(1).high_watermark == 2
    # It must not even be gone until the next fetch: its leader could die before that.
    sim.world.links.between = lambda message: not isinstance(message, FollowerFetch)
    sim.world.links.redeliver(held[0])
    sim.world.settle()
    assert sim.log(1) == [b"both", b"kept"]


def test_a_fetch_of_an_older_epoch_tells_a_leader_nothing(sim: Simulation) -> None:
    sim.world.crash(3)
    sim.freeze(2)
    sim.produce(b"v", acks=LEADER)
    move(sim, 1)
    for epoch, reached in [(0, 0), (1, 1)]:
        fetch = FollowerFetch(
            2, 1, TOPIC, 0, sim.topic_id(),
            offset=1, leader_epoch=epoch, last_epoch=0, high_watermark=0, log_start=0, lag_records=0,
        )  # fmt: skip
        sim.world.links.send(fetch)
        sim.world.settle()
        assert sim.leader().high_watermark == reached


def test_a_truncated_log_has_its_watermark_and_its_producers_cut_too(sim: Simulation) -> None:
    sim.configure(min_insync_replicas="1", unclean_leader_election_enable="true")
    sim.freeze(2, 3)
    sim.produce(b"v", acks=LEADER, producer=(5, 0, 0))
    sim.advance(LAG_MS)
    replica = sim.leader()
    assert (replica.high_watermark, replica.producers.get(5) is None) == (1, False)
    replica.truncate(0)
    assert (replica.high_watermark, replica.producers.get(5) is None) == (0, True)


# -- deletion ----------------------------------------------------------------------------------------


def test_a_follower_whose_leader_begins_later_begins_there_too(sim: Simulation) -> None:
    sim.produce(b"a")
    sim.freeze(3)
    sim.produce(b"b", acks=LEADER)
    sim.advance(LAG_MS)
    sim.produce(b"c")
    sim.leader().advance_start(2)
    sim.catch_up(3)
    replica = sim.replica(3)
    assert (replica.log.start, sim.log(3), replica.high_watermark) == (2, [b"c"], 3)


def test_a_follower_may_have_to_begin_inside_of_a_batch(sim: Simulation) -> None:
    sim.freeze(3)
    sim.produce(b"a", b"b", b"c", acks=LEADER)
    sim.advance(LAG_MS)
    sim.leader().advance_start(2)
    sim.catch_up(3)
    assert (sim.replica(3).log.start, sim.log(3)) == (2, [b"a", b"b", b"c"])
    assert in_sync(sim) == {1, 2, 3}


def test_a_deletion_that_a_frozen_copy_missed_reaches_it_later(sim: Simulation) -> None:
    sim.produce(b"a")
    sim.freeze(3)
    sim.leader().advance_start(1)
    sim.world.settle()
    assert sim.replica(3).log.start == 0
    sim.catch_up(3)
    assert sim.replica(3).log.start == 1


def test_histories_that_part_inside_of_a_batch_become_one(sim: Simulation) -> None:
    """The leader deleted half of the first batch of its epoch, which therefore seems to begin there."""
    sim.produce(b"shared")
    sim.world.isolate(1)
    sim.produce(b"lost", b"lost", b"lost", acks=LEADER, to=1)
    sim.produce(b"a", b"b")
    sim.produce(b"c", b"d")
    sim.leader().advance_start(2)
    sim.world.settle()
    sim.world.heal(1)
    assert sim.log(1) == sim.log(2) == [b"a", b"b", b"c", b"d"]
    assert (sim.replica(1).log.start, in_sync(sim)) == (2, {1, 2, 3})


def test_a_copy_does_not_begin_earlier_again_under_a_leader_that_missed_the_deletion(sim: Simulation) -> None:
    sim.produce(b"a", b"b")
    sim.freeze(2)
    sim.leader().advance_start(2)
    sim.world.settle()
    sim.catch_up()
    sim.replica(2).frozen = False
    move(sim, 2)
    assert [sim.replica(broker).log.start for broker in (1, 2, 3)] == [2, 0, 2]
    assert sim.produce(b"c").only.base_offset == 2
    assert high_watermarks(sim) == [3, 3, 3]


def test_records_that_were_deleted_and_never_committed_are_no_obstacle(sim: Simulation) -> None:
    """Broker 1 deleted up to where broker 2, elected uncleanly, has never been."""
    sim.configure(min_insync_replicas="1", unclean_leader_election_enable="true")
    sim.freeze(2, 3)
    sim.produce(b"a", acks=LEADER)
    sim.advance(LAG_MS)
    sim.leader().advance_start(1)
    sim.world.crash(1)
    sim.catch_up(2, 3)
    sim.world.restart(1)
    assert (sim.replica(1).log.start, sim.replica(1).log.end) == (0, 0)
    sim.produce(b"b")
    assert sim.log(1) == [b"b"]


@pytest.mark.parametrize("how", ["deleted", "reassigned"])
def test_a_copy_that_is_gone_plays_no_role(sim: Simulation, how: str) -> None:
    replica = sim.leader()
    if how == "deleted":
        sim.delete()
    else:
        replica.rest()
    assert (replica.leading, replica.isr, replica.leader_epoch) == (False, (), -1)
