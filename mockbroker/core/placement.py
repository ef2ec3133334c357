"""On which brokers the replicas of new partitions go.

As Kafka places them: leaders take turns, the replicas of a partition stand in different racks as far as
there are racks, the first replica is alive, and the dead come last.  No chance in here: the same brokers and
the same start give the same placement, so that a test can know who leads; luck comes in as `start`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from mockbroker.core.image import BrokerImage, Image
from mockbroker.protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from mockbroker.core.world import World


class Placer:
    """Places any number of topics on one set of brokers."""

    def __init__(self, brokers: Iterable[BrokerImage]) -> None:
        ranked = sorted(brokers, key=lambda broker: broker.id)
        self._total = len(ranked)
        self._alive = _alternating([broker for broker in ranked if not broker.fenced])
        self._fenced = _alternating([broker for broker in ranked if broker.fenced])
        self._rows: dict[tuple[int, int], list[int]] = {}

    def place(
        self, partitions: int, replication_factor: int, *, first: int = 0, start: int = 0
    ) -> list[list[int]]:
        """One list of broker ids per partition, for the partitions from number `first` on.

        Raises KafkaError 38 when there are not enough brokers.
        """
        self._check(replication_factor)
        return [self._row(first + start + n)[:replication_factor] for n in range(partitions)]

    def _check(self, replication_factor: int) -> None:
        trouble = None
        if not self._alive:
            trouble = "All brokers are currently fenced."
        elif replication_factor > self._total:
            trouble = (
                f"The target replication factor of {replication_factor} cannot be reached because only "
                f"{self._total} broker(s) are registered."
            )
        if trouble is not None:
            raise KafkaError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"Unable to replicate the partition {replication_factor} time(s): {trouble}",
            )

    def _row(self, number: int) -> list[int]:
        """All brokers in the order in which the partition of this number would take them."""
        count = len(self._alive)
        leader = number % count
        # Each time round the followers move on by one, or the same brokers would always share their load.
        shift = number // count % (count - 1) if count > 2 else 0
        row = self._rows.get((leader, shift))
        if row is None:
            followers = self._alive[leader + 1 :] + self._alive[:leader]
            turned = [self._alive[leader], *followers[shift:], *followers[:shift], *self._fenced]
            row = self._rows[leader, shift] = _across_racks(turned)
        return row


def place(
    image: Image, partitions: int, replication_factor: int, *, first: int = 0, start: int = 0
) -> list[list[int]]:
    """Placement for one topic; see Placer."""
    return Placer(image.brokers.values()).place(partitions, replication_factor, first=first, start=start)


def starts(world: World) -> Callable[[int], int]:
    """Where placement starts among so many brokers: at the first, for tests; by luck, as Kafka does."""
    return (lambda _: 0) if world.friendly else world.random.randrange


def check_assignment(
    image: Image, index: int, replicas: Sequence[int], replication_factor: int | None
) -> None:
    """Raise KafkaError 39 where a hand-made assignment of one partition makes no sense."""
    trouble = None
    strangers = [id for id in replicas if id not in image.brokers]
    if not replicas:
        trouble = "The manual partition assignment includes an empty replica list."
    elif strangers:
        trouble = (
            f"The manual partition assignment includes broker {strangers[0]}, "
            "but no such broker is registered."
        )
    elif len(set(replicas)) != len(replicas):
        twice = next(id for id in replicas if replicas.count(id) > 1)
        trouble = f"The manual partition assignment includes the broker {twice} more than once."
    elif replication_factor is not None and len(replicas) != replication_factor:
        trouble = (
            f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but "
            f"this is not consistent with previous partitions, which have {replication_factor} replica(s)."
        )
    elif not any(image.alive(id) for id in replicas):
        trouble = (
            f"All brokers specified in the manual partition assignment for partition {index} are fenced."
        )
    if trouble is not None:
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, trouble)


def _alternating(brokers: list[BrokerImage]) -> list[BrokerImage]:
    """Brokers so ordered that neighbours stand in different racks while that lasts; the lowest id first."""
    racks: dict[str | None, list[BrokerImage]] = {}
    for broker in brokers:
        racks.setdefault(broker.rack, []).append(broker)
    columns = list(racks.values())
    deepest = max(map(len, columns), default=0)
    return [column[depth] for depth in range(deepest) for column in columns if depth < len(column)]


def _across_racks(order: list[BrokerImage]) -> list[int]:
    """`order`, but nobody goes before another whose rack is less used.  The first stays the first.

    The dead stay behind the living whatever their rack: a replica that takes records is worth more than
    one that stands well.
    """
    used: dict[str | None, int] = {}
    left, row = list(order), []
    while left:
        best = min(left, key=lambda broker: (broker.fenced, used.get(broker.rack, 0)))
        left.remove(best)
        row.append(best.id)
        used[best.rack] = used.get(best.rack, 0) + 1
    return row
