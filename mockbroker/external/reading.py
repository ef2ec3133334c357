"""Records of a real partition, read as a consumer of some isolation level reads them.

From the first offset to the end that its readers see at the beginning; what comes meanwhile is for the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mockbroker.external.wire import refuse
from mockbroker.handles.records import Record, records_in
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from mockbroker.records.batch import Batch, batches
from mockbroker.records.builder import ControlType, read_marker

if TYPE_CHECKING:
    from mockbroker.external.wire import Wire

# What ListOffsets takes for a time.
LATEST, EARLIEST = -1, -2
READ_UNCOMMITTED, READ_COMMITTED = 0, 1
# One fetch brings so much at most, and at least one whole batch.
FETCH_BYTES = 16 * 1024 * 1024


def offset_of(wire: Wire, topic: str, partition: int, when: int, isolation: int = READ_UNCOMMITTED) -> int:
    """The first or the last offset of a partition, as readers of an isolation level see it."""
    wanted = ListOffsetsPartition(partition_index=partition, timestamp=when)
    request = ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation,
        topics=[ListOffsetsTopic(name=topic, partitions=[wanted])],
    )
    found = wire.ask(request, wire.leader(topic, partition)).topics[0].partitions[0]
    refuse(found.error_code)
    return int(found.offset)


def read(wire: Wire, topic: str, partition: int, isolation: str) -> list[Record]:
    """What is in a partition: for committed readers, for all readers, or with the markers between."""
    level = READ_COMMITTED if isolation == "committed" else READ_UNCOMMITTED
    at = start = offset_of(wire, topic, partition, EARLIEST)
    end = offset_of(wire, topic, partition, LATEST, level)
    records: list[Record] = []
    while at < end:
        fetched = _fetch(wire, topic, partition, at, level)
        before = at
        for batch, aborted in _with_fate(fetched):
            at = batch.next_offset
            if isolation == "all" or not (batch.is_control or aborted):
                records += [one for one in records_in(batch, partition) if start <= one.offset < end]
        if at == before:
            break  # compaction has taken the rest
    return records


def _fetch(wire: Wire, topic: str, partition: int, at: int, level: int) -> Any:
    wanted = FetchPartition(partition=partition, fetch_offset=at, partition_max_bytes=FETCH_BYTES)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=FETCH_BYTES,
        isolation_level=level,
        topics=[FetchTopic(topic=topic, partitions=[wanted])],
    )
    response = wire.ask(request, wire.leader(topic, partition))
    refuse(response.error_code)
    fetched = response.responses[0].partitions[0]
    refuse(fetched.error_code)
    return fetched


def _with_fate(fetched: Any) -> Iterator[tuple[Batch, bool]]:
    """Each batch, and whether it belongs to a transaction that was aborted, by the list that came with it."""
    begins = sorted((one.first_offset, one.producer_id) for one in fetched.aborted_transactions or ())
    aborted = set[int]()
    for batch in batches(fetched.records or b""):
        while begins and begins[0][0] <= batch.last_offset:
            aborted.add(begins.pop(0)[1])
        yield batch, batch.is_transactional and not batch.is_control and batch.producer_id in aborted
        if batch.is_control and (marker := read_marker(batch)) and marker.type is ControlType.ABORT:
            aborted.discard(batch.producer_id)
