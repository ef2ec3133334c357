"""What must be true of replicated logs, whatever happens to brokers, roads and clocks.

`Witness` looks at a world after every step and remembers what it has seen.  It raises AssertionError with the
name of the promise that was broken.  It does nothing to the world and knows nothing of Hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from mockbroker.core.image import NO_LEADER, Image, PartitionImage
from mockbroker.core.links import Message
from mockbroker.core.messages import LoadCoordinator, MetadataUpdate
from mockbroker.core.replica import Replica
from mockbroker.core.world import World
from mockbroker.records.batch import Batch

# Topic and index of a partition.
Place = tuple[str, int]


@dataclass(slots=True)
class Known:
    """What was seen of one partition."""

    # The batch at (epoch, offset): there is only one leader in an epoch, so there is only one batch, ever.
    written: dict[tuple[int, int], bytes] = field(default_factory=dict)
    leaders: dict[int, int] = field(default_factory=dict)
    leader_epoch: int = -1
    # The last batch that any leader called committed.
    committed: Batch | None = None
    # Whether records were ever asked to be deleted, and the highest log start seen since.
    deleting: bool = False
    deleted: int = 0
    # Whether somebody was elected who need not have every committed record: then losing them is no surprise.
    unclean: bool = False


class Witness:
    """Holds a world to its promises."""

    def __init__(self, world: World, places: list[Place]) -> None:
        self._world = world
        self._image: Image = world.controller.image
        self.known = {place: Known() for place in places}
        # How many of the next messages are lost, as on a connection that breaks.
        self.losing = 0
        # Set while a test allows elections that may lose records.
        self.unclean_allowed = False
        world.links.between = self._overhear

    # -- what the controller decides ----------------------------------------------------------------

    def _overhear(self, message: Message) -> bool:
        """Look at each image once, in the order in which they were made; and lose a message where that is wanted."""
        if isinstance(message, MetadataUpdate) and message.image.version > self._image.version:
            before, self._image = self._image, message.image
            for place, known in self.known.items():
                old, new = before.partition(*place), message.image.partition(*place)
                if old is not None and new is not None and old is not new:
                    self._judge_change(known, old, new)
        if not self.losing or isinstance(message, LoadCoordinator):
            return True
        self.losing -= 1
        self._world.links.lose(message)
        return False

    def _judge_change(self, known: Known, old: PartitionImage, new: PartitionImage) -> None:
        assert new.partition_epoch > old.partition_epoch, (
            f"a change without a new partition epoch: {old}, {new}"
        )
        assert new.leader_epoch >= old.leader_epoch, f"the leader epoch went back: {old}, {new}"
        if new.leader == old.leader:
            return
        assert new.leader_epoch > old.leader_epoch, f"another leader in the same epoch: {old}, {new}"
        if new.leader == NO_LEADER:
            return
        if new.leader not in {*old.isr, *old.elr, *old.last_known_elr}:
            assert self.unclean_allowed, f"an unclean election that nobody allowed: {old}, {new}"
            known.unclean = True

    def _check_in_sync(self, place: Place) -> None:
        """The dead are in sync with nobody."""
        image = self._world.controller.image
        partition = image.partition(*place)
        assert partition is not None
        dead = [id for id in (*partition.isr, partition.leader) if id != NO_LEADER and not image.alive(id)]
        assert not dead, f"fenced and still counted on: {dead} in {partition}"

    # -- what brokers hold ------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything that holds after every step."""
        for place, known in self.known.items():
            known.deleted = max([known.deleted, *(replica.log.start for replica in self._replicas(place))])
            assert known.deleting or not known.deleted, (
                f"{place} starts at {known.deleted}, and nothing was deleted"
            )
            self._check_in_sync(place)
            replicas = list(self._replicas(place))
            for replica in replicas:
                check_log(replica)
                self._check_written_once(known, replica)
                if replica.leading:
                    self._check_leader(known, replica)
            for at, one in enumerate(replicas):
                for other in replicas[at + 1 :]:
                    check_matching(one, other)
                    if not known.unclean:
                        check_agreement(one, other)
            if not known.unclean:
                self._check_completeness(place, known)

    def _replicas(self, place: Place) -> Iterator[Replica]:
        for node in self._world.nodes.values():
            if (replica := node.replicas.get(place)) is not None:
                yield replica

    @staticmethod
    def _check_written_once(known: Known, replica: Replica) -> None:
        for batch in replica.log.batches:
            at = (batch.leader_epoch, batch.base_offset)
            data = known.written.setdefault(at, bytes(batch.data))
            assert data == batch.data, f"two batches at epoch and offset {at}: {replica!r}"

    @staticmethod
    def _check_leader(known: Known, replica: Replica) -> None:
        leader = known.leaders.setdefault(replica.leader_epoch, replica.broker.id)
        assert leader == replica.broker.id, (
            f"two leaders in epoch {replica.leader_epoch}: {leader} and {replica!r}"
        )
        assert replica.log.epochs.latest == replica.leader_epoch, f"a leader without its epoch: {replica!r}"
        newest = None
        for batch in replica.log.batches:
            if batch.last_offset < replica.high_watermark:
                newest = batch
        if newest is None:
            return
        if known.committed is None or newest.last_offset > known.committed.last_offset:
            known.committed = newest

    def _check_completeness(self, place: Place, known: Known) -> None:
        """Whoever may be elected cleanly has every committed record."""
        partition = self._image.partition(*place)
        assert partition is not None
        if (newest := known.committed) is None or newest.last_offset < known.deleted:
            return
        for id in (*partition.isr, *partition.elr):
            log = self._world.nodes[id].replicas[place].log
            found = log.read(newest.base_offset, newest.last_offset + 1, 0, at_least_one=True)
            have = bool(found) and found[0].data == newest.data
            assert have, (
                f"{id} may lead {place} but lacks what was committed at {newest.base_offset}: {partition}"
            )

    # -- what is true in the end ------------------------------------------------------------------------

    def check_repaired(self) -> None:
        """Everything works again and all is quiet: all copies are one."""
        self.check()
        for place, known in self.known.items():
            partition = self._world.controller.image.partition(*place)
            assert partition is not None
            assert partition.leader != NO_LEADER, f"everybody is there and nobody leads {place}: {partition}"
            assert set(partition.isr) == set(partition.replicas), f"somebody stays out of sync: {partition}"
            leader = self._world.nodes[partition.leader].replicas[place]
            assert leader.leading, f"{leader!r} does not know"
            assert leader.high_watermark == leader.log.end, f"{leader!r} holds records back"
            stored = [bytes(batch.data) for batch in leader.log.batches]
            for replica in self._replicas(place):
                # A deletion that its leader did not live to pass on leaves copies that begin at different offsets.
                starts = (leader.log.start, replica.log.start, known.deleted)
                assert sorted(starts) == list(starts), (
                    f"{replica!r} begins at {starts}: leader, copy, last deletion"
                )
                copy = [bytes(batch.data) for batch in replica.log.batches]
                assert copy == stored[len(stored) - len(copy) :], (
                    f"{replica!r} is another log than the leader's"
                )
                ends = (replica.log.end, replica.high_watermark)
                expected = (leader.log.end, leader.high_watermark)
                assert ends == expected, f"{replica!r}: {ends} is not the leader's {expected}"
                assert replica.leader_epoch == leader.leader_epoch, f"{replica!r} is in another epoch"


