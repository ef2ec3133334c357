"""A small world to put admin requests to, over the real encodings but without sockets."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from mockbroker.core.call import Call, Peer
from mockbroker.core.ticket import Ticket
from mockbroker.core.world import World
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import decode, encode
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResult,
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResult,
)
from mockbroker.protocol.messages.topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreatedTopic,
    CreateTopicsRequest,
)
from mockbroker.protocol.schema import schema_of

TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)


class Admin:
    """Somebody who manages a cluster of three."""

    def __init__(
        self,
        brokers: int = 3,
        config: Mapping[str, object] | None = None,
        racks: Mapping[int, str] | None = None,
        *,
        friendly: bool = True,
    ) -> None:
        ids = range(1, brokers + 1)
        self.world = World(brokers=ids, random=Random(7), racks=racks, config=config, friendly=friendly)

    def ask(self, body: Any, version: int | None = None, broker: int = 1) -> Any:
        """The answer of a broker as it looks to the client; None while there is none."""
        reply = self.begin(body, version, broker)
        return reply if not isinstance(reply, Ticket) else None

    def begin(self, body: Any, version: int | None = None, broker: int = 1) -> Any:
        """The answer of a broker, or the ticket for it."""
        api = Api(schema_of(type(body)).api_key)
        handler = HANDLERS[api]
        version = handler.max_version if version is None else version
        seen = decode(type(body), version, b"".join(encode(body, version)))
        call: Call[Any] = Call(api, version, 1, "admin", seen, Peer())
        try:
            reply = handler.answer(call, self.world.nodes[broker])
        except KafkaError as error:
            reply = handler.refuse(call, error)
        self.world.settle()
        if isinstance(reply, Ticket):
            return reply
        return decode(type(reply), version, b"".join(encode(reply, version)))

    def create(
        self,
        name: str,
        partitions: int = 1,
        replication: int = 1,
        assignments: Mapping[int, list[int]] | None = None,
        version: int | None = None,
        **configs: str | None,
    ) -> CreatedTopic:
        """Create a topic; configs are written with underscores."""
        topic = wanted(name, partitions, replication, assignments, **configs)
        result: CreatedTopic = self.ask(CreateTopicsRequest(topics=[topic]), version).topics[0]
        return result

    def describe(
        self, kind: int, name: str, *keys: str, broker: int = 1, version: int | None = None
    ) -> DescribeConfigsResult:
        """The configs of one resource with everything that can be told of them."""
        request = DescribeConfigsRequest(
            resources=[
                DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=list(keys))
            ],
            include_synonyms=True,
            include_documentation=True,
        )
        result: DescribeConfigsResult = self.ask(request, version, broker).results[0]
        return result

    def value(self, kind: int, name: str, key: str) -> tuple[str | None, int]:
        """The value of one config and where it comes from."""
        (config,) = self.describe(kind, name, key).configs
        return config.value, config.config_source

    def alter(
        self, kind: int, name: str, key: str, value: str | None, operation: int = SET, broker: int = 1
    ) -> IncrementalAlterConfigsResult:
        """Alter one config."""
        request = IncrementalAlterConfigsRequest(
            resources=[
                IncrementalAlterConfigsResource(
                    resource_type=kind,
                    resource_name=name,
                    configs=[IncrementalAlterableConfig(name=key, config_operation=operation, value=value)],
                )
            ]
        )
        result: IncrementalAlterConfigsResult = self.ask(request, broker=broker).responses[0]
        return result

    def replicas(self, topic: str) -> list[tuple[int, ...]]:
        """Where the replicas of each partition are."""
        return [partition.replicas for partition in self.world.controller.image.topics[topic].partitions]


def wanted(
    name: str,
    partitions: int = 1,
    replication: int = 1,
    assignments: Mapping[int, list[int]] | None = None,
    **configs: str | None,
) -> CreatableTopic:
    """A topic as CreateTopics asks for it."""
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=replicas)
            for index, replicas in (assignments or {}).items()
        ],
        configs=[
            CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()
        ],
    )


def codes(results: list[Any]) -> list[ErrorCode]:
    """The error codes of some results, by name when a test fails."""
    return [ErrorCode(result.error_code) for result in results]
