"""DeleteTopics: remove topics by name or by id, with their records, configs and committed offsets.

A request that contradicts itself about a topic deletes nothing of that topic.  The order of the answer is
none, on purpose: Kafka shuffles it, so that its place tells nothing about a topic one may not see.

v3 error 73 when deletion is disabled - v5 messages - v6 topic ids (KIP-516)
Not here: quotas on mutations.
"""

from __future__ import annotations

from collections import Counter

from mockbroker.core import settings
from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.image import Image
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.handlers.forwarding import by_controller, text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.topics import (
    DeletedTopic,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from mockbroker.protocol.types import ZERO_UUID


def refuse(call: Call[DeleteTopicsRequest], error: KafkaError) -> DeleteTopicsResponse:
    """Every topic of the request, refused with one error."""
    return DeleteTopicsResponse(responses=[_refused(t.name, t.topic_id, error) for t in _asked(call)])


def _refused(name: str | None, topic_id: bytes, error: KafkaError) -> DeletedTopic:
    return DeletedTopic(name=name, topic_id=topic_id, error_code=error.code, error_message=text_of(error))


def _asked(call: Call[DeleteTopicsRequest]) -> list[DeleteTopicState]:
    """What is to be deleted, in the form of v6."""
    if call.version >= 6:
        return list(call.body.topics)
    return [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in call.body.topic_names]


@answers(DeleteTopicsRequest, versions="1-6", refuse=refuse)
def delete_topics(call: Call[DeleteTopicsRequest], node: Node) -> Reply[DeleteTopicsResponse]:
    """Have the controller delete what can be found."""
    if not node.config[settings.DELETE_TOPIC_ENABLE]:
        if call.version < 3:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Topic deletion is disabled.")
        raise KafkaError(ErrorCode.TOPIC_DELETION_DISABLED)
    return by_controller(
        call, node, lambda controller: _delete(call, node, controller), refuse, call.body.timeout_ms
    )


def _delete(call: Call[DeleteTopicsRequest], node: Node, controller: Controller) -> DeleteTopicsResponse:
    asked = _asked(call)
    # A name may also be given as the id of the same topic: that is naming it twice, too.
    named = Counter((topic.name, topic.topic_id) for topic in asked)
    found = Counter(_name_in(controller.image, topic) for topic in named)
    responses, gone = [], []
    for name, topic_id in named:
        try:
            topic = _find((name, topic_id), controller.image, named, found)
        except KafkaError as error:
            responses.append(_refused(name, topic_id, error))
        else:
            gone.append(topic)
            responses.append(DeletedTopic(name=topic, topic_id=controller.image.topics[topic].id))
    if gone:
        controller.delete_topics(gone)
    node.world.random.shuffle(responses)
    return DeleteTopicsResponse(responses=responses)


Named = tuple[str | None, bytes]


def _check(topic: Named, named: Counter[Named]) -> None:
    """Raise KafkaError 42 where the request is not clear about this topic."""
    name, topic_id = topic
    if name is None and topic_id == ZERO_UUID:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.")
    if name is not None and topic_id != ZERO_UUID:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id.")
    if named[topic] > 1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Duplicate topic {'id' if name is None else 'name'}.")


def _name_in(image: Image, topic: Named) -> str | None:
    name, topic_id = topic
    return image.topic_names.get(topic_id) if name is None else name


def _find(topic: Named, image: Image, named: Counter[Named], found: Counter[str | None]) -> str:
    """The name of the topic that is meant.  Raises KafkaError 42, 3 or 100."""
    _check(topic, named)
    name = _name_in(image, topic)
    if name is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
    if name not in image.topics:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if found[name] > 1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "The topic is named by its name and by its id.")
    return name
