"""CreateTopics: make topics, with partitions placed by the controller or assigned by hand.

Each topic succeeds or fails alone; only a request for too many partitions fails as a whole.  A topic named
twice is answered once.  With validate_only everything is checked and answered, and nothing made.

v4 -1 for partitions and replication factor (taken in every version, as 4.x does) - v5 the configs and
numbers of what was made (KIP-525) - v7 topic ids (KIP-516)
Not here: quotas on mutations (v6's error 89), create.topic.policy, authorization of configs.
"""

from __future__ import annotations

from collections import Counter

from mockbroker.core.call import Call
from mockbroker.core.config_description import describe_topic
from mockbroker.core.controller import Controller, NewTopic
from mockbroker.core.naming import CLUSTER_METADATA_TOPIC
from mockbroker.core.new_topics import Planner, Wish
from mockbroker.core.node import Node
from mockbroker.core.placement import starts
from mockbroker.core.ticket import Reply
from mockbroker.handlers.forwarding import by_controller, text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.topics import (
    CreatableTopic,
    CreatedTopic,
    CreatedTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)


def refuse(call: Call[CreateTopicsRequest], error: KafkaError) -> CreateTopicsResponse:
    """Every topic of the request, refused with one error."""
    return CreateTopicsResponse(topics=[refused(topic.name, error) for topic in call.body.topics])


def refused(name: str, error: KafkaError) -> CreatedTopic:
    """One topic that was not made."""
    return CreatedTopic(name=name, error_code=error.code, error_message=text_of(error))


@answers(CreateTopicsRequest, versions="2-7", refuse=refuse)
def create_topics(call: Call[CreateTopicsRequest], node: Node) -> Reply[CreateTopicsResponse]:
    """Have the controller plan and make what can be made."""
    return by_controller(
        call, node, lambda controller: _create(call.body, node, controller), refuse, call.body.timeout_ms
    )


def _create(body: CreateTopicsRequest, node: Node, controller: Controller) -> CreateTopicsResponse:
    named = Counter(topic.name for topic in body.topics)
    planner = Planner(controller.image, node.config, starts(node.world))
    planner.check_size([_wish(topic) for topic in body.topics])
    results: dict[str, CreatedTopic] = {}
    planned: list[NewTopic] = []
    describe = _Describer(node)
    for topic in body.topics:
        try:
            _check_name_in_request(topic.name, named)
            plan = planner.plan(_wish(topic))
        except KafkaError as error:
            results[topic.name] = refused(topic.name, error)
        else:
            planned.append(plan)
            results[topic.name] = describe.created(plan)
    if not body.validate_only:
        for made in controller.create_topics(planned):
            results[made.name].topic_id = made.id
    return CreateTopicsResponse(topics=list(results.values()))


def _check_name_in_request(name: str, named: Counter[str]) -> None:
    if named[name] > 1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    if name == CLUSTER_METADATA_TOPIC:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Creation of internal topic {name} is prohibited.")


def _wish(topic: CreatableTopic) -> Wish:
    return Wish(
        topic.name,
        topic.num_partitions,
        topic.replication_factor,
        [(assignment.partition_index, assignment.broker_ids) for assignment in topic.assignments],
        {config.name: config.value for config in topic.configs},
    )


class _Describer:
    """Tells what a topic came to.  Those with the same configs share one list: there may be thousands."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._configs: dict[tuple[tuple[str, str], ...], list[CreatedTopicConfig]] = {}

    def created(self, plan: NewTopic) -> CreatedTopic:
        """The answer for a topic that will be made; for one that will not, its id is as good as any."""
        return CreatedTopic(
            name=plan.name,
            topic_id=self._node.world.new_id(),
            error_message=None,
            num_partitions=len(plan.assignments),
            replication_factor=len(plan.assignments[0]),
            configs=self._configs_of(plan),
        )

    def _configs_of(self, plan: NewTopic) -> list[CreatedTopicConfig]:
        key = tuple(plan.configs.items())
        if key not in self._configs:
            self._configs[key] = [
                # Unlike DescribeConfigs this shows an override to the letter.
                CreatedTopicConfig(
                    name=entry.name,
                    value=plan.configs.get(entry.name, entry.value),
                    read_only=entry.read_only,
                    config_source=entry.source,
                )
                for entry in describe_topic(self._node.config, plan.configs, keys=None)
            ]
        return self._configs[key]
