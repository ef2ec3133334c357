"""What must be true of transactions in logs, whatever happens to brokers, roads and coordinators.

Looks at replicas and works everything out anew from their batches.  Raises AssertionError with what is broken; does
nothing, and knows nothing of clients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mockbroker.core.groups.coordination import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from mockbroker.core.replica import Replica
from mockbroker.core.transactions.records import Place, TransactionRecord, parse_record
from mockbroker.core.transactions.states import AT_REST, MAY_FOLLOW, PREPARED, TxnState, outcome_of
from mockbroker.core.transactions.transaction import EPOCH_MAX
from mockbroker.core.world import World
from mockbroker.records.batch import Batch, iter_records
from mockbroker.records.builder import ControlType, read_marker

# A producer id and the epoch that its markers carry.
Identity = tuple[int, int]


class Ended:
    """A transaction in one log that has its marker."""

    __slots__ = ("aborted", "first", "marker", "producer_id")

    def __init__(self, producer_id: int, first: int, marker: int, *, aborted: bool) -> None:
        self.producer_id = producer_id
        self.first = first
        self.marker = marker
        self.aborted = aborted


def transactions_in(replica: Replica) -> tuple[dict[int, int], list[Ended]]:
    """Where each producer's open transaction begins, and all that are over."""
    begun: dict[int, int] = {}
    ended: list[Ended] = []
    for batch in replica.log.batches:
        if not batch.is_transactional:
            continue
        if not batch.is_control:
            begun.setdefault(batch.producer_id, batch.base_offset)
        elif (first := begun.pop(batch.producer_id, None)) is not None:
            ended.append(Ended(batch.producer_id, first, batch.last_offset, aborted=not commits(batch)))
    return begun, ended


# What markers say, by their bytes: each is looked at after every step.
_said: dict[bytes, bool] = {}


def commits(batch: Batch) -> bool:
    """Whether a marker commits."""
    body = bytes(batch.body)
    said = _said.get(body)
    if said is None:
        marker = read_marker(batch)
        assert marker is not None, f"no marker: {batch!r}"
        said = _said[body] = marker.type is ControlType.COMMIT
    return said


def check_stable(replica: Replica) -> None:
    """The last stable offset is before all that is open or whose end is not committed; the index knows who aborted."""
    begun, ended = transactions_in(replica)
    high_watermark = replica.high_watermark
    unstable = [*begun.values(), *(one.first for one in ended if one.marker >= high_watermark)]
    expected = min([high_watermark, *(max(first, replica.log.start) for first in unstable)])
    told = replica.last_stable_offset
    assert told == expected, f"{replica!r} is stable up to {expected} and says {told}"
    index = [(one.producer_id, one.first_offset, one.last_offset) for one in replica.producers.aborted]
    aborted = [(one.producer_id, one.first, one.marker) for one in ended if one.aborted]
    assert index == aborted, f"{replica!r} has aborted {aborted}, and its index says {index}"


def check_decisions(replicas: Iterable[Replica], decided: dict[Identity, bool]) -> None:
    """With an epoch for each transaction, all of its markers say the same."""
    for replica in replicas:
        for batch in replica.log.batches:
            if batch.is_control:
                who = (batch.producer_id, batch.producer_epoch)
                first = decided.setdefault(who, commits(batch))
                assert first == commits(batch), f"{who} was committed and aborted: {replica!r}"


def written_states(replica: Replica) -> Iterator[TransactionRecord]:
    """All that coordinators have written into a partition."""
    for batch in replica.log.batches:
        for record in iter_records(batch):
            assert record.key is not None
            said = parse_record(record.key, record.value)
            if isinstance(said, TransactionRecord):
                yield said


def check_history(replica: Replica) -> None:
    """Each state follows from the one before, and no epoch comes twice for two owners."""
    before: dict[str, TransactionRecord] = {}
    for said in written_states(replica):
        name, old = said.transactional_id, before.get(said.transactional_id)
        before[name] = said
        assert said.epoch <= EPOCH_MAX, f"an epoch that does not exist: {said}"
        if old is None:
            continue
        assert old.state in MAY_FOLLOW[said.state], f"{old.state.title} -> {said.state.title} of {name}"
        if old.state in PREPARED:
            assert said.state is outcome_of(old.state), f"decided {old.state.title}, ended {said.state.title}"
        if old.producer_id == said.producer_id:
            assert said.epoch >= old.epoch, f"the epoch of {name} went back: {old}, {said}"
        else:
            assert old.epoch >= EPOCH_MAX - 1, f"another producer id before its time: {old}, {said}"


def check_markers(world: World, places: Iterable[Place], state: Replica) -> None:
    """Whatever was decided is written in every partition that it was about."""
    decided = [said for said in written_states(state) if said.state in PREPARED]
    for place in places:
        leader = leader_of(world, place)
        found = {
            (batch.producer_id, batch.producer_epoch, commits(batch))
            for batch in leader.log.batches
            if batch.is_control
        }
        for said in decided:
            commit = said.state is TxnState.PREPARE_COMMIT
            missing = place in said.partitions and (said.producer_id, said.epoch, commit) not in found
            assert not missing, f"no marker in {place} of {said}"


def check_at_rest(world: World) -> None:
    """Nothing hangs anywhere."""
    for node in world.nodes.values():
        for replica in node.replicas.values():
            begun, _ = transactions_in(replica)
            assert not begun, f"{begun} hang in {replica!r}"
            stable = replica.last_stable_offset
            assert stable == replica.high_watermark, f"{replica!r} is stable up to {stable} only"
        for shard in node.coordinators.transactions.values():
            for name, transaction in shard.transactions.items():
                assert transaction.record.state in AT_REST, f"{transaction!r}"
                assert not transaction.busy, f"busy for ever: {transaction!r}"
                assert not shard.markers.outstanding(name), f"markers are missing of {transaction!r}"
        for groups in node.coordinators.groups.values():
            for name in list(groups.groups):
                assert not groups.offsets.open_places(name), f"offsets of {name} are in the air"


def leader_of(world: World, place: Place) -> Replica:
    partition = world.controller.image.partition(*place)
    assert partition is not None
    return world.nodes[partition.leader].replicas[place]


INTERNAL: list[Place] = [(TRANSACTIONS_TOPIC, 0), (OFFSETS_TOPIC, 0)]
