"""A cluster without sockets, and what a test does to it: requests, crashes, cut roads, time.

Requests go the straight line of a conversation and over the real encodings, so an answer is what a client of
that version would see.  It decides nothing and checks nothing: a test says what should have come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from mockbroker.conversation import Conversation, FaultHook
from mockbroker.core.call import Call, Peer
from mockbroker.core.controller import NewTopic
from mockbroker.core.image import NO_LEADER, ConfigKind, PartitionImage
from mockbroker.core.links import CONTROLLER
from mockbroker.core.replica import Replica
from mockbroker.core.ticket import Disconnect, Ticket
from mockbroker.core.world import World
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from mockbroker.protocol.messages.offsets import (
    ListedPartition,
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from mockbroker.protocol.messages.produce import ProducePartition, ProduceRequest, ProduceTopic
from mockbroker.protocol.schema import schema_of
from mockbroker.records.batch import Batch, batches, iter_records
from mockbroker.records.builder import NewRecord, build_batch

TOPIC = "orders"
ALL, LEADER, NONE = -1, 1, 0
INT32_MAX = 2**31 - 1

# What most tests take for a producer without idempotence, and for the end of a client's patience.
NOBODY = (-1, -1, -1)
PATIENCE_MS = 30_000


def batch_of(
    *values: bytes | None,
    key: bytes | None = b"key",
    timestamp: int | None = None,
    producer: tuple[int, int, int] = NOBODY,
    **more: Any,
) -> Batch:
    """A batch of these values; `producer` is (id, epoch, first sequence)."""
    records = [NewRecord(key, value, (), timestamp) for value in values]
    producer_id, epoch, sequence = producer
    more = {"producer_id": producer_id, "producer_epoch": epoch, "base_sequence": sequence, **more}
    return build_batch(records, now_ms=1_700_000_000_000, **more)


def batches_in(records: Any) -> Iterator[Batch]:
    """The whole batches in what a fetch brought."""
    return batches(b"".join(records) if isinstance(records, list) else bytes(records or b""))


def values_in(records: Any) -> list[bytes | None]:
    """The values of the whole batches in what a fetch brought, control records left out."""
    found: list[bytes | None] = []
    for batch in batches_in(records):
        if not batch.is_control:
            found += [None if r.value is None else bytes(r.value) for r in iter_records(batch)]
    return found


class Asked:
    """A request that was sent, and its answer once there is one."""

    def __init__(self, reply: Any, version: int) -> None:
        self._reply = reply
        self._version = version

    @property
    def outcome(self) -> Any:
        """What came of it, as the core has it; to be asked once it is `answered`."""
        return self._reply.result if isinstance(self._reply, Ticket) else self._reply

    @property
    def answered(self) -> bool:
        """Whether nothing is waited for any more."""
        return not isinstance(self._reply, Ticket) or self._reply.done

    @property
    def why(self) -> str:
        """What is waited for."""
        assert isinstance(self._reply, Ticket)
        return self._reply.why

    @property
    def closed(self) -> bool:
        """Whether the broker closed the connection instead of answering."""
        return self.answered and isinstance(self.outcome, Disconnect)

    @property
    def response(self) -> Any:
        """The answer as a client of that version reads it."""
        assert self.answered, f"still waiting: {self._reply!r}"
        assert not self.closed, self.outcome
        outcome = self.outcome
        return decode(type(outcome), self._version, b"".join(encode(outcome, self._version)))

    @property
    def only(self) -> Any:
        """The one partition in the answer."""
        response = self.response
        (topic,) = response.responses if hasattr(response, "responses") else response.topics
        named = [
            getattr(topic, name)
            for name in ("partition_responses", "partitions", "partition_results")
            if hasattr(topic, name)
        ]
        ((partition,),) = named
        return partition


class Simulation:
    """Brokers 1, 2, 3 and whoever talks to them."""

    def __init__(
        self,
        brokers: int = 3,
        *,
        seed: int = 7,
        config: Mapping[str, object] | None = None,
        racks: Mapping[int, str] | None = None,
        friendly: bool = True,
    ) -> None:
        ids = range(1, brokers + 1)
        self.world = World(brokers=ids, random=Random(seed), racks=racks, config=config, friendly=friendly)
        self.world.history.outcomes = True
        for id in ids:
            self.world.set_address(id, f"broker-{id}", 9090 + id)
        # What meddles with requests, if a test wants that.
        self.hook: FaultHook | None = None
        self._conversations: dict[tuple[str, int], Conversation] = {}
        self._correlation_id = 0

    def topic(
        self, name: str = TOPIC, assignments: Sequence[Sequence[int]] = ((1, 2, 3),), **configs: str
    ) -> None:
        """Make a topic; `min_insync_replicas="2"` is a config of it."""
        overrides = {config.replace("_", "."): value for config, value in configs.items()}
        self.world.controller.create_topics([NewTopic(name, [list(ids) for ids in assignments], overrides)])
        self.world.settle()

    def configure(self, name: str = TOPIC, **configs: str) -> None:
        """Give a topic other configs, these and no others."""
        overrides = {config.replace("_", "."): value for config, value in configs.items()}
        self.world.controller.alter_configs(ConfigKind.TOPIC, name, overrides)
        self.world.settle()

    def delete(self, name: str = TOPIC) -> None:
        self.world.controller.delete_topics([name])
        self.world.settle()

    # -- what is so -------------------------------------------------------------------------------

    def partition(self, topic: str = TOPIC, index: int = 0) -> PartitionImage:
        """The partition as the controller has it."""
        return self.world.controller.image.topics[topic].partitions[index]

    def leader_id(self, topic: str = TOPIC, index: int = 0) -> int:
        """The broker that leads, as the controller sees it; where none does, one that would."""
        partition = self.partition(topic, index)
        return partition.replicas[0] if partition.leader == NO_LEADER else partition.leader

    def topic_id(self, topic: str = TOPIC) -> bytes:
        return self.world.controller.image.topics[topic].id

    def replica(self, broker: int, topic: str = TOPIC, index: int = 0) -> Replica:
        return self.world.nodes[broker].replicas[topic, index]

    def leader(self, topic: str = TOPIC, index: int = 0) -> Replica:
        """The replica that leads, as the controller sees it."""
        return self.replica(self.partition(topic, index).leader, topic, index)

    def log(self, broker: int, topic: str = TOPIC, index: int = 0) -> list[bytes | None]:
        """The values that one broker's copy holds, committed or not."""
        return values_in([bytes(batch.data) for batch in self.replica(broker, topic, index).log.batches])

    # -- requests ---------------------------------------------------------------------------------

    def ask(self, body: Any, *, to: int, version: int | None = None, client: str = "app") -> Asked:
        """Send any request to one broker."""
        api = Api(schema_of(type(body)).api_key)
        version = HANDLERS[api].max_version if version is None else version
        seen = decode(type(body), version, b"".join(encode(body, version)))
        conversation = self._conversations.get((client, to))
        if conversation is None or not conversation.alive:
            peer = Peer(ordinal=len(self._conversations) + 1)
            conversation = self._conversations[client, to] = Conversation(
                self.world.nodes[to], peer, self.hook
            )
        self._correlation_id += 1
        call: Call[Any] = Call(api, version, self._correlation_id, client, seen, conversation.peer)
        return Asked(conversation.exchange(call), version)

    def produce(
        self,
        *values: bytes | None,
        acks: int = ALL,
        to: int | None = None,
        topic: str = TOPIC,
        index: int = 0,
        version: int = 12,
        producer: tuple[int, int, int] = NOBODY,
        patience_ms: int = PATIENCE_MS,
        batch: Batch | bytes | None = None,
        client: str = "app",
        **more: Any,
    ) -> Asked:
        """Send one batch to one partition, to its leader unless `to` says otherwise."""
        if batch is None:
            batch = batch_of(*values, producer=producer, **more)
        data = bytes(batch.data) if isinstance(batch, Batch) else batch
        found = self.world.controller.image.topics.get(topic)
        asked = ProduceTopic(
            name=topic,
            topic_id=found.id if found else bytes(16),
            partition_data=[ProducePartition(index=index, records=data)],
        )
        body = ProduceRequest(acks=acks, timeout_ms=patience_ms, topic_data=[asked])
        target = self.partition(topic, index).leader if to is None else to
        return self.ask(body, to=target, version=version, client=client)

    def fetch(
        self,
        offset: int = 0,
        *,
        to: int | None = None,
        topic: str = TOPIC,
        index: int = 0,
        version: int = 12,
        max_wait_ms: int = 0,
        min_bytes: int = 1,
        max_bytes: int = INT32_MAX,
        partition_max_bytes: int = INT32_MAX,
        leader_epoch: int = -1,
        last_epoch: int = -1,
        isolation: int = 0,
        rack: str = "",
        session: tuple[int, int] = (0, -1),
    ) -> Asked:
        """Read one partition, from its leader unless `to` says otherwise."""
        part = FetchPartition(
            partition=index,
            current_leader_epoch=leader_epoch,
            fetch_offset=offset,
            last_fetched_epoch=last_epoch,
            partition_max_bytes=partition_max_bytes,
        )
        found = self.world.controller.image.topics.get(topic)
        asked = FetchTopic(topic=topic, topic_id=found.id if found else bytes(16), partitions=[part])
        body = FetchRequest(
            max_wait_ms=max_wait_ms,
            min_bytes=min_bytes,
            max_bytes=max_bytes,
            isolation_level=isolation,
            session_id=session[0],
            session_epoch=session[1],
            topics=[asked],
            rack_id=rack,
        )
        return self.ask(body, to=self.partition(topic, index).leader if to is None else to, version=version)

    def read(self, offset: int = 0, **how: Any) -> list[bytes | None]:
        """The values that a consumer gets from `offset` on."""
        return values_in(self.fetch(offset, **how).only.records)

    def list_offset(
        self,
        timestamp: int = -1,
        *,
        to: int | None = None,
        topic: str = TOPIC,
        index: int = 0,
        version: int = 11,
        isolation: int = 0,
        leader_epoch: int = -1,
        replica_id: int = -1,
    ) -> ListedPartition:
        """What ListOffsets answers for one partition."""
        part = ListOffsetsPartition(
            partition_index=index, current_leader_epoch=leader_epoch, timestamp=timestamp
        )
        body = ListOffsetsRequest(
            replica_id=replica_id,
            isolation_level=isolation,
            topics=[ListOffsetsTopic(name=topic, partitions=[part])],
        )
        target = self.partition(topic, index).leader if to is None else to
        listed: ListedPartition = self.ask(body, to=target, version=version).only
        return listed

    # -- what a test does to brokers --------------------------------------------------------------

    def freeze(self, *brokers: int, topic: str = TOPIC, index: int = 0) -> None:
        """Let these brokers' copies stop copying."""
        for broker in brokers:
            self.replica(broker, topic, index).frozen = True

    def catch_up(self, *brokers: int, topic: str = TOPIC, index: int = 0) -> None:
        """Let them copy again."""
        for broker in brokers:
            replica = self.replica(broker, topic, index)
            replica.frozen = False
            if replica.following is not None:
                replica.following.fetch()
        self.world.settle()

    def cut_off_controller(self) -> None:
        """Take the quorum away: no broker reaches the controller."""
        for id in self.world.nodes:
            self.world.links.cut(id, CONTROLLER)

    def bring_back_controller(self) -> None:
        """The quorum is there again."""
        for id, node in self.world.nodes.items():
            self.world.links.mend(id, CONTROLLER)
            node.heartbeat()
            self.world.settle()
            node.reconnected([CONTROLLER])
        self.world.settle()

    def advance(self, ms: int) -> None:
        """Let the brokers' time pass."""
        self.world.clock.advance(ms)

    def wait(self, ms: int) -> None:
        """Let the clients' time pass."""
        self.world.patience.advance(ms)
