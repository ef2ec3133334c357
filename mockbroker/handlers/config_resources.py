"""What the config requests have in common: which resources there are, and who may be asked about them.

Topics are everybody's; a broker's settings are asked of that very broker, and "" means all brokers at once.
Other types (loggers, client metrics, groups) have no configs in mockbroker and are refused by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mockbroker.core.config_rules import check_broker_overrides, check_topic_overrides
from mockbroker.core.controller import Controller
from mockbroker.core.image import ConfigKind, Image
from mockbroker.core.naming import fault_of_name
from mockbroker.core.node import Node
from mockbroker.protocol.errors import ErrorCode, KafkaError

# The protocol's other types of resources.
_UNSERVED = {8: "BROKER_LOGGER", 16: "CLIENT_METRICS", 32: "GROUP"}

Overrides = dict[str, str]


@dataclass(slots=True)
class AlteredResource:
    """One resource to be altered: which names are touched, and what its overrides become."""

    type: int
    name: str
    touched: list[str]
    after: Callable[[Overrides], Overrides]


def kind_of(resource_type: int) -> ConfigKind:
    """The kind of a resource.  Raises KafkaError 42 for what has no configs here."""
    if resource_type in tuple(ConfigKind):
        return ConfigKind(resource_type)
    if resource_type in _UNSERVED:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            f"mockbroker does not serve configs of type {_UNSERVED[resource_type]} ({resource_type}); "
            "topics (2) and brokers (4) have configs.",
        )
    raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown resource type {resource_type}")


def check_broker(node: Node, name: str, *, noun: str = "Broker", or_empty: str = " or empty string") -> None:
    """Raise KafkaError 42 unless `name` is this broker's or nobody's in particular.

    Kafka words it in two ways, by whether it is asked to describe or to alter.
    """
    if name == "" or name == str(node.id):
        return
    if not name.lstrip("-").isdecimal():
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"{noun} id must be an integer, but it is: {name}")
    raise KafkaError(
        ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {node.id}{or_empty}, but received {name}"
    )


def check_topic(image: Image, name: str) -> None:
    """Raise KafkaError 17 or 3 unless there is such a topic."""
    if (fault := fault_of_name(name)) is not None:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, fault)
    if name not in image.topics:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


def check_distinct(
    resource_type: int, name: str, keys: Iterable[str], named: Counter[tuple[int, str]]
) -> None:
    """Raise KafkaError 42 where a request names a resource twice, or one of its keys."""
    if named[resource_type, name] > 1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
    if any(count > 1 for count in Counter(keys).values()):
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")


def alter(node: Node, controller: Controller, altered: AlteredResource, *, validate_only: bool) -> None:
    """Check one resource and change it, wholly or not at all.  Raises KafkaError."""
    kind = kind_of(altered.type)
    key = (kind, altered.name)
    if kind is ConfigKind.TOPIC:
        if not altered.name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
        if altered.name not in controller.image.topics:
            raise KafkaError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{altered.name}' does not exist."
            )
    else:
        check_broker(node, altered.name, noun="Node", or_empty="")
    before = dict(controller.image.configs.get(key, {}))
    after = altered.after(before)
    if kind is ConfigKind.TOPIC:
        check_topic_overrides(after)
    else:
        elr = controller.image.elr
        check_broker_overrides(before, after, altered.touched, cluster_wide=altered.name == "", elr=elr)
    if after != before and not validate_only:
        controller.alter_configs(kind, altered.name, after)
