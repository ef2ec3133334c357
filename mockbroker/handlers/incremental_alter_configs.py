"""IncrementalAlterConfigs: set, delete, append to and subtract from single configs (KIP-339).

What is not named stays as it is.  Each resource changes wholly or not at all.

Nothing changed since v0 but the encoding (v1).
Not here: configs of loggers, client metrics and groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mockbroker.core.call import Call
from mockbroker.core.config_rules import Alteration, Operation, altered
from mockbroker.core.controller import Controller
from mockbroker.core.image import ConfigKind
from mockbroker.core.node import Node
from mockbroker.core.setting_facts import BROKER_SETTINGS
from mockbroker.core.setting_values import ValueType, write_value
from mockbroker.core.ticket import Reply
from mockbroker.core.topic_configs import TOPIC_SETTINGS, value_of
from mockbroker.handlers.config_resources import AlteredResource, Overrides, alter, check_distinct, kind_of
from mockbroker.handlers.forwarding import by_controller, text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResponse,
    IncrementalAlterConfigsResult,
)


def refuse(call: Call[IncrementalAlterConfigsRequest], error: KafkaError) -> IncrementalAlterConfigsResponse:
    """Every resource of the request, refused with one error."""
    return IncrementalAlterConfigsResponse(
        responses=[_result(resource, error) for resource in call.body.resources]
    )


def _result(
    resource: IncrementalAlterConfigsResource, error: KafkaError | None
) -> IncrementalAlterConfigsResult:
    return IncrementalAlterConfigsResult(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else text_of(error),
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


@answers(
    IncrementalAlterConfigsRequest,
    versions="0-1",
    refuse=refuse,
    simplified="topics and brokers; loggers, client metrics and groups are refused (INVALID_REQUEST)",
)
def incremental_alter_configs(
    call: Call[IncrementalAlterConfigsRequest], node: Node
) -> Reply[IncrementalAlterConfigsResponse]:
    """Have the controller alter what may be altered."""
    return by_controller(call, node, lambda controller: _alter_all(call.body, node, controller), refuse)


def _alter_all(
    body: IncrementalAlterConfigsRequest, node: Node, controller: Controller
) -> IncrementalAlterConfigsResponse:
    named = Counter((resource.resource_type, resource.resource_name) for resource in body.resources)
    results = []
    for resource in body.resources:
        error = None
        try:
            alter(node, controller, _increments(resource, node, named), validate_only=body.validate_only)
        except KafkaError as refused:
            error = refused
        results.append(_result(resource, error))
    return IncrementalAlterConfigsResponse(responses=results)


def _increments(
    resource: IncrementalAlterConfigsResource, node: Node, named: Counter[tuple[int, str]]
) -> AlteredResource:
    keys = [config.name for config in resource.configs]
    check_distinct(resource.resource_type, resource.resource_name, keys, named)
    alterations = _alterations(resource)
    if kind_of(resource.resource_type) is ConfigKind.TOPIC:
        known: Mapping[str, ValueType] = {name: setting.type for name, setting in TOPIC_SETTINGS.items()}
        otherwise = _otherwise_of_topics(node)
    else:
        known = {name: fact.type for name, fact in BROKER_SETTINGS.items()}
        otherwise = {name: fact.default or "" for name, fact in BROKER_SETTINGS.items()}

    def after(before: Overrides) -> Overrides:
        return altered(before, alterations, known, otherwise)

    return AlteredResource(resource.resource_type, resource.resource_name, keys, after)


def _alterations(resource: IncrementalAlterConfigsResource) -> list[Alteration]:
    alterations = []
    for config in resource.configs:
        if config.config_operation not in tuple(Operation):
            # Kafka fails to read it, and answers as it does when it fails.
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"Unknown operation {config.config_operation}")
        operation = Operation(config.config_operation)
        if config.value is None and operation is not Operation.DELETE:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {config.name}")
        alterations.append(Alteration(config.name, operation, config.value or ""))
    return alterations


def _otherwise_of_topics(node: Node) -> dict[str, str]:
    """What the lists of a topic are where it says nothing: what the broker says."""
    lists = [name for name, setting in TOPIC_SETTINGS.items() if setting.type is ValueType.LIST]
    return {name: write_value(value_of(name, node.config, {})) or "" for name in lists}
