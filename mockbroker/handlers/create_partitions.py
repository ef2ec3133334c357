"""CreatePartitions: give topics more partitions; there is no way to take some away.

New partitions are placed as if the topic had been made with them, or assigned by hand.

Nothing changed since v0 but the encoding (v2) and quotas (v3).
Not here: quotas on mutations.
"""

from __future__ import annotations

from collections import Counter

from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.image import Image
from mockbroker.core.new_topics import check_partition_count, plan_more_partitions
from mockbroker.core.node import Node
from mockbroker.core.placement import starts
from mockbroker.core.ticket import Reply
from mockbroker.handlers.forwarding import by_controller
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.topics import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsResult,
    CreatePartitionsTopic,
)


def refuse(call: Call[CreatePartitionsRequest], error: KafkaError) -> CreatePartitionsResponse:
    """Every topic of the request, refused with one error."""
    return CreatePartitionsResponse(results=[_refused(topic.name, error) for topic in call.body.topics])


def _refused(name: str, error: KafkaError) -> CreatePartitionsResult:
    return CreatePartitionsResult(name=name, error_code=error.code, error_message=error.message)


@answers(CreatePartitionsRequest, versions="0-3", refuse=refuse)
def create_partitions(call: Call[CreatePartitionsRequest], node: Node) -> Reply[CreatePartitionsResponse]:
    """Have the controller add what can be added."""
    return by_controller(
        call, node, lambda controller: _add(call.body, node, controller), refuse, call.body.timeout_ms
    )


def _add(body: CreatePartitionsRequest, node: Node, controller: Controller) -> CreatePartitionsResponse:
    total = sum(_wanted(topic, controller.image) for topic in body.topics)
    check_partition_count(total, "additional partitions")
    named = Counter(topic.name for topic in body.topics)
    results: dict[str, CreatePartitionsResult] = {}
    for topic in body.topics:
        try:
            added = _plan(topic, named, node, controller.image)
        except KafkaError as error:
            results[topic.name] = _refused(topic.name, error)
        else:
            if not body.validate_only:
                controller.add_partitions(topic.name, added)
            results[topic.name] = CreatePartitionsResult(name=topic.name)
    return CreatePartitionsResponse(results=list(results.values()))


def _plan(topic: CreatePartitionsTopic, named: Counter[str], node: Node, image: Image) -> list[list[int]]:
    if named[topic.name] > 1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    assignments = None if topic.assignments is None else [a.broker_ids for a in topic.assignments]
    start = starts(node.world)(len(image.brokers))
    return plan_more_partitions(image, topic.name, topic.count, assignments, start)


def _wanted(topic: CreatePartitionsTopic, image: Image) -> int:
    existing = image.topics.get(topic.name)
    return 0 if existing is None else max(topic.count - len(existing.partitions), 0)
