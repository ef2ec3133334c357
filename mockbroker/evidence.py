"""Gathers what a report may know: the history, and how everything stands at this moment.

Runs in the brokers' thread, as one step or inside one, and gives plain values that may be read anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from mockbroker.core import settings
from mockbroker.core.groups.classic import State
from mockbroker.core.groups.coordination import OFFSETS_TOPIC
from mockbroker.faults.book import FaultBook
from mockbroker.faults.gate import Gate
from mockbroker.timeline.evidence import (
    Client,
    Evidence,
    FaultFacts,
    GateFacts,
    GroupFacts,
    MemberFacts,
    OpenTransaction,
    Parked,
    PartitionFacts,
    Place,
)
from mockbroker.timeline.reading import Names

if TYPE_CHECKING:
    from mockbroker.core.event import Begun
    from mockbroker.core.groups.classic import ClassicGroup
    from mockbroker.core.groups.member import Member
    from mockbroker.core.groups.shard import GroupShard
    from mockbroker.core.replica import Replica
    from mockbroker.core.world import World
    from mockbroker.server.run import Server

# Partitions that are looked at; a cluster with more of them is no cluster of a test that a person reads.
PARTITIONS_MAX = 2_000
# Batches at the end of a log that are looked at for control records.
BATCHES_LOOKED_AT = 50


def gather(world: World, server: Server | None) -> Evidence:
    """Everything, as it is now; its events are still to be `opened`."""
    history, image = world.history, world.controller.image
    names = Names({topic.id: name for name, topic in image.topics.items()})
    return Evidence(
        events=list(history.events),
        dropped=history.dropped,
        open=_open(world, server),
        parked=list(_parked(server)) if server is not None else (),
        now_us=history.stopwatch(),
        now_ms=world.clock.now,
        started_us=history.started_us,
        started_ms=history.started_ms,
        names=names,
        topics={name: len(topic.partitions) for name, topic in image.topics.items() if name != OFFSETS_TOPIC},
        auto_create=world.defaults[settings.AUTO_CREATE_TOPICS_ENABLE],
        partitions=dict(_partitions(world)),
        groups={facts.id: facts for facts in _groups(world)},
        faults=list(faults_of(server)) if server is not None else (),
        gates=list(_gates(server)) if server is not None else (),
        clients=list(clients_of(server)) if server is not None else (),
        troubles=list(_troubles(world, server)),
        keeps=history.keeps,
    )


def opened(evidence: Evidence, newest: int | None = None) -> Evidence:
    """The same with the messages of its newest events at hand, and with the names of topics that they tell.

    Apart from `gather`, because this takes its time, and the brokers need not wait for it.
    """
    events = list(evidence.events)
    kept = events if newest is None else events[-newest:]
    told = [event.opened() for event in kept]
    evidence.names.learn(told)
    return replace(evidence, events=told, dropped=evidence.dropped + len(events) - len(kept))


def _open(world: World, server: Server | None) -> list[Begun]:
    """Requests that are owed an answer, by somebody who is still there to get it."""
    connections = () if server is None else server.connections
    gone = {one.conversation.peer.ordinal for one in connections if one.gone()}
    return [begun for begun in world.history.open.values() if begun.call.peer.ordinal not in gone]


def _parked(server: Server) -> Iterator[Parked]:
    for connection in server.connections:
        if connection.parked is not None and not connection.gone():
            talk = connection.conversation
            yield Parked(talk.peer.ordinal, talk.client_id, str(talk.peer), connection.parked.why)


def clients_of(server: Server) -> Iterator[Client]:
    """The connections whose clients have not hung up; of a server that has ended, those that never did."""
    for connection in server.left or [one for one in server.connections if not one.gone()]:
        talk = connection.conversation
        yield Client(talk.peer.ordinal, talk.client_id, talk.peer.software, talk.node.id)


def _troubles(world: World, server: Server | None) -> Iterator[str]:
    for node in world.nodes.values():
        if node.paused or not node.up:
            yield f"broker {node.id} is {'paused' if node.up else 'down'}"
    # Whatever a test waits for, it does not come where the request for it was not answered.
    for bug in server.crashes if server is not None else ():
        yield f"mockbroker has a bug: {bug}"


def faults_of(server: Server) -> Iterator[FaultFacts]:
    """The rules in force, and those that were removed without ever having acted."""
    book = server.faults
    if isinstance(book, FaultBook):
        for fault in {id(fault): fault for fault in (*book, *book.unfired())}.values():
            yield FaultFacts(fault.name, fault.explain(), fault.hits, fault.rule.optional, fault.armed)


def _gates(server: Server) -> Iterator[GateFacts]:
    book = server.faults
    if isinstance(book, FaultBook):
        for fault in book:
            if isinstance(fault, Gate):
                yield GateFacts(fault.name, [str(held) for held in fault.held()])


# -- partitions ---------------------------------------------------------------------------------------


def _partitions(world: World) -> Iterator[tuple[Place, PartitionFacts]]:
    looked_at = 0
    for name, topic in world.controller.image.topics.items():
        for partition in topic.partitions:
            node = world.nodes.get(partition.leader)
            replica = None if node is None or not node.up else node.replicas.get((name, partition.index))
            looked_at += 1
            if looked_at > PARTITIONS_MAX:
                return
            if replica is not None and name != OFFSETS_TOPIC:
                yield (name, partition.index), _partition(replica, name, partition.index)


def _partition(replica: Replica, topic: str, index: int) -> PartitionFacts:
    markers = [
        offset
        for batch in replica.log.batches[-BATCHES_LOOKED_AT:]
        if batch.is_control
        for offset in range(batch.base_offset, batch.last_offset + 1)
    ]
    transactions = [
        OpenTransaction(producer_id, producer.transaction_start)
        for producer_id, producer in replica.producers.active()
        if producer.transaction_start is not None
    ]
    return PartitionFacts(
        topic,
        index,
        replica.high_watermark,
        replica.last_stable_offset,
        replica.log.end,
        tuple(markers),
        tuple(transactions),
    )


# -- groups -------------------------------------------------------------------------------------------


def _groups(world: World) -> Iterator[GroupFacts]:
    for node in world.nodes.values():
        if node.up:
            for shard in node.shards.values():
                if not shard.loading:
                    for group in shard.groups.values():
                        yield _group(world, shard, group)


def _group(world: World, shard: GroupShard, group: ClassicGroup) -> GroupFacts:
    tickets = [ticket for m in group.members.values() for ticket in (m.joining, m.syncing) if ticket]
    return GroupFacts(
        id=group.id,
        state=group.state.value,
        generation=group.generation,
        since_ms=group.since_ms or 0,
        members=[
            MemberFacts(m.id, m.client_id, m.session_timeout_ms, present=_is_present(group, m))
            for m in group.members.values()
        ],
        committed={place: offset.offset for place, offset in shard.committed_offsets(group.id).items()},
        waits="; ".join(ticket.why for ticket in tickets),
        generations=list(world.chronicle.of(group.id)),
    )


def _is_present(group: ClassicGroup, member: Member) -> bool:
    """Whether a member has come to the phase that its group is in."""
    if group.state is State.PREPARING:
        return member.joining is not None
    return group.state is not State.COMPLETING or member.id not in group.unsynced
