"""The line protocol of clients in other languages: one JSON order on stdin, one JSON answer on stdout.

An order is `{"do": VERB, ...}`; its answer is `{"ok": RESULT}`, or `{"error": TEXT}` when the client failed,
and then the story has failed.  Orders come one at a time.  Bytes are base64, null is null, offsets are
numbers.  stderr is for people.  The end of stdin ends the program, and a program outlives many stories.

    verb            takes                                                  gives
    open            bootstrap, timers {NAME_ms: number}                    lacks {NEED: reason}
    produce         topic, records, acks "0" "1" "all", codec, idempotent  the offsets, or null if never told
    transact        topic, records, transactional_id, commit               null
    loop            group, topic, to, transactional_id, idle_ms, broken    {committed, aborted, restarted}
    open_reader     reader, topic, partitions, start, committed_only       null, when "end" means an offset
    take            reader, count, wait_ms                                 records, fewer only after wait_ms
    seek            reader, partition, offset                              null
    pause, resume   reader, partition                                      null
    close_reader    reader                                                 null
    offset_at       topic, partition, moment                               the offset, or null
    join            member, group, topic, strategy, instance, auto_commit  null, at once
    poll            member, wait_ms                                        {records, owned, rebalances}
    commit          member, offsets {PARTITION: offset} or null            null, when it is acknowledged
    leave           member                                                 null, when it has left
    create_topic, add_partitions: topic, partitions; delete_topic: topic   null
    partition_count topic                                                  the number, null if there is none
    close           nothing: the story is over                             null

A record is `{value, key, headers [[name, value]], partition, timestamp_ms, offset}`, null where a sender
leaves it to the client.  `start` is "beginning", "end" or an offset; `moment` is "earliest", "latest" or
milliseconds.  The lacks are named as in verbs.Need, and `owned` is a list of partition numbers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.clients import verbs
from conformance.clients.verbs import Record

Line = dict[str, Any]

# Every timer of a client that a story relies on. A program sets those that its library has.
TIMERS = {
    "session_timeout_ms": verbs.SESSION_TIMEOUT_MS,
    "heartbeat_interval_ms": verbs.HEARTBEAT_INTERVAL_MS,
    "retry_backoff_ms": verbs.RETRY_BACKOFF_MS,
    "fetch_max_wait_ms": verbs.FETCH_MAX_WAIT_MS,
    "request_timeout_ms": verbs.REQUEST_TIMEOUT_MS,
    "deadline_ms": int(verbs.DEADLINE_S * 1_000),
}


def lines_of(records: Iterable[Record]) -> list[Line]:
    """Records as they stand in a line."""
    return [
        {
            "value": _text(record.value),
            "key": _text(record.key),
            "headers": [[name, _text(value)] for name, value in record.headers],
            "partition": record.partition,
            "timestamp_ms": record.timestamp_ms,
            "offset": record.offset,
        }
        for record in records
    ]


def records_of(lines: Sequence[Line]) -> list[Record]:
    """Records from a line."""
    return [
        Record(
            _bytes(line["value"]),
            _bytes(line["key"]),
            tuple((name, _bytes(value)) for name, value in line["headers"]),
            line["partition"],
            line["timestamp_ms"],
            line["offset"],
        )
        for line in lines
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
