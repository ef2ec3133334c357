"""AlterConfigs: replace all overrides of a resource by those given.

What is not named goes back to its default, which is a trap; IncrementalAlterConfigs is the way without it.
Each resource changes wholly or not at all.

Nothing changed since v0 but the encoding (v2).
Not here: configs of loggers, client metrics and groups.
"""

from __future__ import annotations

from collections import Counter

from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.handlers.config_resources import AlteredResource, alter, check_distinct
from mockbroker.handlers.forwarding import by_controller, text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
    AlterConfigsResult,
)


def refuse(call: Call[AlterConfigsRequest], error: KafkaError) -> AlterConfigsResponse:
    """Every resource of the request, refused with one error."""
    return AlterConfigsResponse(responses=[_result(resource, error) for resource in call.body.resources])


def _result(resource: AlterConfigsResource, error: KafkaError | None) -> AlterConfigsResult:
    return AlterConfigsResult(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else text_of(error),
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


@answers(
    AlterConfigsRequest,
    versions="0-2",
    refuse=refuse,
    simplified="topics and brokers; loggers, client metrics and groups are refused (INVALID_REQUEST)",
)
def alter_configs(call: Call[AlterConfigsRequest], node: Node) -> Reply[AlterConfigsResponse]:
    """Have the controller replace what may be replaced."""
    return by_controller(call, node, lambda controller: _alter_all(call.body, node, controller), refuse)


def _alter_all(body: AlterConfigsRequest, node: Node, controller: Controller) -> AlterConfigsResponse:
    named = Counter((resource.resource_type, resource.resource_name) for resource in body.resources)
    results = []
    for resource in body.resources:
        error = None
        try:
            altered = _replacement(resource, named)
            alter(node, controller, altered, validate_only=body.validate_only)
        except KafkaError as refused:
            error = refused
        results.append(_result(resource, error))
    return AlterConfigsResponse(responses=results)


def _replacement(resource: AlterConfigsResource, named: Counter[tuple[int, str]]) -> AlteredResource:
    keys = [config.name for config in resource.configs]
    check_distinct(resource.resource_type, resource.resource_name, keys, named)
    overrides = {config.name: config.value for config in resource.configs if config.value is not None}
    if unset := [name for name in keys if name not in overrides]:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {','.join(unset)}")
    return AlteredResource(resource.resource_type, resource.resource_name, keys, lambda _: overrides)
