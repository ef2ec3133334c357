"""A ghost that reads: from its partitions, at the offsets that its group has committed, and commits if it is told to.

It reads when the test says so and at no other time; between two reads it keeps its positions, as a consumer does,
and forgets those of partitions that it lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.ghosts.answers import Answer, first_error
from mockbroker.ghosts.asking import Asker
from mockbroker.ghosts.line import SCRIPT
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
    OffsetCommitPartition,
    OffsetCommitRequest,
    OffsetCommitTopic,
    OffsetFetchRequest,
    OffsetFetchTopic,
)
from mockbroker.records.batch import batches, iter_records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockbroker.ghosts.assignors import Place
    from mockbroker.ghosts.member import GhostMember
    from mockbroker.records.record import Record

# ListOffsets asks for these instead of a time.
RESETS = {"earliest": -2, "latest": -1}
# As much as Java's consumer asks of a partition at a time (max.partition.fetch.bytes).
PARTITION_BYTES = 1 << 20


class Reader:
    """What a member does with its partitions when a test says so."""

    def __init__(self, ghost: GhostMember) -> None:
        self._ghost = ghost
        self._asker = Asker(ghost.world, ghost.line, ghost.client_id)

    def commit(self, offsets: Mapping[Place, int], generation: int | None, member_id: str | None) -> Answer:
        """Send one OffsetCommit, by default in the generation that the ghost knows of."""
        ghost = self._ghost
        topics: dict[str, list[OffsetCommitPartition]] = {}
        for (topic, index), offset in offsets.items():
            part = OffsetCommitPartition(partition_index=index, committed_offset=offset)
            topics.setdefault(topic, []).append(part)
        request = OffsetCommitRequest(
            group_id=ghost.group_id,
            generation_id_or_member_epoch=ghost.generation if generation is None else generation,
            member_id=ghost.id if member_id is None else member_id,
            group_instance_id=ghost.wish.instance_id,
            topics=[OffsetCommitTopic(name=name, partitions=parts) for name, parts in topics.items()],
        )
        # Asked for anew each time: a zombie that sends to the old place would only be told to look again.
        node = self._asker.coordinator(ghost.group_id)
        ticket = ghost.line.ask(node, request, 8, lane=SCRIPT)
        ghost.world.settle()
        named = ", ".join(f"{topic}-{index}@{offset}" for (topic, index), offset in offsets.items())
        return Answer(f"{ghost.client_id}'s commit of {named}", ticket, first_error)

    def poll(self, reset: str, max_records: int) -> list[tuple[Place, Record]]:
        """Fetch once from each partition; moves the positions past what it gives."""
        found: list[tuple[Place, Record]] = []
        self._find_positions(reset)
        for place in self._ghost.places():
            for record in self._fetch(place, reset):
                if len(found) == max_records:
                    return found
                found.append((place, record))
                self._ghost.positions[place] = record.offset + 1
        return found

    def _find_positions(self, reset: str) -> None:
        """Where to begin in partitions that are new: at the commit, or where `reset` says."""
        ghost = self._ghost
        unknown = [place for place in ghost.places() if place not in ghost.positions]
        if not unknown:
            return
        topics: dict[str, list[int]] = {}
        for topic, index in unknown:
            topics.setdefault(topic, []).append(index)
        wanted = [OffsetFetchTopic(name=name, partition_indexes=indexes) for name, indexes in topics.items()]
        request = OffsetFetchRequest(group_id=ghost.group_id, topics=wanted, require_stable=True)
        response = self._asker.ask("OffsetFetch", self._asker.coordinator(ghost.group_id), request, 7)
        _check("OffsetFetch", response.error_code)
        for topic in response.topics:
            for part in topic.partitions:
                _check("OffsetFetch", part.error_code)
                place = (topic.name, part.partition_index)
                offset = part.committed_offset
                ghost.positions[place] = offset if offset >= 0 else self._list(place, reset)

    def _list(self, place: Place, reset: str) -> int:
        if reset not in RESETS:
            raise UsageError(f"auto_offset_reset={reset!r}: expected one of {', '.join(map(repr, RESETS))}")
        topic, index = place
        wanted = ListOffsetsPartition(partition_index=index, timestamp=RESETS[reset])
        request = ListOffsetsRequest(topics=[ListOffsetsTopic(name=topic, partitions=[wanted])])
        response = self._asker.ask("ListOffsets", self._asker.leader(topic, index), request, 5)
        (part,) = response.topics[0].partitions
        _check("ListOffsets", part.error_code)
        return int(part.offset)

    def _fetch(self, place: Place, reset: str) -> list[Record]:
        topic, index = place
        at = self._ghost.positions[place]
        wanted = FetchPartition(partition=index, fetch_offset=at, partition_max_bytes=PARTITION_BYTES)
        request = FetchRequest(topics=[FetchTopic(topic=topic, partitions=[wanted])])
        response = self._asker.ask("Fetch", self._asker.leader(topic, index), request, 11)
        _check("Fetch", response.error_code)
        (part,) = response.responses[0].partitions
        if part.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            self._ghost.positions[place] = self._list(place, reset)
            return []
        _check("Fetch", part.error_code)
        records = list[Any]()
        for batch in batches(b"".join(bytes(chunk) for chunk in part.records or ())):
            if not batch.is_control:
                records += [record for record in iter_records(batch) if record.offset >= at]
        return records


def _check(api: str, code: int) -> None:
    if code:
        raise KafkaError(ErrorCode(code), f"the ghost's {api} was refused: {ErrorCode(code).name}")
