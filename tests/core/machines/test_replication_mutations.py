"""Would anybody notice?  Known mistakes are put into the core one by one, and each must be found.

A machine that finds nothing may be a machine that looks at nothing.  Some of these mistakes were once in the
core; most are those that people make who write replicated logs.  The machine finds what chance leads it to; a
few mistakes need a coincidence that chance seldom brings, and for each of those there is a story that tells it.
"""

# ruff: noqa: SLF001 - mistakes are made on the inside

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mockbroker.core import controller, elections, links
from mockbroker.core.controller import Controller
from mockbroker.core.delayed import Written
from mockbroker.core.elections import Rules
from mockbroker.core.following import Following
from mockbroker.core.image import Image, PartitionImage, TopicImage
from mockbroker.core.leadership import Leadership
from mockbroker.core.log import EpochTable
from mockbroker.core.messages import (
    AlterPartition,
    AlterPartitionResponse,
    FollowerFetch,
    FollowerFetchResponse,
)
from mockbroker.core.node import Node
from mockbroker.core.producers import Producers
from mockbroker.core.replica import Replica
from mockbroker.core.topic_configs import TopicConfig
from mockbroker.protocol.errors import ErrorCode
from mockbroker.records.batch import Batch
from tests.core import test_controller as controllers
from tests.core import test_leadership as leadership
from tests.core import test_replica as replicas
from tests.core.machines.test_replication_machine import TOPIC, Replication
from tests.core.simulation import Simulation

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]

# By name; and of the rare ones, the story that finds it.
MUTATIONS: dict[str, Mutation] = {}
STORIES: dict[str, tuple[Mutation, Callable[[Simulation], None]]] = {}

# Far more than any step of the machine needs; some mistakes are found as a livelock.
MESSAGES_MAX = 20_000


def mutation(apply: Mutation) -> Mutation:
    """A mistake that the machine must find."""
    MUTATIONS[apply.__name__] = apply
    return apply


def rare(story: Callable[[Simulation], None]) -> Callable[[Mutation], Mutation]:
    """A mistake that this story must find."""

    def remember(apply: Mutation) -> Mutation:
        STORIES[apply.__name__] = (apply, story)
        return apply

    return remember


# -- the high watermark -------------------------------------------------------------------------------


def count(leader: Leadership, must: Iterable[int]) -> None:
    """What Leadership.count does, with somebody else's opinion of who must have a record."""
    replica = leader._replica
    ends = [follower.end for follower in leader._followers.values() if follower.id in must]
    reached = min([replica.log.end, *ends])
    if reached > replica.high_watermark:
        replica.high_watermark = reached
        replica.moved()
        leader.tell_followers()


@mutation
def the_high_watermark_counts_only_the_leader(patch: Patch) -> None:
    patch.setattr(Leadership, "count", lambda self: count(self, ()))


@mutation
def the_high_watermark_moves_while_too_few_are_in_sync(patch: Patch) -> None:
    patch.setattr(Leadership, "count", lambda self: count(self, self.isr))


@rare(leadership.test_one_that_was_asked_for_is_waited_for_until_the_controller_has_spoken)
def a_member_asked_for_does_not_hold_the_high_watermark_back(patch: Patch) -> None:
    def counted(self: Leadership) -> None:
        if len(self.isr) >= self._replica.min_in_sync:
            count(self, self.isr)

    patch.setattr(Leadership, "count", counted)


@rare(replicas.test_a_truncated_log_has_its_watermark_and_its_producers_cut_too)
def the_high_watermark_stays_above_a_truncated_log(patch: Patch) -> None:
    def truncate(self: Replica, end: int) -> None:
        self.log.truncate(end)
        self._rebuild_producers()

    patch.setattr(Replica, "truncate", truncate)


@mutation
def a_follower_believes_in_a_watermark_beyond_its_end(patch: Patch) -> None:
    def append(self: Following, response: FollowerFetchResponse) -> None:
        self._replica.copy([b for b in response.batches if b.base_offset >= self._replica.log.end])
        self._replica.high_watermark = response.high_watermark

    patch.setattr(Following, "_append", append)


