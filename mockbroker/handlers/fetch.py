"""Fetch: read record batches, now or when there are enough of them.

A fetch that finds fewer than `min_bytes` waits until records arrive or `max_wait_ms` of the client's time
pass; an error, a diverging history or a better replica to read from is answered at once.  The first
partition with records gives at least one batch whatever the limits (KIP-74).

v7 sessions (KIP-227) - v9 leader epoch checked - v11 rack, replica to read from (KIP-392), any replica serves -
v12 diverging epoch, flexible - v13 topic ids - v15 replica state - v16 leader hints (KIP-951) -
v18 follower's high watermark
Not here: down-conversion (v0-3); fetching as a follower, which real brokers do over a road of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockbroker.core.delayed import DelayedFetch, Reading
from mockbroker.core.fetch_sessions import Wanted
from mockbroker.core.replica import READ_COMMITTED, READ_UNCOMMITTED
from mockbroker.handlers.fetch_reads import FetchReader, Read
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.fetch import FetchedTopic, FetchRequest, FetchResponse

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.fetch_sessions import FetchPlan, Place
    from mockbroker.core.node import Node
    from mockbroker.core.ticket import Reply

# Replica ids below 0 are consumers: -1 an ordinary one, -2 one that debugs.
_FIRST_BROKER_ID = 0


def refuse(call: Call[FetchRequest], error: KafkaError) -> FetchResponse:
    """The whole fetch refused: an error at the top where there is room for one (v7+), in each partition before v13."""
    response = FetchResponse(error_code=error.code)
    if call.version < 13:
        response.responses = [
            FetchedTopic(
                topic=t.topic, partitions=[FetchReader.refused(p.partition, error, []) for p in t.partitions]
            )
            for t in call.body.topics
        ]
    return response


@answers(
    FetchRequest,
    versions="4-18",
    refuse=refuse,
    simplified="fetching as a follower is refused (INVALID_REQUEST)",
)
def fetch(call: Call[FetchRequest], node: Node) -> Reply[FetchResponse]:
    """Read, and answer now or later."""
    body = call.body
    replica_id = body.replica_id if call.version < 15 else body.replica_state.replica_id
    if replica_id >= _FIRST_BROKER_ID:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            "mockbroker's followers do not fetch over sockets; clients are not brokers",
        )
    if body.isolation_level not in (READ_UNCOMMITTED, READ_COMMITTED):
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "no such isolation level")
    try:
        plan = _plan(call, node)
    except KafkaError as refused:
        return FetchResponse(error_code=refused.code)  # of its partitions a refused session says nothing
    reader = FetchReader(call, node, plan.wanted)
    read = reader.read()
    for want, _ in read.sources:
        node.world.positions.note_fetch((want.topic, want.index), call.client_id)
    # Who takes less than it waits for has enough with what it takes.
    min_bytes = min(body.min_bytes, reader.max_bytes)
    readings = [
        Reading(replica, replica.leader_epoch, want.offset, want.max_bytes, body.isolation_level)
        for want, replica in read.sources
    ]
    enough = read.bytes >= min_bytes or read.urgent or any(reading.disturbed() for reading in readings)
    if enough or body.max_wait_ms <= 0 or not readings:
        return _respond(plan, reader, read)
    return DelayedFetch(
        node,
        readings,
        lambda: _respond(plan, reader, reader.read()),
        min_bytes=min_bytes,
        patience_ms=body.max_wait_ms,
    ).ticket


def _plan(call: Call[FetchRequest], node: Node) -> FetchPlan:
    """What is to be read, by the request and its session.  Raises what is wrong with the session."""
    body = call.body
    by_id = call.version >= 13
    forgotten: list[Place] = [
        (t.topic_id if by_id else t.topic, index)
        for t in body.forgotten_topics_data
        for index in t.partitions
    ]
    return node.fetch_sessions.plan(
        body.session_id, body.session_epoch, list(_wanted(call, node).values()), forgotten, by_id=by_id
    )


def _wanted(call: Call[FetchRequest], node: Node) -> dict[Place, Wanted]:
    by_id = call.version >= 13
    names = node.image.topic_names
    wanted: dict[Place, Wanted] = {}
    for topic in call.body.topics:
        name = names.get(topic.topic_id, "") if by_id else topic.topic
        for part in topic.partitions:
            place: Place = (topic.topic_id if by_id else topic.topic, part.partition)
            wanted[place] = Wanted(
                place,
                name,
                topic.topic_id,
                part.partition,
                part.fetch_offset,
                part.partition_max_bytes,
                part.current_leader_epoch,
                part.last_fetched_epoch,
            )
    return wanted


def _respond(plan: FetchPlan, reader: FetchReader, read: Read) -> FetchResponse:
    """Group what was read by topic; in an increment of a session leave out what the client knows already."""
    topics: list[FetchedTopic] = []
    place: str | bytes | None = None
    gave_records: list[Place] = []
    for want, partition in read.partitions:
        news = plan.session is None or want.is_news(
            high_watermark=partition.high_watermark,
            log_start=partition.log_start_offset,
            failed=partition.error_code != ErrorCode.NONE,
        )
        if partition.records:
            gave_records.append(want.place)
        elif plan.incremental and not news and not FetchReader.is_urgent(partition):
            continue
        # Only neighbours are put together, so a topic may appear again.
        if want.place[0] != place:
            place = want.place[0]
            topics.append(FetchedTopic(topic=want.topic, topic_id=want.topic_id))
        topics[-1].partitions.append(partition)
    if plan.session is not None:
        # The first answer gives a session its order; in later ones who has had records goes to the end.
        plan.session.served(gave_records if plan.incremental else [want.place for want, _ in read.partitions])
    reader.testify(read)
    return FetchResponse(session_id=plan.session_id, responses=topics, node_endpoints=reader.hints.endpoints)
