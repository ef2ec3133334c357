"""A ghost that produces: one batch a send, to the leader that metadata names, with or without idempotence.

Sends what the test says and retries nothing, so that a lost answer stays lost until the test has it sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.ghosts.answers import Answer
from mockbroker.ghosts.asking import Asker
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.messages.transactions import InitProducerIdRequest
from mockbroker.records.builder import NewRecord, build_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockbroker.core.world import World
    from mockbroker.ghosts.line import Line

# What Java's producer gives a broker to replicate (request.timeout.ms).
PRODUCE_TIMEOUT_MS = 30_000
NO_PRODUCER_ID, NO_EPOCH, NO_SEQUENCE = -1, -1, -1
# Sequences are int32 and start again at 0.
SEQUENCE_END = 2**31


class _Sent:
    """A batch that was sent, so that it can be sent again just as it was."""

    __slots__ = ("acks", "batch", "index", "topic")

    def __init__(self, topic: str, index: int, batch: bytes, acks: int) -> None:
        self.topic = topic
        self.index = index
        self.batch = batch
        self.acks = acks


class GhostProducer:
    """One producer."""

    transactional_id: str | None = None
    produce_version = 9

    def __init__(self, world: World, line: Line, client_id: str, *, idempotent: bool) -> None:
        self._world = world
        self._line = line
        self._asker = Asker(world, line, client_id)
        self.client_id = client_id
        self.idempotent = idempotent
        self.producer_id = NO_PRODUCER_ID
        self.producer_epoch = NO_EPOCH
        self._sequences: dict[tuple[str, int], int] = {}
        self._last: _Sent | None = None

    def begin(self) -> None:
        """Get a producer id, if it is to be idempotent."""
        if not self.idempotent:
            return
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
        response = self._asker.ask("InitProducerId", self._asker.any_broker(), request, 4)
        if response.error_code:
            raise KafkaError(ErrorCode(response.error_code), f"{self.client_id} was given no producer id")
        self.producer_id, self.producer_epoch = response.producer_id, response.producer_epoch

    def send(self, topic: str, index: int, records: Sequence[NewRecord], acks: int) -> Answer:
        """Send these records as one batch, with the next sequence of the partition."""
        sequence = NO_SEQUENCE
        if self.idempotent:
            sequence = self._sequences.get((topic, index), 0)
            self._sequences[topic, index] = (sequence + len(records)) % SEQUENCE_END
        batch = build_batch(
            records,
            now_ms=self._world.clock.now,
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            base_sequence=sequence,
            transactional=self.transactional_id is not None,
        )
        self._last = _Sent(topic, index, bytes(batch.data), acks)
        return self.resend()

    def resend(self) -> Answer:
        """Send the newest batch again, as a retry does: with the sequence that it had."""
        sent = self._last
        if sent is None:
            raise UsageError(f"{self.client_id} has nothing to send again: send() something first")
        request = ProduceRequest(
            transactional_id=self.transactional_id,
            acks=sent.acks,
            timeout_ms=PRODUCE_TIMEOUT_MS,
            topic_data=[
                ProduceTopic(
                    name=sent.topic, partition_data=[ProducePartition(index=sent.index, records=sent.batch)]
                )
            ],
        )
        ticket = self._line.ask(self._asker.leader(sent.topic, sent.index), request, self.produce_version)
        self._world.settle()
        return Answer(f"{self.client_id}'s batch for {sent.topic}-{sent.index}", ticket, _code_in)

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has, as metadata tells."""
        return len(self._asker.partitions(topic))


def _code_in(response: Any) -> int:
    ((partition,),) = [topic.partition_responses for topic in response.responses]
    return int(partition.error_code)
