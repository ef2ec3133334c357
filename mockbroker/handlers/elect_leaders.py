"""ElectLeaders: let the preferred replica lead again, or anyone at all where nobody leads (unclean).

The answers are per partition; asked about all partitions, those that need no election are left out, though
their topic stays in the answer.

v0 preferred elections only - v1 unclean elections and a top-level error (KIP-460)
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.image import Image
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.handlers.forwarding import by_controller, text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.replicas import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)


class ElectionType(IntEnum):
    """Who may be elected."""

    PREFERRED = 0
    UNCLEAN = 1


def refuse(call: Call[ElectLeadersRequest], error: KafkaError) -> ElectLeadersResponse:
    """The error for the whole and for every partition that was named."""
    results = [
        ReplicaElectionResult(
            topic=asked.topic, partition_result=[_refused(p, error) for p in asked.partitions]
        )
        for asked in call.body.topic_partitions or ()
    ]
    return ElectLeadersResponse(error_code=error.code, replica_election_results=results)


def _refused(index: int, error: KafkaError) -> PartitionResult:
    return PartitionResult(partition_id=index, error_code=error.code, error_message=text_of(error))


@answers(ElectLeadersRequest, versions="0-2", refuse=refuse)
def elect_leaders(call: Call[ElectLeadersRequest], node: Node) -> Reply[ElectLeadersResponse]:
    """Have the controller hold the elections."""
    election_type = call.body.election_type if call.version >= 1 else ElectionType.PREFERRED
    if election_type not in tuple(ElectionType):
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown election type {election_type}")
    unclean = election_type == ElectionType.UNCLEAN

    def hold(controller: Controller) -> ElectLeadersResponse:
        return _hold(
            call.body, controller, controller.elect_unclean if unclean else controller.elect_preferred
        )

    return by_controller(call, node, hold, refuse, call.body.timeout_ms)


def _hold(
    body: ElectLeadersRequest, controller: Controller, elect: Callable[[str, int], None]
) -> ElectLeadersResponse:
    everything = body.topic_partitions is None
    if body.topic_partitions is None:
        wanted = [(t.name, list(range(len(t.partitions)))) for t in controller.image.topics.values()]
    else:
        wanted = [(asked.topic, asked.partitions) for asked in body.topic_partitions]
    results = []
    for topic, indexes in wanted:
        held = [_elect(controller.image, topic, index, elect) for index in indexes]
        if everything:
            held = [result for result in held if result.error_code != ErrorCode.ELECTION_NOT_NEEDED]
        results.append(ReplicaElectionResult(topic=topic, partition_result=held))
    return ElectLeadersResponse(replica_election_results=results)


def _elect(image: Image, topic: str, index: int, elect: Callable[[str, int], None]) -> PartitionResult:
    try:
        _check_exists(image, topic, index)
        elect(topic, index)
    except KafkaError as error:
        return _refused(index, error)
    return PartitionResult(partition_id=index, error_message=None)


def _check_exists(image: Image, topic: str, index: int) -> None:
    if topic not in image.topics:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {topic}")
    if image.partition(topic, index) is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {topic}-{index}")