def check_log(replica: Replica) -> None:
    """One copy by itself: its offsets, epochs, watermarks and producers."""
    log = replica.log
    following = log.start
    epoch = -1
    sequences: set[tuple[int, int, int]] = set()
    for at, batch in enumerate(log.batches):
        begins = (
            batch.base_offset <= following <= batch.last_offset if at == 0 else batch.base_offset == following
        )
        assert begins, f"a hole or an overlap at {following} in {replica!r}"
        following = batch.last_offset + 1
        assert batch.leader_epoch >= epoch, f"an epoch went back at {batch.base_offset} in {replica!r}"
        epoch = batch.leader_epoch
        of_table = log.epochs.at(max(batch.base_offset, log.start))
        assert of_table == epoch, (
            f"epoch {epoch} at {batch.base_offset} is {of_table} in the table of {replica!r}"
        )
        if batch.producer_id >= 0 and batch.base_sequence >= 0:
            sent = (batch.producer_id, batch.producer_epoch, batch.base_sequence)
            assert sent not in sequences, f"{sent} twice in {replica!r}"
            sequences.add(sent)
    assert following == log.end, f"{replica!r} ends at {log.end}, its batches at {following}"
    assert log.start <= replica.high_watermark <= log.end, f"{replica!r}: watermark {replica.high_watermark}"
    assert replica.last_stable_offset <= replica.high_watermark, f"{replica!r}: stable beyond the watermark"
    table = log.epochs.entries
    rising = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(table))
    assert rising, f"the epoch table of {replica!r} is {table}"


def check_matching(one: Replica, other: Replica) -> None:
    """Where two copies have a batch of the same epoch in common, they have all before it in common."""
    theirs = {batch.base_offset: batch for batch in other.log.batches}
    common = [(batch, theirs[batch.base_offset]) for batch in one.log.batches if batch.base_offset in theirs]
    same = [mine.leader_epoch == its.leader_epoch for mine, its in common]
    parted = same.index(False) if False in same else len(same)
    assert not any(same[parted:]), f"{one!r} and {other!r} part and meet again: {common}"


def check_agreement(one: Replica, other: Replica) -> None:
    """What two copies both call committed is the same."""
    below = min(one.high_watermark, other.high_watermark)
    theirs = {batch.base_offset: batch for batch in other.log.batches}
    for batch in one.log.batches:
        its = theirs.get(batch.base_offset)
        if batch.last_offset < below and its is not None:
            assert its.data == batch.data, f"two committed batches at {batch.base_offset}: {one!r}, {other!r}"
