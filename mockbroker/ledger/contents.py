"""The records in a batch, as their producer made them; and where else the same records are.

A client that tries again may put records into another batch than before; the records stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mockbroker.protocol.errors import KafkaError
from mockbroker.records.batch import HEADER_BYTES, Batch, iter_records
from mockbroker.records.compression import CorruptCompression

if TYPE_CHECKING:
    from mockbroker.core.replica import Replica
    from mockbroker.ledger.entries import Sent
    from mockbroker.records.record import Record


def records_in(sent: Sent) -> list[Record]:
    """The records of a batch; none where its bytes are forgotten, or are no records.

    A test may write anything into a log, and a client may send it.
    """
    if sent.data is None or len(sent.data) < HEADER_BYTES:
        return []
    try:
        return list(iter_records(Batch.parse(sent.data)))
    except (KafkaError, CorruptCompression):
        return []


def parsed(batch: Batch) -> list[Record]:
    """The records of a batch of a log; none where there are none to be made out."""
    try:
        return list(iter_records(batch))
    except (KafkaError, CorruptCompression):
        return []


def is_aborted(replica: Replica, batch: Batch) -> bool:
    """Whether a batch of this log is of a transaction that was aborted."""
    return batch.is_transactional and any(
        aborted.producer_id == batch.producer_id
        and aborted.first_offset <= batch.base_offset <= aborted.last_offset
        for aborted in replica.producers.aborted
    )


def contents(sent: Sent) -> frozenset[object]:
    """What makes its records the same as others: key, value, and the time that the producer gave them."""
    found = records_in(sent)
    # What the broker stamps says nothing of when the record was made.
    stamped = bool(found) and sent.data is not None and Batch.parse(sent.data).log_append_time
    return frozenset(
        (_bytes(record.key), _bytes(record.value), None if stamped else record.timestamp) for record in found
    )


def comes_again(first: Sent, others: Iterable[Sent]) -> Iterator[Sent]:
    """Those of the same producer and partition that came later and have a record of this batch in them."""
    wanted: frozenset[object] | None = None
    for sent in others:
        if sent is first or sent.at_us <= first.at_us:
            continue
        if (sent.place, sent.client_id) != (first.place, first.client_id):
            continue
        if wanted is None:
            wanted = contents(first)
        if wanted & contents(sent):
            yield sent


def is_replaced(first: Sent, others: Iterable[Sent]) -> bool:
    """Whether each record of this batch came again in one of these."""
    wanted = contents(first)
    left = set(wanted)
    for sent in comes_again(first, others):
        left -= contents(sent)
    return bool(wanted) and not left


def _bytes(given: bytes | bytearray | memoryview | None) -> bytes | None:
    return None if given is None else bytes(given)
