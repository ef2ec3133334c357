"""Requests that write and read records, as most cases send them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from conformance.cases.codec import Answer
from conformance.cases.stage import Stage

Records = bytes | None


def to(
    topic: str | uuid.UUID,
    records: Records | Mapping[int, Records],
    *,
    acks: int = -1,
    timeout: int = 5_000,
    **more: Any,
) -> dict[str, Any]:
    """The fields of a Produce to one topic: records for partition 0, or by partition.  An id means v13."""
    by_partition = records if isinstance(records, Mapping) else {0: records}
    data = {
        ("topic_id" if isinstance(topic, uuid.UUID) else "name"): topic,
        "partition_data": [{"index": index, "records": given} for index, given in by_partition.items()],
    }
    return {"acks": acks, "timeout": timeout, "topic_data": [data], **more}


def at(
    topic: str | uuid.UUID,
    offsets: int | Mapping[int, int] = 0,
    *,
    max_bytes: int = 1 << 20,
    partition_max_bytes: int | Mapping[int, int] = 1 << 20,
    max_wait: int = 0,
    part: Mapping[str, int] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The fields of a Fetch from one topic; it does not wait unless told to.

    `part` goes into every partition's entry.  An id means v13 and later.
    """
    by_partition = offsets if isinstance(offsets, Mapping) else {0: offsets}
    limit = partition_max_bytes
    partitions = [
        {
            "partition": index,
            "fetch_offset": offset,
            "partition_max_bytes": limit if isinstance(limit, int) else limit[index],
        }
        | dict(part or {})
        for index, offset in by_partition.items()
    ]
    named = {("topic_id" if isinstance(topic, uuid.UUID) else "topic"): topic, "partitions": partitions}
    return {"max_wait": max_wait, "min_bytes": 1, "max_bytes": max_bytes, "topics": [named], **more}


def in_list(topic: str, timestamp: int, index: int = 0, **part: int) -> list[dict[str, Any]]:
    """The topics of a ListOffsets about one partition."""
    return [{"name": topic, "partitions": [{"partition_index": index, "timestamp": timestamp, **part}]}]


def end_of(it: Stage, topic: str, index: int = 0, node: int = 1) -> None:
    """Ask aloud where the partition's log ends."""
    it.ask(
        "ListOffsets", 5, node=node, replica_id=-1, topics=in_list(topic, -1, index, current_leader_epoch=-1)
    )


def new_id(it: Stage) -> int:
    """A producer id, once the broker gives one."""
    answer: Answer = {}

    def given() -> bool:
        answer.update(
            it.quietly(
                "InitProducerId",
                4,
                transaction_timeout=60_000,
                transactional_id=None,
                producer_id=-1,
                producer_epoch=-1,
            )
        )
        return bool(answer["error_code"] == "NONE")

    it.until(given, "a producer id")  # the first one of a cluster may be long in coming
    return int(answer["producer_id"])
