"""Who leads a partition, as functions from partition to partition.

Kafka's rules: the first replica in list order that is alive and in sync; else one that is known to have
every committed record (ELR, KIP-966); else, where the topic allows it, anyone alive; else nobody.  No state
and no messages here: the controller decides when to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mockbroker.core.image import NO_LEADER, PartitionImage

if TYPE_CHECKING:
    Alive = Callable[[int], bool]


@dataclass(slots=True, frozen=True)
class Rules:
    """What a topic's configs say about elections; `min_in_sync` is already bounded by the replica count.

    `elr` is what the cluster's features say: whether anyone outside the ISR can be safe to elect.
    """

    min_in_sync: int
    unclean: bool
    elr: bool = True


def after_change(
    partition: PartitionImage, rules: Rules, alive: Alive, *, isr: tuple[int, ...]
) -> PartitionImage:
    """The partition with another ISR, and with another leader if the old one cannot go on."""
    if not isr and not rules.elr:
        isr = partition.isr  # the last one is waited for, and known by being in it
    changed = _with_safe_replicas(partition, isr, rules)
    if partition.leader in isr and alive(partition.leader):
        return _next(partition, changed)
    return elect(partition, changed, rules, alive)


def elect(before: PartitionImage, changed: PartitionImage, rules: Rules, alive: Alive) -> PartitionImage:
    """Choose a leader for `changed`, cleanly if possible, uncleanly if allowed."""
    for candidate in changed.replicas:
        if candidate in changed.isr and alive(candidate):
            return _next(before, replace(changed, leader=candidate))
    for candidate in changed.replicas:
        if candidate in changed.elr and alive(candidate):
            promoted = _with_safe_replicas(changed, (*changed.isr, candidate), rules)
            return _next(before, replace(promoted, leader=candidate))
    if (
        not changed.isr
        and not changed.elr
        and len(changed.last_known_elr) == 1
        and alive(changed.last_known_elr[0])
    ):
        # Nobody is known to be complete; the last leader is the best that can come back.
        return _next(before, _led_alone(changed, changed.last_known_elr[0]))
    if rules.unclean:
        for candidate in changed.replicas:
            if alive(candidate):
                return _next(before, _led_alone(changed, candidate))
    return _next(before, replace(changed, leader=NO_LEADER))


def elect_uncleanly(partition: PartitionImage, leader: int) -> PartitionImage:
    """Make `leader` the leader whatever it lacks: it becomes the only one in sync."""
    if leader in partition.isr:
        return elect_in_sync(partition, leader)
    return _next(partition, _led_alone(partition, leader))


def elect_in_sync(partition: PartitionImage, leader: int) -> PartitionImage:
    """Make a member of the ISR the leader."""
    assert leader in partition.isr, f"{leader} is not in sync"
    return _next(partition, replace(partition, leader=leader), force_epoch=True)


def after_unclean_shutdown(
    partition: PartitionImage, broker: int, rules: Rules, alive: Alive
) -> PartitionImage:
    """A broker came back without having been shut down: it may lack records, so it is no longer safe to elect.

    If that leaves nobody, the partition waits for the one who led it last, which this broker may be.
    """
    if not rules.elr or (broker not in partition.isr and broker not in partition.elr):
        return partition
    isr = tuple(id for id in partition.isr if id != broker)
    elr = tuple(id for id in partition.elr if id != broker)
    changed = replace(partition, isr=isr, elr=elr)
    if partition.leader in isr and alive(partition.leader):
        return _next(partition, changed)
    return elect(partition, changed, rules, alive)


def forget_elr(partition: PartitionImage) -> PartitionImage:
    """The partition when the reason is gone for which replicas outside of its ISR were safe to elect.

    Without a leader nothing can be committed, so there they stay safe; forgetting them would leave the
    partition without anyone to elect.
    """
    if partition.leader == NO_LEADER:
        return partition
    return _next(partition, replace(partition, elr=(), last_known_elr=()))


def _led_alone(partition: PartitionImage, leader: int) -> PartitionImage:
    return replace(partition, leader=leader, isr=(leader,), elr=(), last_known_elr=())


def _with_safe_replicas(partition: PartitionImage, isr: tuple[int, ...], rules: Rules) -> PartitionImage:
    """Exchange the ISR; whoever leaves it while too few are in sync stays safe to elect.

    It is safe because the high watermark cannot move while the ISR is below min.insync.replicas.
    """
    if len(isr) >= rules.min_in_sync or not rules.elr:
        return replace(partition, isr=isr, elr=(), last_known_elr=())
    kept = {*partition.elr, *partition.isr} - set(isr)
    elr = tuple(id for id in partition.replicas if id in kept)
    return replace(partition, isr=isr, elr=elr)


def _next(before: PartitionImage, after: PartitionImage, *, force_epoch: bool = False) -> PartitionImage:
    """Count the epochs: the partition's with every change, the leader's with every new leader."""
    if after == before and not force_epoch:
        return before
    new_leader = force_epoch or after.leader != before.leader
    return replace(
        after,
        last_known_elr=_last_known(before, after),
        leader_epoch=before.leader_epoch + 1 if new_leader else before.leader_epoch,
        partition_epoch=before.partition_epoch + 1,
    )


def _last_known(before: PartitionImage, after: PartitionImage) -> tuple[int, ...]:
    """Who led last, while nobody is in sync: the one to wait for when nobody is safe to elect either."""
    if after.leader != NO_LEADER:
        return ()
    if not after.isr and before.leader != NO_LEADER:
        return (before.leader,)
    return after.last_known_elr
