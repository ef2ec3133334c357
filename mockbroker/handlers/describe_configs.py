"""DescribeConfigs: the configs of topics and brokers, their values and where these come from.

Answered from what this broker has heard.  Each resource succeeds or fails alone; keys that do not exist are
passed over in silence, as Kafka does.  Secrets are never shown.

v0 says only whether a value is the default - v1 sources and synonyms (KIP-226) - v3 types and documentation
Not here: configs of loggers, client metrics and groups.
"""

from __future__ import annotations

from mockbroker.core.broker_config import ConfigSource
from mockbroker.core.call import Call
from mockbroker.core.config_description import Entry, describe_all_brokers, describe_broker, describe_topic
from mockbroker.core.image import ConfigKind
from mockbroker.core.node import Node
from mockbroker.handlers.config_resources import check_broker, check_topic, kind_of
from mockbroker.handlers.forwarding import text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.configs import (
    ConfigSynonym,
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribedConfig,
)


def refuse(call: Call[DescribeConfigsRequest], error: KafkaError) -> DescribeConfigsResponse:
    """Every resource of the request, refused with one error."""
    return DescribeConfigsResponse(results=[_refused(resource, error) for resource in call.body.resources])


def _refused(resource: DescribeConfigsResource, error: KafkaError) -> DescribeConfigsResult:
    # Of a topic that does not exist Kafka says nothing more.
    quiet = error.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return DescribeConfigsResult(
        error_code=error.code,
        error_message="" if quiet else text_of(error),
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


@answers(
    DescribeConfigsRequest,
    versions="1-4",
    refuse=refuse,
    simplified="topics and brokers; loggers, client metrics and groups are refused (INVALID_REQUEST)",
)
def describe_configs(call: Call[DescribeConfigsRequest], node: Node) -> DescribeConfigsResponse:
    """Describe each resource."""
    results = []
    for resource in call.body.resources:
        try:
            entries = _entries(resource, node)
        except KafkaError as error:
            results.append(_refused(resource, error))
        else:
            results.append(
                DescribeConfigsResult(
                    resource_type=resource.resource_type,
                    resource_name=resource.resource_name,
                    configs=[_described(entry, call.body) for entry in entries],
                )
            )
    return DescribeConfigsResponse(results=results)


def _entries(resource: DescribeConfigsResource, node: Node) -> list[Entry]:
    # No keys and an empty list of keys both ask for everything.
    name, keys = resource.resource_name, resource.configuration_keys or None
    if kind_of(resource.resource_type) is ConfigKind.TOPIC:
        check_topic(node.image, name)
        return describe_topic(node.config, node.image.configs.get((ConfigKind.TOPIC, name), {}), keys)
    check_broker(node, name)
    if name == "":
        return describe_all_brokers(node.config, keys)
    return describe_broker(node.config, _addresses(node), keys)


def _addresses(node: Node) -> dict[str, str]:
    """The settings that follow from where the broker listens, and from what it is."""
    broker = node.image.brokers[node.id]
    listener = f"PLAINTEXT://{broker.host}:{broker.port}"
    return {"advertised.listeners": listener, "listeners": listener, "process.roles": "broker,controller"}


def _described(entry: Entry, body: DescribeConfigsRequest) -> DescribedConfig:
    synonyms = entry.synonyms if body.include_synonyms else ()
    return DescribedConfig(
        name=entry.name,
        value=entry.value,
        read_only=entry.read_only,
        is_default=entry.source == ConfigSource.DEFAULT,
        config_source=entry.source,
        is_sensitive=entry.sensitive,
        synonyms=[ConfigSynonym(name=s.name, value=s.value, source=s.source) for s in synonyms],
        config_type=entry.type,
        documentation=entry.doc if body.include_documentation else None,
    )