@rare(leadership.test_a_deposed_leader_commits_nothing_by_a_lower_minimum)
def a_new_minimum_is_heeded_before_a_new_role(patch: Patch) -> None:
    def apply(self: Node, topic: TopicImage, partition: PartitionImage, config: TopicConfig) -> None:
        replica = self.replicas.get((topic.name, partition.index))
        if replica is not None and replica.leadership is not None:
            replica.config = config
            replica.leadership.count()
        original(self, topic, partition, config)

    original = Node._apply_partition
    patch.setattr(Node, "_apply_partition", apply)


# -- truncation and epochs ----------------------------------------------------------------------------


@mutation
def a_leader_does_not_see_that_a_follower_diverged(patch: Patch) -> None:
    patch.setattr(Leadership, "_divergence", lambda _self, _fetch: None)


@mutation
def a_follower_forgets_nothing_but_epochs_when_it_diverged(patch: Patch) -> None:
    patch.setattr(
        Following, "_truncate", lambda self, epoch, _end: self._replica.log.epochs.truncate_above(epoch)
    )


@mutation
def a_follower_truncates_to_its_high_watermark(patch: Patch) -> None:
    """What Kafka did before KIP-101, and lost records by."""

    def truncate(self: Following, epoch: int, _end: int) -> None:
        self._replica.truncate(self._replica.high_watermark)
        self._replica.log.epochs.truncate_above(epoch)

    patch.setattr(Following, "_truncate", truncate)


@mutation
def an_epoch_is_not_in_the_table_before_the_first_append(patch: Patch) -> None:
    def lead(self: Replica, partition: PartitionImage) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(EpochTable, "begin", lambda _self, _epoch, _start: None)
            original(self, partition)

    original = Replica._lead
    patch.setattr(Replica, "_lead", lead)


@mutation
def an_epoch_that_goes_on_begins_anew_in_the_table(patch: Patch) -> None:
    def begin(self: EpochTable, epoch: int, start: int) -> None:
        while self.entries and (self.entries[-1][0] >= epoch or self.entries[-1][1] >= start):
            self.entries.pop()
        self.entries.append((epoch, start))

    patch.setattr(EpochTable, "begin", begin)
    # Without this nobody leads twice in one epoch.
    the_death_that_a_restart_proves_goes_unnoticed(patch)


@mutation
def an_election_does_not_count_the_epoch(patch: Patch) -> None:
    def following(
        before: PartitionImage, after: PartitionImage, *, force_epoch: bool = False
    ) -> PartitionImage:
        if after == before and not force_epoch:
            return before
        return replace(after, leader_epoch=before.leader_epoch, partition_epoch=before.partition_epoch + 1)

    patch.setattr(elections, "_next", following)


@mutation
def an_old_answer_to_a_follower_still_counts(patch: Patch) -> None:
    def receive(self: Following, response: FollowerFetchResponse) -> None:
        if response.asked.leader_epoch == self._replica.leader_epoch:
            self._asked = response.asked
        original(self, response)

    original = Following.receive
    patch.setattr(Following, "receive", receive)


@rare(replicas.test_a_fetch_of_an_older_epoch_tells_a_leader_nothing)
def a_leader_listens_to_followers_of_an_older_epoch(patch: Patch) -> None:
    def receive(self: Leadership, fetch: FollowerFetch) -> None:
        fetch.leader_epoch = max(fetch.leader_epoch, self._replica.leader_epoch)
        original(self, fetch)

    original = Leadership.receive
    patch.setattr(Leadership, "receive", receive)


@mutation
def a_log_is_gone_after_a_restart(patch: Patch) -> None:
    def restart(self: Node) -> None:
        for replica in self.replicas.values():
            replica.restart_at(0)
        original(self)

    original = Node.restart
    patch.setattr(Node, "restart", restart)


# -- who is in sync, and who is elected ---------------------------------------------------------------


@mutation
def a_fenced_broker_stays_in_sync(patch: Patch) -> None:
    def after_change(
        partition: PartitionImage, rules: Rules, alive: Callable[[int], bool], *, isr: tuple[int, ...]
    ) -> PartitionImage:
        kept = tuple(id for id in partition.isr if id in isr or not alive(id))
        return original(partition, rules, alive, isr=kept)

    original = elections.after_change
    patch.setattr(elections, "after_change", after_change)


@mutation
def an_unclean_election_is_always_allowed(patch: Patch) -> None:
    original = Controller.rules
    patch.setattr(Controller, "rules", lambda self, t, p: replace(original(self, t, p), unclean=True))


