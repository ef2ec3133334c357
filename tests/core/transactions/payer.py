"""A transactional producer of a simulation: it asks with what it was last told, and judges nothing.

Speaks either of Kafka's protocols.  A request that has to wait is one that a test looks at later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mockbroker.core.groups.coordination import OFFSETS_TOPIC, TRANSACTIONS_TOPIC, coordinator_partition
from mockbroker.core.internal_topics import OFFSETS, TRANSACTIONS, ensure_topic
from mockbroker.core.node import Node
from mockbroker.core.transactions.records import Place
from mockbroker.core.transactions.shard import TransactionShard
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.produce import ProducePartition, ProduceTopic
from mockbroker.protocol.messages.transactions import (
    AddPartitionsToTxnTopic,
    TxnOffsetCommitPartition,
    TxnOffsetCommitTopic,
)
from tests.core.simulation import ALL, PATIENCE_MS, TOPIC, Asked, Simulation, batch_of

GROUP = "billing"
TIMEOUT_MS = 60_000

# The versions of requests that make the first protocol, and the second.
FIRST = {"produce": 9, "offsets": 3, "end": 3}
SECOND = {"produce": 12, "offsets": 5, "end": 5}


def coordinated(sim: Simulation) -> None:
    """Have the topics of both kinds of coordinators."""
    for internal in (TRANSACTIONS, OFFSETS):
        assert ensure_topic(sim.world.nodes[1], internal) is None
        sim.world.settle()


class Payer:
    """One transactional producer."""

    def __init__(self, sim: Simulation, name: str = "payer", versions: dict[str, int] = SECOND) -> None:
        self.sim = sim
        self.name = name
        self.versions = versions
        self.id, self.epoch = -1, -1
        self.sequences: dict[Place, int] = {}
        self._lines = 0

    @property
    def producer(self) -> tuple[int, int]:
        return self.id, self.epoch

    @property
    def index(self) -> int:
        """The partition of `__transaction_state` that its coordinator leads."""
        count = len(self.sim.world.controller.image.topics[TRANSACTIONS_TOPIC].partitions)
        return coordinator_partition(self.name, count)

    @property
    def coordinator(self) -> Node:
        return self.sim.world.nodes[self.sim.leader_id(TRANSACTIONS_TOPIC, self.index)]

    @property
    def shard(self) -> TransactionShard:
        return self.coordinator.transaction_shard(self.name)

    @property
    def state(self) -> str:
        return self.shard.transactions[self.name].record.state.title

    def _ask(self, api: Api, version: int, to: int, **fields: Any) -> Asked:
        # A line of its own for each request: one that waits holds nothing back.
        self._lines += 1
        line = f"{self.name}-{self._lines}"
        return self.sim.ask(api.request(**fields), to=to, version=version, client=line)

    # -- requests ---------------------------------------------------------------------------------

    def begin(self, *, timeout_ms: int = TIMEOUT_MS, known: bool = False) -> Asked:
        """InitProducerId; `known`: with the id and epoch that it has (KIP-360)."""
        producer_id, epoch = self.producer if known else (-1, -1)
        asked = self._ask(
            Api.INIT_PRODUCER_ID, 4, self.coordinator.id, transactional_id=self.name,
            transaction_timeout_ms=timeout_ms, producer_id=producer_id, producer_epoch=epoch,
        )  # fmt: skip
        self.take(asked)
        return asked

    def take(self, asked: Asked) -> None:
        """Be who the answer says, if there is one."""
        if not asked.answered or asked.closed:
            return
        answer = asked.response
        if answer.error_code == ErrorCode.NONE and answer.producer_id >= 0:
            fresh = (answer.producer_id, answer.producer_epoch)
            if fresh != self.producer:
                self.sequences.clear()
            self.id, self.epoch = fresh

    def add(self, *places: Place) -> Asked:
        """AddPartitionsToTxn, as the first protocol wants it."""
        topics = [AddPartitionsToTxnTopic(name=topic, partitions=[index]) for topic, index in places]
        return self._ask(
            Api.ADD_PARTITIONS_TO_TXN, 3, self.coordinator.id, v3_and_below_transactional_id=self.name,
            v3_and_below_producer_id=self.id, v3_and_below_producer_epoch=self.epoch, v3_and_below_topics=topics,
        )  # fmt: skip

    def send(
        self, *values: bytes, place: Place = (TOPIC, 0), sequence: int | None = None, to: int | None = None,
        epoch: int | None = None,
    ) -> Asked:  # fmt: skip
        """Produce one batch; without a `sequence` the next one, which counts as sent."""
        next_sequence = self.sequences.get(place, 0)
        if sequence is None:
            self.sequences[place] = next_sequence + len(values)
        first = next_sequence if sequence is None else sequence
        data = self._batch(values, self.epoch if epoch is None else epoch, first)
        leader = self.sim.leader_id(*place) if to is None else to
        return self._produce({place: data}, leader)

    def send_everywhere(self, *places: Place, to: int) -> Asked:
        """Produce the first batch of a transaction to several partitions at once."""
        return self._produce({place: self._batch([b"paid"], self.epoch, 0) for place in places}, to)

    def _batch(self, values: Sequence[bytes], epoch: int, sequence: int) -> bytes:
        return bytes(batch_of(*values, producer=(self.id, epoch, sequence), transactional=True).data)

    def _produce(self, batches: dict[Place, bytes], to: int) -> Asked:
        topics: dict[str, ProduceTopic] = {}
        for (topic, index), data in batches.items():
            asked = topics.setdefault(topic, ProduceTopic(name=topic))
            asked.partition_data.append(ProducePartition(index=index, records=data))
        return self._ask(
            Api.PRODUCE, self.versions["produce"], to, transactional_id=self.name, acks=ALL,
            timeout_ms=PATIENCE_MS, topic_data=list(topics.values()),
        )  # fmt: skip

    def add_offsets(self, group: str = GROUP) -> Asked:
        return self._ask(
            Api.ADD_OFFSETS_TO_TXN, 3, self.coordinator.id, transactional_id=self.name, producer_id=self.id,
            producer_epoch=self.epoch, group_id=group,
        )  # fmt: skip

    def keep(self, offset: int, *, place: Place = (TOPIC, 0), group: str = GROUP) -> Asked:
        """TxnOffsetCommit of one offset, to the group's coordinator."""
        part = TxnOffsetCommitPartition(partition_index=place[1], committed_offset=offset)
        return self._ask(
            Api.TXN_OFFSET_COMMIT, self.versions["offsets"], self.group_leader(group), transactional_id=self.name,
            group_id=group, producer_id=self.id, producer_epoch=self.epoch,
            topics=[TxnOffsetCommitTopic(name=place[0], partitions=[part])],
        )  # fmt: skip

    def group_leader(self, group: str = GROUP) -> int:
        return self.sim.leader_id(*self.group_place(group))

    def group_place(self, group: str = GROUP) -> Place:
        count = len(self.sim.world.controller.image.topics[OFFSETS_TOPIC].partitions)
        return OFFSETS_TOPIC, coordinator_partition(group, count)

    def end(self, *, commit: bool = True, epoch: int | None = None) -> Asked:
        asked = self._ask(
            Api.END_TXN, self.versions["end"], self.coordinator.id, transactional_id=self.name,
            producer_id=self.id, producer_epoch=self.epoch if epoch is None else epoch, committed=commit,
        )  # fmt: skip
        if self.versions["end"] >= SECOND["end"]:
            self.take(asked)
        return asked


def code(asked: Asked) -> str:
    """The verdict of an answer, by name: of the whole, or of the one partition that it is about."""
    response = asked.response
    if hasattr(response, "results_by_topic_v3_and_below"):
        parts = [p for t in response.results_by_topic_v3_and_below for p in t.results_by_partition]
        return " ".join(dict.fromkeys(ErrorCode(p.partition_error_code).name for p in parts))
    if hasattr(response, "error_code"):
        return ErrorCode(response.error_code).name
    return ErrorCode(asked.only.error_code).name
