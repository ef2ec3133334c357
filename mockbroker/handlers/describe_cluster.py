"""DescribeCluster: the cluster's id, its brokers and where the controller is.

Answered from what this broker has heard, which may be old.  Only brokers are to be found here: the
controllers have no endpoint of their own, and who asks for them is told so.

v1 endpoint types (KIP-919) - v2 fenced brokers (KIP-1073)
"""

from __future__ import annotations

from enum import IntEnum

from mockbroker.core.call import Call
from mockbroker.core.node import Node
from mockbroker.handlers.forwarding import text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.metadata import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

# Bits of the operations that everybody may do to a cluster where there is no authorizer: create 5, alter 7,
# describe 8, cluster action 9, describe configs 10, alter configs 11, idempotent write 12.
CLUSTER_OPERATIONS = sum(1 << operation for operation in (5, 7, 8, 9, 10, 11, 12))
NOT_ASKED = -(2**31)


class EndpointType(IntEnum):
    """What a client thinks it talks to."""

    BROKER = 1
    CONTROLLER = 2


def refuse(_: Call[DescribeClusterRequest], error: KafkaError) -> DescribeClusterResponse:
    """An answer without a cluster."""
    return DescribeClusterResponse(error_code=error.code, error_message=text_of(error))


@answers(DescribeClusterRequest, versions="0-2", refuse=refuse)
def describe_cluster(call: Call[DescribeClusterRequest], node: Node) -> DescribeClusterResponse:
    """Show the cluster as this broker knows it."""
    _check_endpoint(call.body.endpoint_type if call.version >= 1 else EndpointType.BROKER)
    with_operations = call.body.include_cluster_authorized_operations
    with_fenced = call.version >= 2 and call.body.include_fenced_brokers
    brokers = [node.image.brokers[id] for id in sorted(node.image.brokers)]
    return DescribeClusterResponse(
        cluster_id=node.image.cluster_id,
        controller_id=node.image.controller_id,
        brokers=[
            DescribeClusterBroker(broker_id=b.id, host=b.host, port=b.port, rack=b.rack, is_fenced=b.fenced)
            for b in brokers
            if with_fenced or not b.fenced
        ],
        cluster_authorized_operations=CLUSTER_OPERATIONS if with_operations else NOT_ASKED,
    )


def _check_endpoint(endpoint_type: int) -> None:
    if endpoint_type not in tuple(EndpointType):
        raise KafkaError(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"Unsupported endpoint type {endpoint_type}")
    if endpoint_type != EndpointType.BROKER:
        raise KafkaError(
            ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type BROKER, "
            "but we wanted an endpoint of type CONTROLLER",
        )