@mutation
def whoever_leaves_the_isr_stays_safe_to_elect(patch: Patch) -> None:
    def with_safe_replicas(partition: PartitionImage, isr: tuple[int, ...], _rules: Rules) -> PartitionImage:
        kept = ({*partition.elr, *partition.isr}) - set(isr)
        return replace(partition, isr=isr, elr=tuple(id for id in partition.replicas if id in kept))

    patch.setattr(elections, "_with_safe_replicas", with_safe_replicas)


@mutation
def others_stay_safe_to_elect_when_fewer_must_be_in_sync(patch: Patch) -> None:
    def without_elr(image: Image, _names: Iterable[str]) -> Image:
        return image

    patch.setattr(controller, "_without_elr", without_elr)


@rare(
    lambda sim: controllers.test_whoever_knows_less_than_the_controller_changes_nothing(
        sim, {"partition_epoch": 7}
    )
)
def the_controller_takes_changes_of_a_partition_that_has_changed(patch: Patch) -> None:
    def alter(self: Controller, asked: AlterPartition) -> None:
        if (partition := self.image.partition(asked.topic, asked.index)) is not None:
            asked.partition_epoch = partition.partition_epoch
        original(self, asked)

    original = Controller._alter_partition
    patch.setattr(Controller, "_alter_partition", alter)


@rare(leadership.test_a_verdict_about_an_older_change_does_not_end_the_wait_for_a_newer_one)
def an_overtaken_verdict_still_counts(patch: Patch) -> None:
    def receive(self: Leadership, response: AlterPartitionResponse) -> None:
        if response.asked.leader_epoch != self._replica.leader_epoch:
            return
        if response.partition is None:
            self._pending = None
        elif response.partition.partition_epoch > self._partition_epoch:
            self.confirm(response.partition)

    patch.setattr(Leadership, "receive_verdict", receive)


@rare(leadership.test_two_that_come_back_together_are_both_taken_back)
def followers_that_were_passed_over_are_not_asked_for_later(patch: Patch) -> None:
    patch.setattr(Leadership, "_expand", lambda _self: None)


@rare(lambda _sim: controllers.test_a_restart_proves_a_death_that_nobody_had_noticed())
def the_death_that_a_restart_proves_goes_unnoticed(patch: Patch) -> None:
    patch.setattr(elections, "after_unclean_shutdown", lambda partition, _broker, _rules, _alive: partition)


# -- producers ----------------------------------------------------------------------------------------


@mutation
def an_acks_all_produce_is_answered_at_its_append(patch: Patch) -> None:
    patch.setattr(Written, "verdict", lambda _self: ErrorCode.NONE)


@mutation
def producers_are_remembered_that_were_truncated(patch: Patch) -> None:
    patch.setattr(Replica, "_rebuild_producers", lambda _self: None)


@mutation
def followers_do_not_remember_producers(patch: Patch) -> None:
    def copy(self: Replica, copied: list[Batch]) -> None:
        for batch in copied:
            self.log.append(batch)

    patch.setattr(Replica, "copy", copy)


@mutation
def a_resent_batch_is_recognised_in_any_epoch(patch: Patch) -> None:
    def find(self: Producers, batch: Batch, now_ms: int, expiration_ms: int) -> Any:
        known = self.get(batch.producer_id)
        for sent in known.sent if known is not None else ():
            if sent.first_sequence == batch.base_sequence:
                return sent
        return original(self, batch, now_ms, expiration_ms)

    original = Producers.find_duplicate
    patch.setattr(Producers, "find_duplicate", find)


@mutation
def a_resent_batch_is_not_recognised(patch: Patch) -> None:
    patch.setattr(Producers, "find_duplicate", lambda *_: None)
    patch.setattr(Producers, "check", lambda *_: None)


FOUND = (AssertionError, KeyError, IndexError)


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_machine_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MESSAGES_PER_STEP_MAX", MESSAGES_MAX)
    MUTATIONS[name](monkeypatch)
    # Always the same examples, and no time spent on finding the smallest one.
    how = settings(
        max_examples=600,
        stateful_step_count=40,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(FOUND):
        run_state_machine_as_test(Replication, settings=how)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apply, story = STORIES[name]
    sim = Simulation()
    sim.topic(TOPIC, min_insync_replicas="2")
    apply(monkeypatch)
    with pytest.raises(FOUND):
        story(sim)
