"""Produce: append record batches to the partitions that this broker leads.

Answers at once with acks=0 (no bytes at all; a failure closes the connection) and acks=1.  With acks=all it
answers when every in-sync replica has the batches, or with REQUEST_TIMED_OUT when the client's patience runs
out; the records stay in the log either way, as they do in Kafka.

v7 zstd - v8 record errors and messages - v9 flexible - v10 leader hints (KIP-951) - v13 topic ids (KIP-516)
Advertised from 0 although served from 3: older librdkafka switches compression off otherwise (KAFKA-18659).
v12 a transactional batch joins the transaction by itself (KIP-890); before, AddPartitionsToTxn must have been sent
Not here: message sets (v0-2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.controller import INTERNAL_TOPICS
from mockbroker.core.delayed import DelayedProduce, Written
from mockbroker.core.ticket import Disconnect, then
from mockbroker.handlers.registry import answers
from mockbroker.handlers.shapes import LeaderHints
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.produce import (
    ProducedPartition,
    ProducedTopic,
    ProducePartition,
    ProduceRequest,
    ProduceResponse,
    ProduceTopic,
    RecordError,
)
from mockbroker.protocol.types import ZERO_UUID
from mockbroker.records.batch import Batch, begins_transactional, first_batch, parse_produced
from mockbroker.records.refused import RecordsRefused
from mockbroker.records.validate import AppendRules, validate_produced

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.messages import TxnVerdicts
    from mockbroker.core.node import Node
    from mockbroker.core.producers import Verification
    from mockbroker.core.replica import Replica
    from mockbroker.core.ticket import Reply, Ticket

# No bytes at all, or the end of the connection, are answers too.
Answer = ProduceResponse | Disconnect | None

# The first version whose clients know the codec.
ZSTD_SINCE = 7

# Topic and index of a partition.
Place = tuple[str, int]

ACKS_NONE, ACKS_LEADER, ACKS_ALL = 0, 1, -1

# The one client that Kafka lets write to internal topics.
ADMIN_CLIENT = "__admin_client"

# The first versions whose clients know TRANSACTION_ABORTABLE, and whose batches join their transaction.
ABORTABLE_SINCE, JOINS_SINCE = 11, 12

VERIFICATION = settings.TRANSACTION_PARTITION_VERIFICATION

# What the transaction's coordinator says that passes; old clients know only one code that makes them try again.
_TRY_AGAIN = frozenset(
    {
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.NETWORK_EXCEPTION,
    }
)

# Refusals that say nothing of the log they did not reach: their log start is -1, that of all others is real.
_BEFORE_THE_LOG = frozenset(
    {
        ErrorCode.CORRUPT_MESSAGE,
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.RECORD_LIST_TOO_LARGE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
    }
)


def refuse(call: Call[ProduceRequest], error: KafkaError) -> ProduceResponse:
    """Every partition answered with `error`."""
    return ProduceResponse(
        responses=[
            ProducedTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[_refused(part.index, error) for part in topic.partition_data],
            )
            for topic in call.body.topic_data
        ]
    )


def _refused(index: int, error: KafkaError, log_start: int = -1) -> ProducedPartition:
    partition = ProducedPartition(
        index=index, error_code=error.code, base_offset=-1, log_start_offset=log_start
    )
    if isinstance(error, RecordsRefused):
        partition.error_message = error.message
        partition.record_errors = [
            RecordError(batch_index=at, batch_index_error_message=text) for at, text in error.record_errors
        ]
    return partition


@answers(
    ProduceRequest,
    versions="3-13",
    refuse=refuse,
    advertised_from=0,
    simplified="null records get an answer, which Kafka does not give",
)
def produce(call: Call[ProduceRequest], node: Node) -> Reply[Answer]:
    """Append what can be appended, and answer when `acks` is satisfied."""
    return _Producing(call, node).reply()


class _Producing:
    """One produce request on its way: its answer so far, and what still has to be replicated."""

    __slots__ = (
        "_acks", "_asked", "_body", "_call", "_hints", "_node", "_response", "_verdicts", "_verifications", "_written",
    )  # fmt: skip

    def __init__(self, call: Call[ProduceRequest], node: Node) -> None:
        self._call = call
        self._node = node
        self._body = call.body
        self._acks = call.body.acks
        self._written: list[Written] = []
        self._hints = LeaderHints(node)
        self._response = ProduceResponse()
        self._asked = self._each_once()
        # What the transaction's coordinator said of partitions in which a transaction would begin.
        self._verdicts: dict[Place, ErrorCode] = {}
        # What it was asked for each of them.
        self._verifications: dict[Place, Verification] = {}

    def reply(self) -> Reply[Answer]:
        if (spoiled := self._spoiled()) is not None:
            if self._acks == ACKS_NONE:
                return Disconnect(f"acks=0, and the request failed: {spoiled.code.name}")
            return refuse(self._call, spoiled)
        beginning = self._beginning_transactions()
        if not beginning:
            return self._append_all()
        return then(self._enrol(beginning), self._append_verified)

    def _append_verified(self, verdicts: TxnVerdicts) -> Reply[Answer]:
        self._verdicts.update(verdicts)
        return self._node.world.on_behalf_of(self._call, self._append_all)

    def _append_all(self) -> Reply[Answer]:
        for topic, parts in self._asked:
            self._append_topic(topic, parts)
        response = self._response
        response.node_endpoints = self._hints.endpoints
        if self._acks == ACKS_NONE:
            failed = [p for topic in response.responses for p in topic.partition_responses if p.error_code]
            if failed:
                return Disconnect(
                    f"acks=0, and partition {failed[0].index} failed: {ErrorCode(failed[0].error_code).name}"
                )
            return None
        if self._acks == ACKS_ALL and self._written:
            patience_ms = self._body.timeout_ms
            return DelayedProduce[Answer](self._node, self._written, response, patience_ms=patience_ms).ticket
        return response

    def _spoiled(self) -> KafkaError | None:
        """What one batch brings upon the whole request, before anything is appended."""
        given = [(topic, part) for topic in self._body.topic_data for part in topic.partition_data]
        try:
            # Kafka looks at every partition, until it finds one of a transaction.
            transactional = any(begins_transactional(part.records) for _, part in given)
        except KafkaError as corrupt:
            return corrupt
        if transactional and self._body.transactional_id is None:
            return KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        if self._call.version < ZSTD_SINCE and any(self._has_unknown_codec(*each) for each in given):
            return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
        return None

    def _has_unknown_codec(self, topic: ProduceTopic, part: ProducePartition) -> bool:
        """Whether Kafka, looking for zstd, which old clients must not send, trips over what does not exist."""
        if self._node.image.partition(topic.name, part.index) is None:
            return False
        try:
            return not first_batch(part.records).has_known_codec
        except KafkaError:
            return False  # anything else that is wrong is this partition's affair

    # -- transactions -----------------------------------------------------------------------------

    def _beginning_transactions(self) -> dict[Place, Batch]:
        """The batches that would begin their producer's transaction in their partition."""
        if self._body.transactional_id is None or not self._node.config[VERIFICATION]:
            return {}
        beginning: dict[Place, Batch] = {}
        for topic, parts in self._asked:
            for part in parts.values():
                name = self._name_of(topic)
                if name is not None and (batch := self._begins(name, part)) is not None:
                    beginning[name, part.index] = batch
        return beginning

    def _begins(self, topic: str, part: ProducePartition) -> Batch | None:
        """The batch, if the coordinator must be asked for it.  What is wrong with it is said when it is appended."""
        try:
            batch = self._admitted(topic, part)
        except KafkaError:
            return None
        if not batch.is_transactional or batch.producer_id < 0:
            return None
        try:
            verification = self._node.leader_of(topic, part.index).producers.verification(
                batch.producer_id,
                batch.producer_epoch,
                batch.base_sequence,
                from_zero=self._call.version >= JOINS_SINCE,
            )
        except (
            KafkaError
        ) as refused:  # fenced, or not to be written here: that stays so until the others have theirs
            self._verdicts[topic, part.index] = refused.code
            return None
        if verification is None:
            return None
        self._verifications[topic, part.index] = verification
        return batch

    def _enrol(self, beginning: dict[Place, Batch]) -> Ticket[TxnVerdicts]:
        """Ask the coordinator of the transaction; from v12 on that makes the partitions part of it."""
        batch = next(iter(beginning.values()))
        return self._node.enrolments.ask(
            self._body.transactional_id or "",
            (batch.producer_id, batch.producer_epoch),
            list(beginning),
            add=self._call.version >= JOINS_SINCE,
        )

    def _check_verdict(self, topic: str, index: int) -> None:
        """Raise what the coordinator said, in words that this client's version knows."""
        verdict = self._verdicts.get((topic, index), ErrorCode.NONE)
        if verdict is not ErrorCode.NONE:
            raise _told(verdict, self._call.version)

    # -- partitions -------------------------------------------------------------------------------

    def _each_once(self) -> list[tuple[ProduceTopic, dict[int, ProducePartition]]]:
        """Each topic once, with its partitions: one named twice is answered once, and its last entry counts."""
        asked: dict[str | bytes, tuple[ProduceTopic, dict[int, ProducePartition]]] = {}
        for topic in self._body.topic_data:
            key = topic.name if self._call.version < 13 else topic.topic_id
            _, parts = asked.setdefault(key, (topic, {}))
            parts.update({part.index: part for part in topic.partition_data})
        return list(asked.values())

    def _append_topic(self, topic: ProduceTopic, parts: dict[int, ProducePartition]) -> None:
        name = self._name_of(topic)
        self._response.responses.append(
            ProducedTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[self._append(name, part) for part in parts.values()],
            )
        )

    def _name_of(self, topic: ProduceTopic) -> str | None:
        if self._call.version < 13:
            return topic.name
        return self._node.image.topic_names.get(topic.topic_id) if topic.topic_id != ZERO_UUID else None

    def _append(self, topic: str | None, part: ProducePartition) -> ProducedPartition:
        """One partition's answer, whatever becomes of its batch."""
        if topic is None:
            return _refused(part.index, KafkaError(ErrorCode.UNKNOWN_TOPIC_ID))
        try:
            self._check_verdict(topic, part.index)
            batch = self._admitted(topic, part)
            replica = self._node.leader_of(topic, part.index)
        except KafkaError as refused:
            return self._refused(topic, part.index, refused)
        try:
            return self._appended(replica, part.index, batch)
        except KafkaError as refused:
            start = -1 if refused.code in _BEFORE_THE_LOG else replica.log.start
            return self._refused(topic, part.index, refused, start)

    def _refused(self, topic: str, index: int, error: KafkaError, log_start: int = -1) -> ProducedPartition:
        partition = _refused(index, error, log_start)
        if error.code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
            partition.current_leader = self._hints.leader(topic, index)
        return partition

    def _admitted(self, topic: str, part: ProducePartition) -> Batch:
        """The batch, if it may go to the log at all: all that Kafka checks before it looks for a leader."""
        if self._node.image.partition(topic, part.index) is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        batch = parse_produced(part.records, version=self._call.version)
        if self._acks not in (ACKS_NONE, ACKS_LEADER, ACKS_ALL):
            raise KafkaError(ErrorCode.INVALID_REQUIRED_ACKS)
        if topic in INTERNAL_TOPICS and self._call.client_id != ADMIN_CLIENT:
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
        return batch

    def _appended(self, replica: Replica, index: int, batch: Batch) -> ProducedPartition:
        if self._acks == ACKS_ALL and not replica.enough_in_sync():
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        valid = validate_produced(batch, _rules(replica, self._node.wall_ms))
        appended = replica.append_from_client(valid, self._verifications.get((replica.topic, index)))
        partition = ProducedPartition(
            index=index,
            base_offset=appended.base_offset,
            log_append_time_ms=appended.log_append_time,
            log_start_offset=replica.log.start,
        )
        if self._acks == ACKS_ALL:
            self._written.append(
                Written(
                    replica,
                    replica.leader_epoch,
                    appended.last_offset + 1,
                    lambda code: self._fail(partition, replica, code),
                )
            )
        return partition

    def _fail(self, partition: ProducedPartition, replica: Replica, code: ErrorCode) -> None:
        """The records are in the log and their fate is open: offset and log start stay in the answer."""
        partition.error_code = code
        if code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
            partition.current_leader = self._hints.leader(replica.topic, replica.index)
            self._response.node_endpoints = self._hints.endpoints


def _told(verdict: ErrorCode, version: int) -> KafkaError:
    """A coordinator's verdict as a producer is told it."""
    if verdict in _TRY_AGAIN:
        busy = verdict is ErrorCode.CONCURRENT_TRANSACTIONS
        return KafkaError(verdict if busy and version >= JOINS_SINCE else ErrorCode.NOT_ENOUGH_REPLICAS)
    if verdict is ErrorCode.PRODUCER_FENCED:
        return KafkaError(ErrorCode.INVALID_PRODUCER_EPOCH)
    if verdict is ErrorCode.TRANSACTION_ABORTABLE and version < ABORTABLE_SINCE:
        return RecordsRefused(ErrorCode.INVALID_TXN_STATE, "The partition is not part of the transaction.")
    return KafkaError(verdict)


def _rules(replica: Replica, now_ms: int) -> AppendRules:
    config = replica.config
    return AppendRules(
        now_ms,
        config.max_message_bytes,
        config.segment_bytes,
        config.compacted,
        config.log_append_time,
        config.timestamp_before_max_ms,
        config.timestamp_after_max_ms,
        config.compression,
    )
