"""A topic of a real Kafka, with those methods of ours that a real broker can do.

Says the same as `mockbroker.handles.topics` where it is refused the same; what it has not, skips the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.external.reading import EARLIEST, LATEST, offset_of, read
from mockbroker.external.wire import refuse
from mockbroker.handles.partitioner import partition_for
from mockbroker.handles.records import ISOLATIONS, Record, TopicPartition, to_bytes
from mockbroker.handles.topics import COPIES, POISONS, Topic, config_text
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.messages.topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
    CreateTopicsRequest,
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
    DeleteTopicsRequest,
)
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.external.cluster import ExternalCluster

# How long a broker may take over one request of ours.
REQUEST_TIMEOUT_MS = 30_000


class ExternalTopic:
    """A topic by name, whether it exists yet or not."""

    def __init__(self, cluster: ExternalCluster, name: str) -> None:
        self._at = cluster
        self.name = name

    def __repr__(self) -> str:
        return f"<Topic {self.name} of {self._at.bootstrap}>"

    def __getattr__(self, name: str) -> Any:
        self._at.only_mockbroker("topic(...)", Topic, name)

    # -- life -------------------------------------------------------------------------------------

    def create(
        self, partitions: int = 1, replication: int | None = None, config: Mapping[str, object] | None = None
    ) -> None:
        """See `Topic.create`; returns when every partition has a leader."""
        brokers = len(self._at.wire.metadata().brokers)
        wish = CreatableTopic(
            name=self.name,
            num_partitions=partitions,
            replication_factor=min(COPIES, brokers) if replication is None else replication,
            configs=[
                CreatableTopicConfig(name=key, value=config_text(value))
                for key, value in (config or {}).items()
            ],
        )
        request = CreateTopicsRequest(topics=[wish], timeout_ms=REQUEST_TIMEOUT_MS)
        (made,) = self._at.wire.ask(request, self._at.controller_address()).topics
        if made.error_code:
            raise UsageError(
                f"topic {self.name!r} cannot be created: {made.error_message or 'refused'} "
                f"({ErrorCode(made.error_code).name})"
            )
        self._at.made.append(self.name)
        self._at.wait(
            Condition(f"leaders of {self.name}", lambda: self._led(partitions), lambda: "some are missing")
        )

    def _led(self, partitions: int) -> bool | None:
        (found,) = self._at.wire.metadata(self.name).topics
        ready = [one for one in found.partitions if one.leader_id >= 0]
        return len(ready) == partitions or None

    def delete(self) -> None:
        """See `Topic.delete`; returns when the brokers do not tell of it any more."""
        self.partitions  # noqa: B018 - says so if there is none
        self._at.delete_topics([self.name])

    def add_partitions(self, total: int) -> None:
        """See `Topic.add_partitions`."""
        wish = CreatePartitionsTopic(name=self.name, count=total, assignments=None)
        request = CreatePartitionsRequest(topics=[wish], timeout_ms=REQUEST_TIMEOUT_MS)
        (made,) = self._at.wire.ask(request, self._at.controller_address()).results
        if made.error_code:
            raise UsageError(f"topic {self.name!r}: {made.error_message} ({ErrorCode(made.error_code).name})")
        self._at.wait(
            Condition(f"leaders of {self.name}", lambda: self._led(total), lambda: "some are missing")
        )

    @property
    def exists(self) -> bool:
        """See `Topic.exists`."""
        (found,) = self._at.wire.metadata(self.name).topics
        return not found.error_code

    @property
    def partitions(self) -> list[TopicPartition]:
        """See `Topic.partitions`."""
        (found,) = self._at.wire.metadata(self.name).topics
        if found.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            there = sorted(one.name for one in self._at.wire.metadata().topics if not one.is_internal)
            raise UsageError(
                f"there is no topic {self.name!r}: there are {there or 'none'}; create() it first"
            )
        return sorted(TopicPartition(self.name, one.partition_index) for one in found.partitions)

    # -- records ----------------------------------------------------------------------------------

    def append(
        self,
        key: str | bytes | None,
        value: str | bytes | None,
        *,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        timestamp: int | None = None,
    ) -> int:
        """See `Topic.append`; the record is written by a Produce with acks=all."""
        sent = to_bytes(key)
        index = partition_for(sent, len(self.partitions)) if partition is None else partition
        batch = build_batch([NewRecord(sent, to_bytes(value), headers, timestamp)], now_ms=self._at.now_ms())
        topic = ProduceTopic(
            name=self.name, partition_data=[ProducePartition(index=index, records=batch.data)]
        )
        request = ProduceRequest(acks=-1, timeout_ms=REQUEST_TIMEOUT_MS, topic_data=[topic])
        response = self._at.wire.ask(request, self._leader(index))
        answer = response.responses[0].partition_responses[0]
        refuse(answer.error_code)
        return int(answer.base_offset)

    def append_poison(self, kind: str, *, key: str | bytes | None = "poison", partition: int = 0) -> int:
        """See `Topic.append_poison`."""
        if kind not in POISONS:
            raise UsageError(f"append_poison({kind!r}): there are {', '.join(map(repr, POISONS))}")
        return self.append(key, POISONS[kind], partition=partition)

    def records(self, partition: int | None = None, isolation: str = "committed") -> list[Record]:
        """See `Topic.records`; records that are not replicated yet cannot be seen."""
        if isolation not in ISOLATIONS:
            raise UsageError(f"isolation={isolation!r}: expected one of {', '.join(map(repr, ISOLATIONS))}")
        indexes = [one.partition for one in self.partitions] if partition is None else [partition]
        return [record for index in indexes for record in read(self._at.wire, self.name, index, isolation)]

    def values(self, partition: int | None = None, isolation: str = "committed") -> list[bytes | None]:
        """See `Topic.values`."""
        return [record.value for record in self.records(partition, isolation)]

    def keys(self, partition: int | None = None, isolation: str = "committed") -> list[bytes | None]:
        """See `Topic.keys`."""
        return [record.key for record in self.records(partition, isolation)]

    def end_offset(self, partition: int = 0) -> int:
        """See `Topic.end_offset`; as far as it is replicated."""
        self._leader(partition)
        return offset_of(self._at.wire, self.name, partition, LATEST)

    def delete_records(self, partition: int, before: int) -> None:
        """See `Topic.delete_records`."""
        wish = DeleteRecordsTopic(
            name=self.name, partitions=[DeleteRecordsPartition(partition_index=partition, offset=before)]
        )
        request = DeleteRecordsRequest(topics=[wish], timeout_ms=REQUEST_TIMEOUT_MS)
        answer = self._at.wire.ask(request, self._leader(partition)).topics[0].partitions[0]
        if answer.error_code:
            start, end = (offset_of(self._at.wire, self.name, partition, when) for when in (EARLIEST, LATEST))
            raise UsageError(
                f"{self.name}-{partition} cannot begin at {before}: it has committed records from {start} to {end}"
            )

    def wait_records(
        self, count: int, *, isolation: str = "committed", timeout: float | str | None = None
    ) -> list[Record]:
        """See `Topic.wait_records`; asks again and again, for a real broker tells nobody."""

        def look() -> list[Record] | None:
            found = self.records(isolation=isolation) if self.exists else []
            return found if len(found) >= count else None

        def now() -> str:
            return (
                f"it has {len(self.records(isolation=isolation))}"
                if self.exists
                else "there is no such topic"
            )

        return self._at.wait(Condition(f"{count} records in {self.name}", look, now), timeout)

    def _leader(self, partition: int) -> tuple[str, int]:
        count = len(self.partitions)
        if not 0 <= partition < count:
            raise UsageError(f"topic {self.name!r} has no partition {partition}: it has {count}, from 0 up")
        try:
            return self._at.wire.leader(self.name, partition)
        except KafkaError as refused:
            raise UsageError(f"{self.name}-{partition}: {refused}") from refused


def delete_request(names: Sequence[str]) -> DeleteTopicsRequest:
    """A request that deletes some topics."""
    return DeleteTopicsRequest(topic_names=list(names), timeout_ms=REQUEST_TIMEOUT_MS)
