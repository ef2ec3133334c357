"""ListConfigResources: the names of everything that has configs, by type.

Brokers and topics are listed whether anything was set for them or not, as Kafka does.  Groups and client
metrics appear once something is set for them, which nobody can do here: of those there are none.  Answered
from what this broker has heard.

v0 client metrics only (KIP-714) - v1 any type (KIP-1142)
"""

from __future__ import annotations

from enum import IntEnum

from mockbroker.core.call import Call
from mockbroker.core.image import Image
from mockbroker.core.node import Node
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.configs import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)


class ResourceType(IntEnum):
    """What can have configs, in the order in which Kafka lists it."""

    GROUP = 32
    CLIENT_METRICS = 16
    BROKER_LOGGER = 8
    BROKER = 4
    TOPIC = 2


def refuse(_: Call[ListConfigResourcesRequest], error: KafkaError) -> ListConfigResourcesResponse:
    """No list."""
    return ListConfigResourcesResponse(error_code=error.code)


@answers(ListConfigResourcesRequest, versions="0-1", refuse=refuse)
def list_config_resources(call: Call[ListConfigResourcesRequest], node: Node) -> ListConfigResourcesResponse:
    """List the resources of the types that were asked for, or of all types."""
    wanted: set[int] = {ResourceType.CLIENT_METRICS}
    if call.version >= 1:
        wanted = set(call.body.resource_types) or set(ResourceType)
    if not wanted <= set(ResourceType):
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=type)
            for type in ResourceType
            if type in wanted
            for name in _names(type, node.image)
        ]
    )


def _names(type: ResourceType, image: Image) -> list[str]:
    match type:
        case ResourceType.TOPIC:
            return list(image.topics)
        case ResourceType.BROKER | ResourceType.BROKER_LOGGER:
            return [str(id) for id in sorted(image.brokers)]
        case _:
            return []
