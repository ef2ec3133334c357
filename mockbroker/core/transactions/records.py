"""What `__transaction_state` says, and the bytes that say it.

One key per transactional id; its newest value is all that a coordinator knows of it after a failover.  Written
exactly as Kafka 4.4 writes it, and read in every layout that ever was.
"""

# No `from __future__ import annotations`: declarations need their annotations at run time.
from dataclasses import dataclass
from typing import Annotated

from mockbroker.core.numbered import number_of, open_numbered, seal_numbered
from mockbroker.core.transactions.states import TxnState
from mockbroker.protocol.codec import decode
from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Int8, Int16, Int32, Int64, Str, tag

TRANSACTION_LOG = 0

# The layout with flexible fields, which Kafka writes from transaction.version 1 on; 0 before.
FLEXIBLE_VALUE = 1

NO_PRODUCER_ID = -1
NO_EPOCH = -1
NO_TIMESTAMP = -1

# A partition, as transactions hold them.
Place = tuple[str, int]


@message(api=TRANSACTION_LOG, versions="0", flexible=None)
class TransactionLogKey:
    """Which transactional id."""

    transactional_id: Str = ""


@struct
class TransactionLogPartitions:
    """The partitions of one topic."""

    topic: Str = ""
    partition_ids: list[Int32] = []  # noqa: RUF012 - a declaration: every message gets its own list


@message(api=TRANSACTION_LOG, versions="0-1", flexible="1+")
class TransactionLogValue:
    """The state of a transactional id.  v1 flexible: ids before and after, the client's protocol (KIP-890)."""

    producer_id: Int64 = 0
    previous_producer_id: Annotated[Int64, tag(0, since=1)] = NO_PRODUCER_ID
    next_producer_id: Annotated[Int64, tag(1, since=1)] = NO_PRODUCER_ID
    next_producer_epoch: Annotated[Int16, tag(3, since=1)] = NO_EPOCH
    producer_epoch: Int16 = 0
    transaction_timeout_ms: Int32 = 0
    transaction_status: Int8 = 0
    transaction_partitions: list[TransactionLogPartitions] | None = []  # noqa: RUF012 - see above
    transaction_last_update_timestamp_ms: Int64 = 0
    transaction_start_timestamp_ms: Int64 = 0
    client_transaction_version: Annotated[Int16, tag(2, since=1)] = 0


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transactional id, as it survives its coordinator.

    `epoch` -1: the id is known and nobody has been given it yet.  `client_version` is the protocol of the
    client that began the transaction: 2 where every end brings a new epoch.
    """

    transactional_id: str
    producer_id: int
    epoch: int = NO_EPOCH
    timeout_ms: int = 0
    state: TxnState = TxnState.EMPTY
    partitions: tuple[Place, ...] = ()
    started_ms: int = NO_TIMESTAMP
    updated_ms: int = NO_TIMESTAMP
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID
    client_version: int = 0


@dataclass(frozen=True, slots=True)
class TransactionRemoved:
    """The transactional id is forgotten."""

    transactional_id: str


def encode_record(
    record: TransactionRecord | TransactionRemoved, transaction_version: int
) -> tuple[bytes, bytes | None]:
    """Key and value as Kafka 4.4 writes them at a level of transaction.version; a removal is a key without a value."""
    key = seal_numbered(TRANSACTION_LOG, TransactionLogKey(transactional_id=record.transactional_id), 0)
    if isinstance(record, TransactionRemoved):
        return key, None
    layout = min(transaction_version, FLEXIBLE_VALUE)
    return key, seal_numbered(layout, _value(record), layout)


def parse_record(key: bytes, value: bytes | None) -> TransactionRecord | TransactionRemoved | None:
    """What a record says, or None when it is of a type that is not known here.

    Raises MalformedMessage, a ValueError, when it is of the known type and yet makes no sense.
    """
    if number_of(key) != TRANSACTION_LOG:
        return None
    transactional_id = decode(TransactionLogKey, 0, key, 2).transactional_id
    if value is None:
        return TransactionRemoved(transactional_id)
    return _record(transactional_id, open_numbered(TransactionLogValue, value))


def _value(record: TransactionRecord) -> TransactionLogValue:
    topics: dict[str, TransactionLogPartitions] = {}
    for topic, index in record.partitions:
        topics.setdefault(topic, TransactionLogPartitions(topic=topic)).partition_ids.append(index)
    return TransactionLogValue(
        producer_id=record.producer_id,
        previous_producer_id=record.previous_producer_id,
        next_producer_id=record.next_producer_id,
        producer_epoch=record.epoch,
        transaction_timeout_ms=record.timeout_ms,
        transaction_status=record.state,
        # Null rather than empty where there can be none.
        transaction_partitions=None if record.state is TxnState.EMPTY else list(topics.values()),
        transaction_last_update_timestamp_ms=record.updated_ms,
        transaction_start_timestamp_ms=record.started_ms,
        client_transaction_version=record.client_version,
    )


def _record(transactional_id: str, value: TransactionLogValue) -> TransactionRecord:
    return TransactionRecord(
        transactional_id=transactional_id,
        producer_id=value.producer_id,
        epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        state=TxnState(value.transaction_status),
        partitions=tuple(
            (topic.topic, index)
            for topic in value.transaction_partitions or ()
            for index in topic.partition_ids
        ),
        started_ms=value.transaction_start_timestamp_ms,
        updated_ms=value.transaction_last_update_timestamp_ms,
        previous_producer_id=value.previous_producer_id,
        next_producer_id=value.next_producer_id,
        client_version=value.client_transaction_version,
    )
