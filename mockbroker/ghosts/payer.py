"""A ghost that produces in transactions: one step at a time, as the test says, and it may stop at any of them.

Speaks the newest protocol that the cluster has: with transaction.version 2 partitions and groups join a transaction by
themselves and every end brings another epoch (KIP-890), before that they are added by requests of their own.  Retries
nothing, so that what is refused is told, and what is left open stays open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.ghosts.answers import Answer, first_error
from mockbroker.ghosts.asking import TRANSACTION
from mockbroker.ghosts.line import SCRIPT
from mockbroker.ghosts.producer import GhostProducer
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.transactions import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitPartition,
    TxnOffsetCommitRequest,
    TxnOffsetCommitTopic,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockbroker.core.node import Node
    from mockbroker.core.world import World
    from mockbroker.ghosts.assignors import Place
    from mockbroker.ghosts.line import Line
    from mockbroker.records.builder import NewRecord

# The level of transaction.version from which on partitions join by themselves.
JOINING_BY_THEMSELVES = 2


class GhostPayer(GhostProducer):
    """One transactional producer."""

    def __init__(
        self, world: World, line: Line, client_id: str, transactional_id: str, timeout_ms: int
    ) -> None:
        super().__init__(world, line, client_id, idempotent=True)
        self.transactional_id: str = transactional_id
        self._timeout_ms = timeout_ms
        self._modern = world.controller.image.transaction_version >= JOINING_BY_THEMSELVES
        self.produce_version = 12 if self._modern else 11
        self._added: set[Place] = set()
        self._open = self._gone = False

    def begin(self) -> None:
        """Take the transactional id over: whoever had it is fenced, and what it had left open is aborted."""
        response = self._take_over()
        if response.error_code == ErrorCode.CONCURRENT_TRANSACTIONS:
            response = self._take_over()  # by now it is aborted, if nothing is in the way
        self._check("InitProducerId", response.error_code)
        self._adopt(response)

    def _take_over(self) -> Any:
        request = InitProducerIdRequest(
            transactional_id=self.transactional_id, transaction_timeout_ms=self._timeout_ms
        )
        return self._asker.ask("InitProducerId", self._coordinator(), request, 4)

    def _adopt(self, response: Any) -> None:
        """Go on with this id and epoch; the sequences of another epoch begin anew."""
        if (response.producer_id, response.producer_epoch) != (self.producer_id, self.producer_epoch):
            self.producer_id, self.producer_epoch = response.producer_id, response.producer_epoch
            self._sequences.clear()
        self._added.clear()
        self._open = False

    def _coordinator(self) -> Node:
        return self._asker.coordinator(self.transactional_id, TRANSACTION)

    def _check(self, api: str, code: int) -> None:
        if code:
            name = ErrorCode(code).name
            raise KafkaError(ErrorCode(code), f"{self.client_id}'s {api} was refused: {name}")

    def send(self, topic: str, index: int, records: Sequence[NewRecord], acks: int) -> Answer:
        """Send these records as a part of the transaction, which begins with the first of them."""
        self._here()
        if not self._modern and (topic, index) not in self._added:
            self._add(topic, index)
        self._open = True
        return super().send(topic, index, records, acks)

    def _add(self, topic: str, index: int) -> None:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.producer_epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic, partitions=[index])],
        )
        response = self._asker.ask("AddPartitionsToTxn", self._coordinator(), request, 3)
        ((result,),) = [found.results_by_partition for found in response.results_by_topic_v3_and_below]
        self._check("AddPartitionsToTxn", result.partition_error_code)
        self._added.add((topic, index))

    def keep(self, group_id: str, offsets: Mapping[Place, int]) -> Answer:
        """Commit offsets of a group with the transaction."""
        self._here()
        if not self._modern:
            adding = AddOffsetsToTxnRequest(
                transactional_id=self.transactional_id,
                producer_id=self.producer_id,
                producer_epoch=self.producer_epoch,
                group_id=group_id,
            )
            added = self._asker.ask("AddOffsetsToTxn", self._coordinator(), adding, 3)
            self._check("AddOffsetsToTxn", added.error_code)
        self._open = True
        topics: dict[str, list[TxnOffsetCommitPartition]] = {}
        for (topic, index), offset in offsets.items():
            part = TxnOffsetCommitPartition(partition_index=index, committed_offset=offset)
            topics.setdefault(topic, []).append(part)
        request = TxnOffsetCommitRequest(
            transactional_id=self.transactional_id,
            group_id=group_id,
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            topics=[TxnOffsetCommitTopic(name=name, partitions=parts) for name, parts in topics.items()],
        )
        node = self._asker.coordinator(group_id)
        ticket = self._line.ask(node, request, 5 if self._modern else 3, lane=SCRIPT)
        self._world.settle()
        return Answer(f"{self.client_id}'s offsets of {group_id}", ticket, first_error)

    def end(self, *, commit: bool) -> Answer:
        """Commit the transaction or abort it."""
        self._here()
        if not self._open:
            raise UsageError(f"{self.client_id} has no transaction to end: send() something first")
        request = EndTxnRequest(
            transactional_id=self.transactional_id,
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            committed=commit,
        )
        ticket = self._line.ask(self._coordinator(), request, 5 if self._modern else 3, lane=SCRIPT)
        self._world.settle()
        answer = Answer(f"{self.client_id}'s {'commit' if commit else 'abort'}", ticket, _code_of)
        if answer.response is not None and answer.error is None:
            self._adopt(answer.response if self._modern else self)
        return answer

    def abandon(self) -> None:
        """Be gone, with the transaction as it is."""
        self._gone = True
        self._line.hang_up(why="the ghost has abandoned its transaction")

    def _here(self) -> None:
        if self._gone:
            raise UsageError(f"{self.client_id} is gone since abandon(): another ghost may take the id over")


def _code_of(response: Any) -> int:
    return int(response.error_code)
