"""A topic and its records, as a test holds them.

Goes past every client, straight to controller and logs, and by Kafka's own rules.  Partitions have a file of
their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mockbroker.core.image import ConfigKind, TopicImage
from mockbroker.core.new_topics import Planner, Wish, plan_more_partitions
from mockbroker.core.usage import UsageError
from mockbroker.handles.partitioner import partition_for
from mockbroker.handles.partitions import Partition, leader_replica
from mockbroker.handles.records import Record, TopicPartition, records_of, to_bytes
from mockbroker.protocol.errors import KafkaError
from mockbroker.records.batch import HEADER_BYTES, Batch
from mockbroker.records.builder import NewRecord, build_batch
from mockbroker.timeline.reading import clean
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.handles.door import BlockingDoor, Door, TrioDoor

# As many copies as a small cluster can have: enough for a majority, and no more than there are brokers.
COPIES = 3

# Values that are no JSON, no text, or nothing at all; what a schema registry's clients write begins with a zero
# byte and the number of the schema.
POISONS: dict[str, bytes | None] = {
    "not-json": b'{"total": 9',
    "not-utf8": b"\xff\xfe\xc3(",
    "empty": b"",
    "tombstone": None,
    "unknown-schema-id": b"\x00\x7f\xff\xff\xff\x02\x12",
    "1MB": b"x" * 1_000_000,
}


class TopicControls:
    """All of a topic but its waits."""

    def __init__(self, door: Door, name: str) -> None:
        self._at = door
        self.name = name

    def __repr__(self) -> str:
        return f"<Topic {self.name}>"

    # -- life -------------------------------------------------------------------------------------

    def create(
        self, partitions: int = 1, replication: int | None = None, config: Mapping[str, object] | None = None
    ) -> None:
        """Create the topic.  By default it has one partition, and a replica on each broker, three at most.

        Raises UsageError when it exists already or cannot be made as asked.

        >>> cluster.topic("bills").create(partitions=6, config={"min.insync.replicas": 2})
        """
        self._at.do(self._create, partitions, replication, config or {})

    def _create(self, partitions: int, replication: int | None, config: Mapping[str, object]) -> None:
        world = self._at.world
        copies = min(COPIES, len(world.nodes)) if replication is None else replication
        wish = Wish(
            self.name,
            partitions,
            copies,
            configs={name: config_text(value) for name, value in config.items()},
        )
        try:
            world.controller.create_topics([Planner(world.controller.image, world.defaults).plan(wish)])
        except KafkaError as refused:
            raise UsageError(
                f"topic {self.name!r} cannot be created: {refused.message} ({refused.code.name})"
            ) from refused
        self._note(f"create {self.name} p={partitions} rf={copies}")

    def delete(self) -> None:
        """Delete the topic; what groups had committed for it goes with it.

        >>> cluster.topic("orders").delete()
        """

        def delete() -> None:
            self._at.world.controller.delete_topics([self._image().name])
            self._note(f"delete {self.name}")

        self._at.do(delete)

    def recreate(self) -> None:
        """Delete the topic and create it again, empty, with the same shape and configs and another id.

        >>> cluster.topic("orders").recreate()
        """
        self._at.do(self._recreate)

    def _recreate(self) -> None:
        image, controller = self._image(), self._at.world.controller
        config = dict(controller.image.topic_overrides(self.name))
        controller.delete_topics([self.name])
        self._at.world.settle()
        self._create(len(image.partitions), len(image.partitions[0].replicas), config)

    def add_partitions(self, total: int) -> None:
        """Let the topic have `total` partitions, more than it has.

        >>> cluster.topic("orders").add_partitions(8)
        """

        def add() -> None:
            controller = self._at.world.controller
            try:
                controller.add_partitions(
                    self.name, plan_more_partitions(controller.image, self._image().name, total, None)
                )
            except KafkaError as refused:
                raise UsageError(f"topic {self.name!r}: {refused.message} ({refused.code.name})") from refused
            self._note(f"add partitions to {self.name}: {total} in all")

        self._at.do(add)

    @property
    def exists(self) -> bool:
        """Whether there is such a topic.

        >>> cluster.topic("orders").exists
        True
        """
        return self._at.do(lambda: self.name in self._at.world.controller.image.topics)

    @property
    def config(self) -> dict[str, str]:
        """The configs that were set for this topic; defaults are not among them.

        >>> cluster.topic("orders").config
        {}
        """
        return self._at.do(lambda: dict(self._at.world.controller.image.topic_overrides(self._image().name)))

    @property
    def partitions(self) -> list[TopicPartition]:
        """All its partitions, by number.

        >>> cluster.topic("orders").partitions[0]
        TopicPartition(topic='orders', partition=0)
        """
        return self._at.do(lambda: [TopicPartition(self.name, p.index) for p in self._image().partitions])

    def partition(self, index: int) -> Partition:
        """One of its partitions.

        >>> cluster.topic("orders").partition(0).leader
        1
        """
        count = len(self.partitions)
        if not 0 <= index < count:
            raise UsageError(f"topic {self.name!r} has no partition {index}: it has {count}, from 0 up")
        return Partition(self._at, self.name, index)

    def _note(self, what: str, **facts: object) -> None:
        """Tell the history what the test did."""
        self._at.world.history.act(what, topic=self.name, **facts)

    def _image(self) -> TopicImage:
        image = self._at.world.controller.image
        found = image.topics.get(self.name)
        if found is None:
            raise UsageError(
                f"there is no topic {self.name!r}: "
                f"there are {sorted(image.topics) or 'none'}; create() it first"
            )
        return found

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
        """Write one record to the log, past every client, and give its offset.

        Without `partition` the key decides, as it does for Kafka's own clients.  `timestamp` is in
        milliseconds; without it the record bears the broker's time.

        >>> cluster.topic("orders").append("o-2", b'{"total": 9}')
        0
        """
        return self._at.do(self._append, to_bytes(key), to_bytes(value), partition, headers, timestamp)

    def _append(
        self,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        headers: Sequence[tuple[str, bytes | None]],
        timestamp: int | None,
    ) -> int:
        index = partition_for(key, len(self._image().partitions)) if partition is None else partition
        replica = leader_replica(self._at.world, self.name, index)
        now_ms = self._at.world.nodes[replica.broker.id].wall_ms
        offset = replica.append(
            build_batch([NewRecord(key, value, headers, timestamp)], now_ms=now_ms)
        ).base_offset
        named = "" if key is None else f"  key={clean(key)}"
        self._note(f"append {self.name}-{index} @{offset}{named}", partition=index, offset=offset)
        return offset

    def append_poison(self, kind: str, *, key: str | bytes | None = "poison", partition: int = 0) -> int:
        """Write a record that an app may choke on, and give its offset.

        `kind` is "not-json", "not-utf8", "empty", "tombstone" (no value at all), "unknown-schema-id" (the frame
        of a schema registry, with an id that none has given out) or "1MB".  The record is sound as far as Kafka
        is concerned; `append_raw` writes what is not.

        >>> cluster.topic("orders").append_poison("not-json", partition=1)
        0
        """
        if kind not in POISONS:
            raise UsageError(f"append_poison({kind!r}): there are {', '.join(map(repr, POISONS))}")
        return self._at.do(self._append, to_bytes(key), POISONS[kind], partition, (), None)

    def append_raw(self, batch: bytes, *, partition: int = 0) -> int:
        """Write a batch just as it is: a bad CRC, an unknown codec, a wrong magic and all; give its offset.

        Only base offset and leader epoch are set.  The bytes must be long enough for a batch header (61).

        >>> cluster.topic("orders").append_raw(bytes(61), partition=2)
        0
        """
        if len(batch) < HEADER_BYTES:
            raise UsageError(
                f"append_raw: {len(batch)} bytes are no batch, whose header alone takes {HEADER_BYTES}"
            )

        def append() -> int:
            replica = leader_replica(self._at.world, self.name, partition)
            offset = replica.append(Batch.unchecked(batch)).base_offset
            self._note(
                f"append {self.name}-{partition} @{offset}  as given", partition=partition, offset=offset
            )
            return offset

        return self._at.do(append)

    def records(self, partition: int | None = None, isolation: str = "committed") -> list[Record]:
        """What is in the leaders' logs, by partition and offset.

        "committed" and "uncommitted" show what consumers of these isolation levels can read; "all" shows
        everything that is there, markers and unreplicated records included.

        >>> [record.value for record in cluster.topic("orders").records(partition=0)]
        [b'paid']
        """
        return self._at.do(self._records, partition, isolation)

    def _records(self, partition: int | None, isolation: str) -> list[Record]:
        indexes = range(len(self._image().partitions)) if partition is None else [partition]
        return [
            record
            for index in indexes
            for record in records_of(leader_replica(self._at.world, self.name, index), isolation)
        ]

    def values(self, partition: int | None = None, isolation: str = "committed") -> list[bytes | None]:
        """The values of `records(...)`.

        >>> cluster.topic("orders").values(isolation="all")
        [b'paid']
        """
        return [record.value for record in self.records(partition, isolation)]

    def keys(self, partition: int | None = None, isolation: str = "committed") -> list[bytes | None]:
        """The keys of `records(...)`.

        >>> cluster.topic("orders").keys()
        [b'o-1']
        """
        return [record.key for record in self.records(partition, isolation)]

    def end_offset(self, partition: int = 0) -> int:
        """The offset that the next record will get: the leader's log end.

        >>> cluster.topic("orders").end_offset(0)
        1
        """
        return self._at.do(lambda: leader_replica(self._at.world, self.name, partition).log.end)

    def delete_records(self, partition: int, before: int) -> None:
        """Let the partition begin at offset `before`.

        >>> cluster.topic("orders").delete_records(0, before=1)
        """

        def delete() -> None:
            replica = leader_replica(self._at.world, self.name, partition)
            if not replica.log.start <= before <= replica.high_watermark:
                raise UsageError(
                    f"{self.name}-{partition} cannot begin at {before}: "
                    f"it has committed records from {replica.log.start} to {replica.high_watermark}"
                )
            replica.advance_start(before)
            self._note(f"delete records of {self.name}-{partition} before {before}", partition=partition)

        self._at.do(delete)

    def alter_config(self, **config: object) -> None:
        """Set some configs, dots written as underscores; None takes one back to its default.

        >>> cluster.topic("orders").alter_config(min_insync_replicas=2)
        """
        from mockbroker.core.config_rules import check_topic_overrides

        def alter() -> None:
            controller = self._at.world.controller
            overrides: dict[str, str] = dict(controller.image.topic_overrides(self._image().name))
            for name, value in config.items():
                overrides.pop(name.replace("_", "."), None)
                if value is not None:
                    overrides[name.replace("_", ".")] = config_text(value)
            try:
                check_topic_overrides(overrides)
            except KafkaError as refused:
                raise UsageError(f"topic {self.name!r}: {refused.message}") from refused
            controller.alter_configs(ConfigKind.TOPIC, self.name, overrides)
            self._note(f"configs of {self.name}: {overrides}")

        self._at.do(alter)

    def _has_records(self, count: int, isolation: str) -> Condition[list[Record]]:
        def look() -> list[Record] | None:
            if self.name not in self._at.world.controller.image.topics:
                return None
            found = self._records(None, isolation)
            return found if len(found) >= count else None

        def now() -> str:
            if self.name not in self._at.world.controller.image.topics:
                return "there is no such topic"
            found = self._records(None, isolation)
            unseen = len(self._records(None, "all")) - len(found)
            return f"it has {len(found)}" + (f", and {unseen} that readers may not see yet" if unseen else "")

        return Condition(f"{count} records in {self.name}", look, now)


def config_text(value: object) -> str:
    """A config as Kafka wants it: text, and true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Topic(TopicControls):
    """A topic, for tests that are plain functions."""

    _at: BlockingDoor

    def wait_records(
        self, count: int, *, isolation: str = "committed", timeout: float | str | None = None
    ) -> list[Record]:
        """Wait until readers can see `count` records or more, and give them.

        >>> [record.key for record in cluster.topic("orders").wait_records(1)]
        [b'o-1']
        """
        return self._at.wait(self._has_records(count, isolation), timeout)


class TrioTopic(TopicControls):
    """A topic, for trio tests."""

    _at: TrioDoor

    async def wait_records(
        self,
        count: int,
        *,
        isolation: str = "committed",
        timeout: float | str | None = None,  # noqa: ASYNC109 - the wait explains itself when it ends
    ) -> list[Record]:
        """Wait until readers can see `count` records or more, and give them."""
        return await self._at.wait(self._has_records(count, isolation), timeout)
